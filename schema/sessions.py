"""Coming in and going out: sessions, and the acts by which one opens or ends."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from models.sessions import SESSIONS
from resolvers import accounts, credentials, deactivations, sessions
from resolvers.sessions import Entry
from schema.context import Info
from schema.errors import ERRORS, UserError, mutation
from schema.fields import column, made_from, rows_of
from schema.ids import decode, encode
from schema.inputs import given
from schema.payloads import AcknowledgedPayload
from schema.roots import anybody
from schema.selections import selection_of

if TYPE_CHECKING:
    from schema.accounts import Account

AccountType = Annotated["Account", strawberry.lazy("schema.accounts")]


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


@strawberry.type(description="A session just opened; the token is told only now, and set as a cookie for browsers.")
class SignInPayload:
    account_id: strawberry.Private[int | None] = None
    token: str | None = strawberry.field(default=None, description="The bearer token: `Authorization: Bearer <token>`.")
    expires_at: datetime | None = strawberry.field(
        default=None, description="Until when it is good at most; 12 hours without use end it earlier."
    )
    errors: list[UserError] = strawberry.field(default_factory=list, description=ERRORS)

    @strawberry.field(description="The account; null when the act was refused.")
    async def account(self, info: Info) -> AccountType | None:
        return (
            await info.context.load(accounts.by_ids, self.account_id, selection_of(info)) if self.account_id else None
        )


@strawberry.input(description="Who signs in.")
class SignInInput:
    login_email: str = strawberry.field(description="The login e-mail.")
    password: str = strawberry.field(description="The password.")


@strawberry.input(description="What activates an account.")
class ActivateAccountInput:
    token: str = strawberry.field(description="The token of the mailed link.")
    password: str = strawberry.field(description="12 characters of four kinds, or 14 of three.")
    secret_question: str = strawberry.field(description="A question that only the person can answer.")
    secret_answer: str = strawberry.field(description="Its answer; case and accents don't count.")


@strawberry.input(description="What reactivates an account.")
class ReactivateAccountInput:
    token: str = strawberry.field(description="The token of the mailed link.")
    password: str = strawberry.field(description="A new password, other than the last five.")
    secret_question: str = strawberry.field(description="A new question.")
    secret_answer: str = strawberry.field(description="Its answer.")


@strawberry.input(description="What resets a password.")
class ResetPasswordInput:
    token: str = strawberry.field(description="The token of the mailed link.")
    secret_answer: str = strawberry.field(description="The answer to the account's secret question.")
    password: str = strawberry.field(description="A new password, other than the last five.")


@strawberry.type
class SessionMutation:
    @mutation("Sign in: opens a session, told as a token and set as a cookie.", admits=anybody)
    async def sign_in(self, info: Info, input: SignInInput) -> SignInPayload:
        await info.context.admit("signIn")
        return _let_in(info, await sessions.sign_in(info.context.scope, input.login_email, input.password))

    @mutation("Sign out: ends the present session.", admits=anybody)
    async def sign_out(self, info: Info) -> AcknowledgedPayload:
        await sessions.sign_out(info.context.scope)
        info.context.set_cookie(None, None)
        return AcknowledgedPayload(acknowledged=True)

    @mutation("End sessions by id; without ids, all but the present one.")
    async def revoke_sessions(self, info: Info, ids: list[strawberry.ID] | None = None) -> AcknowledgedPayload:
        wanted = None if ids is None else {decode(id, "Session", "ids", str(place)) for place, id in enumerate(ids)}
        await sessions.revoke(info.context.scope, wanted)
        if info.context.scope.actor is None:
            info.context.set_cookie(None, None)
        return AcknowledgedPayload(acknowledged=True)

    @mutation("Activate the account by the token of the mailed link, and sign in.", admits=anybody)
    async def activate_account(self, info: Info, input: ActivateAccountInput) -> SignInPayload:
        await info.context.admit("activateAccount")
        return _let_in(info, await accounts.activate(info.context.scope, **given(input)))

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
        return _let_in(info, await credentials.reset(info.context.scope, **given(input)))

    @mutation("Reactivate the account by the token of the mailed link, and sign in.", admits=anybody)
    async def reactivate_account(self, info: Info, input: ReactivateAccountInput) -> SignInPayload:
        await info.context.admit("reactivateAccount")
        return _let_in(info, await deactivations.reactivate(info.context.scope, **given(input)))


def _let_in(info: Info, entry: Entry) -> SignInPayload:
    info.context.set_cookie(entry.token, entry.expires_at)
    return SignInPayload(account_id=entry.account_id, token=entry.token, expires_at=entry.expires_at)
