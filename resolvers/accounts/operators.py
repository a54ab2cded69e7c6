"""What operators do from the command line, where nobody is signed in: giving a platform role."""

from models.accounts import accounts, profiles, tokens
from models.accounts.accounts import Account, AccountState
from models.accounts.actors import PlatformRole
from models.accounts.tokens import Purpose
from models.errors.errors import DomainError, TransitionNotAllowed, refuse_if_any
from models.events.events import PlatformRoleGiven
from resolvers.scope import Scope


async def give_platform_role(
    scope: Scope, login_email: str, role: PlatformRole, *, first_name: str, last_name: str
) -> str | None:
    """The role given to the account of the address, a new one of these names if need be.

    What comes back is the token that activates it, or None when that was done before; no mail is sent.

    Raises:
        DomainError: all that is wrong with address and names at once.
        TransitionNotAllowed: when the account is deactivated, closed or suspended.
        Duplicate: when the same address signs up at this instant.
    """
    problems: list[DomainError] = []
    email = profiles.email(problems, login_email, "login_email")
    first = profiles.name(problems, first_name, "first_name")
    last = profiles.name(problems, last_name, "last_name")
    refuse_if_any(problems)
    async with scope.transaction() as record:
        known = await accounts.by_login(profiles.email_key(email))
        account = await accounts.lock(known.id) if known else _new(scope, email, first, last)
        state = account.state_at(scope.now())
        if state not in {AccountState.ACTIVE, AccountState.PENDING_ACTIVATION}:
            raise TransitionNotAllowed("login_email", status=state, act="GIVE_ROLE")
        before, account.platform_role = account.platform_role, role
        await account.save()
        await record(PlatformRoleGiven(subject_id=account.id, before={"role": before}, after={"role": role}))
        if state is AccountState.ACTIVE:
            return None
        token = scope.office.token()
        await tokens.issue(account, Purpose.ACTIVATION, token, scope.now())
        return token


def _new(scope: Scope, email: str, first_name: str, last_name: str) -> Account:
    account = Account(
        login_email=email, login_key=profiles.email_key(email), contact_email=email, first_name=first_name,
        last_name=last_name, language=profiles.Language.FR, created_at=scope.now(),
    )  # fmt: skip
    account.normalise_name()
    return account
