"""A structure with its people: what tests of attachments start from."""

from models.accounts.accounts import Account
from models.attachments.attachments import Attachment, Role
from models.structures.structures import Structure
from tests.support import factories


class House:
    """A structure with one person of each role, all in effect."""

    structure: Structure
    principal: Account
    secondary: Account
    simple: Account
    links: dict[str, Attachment]


async def build() -> House:
    """A house, made straight in the tables."""
    made = House()
    made.principal = await factories.person(first_name="Zoe", last_name="Chief")
    made.secondary, made.simple = await factories.person(), await factories.person()
    made.structure = await factories.structure(made.principal, name="Essais")
    made.links = {
        "principal": await Attachment.get(user=made.principal),
        "secondary": await factories.attachment(made.secondary, made.structure, role=Role.SECONDARY_MANAGER),
        "simple": await factories.attachment(made.simple, made.structure),
    }
    return made
