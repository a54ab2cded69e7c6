"""A small schema with the shapes of the real one, and clients that ask it over HTTP in memory."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

import httpx
import strawberry
from graphql import GraphQLError
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from graph.endpoint import Endpoint
from graph.http.body_limit import Bodies
from models.errors.errors import (
    DatabaseAway,
    Forbidden,
    Invalid,
    Missing,
    NotFound,
    RateLimited,
    Refusals,
    Unauthenticated,
)


@dataclass
class Context:
    """What the toy fields read."""

    request: Request
    response: Response
    language: str
    is_known: bool = True


@strawberry.enum
class Colour(Enum):
    """Colours."""

    RED = "RED"
    GREEN = "GREEN"


@strawberry.type
class PageInfo:
    has_next_page: bool


@strawberry.type
class Item:
    name: str

    @strawberry.field
    def children(self, first: int | None = None, last: int | None = None) -> "ItemConnection":
        return page(first or last or 20)

    @strawberry.field
    def tags(self) -> list[str]:
        return ["a", "b"]

    @strawberry.field
    def owner(self) -> "Item":
        return Item(name=f"owner of {self.name}")


@strawberry.type
class ItemEdge:
    cursor: str
    node: Item


@strawberry.type
class ItemConnection:
    edges: list[ItemEdge]
    page_info: PageInfo


def page(rows: int) -> ItemConnection:
    edges = [ItemEdge(cursor=str(row), node=Item(name=f"item {row}")) for row in range(rows)]
    return ItemConnection(edges=edges, page_info=PageInfo(has_next_page=False))


REFUSALS: dict[str, Exception] = {
    "not found": NotFound("id"),
    "forbidden": Forbidden(),
    "invalid": Invalid("name", rule="cursor"),
    "several": Refusals([Missing("name"), NotFound("id")]),
    "unauthenticated": Unauthenticated(),
    "rate limited": RateLimited(7),
    "database away": DatabaseAway(),
    "bug": ValueError("secret of the inside"),
    "coded": GraphQLError("Too old.", extensions={"code": "REFETCH_NEEDED"}),
    "uncoded": GraphQLError("secret of the inside"),
}


@strawberry.input
class ItemInput:
    name: str
    colours: list[Colour] | None = None


@strawberry.type
class Query:
    @strawberry.field
    def hello(self, name: str = "you") -> str:
        return f"Hello, {name}."

    @strawberry.field
    def language(self, info: strawberry.Info[Context, None]) -> str:
        return info.context.language

    @strawberry.field
    def items(self, first: int | None = None, last: int | None = None, after: str | None = None) -> ItemConnection:
        return page(first or last or 20)

    @strawberry.field
    def nodes(self, ids: list[strawberry.ID]) -> list[Item]:
        return [Item(name=given) for given in ids]

    @strawberry.field
    def plain(self) -> list[Item]:
        return []

    @strawberry.field
    def item(self) -> Item:
        return Item(name="one")

    @strawberry.field
    def refuse(self, kind: str) -> str | None:
        raise REFUSALS[kind]

    @strawberry.field
    def refuse_hard(self, kind: str) -> str:
        raise REFUSALS[kind]

    @strawberry.field
    def wrong(self) -> int | None:
        return "secret of the inside"  # type: ignore[return-value]

    @strawberry.field
    def paint(self, colour: Colour = Colour.RED) -> str:
        return colour.value

    @strawberry.field
    def save(self, item: ItemInput) -> str:
        return item.name


@strawberry.type
class Mutation:
    @strawberry.mutation
    def sign_in(self, info: strawberry.Info[Context, None]) -> str:
        info.context.response.set_cookie("session", "abc", httponly=True)
        return "signed in"


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def ticks(self) -> AsyncIterator[int]:
        yield 1


class Quiet(strawberry.Schema):
    """Strawberry would log every error on its own."""

    def process_errors(self, errors: list[GraphQLError], execution_context: Any = None) -> None:
        """Leave logging to the endpoint."""


schema = Quiet(query=Query, mutation=Mutation, subscription=Subscription)


def explain(error: Exception, language: str) -> str:
    return f"{type(error).__name__} in {language}"


async def build_context(request: Request, response: Response) -> Context:
    """A context in the language of the header X-Language; the header X-Refuse names what to raise instead."""
    if kind := request.headers.get("x-refuse"):
        raise REFUSALS[kind]
    return Context(request, response, request.headers.get("x-language", "EN"))


async def show_page(request: Request) -> Response:
    return HTMLResponse("<title>GraphiQL</title>")


def endpoint(**settings: Any) -> Endpoint:
    given = {"build_context": build_context, "explain": explain, "default_language": "FR", "page": show_page}
    return Endpoint(schema, **{**given, **settings})


def client(app: Any = None) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app or Bodies(endpoint()), raise_app_exceptions=True)
    return httpx.AsyncClient(transport=transport, base_url="https://portal.example")


GRAPHQL = {"accept": "application/graphql-response+json"}
JSON = {"accept": "application/json"}


async def ask(query: str, app: Any = None, headers: dict[str, str] | None = None, **more: Any) -> httpx.Response:
    """The response to a POST of this query."""
    async with client(app) as http:
        return await http.post("/graphql", json={"query": query, **more}, headers=headers or GRAPHQL)


def code(response: httpx.Response) -> str:
    """The code of the only error of a response."""
    (error,) = response.json()["errors"]
    return str(error["extensions"]["code"])
