"""Edits, selections and comparisons: read the world, work on it in a thread, write down what was done."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TypeVar

import numpy as np

from editing_service.adapters.kept_states import KeptState
from editing_service.adapters.stacks import Stacks
from editing_service.adapters.world_states import WorldStates, moved_on
from editing_service.core.compare import Difference, bounds_of, compare
from editing_service.core.consistency import Consistency, check_consistency
from editing_service.core.edits import Operation, Outcome, Surroundings, apply, may_touch
from editing_service.core.errors import EtagMismatchError, QueueFullError
from editing_service.core.rows import rows_as_drawn
from editing_service.core.selections import Everything, Selection, bits_of, select
from editing_service.core.stack import (
    MAIN_BRANCH,
    Branch,
    Edit,
    EditStack,
    check_etag,
    check_room,
    parting_of,
    pushed,
    resolve,
)
from editing_service.core.types import Applied, Compared, ReadRows, Selected
from praxiscope.editing.v1 import edit_service_pb2
from praxiscope_common import names
from praxiscope_common.credentials import ServiceIdentity
from praxiscope_common.identity import current_caller

_RETRY_AFTER_S = 1.0
MAX_ROWS_READ = 50_000
_Apply = edit_service_pb2.ApplyEditRequest
_Result = TypeVar("_Result")
EditReader = Callable[[_Apply], tuple[Selection | None, Operation]]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Done:
    """What came of an edit, before it is written down."""

    kept: KeptState
    outcome: Outcome
    difference: Difference
    consistency: Consistency
    selected_count: int


class Editor:
    """Works on worlds, a few calls at a time.

    Args:
        stacks: Stacks of all projects.
        states: Worlds between edits.
        identity: Gets tokens to act for the caller.
        read_edit: Reads selection and operation from a request.
        max_at_once: How many calls are worked on at once; more are refused.
    """

    def __init__(
        self,
        *,
        stacks: Stacks,
        states: WorldStates,
        identity: ServiceIdentity,
        read_edit: EditReader,
        max_at_once: int,
    ) -> None:
        """Keeps what it needs."""
        self._stacks, self._states, self._identity, self._read_edit = stacks, states, identity, read_edit
        self._free_count = max_at_once

    async def create(
        self, project_id: str, base_world: str, display_name: str, *, request_id: str, request_sha256: bytes
    ) -> EditStack:
        """Makes a stack; a repeated request id gives the one that it made before.

        Raises:
            DomainError: The world cannot be read or edited.
        """
        made = await self._stacks.made_before(project_id, request_id, request_sha256)
        if made is not None:
            return made
        async with self._turn():
            opened = await self._states.open_base(base_world, token=await self._identity.token_for_caller())
        now = datetime.now(timezone.utc)
        stack = EditStack(
            project_id=project_id,
            stack_id=names.new_id(),
            base_world=opened.file.asset_version,
            base_count=len(opened.gaussians),
            display_name=display_name,
            branches={MAIN_BRANCH: Branch(name=MAIN_BRANCH)},
            current_branch=MAIN_BRANCH,
            parents={},
            request_bytes=0,
            revision=1,
            creator=current_caller().subject,
            create_time=now,
            update_time=now,
        )
        return await self._stacks.add(stack, request_id=request_id, request_sha256=request_sha256)

    async def delete(self, name: str, *, etag: str) -> None:
        """Removes a stack."""
        deleted = await self._stacks.delete(name, etag=etag)
        self._states.kept.forget(name)
        await self._states.snapshots.forget(deleted)

    async def select(self, name: str, selection: Selection, edit_id: str) -> Selected:
        """Says what a selection holds."""
        async with self._world(name, edit_id) as (kept, found_id):
            return await self._in_thread(lambda: _selected(kept, selection, found_id))

    async def read_rows(self, name: str, edit_id: str, start: int, count: int) -> ReadRows:
        """Reads rows as a page draws them."""
        async with self._world(name, edit_id) as (kept, found_id):
            end = min(len(kept.state), start + (count or MAX_ROWS_READ))
            rows = await self._in_thread(lambda: rows_as_drawn(kept.state, start, end))
            next_row = end if end < len(kept.state) else 0
            return ReadRows(rows=rows, next_row=next_row, row_count=len(kept.state), edit_id=found_id)

    async def compare(self, name: str, from_id: str, to_id: str) -> Compared:
        """Says how the worlds after two edits differ."""
        stack = await self._stacks.find(name)
        first_id, second_id = resolve(stack, from_id, default=""), resolve(stack, to_id)
        common_id, first_line, second_line = parting_of(stack, first_id, second_id)
        async with self._turn():
            token = await self._identity.token_for_caller()
            common = await self._states.at(stack, common_id, token=token)
            first = await self._states.at(stack, first_id, token=token)
            second = await self._states.at(stack, second_id, token=token)
            shared_count = len(common.state)
            difference = await self._in_thread(lambda: compare(first.state, second.state, shared_count=shared_count))
        return Compared(
            difference=difference,
            from_count=first.state.count,
            to_count=second.state.count,
            common_id=common_id,
            from_ids=tuple(first_line),
            to_ids=tuple(second_line),
        )

    async def apply(self, request: _Apply, *, request_sha256: bytes) -> Applied:
        """Applies an edit to the current branch of a stack; a repeated request id gives the edit that it made before.

        Raises:
            EtagMismatchError: The stack has changed since its etag was read.
            RequestIdReusedError: The request id came with another request before.
            DomainError: The edit cannot be done; see `core.edits.apply`.
        """
        stack = await self._stacks.find(request.name)
        made = await self._stacks.edit_made_before(request.name, request.request_id, request_sha256)
        if made is None:
            try:
                return await self._apply_anew(stack, request, request_sha256)
            except EtagMismatchError:
                # of two calls at once with one request id, the other was faster
                made = await self._stacks.edit_made_before(request.name, request.request_id, request_sha256)
                if made is None:
                    raise
                stack = await self._stacks.find(request.name)
        return await self._told_again(stack, made)

    async def _apply_anew(self, stack: EditStack, request: _Apply, request_sha256: bytes) -> Applied:
        started_s = time.perf_counter()
        check_etag(stack, request.etag)
        stored = _stored(request)
        check_room(stack, stored.ByteSize())
        async with self._turn():
            token = await self._identity.token_for_caller()
            if stored.operation.WhichOneof("what") == "insert":
                await self._pin(stored, token)
            selection, operation = self._read_edit(stored)
            before = await self._states.at(stack, stack.current.head_id, token=token)
            surroundings = await self._states.surroundings(before, operation, token=token)
            done = await self._in_thread(lambda: _do(before, selection, operation, surroundings))
            edit = _edit(
                stack,
                stored,
                done,
                elapsed_ms=1e3 * (time.perf_counter() - started_s),
                request_id=request.request_id,
                request_sha256=request_sha256,
            )
            changed = await self._stacks.push(
                request.name, etag=request.etag, edit=edit, change=lambda found: pushed(found, edit)
            )
            self._states.keep(changed, edit.edit_id, done.kept, token=token)
            return await self._in_thread(lambda: _applied(edit, changed, before, done.difference))

    async def _told_again(self, stack: EditStack, edit: Edit) -> Applied:
        """Says what an edit did: the same, and the stack's etag of now."""
        async with self._turn():
            token = await self._identity.token_for_caller()
            before = await self._states.at(stack, edit.parent_id, token=token)
            after = await self._states.at(stack, edit.edit_id, token=token)
            return await self._in_thread(
                lambda: _applied(
                    edit, stack, before, compare(before.state, after.state, shared_count=len(before.state))
                )
            )

    async def _pin(self, stored: _Apply, token: str) -> None:
        """Writes the number of the version that is put in, and its file, so that the edit stays what it is."""
        source = stored.operation.insert.source
        worlds = self._states.worlds
        file = await worlds.find_part(source.asset_version, source.path, token=token)
        source.asset_version, source.path = file.asset_version, file.path

    @asynccontextmanager
    async def _world(self, name: str, edit_id: str) -> AsyncIterator[tuple[KeptState, str]]:
        stack = await self._stacks.find(name)
        found_id = resolve(stack, edit_id)
        async with self._turn():
            yield await self._states.at(stack, found_id, token=await self._identity.token_for_caller()), found_id

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if self._free_count <= 0:
            raise QueueFullError(retry_after_s=_RETRY_AFTER_S)
        self._free_count -= 1
        try:
            yield
        finally:
            self._free_count += 1

    async def _in_thread(self, work: Callable[[], _Result]) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._states.threads, work)


def _do(before: KeptState, selection: Selection | None, operation: Operation, surroundings: Surroundings) -> _Done:
    state = before.state
    started_s = time.perf_counter()
    is_selected = select(state, selection or Everything())
    outcome = apply(state, is_selected, operation, surroundings)
    applied_s = time.perf_counter()
    difference = compare(state, outcome.state, shared_count=len(state))
    kept = moved_on(before, outcome.state, operation, took_s=applied_s - started_s)
    is_touchable = may_touch(operation, state, is_selected)
    consistency = check_consistency(
        state,
        outcome.state,
        difference,
        is_touchable,
        before.looks,
        pictures_before=before.look() if (state.is_alive & ~is_touchable).any() else before.looks.blank(),
        pictures_after=kept.look() if kept.looks is before.looks else before.looks.blank(),
    )
    elapsed_ms = 1e3 * (time.perf_counter() - applied_s)
    return _Done(
        kept=kept,
        outcome=outcome,
        difference=difference,
        consistency=replace(consistency, elapsed_ms=elapsed_ms),
        selected_count=int(np.count_nonzero(is_selected)),
    )


def _stored(request: _Apply) -> _Apply:
    """Returns what is kept of a request: what to do to what."""
    stored = _Apply(operation=request.operation)
    if request.HasField("selection"):
        stored.selection.CopyFrom(request.selection)
    return stored


def _edit(
    stack: EditStack, stored: _Apply, done: _Done, *, elapsed_ms: float, request_id: str, request_sha256: bytes
) -> Edit:
    state, difference = done.outcome.state, done.difference
    return Edit(
        edit_id=names.new_id(),
        parent_id=stack.current.head_id,
        request=stored.SerializeToString(deterministic=True),
        summary=done.outcome.summary,
        selected_count=done.selected_count,
        changed_count=difference.changed_count,
        removed_count=difference.removed_count,
        added_count=difference.added_count,
        gaussian_count=state.count,
        row_count=len(state),
        bounds=difference.bounds,
        consistency=done.consistency,
        elapsed_ms=elapsed_ms,
        creator=current_caller().subject,
        create_time=datetime.now(timezone.utc),
        request_id=request_id,
        request_sha256=request_sha256,
    )


def _applied(edit: Edit, stack: EditStack, before: KeptState, difference: Difference) -> Applied:
    return Applied(
        edit=edit,
        etag=stack.etag,
        removed_bits=bits_of(difference.is_removed) if difference.removed_count else b"",
        changed_bits=bits_of(difference.is_changed) if difference.changed_count else b"",
        first_added_row=len(before.state) if difference.added_count else 0,
    )


def _selected(kept: KeptState, selection: Selection, edit_id: str) -> Selected:
    mask = select(kept.state, selection)
    return Selected(
        count=int(np.count_nonzero(mask)),
        gaussian_count=kept.state.count,
        row_count=len(kept.state),
        bits=bits_of(mask),
        bounds=bounds_of(kept.state.rows.means_m[mask]),
        edit_id=edit_id,
    )
