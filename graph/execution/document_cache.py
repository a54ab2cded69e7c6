"""The bounded cache of documents: (text, operation name) -> parsed, limited, validated and costed, ready to execute."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    OverlappingFieldsCanBeMergedRule,
    ValidationContext,
    ValidationRule,
    parse,
    specified_rules,
    validate,
)
from graphql.validation.validate import ValidationAbortedError
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from graph.execution import complexity, masking

RULES: Final = (
    *(rule for rule in specified_rules if rule is not OverlappingFieldsCanBeMergedRule),
    MaybeNullValidationRule,
    OneOfInputValidationRule,
)
MOST_ERRORS: Final = 10
BYTES_PER_TOKEN: Final = 600  # measured on graphql-core's nodes and tokens, at the worst
COSTS_KEPT: Final = 64
MEBIBYTE: Final = 1024 * 1024
OUT_OF_BUDGET: Final = "Validation aborted."  # of graphql-core's rule; too many errors have a message of their own


def merging(most: int) -> type[ValidationRule]:
    """The rule that fields of one response name can be merged, which gives up after so many comparisons.

    It compares fields in pairs, with their arguments and all that is selected below them: one field a hundred times
    over five levels is 70,000 comparisons. graphql-core's own budget, half a million, is a second of CPU.
    """

    class Merging(OverlappingFieldsCanBeMergedRule):
        def __init__(self, context: ValidationContext) -> None:
            super().__init__(context)
            self.rule_context.remaining_complexity_budget = most

    return Merging


@dataclass(eq=False, slots=True)
class Prepared:
    """A document with the operation chosen in it, or the errors that say why it can't be executed.

    `sized_by` names the variables that decide the cost; `costs` remembers the cost for their last values.
    """

    document: DocumentNode | None = None
    operation: OperationDefinitionNode | None = None
    errors: tuple[GraphQLError, ...] = ()
    tally: complexity.Tally = field(default_factory=complexity.Tally)
    sized_by: tuple[str, ...] = ()
    costs: dict[tuple[int | None, ...], int] = field(default_factory=dict)
    weight: int = 0

    @property
    def kind(self) -> OperationType | None:
        """Query, mutation or subscription; None when there are errors."""
        return self.operation.operation if self.operation else None


class Documents:
    """Prepares documents for one schema, and keeps the last ones within a count and a weight in bytes."""

    def __init__(
        self, schema: GraphQLSchema, limits: complexity.Limits, most: int = 1_000, most_bytes: int = 32 * MEBIBYTE
    ) -> None:
        self.schema = schema
        self.limits = limits
        self.most = most
        self.most_bytes = most_bytes
        self.weight = 0
        self._rules = (*RULES, merging(limits.comparisons))
        self._kept: OrderedDict[tuple[str, str | None], Prepared] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def prepare(self, text: str, operation_name: str | None) -> Prepared:
        """The document of this text with the named operation chosen, from the cache when it has been seen before."""
        key = (text, operation_name)
        found = self._kept.get(key)
        if found is None:
            found = self._prepared(text, operation_name)
            self._keep(key, found)
        else:
            self._kept.move_to_end(key)
        return found

    def cost(self, prepared: Prepared, variables: Mapping[str, Any]) -> int:
        """The cost of an executable document with these variables: about one for each value that can be answered."""
        if prepared.document is None or prepared.operation is None or not prepared.sized_by:
            return prepared.tally.fixed
        sizes = complexity.sizes(prepared.operation, variables)
        key = tuple(sizes.get(name) for name in prepared.sized_by)
        if key not in prepared.costs:
            if len(prepared.costs) >= COSTS_KEPT:
                prepared.costs.clear()
            count = complexity.Count(self.schema, prepared.document, self.limits, sizes)
            prepared.costs[key] = count.operation(prepared.operation).fixed
        return prepared.costs[key]

    def _keep(self, key: tuple[str, str | None], prepared: Prepared) -> None:
        tokens = prepared.document.token_count if prepared.document else 4
        prepared.weight = 4 * (len(key[0]) + len(key[1] or "")) + BYTES_PER_TOKEN * tokens
        if prepared.weight > self.most_bytes // 8:
            return
        self._kept[key] = prepared
        self.weight += prepared.weight
        while len(self._kept) > self.most or self.weight > self.most_bytes:
            self.weight -= self._kept.popitem(last=False)[1].weight

    def _prepared(self, text: str, operation_name: str | None) -> Prepared:
        if errors := complexity.over_as_text(text, self.limits):
            return Prepared(errors=tuple(errors))
        try:
            document = parse(text, max_lexical_tokens=self.limits.tokens, max_comments=self.limits.tokens)
        except GraphQLError as error:
            return Prepared(errors=(masking.coded(error, "GRAPHQL_PARSE_FAILED"),))
        operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
        if errors := self._limit_errors(document, operations):
            return Prepared(errors=tuple(errors))
        # Validation comes before the choice: a document in which names clash is wrong whichever is asked for.
        if found := validate(self.schema, document, self._rules, MOST_ERRORS, hide_suggestions=True):
            if any(isinstance(error, ValidationAbortedError) and error.message == OUT_OF_BUDGET for error in found):
                most = self.limits.comparisons
                return Prepared(errors=(complexity.exceeded("comparisons", most + 1, most),))
            errors = [masking.coded(error, "GRAPHQL_VALIDATION_FAILED") for error in found]
            return Prepared(document, errors=tuple(errors))
        return self._chosen(document, operations, operation_name)

    def _limit_errors(
        self, document: DocumentNode, operations: Sequence[OperationDefinitionNode]
    ) -> list[GraphQLError]:
        count = complexity.Count(self.schema, document, self.limits, {})
        if len(operations) > self.limits.operations:
            return [complexity.exceeded("operations", len(operations), self.limits.operations)]
        if len(count.fragments) > self.limits.fragments:
            return [complexity.exceeded("fragments", len(count.fragments), self.limits.fragments)]
        try:
            # Operations that aren't asked for and fragments that aren't spread are validated all the same.
            tallies = [count.operation(node) for node in operations]
            tallies += [count.fragment(name) for name in count.fragments]
        except complexity.NestedTooDeep:
            return [complexity.exceeded("depth", complexity.MOST_NESTED + 1, self.limits.depth)]
        if errors := next((errors for tally in tallies if (errors := complexity.over(tally, self.limits))), []):
            return errors
        compared = max(
            (count.comparisons(node.selection_set) for node in (*operations, *count.fragments.values())), default=0
        )
        most = self.limits.comparisons
        if compared > most:
            return [complexity.exceeded("comparisons", compared, most)]
        return self._written_errors(document, operations)

    def _written_errors(
        self, document: DocumentNode, operations: Sequence[OperationDefinitionNode]
    ) -> list[GraphQLError]:
        others = [node for node in document.definitions if not isinstance(node, OperationDefinitionNode)]
        (selections, literals), (more, shared) = complexity.written(operations), complexity.written(others)
        # Validation looks at what a fragment's arguments are given once more for each operation.
        found = {"selections": selections + more, "literals": literals + shared * max(1, len(operations))}
        ceilings = {"selections": self.limits.selections, "literals": self.limits.literals}
        return [complexity.exceeded(name, found[name], most) for name, most in ceilings.items() if found[name] > most]

    def _chosen(
        self, document: DocumentNode, operations: Sequence[OperationDefinitionNode], name: str | None
    ) -> Prepared:
        named = [node for node in operations if name is None or (node.name and node.name.value == name)]
        if len(named) != 1:
            message = "The document has no operation of that name." if name is not None else (
                "The document has several operations: say which in `operationName`." if operations
                else "The document has no operation.")  # fmt: skip
            return Prepared(document, errors=(GraphQLError(message, extensions={"code": "OPERATION_NOT_FOUND"}),))
        operation = named[0]
        count = complexity.Count(self.schema, document, self.limits, complexity.sizes(operation, {}))
        tally = count.operation(operation)
        return Prepared(document, operation, tally=tally, sized_by=tuple(sorted(count.sized_by)))
