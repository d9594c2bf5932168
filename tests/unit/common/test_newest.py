"""A place for one thing, of which the newest stays."""

from __future__ import annotations

import asyncio

from praxiscope_common.newest import Newest


async def test_the_newest_stays_and_what_it_replaced_is_counted() -> None:
    newest = Newest[int]()
    for number in range(3):
        newest.put(number)
    assert await newest.take() == (2, 2)
    newest.put(3)
    newest.end()
    assert await newest.take() == (3, 0)
    assert await newest.take() is None


async def test_who_waits_is_woken() -> None:
    newest = Newest[int]()
    taking = asyncio.create_task(newest.take())
    await asyncio.sleep(0)
    newest.put(5)
    assert await taking == (5, 0)


async def test_quiet_is_when_nothing_comes() -> None:
    newest = Newest[int]()
    assert await newest.is_quiet(0.01)
    waiting = asyncio.create_task(newest.is_quiet(30))
    await asyncio.sleep(0)
    newest.put(1)
    assert not await waiting
    assert not await newest.is_quiet(30)
    await newest.take()
    newest.end()
    assert await newest.is_quiet(30), "nothing comes any more, so nobody waits"
