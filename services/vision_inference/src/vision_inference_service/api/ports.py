"""What the servicer needs; `app` gives it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from praxiscope_media import ReadSummary, VideoInfo
from vision_inference_service.core.ports import FramePixels, ObjectModels, PoseModels
from vision_inference_service.core.registry import ModelChange, ModelRecord
from vision_inference_service.core.types import ModelEntry


class OpenVideo(Protocol):
    """A video that is being read."""

    @property
    def info(self) -> VideoInfo: ...
    @property
    def summary(self) -> ReadSummary: ...
    def frames(self, *, start_frame: int = 0) -> AsyncIterator[FramePixels]: ...


class MediaOpener(Protocol):
    """Opens stored media for the current caller."""

    def open_video(self, asset_version: str, path: str) -> AbstractAsyncContextManager[OpenVideo]: ...
    async def read_picture(self, asset_version: str, path: str) -> bytes: ...
    async def decode(self, encoded: bytes, *, frame_index: int = 0, offset_s: float = 0.0) -> FramePixels: ...


class Models(PoseModels, ObjectModels, Protocol):
    """The nets, in the versions with which a stream began."""

    @property
    def said_versions(self) -> Mapping[str, int]: ...
    @property
    def version_names(self) -> tuple[str, ...]: ...


class ModelChooser(Protocol):
    """Chooses the versions that answer a stream."""

    def begin(self, key: str) -> Models: ...
    def resume(self, key: str, versions: Mapping[str, int]) -> Models: ...


class ModelRegistry(Protocol):
    """The models in service."""

    async def list(self) -> Sequence[ModelEntry]: ...


class ModelKeeper(Protocol):
    """Changes the registry."""

    async def get(self, model: str) -> ModelRecord: ...
    async def deploy(self, model: str, version: int, *, memory_bytes: int) -> ModelRecord: ...
    async def set_traffic(self, model: str, percents: Sequence[tuple[int, int]], *, etag: str) -> ModelRecord: ...
    async def roll_back(self, model: str, *, version: int | None, reason: str) -> ModelRecord: ...
    async def retire(self, model: str, version: int) -> ModelRecord: ...
    async def changes(self, model: str, *, limit: int, before: tuple[str, ...] | None) -> Sequence[ModelChange]: ...
