"""The real server as a process of its own: `rattache serve`, started, killed without warning and started again."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

ROOT = Path(__file__).parents[3]
COMMAND = "from graph.cli.main import main; main()"
START_SECONDS = 30
STOP_SECONDS = 30
# Nothing of the developer's own settings may reach the server.
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")


class ServerNotStarted(Exception):
    """The server ended or stayed silent; the text is the end of what it wrote."""


class Server:
    """One installation: its folder, its settings and its port stay the same through every start.

    As a context it is running inside, and gone after.
    """

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None, *options: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "server.log"
        self.command: tuple[str, ...] = ("-c", COMMAND)
        self.ready_by: tuple[str, ...] = ("/healthz", "/readyz")
        self.arguments: tuple[str, ...] = ("serve", "--host", "127.0.0.1", "--port", str(self.port), *options)
        self._environment = (
            {name: os.environ[name] for name in KEPT if name in os.environ}
            | {"PYTHONPATH": str(ROOT), "DATA_DIR": str(folder / "data"), "PUBLIC_URL": self.url}
            | dict(settings or {})
        )
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Run the process and return once it is ready, its database open.

        Raises:
            ServerNotStarted: when it ended, or isn't ready within half a minute.
        """
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, *self.command, *self.arguments],
                cwd=self.folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise ServerNotStarted(self.written()[-4000:])
            time.sleep(0.05)

    def kill(self) -> None:
        """End the process and all it started at once, as a power cut would: nothing of it runs any more."""
        self._signal(signal.SIGKILL)

    def stop(self) -> None:
        """Ask the process to end, and see that it does."""
        self._signal(signal.SIGTERM)

    @property
    def process_id(self) -> int:
        """The number of the running process.

        Raises:
            ServerNotStarted: when none runs.
        """
        if self._process is None:
            raise ServerNotStarted("no process runs")
        return self._process.pid

    def written(self) -> str:
        """All that the server wrote, over every start."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def _is_ready(self) -> bool:
        try:
            return all(httpx.get(self.url + path, timeout=5).status_code == 200 for path in self.ready_by)
        except httpx.TransportError:
            return False

    def _signal(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            os.killpg(process.pid, number)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise


class Worker(Server):
    """The same of `rattache worker`, which answers at a port of its own."""

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        super().__init__(folder, settings)
        self.arguments = ("worker",)
        self._environment |= {"WORKER_LISTEN": f"127.0.0.1:{self.port}"}


def free_port() -> int:
    """A port of the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
