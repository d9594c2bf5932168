"""Answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from editing_service.core.compare import Bounds, Difference
from editing_service.core.stack import Edit


@dataclass(frozen=True, kw_only=True, eq=False)
class Selected:
    """What a selection holds.

    Attributes:
        count: How many Gaussians.
        gaussian_count: How many there are.
        row_count: How many rows there are.
        bits: A bit for each row, the lowest of a byte first.
        bounds: Where they are; None where there are none.
        edit_id: The edit after which it was asked; empty for the base world.
    """

    count: int
    gaussian_count: int
    row_count: int
    bits: bytes
    bounds: Bounds | None
    edit_id: str


@dataclass(frozen=True, kw_only=True, eq=False)
class ReadRows:
    """Rows as a page draws them.

    Attributes:
        rows: 32 bytes each.
        next_row: The first behind them; 0 where there is none.
        row_count: How many there are.
        edit_id: The edit that was read; empty for the base world.
    """

    rows: bytes
    next_row: int
    row_count: int
    edit_id: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Applied:
    """What an edit did.

    Attributes:
        edit: The edit.
        etag: The stack's new etag.
        removed_bits: A bit for each row that was taken away; empty where none was.
        changed_bits: A bit for each row that was changed and is still there; empty where none was.
        first_added_row: The first that was added; 0 where none was.
    """

    edit: Edit
    etag: str
    removed_bits: bytes
    changed_bits: bytes
    first_added_row: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Compared:
    """How the worlds after two edits differ.

    Attributes:
        difference: In what.
        from_count: How many Gaussians the first has.
        to_count: How many the second has.
        common_id: The last edit that both go on from; empty for the base world.
        from_ids: The edits between it and the first.
        to_ids: The edits between it and the second.
    """

    difference: Difference
    from_count: int
    to_count: int
    common_id: str
    from_ids: Sequence[str]
    to_ids: Sequence[str]
