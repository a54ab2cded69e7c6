"""Acts on many things at once: each on its own, so that one that is refused leaves the others done."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from models.errors.errors import DomainError, Invalid, TooMany

MOST_AT_ONCE = 100
Key = TypeVar("Key", bound=int | None)


@dataclass(frozen=True)
class Outcome:
    """What became of one element of a bulk act: the attachment it was done on, or why it was refused."""

    id: int | None
    error: DomainError | None = None


async def each(
    ids: Sequence[Key], argument: str, act: Callable[[Key, tuple[str, ...]], Awaitable[int]], *below: str
) -> list[Outcome]:
    """The act on every element, each in its own transaction: one that is refused doesn't undo the others.

    A refusal with no path of its own is about the id, which stands `below` the element.

    Raises:
        TooMany: when there are more than 100; then nothing is done.
    """
    if len(ids) > MOST_AT_ONCE:
        raise TooMany(argument, most=MOST_AT_ONCE)
    outcomes: list[Outcome] = []
    seen: set[int] = set()
    for place, id in enumerate(ids):
        path = (argument, str(place))
        try:
            if id is not None and id in seen:
                raise Invalid(rule="twice")
            outcomes.append(Outcome(await act(id, path)))
        except DomainError as error:
            for single in error.each():
                single.path = single.path or (*path, *below)
            outcomes.append(Outcome(None, error))
        if id is not None:
            seen.add(id)
    return outcomes
