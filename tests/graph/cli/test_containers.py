"""What `Dockerfile` and `compose.yaml` say is run as steps, without a container engine: commands, settings, health.

`.ci/run` makes and installs the wheel by the Dockerfile's own lines, by `.ci/image.py`.
"""

import asyncio
import json
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from graph.settings import Settings
from tests.conftest import new_postgres, on_server
from tests.graph.support.servers import Server, Worker

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
STEPS: list[tuple[str, str]] = list(
    runpy.run_path(str(ROOT / ".ci/image.py"))["steps"]((ROOT / "Dockerfile").read_text("utf-8"))
)
COMPOSED: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
OURS = {name: service for name, service in COMPOSED["services"].items() if "build" in service}
GIVEN = {"SECRET_KEY": "the key of the containers, 32 or more", "POSTGRES_PASSWORD": "secret"}
VARIABLE = re.compile(r"\$\{(\w+):(?:\?|-([^}]*))\}")


def environment(service: str) -> dict[str, str]:
    """What a service's process has in its environment."""

    def fill(found: re.Match[str]) -> str:
        return GIVEN[found[1]] if found[2] is None else found[2]

    return {name: VARIABLE.sub(fill, value) for name, value in OURS[service]["environment"].items()}


@pytest.fixture
def postgres(worker_id: str) -> Iterator[str]:
    """The address of an empty database, which the server migrates."""
    name = f"rattache_containers_{worker_id}_{os.getpid()}"
    yield asyncio.run(new_postgres(name))
    asyncio.run(on_server(f"DROP DATABASE {name} WITH (FORCE)"))


def check_health(command: list[str], port: str, server: Server) -> None:
    """Run a health check inside, at the port that the process has here."""
    kind, program, *rest = command if command[0] == "CMD" else ["CMD", *command]
    assert (kind, program) == ("CMD", "python")
    assert f":{port}/" in rest[-1]
    subprocess.run([sys.executable, *rest[:-1], rest[-1].replace(f":{port}/", f":{server.port}/")], check=True)


def test_the_image_copies_what_is_there_and_starts_a_command_that_is_ours() -> None:
    copied = [rest.split()[0] for kind, rest in STEPS if kind == "COPY" and not rest.startswith("--from")]
    assert [path for path in copied if not (ROOT / path).exists()] == []
    assert [rest.split()[0] for kind, rest in STEPS if kind == "RUN"] == ["pip", "pip", "install"]
    (command,) = [json.loads(rest) for kind, rest in STEPS if kind == "CMD"]
    assert command == [*OURS["server"]["command"][:-1]]  # without a worker beside it, the server sends mails itself


def test_the_services_name_settings_that_there_are_and_refuse_to_start_without_secrets() -> None:
    known = {name.upper() for name in Settings.model_fields}
    assert set(OURS) == {"server", "worker"}
    for name in OURS:
        assert set(environment(name)) <= known
    hosts = set(re.findall(r"(?:@|//)(\w+):\d", " ".join(environment("server").values())))
    assert hosts == {"postgres", "redis", "clamd"} == set(COMPOSED["services"]) - set(OURS)
    text = (ROOT / "compose.yaml").read_text("utf-8")
    assert set(re.findall(r"\$\{(\w+):\?\}", text)) == set(GIVEN)


def test_server_and_worker_of_the_services_run_and_pass_their_health_checks(tmp_path: Path, postgres: str) -> None:
    (health,) = [rest.partition(" CMD ")[2] for kind, rest in STEPS if kind == "HEALTHCHECK"]
    # here the database is another, and no scanner listens
    here = {"DATABASE_URL": postgres, "REDIS_URL": "", "CLAMD_URL": "", "DATA_DIR": str(tmp_path / "data")}
    with ExitStack() as running:
        server = Server(tmp_path, {**environment("server"), **here})
        program, *arguments = OURS["server"]["command"]
        assert program == "rattache"
        server.arguments = (*arguments, "--port", str(server.port))
        running.enter_context(server)
        check_health(json.loads(health), "8000", server)
        worker = Worker(tmp_path, {**environment("worker"), **here})
        worker.arguments = tuple(OURS["worker"]["command"][1:])
        worker._environment["WORKER_LISTEN"] = environment("worker")["WORKER_LISTEN"].replace("9100", str(worker.port))
        running.enter_context(worker)
        check_health(OURS["worker"]["healthcheck"]["test"], "9100", worker)
