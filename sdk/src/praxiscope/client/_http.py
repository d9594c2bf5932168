"""Calls over HTTP: JSON in, JSON out, tokens renewed, errors typed, retries where they are safe."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from typing import Any

import httpx

from praxiscope.client._errors import PraxiscopeError, TransportError, error_from_status
from praxiscope.client._profile import Profile

_ATTEMPTS = 5
_FIRST_BACKOFF_S = 0.2
_MAX_BACKOFF_S = 3.0
_RENEW_BEFORE_S = 60.0
_RETRYABLE_STATUSES = frozenset({429, 502, 503})
_TIMEOUT = httpx.Timeout(30.0, connect=5.0)


class Transport:
    """One connection pool to one platform.

    Args:
        profile: Where the platform is and who we are there.
        on_new_refresh_token: Told of every refresh token that replaces the one before; keep it, the old one works no more.
    """

    def __init__(
        self,
        profile: Profile,
        *,
        on_new_refresh_token: Callable[[str], None] | None = None,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        """Opens nothing yet."""
        self.profile = profile
        self._http = http or httpx.AsyncClient(base_url=profile.url, timeout=_TIMEOUT, follow_redirects=False)
        self._on_new_refresh_token = on_new_refresh_token
        self._refresh_token = profile.refresh_token
        self._access_token, self._access_end_s = "", 0.0
        self._lock = asyncio.Lock()

    async def close(self) -> None:
        """Closes every connection."""
        await self._http.aclose()

    async def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, Any] | None = None,
        is_repeatable: bool | None = None,
        timeout_s: float | None = None,
        with_token: bool = True,
    ) -> dict[str, Any]:
        """Makes a call and returns its answer.

        Raises:
            PraxiscopeError: What the platform answered.
            TransportError: If it did not answer.
        """
        may_repeat = method == "GET" if is_repeatable is None else is_repeatable
        timeout = httpx.USE_CLIENT_DEFAULT if timeout_s is None else httpx.Timeout(timeout_s, connect=5.0)
        for attempt in range(_ATTEMPTS):
            is_last = attempt + 1 == _ATTEMPTS or not may_repeat
            headers = await self._headers() if with_token else {}
            try:
                answer = await self._http.request(
                    method,
                    path,
                    params={key: value for key, value in (query or {}).items() if value not in (None, "")},
                    content=None if body is None else json.dumps(body),
                    headers={**headers, "content-type": "application/json"} if body is not None else headers,
                    timeout=timeout,
                )
            except httpx.TransportError as error:
                if is_last:
                    raise self._no_answer(error) from error
                await asyncio.sleep(_backoff_s(attempt))
                continue
            if answer.status_code in _RETRYABLE_STATUSES and not is_last:
                await asyncio.sleep(_retry_after_s(answer) or _backoff_s(attempt))
                continue
            if answer.is_error:
                raise error_of(answer)
            return answer.json() if answer.content else {}
        raise TransportError("The platform did not answer in time.", reason="UNAVAILABLE")

    async def stream(self, path: str) -> AsyncGenerator[dict[str, Any], None]:
        """Yields the answers of a server stream, one JSON line each.

        Raises:
            PraxiscopeError: What the platform answered, also at the stream's end.
            TransportError: If it did not answer, or stopped in the middle.
        """
        headers = {**await self._headers(), "accept": "application/x-ndjson"}
        timeout = httpx.Timeout(None, connect=5.0)
        try:
            async with self._http.stream("GET", path, headers=headers, timeout=timeout) as answer:
                if answer.is_error:
                    await answer.aread()
                    raise error_of(answer)
                async for line in answer.aiter_lines():
                    if not line.strip():
                        continue
                    document = json.loads(line)
                    if "error" in document and "name" not in document:
                        raise error_from_status(document["error"])
                    yield document.get("result", document)
        except httpx.TransportError as error:
            raise self._no_answer(error) from error

    async def put(self, uri: str, content: bytes) -> None:
        """Puts bytes to a signed address; repeated where the platform did not take them."""
        for attempt in range(_ATTEMPTS):
            try:
                answer = await self._http.put(uri, content=content, timeout=httpx.Timeout(120.0, connect=5.0))
            except httpx.TransportError as error:
                if attempt + 1 == _ATTEMPTS:
                    raise self._no_answer(error) from error
            else:
                if not answer.is_error:
                    return
                if answer.status_code not in _RETRYABLE_STATUSES or attempt + 1 == _ATTEMPTS:
                    raise error_of(answer)
            await asyncio.sleep(_backoff_s(attempt))

    async def fetch(self, uri: str, *, start: int = 0) -> AsyncIterator[bytes]:
        """Yields the bytes behind a signed address, from `start` on."""
        headers = {"range": f"bytes={start}-"} if start else {}
        try:
            async with self._http.stream(
                "GET", uri, headers=headers, timeout=httpx.Timeout(120.0, connect=5.0)
            ) as answer:
                if answer.is_error:
                    await answer.aread()
                    raise error_of(answer)
                async for chunk in answer.aiter_bytes(1 << 20):
                    yield chunk
        except httpx.TransportError as error:
            raise self._no_answer(error) from error

    async def _headers(self) -> dict[str, str]:
        if self.profile.api_key:
            return {"authorization": f"Bearer {self.profile.api_key}"}
        if not self._refresh_token:
            return {}
        async with self._lock:
            if time.time() > self._access_end_s - _RENEW_BEFORE_S:
                await self._renew()
        return {"authorization": f"Bearer {self._access_token}"}

    async def _renew(self) -> None:
        answer = await self.call(
            "POST", "/v1/auth:refresh", {"refresh_token": self._refresh_token}, is_repeatable=False, with_token=False
        )
        self._access_token, self._refresh_token = answer["accessToken"], answer["refreshToken"]
        self._access_end_s = time.time() + 3600
        if self._on_new_refresh_token is not None:
            self._on_new_refresh_token(self._refresh_token)

    def _no_answer(self, error: Exception) -> TransportError:
        return TransportError(
            f"{self.profile.url} does not answer ({type(error).__name__}). Is it up, and is the address right?",
            reason="UNAVAILABLE",
        )


def error_of(answer: httpx.Response) -> PraxiscopeError:
    """Returns the error in an answer."""
    try:
        document = answer.json()
    except ValueError:
        document = {"message": f"The platform answered {answer.status_code} {answer.reason_phrase}."}
    error = error_from_status(
        document, http_status=answer.status_code, request_id=answer.headers.get("x-request-id", "")
    )
    if error.retry_after_s is None:
        error.retry_after_s = _retry_after_s(answer)
    return error


def _retry_after_s(answer: httpx.Response) -> float | None:
    value = answer.headers.get("retry-after", "")
    return min(30.0, float(value)) if value.isdigit() else None


def _backoff_s(attempt: int) -> float:
    return min(_MAX_BACKOFF_S, _FIRST_BACKOFF_S * 2**attempt) * (0.5 + random.random() / 2)  # noqa: S311  jitter
