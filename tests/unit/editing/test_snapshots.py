"""Snapshots of long stacks: their bytes, which are kept, and which go first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from editing_service.adapters.kept_states import KeptState
from editing_service.adapters.snapshots import Snapshots, decode, encode
from editing_service.adapters.world_states import moved_on
from editing_service.core.consistency import Looks
from editing_service.core.edits import Insert, Surroundings, apply
from editing_service.core.snapshots import (
    MAX_STACK_COUNT,
    MAX_WORLD_COUNT,
    Snapshot,
    is_worth_it,
    snapshot_of,
    to_drop,
)
from editing_service.core.stack import EditStack
from editing_service.core.state import EditState, joined, open_state
from praxiscope_common.errors import NotFoundError
from praxiscope_common.storage.filesystem import FilesystemStore
from praxiscope_common.storage.port import ObjectInfo, StoreFullError
from praxiscope_worlds.kernels import RenderOptions, open_kernels
from tests.support.world_files import camera_in_front, make_world
from tests.unit.editing.test_edits import EVERY, plane, with_harmonics
from tests.unit.editing.test_stack import empty_stack

KERNELS = open_kernels(Path("nowhere"), thread_count=1)
SEEN = Surroundings(viewpoints_m=np.array([[0.0, 0.0, 3.0]]))


# A tilted ground with a ball over it, so that there is something to level.
WORLD = with_harmonics(joined(plane(), make_world(300)), degree=1)


def first_state() -> KeptState:
    looks = Looks(
        cameras=[camera_in_front(160, 120)],
        kernels=KERNELS,
        options=RenderOptions(background_rgb=(0.1, 0.2, 1 / 3), is_antialiased=True),
    )
    return KeptState(state=open_state(WORLD), looks=looks, viewpoints_m=SEEN.viewpoints_m)


def edited(kept: KeptState, name: str) -> KeptState:
    is_every_other = np.zeros(len(kept.state), np.bool_)
    is_every_other[np.flatnonzero(kept.state.is_alive)[::2]] = True
    state = apply(kept.state, is_every_other, EVERY[name], SEEN).state
    return moved_on(kept, state, EVERY[name], took_s=0.25)


def assert_same(first: KeptState, second: KeptState) -> None:
    """Bit for bit, the cameras too."""
    for one, other in zip(first.state.arrays(), second.state.arrays(), strict=True):
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        assert one.tobytes() == other.tobytes()
    assert first.state.world_from_base.tobytes() == second.state.world_from_base.tobytes()
    assert first.viewpoints_m.tobytes() == second.viewpoints_m.tobytes()
    assert first.looks.options == second.looks.options
    for one, other in zip(first.looks.cameras, second.looks.cameras, strict=True):
        assert (one.width_px, one.focal_px, one.centre_px) == (other.width_px, other.focal_px, other.centre_px)
        assert np.asarray(one.world_from_camera).tobytes() == np.asarray(other.world_from_camera).tobytes()


@pytest.mark.parametrize("name", EVERY)
def test_what_is_read_is_what_was_written_and_goes_on_to_the_same_bytes(name: str) -> None:
    kept = edited(edited(first_state(), "level ground"), name)
    read = decode(b"".join(encode(kept)), KERNELS)
    assert read is not None
    assert_same(kept, read)
    for following in EVERY:
        assert_same(edited(kept, following), edited(read, following))
    assert read.replay_s == 0.0
    assert not any(array.flags.writeable for array in read.state.arrays())


def test_a_world_without_viewpoints_and_an_empty_one_come_back() -> None:
    kept = replace(first_state(), viewpoints_m=np.zeros((0, 3)))
    nothing = EditState(
        rows=kept.state.rows.select(np.zeros(len(WORLD), np.bool_)),
        is_alive=np.zeros(0, np.bool_),
        world_from_base=np.eye(4),
    )
    for written in (kept, replace(kept, state=nothing)):
        read = decode(b"".join(encode(written)), KERNELS)
        assert read is not None
        assert_same(written, read)


def test_what_is_not_whole_is_none() -> None:
    content = b"".join(encode(first_state()))
    flipped = bytearray(content)
    flipped[len(flipped) // 2] ^= 1
    for broken in (b"", b"PXES1\n", content[:-1], content[:1000], bytes(flipped), content + b"x"):
        assert decode(broken, KERNELS) is None


def test_time_and_what_was_put_in_go_along() -> None:
    kept = edited(edited(first_state(), "shift"), "recolor")
    assert (kept.replay_s, kept.is_own) == (0.5, True)
    put_in = moved_on(kept, kept.state, Insert(asset_version="w", path="world.ply"), took_s=0.1)
    assert not edited(put_in, "shift").is_own


class OddStore(FilesystemStore):
    """A store that raises what it is told to."""

    problem: Exception | None = None

    async def put(self, key: str, chunks: AsyncIterator[bytes] | bytes) -> ObjectInfo:
        if self.problem is not None:
            raise self.problem
        return await super().put(key, chunks)


class Everything:
    """Stands for stacks and worlds that are all there, until told otherwise."""

    problem: Exception | None = None

    async def find(self, name: str, *, token: str = "") -> None:
        if self.problem is not None:
            raise self.problem


@pytest.fixture
async def written(tmp_path: Path) -> AsyncIterator[tuple[Snapshots, OddStore, Everything]]:
    store, there = OddStore(tmp_path), Everything()
    snapshots = Snapshots(store=store, stacks=there, worlds=there, kernels=KERNELS, max_bytes=1 << 30, after_s=0.5)  # type: ignore[arg-type]
    task = asyncio.create_task(snapshots.write_offered())
    await asyncio.sleep(0)
    yield snapshots, store, there
    assert not task.done(), "the writer goes on, whatever happens"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def a_stack(*edit_ids: str, project_id: str = "p-1") -> EditStack:
    parents = dict(zip(edit_ids, ["", *edit_ids], strict=False))
    world = "projects/p-1/assets/aaaaaaaaaaaaaaaaaaaaaaaaaa/versions/1"
    return replace(empty_stack(), project_id=project_id, base_world=world, parents=parents)


def worth_keeping(**changes: Any) -> KeptState:
    return replace(edited(edited(first_state(), "shift"), "recolor"), **changes)


async def keys_in(store: FilesystemStore) -> list[str]:
    return [key async for key in store.list("projects/p-1/assets/aaaaaaaaaaaaaaaaaaaaaaaaaa/edits/")]


async def test_what_is_offered_is_written_and_found_again(written: tuple[Snapshots, OddStore, Everything]) -> None:
    snapshots, store, _ = written
    stack, kept = a_stack("a", "b", "c"), worth_keeping()
    assert snapshots.offer(stack, "b", kept, token="")
    assert not snapshots.offer(stack, "c", kept, token=""), "one waits already"
    await snapshots.written()
    found = await snapshots.nearest(stack, ["a", "b", "c"], token="")
    assert found is not None
    assert found[0] == 1
    assert_same(found[1], kept)
    assert await snapshots.nearest(stack, ["a"], token="") is None
    assert not snapshots.offer(stack, "c", worth_keeping(replay_s=0.4), token=""), "that is soon done again"
    assert not snapshots.offer(stack, "c", worth_keeping(is_own=False), token="")
    assert not snapshots.offer(a_stack("c", project_id="p-2"), "c", kept, token=""), "the world is another project's"
    await snapshots.forget(stack)
    assert await keys_in(store) == []


async def test_whatever_breaks_costs_a_snapshot_and_nothing_else(
    written: tuple[Snapshots, OddStore, Everything],
) -> None:
    snapshots, store, there = written
    stack, kept = a_stack("a", "b", "c", "d"), worth_keeping()
    for edit_id, in_store, in_database, left_count in (
        ("a", None, None, 1),
        ("b", None, NotFoundError("It was purged meanwhile."), 1),
        ("c", RuntimeError("a disk that nobody knows"), None, 1),
        ("d", StoreFullError(), None, 0),
        ("d", None, None, 1),
    ):
        store.problem, there.problem = in_store, in_database
        assert snapshots.offer(stack, edit_id, kept, token="")
        await snapshots.written()
        assert len(await keys_in(store)) == left_count, edit_id


def snapshot(number: int, *, stack_id: str = "s", maker: str = "a0", size_bytes: int = 10) -> Snapshot:
    return Snapshot(
        stack_id=stack_id,
        maker=maker,
        number=number,
        edit_id=f"e{number}",
        written_ms=1_700_000_000_000 + number,
        size_bytes=size_bytes,
    )


def test_a_name_says_everything() -> None:
    assert snapshot_of(snapshot(7).name) == snapshot(7)
    assert snapshot_of("s/a0/00007-e7") is None


@pytest.mark.parametrize(
    ("replay_s", "size_bytes", "expected"),
    [(0.5, 1000, True), (0.49, 1000, False), (1.0, 100_000_000, False), (2.0, 100_000_000, True)],
)
def test_what_is_written_slower_than_done_is_not_kept(replay_s: float, size_bytes: int, *, expected: bool) -> None:
    assert is_worth_it(replay_s, size_bytes, after_s=0.5) is expected


def test_what_is_left_of_a_stack_lies_evenly_along_it() -> None:
    held: list[Snapshot] = []
    for number in range(5, 500, 5):
        held.append(snapshot(number))
        for item in to_drop(held, held[-1], max_bytes=1000):
            held.remove(item)
    numbers = [0, *(item.number for item in held)]
    assert len(held) == MAX_STACK_COUNT
    assert numbers[-1] == 495
    assert max(np.diff(numbers)) <= 200, "no edit is farther from a snapshot than two fifths of the stack"


def test_others_go_first_where_there_is_no_room() -> None:
    held = [snapshot(number, stack_id=f"s{number}", size_bytes=100) for number in range(1, 10)]
    newest = snapshot(20, size_bytes=100)
    dropped = to_drop([*held, newest], newest, max_bytes=400)
    assert [item.number for item in dropped] == [1, 2, 3, 4, 5, 6]
    assert to_drop([newest], newest, max_bytes=50) == [], "the newest stays"
    old = snapshot(3, maker="b1")
    assert to_drop([old, newest], newest, max_bytes=1000) == [old], "what older code made goes"
    many = [snapshot(number, stack_id=f"s{number}") for number in range(100)]
    left = [item for item in many if item not in to_drop(many, many[-1], max_bytes=10_000)]
    assert [item.number for item in left] == list(range(100 - MAX_WORLD_COUNT, 100))
