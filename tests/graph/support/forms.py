"""Multipart requests as clients write them, and adding documents by them."""

import json
from typing import Any

import httpx

from models.accounts.accounts import Account
from tests.graph.support.downloads import token_of

ADD = """mutation Add($file: Upload!, $designation: String = "D", $type: DocumentType = RIB) {
  addDocument(input: {file: $file, designation: $designation, type: $type}) {
    document { id filename mimeType size sha256 state downloadUrl } errors { code path message }
  }
}"""
PREFLIGHT = {"graphql-require-preflight": "1"}
BOUNDARY = "----formboundary7MA4YWxk"
PDF = b"%PDF-1.7\n1 0 obj\nendobj\n%%EOF\n"


def part(name: str, content: bytes, filename: str | None = None, more: bytes = b"") -> bytes:
    """One part of a form."""
    file = b"" if filename is None else b'; filename="' + filename.encode("utf-8", "surrogateescape") + b'"'
    head = b'Content-Disposition: form-data; name="' + name.encode() + b'"' + file + b"\r\n" + more
    return b"--" + BOUNDARY.encode() + b"\r\n" + head + b"\r\n" + content + b"\r\n"


def body(*parts: bytes) -> bytes:
    """The whole form."""
    return b"".join(parts) + b"--" + BOUNDARY.encode() + b"--\r\n"


def operations(query: str = ADD, **variables: Any) -> bytes:
    """The field `operations`, a null for the file."""
    return part("operations", json.dumps({"query": query, "variables": {"file": None, **variables}}).encode())


def mapped(**paths: list[str]) -> bytes:
    """The field `map`; by default one file, at `variables.file`."""
    return part("map", json.dumps(paths or {"0": ["variables.file"]}).encode())


async def send(client: httpx.AsyncClient, content: bytes, **headers: str) -> httpx.Response:
    """The answer to a form."""
    kind = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.post("/graphql", content=content, headers={**kind, **PREFLIGHT, **given})


async def bearer(client: httpx.AsyncClient, account: Account) -> dict[str, str]:
    """The header of a new session."""
    return {"authorization": f"Bearer {await token_of(client, account)}"}


async def add(
    client: httpx.AsyncClient, session: dict[str, str], name: str = "rib.pdf", content: bytes = PDF, **variables: Any
) -> Any:
    """The payload of one `addDocument`."""
    answer = await send(client, body(operations(**variables), mapped(), part("0", content, name)), **session)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]["addDocument"]
