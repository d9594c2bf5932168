"""What is asked of the database while a call is served."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from praxiscope_common.identity import current_call

Statement = tuple[str, str]


@contextmanager
def recorded(request_id: str) -> Iterator[list[Statement]]:
    """Gives the statements, each with its values, that are executed for calls with a request id until the end of the block."""
    statements: list[Statement] = []
    execute = psycopg.AsyncCursor.execute

    async def record(self: Any, query: Any, params: Sequence[Any] | None = None, **options: Any) -> Any:
        if current_call().request_id == request_id:  # and nothing that runs beside them
            statements.append((str(query), repr(params)))
        return await execute(self, query, params, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(psycopg.AsyncCursor, "execute", record)
        yield statements
