"""The pages behind mailed links: opening one changes nothing, as mail scanners open them too; its form acts.

The token in the form is the credential: no page reads a session's cookie or sets any, and who has acted is told to
sign in. The device's cookie counts as it does for GraphQL: the owner gets in while others guess.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from graph.http.csrf import Trusted
from graph.pages import forms, layout
from models.accounts.accounts import Language
from models.accounts.tokens import Purpose
from models.errors.errors import DatabaseAway, DomainError, ExpiredToken, Invalid, InvalidToken, Missing, RateLimited


class AccountActions(Protocol):
    """What the pages ask of the domain; every refusal is a `DomainError`."""

    async def inspect(self, purpose: Purpose, token: str) -> None:
        """Raise what using the token now would raise, and change nothing."""

    async def secret_question(self, token: str) -> str | None:
        """The question of the person who holds this password reset link."""

    async def activate(self, token: str, password: str, question: str, answer: str) -> object:
        """Make the account active."""

    async def reactivate(self, token: str, password: str, question: str, answer: str) -> object:
        """Make the deactivated account active again."""

    async def reset_password(self, token: str, answer: str, password: str) -> object:
        """Change the password."""

    async def confirm_contact_email(self, token: str) -> object:
        """Make the pending contact address the contact address."""

    async def resend_activation(self, login_email: str) -> object:
        """Mail a new activation link, if an account waits for one."""

    async def request_reactivation(self, login_email: str) -> object:
        """Mail a reactivation link, if a deactivated account can still use one."""

    async def request_password_reset(self, login_email: str) -> object:
        """Mail a password reset link, if an active account has this address."""


ActsFactory = Callable[[Request], AbstractAsyncContextManager[AccountActions]]
Explain = Callable[[DomainError, Language], str]
Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Form:
    """One page: the word in its address, what its token is for, the fields it asks."""

    word: str
    purpose: Purpose
    names: tuple[str, ...]
    renewable: bool = True


FORMS = (
    Form("activate", Purpose.ACTIVATION, ("password", "password_again", "secret_question", "secret_answer")),
    Form("reactivate", Purpose.REACTIVATION, ("password", "password_again", "secret_question", "secret_answer")),
    Form("reset-password", Purpose.PASSWORD_RESET, ("secret_answer", "password", "password_again")),
    Form("confirm-email", Purpose.CONTACT_EMAIL, (), renewable=False),
)
# The one answer that is shown again: a secret never goes back into a page.
KEPT = ("secret_question", "login_email")


@dataclass(frozen=True)
class AccountPages:
    """The handlers of one form, on the acts and the words they were given."""

    form: Form
    actions: ActsFactory
    explain: Explain
    trusted: Trusted
    sign_in_url: str | None

    async def show(self, request: Request) -> Response:
        """The form, or why its link can't be used; without a token, the form that asks for a link."""
        language = layout.language_of(request)
        token = request.query_params.get("token", "")
        return await self._form(request, language, token) if token else self._link(language)

    async def submit(self, request: Request) -> Response:
        """Act on the form, and say what has become of it."""
        values = await forms.read(request, self.trusted)
        language = layout.language_of(request, values.get("lang"))
        token = values.get("token", "")
        if not token:
            return self._link(language)
        if errors := wrong_answers(self.form, values):
            return await self._form(request, language, token, errors, values)
        try:
            async with self.actions(request) as actions:
                await act(actions, self.form.purpose, token, values)
        except DomainError as error:
            return await self._form(request, language, token, tuple(error.each()), values)
        return self._done(language, "done", self.sign_in_url)

    async def show_link(self, request: Request) -> Response:
        """The form that asks for a new link."""
        return self._link(layout.language_of(request))

    async def ask_link(self, request: Request) -> Response:
        """Have a new link mailed: the answer is the same whether or not there is such an account."""
        values = await forms.read(request, self.trusted)
        language = layout.language_of(request, values.get("lang"))
        login_email = values.get("login_email", "").strip()
        if not login_email:
            return self._link(language, errors=(Missing("login_email"),), values=values)
        try:
            async with self.actions(request) as actions:
                await ask(actions, self.form.purpose, login_email)
        except DomainError as error:
            return self._link(language, errors=tuple(error.each()), values=values)
        return self._done(language, "asked")

    async def _form(
        self,
        request: Request,
        language: Language,
        token: str,
        errors: Sequence[DomainError] = (),
        values: Mapping[str, str] | None = None,
    ) -> Response:
        question = None
        try:
            async with self.actions(request) as actions:
                await actions.inspect(self.form.purpose, token)
                if self.form.purpose is Purpose.PASSWORD_RESET:
                    question = await actions.secret_question(token)
        except DomainError as error:
            return self._link(language, token, reason=error)
        shown = {
            "word": self.form.word,
            "names": self.form.names,
            "token": token,
            "question": question,
            "switch": self._switch(language, token),
            **self._answers(language, self.form.names, errors, values or {}),
        }
        return layout.render("account.html", language, shown, 422 if errors else 200)

    def _link(
        self,
        language: Language,
        token: str = "",
        reason: DomainError | None = None,
        errors: Sequence[DomainError] = (),
        values: Mapping[str, str] | None = None,
    ) -> Response:
        shown = {
            "word": self.form.word,
            "reason": self.explain(reason, language) if reason else None,
            "renewable": self.form.renewable and (reason is None or isinstance(reason, (InvalidToken, ExpiredToken))),
            "switch": self._switch(language, token),
            **self._answers(language, ("login_email",), errors, values or {}),
        }
        unusable = 404 if isinstance(reason, InvalidToken) else 410
        return layout.render("link.html", language, shown, unusable if reason else 422 if errors else 200)

    def _done(self, language: Language, outcome: str, sign_in_url: str | None = None) -> Response:
        shown = {"word": self.form.word, "outcome": outcome, "sign_in_url": sign_in_url}
        return layout.render("done.html", language, shown)

    def _answers(
        self, language: Language, names: tuple[str, ...], errors: Sequence[DomainError], values: Mapping[str, str]
    ) -> dict[str, object]:
        messages: dict[str, list[str]] = {name: [] for name in names}
        problems = []
        for error in errors:
            field = next((part for part in reversed(error.path) if part in names), None)
            message = self.explain(error, language)
            problems.append({"field": field, "message": message})
            if field:
                messages[field].append(message)
        kept = {name: values[name] for name in KEPT if name in values}
        return {"messages": messages, "problems": problems, "values": kept, "failed": bool(errors)}

    def _switch(self, language: Language, token: str) -> str:
        other = layout.other(language).lower()
        return f"/account/{self.form.word}?{urlencode({'token': token, 'lang': other} if token else {'lang': other})}"


def wrong_answers(form: Form, values: Mapping[str, str]) -> tuple[DomainError, ...]:
    """What can be said of the answers before acting: all that are blank, and a password not repeated as it was."""
    blank = [Missing(name) for name in form.names if not values.get(name, "").strip()]
    repeated = values.get("password", "") == values.get("password_again", "")
    return (*blank, *([] if repeated or blank else [Invalid("password_again", rule="password_again")]))


async def act(actions: AccountActions, purpose: Purpose, token: str, values: Mapping[str, str]) -> None:
    """Do what the link is for.

    Raises:
        DomainError: whatever the act refuses.
    """
    if purpose is Purpose.ACTIVATION:
        await actions.activate(token, values["password"], values["secret_question"], values["secret_answer"])
    elif purpose is Purpose.REACTIVATION:
        await actions.reactivate(token, values["password"], values["secret_question"], values["secret_answer"])
    elif purpose is Purpose.PASSWORD_RESET:
        await actions.reset_password(token, values["secret_answer"], values["password"])
    else:
        await actions.confirm_contact_email(token)


async def ask(actions: AccountActions, purpose: Purpose, login_email: str) -> None:
    """Ask for a new link of this purpose.

    Raises:
        DomainError: when the address has not the form of one.
    """
    if purpose is Purpose.ACTIVATION:
        await actions.resend_activation(login_email)
    elif purpose is Purpose.REACTIVATION:
        await actions.request_reactivation(login_email)
    else:
        await actions.request_password_reset(login_email)


def answered(get: Handler, post: Handler) -> Handler:
    """The handler of both methods, with a page for each way in which it can be kept from answering."""

    async def answer(request: Request) -> Response:
        language = layout.language_of(request)
        try:
            return await (post if request.method == "POST" else get)(request)
        except RateLimited as limit:
            headers = {"Retry-After": str(limit.retry_after)}
            return layout.render("problem.html", language, {"problem": "limited"}, 429, headers)
        except DatabaseAway:
            return layout.render("problem.html", language, {"problem": "away"}, 503, {"Retry-After": "5"})
        except HTTPException as refusal:
            return layout.render(
                "problem.html", language, {"problem": refusal.detail}, refusal.status_code, refusal.headers
            )

    return answer


def routes(
    actions: ActsFactory, explain: Explain, *, trusted: Trusted, sign_in_url: str | None = None
) -> list[BaseRoute]:
    """The pages at `/account/...`: forms come from `trusted` origins, success shows `sign_in_url` if there is one."""
    found: list[BaseRoute] = []
    for form in FORMS:
        pages = AccountPages(form, actions, explain, trusted, sign_in_url)
        address = f"/account/{form.word}"
        found.append(Route(address, answered(pages.show, pages.submit), methods=["GET", "POST"]))
        if form.renewable:
            found.append(Route(f"{address}/link", answered(pages.show_link, pages.ask_link), methods=["GET", "POST"]))
    return found


def home_routes(*, sdl: str | None, graphiql: bool, mails: bool) -> list[BaseRoute]:
    """The first page of the server, and the schema it links to, if it is shown."""
    links = {"graphiql": "/graphql"} if graphiql else {}
    links |= ({"mails": "/mails"} if mails else {}) | ({"schema": "/schema.graphql"} if sdl else {})

    async def home(request: Request) -> Response:
        language = layout.language_of(request)
        switch = f"/?lang={layout.other(language).lower()}"
        return layout.render("home.html", language, {"links": links, "switch": switch})

    async def schema(_: Request) -> Response:
        return PlainTextResponse(sdl, headers={"X-Content-Type-Options": "nosniff"})

    return [Route("/", home), *([Route("/schema.graphql", schema)] if sdl else [])]
