"""How a world is reconstructed: read, find poses (checkpoint), train (checkpoints), measure, hand over.

photos or video -> PhotoReader -> find_poses, or the archive's poses -> posed pictures -> WorldTrainer -> world -> library
"""

from __future__ import annotations

import asyncio
import io
import math
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, TypeVar

import grpc
import numpy as np

from generation_service.adapters.jobs import PREVIEW_PATH, RECONSTRUCT_METHOD
from generation_service.adapters.photos import Photo, PhotoLimits, PhotoReader, Refusal
from generation_service.adapters.posed_archive import PosesFile, find_poses_file, read_posed_archive
from generation_service.adapters.posed_input import PosedInputError
from generation_service.adapters.posed_pictures import (
    LeftOut,
    PosedPictures,
    read_posed,
    reduce_posed,
    write_posed,
)
from generation_service.adapters.structure_from_motion import (
    PhotoState,
    PosedPhotos,
    PoseSettings,
    PosesNotFoundError,
    TooFewPhotosError,
    find_poses,
)
from generation_service.adapters.training_file import read_state, write_state
from generation_service.core.capture import Split, split_pictures
from generation_service.core.config import TrainingConfig
from generation_service.core.metrics import ViewQuality, average
from generation_service.core.trainer import WorldTrainer, resume_training, start_training
from generation_service.core.types import TrainingState
from praxiscope.generation.v1 import generation_service_pb2
from praxiscope_assets import AssetFile, AssetFiles, OutputFolder
from praxiscope_common.credentials import ServiceIdentity
from praxiscope_common.errors import NotFoundError
from praxiscope_common.jobs.worker import Handler, JobContext
from praxiscope_world_assets import draw_preview, draw_thumbnail, put_world
from praxiscope_worlds import GaussianWorld, Mesh, cameras_json
from praxiscope_worlds.formats import FORMATS, write_world_file
from praxiscope_worlds.kernels import RenderOptions, SplatKernels

_WEIGHTS = {"poses": 0.35, "train": 0.6, "store": 0.05}
# A slice of training that runs before anybody is asked whether it should go on.
_SLICE_S = 0.5
# A preview costs some 30 ms, so that they take less than a hundredth of a training.
_PREVIEW_PERIOD_S = 4.0
_VIDEO_PICTURE_COUNT = 60
# Of what was left out, so many are named where nothing came of the rest.
_NAMED_COUNT, _MAX_NAME_CHARACTERS = 3, 60
_Request = generation_service_pb2.ReconstructWorldRequest
_Result = TypeVar("_Result")
ConfigReader = Callable[[_Request], tuple[TrainingConfig, int]]
_REASONS = {
    PhotoState.NO_FEATURES: "it shows too little detail",
    PhotoState.NO_OVERLAP: "it overlaps with no other picture",
    PhotoState.OTHER_PART: "it fits some others, but not the rest",
    PhotoState.NOT_PLACED: "it overlaps too little to be placed",
}


@dataclass(kw_only=True)
class _Progress:
    """How far a thread is; written by it and read by the job."""

    share: float = 0.0
    message: str = ""
    should_stop: threading.Event = field(default_factory=threading.Event)

    def told(self) -> tuple[float, str]:
        """Returns both for whoever waits."""
        return self.share, self.message

    def tell(self, stage: str, share: float) -> None:
        self.share, self.message = share, f"Finding where the pictures were taken: {stage}"


@dataclass(frozen=True, kw_only=True)
class ReconstructionWork:
    """Reconstructs worlds.

    Attributes:
        files: Finds files in the library, and the store.
        library: A channel to the library.
        identity: Gets tokens to act for whoever started the operation.
        kernels: What draws.
        pose_python: Interpreter of the environment that finds poses.
        thread_count: Threads that finding poses may take.
        checkpoint_period_s: Seconds between two checkpoints of a training.
        config_from: Reads how a world is trained, and the pictures' longer side, from the request.
    """

    files: AssetFiles
    library: grpc.aio.Channel
    identity: ServiceIdentity
    kernels: SplatKernels
    pose_python: Path
    thread_count: int
    checkpoint_period_s: float
    config_from: ConfigReader

    def handlers(self) -> dict[str, Handler]:
        """Returns what does each method's work."""
        return {RECONSTRUCT_METHOD: Handler(request_type=_Request, run=self.run, weights=_WEIGHTS)}

    async def run(self, context: JobContext, request: _Request) -> generation_service_pb2.ReconstructWorldResponse:
        """Reconstructs a world from stored pictures."""
        token = await self.identity.token_for_mandate(context.operation.mandate)
        file = await self.files.resolve(request.photos.asset_version, request.photos.path, token=token)
        config, long_side_px = self.config_from(request)
        with context.timed("poses"):
            pictures = await self._pose(context, request, file, long_side_px)
        await context.report("poses", 1.0, f"{len(pictures.views)} of {pictures.picture_count} pictures placed")
        split = split_pictures(len(pictures.views))
        with context.timed("train"):
            trainer = await self._train(context, request, config, pictures, split)
        await context.report("train", 1.0)
        with context.timed("store"):
            await context.report("store", 0.0, "Writing the world")
            response = await self._hand_over(context, request, file, trainer, pictures, split)
        await context.report("store", 1.0)
        return response

    async def _pose(self, context: JobContext, request: _Request, file: AssetFile, long_side_px: int) -> PosedPictures:
        """Finds where the pictures were taken, or reads what an earlier attempt found."""
        key = f"{context.operation.name}/partial/state/posed.zip"
        if context.operation.checkpoint.get("is_posed"):
            return await asyncio.to_thread(self._restored, key, read_posed)
        folder = Path(tempfile.mkdtemp(prefix="praxiscope-poses-"))
        progress = _Progress()

        def pose() -> PosedPictures:
            with self.files.open(file) as opened:
                given = _poses_file(opened, request, is_video=file.kind == "KIND_VIDEO")
                if given is not None:
                    return read_posed_archive(
                        opened,
                        given,
                        PhotoReader(_limits(request), is_posed=True),
                        long_side_px=long_side_px,
                        seed=request.seed,
                    )
                reader = PhotoReader(_limits(request))
                try:
                    posed = find_poses(
                        _photos(reader, opened, request, is_video=file.kind == "KIND_VIDEO"),
                        folder=folder,
                        python=self.pose_python,
                        settings=PoseSettings(
                            is_sequential=file.kind == "KIND_VIDEO", seed=request.seed, thread_count=self.thread_count
                        ),
                        progress=progress.tell,
                        is_cancelled=progress.should_stop.is_set,
                    )
                except (TooFewPhotosError, PosesNotFoundError) as error:
                    raise told_with(error, reader.refusals) from error
            return reduce_posed(posed, long_side_px=long_side_px, left_out=_left_out(reader, posed))

        try:
            pictures = await context.in_thread("poses", pose, told=progress.told, should_stop=progress.should_stop)
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        encoded = await asyncio.to_thread(write_posed, pictures)
        await self.files.store.put(key, encoded)
        await context.save_checkpoint({"is_posed": True})
        # As a later attempt would read it, so that a world does not depend on whether its worker died.
        return await asyncio.to_thread(lambda: read_posed(io.BytesIO(encoded)))

    def _restored(self, key: str, read: Callable[[BinaryIO], _Result]) -> _Result:
        with self.files.store.open_seekable(key) as opened:
            return read(opened)

    async def _train(
        self, context: JobContext, request: _Request, config: TrainingConfig, pictures: PosedPictures, split: Split
    ) -> WorldTrainer:
        views = [pictures.views[index] for index in split.train]
        key = f"{context.operation.name}/partial/state/training.npz"
        state = await self._saved_state(context, key)
        trainer = await asyncio.to_thread(
            lambda: (
                start_training(self.kernels, views, pictures.points, config, seed=request.seed)
                if state is None
                else resume_training(self.kernels, views, config, state)
            )
        )
        options = RenderOptions(is_antialiased=config.is_antialiased)
        saved_s, shown_s = time.monotonic(), -math.inf
        while not trainer.is_done:
            count = await asyncio.to_thread(_train_slice, trainer)
            if time.monotonic() - shown_s >= _PREVIEW_PERIOD_S:
                shown = await asyncio.to_thread(draw_preview, self.kernels, trainer.world(), views[0].camera, options)
                await self.files.store.put(f"{context.operation.name}/{PREVIEW_PATH}", shown)
                shown_s = time.monotonic()
            await context.report("train", min(0.99, trainer.progress), f"{count} Gaussians")
            if time.monotonic() - saved_s >= self.checkpoint_period_s:
                await self.files.store.put(key, await asyncio.to_thread(lambda: write_state(trainer.save())))
                await context.save_checkpoint({"is_posed": True, "is_trained": True})
                saved_s = time.monotonic()
        return trainer

    async def _saved_state(self, context: JobContext, key: str) -> TrainingState | None:
        if not context.operation.checkpoint.get("is_trained"):
            return None
        try:
            return await asyncio.to_thread(self._restored, key, read_state)
        except (NotFoundError, ValueError):
            return None  # it was being written when the worker died; the training starts anew from the poses

    async def _hand_over(
        self,
        context: JobContext,
        request: _Request,
        file: AssetFile,
        trainer: WorldTrainer,
        pictures: PosedPictures,
        split: Split,
    ) -> generation_service_pb2.ReconstructWorldResponse:
        world = trainer.world()
        quality = await asyncio.to_thread(_measure, trainer, pictures, split)
        config, _ = self.config_from(request)
        described = _describe(request, world, pictures, split, quality) | {"is_antialiased": config.is_antialiased}
        thumbnail = await asyncio.to_thread(
            draw_thumbnail,
            self.kernels,
            world,
            pictures.views[0].camera,
            RenderOptions(is_antialiased=config.is_antialiased),
        )
        outputs = OutputFolder(self.library, self.files.store, operation=context.operation.name, name="world")
        await put_world(outputs, world, described, thumbnail)
        cameras = cameras_json(pictures.names, [view.camera for view in pictures.views])
        await outputs.put("cameras.json", "application/json", cameras)
        points = b"".join(write_world_file(_points_mesh(pictures), format_name="mesh-ply"))
        await outputs.put("points.ply", FORMATS["mesh-ply"].media_type, points)
        version = await outputs.commit(
            kind="KIND_WORLD",
            display_name=request.display_name or f"World of {file.path}",
            sources=[file.asset_version],
            token=await self.identity.token_for_mandate(context.operation.mandate),
        )
        return _response(version.name, world, pictures, split, quality)


def _poses_file(file: BinaryIO, request: _Request, *, is_video: bool) -> PosesFile | None:
    """The archive's file of poses, where it is to be believed."""
    if request.pose_source == _Request.POSE_SOURCE_PICTURES:
        return None
    found = None if is_video else find_poses_file(file)
    if found is None and request.pose_source == _Request.POSE_SOURCE_ARCHIVE:
        raise PosedInputError(
            "the archive has no transforms.json and no COLMAP model; leave pose_source out to have poses found"
        )
    file.seek(0)
    return found


def _limits(request: _Request) -> PhotoLimits:
    return PhotoLimits(max_photos=request.max_picture_count) if request.max_picture_count else PhotoLimits()


def _photos(reader: PhotoReader, file: BinaryIO, request: _Request, *, is_video: bool) -> Iterator[Photo]:
    if is_video:
        return reader.video(file, wanted_count=request.max_picture_count or _VIDEO_PICTURE_COUNT)
    return reader.archive(file)


def told_with(
    error: TooFewPhotosError | PosesNotFoundError, refusals: Sequence[Refusal]
) -> TooFewPhotosError | PosesNotFoundError:
    """Returns the error with what was left out before: whoever sent ten photos and reads of one wants to know where nine are."""
    if not refusals:
        return error
    named = ", ".join(f"{item.name[:_MAX_NAME_CHARACTERS]} ({item.message})" for item in refusals[:_NAMED_COUNT])
    others = " and others" if len(refusals) > _NAMED_COUNT else ""
    were = "was" if len(refusals) == 1 else "were"
    return type(error)(
        f"{error.message} {len(refusals)} more {were} left out: {named}{others}.",
        metadata={**error.metadata, "left_out_count": str(len(refusals))},
    )


def _left_out(reader: PhotoReader, posed: PosedPhotos) -> list[LeftOut]:
    refused = [LeftOut(name=refusal.name, reason=refusal.message) for refusal in reader.refusals]
    unplaced = [
        LeftOut(name=outcome.name, reason=_REASONS[outcome.state])
        for outcome in posed.outcomes
        if outcome.state is not PhotoState.REGISTERED
    ]
    return refused + unplaced


def _train_slice(trainer: WorldTrainer) -> int:
    """Trains for half a second; returns how many Gaussians there are."""
    end_s, count = time.monotonic() + _SLICE_S, 0
    while not trainer.is_done and time.monotonic() < end_s:
        count = trainer.step().gaussian_count
    return count


def _measure(trainer: WorldTrainer, pictures: PosedPictures, split: Split) -> ViewQuality | None:
    if not split.held_out:
        return None
    return average([trainer.measure(pictures.views[index]) for index in split.held_out])


def _points_mesh(pictures: PosedPictures) -> Mesh:
    """The points as a mesh without faces."""
    return Mesh(
        vertices_m=np.asarray(pictures.points.positions_m, np.float32),
        faces=np.zeros((0, 3), np.int32),
        colors_rgb=np.asarray(pictures.points.colors_rgb, np.uint8),
    )


def _describe(
    request: _Request, world: GaussianWorld, pictures: PosedPictures, split: Split, quality: ViewQuality | None
) -> dict[str, object]:
    """What `world.json` says."""
    return {
        "format_version": 1,
        "made_by": "reconstruction",
        "gaussian_count": len(world),
        "sh_degree": world.sh_degree,
        "has_scale": False,
        "quality": _Request.Quality.Name(request.quality),
        "seed": request.seed,
        "picture_count": pictures.picture_count,
        "placed_picture_count": len(pictures.views),
        "held_out": [pictures.names[index] for index in split.held_out],
        "held_out_quality": None
        if quality is None
        else {
            "psnr_db": quality.psnr_db,
            "corrected_psnr_db": quality.corrected_psnr_db,
            "ssim": quality.ssim,
            "corrected_ssim": quality.corrected_ssim,
        },
    }


def _response(
    asset_version: str, world: GaussianWorld, pictures: PosedPictures, split: Split, quality: ViewQuality | None
) -> generation_service_pb2.ReconstructWorldResponse:
    response = generation_service_pb2.ReconstructWorldResponse(
        asset_version=asset_version,
        gaussian_count=len(world),
        picture_count=pictures.picture_count,
        placed_picture_count=len(pictures.views),
        left_out=[
            generation_service_pb2.LeftOutPicture(name=item.name, reason=item.reason) for item in pictures.left_out
        ],
    )
    if quality is not None:
        response.quality.CopyFrom(
            generation_service_pb2.WorldQuality(
                picture_count=len(split.held_out),
                psnr_db=quality.psnr_db,
                corrected_psnr_db=quality.corrected_psnr_db,
                ssim=quality.ssim,
            )
        )
    return response
