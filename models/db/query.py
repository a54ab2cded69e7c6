"""How rows are read without models: a `Source` has columns, a `Selection` picks some, a `Page` bounds the rows."""

import re
from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson

from models.db import database
from models.db.normalisation import normalise_name
from models.errors.errors import Invalid

if TYPE_CHECKING:

    class Row:
        """One row that was read: an attribute for every column selected."""

        def __getattr__(self, name: str) -> Any: ...

else:
    Row = tuple

CursorPart = str | int


@dataclass(frozen=True)
class Selection:
    """What one level of a query asks of a relation: its columns, and of a connection whether rows and their number."""

    columns: frozenset[str] = frozenset({"id"})
    rows: bool = True
    total_count: bool = False


@dataclass(frozen=True)
class Page:
    """A bounded stretch of an ordered list: `size` rows from one end, strictly between two positions."""

    size: int
    backward: bool = False
    after: tuple[CursorPart, ...] | None = None
    before: tuple[CursorPart, ...] | None = None


@dataclass(frozen=True)
class Slice:
    """A page of one parent's rows, in the list's order by `keys`; `total_count` is None unless it was asked for."""

    rows: Sequence[Row] = ()
    has_next: bool = False
    has_previous: bool = False
    total_count: int | None = None
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class Order:
    """The columns that order a list, the last one unique; all ascending or all descending."""

    keys: tuple[str, ...]
    descending: bool = False


# ------------------------------------------------------------------ texts searched for
LONGEST_SEARCHED = 4096


def like(text: str) -> str:
    """The LIKE pattern that finds the text anywhere, its wildcards escaped by `!`."""
    # SQLite takes no pattern over 50,000 bytes, PostgreSQL no NUL; no stored text has either
    escaped = text[:LONGEST_SEARCHED].replace("\0", " ").replace("!", "!!").replace("%", "!%").replace("_", "!_")
    return f"%{escaped}%"


def pattern(text: str) -> str:
    """The LIKE pattern that finds the folded text anywhere in a folded column."""
    return like(normalise_name(text))


# ------------------------------------------------------------------ columns
Decoder = Callable[[Any], Any]


def _moment(value: Any) -> datetime | None:
    return datetime.fromisoformat(value).astimezone(UTC) if isinstance(value, str) else value


def _day(value: Any) -> date | None:
    return date.fromisoformat(value) if isinstance(value, str) else value


def _flag(value: Any) -> bool | None:
    return None if value is None else bool(value)


def _json(value: Any) -> Any:
    return orjson.loads(value) if isinstance(value, str | bytes) else value


@dataclass(frozen=True)
class Column:
    """One readable value: its SQL over the source's aliases, and how the engine's answer becomes a Python value."""

    sql: str
    decode: Decoder | None = None


def moment(sql: str) -> Column:
    """A column of instants, read as aware datetimes in UTC."""
    return Column(sql, _moment)


def day(sql: str) -> Column:
    """A column of calendar days."""
    return Column(sql, _day)


def flag(sql: str) -> Column:
    """A column of booleans."""
    return Column(sql, _flag)


def document(sql: str) -> Column:
    """A column of JSON values."""
    return Column(sql, _json)


# ------------------------------------------------------------------ sources
@dataclass(frozen=True, eq=False)
class Source:
    """A table with its readable columns; a join is added when some column or condition mentions its alias."""

    table: str
    columns: Mapping[str, Column]
    joins: Mapping[str, str] = field(default_factory=dict)

    async def read(
        self, columns: Iterable[str], where: Sequence[str], parameters: Mapping[str, object], order: Order | None = None
    ) -> list[Row]:
        """Every row that meets all conditions; for lists that are bounded by nature."""
        names = tuple(sorted(set(columns)))
        text = _plain(self, names, tuple(where), order)
        return self._decoded(names, await database.fetch(text, parameters))

    async def found(
        self,
        ids: Sequence[int | None],
        selection: Selection,
        where: Sequence[str] = (),
        parameters: Mapping[str, object] | None = None,
    ) -> list[Row | None]:
        """The rows of these ids, in their order; None for None, and for those that don't meet all conditions."""
        wanted = sorted({id for id in ids if id is not None})
        conditions = [f"{self.columns['id'].sql} IN :ids", *where]
        bound = {**(parameters or {}), "ids": wanted}
        rows = await self.read({*selection.columns, "id"}, conditions, bound) if wanted else []
        by_id = {row.id: row for row in rows}
        return [None if id is None else by_id.get(id) for id in ids]

    async def slices(
        self,
        parent: str,
        parents: Sequence[int],
        *,
        selection: Selection,
        page: Page,
        order: Order,
        where: Sequence[str] = (),
        parameters: Mapping[str, object] | None = None,
    ) -> list[Slice]:
        """One page of rows for each of many parents, in their order: one statement for all rows, one for all counts."""
        conditions = (f"{self.columns[parent].sql} IN :parents", *where)
        bound = {**(parameters or {}), "parents": list(parents)}
        found = await self._pages(parent, selection, page, order, conditions, bound) if selection.rows else {}
        counts = await self._counts(parent, conditions, bound) if selection.total_count else None
        return [
            _slice(found.get(key, []), page, order, None if counts is None else counts.get(key, 0)) for key in parents
        ]

    async def slice(
        self,
        *,
        selection: Selection,
        page: Page,
        order: Order,
        where: Sequence[str] = (),
        parameters: Mapping[str, object] | None = None,
    ) -> Slice:
        """One page of the whole list."""
        bound = dict(parameters or {})
        found = await self._pages(None, selection, page, order, tuple(where), bound) if selection.rows else {}
        counts = await self._counts(None, tuple(where), bound) if selection.total_count else None
        return _slice(found.get(None, []), page, order, None if counts is None else counts[None])

    async def _pages(
        self,
        parent: str | None,
        selection: Selection,
        page: Page,
        order: Order,
        where: tuple[str, ...],
        parameters: dict[str, object],
    ) -> dict[int | None, list[Row]]:
        """The rows of each parent's page, one more than its size when there are more, nearest its end first."""
        names = tuple(sorted({*selection.columns, *order.keys, *([parent] if parent else [])}))
        parameters = {**parameters, "limit_": page.size + 1}
        for bound, position in (("after", page.after), ("before", page.before)):
            parameters |= _position(order, position, bound) if position else {}
        windowed = parent is not None and len(parameters["parents"]) > 1  # type: ignore[arg-type]
        shape = (page.backward, page.after is not None, page.before is not None)
        text = _paged(self, names, parent if windowed else None, where, order, shape)
        found: dict[int | None, list[Row]] = {}
        for row in self._decoded(names, await database.fetch(text, parameters)):
            found.setdefault(getattr(row, parent) if parent else None, []).append(row)
        return found

    async def _counts(
        self, parent: str | None, where: tuple[str, ...], parameters: Mapping[str, object]
    ) -> dict[int | None, int]:
        if parent is None:
            text = f"SELECT count(*) AS total FROM {self._tables(where)}{_where(where)}"
            return {None: (await database.fetch(text, parameters))[0][0]}
        key = self.columns[parent].sql
        text = f"SELECT {key} AS parent, count(*) AS total FROM {self._tables(where)}{_where(where)} GROUP BY {key}"
        return {row[0]: row[1] for row in await database.fetch(text, parameters)}

    def _tables(self, fragments: Iterable[str]) -> str:
        """The FROM clause: the table, and every join whose alias the fragments (or a needed join) mention."""
        said = " ".join(fragments)
        needed: list[str] = []
        for alias in reversed(list(self.joins)):
            if re.search(rf"\b{alias}\.", said):
                needed.insert(0, self.joins[alias])
                said += " " + self.joins[alias]
        return " ".join([self.table, *needed])

    def _decoded(self, names: tuple[str, ...], rows: Sequence[Any]) -> list[Row]:
        make = _row_class(names)
        decoders = [(index, decode) for index, name in enumerate(names) if (decode := self.columns[name].decode)]
        decoded: list[Row] = []
        for row in rows:
            values = list(row)[: len(names)]
            for index, decode in decoders:
                values[index] = decode(values[index])
            decoded.append(make(values))
        return decoded


def _slice(rows: list[Row], page: Page, order: Order, total: int | None) -> Slice:
    more = len(rows) > page.size
    rows = rows[: page.size]
    if page.backward:
        return Slice(rows[::-1], page.before is not None, more, total, order.keys)
    return Slice(rows, more, page.after is not None, total, order.keys)


def _position(order: Order, position: tuple[CursorPart, ...], name: str) -> dict[str, CursorPart]:
    """The bound values of a cursor; a cursor made for another list has other parts."""
    whole = len(position) == len(order.keys) and all(
        isinstance(part, int) if key == "id" else isinstance(part, str)
        for key, part in zip(order.keys, position, strict=True)
    )
    if not whole:
        raise Invalid(name, rule="cursor")
    return {f"{name}_{index}": value for index, value in enumerate(position)}


@lru_cache(maxsize=1024)
def _row_class(names: tuple[str, ...]) -> Callable[[Iterable[Any]], Any]:
    row: Any = namedtuple("Row", names)  # type: ignore[misc]
    make: Callable[[Iterable[Any]], Any] = row._make
    return make


def _where(conditions: Iterable[str]) -> str:
    text = " AND ".join(f"({condition})" for condition in conditions)
    return f" WHERE {text}" if text else ""


def _ordered(source: Source, order: Order, backward: bool) -> str:
    direction = "DESC" if order.descending != backward else "ASC"
    return ", ".join(f"{source.columns[key].sql} {direction}" for key in order.keys)


@lru_cache(maxsize=4096)
def _plain(source: Source, names: tuple[str, ...], where: tuple[str, ...], order: Order | None) -> str:
    selected = ", ".join(f"{source.columns[name].sql} AS {name}" for name in names)
    ordering = f" ORDER BY {_ordered(source, order, False)}" if order else ""
    return f"SELECT {selected} FROM {source._tables((selected, *where, ordering))}{_where(where)}{ordering}"


@lru_cache(maxsize=4096)
def _paged(
    source: Source,
    names: tuple[str, ...],
    partition: str | None,
    where: tuple[str, ...],
    order: Order,
    shape: tuple[bool, bool, bool],
) -> str:
    """The statement of a page: LIMIT for one list, a window over each parent's rows for several."""
    backward, after, before = shape
    where = (*where, *_bounds(source, order, after, before))
    selected = ", ".join(f"{source.columns[name].sql} AS {name}" for name in names)
    ordering = _ordered(source, order, backward)
    tables = source._tables((selected, *where, ordering))
    if partition is None:
        return f"SELECT {selected} FROM {tables}{_where(where)} ORDER BY {ordering} LIMIT :limit_"
    place = f"row_number() OVER (PARTITION BY {source.columns[partition].sql} ORDER BY {ordering}) AS place_"
    rows = f"SELECT {selected}, {place} FROM {tables}{_where(where)}"
    return f"SELECT * FROM ({rows}) paged WHERE place_ <= :limit_ ORDER BY place_"


def _bounds(source: Source, order: Order, after: bool, before: bool) -> Iterable[str]:
    keys = ", ".join(source.columns[key].sql for key in order.keys)
    later, earlier = ("<", ">") if order.descending else (">", "<")
    for wanted, name, sign in ((after, "after", later), (before, "before", earlier)):
        if wanted:
            values = ", ".join(f":{name}_{index}" for index in range(len(order.keys)))
            yield f"({keys}) {sign} ({values})"
