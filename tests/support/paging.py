"""What holds for every list: pages join to the whole, and tokens belong to the list they came from."""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable
from typing import Any

from tests.support.calls import Answer

Page = Callable[[int, str], Awaitable[Answer]]
_SIZE = 2


async def check_paging(page: Page, field: str, *, foreign: Callable[[str], Awaitable[Answer]]) -> list[Any]:
    """Walks a list of at least three rows in pages of two and returns its rows.

    Args:
        page: Asks for a page of a size behind a token.
        field: The response's field that holds the rows.
        foreign: Asks another list for the page behind a token.
    """
    whole = list(getattr((await page(0, "")).message, field))
    assert len(whole) > _SIZE, "a list of one page tests nothing"
    rows: list[Any] = []
    token, last_token = "", ""
    while True:
        answer = (await page(_SIZE, token)).message
        found = list(getattr(answer, field))
        assert 1 <= len(found) <= _SIZE
        rows += found
        if not answer.next_page_token:
            break
        assert len(found) == _SIZE
        last_token = token = answer.next_page_token
    assert rows == whole
    (await foreign(last_token)).fails("INVALID_PAGE_TOKEN")
    for bad in ("nonsense", last_token[:-3], last_token + "AAAA", "e30", *_forged(last_token)):
        error = (await page(_SIZE, bad)).fails("INVALID_PAGE_TOKEN")
        assert [violation.field for violation in error.field_violations] == ["page_token"]
    (await page(-1, "")).fails("INVALID_REQUEST")
    (await page(1001, "")).fails("INVALID_REQUEST")
    return whole


def _forged(token: str) -> list[str]:
    """Returns tokens of the right list whose position is none: what a caller can make who reads our code."""
    body = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    positions = (
        [],
        ["nonsense"],
        ["nonsense", "nonsense"],
        [*body["p"], "x"],
        ["\x00"] * len(body["p"]),
        "ab",
        5,
        [1, 2],
    )
    return [
        base64.urlsafe_b64encode(json.dumps(body | {"p": position}).encode()).decode().rstrip("=")
        for position in positions
    ]
