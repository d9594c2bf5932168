"""The world after any edit of a stack: out of memory, or from the nearest state that is in memory or in the store by doing the edits again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from editing_service.adapters.kept_states import KeptState, KeptStates
from editing_service.adapters.snapshots import Snapshots
from editing_service.adapters.stacks import Stacks
from editing_service.core.consistency import Looks, small_camera
from editing_service.core.edits import Insert, Operation, Surroundings, apply
from editing_service.core.errors import WorldNotEditableError, WorldTooLargeToEditError
from editing_service.core.selections import Everything, Selection, select
from editing_service.core.stack import EditStack, line_of
from editing_service.core.state import EditState, open_state
from praxiscope_common import names
from praxiscope_world_assets import OpenWorld, WorldReader
from praxiscope_worlds import Camera, GaussianWorld, Mesh, Orbit, WorldNotDrawableError, orbit_camera
from praxiscope_worlds.kernels import SplatKernels

# From so many places a world is looked at to see whether an edit stayed within its selection.
_PICTURE_COUNT = 3
_ORBIT_SIZE_PX = (160, 120)
_MAX_VIEWPOINTS = 200
# Of a line of edits that is done again, every so manyth state is kept.
_KEPT_STRIDE = 8
# A world, its successor, and what is in the making.
_SHARE_OF_ONE = 3
RequestReader = Callable[[bytes], tuple[Selection | None, Operation]]


class WorldStates:
    """States of all stacks.

    Args:
        worlds: Reads worlds.
        stacks: Knows the edits.
        kernels: What draws.
        threads: Where the work is done.
        read_request: Reads an edit's request.
        snapshots: Worlds of long stacks that outlive this process.
        max_bytes: How much the states may take together.
    """

    def __init__(
        self,
        *,
        worlds: WorldReader,
        stacks: Stacks,
        kernels: SplatKernels,
        threads: Executor,
        read_request: RequestReader,
        snapshots: Snapshots,
        max_bytes: int,
    ) -> None:
        """Starts with none."""
        self.snapshots = snapshots
        self.worlds, self.stacks, self.kernels, self.threads = worlds, stacks, kernels, threads
        self.read_request, self.max_bytes = read_request, max_bytes
        self.kept = KeptStates(max_bytes=max_bytes)
        # A stack's edits are done again by one call at a time, however many ask.
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def open_base(self, base_world: str, *, token: str) -> OpenWorld:
        """Reads a world that is to be edited.

        Raises:
            WorldNotEditableError: It is a mesh, or empty.
            WorldTooLargeToEditError: It takes more memory than one may.
            DomainError: It cannot be read; see `WorldReader`.
        """
        try:
            opened = await self.worlds.read(base_world, token=token)
        except WorldNotDrawableError as error:
            raise WorldNotEditableError() from error
        needed = sum(array.nbytes for array in open_state(opened.gaussians).arrays())
        if needed * _SHARE_OF_ONE > self.max_bytes:
            raise WorldTooLargeToEditError(
                f"The world takes {needed >> 20} MiB; at most {self.max_bytes // _SHARE_OF_ONE >> 20} MiB are edited here.",
                metadata={"needed_bytes": str(needed), "max_bytes": str(self.max_bytes // _SHARE_OF_ONE)},
            )
        return opened

    async def at(self, stack: EditStack, edit_id: str, *, token: str) -> KeptState:
        """Returns the world after an edit.

        Args:
            stack: The stack.
            edit_id: The edit; empty for the base world.
            token: A token that may read the base world and what was put into it.
        """
        name = names.EDIT_STACK.format(stack.project_id, stack.stack_id)
        found = self.kept.get((name, edit_id))
        if found is not None:
            return found
        lock = self._locks.setdefault(name, asyncio.Lock())
        async with lock:
            return await self._replayed(stack, name, edit_id, token)

    def keep(self, stack: EditStack, edit_id: str, kept: KeptState, *, token: str) -> None:
        """Keeps the world after an edit in memory, and has it written where its edits took long."""
        self.kept.put((names.EDIT_STACK.format(stack.project_id, stack.stack_id), edit_id), kept)
        if self.snapshots.offer(stack, edit_id, kept, token=token):
            kept.replay_s = 0.0

    async def surroundings(self, kept: KeptState, operation: Operation, *, token: str) -> Surroundings:
        """Returns what an operation needs beside the world."""
        inserted: GaussianWorld | Mesh | None = None
        if isinstance(operation, Insert):
            inserted = await self.worlds.read_part(
                operation.asset_version, operation.path, token=token, picture_decoder=_decode_picture
            )
        row_bytes = sum(array.nbytes for array in kept.state.arrays()) // max(1, len(kept.state))
        return Surroundings(
            viewpoints_m=kept.viewpoints_m,
            inserted=inserted,
            max_row_count=self.max_bytes // _SHARE_OF_ONE // row_bytes,
        )

    async def _replayed(self, stack: EditStack, name: str, edit_id: str, token: str) -> KeptState:
        line = ["", *line_of(stack, edit_id)]
        start, kept = await self._start_of(stack, name, line, token)
        todo = line[start + 1 :]
        for number, request in enumerate(await self.stacks.requests(stack, todo), start=1):
            selection, operation = self.read_request(request)
            surroundings = await self.surroundings(kept, operation, token=token)
            run = asyncio.get_running_loop().run_in_executor
            started_s = time.perf_counter()
            state = await run(self.threads, _apply, kept.state, selection, operation, surroundings)
            kept = moved_on(kept, state, operation, took_s=time.perf_counter() - started_s)
            if number % _KEPT_STRIDE == 0 or number == len(todo):
                self.keep(stack, todo[number - 1], kept, token=token)
        return kept

    async def _start_of(self, stack: EditStack, name: str, line: Sequence[str], token: str) -> tuple[int, KeptState]:
        """Returns where on a line of edits, the base world first, the replay begins: at what is in memory, in the store, or at the base world."""
        start, kept = len(line) - 1, None
        while kept is None and start >= 0:
            kept = self.kept.get((name, line[start]))
            start -= kept is None
        first = max(start, 0) + 1
        found = await self.snapshots.nearest(stack, line[first:], token=token)
        if found is not None:
            start, kept = first + found[0], found[1]
            self.kept.put((name, line[start]), kept)
        elif kept is None:
            start, kept = 0, await self._base(stack, token)
            self.kept.put((name, ""), kept)
        return start, kept

    async def _base(self, stack: EditStack, token: str) -> KeptState:
        opened = await self.open_base(stack.base_world, token=token)
        cameras = [camera for _, camera in await self.worlds.read_cameras(stack.base_world, token=token)]
        if not cameras:
            width_px, height_px = _ORBIT_SIZE_PX
            cameras = [
                orbit_camera(
                    opened.bounds,
                    Orbit(azimuth_rad=index * 2 * np.pi / _PICTURE_COUNT, elevation_rad=0.4),
                    width_px=width_px,
                    height_px=height_px,
                )
                for index in range(_PICTURE_COUNT)
            ]
        places = np.unique(np.linspace(0, len(cameras) - 1, _PICTURE_COUNT).astype(int))
        looks = Looks(
            cameras=[small_camera(cameras[place]) for place in places], kernels=self.kernels, options=opened.options
        )
        step = max(1, len(cameras) // _MAX_VIEWPOINTS)
        viewpoints = np.array([camera.position_m for camera in cameras[::step]])
        return KeptState(state=open_state(opened.gaussians), looks=looks, viewpoints_m=viewpoints)


def moved_on(before: KeptState, state: EditState, operation: Operation, *, took_s: float) -> KeptState:
    """Returns a state that an operation made of another in so many seconds, with the cameras that levelling turned."""
    kept = KeptState(
        state=state,
        looks=before.looks,
        viewpoints_m=before.viewpoints_m,
        replay_s=before.replay_s + took_s,
        is_own=before.is_own and not isinstance(operation, Insert),
    )
    if state.world_from_base is before.state.world_from_base:
        return kept
    turn = state.world_from_base @ np.linalg.inv(before.state.world_from_base)
    looks = replace(before.looks, cameras=turned_cameras(before.looks.cameras, turn))
    viewpoints = before.viewpoints_m @ turn[:3, :3].T + turn[:3, 3]
    return replace(kept, looks=looks, viewpoints_m=viewpoints)


def turned_cameras(cameras: Sequence[Camera], turn: np.ndarray) -> Sequence[Camera]:
    """Returns cameras that went along with the world."""
    return [replace(camera, world_from_camera=turn @ camera.world_from_camera) for camera in cameras]


def _apply(
    state: EditState, selection: Selection | None, operation: Operation, surroundings: Surroundings
) -> EditState:
    return apply(state, select(state, selection or Everything()), operation, surroundings).state


def _decode_picture(content: bytes, max_pixels: int) -> Any:  # noqa: ANN401  an array
    from praxiscope_media import (
        decode_image,  # here, since most services that edit never see a texture, and codecs take memory
    )

    return decode_image(content, max_pixels=max_pixels)
