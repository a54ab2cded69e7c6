"""What one hostile client costs the server: its processor time, its memory, and what others feel of it meanwhile.

    python -m tests.benchmarks.attacks
    python -m tests.benchmarks.attacks "Content-Type" "Cookie"    # those whose names begin so

An attack is a function that is given the server's port and does its worst; its name is its first line in the table.
To add one, write the function and put `@attack("what it is")` above it. Everything is measured at the server's process
from the first byte to the last answer, `/healthz` being asked all the while on a connection of its own.
"""

import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.graph.servers import Server

KIBIBYTE = 1024
MEBIBYTE = KIBIBYTE * KIBIBYTE
PATIENCE = 200.0
MOST_CPU = 0.020
MOST_HEALTH = 0.100

Worst = Callable[[int], str]
ATTACKS: dict[str, Worst] = {}


def attack(name: str) -> Callable[[Worst], Worst]:
    """Put the function into the table by this name."""

    def listed(worst: Worst) -> Worst:
        ATTACKS[name] = worst
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


@attack("2,000 connections that say nothing")
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


def measured(server: Server, name: str, worst: Worst) -> str:
    """One row of the table: what the attack cost beyond what asking for health costs by itself."""
    process = server.process_id
    forget(process)
    memory, health = peak(process), Health(server.url)
    watcher = threading.Thread(target=health.watch)
    watcher.start()
    time.sleep(1)
    began, at = cpu(process), time.perf_counter()
    time.sleep(1)
    idle = (cpu(process) - began) / (time.perf_counter() - at)
    health.longest = 0.0
    began, at = cpu(process), time.perf_counter()
    told = worst(server.port)
    time.sleep(0.2)
    spent = cpu(process) - began - idle * (time.perf_counter() - at)
    longest = health.longest
    health.stop()
    watcher.join()
    grown = (peak(process) - memory) / MEBIBYTE
    marks = ("" if spent <= MOST_CPU else " CPU") + ("" if longest <= MOST_HEALTH else " HEALTH")
    return (
        f"{name:<54}{spent * 1000:9.1f} ms{longest * 1000:9.0f} ms{grown:9.1f} MiB  {told}{marks and '  over:' + marks}"
    )


def main(wanted: list[str]) -> None:
    """Print the table."""
    sys.stdout.write(f"{'attack':<54}{'CPU':>12}{'health':>12}{'memory':>13}  answer\n")
    for name, worst in ATTACKS.items():
        if wanted and not name.startswith(tuple(wanted)):
            continue
        settings = {"RATE_LIMITS": "off", "LOG_FORMAT": "json"}
        with tempfile.TemporaryDirectory() as place, Server(Path(place), settings, "--no-worker") as server:
            question(server.port)
            exchange(server.port, [head(method="GET", path="/static/pages/style.css")])  # so that nothing is new to it
            sys.stdout.write(measured(server, name, worst) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
