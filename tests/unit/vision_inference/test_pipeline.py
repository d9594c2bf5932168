"""Working ahead in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from vision_inference_service.core.pipeline import batched, look_ahead


async def count_to(end: int) -> AsyncIterator[int]:
    for number in range(end):
        yield number


@pytest.mark.parametrize("count", [0, 1, 5])
def test_results_come_in_order_and_work_runs_so_far_ahead(count: int) -> None:
    started: list[int] = []

    async def square(number: int) -> int:
        started.append(number)
        await asyncio.sleep(0.001 * (9 - number))
        return number * number

    async def run() -> None:
        expected = 0
        async for number, result in look_ahead(count_to(8), square, count=count):
            assert (number, result) == (expected, expected * expected)
            assert len(started) <= expected + count + 1
            expected += 1
        assert expected == 8

    asyncio.run(run())
    assert started == list(range(8))


def test_leaving_cancels_what_runs_ahead_and_waits_for_it() -> None:
    ended: list[int] = []

    async def wait(number: int) -> int:
        try:
            await asyncio.sleep(0 if number == 0 else 60)
        finally:
            ended.append(number)
        return number

    async def run() -> None:
        stream = look_ahead(count_to(9), wait, count=3)
        async for _ in stream:
            break
        await stream.aclose()  # type: ignore[attr-defined]

    asyncio.run(asyncio.wait_for(run(), 5))
    assert ended[0] == 0
    assert set(ended) <= {0, 1, 2, 3}


def test_an_error_of_the_work_reaches_the_reader() -> None:
    async def fail(number: int) -> int:
        if number == 2:
            raise LookupError
        return number

    async def run() -> list[int]:
        seen: list[int] = []
        with pytest.raises(LookupError):
            async for number, _ in look_ahead(count_to(5), fail, count=2):
                seen.append(number)
        return seen

    assert asyncio.run(run()) == [0, 1]


def test_groups_keep_the_order() -> None:
    assert list(batched([1, 2, 3, 4, 5], 2)) == [[1, 2], [3, 4], [5]]
    assert list(batched([], 2)) == []
