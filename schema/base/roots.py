"""The root fields of queries, and who may ask: that is known before any argument is looked at."""

import functools
import inspect
from collections.abc import AsyncIterable, Awaitable, Callable
from typing import Any

import strawberry

from resolvers.scope import Scope

Admission = Callable[[Scope], object]


def anybody(scope: Scope) -> None:
    """Nothing: the field is open to people who aren't signed in."""


def query(description: str, admits: Admission = Scope.signed_in) -> Callable[[Callable[..., Awaitable[Any]]], Any]:
    """A root query field, open to whom `admits` lets pass: by default to whoever is signed in."""

    def decorate(resolver: Callable[..., Awaitable[Any]]) -> Any:
        return strawberry.field(resolver=admitted(resolver, admits), description=description)

    return decorate


def stream(description: str) -> Callable[[Callable[..., Awaitable[AsyncIterable[Any]]]], Any]:
    """A root subscription field, open to whoever is signed in."""

    def decorate(resolver: Callable[..., Awaitable[AsyncIterable[Any]]]) -> Any:
        return strawberry.subscription(resolver=admitted(resolver, Scope.signed_in), description=description)

    return decorate


def admitted(resolver: Callable[..., Awaitable[Any]], admits: Admission) -> Callable[..., Awaitable[Any]]:
    """The resolver behind its admission."""
    assert inspect.iscoroutinefunction(resolver)

    @functools.wraps(resolver)
    async def guarded(*args: Any, **kwargs: Any) -> Any:
        admits(kwargs["info"].context.scope)
        return await resolver(*args, **kwargs)

    guarded.admits = admits  # type: ignore[attr-defined]  # for what is refused before the resolver is called
    return guarded
