"""Worlds between edits in the object store, so that a service that remembers nothing need not do a long line of edits again.

They lie among the base world's own objects and go with it when it is purged. None is kept of a world of another project's, nor after something else was put
in: what those are made of could be purged, and the snapshot would still show it. Each carries its SHA-256; one that is not whole is passed over.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.metadata
import importlib.resources
import json
import logging
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.resources.abc import Traversable

import numpy as np

from editing_service.adapters.kept_states import KeptState
from editing_service.adapters.stacks import Stacks
from editing_service.core.consistency import Looks
from editing_service.core.snapshots import Snapshot, is_worth_it, snapshot_of, to_drop
from editing_service.core.stack import EditStack
from editing_service.core.state import ARRAYS, EditState
from praxiscope_common import names
from praxiscope_common.errors import DomainError, NotFoundError
from praxiscope_common.storage.port import ObjectStore, StoreFullError
from praxiscope_world_assets import WorldReader
from praxiscope_worlds import Camera, GaussianWorld
from praxiscope_worlds.kernels import RenderOptions, SplatKernels

logger = logging.getLogger(__name__)
_MAGIC = b"PXES1\n"
_DIGEST_BYTES = 32
_MAX_HEADER_BYTES = 1 << 20
_PIECE_BYTES = 4 << 20
# One of these would push out too many others, and takes as much memory again while it is written.
_LARGEST_SHARE = 2
# What computes worlds.
_SOURCES, _PACKAGES = ("editing_service", "praxiscope_worlds", "praxiscope_numerics"), ("numpy", "scipy")
_MAKER_CHARACTERS = 16


@dataclass(frozen=True, kw_only=True, eq=False)
class _Offer:
    """A world that is to be written."""

    stack: EditStack
    edit_id: str
    kept: KeptState
    token: str


class Snapshots:
    """Snapshots of all stacks.

    Args:
        store: Where they lie.
        stacks: Says whether a stack is still there.
        worlds: Says whether the base world is still there.
        kernels: What draws the worlds that are read.
        max_bytes: What those of one base world may take together; 0: none are kept.
        after_s: From how long on the edits of a small world are kept.
    """

    def __init__(
        self,
        *,
        store: ObjectStore,
        stacks: Stacks,
        worlds: WorldReader,
        kernels: SplatKernels,
        max_bytes: int,
        after_s: float,
    ) -> None:
        """Starts with nothing to write."""
        self._store, self._stacks, self._worlds, self._kernels = store, stacks, worlds, kernels
        self._max_bytes, self._after_s = max_bytes, after_s
        self._offers: asyncio.Queue[_Offer] = asyncio.Queue(maxsize=1)
        self._is_written = False
        self._maker = _maker()

    def offer(self, stack: EditStack, edit_id: str, kept: KeptState, *, token: str) -> bool:
        """Has a world written, where that is worth it and nothing else waits; says whether it will be.

        Args:
            stack: The stack, the edit in it.
            edit_id: The edit.
            kept: The world after it.
            token: A token that may read the base world.
        """
        size_bytes = sum(array.nbytes for array in kept.state.arrays())
        is_wanted = (
            self._is_written
            and kept.is_own
            and _is_of_own_project(stack)
            and size_bytes <= self._max_bytes // _LARGEST_SHARE
            and is_worth_it(kept.replay_s, size_bytes, after_s=self._after_s)
        )
        if not is_wanted or self._offers.full():
            return False
        self._offers.put_nowait(_Offer(stack=stack, edit_id=edit_id, kept=kept, token=token))
        return True

    async def write_offered(self) -> None:
        """Writes what is offered, until cancelled; only where this runs anything is taken."""
        self._is_written = True
        try:
            while True:
                offer = await self._offers.get()
                try:
                    await self._write(offer)
                except DomainError as error:  # without it the edits are done again
                    logger.warning("a snapshot was not written", extra={"error": error.message, "reason": error.reason})
                except Exception:  # the service goes on, whatever a database or a store that is away raises here
                    logger.exception("a snapshot was not written")
                finally:
                    self._offers.task_done()
        finally:
            self._is_written = False

    async def written(self) -> None:
        """Returns once nothing waits to be written."""
        await self._offers.join()

    async def nearest(self, stack: EditStack, edit_ids: Sequence[str], *, token: str) -> tuple[int, KeptState] | None:
        """Returns the last of some edits that has a snapshot, by its place among them, and the world after it; None where none has.

        Args:
            stack: The stack.
            edit_ids: Edits, one going on from the other.
            token: A token that must be able to read the base world.

        Raises:
            NotFoundError: The base world is gone.
        """
        if not self._max_bytes or not edit_ids or not _is_of_own_project(stack):
            return None
        places = {edit_id: place for place, edit_id in enumerate(edit_ids)}
        prefix = _prefix(stack)
        held = [item async for item in self._held(prefix, f"{stack.stack_id}/{self._maker}/")]
        found = sorted((item for item in held if item.edit_id in places), key=lambda item: places[item.edit_id])
        if found:
            await self._worlds.find(stack.base_world, token=token)
        for item in reversed(found):
            try:
                content = b"".join([piece async for piece in self._store.read(prefix + item.name)])
            except NotFoundError:  # it was dropped a moment ago
                continue
            kept = await asyncio.to_thread(decode, content, self._kernels)
            if kept is not None:
                return places[item.edit_id], kept
        return None

    async def forget(self, stack: EditStack) -> None:
        """Removes a stack's snapshots; those that the store does not let go now go with the world, or are pushed out by others."""
        if not _is_of_own_project(stack):
            return
        try:
            await self._store.delete_prefix(f"{_prefix(stack)}{stack.stack_id}/")
        except DomainError as error:
            logger.warning("snapshots were not removed", extra={"error": error.message, "reason": error.reason})

    async def _write(self, offer: _Offer) -> None:
        stack, state = offer.stack, offer.kept.state
        prefix = _prefix(stack)
        snapshot = Snapshot(
            stack_id=stack.stack_id,
            maker=self._maker,
            number=list(stack.parents).index(offer.edit_id) + 1,
            edit_id=offer.edit_id,
            written_ms=int(1e3 * time.time()),
            size_bytes=sum(array.nbytes for array in state.arrays()),
        )
        try:
            await self._store.put(prefix + snapshot.name, _pieces(offer.kept))
        except StoreFullError:
            await self._store.delete_prefix(prefix)  # others need the room more
            raise
        try:
            # A stack or a world that was deleted while this was written has taken its other objects with it, and would leave this one behind.
            await self._stacks.find(names.EDIT_STACK.format(stack.project_id, stack.stack_id))
            await self._worlds.find(stack.base_world, token=offer.token)
        except DomainError:
            await self._store.delete(prefix + snapshot.name)
            raise
        held = [item async for item in self._held(prefix, "")]
        for item in to_drop(held, snapshot, max_bytes=self._max_bytes):
            await self._store.delete(prefix + item.name)

    async def _held(self, prefix: str, start: str) -> AsyncIterator[Snapshot]:
        async for key in self._store.list(prefix + start):
            snapshot = snapshot_of(key.removeprefix(prefix))
            if snapshot is not None:
                yield snapshot


def encode(kept: KeptState) -> Iterator[bytes]:
    """Yields a snapshot's bytes: a line that says what comes, the arrays as they lie in memory, and the SHA-256 of both."""
    state, looks = kept.state, kept.looks
    arrays = {
        **{name: getattr(state.rows, name) for name in ARRAYS},
        "is_alive": state.is_alive,
        "world_from_base": state.world_from_base,
        "viewpoints_m": kept.viewpoints_m,
    }
    header = {
        "arrays": [[name, array.dtype.str, array.shape] for name, array in arrays.items()],
        "options": asdict(looks.options),
        "cameras": [
            {
                "width_px": camera.width_px,
                "height_px": camera.height_px,
                "focal_px": camera.focal_px,
                "centre_px": camera.centre_px,
                "world_from_camera": np.asarray(camera.world_from_camera).tolist(),
            }
            for camera in looks.cameras
        ],
    }
    digest = hashlib.sha256()
    line = _MAGIC + json.dumps(header).encode() + b"\n"
    digest.update(line)
    yield line
    for array in arrays.values():
        whole = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        for start in range(0, len(whole), _PIECE_BYTES):
            piece = whole[start : start + _PIECE_BYTES].tobytes()
            digest.update(piece)
            yield piece
    yield digest.digest()


def decode(content: bytes, kernels: SplatKernels) -> KeptState | None:
    """Reads what `encode` gave; None where it is not whole."""
    body = memoryview(content)[: max(0, len(content) - _DIGEST_BYTES)]
    if not content.startswith(_MAGIC) or hashlib.sha256(body).digest() != content[-_DIGEST_BYTES:]:
        return None
    end = content.index(b"\n", len(_MAGIC), _MAX_HEADER_BYTES)
    header = json.loads(content[len(_MAGIC) : end])
    arrays: dict[str, np.ndarray] = {}
    start = end + 1
    for name, dtype, shape in header["arrays"]:
        count = int(np.prod(shape))
        # copied: arrays that share memory with others count once among the states that are kept
        arrays[name] = np.frombuffer(body, dtype, count=count, offset=start).reshape(shape).copy()
        start += arrays[name].nbytes
    options = header["options"] | {"background_rgb": tuple(header["options"]["background_rgb"])}
    cameras = [
        Camera(
            width_px=item["width_px"],
            height_px=item["height_px"],
            focal_px=tuple(item["focal_px"]),
            centre_px=tuple(item["centre_px"]),
            world_from_camera=np.array(item["world_from_camera"]),
        )
        for item in header["cameras"]
    ]
    return KeptState(
        state=EditState(
            rows=GaussianWorld(**{name: arrays[name] for name in ARRAYS}),
            is_alive=arrays["is_alive"],
            world_from_base=arrays["world_from_base"],
        ),
        looks=Looks(cameras=cameras, kernels=kernels, options=RenderOptions(**options)),
        viewpoints_m=arrays["viewpoints_m"],
    )


async def _pieces(kept: KeptState) -> AsyncIterator[bytes]:
    for piece in encode(kept):
        yield piece
        await asyncio.sleep(0)  # callers are waiting for the loop


def _prefix(stack: EditStack) -> str:
    project_id, asset_id, _ = names.ASSET_VERSION.parse(stack.base_world)
    return f"projects/{project_id}/assets/{asset_id}/edits/"


def _is_of_own_project(stack: EditStack) -> bool:
    return names.ASSET_VERSION.parse(stack.base_world)[0] == stack.project_id


def _maker() -> str:
    """Names what computes worlds: our own code and the packages under it. Whatever changes one of them makes its own snapshots."""
    digest = hashlib.sha256()
    for package in _SOURCES:
        for source in _sources_in(importlib.resources.files(package)):
            digest.update(source)
    for package in _PACKAGES:
        digest.update(f"{package} {importlib.metadata.version(package)}".encode())
    return digest.hexdigest()[:_MAKER_CHARACTERS]


def _sources_in(folder: Traversable) -> Iterator[bytes]:
    for item in sorted(folder.iterdir(), key=lambda item: item.name):
        if item.is_dir():
            yield from _sources_in(item)
        elif item.name.endswith(".py"):
            yield item.read_bytes()
