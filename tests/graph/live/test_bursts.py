"""Bursts on the live streams: whoever reads is never cut off, however much comes at once, on both transports."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from graph.app import office_of
from graph.live import send_queue
from models.structures.structures import Structure
from resolvers.activities import api_keys
from resolvers.scope import Scope
from tests.graph.support import live
from tests.graph.support.apps import settings_of
from tests.graph.support.live import Reader, open_streams, token_for
from tests.support import factories

pytestmark = pytest.mark.slow

STREAMS = 10
ACTIVITIES = 500  # as many as one call may record
OPERATIONS = 1_000
PATIENCE = 60.0
TITLES = "subscription { activityRecorded { activity { title } } }"
RECORD = """mutation ($input: [RecordActivityInput!]!) { recordActivities(input: $input) {
  recorded errors { code path message } } }"""
EXPECTED = [f"Invoice {number}" for number in range(ACTIVITIES)]


@dataclass
class World:
    """A server with a structure, the token of its principal manager, and the key of an integration."""

    url: str
    structure: Structure
    token: str
    key: str

    async def record(self, number: int = ACTIVITIES) -> None:
        """Record so many activities by one call."""
        place = {"type": self.structure.identifier_type, "value": self.structure.identifier}
        given = [
            {"key": title, "structureIdentifier": place, "kind": "EVENT", "title": title,
             "occurredAt": "2026-03-14T09:30:00+01:00"}
            for title in EXPECTED[:number]
        ]  # fmt: skip
        body = {"query": RECORD, "variables": {"input": given}}
        async with httpx.AsyncClient(timeout=PATIENCE) as http:
            answer = await http.post(f"{self.url}/graphql", json=body, headers={"Authorization": f"ApiKey {self.key}"})
        assert answer.json()["data"] == {"recordActivities": {"recorded": number, "errors": []}}


@pytest.fixture
async def world(database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    """A running server and who is needed."""
    settings = settings_of(tmp_path, database_url, rate_limits=False)
    async with live.served(settings) as url:
        manager = await factories.person()
        structure = await factories.structure(manager)
        key = await api_keys.create(Scope(office_of(settings)), "erp")
        yield World(url, structure, await token_for(manager), key)


async def received(world: World, number: int) -> dict[str, list[str]]:
    """What each of ten streams on one socket is delivered of so many activities."""
    seen: dict[str, list[str]] = {str(stream): [] for stream in range(STREAMS)}
    async with Reader.at(world.url, world.token) as reader:
        for id in seen:
            await reader.subscribe(TITLES, id)
        await open_streams(world.url, STREAMS)
        recording = asyncio.create_task(world.record(number))
        while any(len(titles) < number for titles in seen.values()):
            message = await reader.read(PATIENCE)
            assert message["type"] == "next", message
            seen[message["id"]].append(message["payload"]["data"]["activityRecorded"]["activity"]["title"])
        await recording
        await reader.silence()
    return seen


async def test_a_socket_with_ten_streams_receives_five_hundred_activities_on_each(world: World) -> None:
    assert await received(world, ACTIVITIES) == {str(stream): EXPECTED for stream in range(STREAMS)}


async def test_streams_that_fall_behind_are_delivered_everything_in_order_and_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(send_queue, "MOST_FRAMES", 4)  # fewer than the streams: some find no room at each activity
    assert await received(world, 50) == {str(stream): EXPECTED[:50] for stream in range(STREAMS)}


async def test_ten_event_streams_receive_five_hundred_activities_each(world: World) -> None:
    headers = {"Accept": "text/event-stream", "Authorization": f"Bearer {world.token}"}

    async def titles(response: httpx.Response) -> list[str]:
        found: list[str] = []
        async for line in response.aiter_lines():
            if line.startswith("data: "):
                found.append(json.loads(line.removeprefix("data: "))["data"]["activityRecorded"]["activity"]["title"])
            if len(found) == ACTIVITIES:
                break
        return found

    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=PATIENCE))
        asked: dict[str, Any] = {"json": {"query": TITLES}, "headers": headers}
        responses = [
            await stack.enter_async_context(http.stream("POST", f"{world.url}/graphql", **asked))
            for _ in range(STREAMS)
        ]
        await open_streams(world.url, STREAMS)
        reading = [asyncio.create_task(titles(response)) for response in responses]
        await world.record()
        assert await asyncio.gather(*reading) == [EXPECTED] * STREAMS


async def test_a_burst_of_a_thousand_operations_on_one_socket_is_answered_whole(world: World) -> None:
    answered: dict[str, list[str]] = {str(number): [] for number in range(OPERATIONS)}
    async with Reader.at(world.url, world.token) as reader:
        for id in answered:
            await reader.subscribe("{ me { loginEmail } }", id)
        for _ in range(2 * OPERATIONS):
            message = await reader.read(PATIENCE)
            answered[message["id"]].append(message["type"])
    assert answered == {id: ["next", "complete"] for id in answered}
