"""Sign-ins of a test, and who a session's token stands for."""

from models.accounts import sessions
from models.accounts.accounts import Account
from models.accounts.actors import Actor
from resolvers.accounts import sessions as entries
from resolvers.accounts.sessions import Entry
from resolvers.scope import Office, Scope
from tests.support.factories import PASSWORD


class Doors:
    """Sign-ins of a test, and who each token stands for at the present instant."""

    def __init__(self, office: Office) -> None:
        self.office = office

    async def sign_in(self, account: Account, password: str = PASSWORD, user_agent: str | None = None) -> Entry:
        return await entries.sign_in(Scope(self.office, user_agent=user_agent), account.login_email, password)

    async def actor(self, entry: Entry) -> Actor | None:
        return await sessions.actor_of(entry.token, now=self.office.clock(), idle=self.office.session_idle)

    async def inside(self, account: Account) -> Scope:
        """The scope of an operation in a session just opened."""
        return Scope(self.office, actor=await self.actor(await self.sign_in(account)))
