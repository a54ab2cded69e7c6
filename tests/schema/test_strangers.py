"""What nobody, and what somebody who asks about a stranger, gets to hear: nothing before who they are is known."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    get_named_type,
    is_leaf_type,
)

from models.attachments.attachments import Attachment, Role
from models.documents.documents import File
from resolvers.documents.documents import Upload
from resolvers.scope import Scope
from schema import schema
from schema.base import ids
from schema.base.context import Context
from tests.schema.conftest import Ask
from tests.schema.support.rights import MUTATIONS, QUERIES, STREAMS
from tests.support import factories

ROUNDS = 6
ODD: dict[str, tuple[Any, ...]] = {
    "ID": ("nonsense", "", ids.encode("Session", 1), ids.encode("User", 987_654), "ÿ", "U3RydWN0dXJlOjA="),
    "String": ("", " \n", "\0", "x" * 400, "nonsense", "\u202e"),
    "Int": (0, -1, 101, 2**31 - 1),
    "Boolean": (False, True),
    "Date": ("0001-01-01", "9999-12-31", "2027-03-01"),
    "DateTime": ("0001-01-01T00:00:00Z", "2027-03-01T00:00:00+14:00"),
}


def _odd(kind: GraphQLInputType, turn: int) -> Any:
    """A value of the type that is odd in another way each turn."""
    if isinstance(kind, GraphQLNonNull):
        return _odd(kind.of_type, turn)
    if isinstance(kind, GraphQLList):
        return [_odd(kind.of_type, turn)] * (0, 1, 2, 101)[turn % 4]
    if isinstance(kind, GraphQLInputObjectType):
        return {
            name: _odd(part.type, turn + place)
            for place, (name, part) in enumerate(kind.fields.items())
            if isinstance(part.type, GraphQLNonNull) or turn % 3
        }
    if isinstance(kind, GraphQLEnumType):
        return list(kind.values)[turn % len(kind.values)]
    if kind.name == "Upload":
        return Upload(File("", 0, "0" * 64, b""), io.BytesIO(b""))
    return ODD[kind.name][turn % len(ODD[kind.name])]


def _document(root: str, name: str, field: GraphQLField) -> str:
    declared = ", ".join(f"${argument}: {given.type}" for argument, given in field.args.items())
    passed = ", ".join(f"{argument}: ${argument}" for argument in field.args)
    read = "" if is_leaf_type(get_named_type(field.type)) else " { __typename }"
    return f"{root.lower()}{f'({declared})' if declared else ''} {{ {name}{f'({passed})' if passed else ''}{read} }}"


def _closed(root: str, rows: Any) -> list[tuple[str, str]]:
    """The root's fields that nobody may use who isn't known."""
    return [(root, name) for name, (_, answers) in rows.items() if answers[0] == "UNAUTHENTICATED" and " " not in name]


CLOSED = _closed("Mutation", MUTATIONS) + _closed("Query", QUERIES) + _closed("Subscription", STREAMS)


@pytest.mark.parametrize(("root", "name"), CLOSED)
async def test_nobody_is_told_to_sign_in_before_anything_else_is_looked_at(
    db: str, scope_of: Callable[..., Scope], root: str, name: str
) -> None:
    kind = schema._schema.type_map[root]
    assert isinstance(kind, GraphQLObjectType)
    field = kind.fields[name]
    for turn in range(ROUNDS):
        values = {
            argument: _odd(given.type, turn + place)
            for place, (argument, given) in enumerate(field.args.items())
            if isinstance(given.type, GraphQLNonNull) or turn % 2
        }
        asked: dict[str, Any] = {"variable_values": values, "context_value": Context(scope=scope_of())}
        document = _document(root, name, field)
        if root == "Subscription":
            stream = await schema.subscribe(document, **asked)
            results = [stream] if hasattr(stream, "errors") else [result async for result in stream]
        else:
            results = [await schema.execute(document, **asked)]
        errors = [error for result in results for error in result.errors or []]
        assert [type(error.original_error).__name__ for error in errors] == ["Unauthenticated"], (values, results)


# ------------------------------------------------------------------ who exists isn't told
DAY = '"2027-04-01"'
USER_IDS: dict[str, str] = {
    "resendActivationFor": 'resendActivationFor(userId: "<user>")',
    "deactivateAccount": 'deactivateAccount(input: {confirm: true, successorForAllId: "<user>"})',
    "deactivateAccount with successions": (
        'deactivateAccount(input: {confirm: true, successions: [{structureId: "<structure>", successorId: "<user>"}]})'
    ),
    "removeAttachments": (
        'removeAttachments(ids: ["<seat>"], successions: [{structureId: "<structure>", successorId: "<user>"}])'
    ),
    "removeAttachments of nothing": (
        'removeAttachments(ids: [], successions: [{structureId: "<structure>", successorId: "<user>"}])'
    ),
    "transferPrincipalManager": 'transferPrincipalManager(structureId: "<structure>", successorId: "<user>")',
    "offerPrincipalManager": 'offerPrincipalManager(structureId: "<structure>", successorId: "<user>")',
    "grantSpaceSubscriptions": (
        'grantSpaceSubscriptions(input: {structureId: "<structure>", space: INVOICES_ISSUED, userIds: ["<user>"],'
        f" effectiveFrom: {DAY}}})"
    ),
    "reopenAccount": 'reopenAccount(userId: "<user>", reason: "none")',
    "suspendAccount": 'suspendAccount(userId: "<user>", reason: "none")',
    "endSessions": 'endSessions(userId: "<user>", reason: "none")',
    "appointPrincipalManager": (
        'appointPrincipalManager(structureId: "<structure>", userId: "<user>", reason: "none")'
    ),
    "registerPublicStructure": (
        'registerPublicStructure(input: {identifierType: OTHER, identifier: "P", name: "P", principalManagerId:'
        ' "<user>", postalAddress: {line1: "1", postcode: "75001", city: "Paris", country: "FR"}})'
    ),
}


def _names_a_user(kind: GraphQLInputType, name: str) -> bool:
    plain = get_named_type(kind)
    if isinstance(plain, GraphQLInputObjectType):
        return any(_names_a_user(part.type, part_name) for part_name, part in plain.fields.items())
    return plain.name == "ID" and name.lower().removesuffix("s").removesuffix("id").endswith(
        ("user", "successor", "successorforall", "principalmanager")
    )


def test_every_mutation_that_takes_a_persons_id_has_a_row_here() -> None:
    mutation = schema._schema.type_map["Mutation"]
    assert isinstance(mutation, GraphQLObjectType)
    takes = {
        name
        for name, field in mutation.fields.items()
        if any(_names_a_user(argument.type, given) for given, argument in field.args.items())
    }
    assert {name.split()[0] for name in USER_IDS} == takes


@pytest.mark.parametrize("role", [Role.PRINCIPAL_MANAGER, Role.SECONDARY_MANAGER, Role.SIMPLE_USER, None])
@pytest.mark.parametrize("name", USER_IDS)
async def test_nobody_but_support_tells_a_person_they_do_not_see_from_one_who_does_not_exist(
    ask: Ask, name: str, role: Role | None
) -> None:
    actor, stranger = await factories.person(), await factories.person()
    structure = await factories.structure(actor if role is Role.PRINCIPAL_MANAGER else await factories.person())
    if role in {Role.SECONDARY_MANAGER, Role.SIMPLE_USER}:
        await factories.attachment(actor, structure, role=role)
    seat = await Attachment.get_or_none(user=actor, role=Role.PRINCIPAL_MANAGER)
    places = {
        "structure": ids.encode("Structure", structure.id),
        "seat": ids.encode("Attachment", seat.id if seat else 1),
    }
    results = "results { errors { code message path } }" if USER_IDS[name].startswith(("remove", "grant")) else ""
    answers = []
    before = await factories.traces()
    for user_id in (stranger.id, 987_654):
        text = USER_IDS[name].replace("<user>", ids.encode("User", user_id))
        for place, id in places.items():
            text = text.replace(f"<{place}>", id)
        if name == "deactivateAccount" and role is not Role.PRINCIPAL_MANAGER:
            text = text.replace("confirm: true", "confirm: false")  # or the first of the two would leave
        answers.append(await ask(f"mutation {{ {text} {{ {results} errors {{ code message path }} }} }}", actor))
    assert answers[0] == answers[1]
    assert await factories.traces() == before
