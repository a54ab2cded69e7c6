"""Devices that signed in before: what tells an owner from an attacker, which opens nothing by itself."""

import re
from datetime import datetime, timedelta

from tortoise import fields
from tortoise.models import Model

from models.accounts.accounts import Account
from models.accounts.sessions import hashed
from models.db import database

KEPT = timedelta(days=400)  # as long as a browser keeps a cookie (RFC 6265bis, 5.5)
MOST = 50
MOST_ALIKE = 5

_BROWSERS = (
    ("Edge", r"Edg(e|A|iOS)?/"),
    ("Opera", r"OPR/|Opera"),
    ("Samsung Internet", r"SamsungBrowser/"),
    ("Firefox", r"Firefox/|FxiOS/"),
    ("Chrome", r"Chrome/|CriOS/|Chromium/"),
    ("Safari", r"Safari/"),
    ("curl", r"^curl/"),
    ("Python", r"^python|httpx/|aiohttp/"),
    ("Node.js", r"^node|undici"),
    ("Java", r"^java|okhttp/"),
)
_SYSTEMS = (
    ("iPhone", r"iPhone"),
    ("iPad", r"iPad"),
    ("Android", r"Android"),
    ("Windows", r"Windows"),
    ("macOS", r"Mac OS X|Macintosh"),
    ("ChromeOS", r"CrOS"),
    ("Linux", r"Linux|X11"),
)


class Device(Model):
    """Where somebody signed in to an account: known by a token of which only the SHA-256 is kept.

    `presented_at` is when the token was last shown.
    """

    id = fields.BigIntField(primary_key=True)
    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField("models.Account", on_delete=fields.CASCADE)
    account_id: int
    token_hash = fields.CharField(max_length=64)
    created_at = fields.DatetimeField()
    last_used_at = fields.DatetimeField()
    presented_at = fields.DatetimeField(null=True)
    source = fields.CharField(max_length=64)
    user_agent = fields.CharField(max_length=255, null=True)

    class Meta:
        table = "devices"


def name_of(user_agent: str | None) -> str | None:
    """What people call a device: `Firefox (Windows)`, of known words only; None when it said nothing we know."""
    said = user_agent or ""
    browser, system = (
        next((name for name, pattern in known if re.search(pattern, said, re.IGNORECASE)), None)
        for known in (_BROWSERS, _SYSTEMS)
    )
    return f"{browser} ({system})" if browser and system else browser or system


@database.guarded
async def known(token: str, *, login_key: str, now: datetime) -> int | None:
    """The device of this token, if it signed in to the account of this login key; whoever has no account has none."""
    rows = await database.fetch(
        "SELECT d.id FROM devices d JOIN accounts u ON u.id = d.account_id"
        " WHERE d.token_hash = :hash AND u.login_key = :login_key AND d.last_used_at > :since",
        {"hash": hashed(token), "login_key": login_key.replace("\0", ""), "since": now - KEPT},
    )
    return int(rows[0]["id"]) if rows else None


async def of_account(account_id: int, token: str | None, *, now: datetime) -> Device | None:
    """The account's device of this token, in the running transaction."""
    if not token:
        return None
    return await Device.get_or_none(account_id=account_id, token_hash=hashed(token), last_used_at__gt=now - KEPT)


async def has_one_like(account_id: int, *, source: str, user_agent: str | None) -> bool:
    """Whether the account has a device at this source that says the same of itself, in the running transaction."""
    return await Device.filter(account_id=account_id, source=source, user_agent=user_agent).exists()


async def add(account_id: int, token: str, *, at: datetime, source: str, user_agent: str | None) -> Device:
    """A new device of the account; of more than 50 those go first that never showed their token, then the least used.

    Of those that look like the new one and never showed theirs, five stay: a program may be new at each sign-in.
    """
    device = await Device.create(
        account_id=account_id, token_hash=hashed(token), created_at=at, last_used_at=at, source=source,
        user_agent=user_agent,
    )  # fmt: skip
    known = await Device.filter(account_id=account_id).order_by("-last_used_at", "-id")
    known.sort(key=lambda one: one.presented_at is None and one.id != device.id)
    alike = [one for one in known if one.presented_at is None and (one.source, one.user_agent) == (source, user_agent)]
    going = {one.id for one in (*alike[MOST_ALIKE:], *known[MOST:])}
    if going:
        await Device.filter(id__in=going).delete()
    return device


async def any_of(account_id: int) -> bool:
    """Whether the account has been signed in to from any device that is still known."""
    return await Device.filter(account_id=account_id).exists()


async def forget(account_id: int, *, only: set[int] | None = None, keep: int | None = None) -> None:
    """Forget the account's devices, those of `only` when given, all but `keep`."""
    going = Device.filter(account_id=account_id)
    if only is not None:
        going = going.filter(id__in=only)
    if keep is not None:
        going = going.exclude(id=keep)
    await going.delete()
