"""People refuse the attachments of a structure for good, and its managers can't tell that from an unknown address."""

from collections.abc import Callable
from datetime import date
from typing import Any

from models.accounts.accounts import Account
from models.attachments.attachments import Attachment, Role
from models.attachments.refused_structures import StructureRefusal
from models.errors.errors import NotFound, TooMany
from models.events.events import Event
from models.mail.outbox import Mail
from models.structures.structures import Structure
from resolvers.attachments import attach_user, refused_structures, requests
from resolvers.attachments.attach_user import NewAttachment
from resolvers.attachments.requests import NewRequest
from resolvers.scope import Scope
from schema.base import ids
from tests.resolvers.support.answers import told
from tests.resolvers.support.mailbox import outcomes, refused
from tests.schema.conftest import Ask, ask
from tests.support import factories

__all__ = ["ask"]
Scopes = Callable[..., Scope]
TODAY = date(2027, 3, 15)


def new(structure: Structure, user: Account) -> NewAttachment:
    return NewAttachment(structure.id, user.login_email, Role.SIMPLE_USER, TODAY)


async def test_manager_of_a_refused_structure_hears_the_same_as_of_an_unknown_address(
    db: str, scope_of: Scopes
) -> None:
    boss, person = await factories.person(), await factories.person()
    structure, other = await factories.structure(boss), await factories.structure(boss)
    await refused_structures.refuse(scope_of(person), structure.id)
    async with refused((NotFound, "login_email")):
        await attach_user.attach(scope_of(boss), new(structure, person))
    assert await Attachment.filter(user=person).count() == await Mail.all().count() == 0
    await attach_user.attach(scope_of(boss), new(other, person))  # other structures may
    await refused_structures.accept(scope_of(person), structure.id)
    await attach_user.attach(scope_of(boss), new(structure, person))


async def test_address_of_whoever_refused_is_counted_as_an_unknown_one(db: str, scope_of: Scopes) -> None:
    boss, person = await factories.person(), await factories.person()
    structure = await factories.structure(boss)
    await refused_structures.refuse(scope_of(person), structure.id)
    for _ in range(20):
        async with refused((NotFound, "login_email")):
            await attach_user.attach(scope_of(boss), new(structure, person))
    async with refused((TooMany, "login_email")):
        await attach_user.attach(scope_of(boss), new(structure, person))


async def test_refusal_is_the_persons_own_affair_and_made_once(db: str, scope_of: Scopes) -> None:
    person, structure = await factories.person(), await factories.structure()
    for act in (
        refused_structures.accept,
        refused_structures.refuse,
        refused_structures.refuse,
        refused_structures.accept,
        refused_structures.accept,
    ):
        await act(scope_of(person), structure.id)
    events = await Event.all().order_by("id")
    assert [(event.type, event.structure_id) for event in events] == [
        ("StructureRefused", None), ("StructureAccepted", None)
    ]  # fmt: skip
    for act in (refused_structures.accept, refused_structures.refuse):
        async with refused((NotFound, "structure_id")):
            await act(scope_of(person), structure.id + 1)
    assert await StructureRefusal.all().count() == 0


async def test_refusals_made_at_once_are_one(db: str, scope_of: Scopes) -> None:
    person, structure = await factories.person(), await factories.structure()
    acts: list[Any] = [refused_structures.refuse(scope_of(person), structure.id) for _ in range(4)]
    assert await outcomes(acts) == [None] * 4
    assert await StructureRefusal.all().count() == 1
    assert await factories.event_types() == ["StructureRefused"]


async def test_whoever_refused_a_structure_may_still_ask_for_it(db: str, scope_of: Scopes) -> None:
    person, structure = await factories.person(), await factories.structure(await factories.person())
    await refused_structures.refuse(scope_of(person), structure.id)
    assert told(await requests.request(scope_of(person), [NewRequest(structure.id, TODAY)])) == [[]]


async def test_person_finds_the_structures_they_refused(ask: Ask) -> None:
    person, other = await factories.person(), await factories.person()
    named = [await factories.structure(name=name) for name in ("Zeta", "Alpha", "Mu")]
    refuse = "mutation ($id: ID!) { refuseStructure(structureId: $id) { structure { name } errors { code } } }"
    for structure in named[:2]:
        answer = await ask(refuse, person, id=ids.encode("Structure", structure.id))
        assert answer["refuseStructure"] == {"structure": {"name": structure.name}, "errors": []}
    listed = "{ me { refusedStructures { name } } }"
    assert (await ask(listed, person))["me"]["refusedStructures"] == [{"name": "Alpha"}, {"name": "Zeta"}]
    assert (await ask(listed, other))["me"]["refusedStructures"] == []
