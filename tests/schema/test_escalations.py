"""Requests that nobody decides, through the public schema: who can decide, when to escalate, and support's queue."""

from typing import Any

import pytest

from models.accounts.accounts import Account, AccountState, Language
from models.accounts.actors import PlatformRole
from models.attachments.attachments import Attachment, AttachmentStatus, Role
from models.structures.structures import Structure
from schema import schema
from schema.base import ids
from schema.base.context import Context
from tests.conftest import Clock
from tests.schema.conftest import Ask
from tests.support import factories

DECIDERS = "deciders { roles count escalableOn escalatedAt }"
OWN = f"{{ me {{ attachments {{ edges {{ node {{ status {DECIDERS} }} }} }} }} }}"
ESCALATE = f"""mutation ($id: ID!, $message: String) {{ escalateAttachment(id: $id, message: $message) {{
  attachment {{ status {DECIDERS} }} errors {{ code path message }} }} }}"""
QUEUE = f"""query ($first: Int, $after: String) {{ undecidedAttachments(first: $first, after: $after) {{
  totalCount pageInfo {{ hasNextPage endCursor }} edges {{ node {{ id {DECIDERS} structure {{ name status }} }} }} }} }}"""


@pytest.fixture
async def zoe(db: str) -> Account:
    return await factories.person(first_name="Zoe", last_name="Chief")


@pytest.fixture
async def place(zoe: Account) -> Structure:
    made = await factories.structure(zoe, name="Essais")
    await factories.attachment(await factories.person(), made, role=Role.SECONDARY_MANAGER)
    return made


@pytest.fixture
async def lea(db: str) -> Account:
    return await factories.person(first_name="Léa", last_name="Marchand")


@pytest.fixture
async def waiting(lea: Account, place: Structure, clock: Clock) -> Attachment:
    """Léa's request, made at 10:00 in Paris on 15 March 2027."""
    return await factories.attachment(lea, place, status=AttachmentStatus.PENDING, requested_at=clock.now)


def id_of(attachment: Attachment) -> str:
    return ids.encode("Attachment", attachment.id)


async def own(ask: Ask, person: Account) -> Any:
    (edge,) = (await ask(OWN, person))["me"]["attachments"]["edges"]
    return edge["node"]


async def test_requester_sees_who_can_decide_and_from_when_to_escalate(
    ask: Ask, lea: Account, zoe: Account, waiting: Attachment
) -> None:
    expected = {
        "roles": ["PRINCIPAL_MANAGER", "SECONDARY_MANAGER"], "count": 2, "escalableOn": "2027-04-14",
        "escalatedAt": None,
    }  # fmt: skip
    assert await own(ask, lea) == {"status": "PENDING", "deciders": expected}
    await Account.filter(id=zoe.id).update(state=AccountState.SUSPENDED)
    assert (await own(ask, lea))["deciders"] == expected | {"roles": ["SECONDARY_MANAGER"], "count": 1}


@pytest.mark.parametrize("status", [status for status in AttachmentStatus if status is not AttachmentStatus.PENDING])
async def test_nobody_decides_what_was_decided(
    ask: Ask, lea: Account, place: Structure, status: AttachmentStatus
) -> None:
    await factories.attachment(lea, place, status=status)
    assert await own(ask, lea) == {"status": str(status), "deciders": None}


@pytest.mark.parametrize(
    ("language", "too_early", "again"),
    [
        (
            Language.EN,
            "This request can be brought before support from 14 April 2027 on.",
            "This request has already been brought before support, on 14 April 2027, 11:00.",
        ),
        (
            Language.FR,
            "Cette demande pourra être portée devant l'assistance à partir du 14 avril 2027.",
            "Cette demande a déjà été portée devant l'assistance, le 14 avril 2027, 11:00.",
        ),
    ],
)
async def test_requester_is_told_the_day_and_escalates_once(
    scope_of: Any, lea: Account, waiting: Attachment, clock: Clock, language: Language, too_early: str, again: str
) -> None:
    async def escalate() -> Any:
        context = Context(scope=scope_of(lea, language=language))
        variables = {"id": id_of(waiting), "message": "Nobody answers"}
        result = await schema.execute(ESCALATE, variable_values=variables, context_value=context)
        assert result.errors is None
        assert result.data is not None
        return result.data["escalateAttachment"]

    def refusal(message: str) -> Any:
        return {
            "attachment": None, "errors": [{"code": "INVALID_TRANSITION", "path": ["id"], "message": message}],
        }  # fmt: skip

    clock.advance(days=29)
    assert await escalate() == refusal(too_early)
    assert await factories.traces() == (0, 0)
    clock.advance(days=1)
    done = await escalate()
    assert done["errors"] == []
    assert done["attachment"]["deciders"]["escalatedAt"] == clock.now.isoformat()
    clock.advance(minutes=5)
    assert await escalate() == refusal(again)


async def test_escalating_what_does_not_exist_is_not_found(ask: Ask, lea: Account, place: Structure) -> None:
    for id in ("nonsense", ids.encode("Structure", place.id), ids.encode("Attachment", 987_654)):
        payload = (await ask(ESCALATE, lea, id=id))["escalateAttachment"]
        assert [(error["code"], error["path"]) for error in payload["errors"]] == [("NOT_FOUND", ["id"])]


async def test_support_pages_through_what_nobody_can_decide(ask: Ask, lea: Account, waiting: Attachment) -> None:
    rows = [waiting]
    for number in range(3):
        imported = await factories.structure(name=f"Imported {number}")
        rows.append(await factories.attachment(lea, imported, status=AttachmentStatus.PENDING))
    await Attachment.filter(id=waiting.id).update(escalated_at=waiting.requested_at)
    support = await factories.person(platform_role=PlatformRole.SUPPORT)
    first = (await ask(QUEUE, support, first=3))["undecidedAttachments"]
    assert (first["totalCount"], first["pageInfo"]["hasNextPage"]) == (4, True)
    rest = (await ask(QUEUE, support, first=3, after=first["pageInfo"]["endCursor"]))["undecidedAttachments"]
    nodes = [edge["node"] for edge in first["edges"] + rest["edges"]]
    assert [node["id"] for node in nodes] == [id_of(row) for row in rows]
    assert [node["deciders"]["count"] for node in nodes] == [2, 0, 0, 0]
    assert nodes[3]["structure"] == {"name": "Imported 2", "status": "ACTIVE"}
