"""graphql-transport-ws on `/graphql`: every message and close code of the protocol, and odd messages that it forbids."""

import asyncio
import json
import random
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from graph.live import graphql_ws, hub, send_queue
from models.accounts import accounts
from models.accounts.accounts import Account
from tests.graph.support import live
from tests.graph.support.apps import settings_of
from tests.graph.support.live import STATUS, Reader, codes, ended, token_for
from tests.support import factories

pytestmark = pytest.mark.slow

ME = "{ me { firstName } }"


@pytest.fixture
async def url(sqlite_template: Path, tmp_path: Path) -> AsyncIterator[str]:
    """The address of a server with an empty database."""
    shutil.copy(sqlite_template, tmp_path / "rattache.db")
    settings = settings_of(tmp_path, f"sqlite://{tmp_path / 'rattache.db'}?synchronous=OFF", rate_limits=False)
    async with live.served(settings) as url:
        yield url


async def signed_in(**changes: Any) -> tuple[Account, str]:
    account = await factories.person(first_name="Ada", **changes)
    return account, await token_for(account)


# ------------------------------------------------------------------ opening
async def test_a_client_of_no_known_subprotocol_is_closed_with_4406(url: str) -> None:
    for offered in (None, [Subprotocol("graphql-ws")]):
        async with Reader.at(url, init=False, subprotocols=offered) as reader:
            assert reader.connection.subprotocol is None
            assert await reader.close_code() == 4406


async def test_the_subprotocol_is_found_among_others(url: str) -> None:
    offered = [Subprotocol("graphql-ws"), Subprotocol("graphql-transport-ws")]
    async with Reader.at(url, subprotocols=offered) as reader:
        assert reader.connection.subprotocol == "graphql-transport-ws"


async def test_a_client_that_says_nothing_is_closed_with_4408(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert graphql_ws.INIT_SECONDS == 5
    monkeypatch.setattr(graphql_ws, "INIT_SECONDS", 0.2)
    async with Reader.at(url, init=False) as reader:
        assert await reader.close_code() == 4408
    async with Reader.at(url) as reader:
        await asyncio.sleep(0.4)
        await reader.send(type="ping")
        assert await reader.read() == {"type": "pong"}


async def test_a_second_initialisation_is_closed_with_4429(url: str) -> None:
    async with Reader.at(url) as reader:
        await reader.send(type="connection_init")
        assert await reader.close_code() == 4429


async def test_an_operation_before_the_initialisation_is_closed_with_4401(url: str) -> None:
    async with Reader.at(url, init=False) as reader:
        await reader.subscribe(ME)
        assert await reader.close_code() == 4401


async def test_a_token_that_is_not_good_is_closed_with_4403(url: str) -> None:
    account, token = await signed_in()
    await account.update_from_dict({"state": accounts.AccountState.SUSPENDED}).save()
    for given in ("nonsense", token):
        async with Reader.at(url, init=False) as reader:
            await reader.send(type="connection_init", payload={"authorization": f"Bearer {given}"})
            assert await reader.close_code() == 4403


@pytest.mark.parametrize(
    "payload",
    [
        {"authorization": "<token>"},
        {"authorization": "Token <token>"},
        {"authorization": "Basic <token>"},
        {"authorization": "Bearer"},
        {"authorization": "Bearer "},
        {"authorization": "Bearer <token> <token>"},
        {"authorization": "Bearer é"},
        {"authorization": "ApiKey nonsense"},
        {"authorization": 7},
        {"authorization": True},
        {"authorization": ["Bearer <token>"]},
        {"authorization": {"token": "<token>"}},
        {"authorization": "Bearer <token>", "Authorization": "Bearer <token>"},
        {"token": "<token>"},
        {"authToken": "<token>"},
        {"access_token": "short"},
        {"Authentication": "Bearer <token>"},
        {"sessionId": 7},
        {"x-api-key": "short"},
        {"headers": {"Authorization": "Bearer <token>"}},
        {"headers": [{"value": "Bearer <token>"}]},
        {"who": "<token>"},
        {"who": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"},
    ],
)
async def test_a_token_in_a_form_that_is_not_known_is_closed_with_4403(url: str, payload: dict[str, Any]) -> None:
    _, token = await signed_in()
    async with Reader.at(url, init=False) as reader:
        sent = json.dumps({"type": "connection_init", "payload": payload})
        await reader.connection.send(sent.replace("<token>", token))
        assert await reader.close_code() == 4403


@pytest.mark.parametrize(
    "payload", [None, {}, {"authorization": None}, {"authorization": ""}, {"token": None}, {"token": ""},
                {"headers": {}}, {"client": "web", "version": 3, "locale": "fr-FR", "tags": ["a", None]}]
)  # fmt: skip
async def test_a_payload_without_any_token_is_nobodys(url: str, payload: dict[str, Any] | None) -> None:
    async with Reader.at(url, init=False) as reader:
        await reader.send(type="connection_init", payload=payload)
        assert await reader.read() == {"type": "connection_ack"}
        await reader.subscribe(ME)
        assert await reader.delivery() is None


@pytest.mark.parametrize("name", ["authorization", "Authorization", "AUTHORIZATION"])
@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
async def test_a_token_is_known_whatever_its_case(url: str, name: str, scheme: str) -> None:
    _, token = await signed_in()
    async with Reader.at(url, init=False) as reader:
        await reader.send(type="connection_init", payload={name: f"{scheme} {token}"})
        assert await reader.read() == {"type": "connection_ack"}
        await reader.subscribe(ME)
        assert await reader.delivery() == {"firstName": "Ada"}


async def test_a_token_counts_in_the_payload_and_in_the_header(url: str) -> None:
    _, token = await signed_in()
    header = {"Authorization": f"Bearer {token}"}
    async with Reader.at(url, token) as one, Reader.at(url, additional_headers=header) as two:
        for reader in (one, two):
            await reader.subscribe(ME)
            assert await reader.delivery() == {"firstName": "Ada"}
            assert (await reader.read())["type"] == "complete"


async def test_the_cookie_counts_for_pages_of_ours_and_for_no_other_site(url: str) -> None:
    _, token = await signed_in()
    cookie = {"Cookie": f"rattache_session={token}"}
    async with Reader.at(url, additional_headers=cookie, origin=url) as reader:
        await reader.subscribe(ME)
        assert await reader.delivery() == {"firstName": "Ada"}
    async with Reader.at(url, additional_headers=cookie, origin="https://evil.example") as reader:
        await reader.subscribe(ME)
        assert await reader.delivery() is None
        await reader.read()
        await reader.subscribe(STATUS)
        assert codes(await reader.read()) == ["UNAUTHENTICATED"]


async def test_a_dead_cookie_is_nobodys_as_over_http(url: str) -> None:
    async with Reader.at(url, additional_headers={"Cookie": "rattache_session=gone"}, origin=url) as reader:
        await reader.subscribe(ME)
        assert await reader.delivery() is None


async def test_too_many_of_one_source_are_refused(sqlite_template: Path, tmp_path: Path) -> None:
    shutil.copy(sqlite_template, tmp_path / "rattache.db")
    async with live.served(settings_of(tmp_path)) as url, Reader.at(url) as reader:
        for number in range(599):
            await reader.subscribe("{ __typename }", str(number))
            await reader.read()
            await reader.read()
        await reader.subscribe("{ __typename }")
        message = await reader.read()
        assert codes(message) == ["RATE_LIMITED"]
        assert 1 <= message["payload"][0]["extensions"]["retryAfter"] <= 60
        with pytest.raises(InvalidStatus):
            async with Reader.at(url):
                pass


# ------------------------------------------------------------------ messages
ODD: list[str | bytes] = [
    b"\x00\x01",
    "",
    "hello",
    "[]",
    "null",
    "1",
    "{}",
    '{"type": null}',
    '{"type": 1}',
    '{"type": "start", "id": "1"}',
    '{"type": "next", "id": "1", "payload": {}}',
    '{"type": "connection_ack"}',
    '{"type": "connection_init", "payload": []}',
    '{"type": "connection_init", "payload": "Bearer x"}',
    '{"type": "ping", "payload": 1}',
    '{"type": "pong", "payload": "x"}',
    '{"type": "ping", "payload": NaN}',
    '{"type": "complete"}',
    '{"type": "complete", "id": 1}',
    '{"type": "subscribe", "payload": {"query": "{ me { id } }"}}',
    '{"type": "subscribe", "id": "", "payload": {"query": "{ me { id } }"}}',
    '{"type": "subscribe", "id": 1, "payload": {"query": "{ me { id } }"}}',
    '{"type": "subscribe", "id": "1"}',
    '{"type": "subscribe", "id": "1", "payload": null}',
    '{"type": "subscribe", "id": "1", "payload": "{ me { id } }"}',
    '{"type": "subscribe", "id": "1", "payload": {}}',
    '{"type": "subscribe", "id": "1", "payload": {"query": 1}}',
    '{"type": "subscribe", "id": "1", "payload": {"query": null}}',
    '{"type": "subscribe", "id": "1", "payload": {"query": "{ __typename }", "variables": []}}',
    '{"type": "subscribe", "id": "1", "payload": {"query": "{ __typename }", "operationName": 1}}',
    '{"type": "subscribe", "id": "1", "payload": {"query": "{ __typename }", "extensions": "x"}}',
    "[" * 2000,
]


async def test_an_odd_message_is_closed_with_4400(url: str) -> None:
    for sent in ODD:
        for init in (False, True):
            async with Reader.at(url, init=init) as reader:
                await reader.connection.send(sent)
                second = init and b"init" in (sent if isinstance(sent, bytes) else sent.encode())
                assert (sent, await reader.close_code()) in [(sent, 4400), *[(sent, 4429)] * second]


async def test_a_message_over_a_mebibyte_is_closed_with_1009(url: str) -> None:
    async with Reader.at(url) as reader:
        await reader.subscribe("#" + "x" * 1024 * 1024)
        assert await reader.close_code() == 1009


async def test_a_message_of_endless_values_is_closed_with_4400(url: str) -> None:
    async with Reader.at(url) as reader:
        await reader.connection.send('{"type": "ping", "payload": {"a": [' + "0," * 100_001 + "0]}}")
        assert await reader.close_code() == 4400


async def test_random_messages_never_break_the_server(url: str) -> None:
    chance = random.Random(5)
    values: list[Any] = [None, True, 0, 1.5, "", "1", [], {}, {"query": "{ __typename }"}, {"query": "{"}, "é\u0000"]
    types = ["connection_init", "subscribe", "complete", "ping", "pong", "next", 3]
    seen = set()
    for _ in range(60):
        async with Reader.at(url, init=chance.random() < 0.8) as reader:
            for _ in range(chance.randint(1, 6)):
                message = {"type": chance.choice(types)}
                message |= {name: chance.choice(values) for name in ("id", "payload") if chance.random() < 0.7}
                await reader.connection.send(json.dumps(message))
            await reader.connection.send("end")
            seen.add(await reader.close_code())
    assert seen <= {4400, 4401, 4409, 4429, 4403}
    assert 4400 in seen
    async with Reader.at(url) as reader:
        await reader.subscribe(ME)
        assert await reader.delivery() is None


async def test_pings_are_answered_before_and_after_the_initialisation(url: str) -> None:
    async with Reader.at(url, init=False) as reader:
        await reader.send(type="ping", payload={"any": "thing"})
        assert await reader.read() == {"type": "pong"}
        await reader.send(type="connection_init", payload=None)
        assert await reader.read() == {"type": "connection_ack"}
        await reader.send(type="ping")
        assert await reader.read() == {"type": "pong"}


@pytest.fixture
def quick_pings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sign of life asked for each fifth of a second, by a server that starts after this."""
    assert hub.PING_SECONDS == 20
    monkeypatch.setattr(hub, "PING_SECONDS", 0.2)


async def test_the_server_pings_and_gives_up_who_never_answers(quick_pings: None, url: str) -> None:
    async with Reader.at(url) as alive, Reader.at(url) as dead:
        reading = asyncio.create_task(alive.silence(1.5))
        assert await dead.close_code() == 4410
        await reading


# ------------------------------------------------------------------ operations
async def test_an_id_in_use_is_closed_with_4409(url: str) -> None:
    _, token = await signed_in()
    async with Reader.at(url, token) as reader:
        await reader.subscribe(STATUS, "same")
        await reader.subscribe(STATUS, "same")
        assert await reader.close_code() == 4409


async def test_an_id_is_free_again_once_completed_by_either_side(url: str) -> None:
    _, token = await signed_in()
    async with Reader.at(url, token) as reader:
        await reader.subscribe(STATUS, "same")
        await reader.settled()
        await reader.send(type="complete", id="same")
        await reader.send(type="complete", id="never there")
        for _ in range(2):
            await reader.subscribe(ME, "same")
            assert await reader.delivery() == {"firstName": "Ada"}
            assert await reader.read() == {"id": "same", "type": "complete"}


@pytest.mark.parametrize(
    ("query", "variables", "expected"),
    [
        ("{", {}, "GRAPHQL_PARSE_FAILED"),
        ("{ nothing }", {}, "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { nothing }", {}, "GRAPHQL_VALIDATION_FAILED"),
        ("query A { __typename } query B { __typename }", {}, "OPERATION_NOT_FOUND"),
        (STATUS, {"after": 3}, "BAD_USER_INPUT"),
        (STATUS, {"after": "nonsense"}, "BAD_USER_INPUT"),
        (STATUS, {"after": "WzJd"}, "BAD_USER_INPUT"),
        (STATUS, {"after": "WyJsaXZlIiwwLC0xXQ=="}, "BAD_USER_INPUT"),
        (STATUS, {"after": "WyJsaXZlIiwwLDFd"}, "REFETCH_NEEDED"),  # of a log that has come further than this one
        (STATUS, {"structure": "nonsense"}, "NOT_FOUND"),
        (STATUS, {"structure": "U3RydWN0dXJlOjk5OQ=="}, "NOT_FOUND"),
        (f"subscription {{ attachmentStatusChanged {{ attachment {{ {'structure { principalManager { id } } ' * 120} }} }} }}",
         {}, "QUERY_TOO_COMPLEX"),
    ],
)  # fmt: skip
async def test_a_wrong_operation_ends_by_an_error_and_the_socket_stays(
    url: str, query: str, variables: dict[str, Any], expected: str
) -> None:
    _, token = await signed_in()
    async with Reader.at(url, token) as reader:
        id = await reader.subscribe(query, **variables)
        message = await reader.read()
        assert (message["id"], codes(message)[0]) == (id, expected)
        await reader.subscribe(ME)
        assert await reader.delivery() == {"firstName": "Ada"}


async def test_nobody_may_follow_anything(url: str) -> None:
    async with Reader.at(url) as reader:
        await reader.subscribe(STATUS)
        assert codes(await reader.read()) == ["UNAUTHENTICATED"]


async def test_errors_of_an_executed_query_come_beside_its_data(url: str) -> None:
    async with Reader.at(url) as reader:
        await reader.subscribe('{ me { id } node(id: "x") { id } }')
        message = await reader.read()
        assert message["type"] == "next"
        assert message["payload"]["data"] == {"me": None, "node": None}
        assert message["payload"]["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        assert message["payload"]["extensions"]["cost"]["value"] > 0


async def test_a_mutation_is_done_over_the_socket_by_whoever_it_is(url: str) -> None:
    account, token = await signed_in()
    async with Reader.at(url, token) as reader:
        await reader.subscribe('mutation { updateAccount(input: {phone: "0123456789"}) { errors { code } } }')
        assert await reader.delivery() == {"errors": []}
    await account.refresh_from_db()
    assert account.phone == "0123456789"


async def test_a_socket_has_at_most_a_hundred_streams_at_once(url: str) -> None:
    _, token = await signed_in()
    async with Reader.at(url, token) as reader:
        for number in range(101):
            await reader.subscribe(STATUS, f"stream {number}")
        message = await reader.read()
        assert (message["id"], codes(message)) == ("stream 100", ["TOO_MANY"])


async def test_a_reader_that_reads_nothing_is_cut_off_and_hinders_nobody(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(send_queue, "STALL_SECONDS", 0.5)
    monkeypatch.setattr(send_queue, "LINGER_SECONDS", 60)
    _, token = await signed_in()
    async with Reader.at(url, token, max_queue=1) as slow, Reader.at(url, token) as quick:
        big = "{ __schema { types { name description fields { name description args { name description } } } } }"
        slow.connection.transport.pause_reading()
        for number in range(120):
            await slow.subscribe(big, str(number))
            if number % 20 == 0:
                await quick.subscribe(ME)
                assert await quick.delivery(60) == {"firstName": "Ada"}
                await quick.read(60)
        await ended(url, "SLOW_READER")
        slow.connection.transport.resume_reading()
        assert await slow.close_code() == 4413


async def test_a_reader_that_never_reads_again_is_given_up_with_what_waits_for_it(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(send_queue, "STALL_SECONDS", 0.3)
    monkeypatch.setattr(send_queue, "LINGER_SECONDS", 0.3)
    _, token = await signed_in()
    async with Reader.at(url, token, max_queue=1) as slow:
        big = "{ __schema { types { name description fields { name description args { name description } } } } }"
        slow.connection.transport.pause_reading()
        for number in range(120):
            await slow.subscribe(big, str(number))
        await ended(url, "SLOW_READER")
        await asyncio.sleep(1)
        slow.connection.transport.resume_reading()
        assert await slow.close_code() is None  # cut, with nothing said
