"""The demo world: there after the first start, the same after the second, and open to its people."""

from pathlib import Path
from typing import Any

import pytest

from graph.cli import demo, serve
from graph.cli.demo import ForeignWorld
from graph.settings import SettingsRefused
from models.accounts.accounts import Account
from models.accounts.tokens import OneTimeToken
from models.activities.activities import Activity
from models.activities.api_keys import ApiKey
from models.attachments.attachments import Attachment
from models.events.events import Event
from models.mail.outbox import Mail
from models.structures.structures import Structure
from resolvers.activities import api_keys
from resolvers.scope import Office, Scope
from tests.conftest import Clock
from tests.graph.cli.test_commands import run
from tests.graph.support.apps import SIGN_IN, ask, served, settings_of
from tests.support import factories, invariants

pytestmark = pytest.mark.slow

WORLD = """{ me { attachments(first: 10) { edges { node { role status structure { name kind } } } }
  attachmentsToReview(first: 10) { totalCount } activities { totalCount } } }"""
TABLES: tuple[Any, ...] = (Account, Structure, Attachment, Event, Mail, OneTimeToken, Activity, ApiKey)


async def test_a_second_start_doubles_nothing(db: str, office: Office, clock: Clock) -> None:
    await demo.prepare(office)
    await invariants.check(clock.now)
    made = [await table.all().count() for table in TABLES]
    await demo.prepare(office)
    assert [await table.all().count() for table in TABLES] == made
    assert (made[:3], made[-2:]) == ([5, 3, 6], [3, 1])


async def test_what_people_changed_stays(db: str, office: Office) -> None:
    await demo.prepare(office)
    await Account.filter(login_email=demo.LEA).update(first_name="Lea-Rose")
    await Structure.filter(name="Ateliers Delmas").update(name="Ateliers D.")
    await demo.prepare(office)
    assert (await Account.get(login_email=demo.LEA)).first_name == "Lea-Rose"
    assert await Structure.all().count() == 3


async def test_a_revoked_integration_of_the_demo_stays_revoked(db: str, office: Office) -> None:
    await demo.prepare(office)
    await api_keys.revoke(Scope(office), demo.INVOICING)
    await demo.prepare(office)
    assert await ApiKey.filter(revoked_at=None).count() == 0


@pytest.mark.parametrize(
    ("email", "attachments", "to_review", "activities"),
    [
        (demo.CLAIRE, {("PRINCIPAL_MANAGER", "VALIDATED", "Ateliers Delmas", "PRIVATE"),
                       ("PRINCIPAL_MANAGER", "VALIDATED", "Transports Armor Littoral", "PRIVATE")}, 1, 3),
        (demo.SAMIR, {("SECONDARY_MANAGER", "VALIDATED", "Ateliers Delmas", "PRIVATE")}, 0, 3),
        (demo.LEA, {("SIMPLE_USER", "VALIDATED", "Ateliers Delmas", "PRIVATE"),
                    ("SIMPLE_USER", "PENDING", "Transports Armor Littoral", "PRIVATE")}, 0, 2),
        (demo.NADIA, {("PRINCIPAL_MANAGER", "VALIDATED", "Commune de Valombre-sur-Ille", "PUBLIC")}, 0, 0),
        (demo.SUPPORT, set(), 0, 0),
    ],
)  # fmt: skip
async def test_everyone_of_the_demo_signs_in_and_finds_their_own(
    tmp_path: Path, email: str, attachments: set[tuple[str, ...]], to_review: int, activities: int
) -> None:
    async with served(settings_of(tmp_path), sends=False, prepare=demo.prepare) as client:
        entry = await ask(client, SIGN_IN, email=email, password=demo.PASSWORD)
        assert entry["data"]["signIn"]["account"] == {"loginEmail": email}
        me = (await ask(client, WORLD))["data"]["me"]
    nodes = [edge["node"] for edge in me["attachments"]["edges"]]
    found = {(node["role"], node["status"], node["structure"]["name"], node["structure"]["kind"]) for node in nodes}
    assert found == attachments
    assert me["attachmentsToReview"]["totalCount"] == to_review
    assert me["activities"]["totalCount"] == activities


async def test_the_identifier_of_the_example_is_free(db: str, office: Office) -> None:
    await demo.prepare(office)
    assert not await Structure.filter(identifier="73282932000074").exists()


def test_the_accounts_are_told_as_the_demo_starts(tmp_path: Path) -> None:
    told = demo.told(settings_of(tmp_path))
    for email in demo.PEOPLE:
        assert email in told
    assert "http://127.0.0.1:8000/graphql" in told
    assert "Demonstration-2026!" in told


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"DATABASE_URL": "sqlite://real.db"}, "DATABASE_URL"),
        ({"DATABASE_URL": "postgres://nobody@127.0.0.1:1/none", "REDIS_URL": "redis://127.0.0.1:1"},
         "DATABASE_URL, REDIS_URL"),
        ({"STORAGE_URL": "file:///nowhere/documents", "SMTP_URL": "smtp://127.0.0.1:1"}, "STORAGE_URL, SMTP_URL"),
        ({"PUBLIC_URL": "https://accounts.example.org"}, "PUBLIC_URL"),
    ],
)  # fmt: skip
def test_the_demo_refuses_to_start_where_an_installation_is_set(
    settings: dict[str, str], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    sentence = f"--demo has known passwords and a world of its own on this machine: start it without {named}."
    with pytest.raises(SettingsRefused) as refused:
        serve.read("127.0.0.1", 8000, with_demo=True)
    assert str(refused.value) == sentence


def test_an_operator_who_starts_the_demo_on_a_database_is_refused_in_one_sentence(tmp_path: Path) -> None:
    done = run(tmp_path, "serve", "--demo", DATABASE_URL="sqlite://real.db")
    sentence = "--demo has known passwords and a world of its own on this machine: start it without DATABASE_URL."
    assert (done.returncode, done.stderr, done.stdout) == (2, f"rattache: {sentence}\n", "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # whose file is as it was migrated
async def test_a_new_database_has_nobody_who_could_sign_in(db: str) -> None:
    assert [await table.all().count() for table in TABLES] == [0] * len(TABLES)


async def test_the_demo_is_not_made_in_a_database_that_has_other_people(db: str, office: Office) -> None:
    await factories.person()
    before = [await table.all().count() for table in TABLES]
    with pytest.raises(ForeignWorld):
        await demo.prepare(office)
    assert [await table.all().count() for table in TABLES] == before


async def test_the_demo_is_not_made_in_a_database_that_has_structures(db: str, office: Office) -> None:
    await factories.structure()
    with pytest.raises(ForeignWorld):
        await demo.prepare(office)
    assert await Account.all().count() == 0


def test_the_demo_says_that_its_folder_holds_another_world(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "demo"
    run(tmp_path, "create-admin", "root@people.example", DATA_DIR=str(folder))
    done = run(tmp_path, "serve", "--demo")
    sentence = "The database of the demo holds people or structures that aren't the demo's: it is left as it is."
    assert (done.returncode, done.stderr) == (2, f"rattache: {sentence}\n")
