"""Undo, redo, branches; what is kept in memory; what differs."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest

from editing_service.adapters.kept_states import KeptState, KeptStates
from editing_service.core.compare import compare
from editing_service.core.consistency import Consistency, Looks
from editing_service.core.edits import Delete, Duplicate, Surroundings, Transform, apply
from editing_service.core.errors import NothingToRedoError, NothingToUndoError, StackFullError
from editing_service.core.placement import Placement
from editing_service.core.stack import (
    MAX_EDITS,
    Branch,
    Edit,
    EditStack,
    branched,
    check_room,
    line_of,
    parting_of,
    pushed,
    redone,
    resolve,
    switched,
    undone,
)
from editing_service.core.state import open_state
from praxiscope_worlds.kernels import RenderOptions, open_kernels
from tests.support.world_files import make_world

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)
ALONE = Surroundings(viewpoints_m=np.zeros((0, 3)))


def empty_stack() -> EditStack:
    return EditStack(
        project_id="p",
        stack_id="s",
        base_world="w",
        base_count=10,
        display_name="",
        branches={"main": Branch(name="main")},
        current_branch="main",
        parents={},
        request_bytes=0,
        revision=1,
        creator="users/u",
        create_time=NOW,
        update_time=NOW,
    )


def pushing(stack: EditStack, edit_id: str) -> EditStack:
    found = Consistency(
        is_consistent=True,
        changed_outside_count=0,
        max_difference=0,
        mean_difference=0,
        compared_share=1,
        picture_count=3,
    )
    edit = Edit(
        edit_id=edit_id,
        parent_id=stack.current.head_id,
        request=b"12345",
        summary="",
        selected_count=1,
        changed_count=1,
        removed_count=0,
        added_count=0,
        gaussian_count=10,
        row_count=10,
        bounds=None,
        consistency=found,
        elapsed_ms=1,
        creator="users/u",
        create_time=NOW,
        request_id="",
        request_sha256=b"",
    )
    return pushed(stack, edit)


def test_undo_and_redo_walk_the_line_and_a_new_edit_begins_another() -> None:
    stack = empty_stack()
    with pytest.raises(NothingToUndoError):
        undone(stack)
    for edit_id in "abc":
        stack = pushing(stack, edit_id)
    assert list(line_of(stack, "c")) == ["a", "b", "c"]
    with pytest.raises(NothingToRedoError):
        redone(stack)
    back = undone(undone(undone(stack)))
    assert back.current.head_id == ""
    assert [redone(back).current.head_id, redone(redone(back)).current.head_id] == ["a", "b"]
    other = pushing(undone(stack), "d")
    assert other.parents == {"a": "", "b": "a", "c": "b", "d": "b"}
    assert other.current == Branch(name="main", head_id="d", tip_id="d")
    assert other.request_bytes == 20


def test_branches_keep_their_heads() -> None:
    stack = pushing(pushing(empty_stack(), "a"), "b")
    stack = pushing(branched(stack, "other", "a"), "c")
    assert stack.current_branch == "other"
    assert resolve(stack, "") == "c"
    assert resolve(switched(stack, "main"), "") == "b"
    assert resolve(stack, "base") == ""
    assert parting_of(stack, "b", "c") == ("a", ["b"], ["c"])
    assert parting_of(stack, "", "c") == ("", [], ["a", "c"])
    assert parting_of(stack, "c", "c") == ("c", [], [])


def test_a_full_stack_takes_no_more() -> None:
    stack = replace(empty_stack(), parents=dict.fromkeys(map(str, range(MAX_EDITS)), ""))
    with pytest.raises(StackFullError):
        check_room(stack, 1)
    with pytest.raises(StackFullError):
        check_room(empty_stack(), (64 << 20) + 1)


def test_what_two_branches_added_is_different_even_where_its_number_is_not() -> None:
    state = open_state(make_world(50))
    everything = np.ones(50, np.bool_)
    first = apply(state, everything, Duplicate(placement=Placement(translation_m=(0, 9, 0))), ALONE).state
    gone = apply(state, state.rows.means_m[:, 0] > 0, Delete(), ALONE).state
    second = apply(gone, gone.is_alive, Transform(placement=Placement(translation_m=(1, 0, 0))), ALONE).state
    second = apply(second, second.is_alive, Duplicate(placement=Placement()), ALONE).state
    found = compare(first, second, shared_count=50)
    left = int((state.rows.means_m[:, 0] <= 0).sum())
    assert (found.changed_count, found.moved_count, found.recolored_count) == (left, left, 0)
    assert found.removed_count == 50 - left + 50
    assert found.added_count == left
    assert found.bounds is not None
    assert found.bounds.max_m[1] > 7
    assert compare(first, first, shared_count=len(first)).bounds is None


def test_kept_states_share_arrays_and_never_take_more_than_allowed() -> None:
    kernels = open_kernels(Path("nowhere"), thread_count=1)
    looks = Looks(cameras=[], kernels=kernels, options=RenderOptions())
    state = open_state(make_world(1000))
    of_one = sum(array.nbytes for array in state.arrays())
    room = 2 * of_one + 20 * 4096
    kept = KeptStates(max_bytes=room)
    for number in range(20):
        state = replace(state, is_alive=np.arange(1000) > number)
        kept.put(("stack", str(number)), KeptState(state=state, looks=looks, viewpoints_m=np.zeros((0, 3))))
    assert len(kept) == 20, "deletions share everything but their masks"
    assert kept.bytes_kept == of_one - 1000 + 20 * (1000 + 4096)
    for number in range(5):
        other = open_state(make_world(1000, seed=number))
        kept.put(("other", str(number)), KeptState(state=other, looks=looks, viewpoints_m=np.zeros((0, 3))))
        assert kept.bytes_kept <= room
    assert kept.get(("other", "4")) is not None
    assert kept.get(("stack", "0")) is None
    kept.put(("other", "4"), kept.get(("other", "4")) or pytest.fail("it was there"))
    assert kept.bytes_kept <= room, "the same again counts once"
    kept.forget("other")
    assert kept.get(("other", "4")) is None
    huge = open_state(make_world(9000))
    kept.put(("huge", ""), KeptState(state=huge, looks=looks, viewpoints_m=np.zeros((0, 3))))
    assert kept.bytes_kept <= room
    kept.forget("stack")
    kept.forget("huge")
    assert (len(kept), kept.bytes_kept) == (0, 0)
