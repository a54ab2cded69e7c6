"""The commands as operators give them: in a process of their own, in an empty folder, by their exit codes and words."""

import asyncio
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import httpx
import pytest

from graph.app import office_of
from graph.settings import Settings
from mailer.samples import SAMPLES
from models.db import database
from resolvers.accounts import wishes
from resolvers.scope import Scope
from tests.graph.support.apps import settings_of
from tests.graph.support.servers import ROOT, Server

pytestmark = pytest.mark.slow

SNAPSHOT = ROOT / "schema" / "schema.graphql"
HEADER = "TypeIdentifiant;Identifiant;RaisonSociale;Adresse;CodePostal;Ville;CodePays"


def run(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """`rattache ARGUMENTS` in this folder, with these settings only."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "DATA_DIR": "data",
        "COLUMNS": "200",
        **settings,
    }
    command = [sys.executable, "-m", "graph.cli.main", *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


def test_help_names_every_command(tmp_path: Path) -> None:
    told = run(tmp_path, "--help").stdout
    commands = [
        "serve",
        "worker",
        "migrate",
        "create-admin",
        "import-structures",
        "export-schema",
        "check",
        "mail",
        "api-key",
        "jobs",
    ]
    assert re.findall(r"^  ([a-z][a-z-]+)  ", told, re.MULTILINE) == commands
    for command in commands:
        assert "Usage: rattache" in run(tmp_path, command, "--help").stdout


def test_a_command_that_logs_an_error_shows_no_values_of_variables(tmp_path: Path) -> None:
    program = """
import sys, structlog
from graph.cli import console
sys.argv[1:] = ["export-schema"]
try:
    console.run()
except SystemExit:
    secret = "hush" * 3
    try:
        raise RuntimeError(len(secret))
    except RuntimeError:
        structlog.get_logger("tests").exception("failed")
"""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60,
        check=True,
    )  # fmt: skip
    assert "RuntimeError: 12" in done.stderr
    assert "hushhush" not in done.stderr + done.stdout


def test_the_exported_schema_is_the_committed_snapshot(tmp_path: Path) -> None:
    assert run(tmp_path, "export-schema").stdout == SNAPSHOT.read_text(encoding="utf-8")


def test_check_passes_in_an_empty_folder(tmp_path: Path) -> None:
    done = run(tmp_path, "check")
    words = [line.split()[:2] for line in done.stdout.splitlines()]
    assert words == [[name, "ok"] for name in ("configuration", "database", "migrations", "mail", "storage")]
    assert (done.returncode, done.stderr) == (0, "")


def test_check_names_structures_whose_service_codes_differ_by_case_alone(tmp_path: Path) -> None:
    run(tmp_path, "migrate")
    with sqlite3.connect(tmp_path / "data" / "rattache.db") as file:
        file.execute(
            "INSERT INTO structures (id, identifier_type, identifier, name, folded_name, kind, status, managed,"
            " service_code_required, engagement_number_required, created_at)"
            " VALUES (1, 'OTHER', 'A', 'Atelier', 'atelier', 'PRIVATE', 'ACTIVE', 1, 0, 0, '2026-01-05')"
        )
        keys = [("FIN", "fin"), ("fin", "fin\x1f2"), ("DIR", "dir")]
        file.executemany(
            "INSERT INTO services (structure_id, code, code_key, name, active, engagement_number_required)"
            " VALUES (1, ?, ?, 'Service', 1, 0)",
            keys,
        )
    done = run(tmp_path, "check")
    assert "service codes  DOUBLE  Atelier: FIN, fin (rename all but one)" in done.stdout.splitlines()
    assert done.returncode == 0


def test_check_names_private_structures_that_hold_a_public_bodys_siret(tmp_path: Path) -> None:
    run(tmp_path, "migrate")
    with sqlite3.connect(tmp_path / "data" / "rattache.db") as file:
        file.executemany(
            "INSERT INTO structures (id, identifier_type, identifier, name, folded_name, kind, status, managed,"
            " service_code_required, engagement_number_required, created_at)"
            " VALUES (?, ?, ?, ?, lower(?), ?, 'ACTIVE', 1, 0, 0, '2026-01-05')",
            [
                (1, "SIRET", "21750001600019", "Ville", "Ville", "PRIVATE"),
                (2, "SIRET", "13002526500013", "Agence", "Agence", "PRIVATE"),
                (3, "SIRET", "20005478100014", "Commune", "Commune", "PUBLIC"),
                (4, "SIRET", "73282932000074", "Atelier", "Atelier", "PRIVATE"),
                (5, "OTHER", "21750001600018", "Autre", "Autre", "PRIVATE"),
            ],
        )
    done = run(tmp_path, "check")
    assert [line for line in done.stdout.splitlines() if line.startswith("structures")] == [
        "structures     PRIVATE Agence: 13002526500013 is a public body's SIRET (support corrects its kind)",
        "structures     PRIVATE Ville: 21750001600019 is a public body's SIRET (support corrects its kind)",
    ]
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("settings", "failed"),
    [
        ({"DATABASE_URL": "postgres://nobody@127.0.0.1:1/none"}, ["database", "migrations"]),
        ({"SMTP_URL": "smtp://127.0.0.1:1"}, ["mail"]),
        ({"STORAGE_URL": "file:///dev/null/files"}, ["storage"]),
        ({"TIME_ZONE": "Mars/Olympus"}, ["configuration"]),
    ],
)
def test_check_names_what_fails(tmp_path: Path, settings: dict[str, str], failed: list[str]) -> None:
    done = run(tmp_path, "check", **settings)
    assert [line.split()[0] for line in done.stdout.splitlines() if "FAILED" in line] == failed
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize(
    ("arguments", "settings", "code", "sentence"),
    [
        (["serve"], {"SESSION_IDLE": "soon"}, 2,
         "SESSION_IDLE must be a number with s, m, h or d behind it, such as 12h."),
        (["serve", "--workers", "2"], {}, 2,
         "--workers needs PostgreSQL, since an SQLite file is served by one process: set DATABASE_URL."),
        (["serve", "--demo", "--host", "192.0.2.1"], {}, 2,
         "--demo has known passwords: it listens at 127.0.0.1 only."),
        (["serve", "--demo", "--workers", "2"], {}, 2, "--demo is served by one process: leave --workers out."),
        (["create-admin", "nobody"], {}, 1,
         "Enter an e-mail address such as name@example.com, without accents before the at sign."),
        (["jobs", "run", "dusting"], {}, 1,
         "There is no job dusting: there are attachment-reminders, subscription-reminders, attachment-endings,"
         " absent-holders, expired-offers, document-scans, document-sweep, object-sweep, daily-digest, weekly-recap."),
        (["mail", "show", "7"], {}, 1, "There is no mail 7."),
        (["api-key", "revoke", "erp"], {}, 1, "No key named erp is in use."),
        (["api-key", "create", " "], {}, 1, "This field is mandatory."),
    ],
)  # fmt: skip
def test_what_can_not_be_done_is_told_in_one_sentence(
    tmp_path: Path, arguments: list[str], settings: dict[str, str], code: int, sentence: str
) -> None:
    done = run(tmp_path, *arguments, **settings)
    assert (done.returncode, done.stderr) == (code, f"rattache: {sentence}\n")


def test_a_database_out_of_reach_is_told_without_a_traceback(tmp_path: Path) -> None:
    done = run(tmp_path, "migrate", DATABASE_URL="postgres://nobody@127.0.0.1:1/none")
    assert done.returncode == 1
    assert done.stderr.startswith("rattache: The database can't be used: ")
    assert "Traceback" not in done.stderr


def test_a_package_of_the_same_name_from_elsewhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "schema.py").write_text("")
    done = run(tmp_path, "check", PYTHONPATH=os.pathsep.join([str(tmp_path / "other"), str(ROOT)]))
    expected = "The package `schema` that Python finds isn't rattache's: give rattache an environment of its own."
    assert (done.returncode, done.stderr) == (2, f"rattache: {expected}\n")


def test_an_operator_makes_an_administrator_whose_link_works(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        settings = {"DATA_DIR": str(tmp_path / "data"), "PUBLIC_URL": server.url}
        done = run(tmp_path, "create-admin", "root@people.example", **settings)
        first, _, link = done.stdout.splitlines()
        assert first == "root@people.example has the role ADMIN."
        assert link.startswith(f"{server.url}/account/activate?token=")
        assert httpx.get(link).status_code == 200
        again = run(tmp_path, "create-admin", "ROOT@people.example", "--support", **settings)
        assert again.stdout.startswith("ROOT@people.example has the role SUPPORT.\n")
        assert httpx.get(link).status_code == 404
    assert "token=" not in server.written()


def test_a_directory_is_imported_and_its_wrong_lines_reported(tmp_path: Path) -> None:
    lines = [
        HEADER,
        "SIRET;73282932000074;Vasseur Conseil;1 rue de la Paix;35000;Rennes;FR",
        "SIRET;12345678912345;Fausse;1 rue de la Paix;35000;Rennes;FR",
    ]
    (tmp_path / "directory.csv").write_text("\n".join(lines), encoding="utf-8")
    first = run(tmp_path, "import-structures", "directory.csv")
    again = run(tmp_path, "import-structures", "directory.csv")
    refused = "The refused lines and why are in directory.csv.refused.csv."
    assert first.stdout.splitlines() == ["1 new, 0 changed, 0 same, 0 managed, 1 refused, 0 emptied.", refused]
    assert again.stdout.splitlines() == ["0 new, 0 changed, 1 same, 0 managed, 1 refused, 0 emptied.", refused]
    assert (first.returncode, again.returncode) == (0, 0)
    (tmp_path / "directory.csv").write_text("Nom;Ville\n", encoding="utf-8")
    wrong = run(tmp_path, "import-structures", "directory.csv")
    assert wrong.returncode == 1
    assert wrong.stderr.endswith("its first line lacks TypeIdentifiant, Identifiant, RaisonSociale.\n")


async def _grant_wishes(installation: Settings) -> None:
    await database.connect(installation.database)
    await wishes.grant(Scope(office_of(installation)))
    await database.close()


LONG_ADDRESS = f"noor.{'van.' * 12}ede@department-of-long-names.people.example"


def test_mails_are_listed_shown_and_tried_again(tmp_path: Path) -> None:
    with Server(tmp_path, None, "--no-worker") as server:
        settings = {"DATA_DIR": str(tmp_path / "data")}
        query = f"""mutation {{ signUp(input: {{loginEmail: "{LONG_ADDRESS}", firstName: "Noor", lastName: "V",
          language: EN, acceptTerms: true}}) {{ acknowledged }} }}"""
        httpx.post(f"{server.url}/graphql", json={"query": query}).raise_for_status()
        asyncio.run(_grant_wishes(settings_of(tmp_path)))
        listed = run(tmp_path, "mail", "list", **settings).stdout
        as_json = run(tmp_path, "mail", "list", "--json", **settings).stdout
        shown = run(tmp_path, "mail", "show", "1", **settings).stdout
        dead = run(tmp_path, "mail", "list", "--dead", **settings).stdout
        retried = run(tmp_path, "mail", "retry", "1", **settings).stdout
        previews = run(tmp_path, "mail", "preview", "previews").stdout
    assert previews == f"{2 * len(SAMPLES)} mails are in previews.\n"
    assert "Activez votre compte" in (tmp_path / "previews/fr/account_activation.html").read_text(encoding="utf-8")
    first, line = (text.split("\t") for text in listed.splitlines())
    assert first == ["id", "state", "message", "to", "due", "tries", "last error"]
    assert (line[0], line[2:4], line[6]) == ("1", ["account_activation", LONG_ADDRESS], "")
    known = json.loads(as_json)
    assert (known["id"], known["to"], known["message"]) == (1, LONG_ADDRESS, "account_activation")
    assert datetime.fromisoformat(known["due"]).tzinfo is not None
    assert "account_activation" not in dead
    assert f"address: {LONG_ADDRESS}\n" in shown
    assert retried == "1 mails will be tried again.\n"


def test_an_operator_lets_an_integration_in_and_stops_it(tmp_path: Path) -> None:
    query = """mutation { recordActivities(input: [{key: "1", structureIdentifier: {type: SIRET, value: "73282932000074"},
      kind: EVENT, title: "T", occurredAt: "2026-01-31T09:30:00Z"}]) { recorded errors { code path } } }"""
    with Server(tmp_path, {"LOG_FORMAT": "json"}) as server:
        settings = {"DATA_DIR": str(tmp_path / "data")}
        made = run(tmp_path, "api-key", "create", "erp", **settings)
        key = made.stdout.removesuffix("\n")
        assert re.fullmatch(r"rattache_[A-Za-z0-9_-]{43}", key)
        assert made.stderr == "The key of erp, which is shown only now:\n"
        twice = run(tmp_path, "api-key", "create", "erp", **settings)
        headers = {"authorization": f"ApiKey {key}"}
        answer = httpx.post(f"{server.url}/graphql", json={"query": query}, headers=headers).json()
        listed = run(tmp_path, "api-key", "list", **settings).stdout
        revoked = run(tmp_path, "api-key", "revoke", "erp", **settings).stdout
        refused = httpx.post(f"{server.url}/graphql", json={"query": query}, headers=headers).json()
    taken = "A key in use has this name already: revoke it, or choose another name."
    assert (twice.returncode, twice.stdout, twice.stderr) == (1, "", f"rattache: {taken}\n")
    unknown = {"code": "NOT_FOUND", "path": ["0", "structureIdentifier"]}
    assert answer["data"] == {"recordActivities": {"recorded": 0, "errors": [unknown]}}
    assert "erp" in listed
    assert revoked == "The key of erp is revoked.\n"
    assert refused["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    assert key.removeprefix("rattache_") not in server.written() + listed


def test_an_operator_gives_a_key_its_last_day_and_sees_it_in_the_list(tmp_path: Path) -> None:
    made = run(tmp_path, "api-key", "create", "erp", "--until", "2099-06-30")
    past = run(tmp_path, "api-key", "create", "crm", "--until", "2020-06-30")
    wrong = run(tmp_path, "api-key", "create", "crm", "--until", "30/06/2099")
    listed = run(tmp_path, "api-key", "list").stdout
    key = made.stdout.removesuffix("\n")
    assert re.fullmatch(r"rattache_[A-Za-z0-9_-]{43}", key)
    assert (past.returncode, past.stdout, past.stderr) == (1, "", "rattache: This date is in the past.\n")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    (row,) = [line for line in listed.splitlines() if "erp" in line]
    id, name, created, used, ends, revoked = (cell.strip() for cell in row.strip("│").split("│"))
    assert (id, name, used, ends, revoked) == ("1", "erp", "", "2099-06-30 22:00:00", "")  # midnight in Paris
    assert datetime.fromisoformat(created)
    assert key.removeprefix("rattache_") not in listed


def test_a_server_stops_when_asked_and_its_worker_with_it(tmp_path: Path) -> None:
    server = Server(tmp_path, {"LOG_FORMAT": "json"})
    with server:
        pass
    assert "Application shutdown complete." in server.written()
    assert "Traceback" not in server.written()


def test_two_processes_serve_together_within_their_bounds_and_stop_when_asked(
    tmp_path: Path, postgres_database: str
) -> None:
    given = {"DATABASE_URL": postgres_database, "LOG_FORMAT": "json", "CONNECTIONS_PER_SOURCE": "4"}
    server = Server(tmp_path, given, "--no-worker", "--workers", "2")
    with server, ExitStack() as stack:
        first = server.process_id
        clients = [stack.enter_context(httpx.Client(base_url=server.url, timeout=60)) for _ in range(12)]
        statuses = Counter(_status(client) for client in clients)  # each keeps its connection
        assert set(statuses) == {200, 503}
        assert 4 <= statuses[200] <= 8  # of each process, four
        os.kill(first, signal.SIGTERM)  # as a service manager does: the first tells the others
        deadline = time.monotonic() + 30
        while server.written().count("Application shutdown complete.") < 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    while _runs(first):  # the last of them, multiprocessing's own, ends once it sees that the others have
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert "Traceback" not in server.written()


def _runs(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def _status(client: httpx.Client) -> int:
    try:
        return client.post("/graphql", json={"query": "{ me { id } }"}).status_code
    except httpx.TransportError:
        return 503  # closed while the request was still written


def test_a_busy_machine_makes_no_crash_of_a_process_that_used_the_store(tmp_path: Path) -> None:
    code = (
        "import asyncio, os, sys\n"
        "if hasattr(os, 'sched_setaffinity'):\n"
        "    os.sched_setaffinity(0, {0})\n"
        "from obstore import delete_async, put_async\n"
        "from obstore.store import LocalStore\n"
        "from graph.cli.main import end\n"
        "async def use():\n"
        "    store = LocalStore(sys.argv[1], mkdir=True)\n"
        "    await put_async(store, 'k', b'content')\n"
        "    await delete_async(store, 'k')\n"
        "asyncio.run(use())\n"
        "print('used')\n"
        "end(7)\n"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path / str(number))], stdout=subprocess.PIPE, text=True)
        for number in range(12)
    ]
    ended = [(process.communicate()[0], process.returncode) for process in processes]
    assert ended == [("used\n", 7)] * 12
