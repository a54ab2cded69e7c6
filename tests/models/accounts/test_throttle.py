"""The brakes on guessing: what is free, how long the pauses are, and that parallel tries are all counted."""

import asyncio
from datetime import timedelta

import pytest

from models.accounts import throttle
from models.accounts.throttle import Limit
from tests.conftest import Clock


async def admit(key: str, clock: Clock) -> timedelta:
    """A try that one limit alone is asked about."""
    return await throttle.admit([Limit(key)], clock())


@pytest.mark.parametrize(("tries", "minutes"), [(0, 0), (4, 0), (5, 1), (6, 2), (7, 4), (10, 32), (11, 60), (500, 60)])
def test_pause_doubles_from_a_minute_to_an_hour(tries: int, minutes: int) -> None:
    assert throttle.pause_after(tries) == timedelta(minutes=minutes)


async def test_brake_admits_five_then_one_a_pause(db: str, clock: Clock) -> None:
    key = throttle.key_of("password", "ada")
    assert [await admit(key, clock) for _ in range(5)] == [timedelta(0)] * 5
    clock.advance(seconds=20)
    assert await admit(key, clock) == timedelta(seconds=40)
    clock.advance(seconds=40)
    assert await admit(key, clock) == timedelta(0)
    assert await admit(key, clock) == timedelta(minutes=2)
    assert await admit(throttle.key_of("password", "bob"), clock) == timedelta(0)


async def test_brake_forgets_when_released_or_after_a_day(db: str, clock: Clock) -> None:
    key = throttle.key_of("password", "ada")
    for _ in range(5):
        await admit(key, clock)
    await throttle.release(key)
    assert await admit(key, clock) == timedelta(0)
    for _ in range(4):
        await admit(key, clock)
    clock.advance(hours=24)
    assert [await admit(key, clock) for _ in range(5)] == [timedelta(0)] * 5


async def test_fifty_parallel_tries_pass_the_brake_five_times(db: str, clock: Clock) -> None:
    key = throttle.key_of("password", "ada")
    waits = await asyncio.gather(*(admit(key, clock) for _ in range(50)))
    assert sorted(waits) == [timedelta(0)] * 5 + [timedelta(minutes=1)] * 45


async def test_allowance_is_taken_up_to_its_number_per_period(db: str, clock: Clock) -> None:
    key = throttle.key_of("mail", "ada")
    take = [await throttle.take(key, clock(), most=2, per=timedelta(hours=1)) for _ in range(3)]
    clock.advance(hours=1)
    assert [*take, await throttle.take(key, clock(), most=2, per=timedelta(hours=1))] == [True, True, False, True]


async def test_release_in_between_disturbs_no_parallel_try(db: str, clock: Clock) -> None:
    key = throttle.key_of("password", "ada")

    async def one(number: int) -> None:
        for _ in range(20):
            await (throttle.release(key) if number % 2 else admit(key, clock))

    await asyncio.gather(*(one(number) for number in range(10)))
    await throttle.release(key)
    assert await admit(key, clock) == timedelta(0)


async def test_try_that_one_of_two_limits_refuses_counts_in_neither(db: str, clock: Clock) -> None:
    narrow, wide = Limit(throttle.key_of("source", "ada")), Limit(throttle.key_of("all", "ada"), 50)
    for _ in range(20):
        await throttle.admit([narrow, wide], clock())
    assert await throttle.settle(wide.key) == 5


async def test_fifty_parallel_tries_from_two_places_pass_a_shared_limit_as_often_as_it_says(
    db: str, clock: Clock
) -> None:
    shared = Limit(throttle.key_of("all", "ada"), 8)
    places = [Limit(throttle.key_of("source", place)) for place in ("here", "there")]
    waits = await asyncio.gather(*(throttle.admit([places[number % 2], shared], clock()) for number in range(50)))
    assert waits.count(timedelta(0)) == 8


async def test_what_only_counts_is_kept_until_it_is_settled(db: str, clock: Clock) -> None:
    tally = Limit(throttle.key_of("tally", "ada"), None)
    for _ in range(60):
        assert await throttle.admit([tally], clock()) == timedelta(0)
    clock.advance(days=30)
    await throttle.admit([tally], clock())
    assert (await throttle.settle(tally.key), await throttle.settle(tally.key)) == (61, 0)


async def test_try_that_was_refused_holds_up_nobody_whose_clock_is_behind(db: str, clock: Clock) -> None:
    for _ in range(5):
        await admit("used up", clock)
    assert await throttle.admit([Limit("used up"), Limit("other")], clock()) == timedelta(minutes=1)
    clock.advance(seconds=-1)
    assert await admit("other", clock) == timedelta(0)


async def test_what_was_given_back_is_not_given_back_again(db: str, clock: Clock) -> None:
    assert await throttle.take("key", clock(), most=1, per=timedelta(days=1))
    await throttle.give_back("key")
    await throttle.give_back("key")
    assert await throttle.take("key", clock(), most=1, per=timedelta(days=1))
    assert not await throttle.take("key", clock(), most=1, per=timedelta(days=1))


async def test_tries_that_share_their_keys_in_any_order_do_not_wait_for_each_other(db: str, clock: Clock) -> None:
    keys = [Limit("one", None), Limit("two", None)]
    tries = [throttle.admit(keys[::step], clock()) for step in (1, -1) * 20]
    assert await asyncio.gather(*tries) == [timedelta(0)] * 40
