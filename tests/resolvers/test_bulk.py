"""Acts on many at once: how many they may be, and what one that is refused leaves to the others."""

import pytest

from models.errors.errors import NotFound, TooMany
from resolvers.bulk import Outcome, each


async def act(id: int | None, path: tuple[str, ...]) -> int:
    if id == 50:
        raise NotFound(*path)
    assert id is not None
    return id


async def test_a_hundred_are_taken_and_one_more_is_not() -> None:
    ended = await each(range(1, 101), "ids", act)
    assert [outcome.id for outcome in ended] == [None if id == 50 else id for id in range(1, 101)]
    assert [outcome for outcome in ended if outcome.error is None] == [Outcome(id) for id in range(1, 101) if id != 50]
    with pytest.raises(TooMany) as refusal:
        await each(range(1, 102), "ids", act)
    assert refusal.value.path == ("ids",)
