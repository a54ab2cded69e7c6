"""What clients may read of an error: its code, a sentence meant for them, and nothing of the inside."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Generic, TypeVar

import structlog
from graphql import GraphQLError, GraphQLSyntaxError

from models.errors.errors import (
    DatabaseAway,
    DomainError,
    Forbidden,
    NotFound,
    OperationTimedOut,
    RateLimited,
    StorageAway,
    TooLong,
    Unauthenticated,
)
from models.errors.stream_endings import StreamEnded

Language = TypeVar("Language")
Expected = DomainError | Unauthenticated | RateLimited | OperationTimedOut | DatabaseAway | StreamEnded

MOST_ERRORS: Final = 100
MOST_CHARACTERS: Final = 500
SUGGESTION: Final = re.compile(r" Did you mean [^?]*\?")
INTERNAL: Final = "Internal error. It has been logged under the request id given here."

log = structlog.get_logger(__name__)


def coded(error: GraphQLError, code: str) -> GraphQLError:
    """The same error with this code, its message bounded and free of suggestions, keeping no stack frame alive."""
    shown = GraphQLError(readable(error.message), path=error.path, extensions={"code": code})
    # Given to the constructor, they would be looked for in the document once more, each from its beginning.
    shown.nodes, shown.source, shown.positions = error.nodes, error.source, error.positions
    shown.locations = error.locations
    return shown


def readable(message: str) -> str:
    """The message without "Did you mean", which tells names of the schema, and at most 500 characters long."""
    short = SUGGESTION.sub("", message)
    return short if len(short) <= MOST_CHARACTERS else f"{short[: MOST_CHARACTERS - 1]}…"


def cause(error: BaseException) -> BaseException:
    """What was first raised, below the GraphQL errors that only say where."""
    while isinstance(error, GraphQLError) and error.original_error is not None:
        error = error.original_error
    return error


class Masking(Generic[Language]):
    """Turns whatever was raised into errors fit to be shown; `explain` words the expected ones in a language."""

    def __init__(self, explain: Callable[[Expected, Language], str]) -> None:
        self.explain = explain

    def shown(self, errors: Sequence[GraphQLError], language: Language, request_id: str) -> list[GraphQLError]:
        """The errors as the client sees them, at most 100. Unexpected ones are logged, each kind once, and masked."""
        logged: set[object] = set()
        found = [shown for error in errors for shown in self._shown(error, language, request_id, logged)]
        return found[:MOST_ERRORS]

    def _shown(
        self, error: GraphQLError, language: Language, request_id: str, logged: set[object]
    ) -> Iterator[GraphQLError]:
        raised = cause(error)
        if isinstance(raised, DomainError):
            for refusal in raised.each():
                place = {"argument": list(refusal.path)} if isinstance(refusal, TooLong) else {}
                yield located(error, self.explain(refusal, language), domain_code(refusal), **place)
        elif isinstance(raised, StreamEnded):
            yield located(error, self.explain(raised, language), raised.code)
        elif isinstance(raised, Unauthenticated):
            yield located(error, self.explain(raised, language), "UNAUTHENTICATED")
        elif isinstance(raised, RateLimited):
            yield located(error, self.explain(raised, language), "RATE_LIMITED", retryAfter=raised.retry_after)
        elif isinstance(raised, OperationTimedOut):
            note(logged, "operation_timed_out", raised, error, request_id)
            yield located(error, self.explain(raised, language), "TIMEOUT", requestId=request_id)
        elif isinstance(raised, DatabaseAway):
            away = "storage_away" if isinstance(raised, StorageAway) else "database_away"
            if away not in logged:  # where it was asked doesn't matter: no traceback
                logged.add(away)
                log.error(away, request_id=request_id, reason=str(raised))
            told = {"retryAfter": raised.retry_after, "requestId": request_id}
            yield located(error, self.explain(raised, language), "UNAVAILABLE", **told)
        elif (code := client_code(error, raised)) is not None:
            kept = {**(getattr(raised, "extensions", None) or {}), "code": code}
            yield located(error, readable(error.message), **kept)
        else:
            note(logged, "operation_failed", raised, error, request_id)
            yield located(error, INTERNAL, "INTERNAL", requestId=request_id)


def client_code(error: GraphQLError, raised: BaseException) -> str | None:
    """The code of an error that the client made, or None when it is ours.

    Ours is everything without a code, but for graphql-core's own: a syntax error, a variable refused before execution
    (it has no path) and an argument refused during it (it points at the argument; a value that can't be written out
    as its type is a GraphQLError too, but points nowhere).
    """
    if not isinstance(raised, GraphQLError):
        return None
    code = (raised.extensions or {}).get("code")
    if isinstance(code, str):
        return code
    if isinstance(raised, GraphQLSyntaxError):
        return "GRAPHQL_PARSE_FAILED"
    return "BAD_USER_INPUT" if error.path is None or (raised is not error and raised.nodes) else None


def domain_code(refusal: DomainError) -> str:
    """The GraphQL error code of a refusal raised where there is no payload to carry it."""
    if isinstance(refusal, NotFound | TooLong):
        return str(refusal.code)
    return "FORBIDDEN" if isinstance(refusal, Forbidden) else "BAD_USER_INPUT"


def located(error: GraphQLError, message: str, code: str, **extensions: Any) -> GraphQLError:
    """A new error at the same place, that holds on to nothing that was raised."""
    return GraphQLError(
        message, error.nodes, error.source, error.positions, error.path, extensions={"code": code, **extensions}
    )


def note(logged: set[object], event: str, raised: BaseException, error: GraphQLError, request_id: str) -> None:
    """Log what was raised with its traceback, unless the same was already logged for this answer."""
    place = tuple(step for step in error.path or () if isinstance(step, str))
    if (type(raised), place) not in logged:
        logged.add((type(raised), place))
        log.error(event, request_id=request_id, path=".".join(place), exc_info=raised)
