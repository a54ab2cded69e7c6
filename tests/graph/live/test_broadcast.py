"""Streams in one process, on both engines: who is delivered what, resuming without gap or double, one execution a group."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from graph.execution.complexity import Limits
from graph.execution.executor import Executions
from graph.http.metrics import Metrics
from graph.live import send_queue
from graph.live.broadcast import Broadcast
from graph.live.deliveries import Deliveries
from models.accounts.accounts import Account, Language
from models.attachments.attachments import Attachment, AttachmentStatus, Role
from models.events import events
from models.events.events import AttachmentDeactivated, Event
from models.structures.structures import Structure
from models.subscriptions.spaces import SpaceCode
from models.subscriptions.subscriptions import SpaceSubscriptionStatus
from resolvers.scope import Office
from schema import schema
from schema.base import ids
from schema.words.wording import explain
from tests.graph.support import live
from tests.graph.support.apps import settings_of
from tests.graph.support.live import STATUS, Reader, ask, codes, ended, open_streams, token_for
from tests.support import factories

pytestmark = pytest.mark.slow

SPACES = """subscription ($structure: ID, $after: String) {
  spaceSubscriptionStatusChanged(structureId: $structure, after: $after) {
    cursor previousStatus status spaceSubscription { id space { code } } actor { displayName } } }"""
ACCOUNT = "subscription ($after: String) { accountStateChanged(after: $after) { cursor previousState state account { loginEmail state } } }"
ACTIVITY = (
    "subscription ($after: String) { activityRecorded(after: $after) { cursor activity { title acknowledgedAt } } }"
)
DEACTIVATE = "mutation ($id: ID!) { deactivateAttachments(ids: [$id]) { results { errors { code } } errors { code } } }"
REACTIVATE = "mutation ($id: ID!) { reactivateAttachments(ids: [$id]) { results { errors { code } } errors { code } } }"
CURSOR = "{ liveCursor }"


@pytest.fixture
async def url(database_url: str, tmp_path: Path) -> AsyncIterator[str]:
    """The address of a server with an empty database."""
    async with live.served(settings_of(tmp_path, database_url, rate_limits=False)) as url:
        yield url


@dataclass
class House:
    """A structure with its principal manager and a simple user."""

    structure: Structure
    manager: Account
    user: Account
    attachment: Attachment
    token: str

    @property
    def id(self) -> str:
        return ids.encode("Structure", self.structure.id)

    async def flip(self, url: str, times: int = 1) -> None:
        """Deactivate and reactivate the user's attachment by turns."""
        for _ in range(times):
            await self.attachment.refresh_from_db()
            act = DEACTIVATE if self.attachment.status is AttachmentStatus.VALIDATED else REACTIVATE
            (name,) = (data := await ask(url, act, self.token, id=ids.encode("Attachment", self.attachment.id)))
            assert [one["errors"] for one in data[name]["results"]] == [[]]


async def house() -> House:
    manager, user = await factories.person(first_name="Mona"), await factories.person(first_name="Uli")
    structure = await factories.structure(manager)
    attachment = await factories.attachment(user, structure)
    return House(structure, manager, user, attachment, await token_for(manager))


async def metric(url: str, name: str) -> float:
    """One measure of the server."""
    async with httpx.AsyncClient() as http:
        text = (await http.get(f"{url}/metrics")).text
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name in (name, f"{name}_total")
    )


# ------------------------------------------------------------------ who is delivered what
async def test_a_change_reaches_the_person_and_the_managers_and_no_stranger(url: str) -> None:
    home, other = await house(), await house()
    async with (
        Reader.at(url, home.token) as manager,
        Reader.at(url, await token_for(home.user)) as user,
        Reader.at(url, other.token) as stranger,
        Reader.at(url, await token_for(await factories.person(platform_role="SUPPORT"))) as support,
    ):
        for reader in (manager, user, stranger, support):
            await reader.subscribe(STATUS)
        await support.subscribe(STATUS, "one structure", structure=home.id)
        await open_streams(url, 5)
        await home.flip(url)
        for reader in (manager, user, support):
            found = await reader.delivery()
            assert (found["previousStatus"], found["status"]) == ("VALIDATED", "DEACTIVATED")
            assert found["actor"] == {"displayName": home.manager.display_name}
        await stranger.silence()
        await support.silence(0.1)


async def test_spaces_accounts_and_activities_reach_those_whom_they_concern(url: str) -> None:
    home = await house()
    cursor = (await ask(url, CURSOR, home.token))["liveCursor"]
    space = await factories.subscription(
        home.user, home.structure, SpaceCode.COMMITMENTS, status=SpaceSubscriptionStatus.PENDING
    )
    activity = await factories.activity(home.structure, await factories.integration(), title="Paid")
    token = await token_for(home.user)
    async with Reader.at(url, token) as user:
        for number, query in enumerate((SPACES, ACCOUNT, ACTIVITY)):
            await user.subscribe(query, str(number), after=cursor)
        await asyncio.sleep(0.2)
        await events.append(
            events.SpaceSubscriptionValidated(
                subject_id=home.user.id, structure_id=home.structure.id, subscription_id=space.id,
                before={"status": "PENDING"}, after={"status": "VALIDATED"},
            ),
            events.AccountReactivated(subject_id=home.user.id, before={"state": "DEACTIVATED"}, after={"state": "ACTIVE"}),
            events.ProfileUpdated(subject_id=home.user.id, before={"phone": "1"}, after={"phone": "2"}),
            events.ActivityRecorded(structure_id=home.structure.id, activity_id=activity.id, after={"kind": "EVENT"}),
            actor_id=home.manager.id, at=datetime.now(UTC),
        )  # fmt: skip
        found = {}
        for _ in range(3):
            message = await user.read()
            found[message["id"]] = message["payload"]["data"]
        assert found["0"]["spaceSubscriptionStatusChanged"]["spaceSubscription"]["space"] == {"code": "COMMITMENTS"}
        assert found["0"]["spaceSubscriptionStatusChanged"]["actor"] == {"displayName": home.manager.display_name}
        assert found["1"]["accountStateChanged"]["account"] == {"loginEmail": home.user.login_email, "state": "ACTIVE"}
        assert found["1"]["accountStateChanged"]["previousState"] == "DEACTIVATED"
        assert found["2"]["activityRecorded"]["activity"] == {"title": "Paid", "acknowledgedAt": None}
        await user.silence(0.2)


async def test_what_changes_no_status_and_no_role_is_not_delivered(url: str) -> None:
    home = await house()
    update = "mutation ($id: ID!, $until: Date) { updateAttachment(input: {id: $id, validUntil: $until}) { errors { code } } }"
    role = "mutation ($id: ID!) { changeAttachmentRole(id: $id, role: SECONDARY_MANAGER) { errors { code } } }"
    id = ids.encode("Attachment", home.attachment.id)
    async with Reader.at(url, home.token) as manager:
        await manager.subscribe(STATUS)
        await asyncio.sleep(0.2)
        await ask(url, update, home.token, id=id, until="2199-01-01")
        await ask(url, role, home.token, id=id)
        found = await manager.delivery()
        assert (found["previousStatus"], found["status"], found["role"]) == (
            "VALIDATED",
            "VALIDATED",
            "SECONDARY_MANAGER",
        )


# ------------------------------------------------------------------ resuming
async def test_a_reader_that_comes_back_misses_nothing_and_gets_nothing_twice(url: str) -> None:
    home = await house()
    cursor = (await ask(url, CURSOR, home.token))["liveCursor"]
    seen: list[str] = []
    flipping = asyncio.create_task(home.flip(url, 60))
    while not flipping.done() or len(seen) < 60:
        async with Reader.at(url, home.token) as reader:
            await reader.subscribe(STATUS, after=cursor)
            for _ in range(7):
                if len(seen) == 60:
                    break
                found = await reader.delivery()
                cursor = found["cursor"]
                seen.append(found["status"])
    await flipping
    assert seen == ["DEACTIVATED", "VALIDATED"] * 30


async def test_a_cursor_holds_across_a_restart(database_url: str, tmp_path: Path) -> None:
    settings = settings_of(tmp_path, database_url, rate_limits=False)
    async with live.served(settings) as url:
        home = await house()
        async with Reader.at(url, home.token) as reader:
            await reader.subscribe(STATUS)
            await asyncio.sleep(0.2)
            await home.flip(url)
            cursor = (await reader.delivery())["cursor"]
        await home.flip(url, 3)
    async with live.served(settings) as url, Reader.at(url, home.token) as reader:
        await reader.subscribe(STATUS, after=cursor)
        assert [(await reader.delivery())["status"] for _ in range(3)] == ["VALIDATED", "DEACTIVATED", "VALIDATED"]
        await home.flip(url)
        assert (await reader.delivery())["status"] == "DEACTIVATED"


async def test_a_cursor_older_than_the_setting_asks_to_fetch_anew(database_url: str, tmp_path: Path) -> None:
    settings = settings_of(tmp_path, database_url, rate_limits=False, live_replay=timedelta(hours=1))
    async with live.served(settings) as url:
        home = await house()
        cursor = (await ask(url, CURSOR, home.token))["liveCursor"]
        async with Reader.at(url, home.token) as reader:
            await home.flip(url)
            await Event.all().update(occurred_at=datetime.now(UTC) - timedelta(minutes=59))
            await reader.subscribe(STATUS, "within", after=cursor)
            assert (await reader.delivery())["status"] == "DEACTIVATED"
            await Event.all().update(occurred_at=datetime.now(UTC) - timedelta(minutes=61))
            await reader.subscribe(STATUS, "beyond", after=cursor)
            message = await reader.read()
            assert (message["id"], codes(message)) == ("beyond", ["REFETCH_NEEDED"])
            assert "cursor" in message["payload"][0]["message"]


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)  # SQLite's writers come one after the other
async def test_an_event_that_commits_late_is_delivered_in_its_place(url: str, database_url: str) -> None:
    home = await house()
    cursor = (await ask(url, CURSOR, home.token))["liveCursor"]
    late = await asyncpg.connect(database_url)
    async with Reader.at(url, home.token) as reader:
        await reader.subscribe(STATUS)
        await asyncio.sleep(0.2)
        held = late.transaction()
        await held.start()
        await late.execute(
            "INSERT INTO events (type, occurred_at, subject_id, structure_id, attachment_id, before, after)"
            " VALUES ('AttachmentRefused', now(), $1, $2, $3, '{\"status\": \"PENDING\"}', '{\"status\": \"REFUSED\", \"role\": \"SIMPLE_USER\"}')",
            home.user.id, home.structure.id, home.attachment.id,
        )  # fmt: skip
        await home.flip(url)
        await reader.silence(1.5)
        await held.commit()
        first, second = await reader.delivery(), await reader.delivery()
        assert (first["status"], second["status"]) == ("REFUSED", "DEACTIVATED")
        await reader.subscribe(STATUS, "again", after=cursor)
        assert [(await reader.delivery())["cursor"] for _ in range(2)] == [first["cursor"], second["cursor"]]
        await reader.subscribe(STATUS, "half", after=first["cursor"])
        assert (await reader.delivery())["cursor"] == second["cursor"]
        await reader.silence(0.3)
    await late.close()


# ------------------------------------------------------------------ one execution a group
async def test_the_same_operation_of_many_is_executed_once(url: str) -> None:
    home = await house()
    managers = [await factories.person() for _ in range(8)]
    for one in managers:
        await factories.attachment(one, home.structure, role=Role.SECONDARY_MANAGER)
    readers: list[Any] = [Reader.at(url, await token_for(one)) for one in managers]
    opened = [await reader.__aenter__() for reader in readers]
    cursor = (await ask(url, CURSOR, home.token))["liveCursor"]
    for place, reader in enumerate(opened):
        await reader.subscribe(STATUS, **({"after": cursor} if place % 2 else {}))  # where it began doesn't matter
    await open_streams(url, 8)
    before = await metric(url, "rattache_live_executions")
    await home.flip(url, 3)
    found = [[await reader.delivery() for _ in range(3)] for reader in opened]
    assert all(one == found[0] for one in found)
    assert await metric(url, "rattache_live_executions") == before + 3
    for reader in readers:
        await reader.__aexit__(None, None, None)


async def test_what_depends_on_the_reader_is_executed_for_each(url: str) -> None:
    home = await house()
    second = await factories.person()
    await factories.attachment(second, home.structure, role=Role.SECONDARY_MANAGER)
    acts = "subscription { attachmentStatusChanged { attachment { user { contactEmail } viewerActs structure { viewerAttachment { role } } } } }"
    async with (
        Reader.at(url, home.token) as principal,
        Reader.at(url, await token_for(second)) as secondary,
        Reader.at(url, await token_for(home.user)) as user,
    ):
        for reader in (principal, secondary, user):
            await reader.subscribe(acts)
        await open_streams(url, 3)
        await home.flip(url)
        found = [(await reader.delivery())["attachment"] for reader in (principal, secondary, user)]
    roles = [one["structure"]["viewerAttachment"]["role"] for one in found]
    assert roles == ["PRINCIPAL_MANAGER", "SECONDARY_MANAGER", "SIMPLE_USER"]
    assert found[0]["viewerActs"] == found[1]["viewerActs"] == ["REACTIVATE", "REMOVE"]
    assert found[2]["viewerActs"] == ["REMOVE"]


async def test_each_reader_is_answered_in_their_own_language(url: str) -> None:
    home = await house()
    label = "subscription { spaceSubscriptionStatusChanged { spaceSubscription { space { label } } } }"
    space = await factories.subscription(home.user, home.structure, SpaceCode.COMMITMENTS)
    async with (
        Reader.at(url, home.token, additional_headers={"Accept-Language": "fr"}) as french,
        Reader.at(url, home.token, additional_headers={"Accept-Language": "en"}) as english,
    ):
        for reader in (french, english):
            await reader.subscribe(label)
        await asyncio.sleep(0.2)
        fact = events.SpaceSubscriptionRemoved(
            subject_id=home.user.id, structure_id=home.structure.id, subscription_id=space.id,
            before={"status": "VALIDATED"}, after={"status": "REMOVED"},
        )  # fmt: skip
        await events.append(fact, actor_id=None, at=datetime.now(UTC))
        labels = [(await reader.delivery())["spaceSubscription"]["space"]["label"] for reader in (french, english)]
    assert labels[0] != labels[1]


async def test_a_reader_that_stops_reading_is_cut_off_and_takes_up_again_by_its_cursor(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(send_queue, "STALL_SECONDS", 0.5)
    monkeypatch.setattr(send_queue, "LINGER_SECONDS", 60)
    home = await house()
    wide = " ".join(f"c{number}: cursor" for number in range(99))
    long = f"subscription ($after: String) {{ attachmentStatusChanged(after: $after) {{ cursor {wide} }} }}"
    quick_token = await token_for(home.user)
    async with Reader.at(url, home.token, max_queue=1) as slow, Reader.at(url, quick_token) as quick:
        await slow.subscribe(long)
        await quick.subscribe(STATUS)
        await open_streams(url, 2)
        slow.connection.transport.pause_reading()
        facts = [
            AttachmentDeactivated(
                subject_id=home.user.id, structure_id=home.structure.id, attachment_id=home.attachment.id,
                before={"status": "VALIDATED", "role": "SIMPLE_USER"}, after={"status": "DEACTIVATED", "role": "SIMPLE_USER"},
            )
            for _ in range(100)
        ]  # fmt: skip
        rounds = 20
        for _ in range(rounds):
            await events.append(*facts, actor_id=None, at=datetime.now(UTC))
        quickly = [(await quick.delivery(60))["cursor"] for _ in range(100 * rounds)]
        await ended(url, "SLOW_READER")
        slow.connection.transport.resume_reading()
        seen: list[str] = []
        assert await slow.close_code(keep=seen) == 4413
    assert seen == quickly[: len(seen)]
    assert len(seen) < len(quickly)
    async with Reader.at(url, home.token) as back:
        await back.subscribe(long, after=seen[-1])
        rest = [(await back.delivery(30))["cursor"] for _ in range(len(quickly) - len(seen))]
        await back.silence(0.2)
    assert seen + rest == quickly


# ------------------------------------------------------------------ the end
@pytest.mark.parametrize("turns", range(4))
async def test_a_broadcast_that_is_woken_and_cancelled_at_once_ends(db: str, office: Office, turns: int) -> None:
    executions = Executions(schema, Limits(), explain, Language.EN)
    broadcast = Broadcast(office, Deliveries(office, executions, Metrics()), Metrics())
    running = asyncio.create_task(broadcast.run())
    await asyncio.sleep(0.3)
    broadcast.wake()
    for _ in range(turns):
        await asyncio.sleep(0)
    running.cancel()
    done, _ = await asyncio.wait([running], timeout=2)
    assert done == {running}
