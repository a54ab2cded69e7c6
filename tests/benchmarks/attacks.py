"""What one hostile client costs the server: its processor time, its memory, and what others feel of it meanwhile.

    python -m tests.benchmarks.attacks
    python -m tests.benchmarks.attacks "Content-Type" "Cookie"    # those whose names begin so

An attack is a function that is given the server's port and does its worst; its name is its first line in the table.
To add one, write the function and put `@attack("what it is")` above it. Everything is measured at the server's process
from the first byte to the last answer: its processor time is the median of three times, nobody else asking anything;
once more it is done while `/healthz` is asked on a connection of its own, and that is told as the longest answer. Where
an attack is many, "each" is what one of them costs. Memory is what the process grew by at its peak.
"""

import base64
import json
import os
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.graph.support.servers import Server

KIBIBYTE = 1024
MEBIBYTE = KIBIBYTE * KIBIBYTE
PATIENCE = 200.0
FLOOD_SECONDS = 8
IDLE_SECONDS = 3
MOST_CPU = 0.020
MOST_HEALTH = 0.100

TIMES = 3

Worst = Callable[[int], str]


@dataclass(frozen=True)
class Attack:
    """A line of the table: what is done, and how many requests, connections or seconds it is."""

    name: str
    worst: Worst
    number: int = 1


ATTACKS: list[Attack] = []


def attack(name: str, number: int = 1) -> Callable[[Worst], Worst]:
    """Put the function into the table by this name."""

    def listed(worst: Worst) -> Worst:
        ATTACKS.append(Attack(name, worst, number))
        return worst

    return listed


# ------------------------------------------------------------------ what attacks are made of
def head(*lines: str, method: str = "POST", path: str = "/graphql") -> bytes:
    """The head of a request of JSON; a line may replace the type."""
    kind = [] if any(line.lower().startswith("content-type:") for line in lines) else ["Content-Type: application/json"]
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *kind, *lines, "", ""]).encode("latin-1")


def exchange(port: int, pieces: Iterable[bytes], pause: float = 0.0) -> str:
    """The status line of the answer to these bytes, or how the server ended the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as one:
        with suppress(OSError):
            for piece in pieces:
                one.sendall(piece)
                time.sleep(pause)
        try:
            answer = one.recv(65536)
        except TimeoutError:
            return "no answer"
        except OSError:
            return "reset"
    return answer.split(b"\r\n", 1)[0].decode("latin-1").removeprefix("HTTP/1.1 ")[:24] or "closed"


def question(port: int, *lines: str, body: bytes = b'{"query":"{ __typename }"}') -> str:
    """The status of the answer to one small question with these headers."""
    return exchange(port, [head(*lines, f"Content-Length: {len(body)}") + body])


def asked(port: int, query: str, variables: str = "{}") -> str:
    """The answer's status and code for a document, which is new to the server each time."""
    document = json.dumps(f"{query} #{os.urandom(8).hex()}")
    return told(port, f'{{"query":{document},"variables":{variables}}}'.encode())


def told(port: int, body: bytes, *lines: str) -> str:
    """The answer's status and the code of its first error, or that there was none, for a POST of this body."""
    answer = httpx.post(
        f"http://127.0.0.1:{port}/graphql", content=body, timeout=PATIENCE,
        headers={"Content-Type": "application/json"} | dict(line.split(": ", 1) for line in lines),
    )  # fmt: skip
    errors = answer.json().get("errors") or [{}]
    extensions = errors[0].get("extensions", {})
    return f"{answer.status_code} {extensions.get('limit') or extensions.get('code', 'ok')}"


def flood(port: int, frame: bytes, first: bytes = b"") -> str:
    """How many frames a socket took within some seconds, and how it ended."""
    key = base64.b64encode(os.urandom(16)).decode()
    lines = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}",
             "Sec-WebSocket-Protocol: graphql-transport-ws")  # fmt: skip
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as one:
        one.sendall(head(*lines, method="GET"))
        one.recv(65536)
        one.sendall(b'\x81\x9a\0\0\0\0{"type":"connection_init"}')
        one.recv(65536)
        one.setblocking(False)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * KIBIBYTE)
        sent, piece, over = 0, first + frame * 1000, time.monotonic() + FLOOD_SECONDS
        while time.monotonic() < over:
            try:
                sent += one.send(piece)
                piece = frame * 1000
            except BlockingIOError:
                time.sleep(0.01)
            except OSError:
                return f"{sent // len(frame)} sent, closed"
            with suppress(BlockingIOError, OSError):
                one.recv(65536)
    return f"{sent // len(frame)} sent"


# ------------------------------------------------------------------ headers
@attack("Content-Type, 64 KiB of ; in quotes")
def _(port: int) -> str:
    return question(port, 'Content-Type: application/json; charset="' + ";" * 64 * KIBIBYTE)


@attack("Content-Type, 31 KiB of ; in quotes")
def _(port: int) -> str:
    return question(port, 'Content-Type: application/json; charset="' + ";" * 31 * KIBIBYTE)


@attack("Cookie, 31 KiB of backslashes in quotes")
def _(port: int) -> str:
    return question(port, 'Cookie: rattache_session="' + "\\" * 31 * KIBIBYTE + '"')


@attack("Accept, 31 KiB of commas")
def _(port: int) -> str:
    return question(port, "Accept: " + "," * 31 * KIBIBYTE)


@attack("Accept-Language, 31 KiB of languages")
def _(port: int) -> str:
    return question(port, "Accept-Language: " + "a;q=0.1," * 3900)


@attack("Range, 31 KiB of blanks")
def _(port: int) -> str:
    line = "Range: bytes=" + " " * 31 * KIBIBYTE + "x"
    return exchange(port, [head(line, method="GET", path="/static/pages/style.css")])


@attack("Content-Disposition of a part, 4 KiB of ; in quotes")
def _(port: int) -> str:
    part = b'--b\r\nContent-Disposition: form-data; name="' + b";" * 3900 + b"\r\n\r\n{}\r\n--b--\r\n"
    lines = ("Content-Type: multipart/form-data; boundary=b", "GraphQL-Require-Preflight: 1")
    return question(port, *lines, body=part)


# ------------------------------------------------------------------ heads and bodies without end
@attack("a head of 64 MiB that never ends")
def _(port: int) -> str:
    return exchange(port, [b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-Long: ", *[b"a" * MEBIBYTE] * 64])


@attack("a head of 100,000 lines")
def _(port: int) -> str:
    return exchange(port, [b"GET /healthz HTTP/1.1\r\nHost: a\r\n", b"X: y\r\n" * 100_000])


@attack("a head that drips for 15 s")
def _(port: int) -> str:
    return exchange(port, [b"GET /healthz HTTP/1.1\r\nHost: a\r\n", *[b"X: y\r\n"] * 30], pause=0.5)


@attack("a form that drips for 15 s")
def _(port: int) -> str:
    lines = ("Content-Type: application/x-www-form-urlencoded", "Content-Length: 1000")
    return exchange(port, [head(*lines, path="/account/activate"), *[b"a"] * 30], pause=0.5)


@attack("a body of 1 MiB in chunks of a byte")
def _(port: int) -> str:
    return exchange(port, [head("Transfer-Encoding: chunked"), *[b"1\r\n \r\n" * 65_536] * 16])


@attack("a body of 64 MiB where 1 is allowed")
def _(port: int) -> str:
    return exchange(port, [head(f"Content-Length: {64 * MEBIBYTE}"), *[b" " * MEBIBYTE] * 64])


@attack("64 MiB behind a body")
def _(port: int) -> str:
    return exchange(port, [head("Transfer-Encoding: chunked"), b"2\r\n{}\r\n0\r\nX: ", *[b"a" * MEBIBYTE] * 64])


# ------------------------------------------------------------------ connections
@attack("a handshake with a line of 20 KiB")
def _(port: int) -> str:
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    lines = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", key)
    return exchange(port, [head(*lines, "Sec-WebSocket-Protocol: " + "a," * 10 * KIBIBYTE, method="GET")])


@attack("2,000 connections that say nothing", 2000)
def _(port: int) -> str:
    held = []
    refused = 0
    for _ in range(2000):
        one = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        held.append(one)
    time.sleep(0.5)
    for one in held:
        one.setblocking(False)
        with suppress(BlockingIOError, OSError):
            refused += bool(one.recv(64))
        one.close()
    return f"{refused} refused"


@attack("frames of a byte: pings of the protocol, a second", FLOOD_SECONDS)
def _(port: int) -> str:
    return flood(port, b"\x89\x80\0\0\0\0")


@attack("frames of a byte: one message in pieces, a second", FLOOD_SECONDS)
def _(port: int) -> str:
    return flood(port, b"\x00\x81\0\0\0\0a", b"\x01\x81\0\0\0\0a")


@attack("messages that ping, a second", FLOOD_SECONDS)
def _(port: int) -> str:
    return flood(port, b'\x81\x8f\0\0\0\0{"type":"ping"}')


# ------------------------------------------------------------------ documents
BELOW = "attachments { edges { node { structure { name } } } }"
RECORD = "mutation ($i: [RecordActivityInput!]!) { recordActivities(input: $i) { recorded } }"
ACTIVITY = ('{"key":"1","structureIdentifier":{"type":"OTHER","value":"x"},"kind":"EVENT","title":"T",'
            '"occurredAt":"2026-03-14T09:30:00+01:00"}')  # fmt: skip
IDS = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }"


def document(name: str, query: str, variables: str = "{}") -> None:
    """Put a document into the table, sent once."""
    attack(name)(lambda port: asked(port, query, variables))


document("compared: one field 100 times, five levels", "{ " + f"me {{ {BELOW} }} " * 100 + "}")
document(
    "compared: the same in inline fragments",
    "{ " + f"... on Query {{ me {{ ... on Account {{ {BELOW} }} }} }} " * 100 + "}",
)
document("compared: the same with arguments", "{ " + f"me {{ {BELOW.replace(' {', '(first: 3) {', 1)} }} " * 100 + "}")
document(
    "compared: 10 x 5 x 4, nested",
    "{ " + ("me { " + ("attachments { " + "edges { node { id } } " * 4 + "} ") * 5 + "} ") * 10 + "}",
)
document("compared: 20 times, within what is allowed", "{ " + f"me {{ {BELOW} }} " * 20 + "}")
document(
    "700 fields, 100 of them with aliases",
    "{ " + " ".join(f"a{n}: me {{ id firstName lastName loginEmail language state }}" for n in range(100)) + "}",
)
document("a list of 4,900 numbers", "{ nodes(ids: [" + "1 " * 4_900 + "]) { id } }")
document("one argument 740 times", "{ node(" + "id: 1 " * 740 + ") { id } }")
document("990 operations", " ".join(f"query Q{n} {{ __typename }}" for n in range(990)))
document(
    "50 operations, a fragment of 900 variables",
    " ".join(f"query Q{n}($v: ID!) {{ ...f }}" for n in range(50))
    + " fragment f on Query { nodes(ids: [" + "$v " * 900 + "]) { id } }",
)  # fmt: skip
document("700 wrong fields below 30,000 lines", "\n" * 30_000 + "{ " + " ".join(f"u{n}" for n in range(700)) + " }")
document("a block string of 99,000 lines", '{ node(id: """' + "\n" * 99_000 + '""") { id } }')
document("a comment of 99,000 characters", "#" * 99_000 + "\n{ __typename }")


# ------------------------------------------------------------------ texts and values
def text(name: str, query: str, value: str) -> None:
    """Put a document with one variable into the table."""
    document(name, query, f'{{"v":{value}}}')


LONG = '"' + "a" * 900_000 + '"'
text("900 kB: an id", "query ($v: ID!) { node(id: $v) { id } }", LONG)
text("900 kB: a name searched for", "query ($v: String!) { users(search: $v) { totalCount } }", LONG)
text("900 kB: a cursor", 'query ($v: String!) { users(search: "a", after: $v) { totalCount } }', LONG)
text(
    "900 kB: a password",
    'mutation ($v: String!) { signIn(input: {loginEmail: "a@b.fr", password: $v}) { errors { code } } }', LONG,
)  # fmt: skip
text("900 kB: an address", "mutation ($v: String!) { requestPasswordReset(loginEmail: $v) { errors { code } } }", LONG)
text("900 kB: surrogate pairs", "query ($v: ID!) { node(id: $v) { id } }", '"' + "\\ud83d\\ude00" * 75_000 + '"')
text("900 kB: a number", "query ($v: ID!) { node(id: $v) { id } }", "1" * 900_000)
text("900 kB: a fraction", 'query ($v: Int) { users(search: "a", first: $v) { totalCount } }', "1." + "1" * 900_000)
text("a number of 1e400", 'query ($v: Int) { users(search: "a", first: $v) { totalCount } }', "1e400")
document("900 kB: a document", "{ __typename " + " " * 900_000 + "}")
document("200,000 ids", IDS, '{"ids":[' + '"a",' * 200_000 + '"a"]}')
document("lists in lists, 1,000 deep", IDS, '{"ids":' + "[" * 1000 + "]" * 1000 + "}")
document("lists in lists, 400,000 deep", IDS, '{"ids":' + "[" * 400_000 + "]" * 400_000 + "}")
document("330,000 empty objects", "{ __typename }", '{"a":[' + "{}," * 330_000 + "{}]}")
document("80,000 variables", "{ __typename }", "{" + ",".join(f'"{n}":1' for n in range(80_000)) + "}")
document("6,000 activities of nobody", RECORD, '{"i":[' + ",".join([ACTIVITY] * 6_000) + "]}")
document("500 activities of nobody", RECORD, '{"i":[' + ",".join([ACTIVITY] * 500) + "]}")
document(
    "an input of 80,000 wrong fields", RECORD, '{"i":[{' + ",".join(f'"k{n}":1' for n in range(80_000)) + "}]}",
)  # fmt: skip


@attack("31 KiB of %41 in the address")
def _(port: int) -> str:
    return exchange(port, [head(method="GET", path="/graphql?query=%7B" + "%41" * 10_500 + "%7D")])


@attack("10,000 parameters in the address")
def _(port: int) -> str:
    return exchange(port, [head(method="GET", path="/graphql?" + "a&" * 10_000 + "query=%7B__typename%7D")])


@attack("4,000 cookies")
def _(port: int) -> str:
    return question(port, "Cookie: " + "a=b; " * 4_000 + "rattache_session=x")


@attack("a form of 20,000 parts")
def _(port: int) -> str:
    parts = b"".join(b'--b\r\nContent-Disposition: form-data; name="%d"\r\n\r\n\r\n' % n for n in range(20_000))
    lines = ("Content-Type: multipart/form-data; boundary=b", "GraphQL-Require-Preflight: 1")
    return question(port, *lines, body=parts + b"--b--\r\n")


@attack("a form of 16 KiB of &, at a page")
def _(port: int) -> str:
    lines = ("Content-Type: application/x-www-form-urlencoded", "Content-Length: 16000")
    return exchange(port, [head(*lines, path="/account/activate") + b"&" * 16_000])


# ------------------------------------------------------------------ measuring
@dataclass
class Health:
    """Asks `/healthz` again and again, and keeps the longest time it took."""

    url: str
    longest: float = 0.0
    _over: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        """Ask until told to stop."""
        with httpx.Client(timeout=PATIENCE) as client:
            while not self._over.is_set():
                began = time.perf_counter()
                with suppress(httpx.TransportError):
                    client.get(f"{self.url}/healthz")
                self.longest = max(self.longest, time.perf_counter() - began)
                time.sleep(0.02)

    def stop(self) -> None:
        """Ask no more."""
        self._over.set()


def cpu(process: int) -> float:
    """The seconds of processor time of all threads of a process, to the nanosecond."""
    threads = Path(f"/proc/{process}/task").iterdir()
    return sum(int((thread / "schedstat").read_text(encoding="ascii").split()[0]) for thread in threads) / 1e9


def peak(process: int) -> int:
    """The most memory that a process has had, in bytes."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * KIBIBYTE


def forget(process: int) -> None:
    """Begin the count of the most memory anew."""
    Path(f"/proc/{process}/clear_refs").write_text("5", encoding="ascii")


@dataclass(frozen=True)
class Cost:
    """What an attack cost once: seconds of processor time, bytes of memory, and what it was answered."""

    spent: float
    grown: int
    answer: str


def idling(process: int) -> float:
    """The part of a processor that the server takes by itself."""
    began, at = cpu(process), time.perf_counter()
    time.sleep(IDLE_SECONDS)
    return (cpu(process) - began) / (time.perf_counter() - at)


def cost(server: Server, worst: Worst, idle: float) -> Cost:
    """What it costs while nobody else asks anything, beyond what the server does by itself."""
    process = server.process_id
    forget(process)
    memory = peak(process)
    began, at = cpu(process), time.perf_counter()
    answer = worst(server.port)
    time.sleep(0.2)
    spent = cpu(process) - began - idle * (time.perf_counter() - at)
    return Cost(spent, peak(process) - memory, answer)


def felt(server: Server, worst: Worst) -> float:
    """The longest that `/healthz` took to answer meanwhile, in seconds."""
    health = Health(server.url)
    watcher = threading.Thread(target=health.watch)
    watcher.start()
    time.sleep(0.5)
    health.longest = 0.0
    worst(server.port)
    time.sleep(0.2)
    health.stop()
    watcher.join()
    return health.longest


def measured(server: Server, attack: Attack) -> str:
    """One row of the table."""
    idle = idling(server.process_id)
    costs = [cost(server, attack.worst, idle) for _ in range(TIMES)]
    longest = felt(server, attack.worst)
    spent = statistics.median(each.spent for each in costs)
    each, grown = spent / attack.number, max(each.grown for each in costs) / MEBIBYTE
    marks = " CPU" * (each > MOST_CPU) + " HEALTH" * (longest > MOST_HEALTH)
    return (
        f"{attack.name:<54}{spent * 1000:9.1f} ms{each * 1000:9.2f} ms{longest * 1000:7.0f} ms{grown:7.1f} MiB  "
        f"{costs[0].answer}{marks and '  over:' + marks}"
    )


def main(wanted: list[str]) -> None:
    """Print the table."""
    sys.stdout.write(f"{'attack':<54}{'CPU':>12}{'each':>12}{'health':>10}{'memory':>11}  answer\n")
    for each in ATTACKS:
        if wanted and not each.name.startswith(tuple(wanted)):
            continue
        settings = {"RATE_LIMITS": "off", "LOG_FORMAT": "json"}
        with tempfile.TemporaryDirectory() as place, Server(Path(place), settings, "--no-worker") as server:
            exchange(server.port, [head(method="GET", path="/static/pages/style.css")])  # so that nothing is new to it
            for _ in range(20):
                asked(server.port, "{ node(id: 1) { id } wrong }")
                asked(server.port, "{ node(id: 1) { id } }")
            sys.stdout.write(measured(server, each) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
