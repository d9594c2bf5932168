"""Saving the world after an edit as an asset: how the job is accepted, and how it is done."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import grpc
import numpy as np

from editing_service.adapters.kept_states import KeptState
from editing_service.adapters.stacks import Stacks
from editing_service.adapters.world_states import WorldStates, turned_cameras
from editing_service.core.edits import Insert
from editing_service.core.errors import WorldNotEditableError
from editing_service.core.stack import BASE, Edit, EditStack, line_of, resolve
from praxiscope.editing.v1 import edit_service_pb2
from praxiscope_assets import AssetFiles, OutputFolder
from praxiscope_common.credentials import ServiceIdentity
from praxiscope_common.database import Database
from praxiscope_common.identity import current_caller
from praxiscope_common.jobs.operations import NewOperation, Operation, create_operation
from praxiscope_common.jobs.worker import Handler, JobContext
from praxiscope_world_assets import draw_thumbnail, put_world
from praxiscope_worlds import Camera, GaussianWorld, Orbit, cameras_json, measure_bounds, orbit_camera

METHOD = "praxiscope.editing.v1.EditService/SaveWorld"
_WEIGHTS = {"edit": 0.5, "store": 0.5}
_THUMBNAIL_SIZE_PX = (512, 384)
# How a world is to be drawn; an edit changes nothing of it.
_KEPT_WORDS = ("background_rgb", "is_antialiased", "has_scale", "caption", "prompt")
_Request = edit_service_pb2.SaveWorldRequest


@dataclass(frozen=True, kw_only=True)
class SaveJobs:
    """Accepts jobs.

    Attributes:
        database: Where operations are.
        stacks: Knows the edits.
    """

    database: Database
    stacks: Stacks

    async def start(self, request: _Request) -> Operation:
        """Finds out which edit is meant now, and writes the operation and its job."""
        stack = await self.stacks.find(request.name)
        edit_id = resolve(stack, request.edit_id)
        async with self.database.transaction() as connection:
            return await create_operation(
                connection,
                NewOperation(
                    service="editing",
                    method=METHOD,
                    # the edit stands here and not in the request, so that a repeated request is the same one when the branch has moved on
                    target=f"{request.name}/edits/{edit_id or BASE}",
                    request=request,
                    request_id=request.request_id,
                    parent_operation=current_caller().operation,
                ),
            )


@dataclass(frozen=True, kw_only=True)
class SaveWork:
    """Does jobs.

    Attributes:
        files: The store.
        stacks: Knows the edits.
        states: Worlds between edits.
        library: A channel to the library.
        identity: Gets tokens to act for whoever started the operation.
    """

    files: AssetFiles
    stacks: Stacks
    states: WorldStates
    library: grpc.aio.Channel
    identity: ServiceIdentity

    def handlers(self) -> dict[str, Handler]:
        """Returns what does each method's work."""
        return {METHOD: Handler(request_type=_Request, run=self.run, weights=_WEIGHTS)}

    async def run(self, context: JobContext, request: _Request) -> edit_service_pb2.SaveWorldResponse:
        """Does the edits again and hands the world over."""
        stack, edits = await self.stacks.find_with_edits(request.name)
        edit_id = resolve(stack, context.operation.target.rpartition("/")[2])
        line = [edit for edit in edits if edit.edit_id in set(line_of(stack, edit_id))]
        token = await self.identity.token_for_mandate(context.operation.mandate)
        with context.timed("edit"):
            await context.report("edit", 0.0, f"{len(line)} edits")
            kept = await self.states.at(stack, edit_id, token=token)
            world = await asyncio.to_thread(kept.state.world)
            if not len(world):
                raise WorldNotEditableError("Every Gaussian was taken away; there is no world to save.")
        await context.report("edit", 1.0)
        with context.timed("store"):
            token = await self.identity.token_for_mandate(context.operation.mandate)
            version = await self._hand_over(context, request, stack, line, kept, world, token)
        await context.report("store", 1.0)
        self.states.kept.forget(request.name)  # the next job is another stack's
        return edit_service_pb2.SaveWorldResponse(asset_version=version, gaussian_count=len(world), edit_id=edit_id)

    async def _hand_over(
        self,
        context: JobContext,
        request: _Request,
        stack: EditStack,
        line: Sequence[Edit],
        kept: KeptState,
        world: GaussianWorld,
        token: str,
    ) -> str:
        cameras = await self.states.worlds.read_cameras(stack.base_world, token=token)
        turned = turned_cameras([camera for _, camera in cameras], kept.state.world_from_base)
        base = await self.states.worlds.read_description(stack.base_world, token=token)
        described = {
            "format_version": 1,
            "made_by": "editing",
            "gaussian_count": len(world),
            "sh_degree": world.sh_degree,
            **{word: base[word] for word in _KEPT_WORDS if word in base},
            "base_world": stack.base_world,
            "edits": [edit.summary for edit in line],
        }
        view = turned[0] if turned else _view_of(world)
        thumbnail = await asyncio.to_thread(draw_thumbnail, self.states.kernels, world, view, kept.looks.options)
        outputs = OutputFolder(self.library, self.files.store, operation=context.operation.name, name="world")
        await put_world(outputs, world, described, thumbnail)
        if turned:
            await outputs.put("cameras.json", "application/json", cameras_json([name for name, _ in cameras], turned))
        version = await outputs.commit(
            kind="KIND_WORLD",
            display_name=request.display_name or stack.display_name or "Edited world",
            sources=[stack.base_world, *self._inserted(line, stack.base_world)],
            token=token,
        )
        return str(version.name)

    def _inserted(self, line: Sequence[Edit], base_world: str) -> Sequence[str]:
        """Returns the versions that were put in, each once."""
        operations = [self.states.read_request(edit.request)[1] for edit in line]
        sources = [operation.asset_version for operation in operations if isinstance(operation, Insert)]
        return [source for source in dict.fromkeys(sources) if source != base_world]


def _view_of(world: GaussianWorld) -> Camera:
    width_px, height_px = _THUMBNAIL_SIZE_PX
    orbit = Orbit(elevation_rad=0.3 * np.pi / 2)
    return orbit_camera(measure_bounds(world), orbit, width_px=width_px, height_px=height_px)
