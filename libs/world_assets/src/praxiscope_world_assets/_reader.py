"""Worlds out of the library, read once and kept for a while."""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from praxiscope_assets import AssetFile, AssetFiles
from praxiscope_common.errors import InvalidInputError, NotFoundError
from praxiscope_world_assets._errors import PictureNotFoundError
from praxiscope_worlds import (
    Bounds,
    Camera,
    GaussianWorld,
    Mesh,
    WorldNotDrawableError,
    camera_from_json,
    measure_bounds,
)
from praxiscope_worlds.formats import FileLimits, PictureDecoder, read_world_file
from praxiscope_worlds.kernels import RenderOptions

WORLD_PATH = "world.ply"
# What an extracted surface is called, and the surfaces under a made world: in the colours of their materials, and with their light in them.
MESH_PATH, SOLIDS_PATH, LIT_SOLIDS_PATH = "mesh.glb", "solids.glb", "scene.glb"
CAMERAS_PATH = "cameras.json"
DESCRIPTION_PATH = "world.json"
# Two worlds of a million Gaussians with all harmonics are half a gigabyte.
_KEPT_WORLDS = 2
_MAX_CAMERAS_BYTES = 16 << 20
_MAX_DESCRIPTION_BYTES = 1 << 20
_BLACK = (0.0, 0.0, 0.0)


@dataclass(frozen=True, kw_only=True, eq=False)
class OpenWorld:
    """A world in memory.

    Attributes:
        file: Where it came from.
        gaussians: What is in it.
        bounds: Where the most of it is.
        options: How it is drawn: with the background that it was made for, and as it was made, antialiased or not.
    """

    file: AssetFile
    gaussians: GaussianWorld
    bounds: Bounds
    options: RenderOptions


@dataclass(frozen=True, kw_only=True, eq=False)
class OpenMesh:
    """A mesh in memory.

    Attributes:
        file: Where it came from.
        mesh: What is in it.
        bounds: Where the most of it is.
    """

    file: AssetFile
    mesh: Mesh
    bounds: Bounds


class WorldReader:
    """Finds and reads worlds. Whoever asks must be allowed to read the asset each time; only the reading is spared.

    Args:
        files: Finds files in the library.
        limits: What a file may cost; None: the formats' own.
        kept_count: How many worlds are kept.
        picture_decoder: For textures of meshes; None: they are left out.
    """

    def __init__(
        self,
        files: AssetFiles,
        *,
        limits: FileLimits | None = None,
        kept_count: int = _KEPT_WORLDS,
        picture_decoder: PictureDecoder | None = None,
    ) -> None:
        """Starts with nothing kept."""
        self._files, self._limits, self._kept_count = files, limits, kept_count
        self._picture_decoder = picture_decoder
        self._kept: OrderedDict[str, OpenWorld | OpenMesh] = OrderedDict()
        self._reading = asyncio.Lock()

    async def find(self, asset_version: str, *, token: str) -> AssetFile:
        """Finds a world's file: `world.ply`, or the only file of a version that somebody uploaded, or `mesh.glb`.

        Raises:
            NotFoundError: There is no such version, or no world in it.
        """
        try:
            return await self._files.resolve(asset_version, WORLD_PATH, token=token)
        except NotFoundError as error:
            if error.reason != "FILE_NOT_FOUND":
                raise
            try:
                return await self._files.resolve(asset_version, "", token=token)
            except InvalidInputError:  # there are several files, and none is called like a world
                mesh = await self._find_if_there(asset_version, MESH_PATH, token)
                if mesh is None:
                    raise error from None
                return mesh

    async def find_solids(self, asset_version: str, *, token: str) -> AssetFile | None:
        """Finds the surfaces that a world's Gaussians were laid on; None where it has none.

        Raises:
            NotFoundError: There is no such version.
        """
        for path in (SOLIDS_PATH, LIT_SOLIDS_PATH):
            found = await self._find_if_there(asset_version, path, token)
            if found is not None:
                return found
        return None

    async def read(self, asset_version: str, *, token: str) -> OpenWorld:
        """Reads a world, or returns it where it was read a short while ago.

        Args:
            asset_version: The world.
            token: A token that may read it.

        Raises:
            NotFoundError: There is no such version, or no world in it.
            InvalidWorldFileError: The file is not what its format says.
            UnknownWorldFormatError: It is of no known format.
            WorldFileTooLargeError: It holds more than is allowed.
            WorldNotDrawableError: It is a mesh, or empty.
        """
        opened = await self.read_any(asset_version, "", token=token)
        if isinstance(opened, OpenMesh):
            raise WorldNotDrawableError(f"{opened.file.path} holds a mesh; Gaussians are wanted here.")
        return opened

    async def read_any(self, asset_version: str, path: str, *, token: str) -> OpenWorld | OpenMesh:
        """Reads a world or a mesh, or returns it where it was read a short while ago.

        Args:
            asset_version: Whose file it is.
            path: The file; empty means the world's, see `find`.
            token: A token that may read it.

        Raises:
            DomainError: As of `read`; but a mesh is as good as Gaussians.
        """
        file = await self.find_part(asset_version, path, token=token)
        key = f"{file.asset_version}/{file.path}"
        async with self._reading:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            options = await self._options(asset_version, token)
            opened = await asyncio.to_thread(self._read, file, options)
            self._kept[key] = opened
            while len(self._kept) > self._kept_count:
                self._kept.popitem(last=False)
            return opened

    async def find_part(self, asset_version: str, path: str, *, token: str) -> AssetFile:
        """Finds a file of a version; the world's where the path is empty.

        Raises:
            NotFoundError: There is no such version, or no such file in it.
        """
        if path:
            return await self._files.resolve(asset_version, path, token=token)
        return await self.find(asset_version, token=token)

    async def read_part(
        self, asset_version: str, path: str, *, token: str, picture_decoder: PictureDecoder | None = None
    ) -> GaussianWorld | Mesh:
        """Reads a world or a mesh that is to become a part of another; it is not kept.

        Args:
            asset_version: Whose file it is.
            path: The file; empty means the world's, see `find`.
            token: A token that may read it.
            picture_decoder: For textures of meshes.

        Raises:
            DomainError: As of `read`; but a mesh is as good as Gaussians.
        """
        file = await self.find_part(asset_version, path, token=token)

        def read() -> GaussianWorld | Mesh:
            with self._files.open(file) as opened:
                return read_world_file(
                    opened, filename=file.path, limits=self._limits, picture_decoder=picture_decoder
                ).content

        return await asyncio.to_thread(read)

    async def read_cameras(self, asset_version: str, *, token: str) -> Sequence[tuple[str, Camera]]:
        """Reads from where a world's own pictures were taken; nothing where it was not made from any, or where the file is none.

        Returns:
            Names and cameras.
        """
        try:
            file = await self._files.resolve(asset_version, CAMERAS_PATH, token=token)
        except NotFoundError:
            return ()
        return await asyncio.to_thread(self._read_cameras, file)

    async def read_description(self, asset_version: str, *, token: str) -> Mapping[str, Any]:
        """Reads how a world was made; nothing where that is not told."""
        try:
            file = await self._files.resolve(asset_version, DESCRIPTION_PATH, token=token)
        except NotFoundError:
            return {}
        return await asyncio.to_thread(self._read_description, file)

    async def read_camera(self, asset_version: str, index: int, *, token: str) -> Camera:
        """Reads from where one of a world's own pictures was taken.

        Raises:
            PictureNotFoundError: There is no such picture.
        """
        try:
            file = await self._files.resolve(asset_version, CAMERAS_PATH, token=token)
        except NotFoundError as error:
            raise PictureNotFoundError("This world was not made from pictures.") from error
        return await asyncio.to_thread(self._read_camera, file, index)

    async def _find_if_there(self, asset_version: str, path: str, token: str) -> AssetFile | None:
        try:
            return await self._files.resolve(asset_version, path, token=token)
        except NotFoundError as error:
            if error.reason != "FILE_NOT_FOUND":
                raise
            return None

    async def _options(self, asset_version: str, token: str) -> RenderOptions:
        """What the world's description says of drawing; whoever uploaded one may have written anything there."""
        try:
            file = await self._files.resolve(asset_version, DESCRIPTION_PATH, token=token)
        except NotFoundError:
            return RenderOptions()
        return await asyncio.to_thread(self._read_options, file)

    def _read_options(self, file: AssetFile) -> RenderOptions:
        described = self._read_description(file)
        try:
            red, green, blue = (min(1.0, max(0.0, float(value))) for value in described.get("background_rgb", _BLACK))
            return RenderOptions(
                background_rgb=(red, green, blue), is_antialiased=described.get("is_antialiased") is True
            )
        except (ValueError, TypeError, InvalidInputError):
            return RenderOptions()

    def _read_description(self, file: AssetFile) -> Mapping[str, Any]:
        with self._files.open(file) as opened:
            raw = opened.read(_MAX_DESCRIPTION_BYTES)
        try:
            described = json.loads(raw)
        except (ValueError, RecursionError):
            return {}
        return described if isinstance(described, dict) else {}

    def _read_cameras(self, file: AssetFile) -> Sequence[tuple[str, Camera]]:
        with self._files.open(file) as opened:
            raw = opened.read(_MAX_CAMERAS_BYTES)
        try:
            return [(str(item.get("name", "")), camera_from_json(item)) for item in json.loads(raw)]
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError, InvalidInputError):
            return ()  # whoever uploaded it may have written anything there

    def _read(self, file: AssetFile, options: RenderOptions) -> OpenWorld | OpenMesh:
        with self._files.open(file) as opened:
            content = read_world_file(
                opened, filename=file.path, limits=self._limits, picture_decoder=self._picture_decoder
            ).content
        bounds = measure_bounds(content)
        if isinstance(content, Mesh):
            return OpenMesh(file=file, mesh=content, bounds=bounds)
        return OpenWorld(file=file, gaussians=content, bounds=bounds, options=options)

    def _read_camera(self, file: AssetFile, index: int) -> Camera:
        with self._files.open(file) as opened:
            cameras = json.loads(opened.read(_MAX_CAMERAS_BYTES))
        if index >= len(cameras):
            raise PictureNotFoundError(
                f"This world was made from {len(cameras)} pictures; there is no number {index}.",
                metadata={"picture_index": str(index)},
            )
        return camera_from_json(cameras[index])
