"""Every field of every type is selected and resolved at least once: one that names no column of its rows fails here."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from graphql import GraphQLField, GraphQLObjectType, is_leaf_type, is_required_argument
from graphql.type import get_named_type

from models.accounts.accounts import Account
from models.documents.documents import DocumentState
from models.events.events import Event
from models.subscriptions.spaces import SpaceCode
from resolvers.accounts import sessions
from resolvers.scope import Scope
from schema import schema
from schema.base import ids
from schema.base.context import Context
from tests.schema.support.world import World, build, happen
from tests.support import factories

MECHANICAL = ("Payload", "Result", "Query", "Mutation", "Subscription", "Changed", "Recorded", "Delivery")
TYPES: dict[str, Any] = schema._schema.type_map
# What nothing but an act or a stream gives: their own tests read them.
FROM_ACTS = {"UserError"}


def _arguments(world: World) -> dict[str, str]:
    """What the fields that can't do without are asked with."""
    name = world.structure.name
    return {
        "Query.node": "",
        "Query.nodes": f'(ids: ["{world.id(world.structure)}"])',
        "Query.users": '(search: "person")',
        "Query.structures": f'(search: {{name: "{name}"}})',
        "Query.structure": f'(identifier: {{type: OTHER, value: "{world.structure.identifier}"}})',
        "Query.documentsArchiveUrl": f'(ids: ["{world.id(world.document)}"])',
        "Account.access": f'(space: WORKS_INVOICES, structureId: "{world.id(world.structure)}")',
    }


def _selected(kind: GraphQLObjectType, arguments: dict[str, str], seen: frozenset[str]) -> str:
    """All fields of the type; below them all of theirs, but of types that were seen on the way the name alone."""
    parts = ["__typename"]
    for name, field in kind.fields.items():
        given = arguments.get(f"{kind.name}.{name}", "")
        wanted = [key for key, argument in field.args.items() if is_required_argument(argument)]
        assert given or not wanted, f"say in _arguments what {kind.name}.{name} is asked with: {wanted}"
        parts.append(f"{name}{given}{_below(field, arguments, seen | {kind.name})}")
    return " ".join(parts)


def _below(field: GraphQLField, arguments: dict[str, str], seen: frozenset[str]) -> str:
    kind = get_named_type(field.type)
    if is_leaf_type(kind):
        return ""
    if not isinstance(kind, GraphQLObjectType) or kind.name in seen:
        return " { __typename }"
    return f" {{ {_selected(kind, arguments, seen)} }}" if len(seen) < 5 else " { __typename }"


def _roots(world: World, event: int) -> Iterator[str]:
    arguments = _arguments(world)
    query = TYPES["Query"]
    for name, field in query.fields.items():
        if name not in ("node", "nodes"):
            yield f"{name}{arguments.get(f'Query.{name}', '')}{_below(field, arguments, frozenset({'Query'}))}"
    things = {
        "Attachment": world.tim.id,
        "Structure": world.structure.id,
        "SpaceSubscription": world.wes.id,
        "PrincipalManagerOffer": world.offer.id,
        "Event": event,
    }
    for name, number in things.items():
        inner = f"... on {name} {{ {_selected(TYPES[name], arguments, frozenset())} }}"
        yield f'node(id: "{ids.encode(name, number)}") {{ __typename {inner} }}'
    lost = ids.encode("Structure", world.lost.id)
    yield f'node(id: "{lost}") {{ ... on Structure {{ {_selected(TYPES["Structure"], arguments, frozenset())} }} }}'


def _resolved(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, list):
        for one in value:
            yield from _resolved(one)
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name != "__typename" and "__typename" in value:
                yield value["__typename"], name
            yield from _resolved(inner)


def _expected() -> set[tuple[str, str]]:
    return {
        (name, field)
        for name, kind in TYPES.items()
        if isinstance(kind, GraphQLObjectType) and not name.startswith("__") and not name.endswith(MECHANICAL)
        for field in kind.fields
        if name not in FROM_ACTS
    }


@pytest.fixture
async def world(db: str) -> World:
    """The world of the rights matrix, with an address, a session and a document to be read."""
    world = await build()
    simple = world.viewers["simple"]
    assert simple is not None
    await simple.update_from_dict({"line1": "1", "postcode": "75001", "city": "Paris", "country": "FR"}).save()
    await factories.subscription(simple, world.structure, SpaceCode.WORKS_INVOICES)
    assert world.document.state is DocumentState.AVAILABLE
    return world


async def test_every_field_of_every_type_resolves(world: World, scope_of: Callable[..., Scope]) -> None:
    resolved: set[tuple[str, str]] = set()
    await happen(world, scope_of().now())
    event = await Event.filter(type="AttachmentValidated").first()
    assert event is not None
    for name in ("simple", "secondary", "principal", "support"):
        viewer = world.viewers[name]
        assert isinstance(viewer, Account)
        scope = scope_of()
        await sessions.sign_in(scope, viewer.login_email, factories.PASSWORD)
        for root in _roots(world, event.id):
            result = await schema.execute(f"{{ {root} }}", context_value=Context(scope=scope))
            unexpected = [error for error in result.errors or [] if not hasattr(error.original_error, "code")]
            assert unexpected == [], root
            resolved |= set(_resolved(result.data))
    assert len(_expected()) > 190
    assert _expected() - resolved == set()
