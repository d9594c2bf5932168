"""Stored media behind the servicer's port: found through the library, read from the object store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from contextlib import asynccontextmanager

from praxiscope_assets import AssetFiles
from praxiscope_common.credentials import ServiceIdentity
from praxiscope_media import MediaTooLargeError
from vision_inference_service.adapters.frame_pixels import ImagePixels, decode_picture
from vision_inference_service.adapters.video_frames import VideoFrames, VideoReading, open_video

_MAX_PICTURE_BYTES = 32 << 20


class StoredMedia:
    """Opens media for the current caller.

    Args:
        files: Finds files in the library.
        identity: Gets tokens to act for the caller.
        reading: How videos are read.
        executor: Where pixels are worked on.
    """

    def __init__(self, files: AssetFiles, identity: ServiceIdentity, reading: VideoReading, executor: Executor) -> None:
        """Keeps what it needs."""
        self._files, self._identity, self._reading, self._executor = files, identity, reading, executor

    @asynccontextmanager
    async def open_video(self, asset_version: str, path: str) -> AsyncIterator[VideoFrames]:
        """Opens a stored video."""
        file = await self._files.resolve(asset_version, path, token=await self._identity.token_for_caller())
        stored = await asyncio.to_thread(self._files.open, file)
        try:
            async with open_video(stored, self._reading, self._executor) as video:
                yield video
        finally:
            stored.close()

    async def read_picture(self, asset_version: str, path: str) -> bytes:
        """Returns a stored picture's bytes.

        Raises:
            MediaTooLargeError: If the file is too large for a picture.
        """
        file = await self._files.resolve(asset_version, path, token=await self._identity.token_for_caller())
        if file.size_bytes > _MAX_PICTURE_BYTES:
            raise MediaTooLargeError(
                f"The picture's file has {file.size_bytes} bytes; at most {_MAX_PICTURE_BYTES} are taken.",
                metadata={"size_bytes": str(file.size_bytes)},
            )
        return b"".join([chunk async for chunk in self._files.store.read(file.object_key)])

    async def decode(self, encoded: bytes, *, frame_index: int = 0, offset_s: float = 0.0) -> ImagePixels:
        """Decodes a JPEG or PNG file's bytes."""
        return await decode_picture(
            encoded,
            self._executor,
            max_pixels=self._reading.limits.max_pixels,
            frame_index=frame_index,
            offset_s=offset_s,
        )
