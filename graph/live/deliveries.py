"""What a change reads like to those who follow it: executed once for all who ask the same and may read the same."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from inspect import isawaitable
from typing import Any
from uuid import uuid4

import orjson
from graphql import ExecutionResult, GraphQLError, execute_subscription_event
from graphql.language import FieldNode, Node, VariableNode, Visitor, visit

from graph.execution.executor import Executions, Ready
from graph.execution.masking import cause
from graph.http import responses
from graph.http.metrics import Metrics
from models.accounts.accounts import Language
from models.accounts.actors import Actor
from models.errors.errors import DatabaseAway
from models.events.changes import Change, Topic
from resolvers.live import Level, Watch, Witness
from resolvers.scope import Office
from schema.base.context import Context

AT_ONCE = 8  # executions that may ask the database at the same time, of its pool's ten connections
Key = tuple[int, bytes, Language]


@dataclass(eq=False, slots=True)
class Group:
    """Streams of the same operation, variables and language. `members` are those that are live, by account."""

    key: Key
    ready: Ready
    language: Language
    topic: Topic
    structure_id: int | None
    members: dict[int, set[Any]] = field(default_factory=dict)
    is_personal: bool = False  # the last answer depended on who read it

    def streams(self, change: Change, people: Collection[int]) -> list[Any]:
        """The members whom the change concerns and who haven't had it."""
        if self.structure_id is not None and change.structure_id != self.structure_id:
            return []
        concerned = [stream for id in self.members.keys() & people for stream in self.members[id]]
        if self.structure_id is not None:  # support follows any structure it names
            concerned += [
                stream
                for id, streams in self.members.items()
                if id not in people
                for stream in streams
                if stream.level is Level.SUPPORT
            ]
        return [stream for stream in concerned if stream.position < change.position]


class Deliveries:
    """Groups of streams, and the texts of changes for them."""

    def __init__(self, office: Office, executions: Executions, metrics: Metrics) -> None:
        self._office = office
        self._executions = executions
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._metrics = metrics

    def group(self, ready: Ready, watch: Watch, language: Language) -> Group:
        """The group that a new stream belongs to, unless there is one of the same key already."""
        key = (id(ready.prepared), _variables(ready), language)
        return Group(key, ready, language, watch.topic, watch.structure_id)

    async def texts(self, group: Group, change: Change, readers: Collection[Actor]) -> dict[Actor, str]:
        """The GraphQL response, as JSON, for each of the readers.

        Raises:
            DatabaseAway: when it can't be read for now.
        """
        first, *others = readers
        text, personal = await self.text(group, change, first)
        found = dict.fromkeys(readers, text)
        group.is_personal = personal
        if personal and others:
            texts = await asyncio.gather(*(self.text(group, change, reader) for reader in others))
            found |= {reader: text for reader, (text, _) in zip(others, texts, strict=True)}
        return found

    async def text(self, group: Group, change: Change, reader: Actor) -> tuple[str, bool]:
        """The GraphQL response for one reader, and whether another might get a different one.

        Raises:
            DatabaseAway: when it can't be read for now.
        """
        scope = Witness(self._office, reader, group.language)
        async with self._slots:
            self._metrics.live_executions.inc()
            executor = self._executions.executor(group.ready, Context(scope), change)
            assert not isinstance(executor, list)  # the variables were right at the opening
            resolved: Any = execute_subscription_event(executor)
            result: ExecutionResult = await resolved if isawaitable(resolved) else resolved
        if any(isinstance(cause(error), DatabaseAway) for error in result.errors or ()):
            raise DatabaseAway
        return self._written(result, group.language), scope.asked

    def _written(self, result: ExecutionResult, language: Language) -> str:
        response: dict[str, Any] = {"data": result.data}
        if result.errors:
            shown = self._executions.masking.shown(result.errors, language, uuid4().hex)
            response["errors"] = [error.formatted for error in shown]
        return responses.encode(response).decode()


def _variables(ready: Ready) -> bytes:
    """The variables that decide what is delivered: the cursor to begin after does not."""
    operation = ready.prepared.operation
    assert operation is not None
    begin = {
        argument.value.name.value
        for selected in operation.selection_set.selections
        if isinstance(selected, FieldNode)
        for argument in selected.arguments or ()
        if argument.name.value == "after" and isinstance(argument.value, VariableNode)
    }
    given = {name: value for name, value in ready.variables.items() if name not in begin or _uses(ready, name) > 1}
    return orjson.dumps(given, option=orjson.OPT_SORT_KEYS)


def _uses(ready: Ready, name: str) -> int:
    found = 0

    class Count(Visitor):
        def enter_variable(self, node: VariableNode, _: Any, parent: Node | None, *more: Any) -> None:
            nonlocal found
            defining = getattr(parent, "kind", "") == "variable_definition"
            found += node.name.value == name and not defining

    assert ready.prepared.document is not None
    visit(ready.prepared.document, Count())
    return found


def failed(errors: Sequence[GraphQLError]) -> list[dict[str, Any]]:
    """Errors as clients read them."""
    return [dict(error.formatted) for error in errors]
