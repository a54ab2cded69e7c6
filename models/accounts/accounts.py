"""Accounts: the person's row, what its state allows, and how accounts are found and read."""

from datetime import date, datetime, timedelta
from enum import StrEnum

from tortoise import fields
from tortoise.models import Model

from models.accounts.actors import Actor, PlatformRole
from models.accounts.profiles import MOST_EMAIL
from models.accounts.profiles import Language as Language  # noqa: PLC0414 - the account's, for whoever imports it from here
from models.db import database
from models.db.normalisation import LONGEST_NAME, normalise_name
from models.db.query import Column, Order, Source, flag, moment
from models.errors.errors import TransitionNotAllowed

REACTIVATION_WINDOW = timedelta(days=60)  # counted in 24-hour days from the deactivation


class AccountState(StrEnum):
    """Where an account stands; CLOSED is what DEACTIVATED becomes by the clock, SUSPENDED is support's act."""

    PENDING_ACTIVATION = "PENDING_ACTIVATION"
    ACTIVE = "ACTIVE"
    DEACTIVATED = "DEACTIVATED"
    CLOSED = "CLOSED"
    SUSPENDED = "SUSPENDED"


class Account(Model):
    """A person's account. `login_key` is the login e-mail without case; `state` is stored, `state_at` is read."""

    id = fields.BigIntField(primary_key=True)
    login_email = fields.CharField(max_length=254)
    login_key = fields.CharField(max_length=254)
    contact_email = fields.CharField(max_length=254)
    pending_contact_email = fields.CharField(max_length=254, null=True)
    first_name = fields.CharField(max_length=80)
    last_name = fields.CharField(max_length=80)
    folded_name = fields.CharField(max_length=LONGEST_NAME)
    folded_particulars = fields.TextField()
    phone = fields.CharField(max_length=32, null=True)
    line1 = fields.CharField(max_length=160, null=True)
    line2 = fields.CharField(max_length=160, null=True)
    line3 = fields.CharField(max_length=160, null=True)
    postcode = fields.CharField(max_length=20, null=True)
    city = fields.CharField(max_length=120, null=True)
    country = fields.CharField(max_length=2, null=True)
    language = fields.CharEnumField(Language, max_length=2, default=Language.FR)
    time_zone = fields.CharField(max_length=64, default="Europe/Paris")
    receive_activity_notifications = fields.BooleanField(default=False)
    digested_until = fields.DatetimeField(null=True)
    recapped_until = fields.DatetimeField(null=True)
    contact_email_refusal = fields.CharField(max_length=300, null=True)
    contact_email_refused_at = fields.DatetimeField(null=True)
    password_hash = fields.CharField(max_length=200, null=True)
    secret_question = fields.CharField(max_length=255, null=True)
    secret_answer_hash = fields.CharField(max_length=200, null=True)
    state = fields.CharEnumField(AccountState, max_length=20, default=AccountState.PENDING_ACTIVATION)
    platform_role = fields.CharEnumField(PlatformRole, max_length=10, null=True)
    created_at = fields.DatetimeField()
    terms_accepted_at = fields.DatetimeField(null=True)
    activated_at = fields.DatetimeField(null=True)
    deactivated_at = fields.DatetimeField(null=True)
    last_signed_in_at = fields.DatetimeField(null=True)

    class Meta:
        table = "accounts"

    @property
    def display_name(self) -> str:
        """First and last name, as colleagues read it."""
        return f"{self.first_name} {self.last_name}"

    def normalise_name(self) -> None:
        """Bring what lists are ordered by and managers search in (names, contact e-mail, address) up to date."""
        particulars = (self.line1, self.line2, self.line3, self.postcode, self.city)
        names = f"{self.last_name} {self.first_name} {self.last_name}"
        self.folded_name = normalise_name(f"{self.last_name} {self.first_name}", LONGEST_NAME)
        self.folded_particulars = normalise_name(" ".join([names, self.contact_email, *filter(None, particulars)]))

    @property
    def reactivable_until(self) -> datetime | None:
        """The last instant at which the person may come back by themselves; None unless deactivated."""
        if self.state is AccountState.DEACTIVATED and self.deactivated_at:
            return self.deactivated_at + REACTIVATION_WINDOW
        return None

    def state_at(self, now: datetime) -> AccountState:
        """The state people read: a deactivated account is closed once its 60 days have passed, with no job needed."""
        until = self.reactivable_until
        return AccountState.CLOSED if until and now >= until else self.state

    def activate(self, at: datetime) -> None:
        """PENDING_ACTIVATION becomes ACTIVE.

        Raises:
            TransitionNotAllowed: from any other state.
        """
        self._must_be(AccountState.PENDING_ACTIVATION, "ACTIVATE", at)
        self.state, self.activated_at = AccountState.ACTIVE, at

    def deactivate(self, at: datetime) -> None:
        """ACTIVE becomes DEACTIVATED, and the 60 days begin.

        Raises:
            TransitionNotAllowed: from any other state.
        """
        self._must_be(AccountState.ACTIVE, "DEACTIVATE", at)
        self.state, self.deactivated_at = AccountState.DEACTIVATED, at

    def reactivate(self, at: datetime) -> None:
        """DEACTIVATED becomes ACTIVE again, within the 60 days.

        Raises:
            TransitionNotAllowed: from any other state, CLOSED included.
        """
        self._must_be(AccountState.DEACTIVATED, "REACTIVATE", at)
        self.state, self.deactivated_at = AccountState.ACTIVE, None

    def reopen(self, at: datetime) -> None:
        """SUSPENDED becomes what it was before, CLOSED becomes DEACTIVATED; who was deactivated gets 60 new days.

        Raises:
            TransitionNotAllowed: when the account is neither closed nor suspended.
        """
        state = self.state_at(at)
        if state not in {AccountState.SUSPENDED, AccountState.CLOSED}:
            raise TransitionNotAllowed(status=state, act="REOPEN")
        if state is AccountState.CLOSED or self.deactivated_at:
            self.state, self.deactivated_at = AccountState.DEACTIVATED, at
        else:
            self.state = AccountState.ACTIVE if self.password_hash else AccountState.PENDING_ACTIVATION

    def suspend(self, at: datetime) -> None:
        """Anything but SUSPENDED and CLOSED becomes SUSPENDED; that it had been deactivated isn't forgotten.

        Raises:
            TransitionNotAllowed: when the account is suspended or closed already.
        """
        state = self.state_at(at)
        if state in {AccountState.SUSPENDED, AccountState.CLOSED}:
            raise TransitionNotAllowed(status=state, act="SUSPEND")
        self.state = AccountState.SUSPENDED

    def _must_be(self, state: AccountState, act: str, at: datetime) -> None:
        if self.state_at(at) is not state:
            raise TransitionNotAllowed(status=self.state_at(at), act=act)


class FormerPassword(Model):
    """The hash of a password the account has had; the last five may not come back."""

    id = fields.BigIntField(primary_key=True)
    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField("models.Account", on_delete=fields.CASCADE)
    password_hash = fields.CharField(max_length=200)
    created_at = fields.DatetimeField()

    class Meta:
        table = "former_passwords"


# ------------------------------------------------------------------ finding rows to change
@database.guarded
async def by_login(login_key: str) -> Account | None:
    """The account of this login key, not locked; nobody has one that couldn't be stored."""
    if len(login_key) > MOST_EMAIL or "\0" in login_key:
        return None
    return await Account.get_or_none(login_key=login_key)


@database.guarded
async def first_login() -> str | None:
    """The login e-mail of the oldest account; None where there is no account."""
    account = await Account.all().order_by("id").first()
    return account.login_email if account else None


async def add(account: Account) -> bool:
    """Store a new account; False when its login e-mail is somebody's already, and the running transaction goes on."""
    try:
        async with database.transaction():  # a savepoint, where somebody may take the address at the same instant
            await account.save()
    except database.Duplicate:
        return False
    return True


async def by_id(account_id: int) -> Account | None:
    """The account of this id, not locked."""
    return await Account.get_or_none(id=account_id)


@database.guarded
async def existing(account_id: int) -> Account:
    """The account of this id, which some row refers to, not locked."""
    return await Account.get(id=account_id)


async def lock(account_id: int) -> Account:
    """The account, held until the transaction ends.

    Raises:
        DoesNotExist: when there is none.
    """
    return await Account.filter(id=account_id).select_for_update(no_key=True).get()


async def lock_all(account_ids: set[int]) -> dict[int, Account]:
    """The accounts by id, held until the transaction ends, taken in id order: two acts never wait for each other."""
    found = await Account.filter(id__in=account_ids).order_by("id").select_for_update(no_key=True)
    return {account.id: account for account in found}


async def lock_support() -> list[Account]:
    """The active accounts of support and of administrators, held until the transaction ends, taken in id order."""
    rows = Account.filter(platform_role__isnull=False, state=AccountState.ACTIVE)
    return await rows.order_by("id").select_for_update(no_key=True)


async def add_former_password(account: Account, at: datetime) -> None:
    """Remember the account's present password, and forget all but the last five."""
    await FormerPassword.create(account=account, password_hash=account.password_hash, created_at=at)
    kept = await FormerPassword.filter(account=account).order_by("-id").limit(5).values_list("id", flat=True)
    await FormerPassword.filter(account=account).exclude(id__in=list(kept)).delete()


@database.guarded
async def former_passwords(account_id: int) -> list[str]:
    """The hashes of the last five passwords, the present one among them."""
    rows = FormerPassword.filter(account_id=account_id).order_by("-id").limit(5)
    return [row.password_hash for row in await rows]


# ------------------------------------------------------------------ reading
STATE_SQL = "CASE WHEN u.state = 'DEACTIVATED' AND u.deactivated_at <= :closed_since THEN 'CLOSED' ELSE u.state END"

ACCOUNTS = Source(
    "accounts u",
    columns={
        name: Column(f"u.{name}")
        for name in (
            *("id", "login_email", "contact_email", "pending_contact_email", "first_name", "last_name", "phone"),
            *("line1", "line2", "line3", "postcode", "city", "country"),
            *("language", "time_zone", "secret_question", "platform_role", "contact_email_refusal"),
        )
    }
    | {
        "folded_name": Column('u.folded_name COLLATE "C"'),
        "state": Column(STATE_SQL),
        "receive_activity_notifications": flag("u.receive_activity_notifications"),
        "deactivated_at": moment("u.deactivated_at"),
        "contact_email_refused_at": moment("u.contact_email_refused_at"),
    },
)

BY_NAME = Order(("folded_name", "id"))
PERSON_MATCHES = "u.folded_particulars LIKE :words ESCAPE '!'"  # :words is folded, see `reading.pattern`

# People as the attached of a structure: one row for each attachment.
CANDIDATES = Source(
    "attachments a JOIN accounts u ON u.id = a.user_id",
    columns={**ACCOUNTS.columns, "structure_id": Column("a.structure_id")},
)
# Who may become principal manager of the attachment's structure.
ELIGIBLE = (
    "u.state = 'ACTIVE' AND a.role <> 'PRINCIPAL_MANAGER' AND a.status = 'VALIDATED' AND a.valid_from <= :today"
    " AND (a.valid_until IS NULL OR a.valid_until >= :today)"
)

# How a reader is related to another person (`u`); the reader's own right must be in effect. Those who wait to come in
# are seen only by the structure's managers. Source: DOMAIN 1.6 and 1.7.
_SHARED = (
    "EXISTS (SELECT 1 FROM attachments mine JOIN attachments theirs ON theirs.structure_id = mine.structure_id"
    " WHERE mine.user_id = :viewer AND mine.status = 'VALIDATED' AND mine.valid_from <= :today"
    " AND (mine.valid_until IS NULL OR mine.valid_until >= :today)"
    " AND theirs.user_id = u.id AND theirs.status IN ('PENDING', 'VALIDATED', 'DEACTIVATED') AND {rule})"
)
SHARES_STRUCTURE = _SHARED.format(rule="(theirs.status = 'VALIDATED' OR mine.role <> 'SIMPLE_USER')")
MANAGED_BY_VIEWER = _SHARED.format(rule="mine.role <> 'SIMPLE_USER'")
# Besides, any search shows who the principal managers are.
_IS_PRINCIPAL_MANAGER = (
    "EXISTS (SELECT 1 FROM attachments held"
    " WHERE held.user_id = u.id AND held.role = 'PRINCIPAL_MANAGER' AND held.status = 'VALIDATED')"
)
# What a search must not tell is what its reader may not see: of people who have left, only the name is searched.
MATCHES_FOR_VIEWER = (
    f"(:viewer_is_support OR {MANAGED_BY_VIEWER}) AND {PERSON_MATCHES}"
    " OR u.folded_name || ' ' || u.folded_name LIKE :words ESCAPE '!'"
)
VISIBLE = f"u.id = :viewer OR :viewer_is_support OR {SHARES_STRUCTURE} OR {_IS_PRINCIPAL_MANAGER}"


def visibility(actor: Actor) -> dict[str, object]:
    """The parameters that the conditions above need, apart from `today`."""
    return {"viewer": actor.account_id, "viewer_is_support": actor.is_support}


async def with_candidates(structure_ids: list[int], today: date) -> set[int]:
    """Those of the structures where somebody may become principal manager today."""
    if not structure_ids:
        return set()
    bound = {"structures": structure_ids, "today": today}
    rows = await CANDIDATES.read(["structure_id"], ["a.structure_id IN :structures", ELIGIBLE], bound)
    return {row.structure_id for row in rows}
