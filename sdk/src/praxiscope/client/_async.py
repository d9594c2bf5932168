"""The client for programs that use asyncio."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from google.protobuf import json_format
from google.protobuf.message import Message

from praxiscope.auth.v1 import auth_pb2
from praxiscope.biomechanics.v1 import motion_service_pb2
from praxiscope.client._editing import EDITING_RESPONSES, EditingCalls
from praxiscope.client._errors import PraxiscopeError, error_from_status
from praxiscope.client._http import Transport
from praxiscope.client._models import ModelCalls
from praxiscope.client._profile import Profile, read_profile
from praxiscope.client._progress import Progress, progress_from
from praxiscope.generation.v1 import generation_service_pb2
from praxiscope.library.v1 import asset_pb2, asset_service_pb2, upload_service_pb2
from praxiscope.rendering.v1 import rendering_service_pb2, world_rendering_service_pb2
from praxiscope.tracking.v1 import tracking_service_pb2

_Message = TypeVar("_Message", bound=Message)
_PARTS_AT_ONCE = 4
_RECONNECTS = 20
OnBytes = Callable[[int, int], None]
OnProgress = Callable[[Progress], None]
# What each long-running method answers with, by the name in its Any.
_RESPONSES: Mapping[str, type[Message]] = {
    message.DESCRIPTOR.full_name: message
    for message in (
        motion_service_pb2.AnalyzeMotionResponse,
        tracking_service_pb2.TrackDetectionsResponse,
        rendering_service_pb2.RenderOverlayResponse,
        world_rendering_service_pb2.RenderTurntableResponse,
        world_rendering_service_pb2.RenderFlightResponse,
        world_rendering_service_pb2.RenderPictureResponse,
        world_rendering_service_pb2.ExportWorldResponse,
        generation_service_pb2.ReconstructWorldResponse,
        generation_service_pb2.ExtractMeshResponse,
        generation_service_pb2.GenerateWorldResponse,
        *EDITING_RESPONSES,
    )
}


class AsyncClient(EditingCalls, ModelCalls):
    """Calls the platform. Use it in an `async with`, or close it.

    Args:
        profile: Where the platform is and who we are there; by default the one that `read_profile` finds.
        on_new_refresh_token: Told of every refresh token that replaces the one before.
    """

    def __init__(
        self, profile: Profile | None = None, *, on_new_refresh_token: Callable[[str], None] | None = None
    ) -> None:
        """Opens nothing yet."""
        self.profile = profile or read_profile()
        self.transport = Transport(self.profile, on_new_refresh_token=on_new_refresh_token)

    async def __aenter__(self) -> AsyncClient:
        """Itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes."""
        await self.close()

    async def close(self) -> None:
        """Closes every connection."""
        await self.transport.close()

    async def whoami(self) -> auth_pb2.Caller:
        """Returns who we are there, and what we may do."""
        return _parse(await self.transport.call("GET", "/v1/auth/caller"), auth_pb2.Caller())

    async def login(self, email: str, password: str, *, project: str = "") -> auth_pb2.TokenSet:
        """Returns tokens for an e-mail address and a password."""
        body = {"email": email, "password": password, "project": project}
        answer = await self.transport.call("POST", "/v1/auth:login", body, is_repeatable=False, with_token=False)
        return _parse(answer, auth_pb2.TokenSet())

    async def upload(
        self,
        path: str | Path,
        *,
        kind: str = "KIND_VIDEO",
        display_name: str = "",
        resume: str = "",
        on_bytes: OnBytes | None = None,
    ) -> asset_pb2.Asset:
        """Uploads a file in parts and returns the asset; only parts that have not arrived are sent.

        Args:
            path: The file.
            kind: What it is, as in `KIND_VIDEO`.
            display_name: Its name for people; by default the file's.
            resume: Name of an upload that was broken off.
            on_bytes: Told of bytes sent and bytes in all.

        Raises:
            PraxiscopeError: As the platform answers, CHECKSUM_MISMATCH where the file changed meanwhile.
            OSError: If the file cannot be read.
        """
        file = Path(path)
        if resume:
            upload = _parse(await self.transport.call("GET", f"/v1/{resume}"), upload_service_pb2.Upload())
        else:
            upload = await self._start_upload(file, kind, display_name)
        sent = sum(_part_size(upload, number) for number in upload.received_parts)
        tickets = await self._tickets(upload)
        while tickets:
            places = asyncio.Semaphore(_PARTS_AT_ONCE)

            async def send(ticket: upload_service_pb2.PartTicket, places: asyncio.Semaphore = places) -> None:
                nonlocal sent
                async with places:
                    content = await asyncio.to_thread(_read_range, file, ticket.offset_bytes, ticket.size_bytes)
                    await self.transport.put(ticket.uri, content)
                sent += ticket.size_bytes
                if on_bytes is not None:
                    on_bytes(sent, upload.size_bytes)

            async with asyncio.TaskGroup() as tasks:
                for ticket in tickets:
                    tasks.create_task(send(ticket))
            tickets = await self._tickets(upload)
        answer = await self.transport.call("POST", f"/v1/{upload.name}:complete", {}, is_repeatable=True, timeout_s=600)
        return _parse(answer, asset_pb2.Asset())

    async def analyze_motion(
        self,
        asset_version: str,
        *,
        path: str = "",
        height_m: float = 0.0,
        preset: str = "PRESET_ACCURATE",
        cutoff_hz: float = 0.0,
        omit_overlay: bool = False,
        overlay_codec: str = "CODEC_UNSPECIFIED",
        request_id: str = "",
    ) -> str:
        """Starts a motion analysis and returns its operation's name."""
        body = {
            "video": {"path": path},
            "height_m": height_m,
            "preset": preset,
            "cutoff_hz": cutoff_hz,
            "omit_overlay": omit_overlay,
            "overlay_codec": overlay_codec,
            "request_id": request_id or str(uuid.uuid4()),
        }
        answer = await self.transport.call("POST", f"/v1/{asset_version}:analyzeMotion", body, is_repeatable=True)
        return str(answer["name"])

    async def track_detections(
        self,
        asset_version: str,
        *,
        path: str = "",
        tracker: str = "TRACKER_BYTETRACK",
        preset: str = "PRESET_CROWD",
        lost_buffer_frames: int = 0,
        high_score: float = 0.0,
        request_id: str = "",
    ) -> str:
        """Starts tracking stored detections and returns its operation's name."""
        config = {
            "tracker": tracker,
            "preset": preset,
            "lost_buffer_frames": lost_buffer_frames,
            "high_score": high_score,
        }
        body = {"detections": {"path": path}, "config": config, "request_id": request_id or str(uuid.uuid4())}
        answer = await self.transport.call("POST", f"/v1/{asset_version}:trackDetections", body, is_repeatable=True)
        return str(answer["name"])

    async def reconstruct_world(
        self,
        asset_version: str,
        *,
        path: str = "",
        quality: str = "QUALITY_STANDARD",
        max_gaussian_count: int = 0,
        long_side_px: int = 0,
        seed: int = 0,
        pose_source: str = "POSE_SOURCE_UNSPECIFIED",
        display_name: str = "",
        request_id: str = "",
    ) -> str:
        """Starts reconstructing a world from photos or a video and returns its operation's name."""
        body = {
            "photos": {"path": path},
            "quality": quality,
            "max_gaussian_count": max_gaussian_count,
            "long_side_px": long_side_px,
            "seed": seed,
            "pose_source": pose_source,
            "display_name": display_name,
        }
        return await self._start(f"/v1/{asset_version}:reconstructWorld", body, request_id)

    async def generate_world(
        self, prompt: str, *, seed: int = 0, gaussian_count: int = 0, display_name: str = "", request_id: str = ""
    ) -> str:
        """Starts making a world from words and returns its operation's name."""
        body = {"prompt": prompt, "seed": seed, "gaussian_count": gaussian_count, "display_name": display_name}
        return await self._start(f"/v1/{self.profile.project}/worlds:generate", body, request_id)

    async def extract_mesh(
        self,
        world: str,
        *,
        voxel_count: int = 0,
        collider_face_count: int = 0,
        display_name: str = "",
        request_id: str = "",
    ) -> str:
        """Starts extracting a world's surface and returns its operation's name."""
        body = {"voxel_count": voxel_count, "collider_face_count": collider_face_count, "display_name": display_name}
        return await self._start(f"/v1/{world}:extractMesh", body, request_id)

    async def render_view(
        self,
        world: str,
        **question: Any,  # noqa: ANN401  the request's fields
    ) -> world_rendering_service_pb2.RenderViewResponse:
        """Draws one view of a world; takes RenderViewRequest's other fields."""
        answer = await self.transport.call(
            "POST", f"/v1/{world}:renderView", question, is_repeatable=True, timeout_s=120
        )
        return _parse(answer, world_rendering_service_pb2.RenderViewResponse())

    async def render_turntable(
        self,
        world: str,
        *,
        start: Mapping[str, float] | None = None,
        frame_count: int = 0,
        width_px: int = 0,
        height_px: int = 0,
        settings: Mapping[str, Any] | None = None,
        request_id: str = "",
    ) -> str:
        """Starts a flight around a world, with RenderSettings' fields, and returns its operation's name."""
        body = {
            "start": start or {},
            "frame_count": frame_count,
            "width_px": width_px,
            "height_px": height_px,
            "settings": settings or {},
        }
        return await self._start(f"/v1/{world}:renderTurntable", body, request_id)

    async def render_flight(
        self,
        world: str,
        *,
        waypoints: Sequence[Mapping[str, Any]],
        request_id: str = "",
        **settings: Any,  # noqa: ANN401  the request's fields
    ) -> str:
        """Starts a flight along a path, with RenderFlightRequest's other fields, and returns its operation's name."""
        body = {**settings, "waypoints": [dict(point) for point in waypoints]}
        return await self._start(f"/v1/{world}:renderFlight", body, request_id)

    async def render_picture(
        self,
        world: str,
        *,
        request_id: str = "",
        **question: Any,  # noqa: ANN401  the request's fields
    ) -> str:
        """Starts a large view, with RenderPictureRequest's other fields, and returns its operation's name."""
        return await self._start(f"/v1/{world}:renderPicture", question, request_id)

    async def export_world(self, world: str, *, formats: Sequence[str], request_id: str = "") -> str:
        """Starts writing a world in other formats, as in `FORMAT_SPZ`, and returns its operation's name."""
        return await self._start(f"/v1/{world}:exportWorld", {"formats": list(formats)}, request_id)

    async def _start(self, path: str, body: Mapping[str, Any], request_id: str) -> str:
        """Starts long work once, however often the call is repeated."""
        body = {**body, "request_id": request_id or str(uuid.uuid4())}
        return str((await self.transport.call("POST", path, body, is_repeatable=True))["name"])

    async def wait(self, operation: str, *, on_progress: OnProgress | None = None) -> Any:  # noqa: ANN401  the method's response
        """Follows an operation to its end and returns its response; a connection that breaks is made anew.

        Raises:
            PraxiscopeError: What the operation ended with.
        """
        async with aclosing(self.watch(operation)) as states:
            async for progress in states:
                if on_progress is not None:
                    on_progress(progress)
                if progress.is_done:
                    return response_of(progress)
        raise PraxiscopeError(f"{operation} ended without a result.", reason="UNKNOWN")

    async def watch(self, operation: str) -> AsyncGenerator[Progress, None]:
        """Yields an operation whenever it changes, until it is done; a connection that breaks is made anew."""
        for attempt in range(_RECONNECTS):
            try:
                async with aclosing(self.transport.stream(f"/v1/{operation}:watch")) as documents:
                    async for document in documents:
                        progress = progress_from(document)
                        yield progress
                        if progress.is_done:
                            return
            except PraxiscopeError as error:
                if error.reason not in {"UNAVAILABLE", "RESOURCE_EXHAUSTED"} and error.retry_after_s is None:
                    raise
                if attempt + 1 == _RECONNECTS:
                    raise
            await asyncio.sleep(0.5)

    async def operations(
        self, *, only_running: bool = False, page_size: int = 0, page_token: str = ""
    ) -> Mapping[str, Any]:
        """Returns a page of operations, newest first, as JSON."""
        query = {
            "page_size": page_size or None,
            "page_token": page_token,
            "only_running": "true" if only_running else None,
        }
        return await self.transport.call("GET", f"/v1/{self.profile.project}/operations", query=query)

    async def operation(self, name: str, verb: str = "") -> Progress:
        """Reads an operation, or has it `cancel`led or `retry`ed."""
        if verb:
            return progress_from(await self.transport.call("POST", f"/v1/{name}:{verb}", {}, is_repeatable=True))
        return progress_from(await self.transport.call("GET", f"/v1/{name}"))

    async def delete_operation(self, name: str) -> None:
        """Forgets an operation that is done."""
        await self.transport.call("DELETE", f"/v1/{name}")

    async def assets(
        self, *, filter: str = "", show_deleted: bool = False, page_size: int = 0, page_token: str = ""
    ) -> asset_service_pb2.ListAssetsResponse:
        """Returns a page of assets, newest first."""
        query = {
            "filter": filter,
            "show_deleted": "true" if show_deleted else None,
            "page_size": page_size or None,
            "page_token": page_token,
        }
        answer = await self.transport.call("GET", f"/v1/{self.profile.project}/assets", query=query)
        return _parse(answer, asset_service_pb2.ListAssetsResponse())

    async def asset(self, name: str, verb: str = "") -> asset_pb2.Asset:
        """Reads an asset, or has it `undelete`d."""
        if verb:
            answer = await self.transport.call("POST", f"/v1/{name}:{verb}", {}, is_repeatable=True)
        else:
            answer = await self.transport.call("GET", f"/v1/{name}")
        return _parse(answer, asset_pb2.Asset())

    async def asset_version(self, name: str) -> asset_pb2.AssetVersion:
        """Reads a version; `latest` stands for the newest."""
        return _parse(await self.transport.call("GET", f"/v1/{name}"), asset_pb2.AssetVersion())

    async def delete_asset(self, name: str, *, for_good: bool = False) -> None:
        """Deletes an asset; `for_good` removes its bytes at once."""
        await self.transport.call("DELETE", f"/v1/{name}")
        if for_good:
            await self.transport.call("POST", f"/v1/{name}:purge", {}, is_repeatable=False)

    async def lineage(self, version: str, *, depth: int = 3) -> asset_service_pb2.GetLineageResponse:
        """Says what a version was made from and what was made from it."""
        answer = await self.transport.call("GET", f"/v1/{version}:lineage", query={"depth": depth})
        return _parse(answer, asset_service_pb2.GetLineageResponse())

    async def download(self, version: str, path: str, target: str | Path) -> Path:
        """Downloads one file, checks its SHA-256, and returns where it is; what is there already is not fetched again."""
        answer = await self.transport.call(
            "POST", f"/v1/{version}:download", {"media": {"path": path}}, is_repeatable=True
        )
        download = _parse(answer, asset_service_pb2.Download())
        target = Path(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(target.name + ".part")
        start = partial.stat().st_size if partial.exists() and partial.stat().st_size < download.file.size_bytes else 0
        with partial.open("r+b" if start else "wb") as file:
            file.seek(start)
            async for chunk in self.transport.fetch(download.uri, start=start):
                file.write(chunk)
        if await asyncio.to_thread(_sha256_of, partial) != download.file.sha256:
            partial.unlink()
            raise PraxiscopeError(f"{path} did not arrive whole; try again.", reason="CHECKSUM_MISMATCH")
        return partial.replace(target)

    async def download_all(self, version: str, folder: str | Path, *, only: Sequence[str] = ()) -> list[Path]:
        """Downloads a version's files into a folder and returns where they are."""
        files = (await self.asset_version(version)).files
        wanted = [file.path for file in files if not only or file.path in only]
        return [await self.download(version, path, Path(folder) / path) for path in wanted]

    async def _start_upload(self, file: Path, kind: str, display_name: str) -> upload_service_pb2.Upload:
        size_bytes = file.stat().st_size
        body = {
            "upload": {
                "kind": kind,
                "file_name": file.name,
                "display_name": display_name,
                "size_bytes": str(size_bytes),
                "sha256": await asyncio.to_thread(_sha256_of, file),
            },
            "request_id": str(uuid.uuid4()),
        }
        answer = await self.transport.call("POST", f"/v1/{self.profile.project}/uploads", body, is_repeatable=True)
        return _parse(answer, upload_service_pb2.Upload())

    async def _tickets(self, upload: upload_service_pb2.Upload) -> Sequence[upload_service_pb2.PartTicket]:
        answer = await self.transport.call("POST", f"/v1/{upload.name}:createPartTickets", {}, is_repeatable=True)
        return _parse(answer, upload_service_pb2.CreatePartTicketsResponse()).tickets


def response_of(progress: Progress) -> Message:
    """Returns the response of an operation that is done.

    Raises:
        PraxiscopeError: What it ended with, where it did not succeed.
    """
    document = progress.document
    if "error" in document:
        raise error_from_status(document["error"])
    body = dict(document.get("response") or {})
    kind = str(body.pop("@type", "")).rpartition("/")[2]
    if kind not in _RESPONSES:
        raise PraxiscopeError(f"The operation answered with {kind or 'nothing'}.", reason="UNKNOWN")
    return _parse(body, _RESPONSES[kind]())


def _parse(document: Mapping[str, Any], message: _Message) -> _Message:
    """Returns a message; fields that a newer platform knows and we do not are passed over."""
    return json_format.ParseDict(dict(document), message, ignore_unknown_fields=True)


def _part_size(upload: upload_service_pb2.Upload, number: int) -> int:
    return min(upload.part_size_bytes, upload.size_bytes - (number - 1) * upload.part_size_bytes)


def _read_range(path: Path, offset: int, length: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(length)


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
