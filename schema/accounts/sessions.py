"""Coming in and going out: sessions, and the acts by which one opens or ends."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import strawberry

from models.accounts import devices
from models.accounts.sessions import SESSIONS
from models.errors.errors import Invalid
from resolvers import security_log
from resolvers.accounts import accounts, credentials, deactivation, sessions
from resolvers.accounts.sessions import Entry
from schema.base.context import Info
from schema.base.enums import SessionDelivery
from schema.base.fields import column, made_from, rows_of
from schema.base.ids import decode, encode
from schema.base.inputs import given
from schema.base.payloads import AcknowledgedPayload
from schema.base.roots import anybody
from schema.base.selections import selection_of
from schema.base.user_errors import ERRORS, UserError, mutation

if TYPE_CHECKING:
    from schema.accounts.accounts import Account

AccountType = Annotated["Account", strawberry.lazy("schema.accounts.accounts")]


@rows_of(SESSIONS)
@strawberry.type(description="One signed-in device.")
class Session:
    @made_from("id", description="The session's id, for revokeSessions.")
    def id(self: Any) -> strawberry.ID:
        return strawberry.ID(encode("Session", self.id))

    @made_from("id", description="Is this the session that asks?")
    def current(self: Any, info: Info) -> bool:
        actor = info.context.scope.actor
        return actor is not None and actor.session_id == self.id

    created_at: datetime = column("When it was opened.")
    last_seen_at: datetime = column("When it was last used, to the minute.")
    user_agent: str | None = column("What the device said it was.")
    source: str | None = column(
        "The address on the network it was opened from, or the network of an IPv6 one; null for older sessions."
    )

    @made_from("user_agent", description="What people call the device: `Firefox (Windows)`; null when it isn't known.")
    def device(self: Any) -> str | None:
        return devices.name_of(self.user_agent)


@strawberry.type(description="A session just opened; the token is told only now, and set as a cookie for browsers.")
class SignInPayload:
    account_id: strawberry.Private[int | None] = None
    token: str | None = strawberry.field(
        default=None,
        description="The bearer token: `Authorization: Bearer <token>`; null when `delivery` is COOKIE.",
    )
    expires_at: datetime | None = strawberry.field(
        default=None, description="Until when it is good at most; 12 hours without use end it earlier."
    )
    device_token: str | None = strawberry.field(
        default=None,
        description="What to send as `deviceToken` at the next sign-in: this device then gets in though others guess;"
        " it opens nothing by itself. Null when `delivery` is COOKIE.",
    )
    errors: list[UserError] = strawberry.field(default_factory=list, description=ERRORS)

    @strawberry.field(description="The account; null when the act was refused.")
    async def account(self, info: Info) -> AccountType | None:
        return (
            await info.context.load(accounts.by_ids, self.account_id, selection_of(info)) if self.account_id else None
        )


DELIVERY = "How the session's token comes: in the body and as a cookie unless said otherwise."
KNOWN_DEVICE = "The `deviceToken` of an earlier sign-in, from a client that keeps no cookies."


@strawberry.input(description="Who signs in.")
class SignInInput:
    login_email: str = strawberry.field(description="The login e-mail.")
    password: str = strawberry.field(description="The password.")
    delivery: SessionDelivery = strawberry.field(default=SessionDelivery.BOTH, description=DELIVERY)
    device_token: str | None = strawberry.field(default=None, description=KNOWN_DEVICE)


@strawberry.input(description="What activates an account.")
class ActivateAccountInput:
    token: str = strawberry.field(description="The token of the mailed link.")
    password: str = strawberry.field(description="12 characters of four kinds, or 14 of three.")
    secret_question: str = strawberry.field(description="A question that only the person can answer.")
    secret_answer: str = strawberry.field(description="Its answer; case and accents don't count.")
    delivery: SessionDelivery = strawberry.field(default=SessionDelivery.BOTH, description=DELIVERY)
    device_token: str | None = strawberry.field(default=None, description=KNOWN_DEVICE)


@strawberry.input(description="What reactivates an account.")
class ReactivateAccountInput:
    token: str = strawberry.field(description="The token of the mailed link.")
    password: str = strawberry.field(description="A new password, other than the last five.")
    secret_question: str = strawberry.field(description="A new question.")
    secret_answer: str = strawberry.field(description="Its answer.")
    delivery: SessionDelivery = strawberry.field(default=SessionDelivery.BOTH, description=DELIVERY)
    device_token: str | None = strawberry.field(default=None, description=KNOWN_DEVICE)


@strawberry.input(description="What resets a password.")
class ResetPasswordInput:
    token: str = strawberry.field(description="The token of the mailed link.")
    secret_answer: str = strawberry.field(description="The answer to the account's secret question.")
    password: str = strawberry.field(description="A new password, other than the last five.")
    delivery: SessionDelivery = strawberry.field(default=SessionDelivery.BOTH, description=DELIVERY)
    device_token: str | None = strawberry.field(default=None, description=KNOWN_DEVICE)


@strawberry.type
class SessionMutation:
    @mutation(
        "Sign in: opens a session, told as a token and set as a cookie; the cookie's older session ends.",
        admits=anybody,
    )
    async def sign_in(self, info: Info, input: SignInInput) -> SignInPayload:
        await info.context.admit("signIn")
        _prepare(info, input)
        return _let_in(info, input, await sessions.sign_in(info.context.scope, input.login_email, input.password))

    @mutation("Sign out: ends the present session; that the device signed in before stays known.", admits=anybody)
    async def sign_out(self, info: Info) -> AcknowledgedPayload:
        await sessions.sign_out(info.context.scope)
        info.context.cookies.sign_out()
        return AcknowledgedPayload(acknowledged=True)

    @mutation("End sessions by id and forget their devices; without ids, all but the present one.")
    async def revoke_sessions(self, info: Info, ids: list[strawberry.ID] | None = None) -> AcknowledgedPayload:
        wanted = None if ids is None else {decode(id, "Session", "ids", str(place)) for place, id in enumerate(ids)}
        await sessions.revoke(info.context.scope, wanted)
        if info.context.scope.actor is None:
            info.context.cookies.sign_out()
        return AcknowledgedPayload(acknowledged=True)

    @mutation("Support: end every session of somebody and forget their devices; the person is told, with the reason.")
    async def end_sessions(self, info: Info, user_id: strawberry.ID, reason: str) -> AcknowledgedPayload:
        await sessions.end_for(info.context.scope, decode(user_id, "User", "user_id"), reason)
        if info.context.scope.actor is None:
            info.context.cookies.sign_out()
        return AcknowledgedPayload(acknowledged=True)

    @mutation("Activate the account by the token of the mailed link, and sign in.", admits=anybody)
    async def activate_account(self, info: Info, input: ActivateAccountInput) -> SignInPayload:
        await info.context.admit("activateAccount")
        _prepare(info, input)
        return _let_in(info, input, await accounts.activate(info.context.scope, **_chosen(input)))

    @mutation("Ask for a link to choose a new password; the older ones die.", admits=anybody)
    async def request_password_reset(self, info: Info, login_email: str) -> AcknowledgedPayload:
        await info.context.admit("requestPasswordReset")
        await credentials.request_reset(info.context.scope, login_email)
        return AcknowledgedPayload(acknowledged=True)

    @mutation(
        "Choose a new password by the token of the mailed link and the secret answer, and sign in.", admits=anybody
    )
    async def reset_password(self, info: Info, input: ResetPasswordInput) -> SignInPayload:
        await info.context.admit("resetPassword")
        _prepare(info, input)
        return _let_in(info, input, await credentials.reset(info.context.scope, **_chosen(input)))

    @mutation("Reactivate the account by the token of the mailed link, and sign in.", admits=anybody)
    async def reactivate_account(self, info: Info, input: ReactivateAccountInput) -> SignInPayload:
        await info.context.admit("reactivateAccount")
        _prepare(info, input)
        return _let_in(info, input, await deactivation.reactivate(info.context.scope, **_chosen(input)))


class Wish(Protocol):
    """How a client wants to be let in."""

    delivery: SessionDelivery
    device_token: str | None


def _prepare(info: Info, wish: Wish) -> None:
    """Hand the device's token on, and the cookie's older session where a new one takes its place.

    Raises:
        Invalid: when a cookie alone is wished for where none can be set.
    """
    scope, cookies = info.context.scope, info.context.cookies
    if wish.delivery is SessionDelivery.COOKIE and not cookies.are_kept:
        raise Invalid("delivery", rule="delivery")
    scope.device = wish.device_token or scope.device
    if wish.delivery is SessionDelivery.TOKEN:
        scope.replaces = None


def _chosen(input: Any) -> dict[str, Any]:
    return {name: value for name, value in given(input).items() if name not in Wish.__annotations__}


def _let_in(info: Info, wish: Wish, entry: Entry) -> SignInPayload:
    security_log.note(info.context.scope, security_log.SIGNED_IN, info.field_name)
    if wish.delivery is not SessionDelivery.TOKEN:
        info.context.cookies.set_session(entry.token, entry.expires_at)
        info.context.cookies.set_device(entry.device_token)
    told = wish.delivery is not SessionDelivery.COOKIE
    return SignInPayload(
        account_id=entry.account_id,
        token=entry.token if told else None,
        expires_at=entry.expires_at,
        device_token=entry.device_token if told else None,
    )
