"""Documents through programs that aren't ours, against the real server: gql, curl, and a plain socket that won't stop."""

import asyncio
import hashlib
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gql import Client, FileVar, gql
from gql.transport.httpx import HTTPXAsyncTransport

from models.db import database
from tests.graph.support import forms
from tests.graph.support.servers import Server
from tests.support import factories

pytestmark = pytest.mark.slow

LIMIT, MEBIBYTE = 4 * 1024 * 1024, 1024 * 1024
SIGN_IN = "mutation($e: String!, $p: String!) { signIn(input: {loginEmail: $e, password: $p}) { token } }"


@pytest.fixture
def server(database_url: str, tmp_path: Path) -> Iterator[Server]:
    """A server with one account, `ada@people.example`."""

    async def prepare() -> None:
        await database.connect(database_url)
        await factories.person(login_email="ada@people.example")
        await database.close()

    asyncio.run(prepare())
    settings = {"DATABASE_URL": database_url.partition("?")[0], "RATE_LIMITS": "off"}
    with Server(tmp_path, settings, "--no-worker") as running:
        yield running


def _curl(*arguments: str) -> str:
    if shutil.which("curl") is None:
        pytest.skip("no curl")
    return subprocess.run(["curl", "-sS", *arguments], check=True, capture_output=True, text=True, timeout=60).stdout


def _token(server: Server) -> str:
    variables = {"e": "ada@people.example", "p": factories.PASSWORD}
    answer = _curl(f"{server.url}/graphql", "--json", json.dumps({"query": SIGN_IN, "variables": variables}))
    token: str = json.loads(answer)["data"]["signIn"]["token"]
    return token


def _form(server: Server, token: str, file: Path, *more: str) -> Any:
    operations = json.dumps({"query": forms.ADD, "variables": {"file": None}})
    headers = ("-H", f"Authorization: Bearer {token}", "-H", "GraphQL-Require-Preflight: 1")
    fields = ("-F", f"operations={operations}", "-F", 'map={"0": ["variables.file"]}', "-F", f"0=@{file}")
    return json.loads(_curl(f"{server.url}/graphql", *headers, *fields, *more))["data"]["addDocument"]


async def test_gql_adds_a_file_and_gets_it_back(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "Contrat signé.fax"
    file.write_bytes(bytes(range(256)) * 10_000)
    headers = {"authorization": f"Bearer {_token(server)}", **forms.PREFLIGHT}
    transport = HTTPXAsyncTransport(url=f"{server.url}/graphql", headers=headers, timeout=30)
    async with Client(transport=transport, fetch_schema_from_transport=True) as client:
        request = gql(forms.ADD)
        request.variable_values = {"file": FileVar(str(file)), "designation": "Contrat", "type": "MANDATE"}
        payload = (await client.execute(request, upload_files=True))["addDocument"]
    assert payload["errors"] == []
    document = payload["document"]
    assert (document["filename"], document["size"]) == ("Contrat signé.fax", 2_560_000)
    assert document["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    folder = tmp_path / "got"
    folder.mkdir()
    _curl("--fail", "--output-dir", str(folder), "-o", "whole", document["downloadUrl"])
    assert (folder / "whole").read_bytes() == file.read_bytes()


def test_curl_adds_a_file_and_resumes_its_download(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "releve.fax"
    file.write_bytes(bytes(range(256)) * (LIMIT // 256))
    payload = _form(server, _token(server), file)
    assert payload["errors"] == []
    (tmp_path / "part").write_bytes(file.read_bytes()[:3_000_000])
    _curl("--fail", "-C", "-", "-o", str(tmp_path / "part"), payload["document"]["downloadUrl"])
    assert (tmp_path / "part").read_bytes() == file.read_bytes()
    folder = tmp_path / "named"
    folder.mkdir()
    _curl("--fail", "-OJ", "--output-dir", str(folder), payload["document"]["downloadUrl"])
    assert [path.name for path in folder.iterdir()] == ["releve.fax"]


def test_a_byte_more_than_four_mebibytes_is_refused_and_the_connection_stays(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "large.fax"
    file.write_bytes(bytes(LIMIT + 1))
    payload = _form(server, _token(server), file)
    assert [(error["code"], error["path"]) for error in payload["errors"]] == [("FILE_TOO_LARGE", ["file"])]


def _resident(server: Server) -> int:
    """The server's peak memory in bytes."""
    status = Path(f"/proc/{server.process_id}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc to read a process's memory from")
@pytest.mark.parametrize("declared", [True, False], ids=["declared", "chunked"])
def test_a_hundred_mebibytes_are_refused_early_and_never_held(server: Server, tmp_path: Path, declared: bool) -> None:
    token, small = _token(server), tmp_path / "small.fax"
    small.write_bytes(bytes(LIMIT))
    for _ in range(3):
        _form(server, token, small)
    before = _resident(server)
    sent, answer = _pour(server, token, 100 * MEBIBYTE, declared)
    head, _, said = answer.partition(b"\r\n\r\n")
    assert b"connection: close" in head.lower()
    payload = json.loads(said)["data"]["addDocument"]
    assert [error["code"] for error in payload["errors"]] == ["FILE_TOO_LARGE"]
    assert sent < 30 * MEBIBYTE
    assert _resident(server) - before < 8 * MEBIBYTE


def _pour(server: Server, token: str, size: int, declared: bool) -> tuple[int, bytes]:
    """How many bytes of a file of this size the server let itself be sent, and what it answered."""
    opening = forms.operations() + forms.mapped() + forms.part("0", b"", "a.fax").removesuffix(b"\r\n")
    length = f"Content-Length: {len(opening) + size + 100}" if declared else "Transfer-Encoding: chunked"
    head = (
        f"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nAuthorization: Bearer {token}\r\n{length}\r\n"
        f"GraphQL-Require-Preflight: 1\r\nContent-Type: multipart/form-data; boundary={forms.BOUNDARY}\r\n\r\n"
    ).encode()

    def wrapped(piece: bytes) -> bytes:
        return piece if declared else f"{len(piece):x}\r\n".encode() + piece + b"\r\n"

    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(head + wrapped(opening))
        sent, piece = 0, wrapped(bytes(65_536))
        deadline = time.monotonic() + 60
        try:
            while sent < size and time.monotonic() < deadline:
                connection.sendall(piece)
                sent += 65_536
        except (BrokenPipeError, ConnectionResetError):
            pass  # the server has closed: it said all it had to
        answer = b""
        try:
            while data := connection.recv(65_536):
                answer += data
        except ConnectionResetError:
            pass
    return sent, answer
