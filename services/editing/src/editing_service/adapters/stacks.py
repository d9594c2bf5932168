"""Stacks over the database: found, listed, moved along, deleted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from editing_service.adapters import postgres_stacks
from editing_service.core.stack import Edit, EditStack, check_etag
from praxiscope_common import names
from praxiscope_common.database import Connection, Database
from praxiscope_common.server.stages import resource_not_found


@dataclass(frozen=True, kw_only=True)
class Stacks:
    """Stacks of all projects.

    Attributes:
        database: Where they are.
    """

    database: Database

    async def find(self, name: str) -> EditStack:
        """Returns a stack.

        Raises:
            ResourceNotFoundError: There is none of this name.
        """
        async with self.database.transaction() as connection:
            return await _find(connection, name)

    async def find_with_edits(self, name: str) -> tuple[EditStack, Sequence[Edit]]:
        """Returns a stack and its edits, as of one moment."""
        async with self.database.transaction() as connection:
            stack = await _find(connection, name, for_update=True)
            return stack, await postgres_stacks.list_edits(connection, stack.project_id, stack.stack_id)

    async def list(
        self, project_id: str, *, limit: int, before: tuple[str, ...] | None
    ) -> Sequence[tuple[EditStack, int]]:
        """Returns stacks without their edits, newest first, and how many edits each has."""
        async with self.database.transaction() as connection:
            return await postgres_stacks.list_stacks(connection, project_id, limit=limit, before=before)

    async def made_before(self, project_id: str, request_id: str, request_sha256: bytes) -> EditStack | None:
        """Returns the stack that a request id made before."""
        async with self.database.transaction() as connection:
            made = await postgres_stacks.made_before(connection, project_id, request_id, request_sha256)
            return await postgres_stacks.find_stack(connection, project_id, made) if made else None

    async def add(self, stack: EditStack, *, request_id: str, request_sha256: bytes) -> EditStack:
        """Writes a stack; a repeated request id gives the one that it made before."""
        async with self.database.transaction() as connection:
            stack_id = await postgres_stacks.add_stack(
                connection, stack, request_id=request_id, request_sha256=request_sha256
            )
            return await _find(connection, names.EDIT_STACK.format(stack.project_id, stack_id))

    async def delete(self, name: str, *, etag: str) -> EditStack:
        """Removes a stack and returns it; an etag that is not empty must be the stack's."""
        async with self.database.transaction() as connection:
            stack = await _find(connection, name, for_update=True)
            if etag:
                check_etag(stack, etag)
            await postgres_stacks.delete_stack(connection, stack.project_id, stack.stack_id)
            return stack

    async def change(
        self, name: str, *, etag: str, change: Callable[[EditStack], EditStack]
    ) -> tuple[EditStack, Sequence[Edit]]:
        """Moves a stack along; returns it and its edits.

        Raises:
            EtagMismatchError: It has changed since the etag was read.
            DomainError: Whatever `change` raises.
        """
        async with self.database.transaction() as connection:
            stack = await _find(connection, name, for_update=True)
            check_etag(stack, etag)
            await postgres_stacks.save_stack(connection, change(stack))
            changed = await _find(connection, name)
            return changed, await postgres_stacks.list_edits(connection, stack.project_id, stack.stack_id)

    async def edit_made_before(self, name: str, request_id: str, request_sha256: bytes) -> Edit | None:
        """Returns the edit of a stack that a request id made before."""
        if not request_id:
            return None
        project_id, stack_id = names.EDIT_STACK.parse(name)
        async with self.database.transaction() as connection:
            return await postgres_stacks.find_edit(connection, project_id, stack_id, request_id, request_sha256)

    async def push(self, name: str, *, etag: str, edit: Edit, change: Callable[[EditStack], EditStack]) -> EditStack:
        """Puts an edit onto a stack, unless the stack has changed since; returns it.

        Raises:
            EtagMismatchError: It has changed since the etag was read.
        """
        async with self.database.transaction() as connection:
            stack = await _find(connection, name, for_update=True)
            check_etag(stack, etag)
            number = len(stack.parents) + 1
            await postgres_stacks.add_edit(connection, stack.project_id, stack.stack_id, number, edit)
            await postgres_stacks.save_stack(connection, change(stack))
            return await _find(connection, name)

    async def requests(self, stack: EditStack, edit_ids: Sequence[str]) -> Sequence[bytes]:
        """Returns the requests of some edits."""
        async with self.database.transaction() as connection:
            return await postgres_stacks.read_requests(connection, stack.project_id, stack.stack_id, edit_ids)


async def _find(connection: Connection, name: str, *, for_update: bool = False) -> EditStack:
    project_id, stack_id = names.EDIT_STACK.parse(name)
    stack = await postgres_stacks.find_stack(connection, project_id, stack_id, for_update=for_update)
    if stack is None:
        raise resource_not_found(name)
    return stack
