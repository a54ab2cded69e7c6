"""Loading the public directory: what is taken, what is refused and told, and that loading it again changes nothing."""

import csv
from datetime import UTC, datetime
from pathlib import Path

import pytest

from graph.cli import import_structures as imports
from graph.cli.import_structures import NotADirectory, import_structures, report_beside
from models.db.query import Page, Selection
from models.events.events import Event
from models.structures.directory import Tally
from models.structures.identifiers import IdentifierType
from models.structures.structures import Structure, StructureKind, StructureSearch, StructureStatus, search
from tests.support import factories

HEADER = (
    "TypeIdentifiant;Identifiant;RaisonSociale;EmetteurEdi;GestionEngagement;GestionService;StructureActive;Adresse;"
    "ComplementAdresse1;ComplementAdresse2;CodePostal;Ville;NumTelephone;Courriel;CodePays;LibellePays"
)
PUBLIC = (
    "SIRET;110 002 011 00044;Ministère de l'Été;;oui;FAUX;1;1 rue A;Bât. B;;75 007;Paris;01 23 45 67 89;a@b.example;FR;"
)
PRIVATE = "SIRET;73282932000074;Société Œuvre;;oui;oui;vrai;2 rue B;;;69001;Lyon;;;;"
ENDED = "PARTICULIER;dupont 1;Dupont;;;;non;;;;;;;;;"
AT = datetime(2027, 3, 15, 9, 0, tzinfo=UTC)


def written(folder: Path, *lines: str, encoding: str = "utf-8", header: str = HEADER) -> Path:
    path = folder / "directory.csv"
    path.write_bytes("\r\n".join([header, *lines, ""]).encode(encoding))
    return path


async def load(path: Path, kind: StructureKind | None = None) -> Tally:
    return await import_structures(path, kind, report_beside(path), at=AT, progress=False)


def refusals(path: Path) -> list[list[str]]:
    with report_beside(path).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file, delimiter=";"))[1:]


async def test_operator_loads_lines_of_every_kind(db: str, tmp_path: Path) -> None:
    path = written(tmp_path, PUBLIC, "", PRIVATE, ENDED, "UE_HORS_FRANCE;DE123456789;Haus GmbH;;;;;;;;;;;;;")
    assert await load(path) == Tally(new=4)
    public = await Structure.get(identifier="11000201100044")
    assert (public.kind, public.status, public.managed) == (StructureKind.PUBLIC, StructureStatus.ACTIVE, False)
    assert (public.engagement_number_required, public.service_code_required) == (True, False)
    assert (public.name, public.folded_name) == ("Ministère de l'Été", "ministere de l ete")
    assert (public.line1, public.line2, public.postcode, public.folded_city) == ("1 rue A", "Bât. B", "75007", "paris")
    assert (public.phone, public.email, public.created_at) == ("0123456789", "a@b.example", AT)
    private = await Structure.get(identifier="73282932000074")
    assert (private.kind, private.country) == (StructureKind.PRIVATE, "FR")
    assert (private.engagement_number_required, private.service_code_required) == (False, False)
    ended = await Structure.get(identifier="DUPONT1")
    assert (ended.identifier_type, ended.status) == (IdentifierType.INDIVIDUAL, StructureStatus.INACTIVE)
    assert (await Structure.get(identifier="DE123456789")).identifier_type is IdentifierType.EU_VAT
    assert await Event.all().count() == 0


async def test_operator_is_told_every_refused_line_with_its_number(db: str, tmp_path: Path) -> None:
    path = written(
        tmp_path,
        PUBLIC,
        "SIRET;12345678912345;Faux;;;;;;;;;;;;;",
        "LICORNE;1;;;peut-être;;;;;;;;;;;",
        "SIRET;too few",
        PUBLIC.replace("110 002", "110002"),
        "SIRET;=1+1;=cmd;;;;;;;;;;;;;",
    )
    assert await load(path) == Tally(new=1, refused=5)
    told = refusals(path)
    assert [row[0] for row in told] == ["3", "4", "5", "6", "7"]
    assert told[0][1:] == [
        "Identifiant: A SIRET has 14 digits, the last of which is a check digit.", "SIRET", "12345678912345", "Faux"
    ]  # fmt: skip
    reasons = ("TypeIdentifiant: This", "RaisonSociale: This", "GestionEngagement: Enter")
    assert [part in told[1][1] for part in reasons] == [True, True, True]
    assert told[2][1] == "This line has not as many cells as the first one."
    assert told[3][1] == "Identifiant: An earlier line has this identifier already."
    assert told[4][2:] == ["SIRET", "'=1+1", "'=cmd"]


async def test_operator_who_calls_everything_private_is_refused_a_public_bodys_siret(db: str, tmp_path: Path) -> None:
    path = written(tmp_path, PUBLIC, PRIVATE)
    assert await load(path, StructureKind.PRIVATE) == Tally(new=1, refused=1)
    [(number, reason, *_)] = refusals(path)
    assert (number, reason.split(":")[0]) == ("2", "Identifiant")
    assert "This SIRET is a public body's" in reason
    assert await Structure.filter(identifier="11000201100044").count() == 0


async def test_operator_loads_again_and_nothing_changes(db: str, tmp_path: Path) -> None:
    path = written(tmp_path, PUBLIC, PRIVATE, ENDED)
    await load(path)
    before = await Structure.all().order_by("id").values()
    assert await load(path) == Tally(same=3)
    assert await Structure.all().order_by("id").values() == before


async def test_operator_loads_a_newer_directory_and_managed_structures_stay(db: str, tmp_path: Path) -> None:
    ada = await factories.person()
    mine = {"identifier_type": IdentifierType.SIRET, "identifier": "73282932000074", "name": "Mine"}
    await factories.structure(ada, **mine)
    await load(written(tmp_path, PUBLIC, PRIVATE))
    newer = written(tmp_path, PUBLIC.replace("Été", "Hiver").replace(";1;1 rue", ";0;1 rue"), PRIVATE)
    assert await load(newer) == Tally(changed=1, managed=1)
    public = await Structure.get(identifier="11000201100044")
    assert (public.name, public.status) == ("Ministère de l'Hiver", StructureStatus.INACTIVE)
    assert (await Structure.get(identifier="73282932000074")).name == "Mine"
    found = await search(StructureSearch(name="hiver"), Page(5), Selection())
    assert [row.id for row in found.rows] == [public.id]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "latin-1"])
async def test_operator_loads_any_usual_encoding(db: str, tmp_path: Path, encoding: str) -> None:
    assert await load(written(tmp_path, PUBLIC, encoding=encoding)) == Tally(new=1)
    assert (await Structure.get()).name == "Ministère de l'Été"


async def test_operator_says_that_all_lines_are_public(db: str, tmp_path: Path) -> None:
    await load(written(tmp_path, PUBLIC, PRIVATE), StructureKind.PUBLIC)
    assert [str(row.kind) for row in await Structure.all()] == ["PUBLIC"] * 2


async def test_operator_keeps_structures_whose_contact_is_wrong(db: str, tmp_path: Path) -> None:
    path = written(tmp_path, "SIRET;73282932000074;S;;;;;1 rue A;;;ABC;Nice;12;no address;FR;")
    assert await load(path) == Tally(new=1, emptied=3)
    kept = await Structure.get()
    assert (kept.line1, kept.postcode, kept.folded_city, kept.email, kept.phone) == (None, None, "nice", None, None)


async def test_operator_gives_another_file_and_nothing_is_written(db: str, tmp_path: Path) -> None:
    with pytest.raises(NotADirectory) as caught:
        await load(written(tmp_path, "a;b", header="Identifiant;Autre"))
    assert caught.value.missing == ("TypeIdentifiant", "RaisonSociale")
    with pytest.raises(FileNotFoundError):
        await load(tmp_path / "absent.csv")


async def test_operator_loads_more_lines_than_a_batch(db: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "BATCH", 7)
    path = written(tmp_path, *(f"AUTRE;N{number};Nom {number};;;;;;;;;;;;;" for number in range(50)))
    assert await load(path) == Tally(new=50)
    assert await load(path) == Tally(same=50)
