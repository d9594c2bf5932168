"""How a motion analysis is done: observe and track chunk by chunk, measure, hand over, have the overlay drawn.

vision ObserveVideo -> tracking Track -> observation log (checkpoint) -> analyze_motion -> library -> rendering RenderOverlay
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from biomechanics_service.adapters.motion_outputs import OBSERVATIONS_PATH, MotionSource, render_files
from biomechanics_service.adapters.observation_log import ObservationLog, log_prefix
from biomechanics_service.adapters.observation_messages import boxes_of, info_from
from biomechanics_service.adapters.peers import Peers, TrackerStream
from biomechanics_service.adapters.summaries import motion_message
from biomechanics_service.core.analysis import analyze_motion
from biomechanics_service.core.config import MotionConfig
from biomechanics_service.core.summary import summarise
from biomechanics_service.core.types import MotionAnalysis
from praxiscope.biomechanics.v1 import motion_pb2, motion_service_pb2
from praxiscope.rendering.v1 import rendering_service_pb2
from praxiscope.tracking.v1 import tracking_service_pb2
from praxiscope.type.v1 import media_pb2
from praxiscope.vision.v1 import observation_pb2, vision_service_pb2
from praxiscope_assets import AssetFile, AssetFiles, OutputFolder, pieces_from_thread
from praxiscope_common import names
from praxiscope_common.credentials import ServiceIdentity
from praxiscope_common.errors import AbortedError, DomainError, UnavailableError
from praxiscope_common.jobs.worker import Handler, JobContext

METHOD = "praxiscope.biomechanics.v1.MotionService/AnalyzeMotion"
_WEIGHTS = {"observe": 0.62, "measure": 0.04, "store": 0.04, "overlay": 0.30}
_NAMESPACE = uuid.UUID("0d5b1c52-5d55-4b9a-9d3a-2d1a7b3f7a10")
_FAST_HEIGHT_PX = 720
_WITHDRAWN = "MODEL_VERSION_WITHDRAWN"
"""Vision's word for models that went away in the middle: nothing seen by them may be mixed with what others see."""
_Request = motion_service_pb2.AnalyzeMotionRequest
ConfigReader = Callable[[motion_service_pb2.AnalyzeMotionRequest], MotionConfig]


@dataclass(kw_only=True)
class _Observed:
    """What the observing stage leaves.

    Attributes:
        log: Every frame.
        info: What is known of the video.
        was_truncated: Whether the file ended before its video did.
        model_versions: Names and versions of the models that looked, all the way.
    """

    log: ObservationLog
    info: observation_pb2.VideoInfo
    was_truncated: bool = False
    model_versions: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class AnalysisWork:
    """Does motion analyses.

    Attributes:
        files: Finds files in the library, and the store.
        peers: The services it conducts.
        identity: Gets tokens to act for whoever started the operation.
        config_from: Reads the analysis' parameters from the request.
    """

    files: AssetFiles
    peers: Peers
    identity: ServiceIdentity
    config_from: ConfigReader

    def handlers(self) -> dict[str, Handler]:
        """Returns what does each method's work."""
        return {METHOD: Handler(request_type=_Request, run=self.run, weights=_WEIGHTS)}

    async def run(self, context: JobContext, request: _Request) -> motion_service_pb2.AnalyzeMotionResponse:
        """Measures the people in a stored video."""
        file = await self.files.resolve(
            request.video.asset_version, request.video.path, token=await self._token(context)
        )
        with context.timed("observe"):
            observed = await self._observe(context, request, file)
        recording = observed.log.recording
        with context.timed("measure"):
            await context.report("measure", 0.0, "Measuring angles")
            config, info = self.config_from(request), info_from(observed.info)
            # Off the event loop, one person after another.
            analysis = await asyncio.to_thread(analyze_motion, recording.take_persons(info), config)
        await context.report("measure", 1.0)
        motion = motion_message(
            summarise(analysis),
            video=file.asset_version,
            frame_count=recording.frame_count,
            duration_s=recording.offsets_s[-1] if recording.offsets_s else 0.0,
            notes=_notes(observed, analysis),
        )
        with context.timed("store"):
            await context.report("store", 0.0, "Writing curves and report")
            motion.asset_version = await self._hand_over(context, observed, analysis, motion, file)
        await context.report("store", 1.0)
        with context.timed("overlay"):
            if not request.omit_overlay:
                await self._draw(context, request, motion)
        await context.report("overlay", 1.0)
        return motion_service_pb2.AnalyzeMotionResponse(
            motion=motion, stage_elapsed_s=context.elapsed_s, model_versions=observed.model_versions
        )

    async def _observe(self, context: JobContext, request: _Request, file: AssetFile) -> _Observed:
        """Observes the video from where the attempt before this one was; from its beginning where that one's models are gone."""
        try:
            return await self._go_on(context, request, file, context.operation.checkpoint)
        except AbortedError as error:
            if error.reason != _WITHDRAWN:
                raise
            await context.save_checkpoint({})
            return await self._go_on(context, request, file, {})

    async def _go_on(
        self, context: JobContext, request: _Request, file: AssetFile, checkpoint: Mapping[str, Any]
    ) -> _Observed:
        config = _observation_config(request)
        looking = config.SerializeToString(deterministic=True) + file.sha256.encode()
        log = ObservationLog(store=self.files.store, prefix=log_prefix(context.operation.name, looking))
        await log.restore(checkpoint)
        token = await self._token(context)
        answers = self.peers.observe_video(
            vision_service_pb2.ObserveVideoRequest(
                video=media_pb2.MediaRef(asset_version=file.asset_version, path=file.path),
                config=config,
                start_frame=log.recording.frame_count,
                resume_state=log.vision_state,
            ),
            token=token,
        )
        first = await anext(answers)
        observed = _Observed(log=log, info=first.video_info)
        async with self._open_tracker(context, log, first.video_info, token) as tracker:
            async for answer in answers:
                wants_chunk = len(answer.frames) > 0 and log.is_chunk_full
                states = await _add_tracked(log, tracker, answer.frames, wants_state=wants_chunk)
                if wants_chunk:
                    await context.save_checkpoint(await log.write_chunk(answer.resume_state, states))
                await context.report("observe", _share(log, observed.info), f"{log.recording.frame_count} frames seen")
                if answer.HasField("summary"):
                    observed.was_truncated = answer.summary.was_truncated
                    observed.model_versions = tuple(answer.summary.model_versions)
        await log.write_chunk(b"", b"")
        await context.report("observe", 1.0)
        return observed

    def _open_tracker(
        self, context: JobContext, log: ObservationLog, info: observation_pb2.VideoInfo, token: str
    ) -> TrackerStream:
        start = tracking_service_pb2.TrackRequest.Start(
            parent=names.PROJECT.format(context.operation.project_id),
            config=tracking_service_pb2.TrackerConfig(
                tracker=tracking_service_pb2.TrackerConfig.TRACKER_BYTETRACK,
                preset=tracking_service_pb2.TrackerConfig.PRESET_PEOPLE,
            ),
            frame_rate_hz=min(1000.0, max(1.0, info.frame_rate_hz)),
            resume_state=log.tracker_state,
        )
        return self.peers.open_tracker(start, token=token)

    async def _hand_over(
        self,
        context: JobContext,
        observed: _Observed,
        analysis: MotionAnalysis,
        motion: motion_pb2.Motion,
        file: AssetFile,
    ) -> str:
        source = MotionSource(video=file.asset_version, path=file.path, info=observed.info)
        outputs = OutputFolder(self.peers.library, self.files.store, operation=context.operation.name, name="motion")
        for path, content_type, pieces in render_files(analysis, observed.log.recording, motion, source):
            await outputs.put(path, content_type, pieces_from_thread(pieces))
        joined = await self.files.store.compose(observed.log.keys, outputs.prefix + OBSERVATIONS_PATH)
        outputs.add(OBSERVATIONS_PATH, "application/zstd", joined)
        version = await outputs.commit(
            kind="KIND_MOTION",
            display_name=f"Motion in {file.path}",
            sources=[file.asset_version],
            token=await self._token(context),
        )
        return version.name

    async def _draw(self, context: JobContext, request: _Request, motion: motion_pb2.Motion) -> None:
        """Has the overlay drawn; a motion that was measured is not lost because a picture could not be drawn."""
        is_fast = request.preset == _Request.PRESET_FAST
        try:
            started = await self.peers.render_overlay(
                rendering_service_pb2.RenderOverlayRequest(
                    motion=motion.asset_version,
                    codec=request.overlay_codec,
                    height_px=_FAST_HEIGHT_PX if is_fast else 0,
                    request_id=str(uuid.uuid5(_NAMESPACE, context.operation.name)),
                    parent_operation=context.operation.name,
                ),
                token=await self._token(context),
            )
            response = rendering_service_pb2.RenderOverlayResponse()
            async for progress, state in self.peers.follow(started.name, token=await self._token(context)):
                await context.report("overlay", progress, "Drawing the overlay")
                state.response.Unpack(response)
            motion.overlay = response.asset_version
        except UnavailableError:
            raise  # the attempt starts over and finds the same child
        except DomainError as error:
            motion.notes.append(f"The overlay could not be drawn ({error.reason}): {error.message}")

    async def _token(self, context: JobContext) -> str:
        return await self.identity.token_for_mandate(context.operation.mandate)


async def _add_tracked(
    log: ObservationLog,
    tracker: TrackerStream,
    frames: Sequence[observation_pb2.FrameObservations],
    *,
    wants_state: bool,
) -> bytes:
    """Tracks frames and adds them to the log; returns the tracker's state behind them where it is wanted."""
    questions: list[tracking_service_pb2.TrackRequest.Frame] = []
    for frame in frames:
        boxes, scores = boxes_of(frame)
        questions.append(
            tracking_service_pb2.TrackRequest.Frame(frame_index=frame.frame_index, boxes_px=boxes, scores=scores)
        )
    if questions:
        questions[-1].want_resume_state = wants_state
    answers = await tracker.track(questions)
    for frame, answer in zip(frames, answers, strict=True):
        person_ids = [-1] * len(frame.persons)
        for person_id, row in zip(answer.track_ids, answer.detection_indices, strict=True):
            person_ids[row] = person_id
        log.add(frame, person_ids)
    return answers[-1].resume_state if answers else b""


def _observation_config(request: _Request) -> vision_service_pb2.ObservationConfig:
    if request.preset == _Request.PRESET_FAST:
        return vision_service_pb2.ObservationConfig(search_interval_frames=2)
    return vision_service_pb2.ObservationConfig()


def _share(log: ObservationLog, info: observation_pb2.VideoInfo) -> float:
    """Returns how much of a video was seen; a container that promises too little is not believed."""
    return min(0.99, log.recording.frame_count / info.frame_count_estimate) if info.frame_count_estimate else 0.0


def _notes(observed: _Observed, analysis: MotionAnalysis) -> Sequence[str]:
    notes: list[str] = []
    recording = observed.log.recording
    if not analysis.persons:
        notes.append("Nobody was seen for long enough to be measured.")
    if observed.was_truncated:
        notes.append("The file ends before its video does; what is there was measured.")
    if recording.incomplete_frame_count:
        notes.append(
            f"In {recording.incomplete_frame_count} of {recording.frame_count} frames as many people were seen as the net can count (six);"
            " there may have been more."
        )
    notes += [f"Person {person_id} was left out: {reason}." for person_id, reason in analysis.skipped.items()]
    return notes
