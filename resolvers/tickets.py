"""Signed addresses for one person: given to whoever may have a file, and looked at again when somebody comes with one.

An address is good for 5 minutes, alone enough for a browser's link, dead once the session it was made in is over or its
account isn't active, and refused to a request that carries someone else's session. Source: DOMAIN 6.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from models.accounts import sessions as rows_of_sessions
from models.accounts.accounts import ACCOUNTS, AccountState, Language
from models.accounts.actors import Actor, PlatformRole
from models.errors.errors import ExpiredToken, Forbidden
from resolvers.accounts import users
from resolvers.policy import require
from resolvers.scope import Scope

LIFETIME = timedelta(minutes=5)


@dataclass(frozen=True)
class Ticket:
    """What a signed address says: who it was given to, in which language they read, and what it leads to.

    One that was made outside of a session, or by a version that didn't say in which, lives for its 5 minutes.
    """

    account_id: int
    language: Language
    subject: Any
    session_id: int | None = None


def url(scope: Scope, path: str, subject: object) -> str:
    """The address of `path` that leads the actor, and nobody else, to the subject, a JSON value."""
    actor = scope.signed_in()
    claims = {"account": actor.account_id, "language": scope.language, "subject": subject}
    if actor.session_id:
        claims["session"] = actor.session_id
    return scope.office.signer.url(path, claims, until=scope.now() + LIFETIME)


def read(scope: Scope, path: str, signed: str) -> Ticket:
    """What the address says.

    Raises:
        InvalidToken: when it isn't one of ours for this path.
        ExpiredToken: when its 5 minutes are over.
    """
    claims = scope.office.signer.read(path, signed, scope.now())
    return Ticket(claims["account"], Language(claims["language"]), claims["subject"], claims.get("session"))


async def enter(scope: Scope, held: Ticket, sessions: Collection[Actor] = ()) -> None:
    """Make the ticket's holder the scope's actor, as their account stands now; `sessions` came with the request.

    Raises:
        Forbidden: when the account isn't active, or one of the sessions is somebody else's.
        ExpiredToken: when the session that the address was made in is over.
    """
    require(all(session.account_id == held.account_id for session in sessions))
    rows = await ACCOUNTS.read(
        ["state", "platform_role"], ["u.id = :id"], {**users.clock(scope), "id": held.account_id}
    )
    if not rows or rows[0].state != AccountState.ACTIVE:
        raise Forbidden
    if held.session_id is not None:
        ids, idle = [held.session_id], scope.office.session_idle
        opened = (await rows_of_sessions.actors_of(ids, now=scope.now(), idle=idle)).get(held.session_id)
        if opened is None or opened.account_id != held.account_id:
            raise ExpiredToken
    role = rows[0].platform_role
    scope.actor = Actor(held.account_id, 0, PlatformRole(role) if role else None, held.language)
    scope.language = held.language
