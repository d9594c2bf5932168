"""What the servicer needs; `adapters` gives it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from editing_service.core.selections import Selection
from editing_service.core.stack import Edit, EditStack
from editing_service.core.types import Applied, Compared, ReadRows, Selected
from praxiscope.editing.v1 import edit_service_pb2
from praxiscope_common.jobs.operations import Operation


class StackKeeper(Protocol):
    """Stacks of all projects."""

    async def find_with_edits(self, name: str) -> tuple[EditStack, Sequence[Edit]]: ...
    async def list(
        self, project_id: str, *, limit: int, before: tuple[str, ...] | None
    ) -> Sequence[tuple[EditStack, int]]: ...
    async def change(
        self, name: str, *, etag: str, change: Callable[[EditStack], EditStack]
    ) -> tuple[EditStack, Sequence[Edit]]: ...


class WorldEditor(Protocol):
    """Works on worlds."""

    async def create(
        self, project_id: str, base_world: str, display_name: str, *, request_id: str, request_sha256: bytes
    ) -> EditStack: ...
    async def delete(self, name: str, *, etag: str) -> None: ...
    async def select(self, name: str, selection: Selection, edit_id: str) -> Selected: ...
    async def read_rows(self, name: str, edit_id: str, start: int, count: int) -> ReadRows: ...
    async def compare(self, name: str, from_id: str, to_id: str) -> Compared: ...
    async def apply(self, request: edit_service_pb2.ApplyEditRequest, *, request_sha256: bytes) -> Applied: ...


class SaveStarter(Protocol):
    """Accepts long work."""

    async def start(self, request: edit_service_pb2.SaveWorldRequest) -> Operation: ...
