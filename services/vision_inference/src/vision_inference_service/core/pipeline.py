"""Order-keeping ways to work on several things at once."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


async def look_ahead(
    items: AsyncIterator[Item], work: Callable[[Item], Awaitable[Result]], *, count: int
) -> AsyncGenerator[tuple[Item, Result], None]:
    """Pairs every item with its result, in order, while the work of the next items already runs.

    At most `count` + 1 items are held. Leaving the iteration cancels the work that runs ahead and waits for it.

    Args:
        items: What is worked on.
        work: Called once per item.
        count: How many items may be worked on before they are asked for; 0 works one by one.
    """

    async def run(item: Item) -> Result:
        return await work(item)

    running: deque[tuple[Item, asyncio.Task[Result]]] = deque()
    try:
        async for item in items:
            running.append((item, asyncio.create_task(run(item))))
            if len(running) > count:
                first, task = running.popleft()
                yield first, await task
        while running:
            first, task = running.popleft()
            yield first, await task
    finally:
        for _, task in running:
            task.cancel()
        await asyncio.gather(*(task for _, task in running), return_exceptions=True)


def batched(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """The items in groups of `size`, the last one smaller; in order."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
