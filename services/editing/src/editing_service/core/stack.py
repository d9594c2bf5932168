"""A stack of edits: a tree of what was done, branches that point into it, and the rules of moving along."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from editing_service.core.compare import Bounds
from editing_service.core.consistency import Consistency
from editing_service.core.errors import (
    BranchExistsError,
    BranchNotFoundError,
    EditNotFoundError,
    EtagMismatchError,
    NothingToRedoError,
    NothingToUndoError,
    StackFullError,
)

MAIN_BRANCH = "main"
BASE = "base"
MAX_EDITS = 500
MAX_BRANCHES = 50
# What all requests of a stack may take: masks can be large.
MAX_REQUEST_BYTES = 64 << 20


@dataclass(frozen=True, kw_only=True)
class Branch:
    """A line of edits.

    Attributes:
        name: Its name.
        head_id: The edit that is shown; empty for the base world.
        tip_id: The last edit; not the head where edits were undone.
    """

    name: str
    head_id: str = ""
    tip_id: str = ""


@dataclass(frozen=True, kw_only=True)
class EditStack:
    """A world and the branches of what was done to it.

    Attributes:
        project_id: Whose it is.
        stack_id: Its id.
        base_world: The world that is edited, a version with its number.
        base_count: How many Gaussians it has.
        display_name: Its name for people.
        branches: By name, in the order in which they were made.
        current_branch: The branch that edits go to.
        parents: The parent of each edit, in the order in which they were applied; empty for the base world.
        request_bytes: What the requests of all edits take.
        revision: Grows with every change.
        creator: Who made it.
        create_time: When it was made.
        update_time: When it last changed.
    """

    project_id: str
    stack_id: str
    base_world: str
    base_count: int
    display_name: str
    branches: Mapping[str, Branch]
    current_branch: str
    parents: Mapping[str, str]
    request_bytes: int
    revision: int
    creator: str
    create_time: datetime
    update_time: datetime

    @property
    def etag(self) -> str:
        """Changes with every change."""
        return f'"{self.revision}"'

    @property
    def current(self) -> Branch:
        """The branch that edits go to."""
        return self.branches[self.current_branch]


@dataclass(frozen=True, kw_only=True, eq=False)
class Edit:
    """One edit; it never changes.

    Attributes:
        edit_id: Its id.
        parent_id: The edit that it goes on from; empty for the base world.
        request: Selection and operation, as the contract serialises them.
        summary: What was done.
        selected_count: How many Gaussians were selected.
        changed_count: How many were changed and are still there.
        removed_count: How many were taken away.
        added_count: How many were added.
        gaussian_count: How many there are after it.
        row_count: How many rows there are after it.
        bounds: Where what was changed lies; None where nothing was.
        consistency: Whether anything else changed.
        elapsed_ms: Milliseconds that it took.
        creator: Who applied it.
        create_time: When.
        request_id: The caller's name for the call; empty where it gave none.
        request_sha256: What two calls share only if they ask for the same.
    """

    edit_id: str
    parent_id: str
    request: bytes
    summary: str
    selected_count: int
    changed_count: int
    removed_count: int
    added_count: int
    gaussian_count: int
    row_count: int
    bounds: Bounds | None
    consistency: Consistency
    elapsed_ms: float
    creator: str
    create_time: datetime
    request_id: str
    request_sha256: bytes


def check_etag(stack: EditStack, etag: str) -> None:
    """Refuses what was asked for another state of the stack.

    Raises:
        EtagMismatchError: The etag is not the stack's.
    """
    if etag != stack.etag:
        raise EtagMismatchError(metadata={"etag": etag, "current_etag": stack.etag})


def resolve(stack: EditStack, edit_id: str, *, default: str | None = None) -> str:
    """Returns the edit that a request means: empty for the base world.

    Args:
        stack: The stack.
        edit_id: What the request says; empty takes the default, `base` the base world.
        default: None: the current branch's head.

    Raises:
        EditNotFoundError: There is no such edit.
    """
    if not edit_id:
        return stack.current.head_id if default is None else default
    if edit_id == BASE:
        return ""
    if edit_id not in stack.parents:
        raise EditNotFoundError(metadata={"edit_id": edit_id})
    return edit_id


def line_of(stack: EditStack, edit_id: str) -> Sequence[str]:
    """Returns the edits from the base world to one, the oldest first, itself the last."""
    line: list[str] = []
    while edit_id:
        line.append(edit_id)
        edit_id = stack.parents[edit_id]
    return line[::-1]


def parting_of(stack: EditStack, first_id: str, second_id: str) -> tuple[str, Sequence[str], Sequence[str]]:
    """Returns the last edit that two go on from (empty for the base world), and what is between it and each."""
    first, second = line_of(stack, first_id), line_of(stack, second_id)
    shared = 0
    while shared < min(len(first), len(second)) and first[shared] == second[shared]:
        shared += 1
    return (first[shared - 1] if shared else ""), first[shared:], second[shared:]


def check_room(stack: EditStack, request_bytes: int) -> None:
    """Refuses an edit that the stack has no room for.

    Raises:
        StackFullError: It has none.
    """
    if len(stack.parents) >= MAX_EDITS or stack.request_bytes + request_bytes > MAX_REQUEST_BYTES:
        raise StackFullError(metadata={"edit_count": str(len(stack.parents)), "max_edit_count": str(MAX_EDITS)})


def pushed(stack: EditStack, edit: Edit) -> EditStack:
    """Returns the stack with an edit on top of its current branch."""
    branch = replace(stack.current, head_id=edit.edit_id, tip_id=edit.edit_id)
    return replace(
        stack,
        branches={**stack.branches, branch.name: branch},
        parents={**stack.parents, edit.edit_id: edit.parent_id},
        request_bytes=stack.request_bytes + len(edit.request),
    )


def undone(stack: EditStack) -> EditStack:
    """Returns the stack with its current branch one edit back.

    Raises:
        NothingToUndoError: It shows the base world.
    """
    branch = stack.current
    if not branch.head_id:
        raise NothingToUndoError(metadata={"branch": branch.name})
    return replace(
        stack, branches={**stack.branches, branch.name: replace(branch, head_id=stack.parents[branch.head_id])}
    )


def redone(stack: EditStack) -> EditStack:
    """Returns the stack with its current branch one edit further towards its tip.

    Raises:
        NothingToRedoError: It is there.
    """
    branch = stack.current
    if branch.head_id == branch.tip_id:
        raise NothingToRedoError(metadata={"branch": branch.name})
    line = line_of(stack, branch.tip_id)
    head_id = line[line.index(branch.head_id) + 1 if branch.head_id else 0]
    return replace(stack, branches={**stack.branches, branch.name: replace(branch, head_id=head_id)})


def branched(stack: EditStack, name: str, edit_id: str) -> EditStack:
    """Returns the stack with a new branch, which is the current one.

    Args:
        stack: The stack.
        name: The branch's name.
        edit_id: Where it begins; empty for the base world.

    Raises:
        BranchExistsError: There is one of this name.
        StackFullError: There are too many.
    """
    if name in stack.branches:
        raise BranchExistsError(metadata={"branch": name})
    if len(stack.branches) >= MAX_BRANCHES:
        raise StackFullError(
            f"The stack has {MAX_BRANCHES} branches, as many as one may; begin a new stack.",
            metadata={"branch_count": str(len(stack.branches))},
        )
    branch = Branch(name=name, head_id=edit_id, tip_id=edit_id)
    return replace(stack, branches={**stack.branches, name: branch}, current_branch=name)


def switched(stack: EditStack, name: str) -> EditStack:
    """Returns the stack with another branch as its current one.

    Raises:
        BranchNotFoundError: There is none of this name.
    """
    if name not in stack.branches:
        raise BranchNotFoundError(metadata={"branch": name})
    return replace(stack, current_branch=name)
