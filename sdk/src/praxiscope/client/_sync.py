"""The client for scripts: the asyncio one on a thread of its own, so that the two cannot drift apart."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from praxiscope.client._async import AsyncClient
from praxiscope.client._profile import Profile
from praxiscope.client._progress import Progress

_Result = TypeVar("_Result")
_END = object()


class Client:
    """Calls the platform; every method of `AsyncClient` is here under the same name and returns when it is done.

    Args:
        profile: Where the platform is and who we are there; by default the one that `read_profile` finds.
        on_new_refresh_token: Told of every refresh token that replaces the one before.
    """

    def __init__(
        self, profile: Profile | None = None, *, on_new_refresh_token: Callable[[str], None] | None = None
    ) -> None:
        """Starts the thread."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="praxiscope-client", daemon=True)
        self._thread.start()

        async def make() -> AsyncClient:
            return AsyncClient(profile, on_new_refresh_token=on_new_refresh_token)

        try:
            self._client = self._run(make())
        except BaseException:
            self._stop()
            raise

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Callable[..., Any]: ...

    else:

        def __getattr__(self, name: str) -> Callable[..., Any]:
            """Returns the method of `AsyncClient`, made to wait for its result."""
            if name.startswith("_"):
                raise AttributeError(name)
            method = getattr(self._client, name)
            return (lambda *given, **named: self._run(method(*given, **named))) if callable(method) else method

    def watch(self, operation: str) -> Iterator[Progress]:
        """Yields an operation whenever it changes, until it is done."""
        states = self._client.watch(operation)

        async def following() -> object:
            return await anext(states, _END)

        try:
            while isinstance(progress := self._run(following()), Progress):
                yield progress
        finally:
            self._run(states.aclose())

    def close(self) -> None:
        """Closes every connection and ends the thread."""
        self._run(self._client.close())
        self._run(self._loop.shutdown_asyncgens())
        self._stop()

    def __enter__(self) -> Client:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes."""
        self.close()

    def _run(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except KeyboardInterrupt:
            future.cancel()
            raise

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()
