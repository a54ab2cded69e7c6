"""Arguments as clients read them: described by their name, and optional without a null that says so twice."""

from functools import partial
from typing import Any

from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLObjectType, GraphQLSchema, Undefined

DESCRIPTIONS = {
    "input": "What the act takes.",
    "filter": "What the list is narrowed to.",
    "token": "The token of the mailed link.",
    "loginEmail": "A login e-mail, whether it has an account or not.",
    "id": "The global id.",
    "ids": "The global ids, at most 100; each gets its own answer, in order.",
    "userId": "The person.",
    "structureId": "The structure.",
    "successorId": "The user who takes the principal management.",
    "successions": "Who takes over each structure of which the person is principal manager.",
    "spaces": "The spaces.",
    "role": "The new role.",
    "kind": "The new kind.",
    "space": "The space.",
    "message": "A word to support, at most 255 characters.",
    "reason": "Why, at most 255 characters.",
    "search": "What is searched for: in names, e-mails and addresses for people; by the criteria for structures.",
    "identifier": "The identifier and its kind.",
}


class ArgumentNotDescribed(Exception):
    """An argument has no description of its own, and its name none: clients would read nothing of it."""


def complete(schema: GraphQLSchema) -> None:
    """Give every argument without a description of its own the one of its name, and take away defaults of null.

    An enum's wrong value gets no suggestion: nobody is shown it, and looking for one costs by the value's length.

    Raises:
        ArgumentNotDescribed: when there is none for the name.
    """
    for kind in schema.type_map.values():
        if isinstance(kind, GraphQLEnumType):
            setattr(kind, "coerce_input_value", partial(_value_of, kind.coerce_input_value))  # noqa: B010
        if isinstance(kind, GraphQLInputObjectType):
            for given in kind.fields.values():
                if given.default_value is None:
                    given.default_value = Undefined
        if isinstance(kind, GraphQLObjectType) and not kind.name.startswith("__"):
            for found, field in kind.fields.items():
                for name, argument in field.args.items():
                    argument.description = argument.description or _description(f"{kind.name}.{found}", name)
                    if argument.default_value is None:
                        argument.default_value = Undefined


def _description(field: str, name: str) -> str:
    if name not in DESCRIPTIONS:
        raise ArgumentNotDescribed(
            f"{field} has an argument `{name}` that nothing describes: add a sentence for `{name}` to DESCRIPTIONS in"
            " schema/base/arguments.py, or describe this one alone with Annotated and strawberry.argument."
        )
    return DESCRIPTIONS[name]


def _value_of(coerce: Any, given: Any, _: bool = True) -> Any:
    return coerce(given, True)
