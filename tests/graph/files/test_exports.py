"""Exports over HTTP: what the files hold in both languages, and who gets them with which address, until when."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest

from graph.http.authentication import COOKIE
from models.accounts.accounts import Account, AccountState
from models.accounts.actors import PlatformRole
from models.attachments.attachments import Attachment, AttachmentService, AttachmentStatus, Role
from models.events.events import Event
from models.structures.identifiers import IdentifierType
from models.structures.services import Service
from models.structures.structures import Structure, StructureKind, StructureStatus
from models.subscriptions.spaces import SpaceCode
from models.subscriptions.subscriptions import SpaceSubscription, SpaceSubscriptionStatus, SubscriptionMode
from resolvers import tickets
from resolvers.signed_urls import Signer
from tests.conftest import Clock
from tests.graph.support.apps import ask, served, settings_of
from tests.graph.support.downloads import cells, search_url, token_of, users_url
from tests.support import factories

BAD_LINK = "Ce lien n'est pas valable.\n"
OLD_LINK = "Ce lien a expiré : demandez-en un autre.\n"
STRUCTURE_COLUMNS = {
    "fr": [
        "Type d'identifiant", "Identifiant", "Raison sociale", "Nature", "Statut", "Adresse", "Complément d'adresse 1",
        "Complément d'adresse 2", "Code postal", "Ville", "Code pays", "Courriel", "Téléphone", "Code service exigé",
        "Numéro d'engagement exigé",
    ],
    "en": [
        "Identifier type", "Identifier", "Name", "Kind", "Status", "Address", "Address complement 1",
        "Address complement 2", "Postcode", "City", "Country code", "E-mail", "Telephone", "Service code required",
        "Engagement number required",
    ],
}  # fmt: skip
USER_COLUMNS = {
    "fr": [
        "Nom", "Courriel de contact", "Rôle", "Statut", "Valable du", "Valable jusqu'au", "Services", "Espaces",
        "En vigueur",
    ],
    "en": [
        "Name", "Contact e-mail", "Role", "Status", "Valid from", "Valid until", "Services", "Spaces", "In effect",
    ],
}  # fmt: skip


def _refused(response: httpx.Response, status: int = 403, text: str = BAD_LINK) -> None:
    assert (response.status_code, response.text) == (status, text)
    assert response.headers["cache-control"] == "no-store"
    assert "content-disposition" not in response.headers


# ------------------------------------------------------------------ structures
async def _directory() -> None:
    """Structures over several batches, many of one name, and some that a spreadsheet or a reader would stumble over."""
    common = {
        "identifier_type": IdentifierType.OTHER, "kind": StructureKind.PRIVATE, "created_at": factories.LONG_AGO,
        "line1": "1 rue des Écoles", "postcode": "27000", "city": "Évreux", "folded_city": "evreux", "country": "FR",
    }  # fmt: skip
    await Structure.bulk_create(
        [
            Structure(identifier=f"N{number}", name="Société du Nœud", folded_name="societe du noeud", **common)
            for number in range(1_300)
        ]
    )
    odd = ['=cmd|" /C calc"!A0', 'Dupont; "Fils"', "Deux\nlignes", "@import", "-10 %", "Zoé"]
    await Structure.bulk_create(
        [
            Structure(identifier=f"O{number}", name=name, folded_name=f"z{number}", **common)
            for number, name in enumerate(odd)
        ]
    )


async def test_a_search_comes_whole_and_in_order_over_several_batches(tmp_path: Path, database_url: str) -> None:
    async with served(settings_of(tmp_path, database_url), sends=False) as client:
        await _directory()
        ada = await factories.person()
        response = await client.get(await search_url(client, ada))
        assert response.status_code == 200
        assert response.content.startswith(b"\xef\xbb\xbfType d'identifiant;Identifiant;")
        header, *rows = cells(response.content)
        assert header == STRUCTURE_COLUMNS["fr"]
        assert [row[1] for row in rows] == [f"N{number}" for number in range(1_300)] + [f"O{n}" for n in range(6)]
        assert rows[0] == [
            "AUTRE", "N0", "Société du Nœud", "privée", "active", "1 rue des Écoles", "", "", "27000", "Évreux", "FR",
            "", "", "non", "non",
        ]  # fmt: skip
        assert [row[2] for row in rows[1_300:]] == [
            "'=cmd|\" /C calc\"!A0", 'Dupont; "Fils"', "Deux\nlignes", "'@import", "'-10 %", "Zoé",
        ]  # fmt: skip
        assert b'"Dupont; ""Fils""";' in response.content
        assert response.content.endswith(b"non;non\r\n")


async def test_a_search_by_name_comes_whole_too(tmp_path: Path, database_url: str) -> None:
    async with served(settings_of(tmp_path, database_url), sends=False) as client:
        await _directory()
        url = await search_url(client, await factories.person(), '{name: "NŒUD", city: "evreux"}')
        rows = cells((await client.get(url)).content)[1:]
        assert [row[1] for row in rows] == [f"N{number}" for number in range(1_300)]


async def test_a_file_is_a_download_that_nothing_keeps_or_interprets(
    tmp_path: Path, database_url: str, clock: Clock
) -> None:
    async with served(settings_of(tmp_path, database_url), clock=clock, sends=False) as client:
        ada = await factories.person()
        url = await search_url(client, ada)
        for response in (await client.get(url), await client.head(url)):
            assert response.status_code == 200
            assert response.headers["content-type"] == "text/csv; charset=utf-8"
            assert response.headers["content-disposition"] == 'attachment; filename="structures-2027-03-15.csv"'
            assert response.headers["cache-control"] == "no-store"
            assert response.headers["x-content-type-options"] == "nosniff"
            assert response.headers["content-language"] == "fr"
            assert "content-length" not in response.headers
        assert response.content == b""
        assert (await client.post(url)).status_code == 405


async def test_an_english_reader_gets_english_columns_and_words(tmp_path: Path, database_url: str) -> None:
    async with served(settings_of(tmp_path, database_url), sends=False) as client:
        ada = await factories.person()
        await factories.structure(
            identifier_type=IdentifierType.NON_EU, identifier="US123", name="Widgets", kind=StructureKind.PUBLIC,
            status=StructureStatus.INACTIVE, email="w@widgets.example", phone="+1 555 0100", line2="Suite 2",
            service_code_required=True,
        )  # fmt: skip
        url = await search_url(client, ada, '{identifier: "us123"}', language="en")
        response = await client.get(url, headers={"accept-language": "fr"})
        assert cells(response.content) == [
            STRUCTURE_COLUMNS["en"],
            [
                "NON_EU", "US123", "Widgets", "public", "inactive", "1 rue des Essais", "Suite 2", "", "75001", "Paris",
                "FR", "w@widgets.example", "'+1 555 0100", "yes", "no",
            ],
        ]  # fmt: skip


@pytest.mark.parametrize("criteria", ["{}", '{name: "  "}', '{identifier: "a\\u200b"}'])
async def test_a_search_that_is_refused_has_no_address(tmp_path: Path, database_url: str, criteria: str) -> None:
    async with served(settings_of(tmp_path, database_url), sends=False) as client:
        headers = {"authorization": f"Bearer {await token_of(client, await factories.person())}"}
        answer = await ask(client, f"{{ structures(search: {criteria}) {{ exportUrl }} }}", headers)
        assert answer["data"] is None
        assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_half_an_address_is_shown_no_more_than_by_the_api(tmp_path: Path, database_url: str) -> None:
    async with served(settings_of(tmp_path, database_url), sends=False) as client:
        ada = await factories.person()
        await factories.structure(line1=None, country=None, name="Imported")
        response = await client.get(await search_url(client, ada, '{postcode: "75001"}'))
        assert cells(response.content)[1][5:11] == [""] * 6


async def test_a_search_that_finds_nothing_gives_the_columns_alone(tmp_path: Path, database_url: str) -> None:
    async with served(settings_of(tmp_path, database_url), sends=False) as client:
        url = await search_url(client, await factories.person(), f'{{name: "{"nowhere " * 31}"}}')
        assert len(url) < 2_000
        assert cells((await client.get(url)).content) == [STRUCTURE_COLUMNS["fr"]]


# ------------------------------------------------------------------ users
async def _house() -> tuple[Account, Account, Structure]:
    """A structure with its principal manager, a simple user of two services and two spaces, and two more people."""
    zoe = await factories.person(first_name="Zoé", last_name="Zola", contact_email="zoe@people.example")
    lea = await factories.person(first_name="Léa", last_name="Bœuf; fils", contact_email="=lea@people.example")
    structure = await factories.structure(zoe, name="Ateliers de l'Étang")
    attached = await factories.attachment(lea, structure, valid_until=date(2027, 12, 31))
    for code in ("S2", "S1"):
        service = await Service.create(structure=structure, code=code, name=f"Service {code}")
        await AttachmentService.create(attachment=attached, service=service)
    for space, mode, since, status in (
        (SpaceCode.COMMITMENTS, SubscriptionMode.WRITE, date(2027, 4, 1), SpaceSubscriptionStatus.VALIDATED),
        (SpaceCode.HOME, SubscriptionMode.READ, date(2026, 1, 5), SpaceSubscriptionStatus.VALIDATED),
        (SpaceCode.LEGAL_FEES, SubscriptionMode.READ, date(2026, 1, 5), SpaceSubscriptionStatus.PENDING),
    ):
        decided: dict[str, Any] = {"decided_at": factories.LONG_AGO} if status == "VALIDATED" else {}
        await SpaceSubscription.create(
            user=lea, structure=structure, space=space, mode=mode, effective_from=since, status=status,
            requested_at=factories.LONG_AGO, **decided,
        )  # fmt: skip
    await factories.attachment(
        await factories.person(first_name="Abe", last_name="Aa"), structure, valid_until=date(2027, 3, 14)
    )
    await factories.attachment(
        await factories.person(first_name="Bob", last_name="Aa"), structure, status=AttachmentStatus.PENDING
    )
    return zoe, lea, structure


async def test_a_manager_gets_the_users_with_their_rights(tmp_path: Path, database_url: str, clock: Clock) -> None:
    async with served(settings_of(tmp_path, database_url), clock=clock, sends=False) as client:
        zoe, _, structure = await _house()
        url = await users_url(client, zoe, structure)
        assert url is not None
        response = await client.get(url)
        assert response.headers["content-disposition"] == (
            'attachment; filename="utilisateurs-ateliers-de-l-etang-2027-03-15.csv"'
        )
        header, *rows = cells(response.content)
        assert header == USER_COLUMNS["fr"]
        by_name = {row[0]: row[2:] for row in rows}
        assert by_name == {
            "Abe Aa": ["utilisateur simple", "désactivé", "2026-01-05", "2027-03-14", "", "", "non"],
            "Bob Aa": ["utilisateur simple", "en attente", "2026-01-05", "", "", "", "non"],
            "Léa Bœuf; fils": [
                "utilisateur simple", "validé", "2026-01-05", "2027-12-31", "S1 | S2",
                "Accueil connecté (lecture) | Engagements (écriture, à partir du 2027-04-01)", "oui",
            ],
            "Zoé Zola": ["gestionnaire principal", "validé", "2026-01-05", "", "", "", "oui"],
        }  # fmt: skip
        assert {row[0]: row[1] for row in rows}["Léa Bœuf; fils"] == "'=lea@people.example"


async def test_an_english_manager_gets_english_words(tmp_path: Path, database_url: str, clock: Clock) -> None:
    async with served(settings_of(tmp_path, database_url), clock=clock, sends=False) as client:
        zoe, _, structure = await _house()
        response = await client.get(await users_url(client, zoe, structure, "en") or "")
        assert 'filename="users-ateliers-de-l-etang-2027-03-15.csv"' in response.headers["content-disposition"]
        header, *rows = cells(response.content)
        assert header == USER_COLUMNS["en"]
        assert next(row[2:] for row in rows if row[0] == "Léa Bœuf; fils") == [
            "simple user", "validated", "2026-01-05", "2027-12-31", "S1 | S2",
            "Home (read) | Commitments (write, from 2027-04-01)", "yes",
        ]  # fmt: skip


async def test_support_gets_any_structures_users_until_it_isnt_support_any_more(
    tmp_path: Path, database_url: str
) -> None:
    async with served(settings_of(tmp_path, database_url), sends=False) as client:
        _, _, structure = await _house()
        support = await factories.person(platform_role=PlatformRole.SUPPORT)
        url = await users_url(client, support, structure) or ""
        assert len(cells((await client.get(url)).content)) == 5
        await support.update_from_dict({"platform_role": None}).save()
        _refused(await client.get(url))


@pytest.mark.parametrize("role", [None, Role.SIMPLE_USER])
async def test_whoever_manages_nothing_there_gets_no_address(
    tmp_path: Path, database_url: str, role: Role | None
) -> None:
    async with served(settings_of(tmp_path, database_url), sends=False) as client:
        _, _, structure = await _house()
        other = await factories.person()
        if role:
            await factories.attachment(other, structure, role=role)
        assert await users_url(client, other, structure) is None


def _demoted(attachment: Attachment) -> None:
    attachment.role = Role.SIMPLE_USER


def _removed(attachment: Attachment) -> None:
    attachment.status = AttachmentStatus.REMOVED


def _ended(attachment: Attachment) -> None:
    attachment.valid_until = date(2027, 3, 14)


def _put_off(attachment: Attachment) -> None:
    attachment.valid_from = date(2027, 3, 16)


@pytest.mark.parametrize("change", [_demoted, _removed, _ended, _put_off])
async def test_a_managers_address_is_dead_once_the_right_is_gone(
    tmp_path: Path, database_url: str, clock: Clock, change: Callable[[Attachment], None]
) -> None:
    async with served(settings_of(tmp_path, database_url), clock=clock, sends=False) as client:
        _, _, structure = await _house()
        sam = await factories.person()
        attached = await factories.attachment(sam, structure, role=Role.SECONDARY_MANAGER)
        url = await users_url(client, sam, structure) or ""
        assert (await client.get(url)).status_code == 200
        change(attached)
        await attached.save()
        _refused(await client.get(url))


# ------------------------------------------------------------------ addresses
async def test_an_address_is_good_for_five_minutes(tmp_path: Path, database_url: str, clock: Clock) -> None:
    async with served(settings_of(tmp_path, database_url), clock=clock, sends=False) as client:
        url = await search_url(client, await factories.person())
        clock.advance(minutes=4, seconds=59)
        assert (await client.get(url)).status_code == 200
        clock.advance(seconds=1)
        _refused(await client.get(url), 410, OLD_LINK)
        english = await client.get(url, headers={"accept-language": "en"})
        _refused(english, 410, "This link has expired: ask for another one.\n")


async def test_an_address_that_was_altered_is_refused_without_a_word_on_why(tmp_path: Path, database_url: str) -> None:
    async with served(settings_of(tmp_path, database_url), sends=False) as client:
        zoe, _, structure = await _house()
        search, users = await search_url(client, zoe), await users_url(client, zoe, structure) or ""
        for url in (
            search[:-1] + ("A" if search[-1] != "A" else "B"),
            search.replace("signed=ey", "signed=ex"),
            search.split("?")[0],
            search.rpartition(".")[0],
            search.replace("/exports/structures", "/exports/users"),
            users.replace("/exports/users", "/exports/structures"),
        ):
            _refused(await client.get(url))


@pytest.mark.parametrize("state", [AccountState.SUSPENDED, AccountState.DEACTIVATED, AccountState.CLOSED])
async def test_an_address_dies_with_its_account(tmp_path: Path, database_url: str, state: AccountState) -> None:
    async with served(settings_of(tmp_path, database_url), sends=False) as client:
        zoe, _, structure = await _house()
        search, users = await search_url(client, zoe), await users_url(client, zoe, structure) or ""
        zoe.state = state
        if state is AccountState.DEACTIVATED:
            zoe.deactivated_at = factories.LONG_AGO
        await zoe.save()
        _refused(await client.get(search))
        _refused(await client.get(users))


async def test_an_address_serves_alone_and_with_ones_own_session_but_with_nobody_elses(
    tmp_path: Path, database_url: str
) -> None:
    async with served(settings_of(tmp_path, database_url), sends=False) as client:
        zoe, lea, structure = await _house()
        own, other = await token_of(client, zoe), await token_of(client, lea)
        for url in (await search_url(client, zoe), await users_url(client, zoe, structure) or ""):
            for headers in (
                {},
                {"authorization": f"Bearer {own}"},
                {"cookie": f"{COOKIE}={own}"},
                {"authorization": "Bearer over", "cookie": f"{COOKIE}=over"},
            ):
                assert (await client.get(url, headers=headers)).status_code == 200
            for headers in (
                {"authorization": f"Bearer {other}"},
                {"cookie": f"{COOKIE}={other}"},
                {"authorization": f"Bearer {own}", "cookie": f"{COOKIE}={other}"},
                {"authorization": f"Bearer {other}", "cookie": f"{COOKIE}={own}"},
            ):
                _refused(await client.get(url, headers=headers))


async def test_the_31st_export_of_a_minute_is_refused(tmp_path: Path, database_url: str) -> None:
    async with served(settings_of(tmp_path, database_url), sends=False) as client:
        url = await search_url(client, await factories.person())
        statuses = [(await client.get(url)).status_code for _ in range(31)]
        assert statuses == [200] * 30 + [429]
        response = await client.get(url)
        _refused(response, 429, "Trop de demandes : attendez un peu.\n")
        assert 1 <= int(response.headers["retry-after"]) <= 60


async def test_while_the_database_is_away_an_export_says_when_to_come_back(tmp_path: Path, clock: Clock) -> None:
    settings = settings_of(tmp_path, "postgres://nobody@127.0.0.1:1/nowhere", secret_key="k" * 32)
    async with served(settings, clock=clock, sends=False) as client:
        _refused(await client.get("/exports/structures?signed=x"))
        response = await client.get(_address(clock))
        _refused(response, 503, "Le service est indisponible : réessayez bientôt.\n")
        assert response.headers["retry-after"] == "5"


def _address(clock: Clock) -> str:
    signer = Signer("k" * 32, "http://127.0.0.1:8000")
    claims = {"account": 1, "language": "FR", "subject": {"kind": "PRIVATE"}}
    return signer.url("/exports/structures", claims, until=clock.now + tickets.LIFETIME)


async def test_an_export_changes_nothing(tmp_path: Path, database_url: str) -> None:
    async with served(settings_of(tmp_path, database_url), sends=False) as client:
        zoe, _, structure = await _house()
        url = await users_url(client, zoe, structure) or ""
        before = await Event.all().count()
        await client.get(url)
        assert await Event.all().count() == before
