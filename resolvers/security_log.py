"""The security log: one line and one count for each thing that an attacker would meet, whatever the transport.

A line holds the source, the account or else a keyed digest of the address, the operation and the request's id: never a
secret, and no address in clear.
"""

from typing import Final

import structlog

from models.errors.codes import ErrorCode
from models.errors.errors import DomainError, RateLimited
from models.errors.stream_endings import SessionOver
from resolvers.scope import Scope

REFUSALS: Final = frozenset(
    {
        ErrorCode.WRONG_CREDENTIALS,
        ErrorCode.WRONG_PASSWORD,
        ErrorCode.WRONG_SECRET_ANSWER,
        ErrorCode.ACCOUNT_DEACTIVATED,
        ErrorCode.ACCOUNT_UNAVAILABLE,
        ErrorCode.INVALID_TOKEN,
        ErrorCode.EXPIRED_TOKEN,
        ErrorCode.REACTIVATION_EXPIRED,
        ErrorCode.FORBIDDEN,
        ErrorCode.TOO_MANY,
    }
)
OF_THE_ACTOR: Final = frozenset({ErrorCode.FORBIDDEN, ErrorCode.TOO_MANY, "SIGNED_IN"})  # of no secret that was tried
RATE_LIMITED: Final = "RATE_LIMITED"
UNKNOWN_SESSION: Final = "UNKNOWN_SESSION"  # a bearer token that stands for nobody, or no more
UNKNOWN_API_KEY: Final = "UNKNOWN_API_KEY"
SIGNED_IN: Final = "SIGNED_IN"
OUTCOMES: Final = (*sorted(REFUSALS), RATE_LIMITED, UNKNOWN_SESSION, UNKNOWN_API_KEY, SIGNED_IN)

log = structlog.get_logger(__name__)


def note(scope: Scope, outcome: str, operation: str) -> None:
    """Write the line and count it."""
    scope.office.noted(outcome)
    actor = {"account": scope.actor.account_id} if scope.actor is not None else {}
    if scope.integration is not None:
        actor = {"api_key": scope.integration.key_id}
    about = actor or scope.tried if outcome in OF_THE_ACTOR else scope.tried or actor
    write = log.info if outcome == SIGNED_IN else log.warning
    write(
        "security",
        outcome=str(outcome),
        operation=operation,
        source=scope.source or "unknown",
        **about,
        request_id=scope.request_id,
    )


def note_refusal(scope: Scope, error: BaseException, operation: str, place: object = None) -> None:
    """The same for a refusal of those kinds, and nothing for any other; once for all of a kind at one `place`."""
    found: list[str] = []
    if isinstance(error, DomainError):
        found = [single.code for single in error.each() if single.code in REFUSALS]
    elif isinstance(error, RateLimited):
        found = [RATE_LIMITED]
    elif isinstance(error, SessionOver):
        found = [UNKNOWN_SESSION]
    for outcome in dict.fromkeys(found):
        if place is None or (place, outcome) not in scope.noted:
            scope.noted.add((place, outcome))
            note(scope, outcome, operation)
