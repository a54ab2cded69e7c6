"""API keys of integrations: made, listed and revoked by operators from the command line."""

from datetime import date, datetime, time, timedelta

from models.activities import api_keys
from models.activities.api_keys import LONGEST_NAME, PREFIX, ApiKey
from models.db import texts
from models.db.database import Duplicate
from models.errors.errors import ApiKeyNameTaken, DomainError, Invalid, refuse_if_any
from models.events.events import ApiKeyCreated, ApiKeyRevoked
from resolvers.scope import Scope


async def create(scope: Scope, name: str, *, until: date | None = None) -> str:
    """A new API key under this name: the one time that it is told, since only its hash is kept.

    It is good through the day `until`, by the structures' calendar; without it, until it is revoked. A key past its end
    is revoked when another takes its name.

    Raises:
        DomainError: when the name is blank, too long or has characters that don't show, or the day is over.
        ApiKeyNameTaken: when a key in use has it.
    """
    problems: list[DomainError] = []
    name = texts.required(problems, name, "name", most=LONGEST_NAME)
    if until is not None and until < scope.today():
        problems.append(Invalid("until", rule="past"))
    refuse_if_any(problems)
    ends = datetime.combine(until + timedelta(days=1), time(), scope.office.time_zone) if until else None
    key = PREFIX + scope.office.token()
    try:
        async with scope.transaction() as record:
            if await api_keys.retire(name, at=scope.now()):
                await record(ApiKeyRevoked(before={"name": name}))
            await api_keys.keep(name, key, at=scope.now(), expires_at=ends)
            after = {"name": name} | ({"until": until.isoformat()} if until else {})
            await record(ApiKeyCreated(after=after))
    except Duplicate as error:
        raise ApiKeyNameTaken("name") from error
    return key


async def revoke(scope: Scope, name: str) -> bool:
    """The key of this name stopped for good: its integration is nobody from now on; False when none is in use."""
    async with scope.transaction() as record:
        key = await api_keys.in_use(texts.tidy(name))
        if key is None:
            return False
        key.revoked_at = scope.now()
        await key.save()
        await record(ApiKeyRevoked(before={"name": key.name}))
    return True


async def listed() -> list[ApiKey]:
    """Every key there was, revoked ones too, in the order of their making."""
    return await api_keys.listed()
