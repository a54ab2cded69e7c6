"""What the code agrees on, checked on every run: who imports whom, where SQL lives, what each module says of itself."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.accounts.accounts import Language
from models.errors import errors
from models.errors.errors import DomainError
from models.events import events, summaries
from models.events.events import Fact
from schema.words import refusals

ROOT = Path(__file__).parents[1]
LAYERS = ("graph", "schema", "resolvers", "mailer", "models")
FOLDERS = {*LAYERS, "tests"}
# What only some layers may import, whatever the way.
RESERVED = {
    "strawberry": {"graph", "schema"},
    "graphql": {"graph", "schema"},
    "tortoise": {"models"},
    "asyncpg": {"models"},
    "aiosqlite": {"models"},
    "pypika_tortoise": {"models"},
    "starlette": {"graph"},
    "typer": {"graph"},
}
# A document at the top of the project that code cites, and the sections of it: `Source: DOMAIN 3 and 5`, `DOMAIN 4.12`.
CITATION = re.compile(
    r"\b(?:Source: ([A-Z]{4,})|(DOMAIN|ARCHITECTURE|CONTRIBUTING)(?= \d))((?:(?:,| and|) \d+(?:\.\d+)*)*)"
)
SECTION = re.compile(r"^(?:#+ |- \*\*)(\d+(?:\.\d+)*)\b", re.MULTILINE)
SQL = ("SELECT ", "INSERT INTO ", "UPDATE ", "DELETE FROM ")
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
CLOCKS = {"now", "utcnow", "today", "fromtimestamp"}
# The office's own clock, which every rule is given; and the date a mail's file was written at.
READS_THE_CLOCK = {"resolvers/scope.py", "graph/pages/mailbox.py"}

MODULES = [path for layer in LAYERS for path in sorted((ROOT / layer).rglob("*.py"))]
TESTS = sorted((ROOT / "tests").rglob("*.py"))


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _layer(path: Path) -> str:
    return path.relative_to(ROOT).parts[0]


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{_name(path)} imports relatively, line {node.lineno}"
            yield (node.module or "").partition(".")[0]


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_a_module_imports_only_what_stands_to_its_right(path: Path) -> None:
    layer = _layer(path)
    allowed = set(LAYERS[LAYERS.index(layer) :])
    imported = set(_imported(path))
    assert imported & FOLDERS <= allowed, f"{layer} imports {imported & FOLDERS - allowed}"
    assert [name for name, layers in RESERVED.items() if name in imported and layer not in layers] == []


@pytest.mark.parametrize("path", [path for path in MODULES if _layer(path) != "models"], ids=_name)
def test_sql_is_written_in_models_alone(path: Path) -> None:
    texts = [
        node.value for node in ast.walk(_tree(path)) if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    assert [text for text in texts if text.lstrip().startswith(SQL)] == []


@pytest.mark.parametrize("path", [path for path in MODULES if _name(path) not in READS_THE_CLOCK], ids=_name)
def test_nobody_but_the_office_reads_the_clock(path: Path) -> None:
    calls = [
        f"line {node.lineno}"
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in CLOCKS
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in {"datetime", "date"}
    ]
    assert calls == []


@pytest.mark.parametrize("path", [*MODULES, *TESTS], ids=_name)
def test_a_module_says_in_a_sentence_what_it_is(path: Path) -> None:
    if path.stat().st_size == 0:
        assert path.name == "__init__.py"
        return
    said = ast.get_docstring(_tree(path)) or ""
    assert said.split("\n\n")[0].endswith((".", ":")), f"{_name(path)} has no sentence on top"


def test_init_modules_say_what_belongs_there_and_hold_nothing_else() -> None:
    full = [
        _name(path)
        for path in MODULES
        if path.name == "__init__.py" and [node for node in _tree(path).body if not isinstance(node, ast.Expr)]
    ]
    assert set(full) <= {"schema/__init__.py", "schema/base/__init__.py"}
    rooms = [path for path in MODULES if path.name == "__init__.py" and len(path.relative_to(ROOT).parts) > 2]
    assert [_name(path) for path in rooms if not path.stat().st_size] == ["models/migrations/__init__.py"]


def test_there_are_no_other_folders() -> None:
    found = {
        path.parent.relative_to(ROOT).parts[0] for path in ROOT.glob("*/*.py") if not path.parts[-2].startswith(".")
    }
    assert found - {"build"} == FOLDERS
    assert [path for path in MODULES if path.stem in {"utils", "helpers", "common"}] == []


@pytest.mark.parametrize("path", [*MODULES, *TESTS], ids=_name)
def test_what_a_docstring_cites_is_a_numbered_section_of_a_document(path: Path) -> None:
    for source, other, numbers in CITATION.findall(path.read_text("utf-8")):
        document = ROOT / f"{source or other}.md"
        assert document.exists(), f"{_name(path)} cites {document.name}, which isn't there"
        cited = set(re.findall(r"\d+(?:\.\d+)*", numbers))
        assert cited, f"{_name(path)} cites {document.name} without a section"
        assert cited <= set(SECTION.findall(document.read_text("utf-8"))), f"{_name(path)} cites what isn't there"


def test_rules_are_numbered_one_after_the_other() -> None:
    found = SECTION.findall((ROOT / "DOMAIN.md").read_text("utf-8"))
    sections = [number for number in found if "." not in number]
    assert sections == [str(place) for place in range(1, len(sections) + 1)]
    for section in sections:
        rules = [number for number in found if number.startswith(f"{section}.")]
        assert rules == [f"{section}.{place}" for place in range(1, len(rules) + 1)]


def _defined(path: Path) -> set[str]:
    """Every function and class of the module, and `Class.method`."""
    found: set[str] = set()
    for node in _tree(path).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
            found |= {f"{node.name}.{inner.name}" for inner in ast.walk(node) if isinstance(inner, FUNCTIONS)}
    return found


@pytest.mark.parametrize(
    "document", ["ARCHITECTURE.md", "CLIENTS.md", "CONTRIBUTING.md", "DOMAIN.md", "OPERATIONS.md", "README.md"]
)
def test_places_that_a_document_names_exist(document: str) -> None:
    text = (ROOT / document).read_text("utf-8")
    for place in set(re.findall(r"`((?:graph|schema|resolvers|mailer|models|tests|\.ci)/[\w./-]*)`", text)):
        assert (ROOT / place).exists(), f"{document} names {place}, which isn't there: say where it went"
    for place, name in re.findall(r"`([\w/]+\.py)`\s+`([\w.]+)`", text):
        assert name in _defined(ROOT / place), f"{document} names {name} of {place}, which isn't there"


def _kinds(of: type, module: object) -> list[type]:
    return [
        kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, of) and kind is not of
    ]


@pytest.mark.parametrize("kind", _kinds(DomainError, errors), ids=lambda kind: kind.__name__)
def test_every_refusal_is_worded_in_both_languages(kind: type[DomainError]) -> None:
    if kind is not errors.Refusals:
        french, english = refusals.WORDS[kind.__name__]
        assert french
        assert english
        assert french != english


@pytest.mark.parametrize("kind", _kinds(Fact, events), ids=lambda kind: kind.__name__)
def test_every_fact_has_a_sentence_in_both_languages(kind: type[Fact]) -> None:
    french, english = summaries.SENTENCES[kind.type]
    assert french != english
    role = {"role": "SIMPLE_USER", "status": "PENDING"}
    assert summaries.of(kind.type, role, Language.FR) != summaries.of(kind.type, role, Language.EN)


def test_every_row_of_security_that_is_met_names_a_test_there_is() -> None:
    text = (ROOT / "SECURITY.md").read_text("utf-8")
    rows = re.findall(r"^\| ([0-9.]+) \| ([123]) \| (met|not met) \| (.*) \|$", text, re.MULTILINE)
    written = {name for path in TESTS for name in re.findall(r"def (test_\w+)", path.read_text("utf-8"))}
    for row, _, verdict, how in rows:
        named = set(re.findall(r"`(test_\w+)`", how))
        assert named <= written, row
        assert named or verdict == "not met", row


def test_security_has_each_row_of_its_chapters_once_and_counts_them_right() -> None:
    text = (ROOT / "SECURITY.md").read_text("utf-8")
    rows = re.findall(r"^\| ([0-9.]+) \| ([123]) \| (met|not met) \| ", text, re.MULTILINE)
    assert len({row for row, _, _ in rows}) == len(rows)
    assert Counter(row.split(".")[0] for row, _, _ in rows) == {"3": 31, "6": 47, "7": 19, "13": 21, "16": 17}
    met = Counter(level for _, level, verdict in rows if verdict == "met")
    every = Counter(level for _, level, _ in rows)
    shares = [f"{met[level]} of {every[level]} of level {level}" for level in "123"]
    assert f"Met are {shares[0]}, {shares[1]} and {shares[2]}." in text
