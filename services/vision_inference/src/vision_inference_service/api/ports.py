"""What the servicer needs; `app` gives it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from praxiscope_media import ReadSummary, VideoInfo
from vision_inference_service.core.ports import FramePixels, ObjectModels, PoseModels
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
    """The nets."""


class ModelRegistry(Protocol):
    """The models in service."""

    async def list(self) -> Sequence[ModelEntry]: ...
