"""The one place where expected refusals become data: `errors` of a payload, in the reader's language."""

import functools
from collections.abc import Awaitable, Callable
from typing import Any, get_type_hints

import strawberry
from graphql import GraphQLField, GraphQLResolveInfo

from models.errors.codes import ErrorCode
from models.errors.errors import DomainError
from resolvers import security_log
from resolvers.scope import Scope
from schema.base.context import Info
from schema.base.fields import column
from schema.base.roots import Admission, admitted, anybody
from schema.words import wording


@strawberry.type(description="An expected refusal: nothing was changed.")
class UserError:
    code: ErrorCode = column("What kind of refusal, for programs.")
    message: str = column("What to tell the person, in their language.")
    path: list[str] = column(
        "Where in the argument: field names and list positions, outermost first; empty for the whole."
    )


def user_errors(error: DomainError, info: Info | GraphQLResolveInfo[Any]) -> list[UserError]:
    """The refusal, or each of several, as clients read them; the security log is told of what concerns it."""
    security_log.note_refusal(info.context.scope, error, info.field_name, info.path.key)
    language = info.context.language
    return [
        UserError(
            code=single.code, message=wording.explain(single, language), path=[_camel(part) for part in single.path]
        )
        for single in error.each()
    ]


def mutation(description: str, admits: Admission = Scope.signed_in) -> Callable[[Callable[..., Awaitable[Any]]], Any]:
    """A mutation field, open to whom `admits` lets pass: by default to whoever is signed in.

    A refusal raised inside becomes the payload's `errors`, every other value of it empty.
    """

    def decorate(resolver: Callable[..., Awaitable[Any]]) -> Any:
        payload, guarded = get_type_hints(resolver)["return"], admitted(resolver, admits)

        @functools.wraps(resolver)
        async def answered(*args: Any, **kwargs: Any) -> Any:
            try:
                return await guarded(*args, **kwargs)
            except DomainError as error:
                return payload(errors=user_errors(error, kwargs["info"]))

        answered.admits, answered.payload = admits, payload  # type: ignore[attr-defined]
        return strawberry.mutation(resolver=answered, description=description)

    return decorate


def refusing(field: GraphQLField) -> Callable[[GraphQLResolveInfo[Any], DomainError], Any]:
    """How a field refuses what comes before its resolver: to whom it admits, in the payload where it has one."""
    resolver = field.extensions["strawberry-definition"].base_resolver
    function = resolver.wrapped_func if resolver is not None else None
    admits, payload = getattr(function, "admits", anybody), getattr(function, "payload", None)

    def refuse(info: GraphQLResolveInfo[Any], error: DomainError) -> Any:
        admits(info.context.scope)
        if payload is None:
            raise error
        return payload(errors=user_errors(error, info))

    return refuse


def _camel(part: str) -> str:
    head, *rest = part.split("_")
    return head + "".join(word.capitalize() for word in rest)


ERRORS = "Why the act was refused; empty on success."
