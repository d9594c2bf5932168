"""Edit stacks: selections, edits, undo, branches, comparisons, saving; and everything that they may refuse."""

from __future__ import annotations

import asyncio
import gzip
import json
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from praxiscope.editing.v1 import edit_service_pb2, edit_stack_pb2
from praxiscope.library.v1 import asset_service_pb2
from praxiscope.type.v1 import geometry_pb2
from praxiscope_worlds import GaussianWorld
from praxiscope_worlds.formats import read_world_file
from tests.contract.test_library_assets import delete, derive, purge
from tests.contract.test_world_rendering import done, stored_file
from tests.support.calls import Answer, Client
from tests.support.coverage import covers
from tests.support.house import House, Tenant
from tests.support.world_files import camera_in_front, cameras_file, make_triangle, make_world, world_file

_Selection = edit_stack_pb2.Selection
_Operation = edit_stack_pb2.EditOperation
CREATE, GET, LIST, DELETE, SELECT, READ, APPLY, UNDO, REDO, BRANCH, SWITCH, DIFF, SAVE = (
    f"EditService.{name}"
    for name in (
        "CreateEditStack",
        "GetEditStack",
        "ListEditStacks",
        "DeleteEditStack",
        "SelectGaussians",
        "ReadGaussians",
        "ApplyEdit",
        "UndoEdit",
        "RedoEdit",
        "CreateBranch",
        "SwitchBranch",
        "DiffEdits",
        "SaveWorld",
    )
)
_REQUESTS = {name: getattr(edit_service_pb2, f"{name.partition('.')[2]}Request") for name in (
    CREATE, GET, LIST, DELETE, SELECT, READ, APPLY, UNDO, REDO, BRANCH, SWITCH, DIFF, SAVE
)}  # fmt: skip
RIGHT_HALF = _Selection(box={"center": {"x": 5}, "size": {"x": 10, "y": 20, "z": 20}})
NOTHING = _Selection(sphere={"center": {"x": 900}, "radius_m": 1})
TAKE_AWAY = _Operation(delete={})
COUNT = 400


async def ask(tenant: Tenant, method: str, *, client: Client | None = None, **fields: Any) -> Answer:
    """Asks as the tenant's owner."""
    return await (client or tenant.house.client).ask(method, _REQUESTS[method](**fields), token=tenant.token)


async def a_world(tenant: Tenant, world: GaussianWorld | None = None, **files: bytes) -> str:
    """Makes a world as a reconstruction hands it over; returns its version."""
    ply = world_file(make_world(COUNT) if world is None else world)
    return await derive(tenant, {"world.ply": ply, "cameras.json": cameras_file(camera_in_front())} | files)


async def a_stack(tenant: Tenant, world: str = "", **fields: Any) -> edit_stack_pb2.EditStack:
    """Begins editing a world."""
    base = world or await a_world(tenant)
    return (await ask(tenant, CREATE, parent=tenant.name, edit_stack={"base_world": base}, **fields)).message


async def apply(
    tenant: Tenant, stack: edit_stack_pb2.EditStack, operation: _Operation, selection: _Selection | None = None
) -> edit_service_pb2.ApplyEditResponse:
    """Applies an edit, and takes the new etag over into the stack."""
    answer = await ask(tenant, APPLY, name=stack.name, etag=stack.etag, operation=operation, selection=selection)
    stack.etag = answer.message.etag
    return answer.message


def bits(mask: bytes, count: int = COUNT) -> np.ndarray:
    return np.unpackbits(np.frombuffer(mask, np.uint8), bitorder="little", count=count).astype(bool)


@covers(CREATE)
@covers(GET)
async def test_a_stack_begins_with_its_world_and_one_branch(tenant: Tenant) -> None:
    world = await a_world(tenant)
    asset = world.rpartition("/versions/")[0]
    stack = await a_stack(tenant, f"{asset}/versions/latest")
    assert stack.base_world == world, "the number of the version is written down"
    assert stack.base_gaussian_count == COUNT
    assert [(branch.name, branch.head_id) for branch in stack.branches] == [("main", "")]
    assert stack.current_branch == "main"
    read = (await ask(tenant, GET, name=stack.name)).message
    assert read == stack


@covers(CREATE, "REQUEST_ID_REUSED")
async def test_a_stack_asked_for_twice_is_made_once(tenant: Tenant) -> None:
    world, request_id = await a_world(tenant), str(uuid.uuid4())
    first = await a_stack(tenant, world, request_id=request_id)
    assert (await a_stack(tenant, world, request_id=request_id)).name == first.name
    other = {"base_world": world, "display_name": "other"}
    (await ask(tenant, CREATE, parent=tenant.name, edit_stack=other, request_id=request_id)).fails("REQUEST_ID_REUSED")


@covers(CREATE, "RESOURCE_NOT_FOUND", "FILE_NOT_FOUND", "INVALID_WORLD_FILE", "UNKNOWN_WORLD_FORMAT")
@covers(CREATE, "WORLD_FILE_TOO_LARGE", "WORLD_NOT_EDITABLE")
async def test_only_a_world_can_be_edited(tenant: Tenant, stranger: Tenant) -> None:
    spz_header = b"NGSP" + (3).to_bytes(4, "little") + (30_000_000).to_bytes(4, "little") + bytes(4)
    for world, reason in (
        (await a_world(stranger), "RESOURCE_NOT_FOUND"),
        (await derive(tenant, {"a.txt": b"a", "b.txt": b"b"}), "FILE_NOT_FOUND"),
        (await tenant.upload(world_file(make_world())[:-10], "cut.ply"), "INVALID_WORLD_FILE"),
        (await tenant.upload(b"hello", "notes.txt"), "UNKNOWN_WORLD_FORMAT"),
        (await tenant.upload(gzip.compress(spz_header), "bomb.spz"), "WORLD_FILE_TOO_LARGE"),
        (await tenant.upload(world_file(make_triangle(), "glb"), "mesh.glb"), "WORLD_NOT_EDITABLE"),
        (await tenant.upload(world_file(make_world(0)), "nothing.ply"), "WORLD_NOT_EDITABLE"),
    ):
        (await ask(tenant, CREATE, parent=tenant.name, edit_stack={"base_world": world})).fails(reason)


@covers(CREATE, "WORLD_TOO_LARGE_TO_EDIT")
@covers(SELECT, "WORLD_TOO_LARGE_TO_EDIT")
@covers(READ, "WORLD_TOO_LARGE_TO_EDIT")
@covers(APPLY, "WORLD_TOO_LARGE_TO_EDIT")
@covers(DIFF, "WORLD_TOO_LARGE_TO_EDIT")
async def test_a_world_that_takes_too_much_memory_is_refused(house: House, tenant: Tenant) -> None:
    stack = await a_stack(tenant)
    async with house.serve("editing", {"KEPT_BYTES": "1000"}) as small:
        for method, fields in _needing_the_world(stack):
            answer = await ask(tenant, method, client=small.client, **fields)
            assert "MiB" in answer.fails("WORLD_TOO_LARGE_TO_EDIT").message
        answer = await ask(
            tenant, CREATE, client=small.client, parent=tenant.name, edit_stack={"base_world": stack.base_world}
        )
        answer.fails("WORLD_TOO_LARGE_TO_EDIT")


def _needing_the_world(stack: edit_stack_pb2.EditStack) -> list[tuple[str, dict[str, Any]]]:
    return [
        (SELECT, {"name": stack.name, "selection": RIGHT_HALF}),
        (READ, {"name": stack.name}),
        (APPLY, {"name": stack.name, "etag": stack.etag, "operation": TAKE_AWAY, "selection": RIGHT_HALF}),
        (DIFF, {"name": stack.name}),
    ]


_LOST = ("FILE_NOT_FOUND", "INVALID_WORLD_FILE", "UNKNOWN_WORLD_FORMAT", "WORLD_FILE_TOO_LARGE", "WORLD_NOT_EDITABLE")


@covers(SELECT, *_LOST)
@covers(READ, *_LOST)
@covers(APPLY, *_LOST)
@covers(DIFF, *_LOST)
async def test_a_stack_whose_world_went_bad_says_so(house: House, tenant: Tenant) -> None:
    """Files of a version never change; a row that names another version stands for bytes that did."""
    spz_header = b"NGSP" + (3).to_bytes(4, "little") + (30_000_000).to_bytes(4, "little") + bytes(4)
    for reason, world in (
        ("FILE_NOT_FOUND", await derive(tenant, {"a.txt": b"a", "b.txt": b"b"})),
        ("INVALID_WORLD_FILE", await tenant.upload(world_file(make_world())[:-10], "cut.ply")),
        ("UNKNOWN_WORLD_FORMAT", await tenant.upload(b"hello", "notes.txt")),
        ("WORLD_FILE_TOO_LARGE", await tenant.upload(gzip.compress(spz_header), "bomb.spz")),
        ("WORLD_NOT_EDITABLE", await tenant.upload(world_file(make_triangle(), "glb"), "mesh.glb")),
    ):
        stack = await a_stack(tenant)
        async with house.served("editing").app.database.transaction() as connection:
            await connection.execute(
                "UPDATE editing.edit_stack SET base_world = %s WHERE stack_id = %s",
                [world, stack.name.rpartition("/")[2]],
            )
        for method, fields in _needing_the_world(stack):
            (await ask(tenant, method, **fields)).fails(reason)


@covers(LIST)
@covers(LIST, "INVALID_PAGE_TOKEN")
async def test_stacks_are_listed_newest_first_in_pages(tenant: Tenant) -> None:
    world = await a_world(tenant)
    made = [await a_stack(tenant, world) for _ in range(3)]
    await apply(tenant, made[0], TAKE_AWAY, RIGHT_HALF)
    first = (await ask(tenant, LIST, parent=tenant.name, page_size=2)).message
    rest = (await ask(tenant, LIST, parent=tenant.name, page_size=2, page_token=first.next_page_token)).message
    assert [stack.name for stack in (*first.edit_stacks, *rest.edit_stacks)] == [stack.name for stack in made[::-1]]
    assert not rest.next_page_token
    assert rest.edit_stacks[0].edit_count == 1
    assert not rest.edit_stacks[0].edits
    (await ask(tenant, LIST, parent=tenant.name, page_token="nonsense")).fails("INVALID_PAGE_TOKEN")


@covers(SELECT)
async def test_a_selection_is_told_as_a_mask_with_its_bounds(tenant: Tenant) -> None:
    stack = await a_stack(tenant)
    found = (await ask(tenant, SELECT, name=stack.name, selection=RIGHT_HALF)).message
    expected = make_world(COUNT).means_m[:, 0] >= 0
    np.testing.assert_array_equal(bits(found.mask), expected)
    assert found.selected_count == expected.sum()
    assert (found.gaussian_count, found.row_count, found.edit_id) == (COUNT, COUNT, "")
    assert found.bounds.min.x >= 0
    nothing = (await ask(tenant, SELECT, name=stack.name, selection=NOTHING)).message
    assert nothing.selected_count == 0
    assert not nothing.HasField("bounds")


@covers(SELECT, "INVALID_SELECTION")
@covers(APPLY, "INVALID_SELECTION")
async def test_hostile_selections_are_refused(tenant: Tenant) -> None:
    stack = await a_stack(tenant)
    deep = RIGHT_HALF
    for _ in range(20):
        deep = _Selection(combined={"method": "METHOD_UNION", "parts": [deep]})
    camera = {"width_px": 8, "height_px": 8, "focal_x_px": 9, "focal_y_px": 9, "rotation": {}, "position": {}}
    for selection in (
        deep,
        _Selection(combined={"method": "METHOD_UNION", "parts": [RIGHT_HALF] * 64}),
        _Selection(box={"center": {"x": float("nan")}, "size": {"x": 1, "y": 1, "z": 1}}),
        _Selection(box={"center": {"x": 1e30}, "size": {"x": 1, "y": 1, "z": 1}}),
        _Selection(box={"center": {}, "size": {"x": 1, "y": -1, "z": 1}}),
        _Selection(sphere={"center": {"z": float("inf")}, "radius_m": 1}),
        _Selection(brush={"camera": camera, "points": [{"x_px": 1}], "radius_px": 1}),
        _Selection(connected={"gap_m": 1e-12, "largest": True}),
    ):
        (await ask(tenant, SELECT, name=stack.name, selection=selection)).fails("INVALID_SELECTION")
        fields = {"etag": stack.etag, "operation": TAKE_AWAY, "selection": selection}
        (await ask(tenant, APPLY, name=stack.name, **fields)).fails("INVALID_SELECTION")


@covers(READ)
async def test_rows_are_read_in_parts_and_dead_ones_cannot_be_seen(tenant: Tenant) -> None:
    stack = await a_stack(tenant)
    edit = (await apply(tenant, stack, TAKE_AWAY, RIGHT_HALF)).edit
    first = (await ask(tenant, READ, name=stack.name, row_count=300)).message
    second = (await ask(tenant, READ, name=stack.name, start_row=first.next_row)).message
    assert (first.next_row, second.next_row, second.row_count) == (300, 0, COUNT)
    assert first.edit_id == edit.id
    rows = np.frombuffer(first.rows + second.rows, np.uint8).reshape(COUNT, 32)
    world = make_world(COUNT)
    np.testing.assert_array_equal(rows[:, :12].copy().view("<f4"), world.means_m)
    np.testing.assert_array_equal(rows[:, 27] == 0, world.means_m[:, 0] >= 0)


@covers(APPLY)
@covers(APPLY, "REQUEST_ID_REUSED")
async def test_an_edit_that_is_asked_for_again_is_done_once_and_told_the_same(tenant: Tenant) -> None:
    stack, request_id = await a_stack(tenant), str(uuid.uuid4())
    asked: dict[str, Any] = {
        "etag": stack.etag,
        "operation": TAKE_AWAY,
        "selection": RIGHT_HALF,
        "request_id": request_id,
    }
    both = await asyncio.gather(*(ask(tenant, APPLY, name=stack.name, **asked) for _ in range(2)))
    first, second = (answer.message for answer in both)
    assert first == second
    stack.etag = first.etag
    later = await apply(tenant, stack, _Operation(transform={"translation": {"x": 1}}))
    third = (await ask(tenant, APPLY, name=stack.name, **asked)).message
    assert third.edit == first.edit
    assert third.removed_mask == first.removed_mask
    assert third.etag == later.etag, "what the stack is now"
    read = (await ask(tenant, GET, name=stack.name)).message
    assert [edit.id for edit in read.edits] == [first.edit.id, later.edit.id]
    other = {**asked, "selection": NOTHING}
    (await ask(tenant, APPLY, name=stack.name, **other)).fails("REQUEST_ID_REUSED")


@covers(APPLY)
async def test_an_edit_says_what_it_did_and_that_nothing_else_changed(tenant: Tenant) -> None:
    stack = await a_stack(tenant)
    done_ = await apply(tenant, stack, TAKE_AWAY, RIGHT_HALF)
    edit, is_right = done_.edit, make_world(COUNT).means_m[:, 0] >= 0
    np.testing.assert_array_equal(bits(done_.removed_mask), is_right)
    assert not done_.changed_mask
    assert (edit.selected_count, edit.removed_count, edit.gaussian_count) == (
        is_right.sum(),
        is_right.sum(),
        COUNT - is_right.sum(),
    )
    assert edit.summary.startswith("deleted")
    assert edit.consistency.is_consistent
    assert edit.consistency.max_difference == 0
    assert edit.consistency.compared_share > 0
    assert edit.creator == tenant.subject
    moving = _Operation(duplicate={"transform": {"translation": {"y": 2}}})
    copied = await apply(tenant, stack, moving)
    assert copied.first_added_row == COUNT
    assert copied.edit.row_count == COUNT + copied.edit.added_count
    recolored = await apply(tenant, stack, _Operation(recolor={"target": {"red": 1, "green": 0, "blue": 0}}))
    assert recolored.edit.changed_count == recolored.edit.gaussian_count
    read = (await ask(tenant, GET, name=stack.name)).message
    assert [item.summary for item in read.edits] == [
        edit.summary,
        copied.edit.summary,
        recolored.edit.summary,
    ]
    assert read.edits[0].selection == RIGHT_HALF


@covers(APPLY)
async def test_what_is_put_in_is_there_and_can_be_a_mesh(tenant: Tenant) -> None:
    stack = await a_stack(tenant)
    other = await a_world(tenant, make_world(50, seed=3))
    latest = f"{other.rpartition('/versions/')[0]}/versions/latest"
    put = await apply(tenant, stack, _Operation(insert={"source": {"asset_version": latest}}))
    assert put.edit.added_count == 50
    assert put.edit.operation.insert.source.asset_version == other, "the number of the version is written down"
    mesh = await tenant.upload(world_file(make_triangle(), "glb"), "mesh.glb")
    insert = {"source": {"asset_version": mesh}, "mesh_gaussian_count": 70, "transform": {"translation": {"x": 3}}}
    assert (await apply(tenant, stack, _Operation(insert=insert))).edit.added_count == 70


@covers(APPLY, "EMPTY_SELECTION", "INVALID_EDIT", "GROUND_NOT_FOUND", "HOLE_NOT_FOUND", "ETAG_MISMATCH")
async def test_what_cannot_be_done_is_said_and_leaves_the_stack_as_it_was(tenant: Tenant) -> None:
    stack = await a_stack(tenant)
    nan, one = float("nan"), {"red": 1, "green": 1, "blue": 1}
    for operation, selection, reason in (
        (TAKE_AWAY, NOTHING, "EMPTY_SELECTION"),
        (_Operation(transform={"translation": {"x": nan}}), None, "INVALID_EDIT"),
        (_Operation(transform={"translation": {"x": 1e30}}), None, "INVALID_EDIT"),
        (_Operation(transform={"rotation": {}}), None, "INVALID_EDIT"),
        (_Operation(relight={"direction": {}, "color": one}), None, "INVALID_EDIT"),
        (_Operation(level_ground={"tolerance_m": 1e-6}), None, "GROUND_NOT_FOUND"),
        (_Operation(fill_hole={}), RIGHT_HALF, "HOLE_NOT_FOUND"),
    ):
        fields = {"name": stack.name, "etag": stack.etag, "operation": operation, "selection": selection}
        (await ask(tenant, APPLY, **fields)).fails(reason)
    fields = {"name": stack.name, "etag": '"7"', "operation": TAKE_AWAY, "selection": RIGHT_HALF}
    (await ask(tenant, APPLY, **fields)).fails("ETAG_MISMATCH")
    assert (await ask(tenant, GET, name=stack.name)).message == stack


@covers(APPLY, "ETAG_MISMATCH")
async def test_of_two_edits_at_once_one_is_done_and_the_other_is_told(tenant: Tenant) -> None:
    stack = await a_stack(tenant)
    fields = {"name": stack.name, "etag": stack.etag, "operation": TAKE_AWAY, "selection": RIGHT_HALF}
    answers = await asyncio.gather(*(ask(tenant, APPLY, **fields) for _ in range(3)))
    assert sorted(answer.outcome for answer in answers) == ["ETAG_MISMATCH", "ETAG_MISMATCH", "OK"]
    assert (await ask(tenant, GET, name=stack.name)).message.edit_count == 1


@covers(UNDO)
@covers(REDO)
@covers(UNDO, "NOTHING_TO_UNDO", "ETAG_MISMATCH")
@covers(REDO, "NOTHING_TO_REDO", "ETAG_MISMATCH")
async def test_edits_are_taken_back_and_done_anew(tenant: Tenant) -> None:
    stack = await a_stack(tenant)
    edit = (await apply(tenant, stack, TAKE_AWAY, RIGHT_HALF)).edit
    undone = (await ask(tenant, UNDO, name=stack.name, etag=stack.etag)).message
    assert (undone.branches[0].head_id, undone.branches[0].tip_id) == ("", edit.id)
    whole = (await ask(tenant, SELECT, name=stack.name, selection=_Selection(everything={}))).message
    assert whole.selected_count == COUNT
    (await ask(tenant, UNDO, name=stack.name, etag=undone.etag)).fails("NOTHING_TO_UNDO")
    (await ask(tenant, UNDO, name=stack.name, etag=stack.etag)).fails("ETAG_MISMATCH")
    redone = (await ask(tenant, REDO, name=stack.name, etag=undone.etag)).message
    assert redone.branches[0].head_id == edit.id
    (await ask(tenant, REDO, name=stack.name, etag=redone.etag)).fails("NOTHING_TO_REDO")
    (await ask(tenant, REDO, name=stack.name, etag=stack.etag)).fails("ETAG_MISMATCH")


@covers(BRANCH)
@covers(SWITCH)
@covers(BRANCH, "BRANCH_EXISTS", "EDIT_NOT_FOUND", "ETAG_MISMATCH")
@covers(SWITCH, "BRANCH_NOT_FOUND", "ETAG_MISMATCH")
@covers(DIFF)
async def test_branches_part_and_can_be_compared(tenant: Tenant) -> None:
    stack = await a_stack(tenant)
    first = (await apply(tenant, stack, TAKE_AWAY, RIGHT_HALF)).edit
    left = (await apply(tenant, stack, _Operation(transform={"translation": {"y": 1}}))).edit
    fields = {"name": stack.name, "branch": "other", "edit_id": first.id}
    (await ask(tenant, BRANCH, etag='"1"', **fields)).fails("ETAG_MISMATCH")
    branched = (await ask(tenant, BRANCH, etag=stack.etag, **fields)).message
    assert branched.current_branch == "other"
    (await ask(tenant, BRANCH, etag=branched.etag, **fields)).fails("BRANCH_EXISTS")
    fields = {"name": stack.name, "branch": "third", "edit_id": "nothing"}
    (await ask(tenant, BRANCH, etag=branched.etag, **fields)).fails("EDIT_NOT_FOUND")
    stack.etag = branched.etag
    blue = _Operation(recolor={"target": {"red": 0, "green": 0, "blue": 1}})
    right = (await apply(tenant, stack, blue)).edit

    found = (await ask(tenant, DIFF, name=stack.name, from_edit_id=left.id, to_edit_id=right.id)).message
    assert found.common_edit_id == first.id
    assert (list(found.from_edit_ids), list(found.to_edit_ids)) == ([left.id], [right.id])
    assert found.changed_count == found.moved_count == found.recolored_count == first.gaussian_count
    assert (found.added_count, found.removed_count) == (0, 0)
    all_of_it = (await ask(tenant, DIFF, name=stack.name)).message
    assert all_of_it.removed_count == first.removed_count
    assert all_of_it.from_gaussian_count == COUNT

    back = (await ask(tenant, SWITCH, name=stack.name, etag=stack.etag, branch="main")).message
    assert back.current_branch == "main"
    (await ask(tenant, SWITCH, name=stack.name, etag=back.etag, branch="nowhere")).fails("BRANCH_NOT_FOUND")
    (await ask(tenant, SWITCH, name=stack.name, etag=stack.etag, branch="main")).fails("ETAG_MISMATCH")


@covers(APPLY, "STACK_FULL")
@covers(BRANCH, "STACK_FULL")
async def test_a_stack_does_not_grow_without_end(house: House, tenant: Tenant) -> None:
    stack = await a_stack(tenant)
    for number in range(49):
        fields = {"name": stack.name, "etag": stack.etag, "branch": f"b{number}"}
        stack = (await ask(tenant, BRANCH, **fields)).message
    (await ask(tenant, BRANCH, name=stack.name, etag=stack.etag, branch="last")).fails("STACK_FULL")
    async with house.served("editing").app.database.transaction() as connection:
        await connection.execute(
            "UPDATE editing.edit_stack SET request_bytes = 64 << 20 WHERE stack_id = %s",
            [stack.name.rpartition("/")[2]],
        )
    fields = {"name": stack.name, "etag": stack.etag, "operation": TAKE_AWAY, "selection": RIGHT_HALF}
    (await ask(tenant, APPLY, **fields)).fails("STACK_FULL")


@covers(SELECT, "EDIT_NOT_FOUND")
@covers(READ, "EDIT_NOT_FOUND")
@covers(DIFF, "EDIT_NOT_FOUND")
@covers(SAVE, "EDIT_NOT_FOUND")
async def test_an_edit_that_is_not_there_is_not_found(tenant: Tenant) -> None:
    stack = await a_stack(tenant)
    (await ask(tenant, SELECT, name=stack.name, selection=RIGHT_HALF, edit_id="x")).fails("EDIT_NOT_FOUND")
    (await ask(tenant, READ, name=stack.name, edit_id="x")).fails("EDIT_NOT_FOUND")
    (await ask(tenant, DIFF, name=stack.name, to_edit_id="x")).fails("EDIT_NOT_FOUND")
    (await ask(tenant, SAVE, name=stack.name, edit_id="x")).fails("EDIT_NOT_FOUND")


@covers(DELETE)
@covers(DELETE, "RESOURCE_NOT_FOUND", "ETAG_MISMATCH")
@covers(GET, "RESOURCE_NOT_FOUND")
@covers(SELECT, "RESOURCE_NOT_FOUND")
@covers(READ, "RESOURCE_NOT_FOUND")
@covers(APPLY, "RESOURCE_NOT_FOUND")
@covers(UNDO, "RESOURCE_NOT_FOUND")
@covers(REDO, "RESOURCE_NOT_FOUND")
@covers(BRANCH, "RESOURCE_NOT_FOUND")
@covers(SWITCH, "RESOURCE_NOT_FOUND")
@covers(DIFF, "RESOURCE_NOT_FOUND")
@covers(SAVE, "RESOURCE_NOT_FOUND")
async def test_a_stack_that_was_deleted_is_gone(tenant: Tenant) -> None:
    stack = await a_stack(tenant)
    await apply(tenant, stack, TAKE_AWAY, RIGHT_HALF)
    (await ask(tenant, DELETE, name=stack.name, etag='"1"')).fails("ETAG_MISMATCH")
    await ask(tenant, DELETE, name=stack.name, etag=stack.etag)
    etag = {"etag": '"1"'}
    for method, fields in (
        (GET, {}),
        (DELETE, {}),
        (SELECT, {"selection": RIGHT_HALF}),
        (READ, {}),
        (APPLY, {**etag, "operation": TAKE_AWAY}),
        (UNDO, etag),
        (REDO, etag),
        (BRANCH, {**etag, "branch": "other"}),
        (SWITCH, {**etag, "branch": "main"}),
        (DIFF, {}),
        (SAVE, {}),
    ):
        (await ask(tenant, method, name=stack.name, **fields)).fails("RESOURCE_NOT_FOUND")


@covers(CREATE, "QUEUE_FULL")
@covers(SELECT, "QUEUE_FULL")
@covers(READ, "QUEUE_FULL")
@covers(APPLY, "QUEUE_FULL")
@covers(DIFF, "QUEUE_FULL")
async def test_too_many_at_once_are_refused(house: House, tenant: Tenant) -> None:
    stack = await a_stack(tenant)
    async with house.serve("editing", {"MAX_EDITS": "1"}) as small:
        new = {"parent": tenant.name, "edit_stack": {"base_world": stack.base_world}}
        for method, fields in (*_needing_the_world(stack), (CREATE, new)):
            seen = set[str]()
            for _ in range(20):  # whether two of them meet is chance; a few tries always see it
                answers = await asyncio.gather(*(ask(tenant, method, client=small.client, **fields) for _ in range(6)))
                seen |= {answer.outcome for answer in answers}
                if "QUEUE_FULL" in seen:
                    break
            assert "QUEUE_FULL" in seen, method


@covers(APPLY, "KERNELS_MISSING")
async def test_without_kernels_nothing_is_changed_since_nothing_could_be_checked(
    house: House, tenant: Tenant, tmp_path: Path
) -> None:
    stack = await a_stack(tenant)
    async with house.serve("editing", {"KERNELS_FOLDER": str(tmp_path)}) as bare:
        fields = {"name": stack.name, "etag": stack.etag, "operation": TAKE_AWAY, "selection": RIGHT_HALF}
        (await ask(tenant, APPLY, client=bare.client, **fields)).fails("KERNELS_MISSING")
        found = await ask(tenant, SELECT, client=bare.client, name=stack.name, selection=RIGHT_HALF)
        assert found.message.selected_count


@covers(SAVE)
@covers(SAVE, "REQUEST_ID_REUSED")
async def test_a_world_is_saved_once_however_often_it_is_asked_for(tenant: Tenant) -> None:
    description = b'{"background_rgb": [0.1, 0.2, 0.3], "has_scale": true}'
    other = await a_world(tenant, make_world(50, seed=3))
    stack = await a_stack(tenant, await a_world(tenant, **{"world.json": description}))
    edit = (await apply(tenant, stack, TAKE_AWAY, RIGHT_HALF)).edit
    await apply(tenant, stack, _Operation(insert={"source": {"asset_version": other}}))
    request_id = str(uuid.uuid4())
    first = (await ask(tenant, SAVE, name=stack.name, request_id=request_id)).message
    await apply(tenant, stack, TAKE_AWAY, RIGHT_HALF)
    again = (await ask(tenant, SAVE, name=stack.name, request_id=request_id)).message
    assert again.name == first.name, "the branch has moved on; the request is the same"
    changed = await ask(tenant, SAVE, name=stack.name, edit_id="base", request_id=request_id)
    changed.fails("REQUEST_ID_REUSED")
    async with tenant.house.work("editing"):
        saved = await done(tenant, first.name, edit_service_pb2.SaveWorldResponse())
        only_cut = (await ask(tenant, SAVE, name=stack.name, edit_id=edit.id)).message
        twin = (await ask(tenant, SAVE, name=stack.name, edit_id=edit.id)).message
        cut = await done(tenant, only_cut.name, edit_service_pb2.SaveWorldResponse())
        cut_again = await done(tenant, twin.name, edit_service_pb2.SaveWorldResponse())
    assert saved.gaussian_count == edit.gaussian_count + 50
    assert (cut.edit_id, cut.gaussian_count) == (edit.id, edit.gaussian_count)
    ply = await stored_file(tenant, cut.asset_version, "world.ply")
    assert ply == await stored_file(tenant, cut_again.asset_version, "world.ply"), "the same stack gives the same bytes"
    world = read_world_file(ply).content
    assert isinstance(world, GaussianWorld)
    expected = make_world(COUNT)
    np.testing.assert_array_equal(world.means_m, expected.means_m[expected.means_m[:, 0] < 0])
    described = json.loads(await stored_file(tenant, saved.asset_version, "world.json"))
    assert described["base_world"] == stack.base_world
    assert described["background_rgb"] == [0.1, 0.2, 0.3]
    assert described["edits"][0] == edit.summary
    assert json.loads(await stored_file(tenant, saved.asset_version, "cameras.json"))[0]["width_px"] == 64
    assert (await stored_file(tenant, saved.asset_version, "thumbnail.png")).startswith(b"\x89PNG")
    assert read_world_file(await stored_file(tenant, saved.asset_version, "world.spz")).content is not None
    made = await tenant.house.ask(
        "AssetService.GetAssetVersion",
        asset_service_pb2.GetAssetVersionRequest(name=saved.asset_version),
        token=tenant.token,
    )
    assert set(made.message.sources) == {stack.base_world, other}


@covers(APPLY)
async def test_a_brush_paints_what_is_in_front(tenant: Tenant) -> None:
    world = make_world(2)
    means = np.array([[0, 0, 0.5], [0, 0, -0.5]], np.float32)
    stack = await a_stack(tenant, await a_world(tenant, replace(world, means_m=means)))
    camera = geometry_pb2.PinholeCamera(
        width_px=64, height_px=48, focal_x_px=60, focal_y_px=60, centre_x_px=32, centre_y_px=24
    )
    camera.rotation.x, camera.position.z = 1.0, 3.0  # in front, looking back
    for through, expected in ((False, [True, False]), (True, [True, True])):
        brush = {"camera": camera, "points": [{"x_px": 32, "y_px": 24}], "radius_px": 4, "through": through}
        found = (await ask(tenant, SELECT, name=stack.name, selection=_Selection(brush=brush))).message
        assert bits(found.mask, 2).tolist() == expected
    brush = {"camera": camera, "points": [{"x_px": 32, "y_px": 24}], "radius_px": 4}
    assert (await apply(tenant, stack, TAKE_AWAY, _Selection(brush=brush))).edit.removed_count == 1


REDDER = _Operation(recolor={"target": {"red": 0.9, "green": 0.1}, "strength": 0.3})
EAGER, NEVER = {"SNAPSHOT_AFTER_S": "0"}, {"SNAPSHOT_BYTES": "0"}
_LONG_COUNT = 9


async def snapshots_of(tenant: Tenant, world: str) -> list[str]:
    """The keys of a world's snapshots."""
    return [key async for key in tenant.house.store.list(f"{world.partition('/versions/')[0]}/edits/")]


async def a_long_stack(tenant: Tenant, **files: bytes) -> edit_stack_pb2.EditStack:
    """Edits a world until there are snapshots; the service that did it has forgotten it."""
    world = await a_world(tenant, **files)
    async with tenant.house.serve("editing", EAGER) as eager:
        stack = await a_stack(tenant, world)
        for number in range(_LONG_COUNT):
            selection = _Selection(sphere={"center": {"x": 0.1 * number}, "radius_m": 1})
            fields = {"name": stack.name, "etag": stack.etag, "operation": REDDER, "selection": selection}
            stack.etag = (await ask(tenant, APPLY, client=eager.client, **fields)).message.etag
            await eager.app.snapshots.written()
    return stack


async def read_anew(tenant: Tenant, name: str, settings: dict[str, str]) -> tuple[bytes, int]:
    """What a service that remembers nothing says of a stack's rows, and how many edits it did for it."""
    async with tenant.house.serve("editing", settings) as fresh:
        states, done_count = fresh.app.states, 0
        read_request = states.read_request

        def count(request: bytes) -> Any:
            nonlocal done_count
            done_count += 1
            return read_request(request)

        states.read_request = count
        return (await ask(tenant, READ, client=fresh.client, name=name)).message.SerializeToString(), done_count


async def test_a_long_stack_is_opened_from_a_snapshot_and_is_the_same_bit_for_bit(tenant: Tenant) -> None:
    stack = await a_long_stack(tenant)
    assert 0 < len(await snapshots_of(tenant, stack.base_world)) <= 6
    (alone, alone_count), (helped, helped_count) = [
        await read_anew(tenant, stack.name, settings) for settings in (NEVER, {})
    ]
    assert helped == alone
    assert alone_count == _LONG_COUNT
    assert helped_count == 0, "the last edit has a snapshot"
    saved = []
    for settings in (NEVER, {}):
        operation = (await ask(tenant, SAVE, name=stack.name)).message.name
        async with tenant.house.work("editing", settings):
            version = (await done(tenant, operation, edit_service_pb2.SaveWorldResponse())).asset_version
        saved.append(
            [await stored_file(tenant, version, path) for path in ("world.ply", "thumbnail.png", "cameras.json")]
        )
    assert saved[0] == saved[1]


async def test_a_snapshot_that_is_not_whole_is_passed_over(tenant: Tenant) -> None:
    stack = await a_long_stack(tenant)
    (expected, _), store = await read_anew(tenant, stack.name, NEVER), tenant.house.store
    *_, last = await snapshots_of(tenant, stack.base_world)
    content = b"".join([piece async for piece in store.read(last)])
    await store.put(last, content[:-100] + bytes(100))
    found, count = await read_anew(tenant, stack.name, {})
    assert (found, count > 0) == (expected, True)
    for key in await snapshots_of(tenant, stack.base_world):
        await store.put(key, b"")
    assert await read_anew(tenant, stack.name, {}) == (expected, _LONG_COUNT)


async def test_snapshots_go_with_their_stack_and_with_their_world(tenant: Tenant) -> None:
    stack = await a_long_stack(tenant)
    await ask(tenant, DELETE, name=stack.name, etag=stack.etag)
    assert await snapshots_of(tenant, stack.base_world) == []
    other = await a_long_stack(tenant)
    assert await snapshots_of(tenant, other.base_world)
    asset = other.base_world.partition("/versions/")[0]
    await delete(tenant, asset)
    async with tenant.house.serve("editing") as fresh:  # it is not shown any more although the snapshot is there
        (await ask(tenant, READ, client=fresh.client, name=other.name)).fails("RESOURCE_NOT_FOUND")
    await purge(tenant, asset)
    assert await snapshots_of(tenant, other.base_world) == []


async def test_no_snapshot_holds_what_another_world_brought(tenant: Tenant) -> None:
    other = await a_world(tenant, make_world(50, seed=3))
    async with tenant.house.serve("editing", EAGER) as eager:
        stack = await a_stack(tenant)
        for operation in (_Operation(insert={"source": {"asset_version": other}}), REDDER):
            fields = {"name": stack.name, "etag": stack.etag, "operation": operation}
            stack.etag = (await ask(tenant, APPLY, client=eager.client, **fields)).message.etag
            await eager.app.snapshots.written()
    assert await snapshots_of(tenant, stack.base_world) == []
