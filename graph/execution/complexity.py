"""What an operation would cost: counted once per fragment, so in time linear in the document, before validation."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLField,
    GraphQLNamedType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    Node,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    ValueNode,
    VariableDefinitionNode,
    VariableNode,
    get_named_type,
    is_interface_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)
from graphql.language.ast import QUERY_DOCUMENT_KEYS

from graph.execution import introspection

# The attributes of each kind of node through which every value of a document is reached.
TO_VALUES: Final = {kind: tuple(key for key in keys if key not in ("name", "type", "type_condition", "variable"))
                    for kind, keys in QUERY_DOCUMENT_KEYS.items()}  # fmt: skip
MOST_NESTED: Final = 100  # levels of selection sets, fragments included: beyond, the walk itself would be at risk


@dataclass(frozen=True)
class Limits:
    """The ceilings of one operation. Counts are taken after fragments are spread out; depth stops at `__schema`."""

    characters: int = 100_000  # of the document's text: what is longer than that goes into variables
    tokens: int = 3_000
    lines: int = 3_000  # which are counted through for each error, to say where it is
    operations: int = 25
    fragments: int = 100
    selections: int = 500  # fields and fragments spread, as they are written
    literals: int = 500  # written values and defined variables; of fragments, once for each operation
    values: int = 7_500  # in the variables: 500 activities with all that they may have
    values_of_nobody: int = 1_000  # in those of somebody who isn't signed in: all are converted before a field is asked
    depth: int = 15
    fields: int = 750
    aliases: int = 100
    directives: int = 50
    repeats: int = 100  # of one name beside itself: validation compares each pair of them
    comparisons: int = 5_000  # that validation makes of fields that are merged, 1 to 3 microseconds each
    introspections: int = 2
    introspection_cost: int = 120_000  # GraphiQL's own costs 56,000
    cost: int = 60_000
    page: int = 20  # rows of a page whose size isn't given
    most_page: int = 100  # rows of a page at most: more is refused where the page is read
    list_size: int = 10  # rows of a list that has no pages


@dataclass(slots=True)
class Tally:
    """Counts of a selection. `listed` is the cost of its lists, which the page size of the field above multiplies."""

    depth: int = 0
    fields: int = 0
    aliases: int = 0
    directives: int = 0
    repeats: int = 0
    introspections: int = 0
    introspection_cost: int = 0
    fixed: int = 0
    listed: int = 0

    def add(self, other: "Tally") -> None:
        """Count another selection that stands beside this one."""
        self.depth = max(self.depth, other.depth)
        self.repeats = max(self.repeats, other.repeats)
        for name in SUMMED:
            setattr(self, name, getattr(self, name) + getattr(other, name))


SUMMED = tuple(field.name for field in fields(Tally) if field.name not in ("depth", "repeats"))


class NestedTooDeep(Exception):
    """The document nests selections and fragments deeper than any honest one."""


def exceeded(limit: str, value: int, ceiling: int) -> GraphQLError:
    """The error for an operation of which `limit` counts more than its ceiling."""
    name = limit.replace("_", " ")
    return GraphQLError(
        f"The operation is too complex: {name} {value}, at most {ceiling}.",
        extensions={"code": "QUERY_TOO_COMPLEX", "limit": limit, "value": min(value, 2**53 - 1), "ceiling": ceiling},
    )


def over_as_text(text: str, limits: Limits) -> list[GraphQLError]:
    """The errors of a document for what it has too much of as a text, before it is parsed."""
    counted = {"characters": len(text), "lines": text.count("\n") + text.count("\r") + 1}
    found = ((name, value, getattr(limits, name)) for name, value in counted.items())
    return [exceeded(name, value, most) for name, value, most in found if value > most]


def over(tally: Tally, limits: Limits) -> list[GraphQLError]:
    """The errors of an operation for everything it has too much of; cost is apart, since variables change it."""
    if tally.introspections > limits.introspections == 0:
        return [GraphQLError("Introspection is switched off.", extensions={"code": "QUERY_TOO_COMPLEX"})]
    counted = ("depth", "fields", "aliases", "directives", "repeats", "introspections", "introspection_cost")
    pairs = ((name, getattr(tally, name), getattr(limits, name)) for name in counted)
    return [exceeded(name, value, ceiling) for name, value, ceiling in pairs if value > ceiling]


def size(value: object) -> int | None:
    """How many rows a variable asks for: the number itself, or the length of a list of ids; None for anything else."""
    if isinstance(value, list):
        return len(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def sizes(operation: OperationDefinitionNode, variables: Mapping[str, Any]) -> dict[str, int | None]:
    """The size each variable of the operation stands for, its default counting where it isn't given."""
    found: dict[str, int | None] = {}
    for definition in operation.variable_definitions or ():
        name = definition.variable.name.value
        default = definition.default_value
        found[name] = size(variables[name]) if name in variables else _literal(default) if default else None
    return found


def values(variables: object, most: int) -> int:
    """How many values the variables hold, lists and objects included; once it is over `most`, counted no further."""
    found = 0
    waiting: list[Iterator[Any]] = [iter((variables,))]
    while waiting and found <= most:
        for value in waiting.pop():
            found += 1
            if isinstance(value, dict | list):
                if len(value) > most:
                    return found + len(value)
                waiting.append(iter(value.values() if isinstance(value, dict) else value))
    return found


def written(definitions: Iterable[Node]) -> tuple[int, int]:
    """How many selections are written in these definitions, and how many values and variables."""
    selections = literals = 0
    waiting: list[Any] = list(definitions)
    while waiting:
        node = waiting.pop()
        selections += isinstance(node, SelectionNode)
        literals += isinstance(node, ValueNode | VariableDefinitionNode)
        for name in TO_VALUES.get(node.kind, ()):
            held = getattr(node, name)
            if isinstance(held, tuple):
                waiting += held
            elif held is not None:
                waiting.append(held)
    return selections, literals


def _literal(node: ValueNode) -> int | None:
    if isinstance(node, ListValueNode):
        return len(node.values)
    # Over nine digits no page size is meant, and int() refuses over 4,300 of them.
    return int(node.value) if isinstance(node, IntValueNode) and len(node.value) < 10 else None


class Count:
    """One walk over a document, for given sizes of variables; `sized_by` collects the variables that mattered."""

    def __init__(
        self, schema: GraphQLSchema, document: DocumentNode, limits: Limits, sizes: Mapping[str, int | None]
    ) -> None:
        self.schema = schema
        self.limits = limits
        self.sizes = sizes
        self.sized_by: set[str] = set()
        self.lists = introspection.list_sizes(schema)
        self.fragments = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        self._memo: dict[str, Tally] = {}
        self._names: dict[str, Counter[str]] = {}

    def operation(self, node: OperationDefinitionNode) -> Tally:
        """The counts of an operation; its cost is `fixed`.

        Raises:
            NestedTooDeep: when selections and fragments nest over 100 levels.
        """
        tally, _ = self._set(node.selection_set, self.schema.get_root_type(node.operation), 0)
        tally.fixed += tally.listed * self.limits.list_size
        tally.directives += len(node.directives or ())
        return tally

    def fragment(self, name: str, level: int = 0) -> Tally:
        """The counts of a fragment wherever it is spread; one that isn't defined or contains itself counts nothing."""
        if name in self._memo or name not in self.fragments:
            return self._memo.get(name, Tally())
        self._memo[name] = Tally()  # a cycle finds this one; validation refuses it afterwards
        node = self.fragments[name]
        condition = self.schema.get_type(node.type_condition.name.value)
        self._memo[name], self._names[name] = self._set(node.selection_set, condition, level)
        return self._memo[name]

    def comparisons(self, *sets: SelectionSetNode) -> int:
        """How often fields are compared at least when these sets are merged, once it is over the limit no further.

        It is the product that counts: ten times ten of one path are a hundred fields, each compared with each. What
        fragments add is left to validation, which counts as it goes.
        """
        fields: dict[str, list[FieldNode]] = {}
        waiting = list(sets)
        while waiting:
            for selection in waiting.pop().selections:
                if isinstance(selection, FieldNode):
                    fields.setdefault((selection.alias or selection.name).value, []).append(selection)
                elif isinstance(selection, InlineFragmentNode):
                    waiting.append(selection.selection_set)
        found = 0
        for same in fields.values():
            found += len(same) * (len(same) - 1)  # a pair costs two comparisons: of the names, and of the types
            if found <= self.limits.comparisons:
                found += self.comparisons(*(field.selection_set for field in same if field.selection_set))
        return found

    def _set(self, node: SelectionSetNode, parent: GraphQLNamedType | None, level: int) -> tuple[Tally, Counter[str]]:
        """The counts of a whole selection set, and how often each response name stands in it."""
        names: Counter[str] = Counter()
        spreads: set[str] = set()
        tally = self._selection(node, parent, level, names, spreads)
        for spread in spreads:
            names.update(self._names.get(spread, ()))
        tally.repeats = max(tally.repeats, max(names.values(), default=0))
        return tally, names

    def _selection(
        self,
        node: SelectionSetNode,
        parent: GraphQLNamedType | None,
        level: int,
        names: Counter[str],
        spreads: set[str],
    ) -> Tally:
        if level > MOST_NESTED:
            raise NestedTooDeep
        tally = Tally()
        for selection in node.selections:
            tally.directives += len(selection.directives or ())
            if isinstance(selection, FieldNode):
                names[(selection.alias or selection.name).value] += 1
                tally.add(self._field(selection, parent, level))
            elif isinstance(selection, FragmentSpreadNode):
                spreads.add(selection.name.value)
                tally.add(self.fragment(selection.name.value, level + 1))
            elif isinstance(selection, InlineFragmentNode):
                condition = selection.type_condition
                kind = self.schema.get_type(condition.name.value) if condition else parent
                tally.add(self._selection(selection.selection_set, kind, level + 1, names, spreads))
        return tally

    def _field(self, node: FieldNode, parent: GraphQLNamedType | None, level: int) -> Tally:
        field = self._definition(node.name.value, parent)
        kind = get_named_type(field.type) if field else None
        tally = self._set(node.selection_set, kind, level + 1)[0] if node.selection_set else Tally()
        cost = 1 + tally.fixed + tally.listed * self._rows(node, field)
        tally.fixed, tally.listed = self._placed(cost, node, field, parent)
        tally.depth += 1
        tally.fields += 1
        tally.aliases += node.alias is not None
        if node.name.value in ("__schema", "__type"):
            tally.introspections += 1
            tally.introspection_cost += cost
            tally.fixed, tally.listed, tally.depth = 1, 0, 1
        return tally

    def _definition(self, name: str, parent: GraphQLNamedType | None) -> GraphQLField | None:
        if parent is not None and (is_object_type(parent) or is_interface_type(parent)):
            return self.schema.get_field(parent, name)
        return None

    def _placed(
        self, cost: int, node: FieldNode, field: GraphQLField | None, parent: GraphQLNamedType | None
    ) -> tuple[int, int]:
        """The cost of a field as (fixed, listed): a list whose own size is known is multiplied here, once."""
        if field is None or not _is_list(field):
            return cost, 0
        known = self.lists.get((parent.name, node.name.value)) if parent else None
        if known is None:
            known = next(self._given(node, ("ids",)), None)
        return (0, cost) if known is None else (cost * known, 0)

    def _rows(self, node: FieldNode, field: GraphQLField | None) -> int:
        pages = [min(max(rows, 0), self.limits.most_page) for rows in self._given(node, ("first", "last"))]
        if pages:
            return max(pages)
        if field is not None and not field.args.keys().isdisjoint(("first", "last")):
            return self.limits.page
        return next(self._given(node, ("ids",)), self.limits.list_size)

    def _given(self, node: FieldNode, names: tuple[str, ...]) -> Iterator[int]:
        for argument in node.arguments or ():
            if argument.name.value in names:
                rows = self._argument(argument.value)
                if rows is not None:
                    yield rows

    def _argument(self, value: ValueNode) -> int | None:
        if not isinstance(value, VariableNode):
            return _literal(value)
        self.sized_by.add(value.name.value)
        return self.sizes.get(value.name.value)


def _is_list(field: GraphQLField) -> bool:
    return is_list_type(field.type.of_type if is_non_null_type(field.type) else field.type)
