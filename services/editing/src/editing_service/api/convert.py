"""Stacks, edits and answers as messages."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from google.protobuf.message import Message

from editing_service.core.compare import Bounds
from editing_service.core.stack import Edit, EditStack
from editing_service.core.types import Applied, Compared, ReadRows, Selected
from praxiscope.editing.v1 import edit_service_pb2, edit_stack_pb2
from praxiscope.type.v1 import geometry_pb2
from praxiscope_common import names

# What is larger is not told again with its stack: five hundred masks are no answer.
_MAX_TOLD_BYTES = 2048


def request_digest(request: Message) -> bytes:
    """Returns what two requests share only if they ask for the same."""
    return hashlib.sha256(request.SerializeToString(deterministic=True)).digest()


def stack_message(
    stack: EditStack, edits: Sequence[Edit], *, edit_count: int | None = None
) -> edit_stack_pb2.EditStack:
    """Returns a stack's message.

    Args:
        stack: The stack.
        edits: Its edits; none in lists.
        edit_count: How many it has, where they are not given.
    """
    message = edit_stack_pb2.EditStack(
        name=names.EDIT_STACK.format(stack.project_id, stack.stack_id),
        base_world=stack.base_world,
        display_name=stack.display_name,
        base_gaussian_count=stack.base_count,
        branches=[
            edit_stack_pb2.Branch(name=branch.name, head_id=branch.head_id, tip_id=branch.tip_id)
            for branch in stack.branches.values()
        ],
        current_branch=stack.current_branch,
        edits=[edit_message(edit, is_short=True) for edit in edits],
        edit_count=len(edits) if edit_count is None else edit_count,
        etag=stack.etag,
        creator=stack.creator,
    )
    message.create_time.FromDatetime(stack.create_time)
    message.update_time.FromDatetime(stack.update_time)
    return message


def edit_message(edit: Edit, *, is_short: bool = False) -> edit_stack_pb2.Edit:
    """Returns an edit's message; a short one leaves out a selection that takes more than 2 KiB."""
    request = edit_service_pb2.ApplyEditRequest.FromString(edit.request)
    found = edit.consistency
    message = edit_stack_pb2.Edit(
        id=edit.edit_id,
        parent_id=edit.parent_id,
        operation=request.operation,
        summary=edit.summary,
        selected_count=edit.selected_count,
        changed_count=edit.changed_count,
        removed_count=edit.removed_count,
        added_count=edit.added_count,
        gaussian_count=edit.gaussian_count,
        row_count=edit.row_count,
        bounds=bounds_message(edit.bounds),
        consistency=edit_stack_pb2.ConsistencyReport(
            is_consistent=found.is_consistent,
            changed_outside_count=found.changed_outside_count,
            max_difference=found.max_difference,
            mean_difference=found.mean_difference,
            compared_share=found.compared_share,
            picture_count=found.picture_count,
            elapsed_ms=found.elapsed_ms,
        ),
        creator=edit.creator,
        elapsed_ms=edit.elapsed_ms,
    )
    if request.HasField("selection") and not (is_short and len(edit.request) > _MAX_TOLD_BYTES):
        message.selection.CopyFrom(request.selection)
    message.create_time.FromDatetime(edit.create_time)
    return message


def bounds_message(bounds: Bounds | None) -> edit_stack_pb2.Bounds | None:
    """Returns the message of bounds; None where there are none."""
    if bounds is None:
        return None
    return edit_stack_pb2.Bounds(min=_vector(bounds.min_m), max=_vector(bounds.max_m))


def selected_message(selected: Selected) -> edit_service_pb2.SelectGaussiansResponse:
    """Returns the message of what a selection holds."""
    return edit_service_pb2.SelectGaussiansResponse(
        selected_count=selected.count,
        gaussian_count=selected.gaussian_count,
        row_count=selected.row_count,
        mask=selected.bits,
        bounds=bounds_message(selected.bounds),
        edit_id=selected.edit_id,
    )


def rows_message(read: ReadRows) -> edit_service_pb2.ReadGaussiansResponse:
    """Returns the message of rows."""
    return edit_service_pb2.ReadGaussiansResponse(
        rows=read.rows, next_row=read.next_row, row_count=read.row_count, edit_id=read.edit_id
    )


def applied_message(applied: Applied) -> edit_service_pb2.ApplyEditResponse:
    """Returns the message of what an edit did."""
    return edit_service_pb2.ApplyEditResponse(
        edit=edit_message(applied.edit),
        etag=applied.etag,
        removed_mask=applied.removed_bits,
        changed_mask=applied.changed_bits,
        first_added_row=applied.first_added_row,
    )


def compared_message(compared: Compared) -> edit_service_pb2.DiffEditsResponse:
    """Returns the message of a comparison."""
    difference = compared.difference
    return edit_service_pb2.DiffEditsResponse(
        changed_count=difference.changed_count,
        removed_count=difference.removed_count,
        added_count=difference.added_count,
        moved_count=difference.moved_count,
        recolored_count=difference.recolored_count,
        bounds=bounds_message(difference.bounds),
        from_gaussian_count=compared.from_count,
        to_gaussian_count=compared.to_count,
        common_edit_id=compared.common_id,
        from_edit_ids=compared.from_ids,
        to_edit_ids=compared.to_ids,
    )


def _vector(values: np.ndarray) -> geometry_pb2.Vector3:
    x, y, z = values.tolist()
    return geometry_pb2.Vector3(x=x, y=y, z=z)
