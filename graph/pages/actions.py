"""What the pages behind mailed links do: the same operations as the API's, by the same limits per source."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from starlette.requests import Request

from graph.http.authentication import Authentication
from graph.http.rate_limits import Limits
from graph.pages import layout
from models.accounts.tokens import Purpose
from models.errors.errors import DomainError, RateLimited
from resolvers import security_log
from resolvers.accounts import accounts, credentials, deactivation, digests, links, profiles, sessions
from resolvers.scope import Scope


@dataclass(frozen=True)
class Actions:
    """The acts of one page request, as `graph.pages.account.AccountActions` names them."""

    scope: Scope
    limits: Limits

    async def inspect(self, purpose: Purpose, token: str) -> None:
        """Raise what using the token now would raise, and change nothing."""
        await self._admit("inspect")
        await links.inspect(self.scope, purpose, token)

    async def secret_question(self, token: str) -> str | None:
        """The question of the person who holds this password reset link."""
        return await links.secret_question(self.scope, token)

    async def activate(self, token: str, password: str, question: str, answer: str) -> None:
        """Make the account active."""
        await self._admit("activateAccount")
        await accounts.activate(
            self.scope, token=token, password=password, secret_question=question, secret_answer=answer
        )
        await self._leave()

    async def reactivate(self, token: str, password: str, question: str, answer: str) -> None:
        """Make the deactivated account active again."""
        await self._admit("reactivateAccount")
        await deactivation.reactivate(
            self.scope, token=token, password=password, secret_question=question, secret_answer=answer
        )
        await self._leave()

    async def reset_password(self, token: str, answer: str, password: str) -> None:
        """Change the password."""
        await self._admit("resetPassword")
        await credentials.reset(self.scope, token, answer, password)
        await self._leave()

    async def confirm_contact_email(self, token: str) -> None:
        """Make the pending contact address the contact address."""
        await self._admit("confirmContactEmail")
        await profiles.confirm_contact_email(self.scope, token)

    async def resend_activation(self, login_email: str) -> None:
        """Mail a new activation link, if an account waits for one."""
        await self._admit("resendActivation")
        await accounts.resend_activation(self.scope, login_email)

    async def request_reactivation(self, login_email: str) -> None:
        """Mail a reactivation link, if a deactivated account can still use one."""
        await self._admit("requestReactivation")
        await deactivation.request_reactivation(self.scope, login_email)

    async def request_password_reset(self, login_email: str) -> None:
        """Mail a password reset link, if an active account has this address."""
        await self._admit("requestPasswordReset")
        await credentials.request_reset(self.scope, login_email)

    async def inspect_subscription(self, token: str) -> None:
        """Raise what unsubscribing by this token would raise, and change nothing."""
        await digests.inspect(self.scope, token)

    async def unsubscribe(self, token: str) -> None:
        """Stop the periodical mails of the token's account."""
        await digests.unsubscribe(self.scope, token)

    async def _admit(self, operation: str) -> None:
        await self.limits.admit(self.scope.source or "", operation)

    async def _leave(self) -> None:
        """End the session that came with the act: a page sets no cookie, so nobody would ever use it."""
        await sessions.discard(self.scope)


def factory(authentication: Authentication) -> Callable[[Request], AbstractAsyncContextManager[Actions]]:
    """What the pages are given: the acts of a request, nobody being signed in."""

    @asynccontextmanager
    async def actions(request: Request) -> AsyncIterator[Actions]:
        authentication.ready()
        scope = authentication.scope(request, language=layout.language_of(request))
        scope.device = authentication.device_of(request)  # which comes with no form of another site: SameSite
        try:
            yield Actions(scope, authentication.limits)
        except (DomainError, RateLimited) as error:
            security_log.note_refusal(scope, error, request.url.path)
            raise

    return actions
