"""The client's calls for edit stacks."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf import json_format

from praxiscope.client._http import Transport
from praxiscope.client._profile import Profile
from praxiscope.editing.v1 import edit_service_pb2, edit_stack_pb2

# A stack whose edits are done again one by one, after a restart, takes longer than an edit.
_TIMEOUT_S = 120.0


class EditingCalls:
    """Part of `AsyncClient`.

    Attributes:
        profile: Where the platform is.
        transport: What calls it.
    """

    profile: Profile
    transport: Transport

    async def create_edit_stack(
        self, base_world: str, *, display_name: str = "", request_id: str = ""
    ) -> edit_stack_pb2.EditStack:
        """Begins editing a world, a version of an asset."""
        body = {
            "edit_stack": {"base_world": base_world, "display_name": display_name},
            "request_id": request_id or str(uuid.uuid4()),
        }
        path = f"/v1/{self.profile.project}/editStacks"
        return _stack(await self.transport.call("POST", path, body, is_repeatable=True, timeout_s=_TIMEOUT_S))

    async def edit_stack(self, name: str) -> edit_stack_pb2.EditStack:
        """Reads an edit stack with its edits."""
        return _stack(await self.transport.call("GET", f"/v1/{name}"))

    async def edit_stacks(self, *, page_size: int = 0, page_token: str = "") -> edit_service_pb2.ListEditStacksResponse:
        """Returns a page of edit stacks, newest first, without their edits."""
        query = {"page_size": page_size or None, "page_token": page_token}
        answer = await self.transport.call("GET", f"/v1/{self.profile.project}/editStacks", query=query)
        return _read(answer, edit_service_pb2.ListEditStacksResponse())

    async def delete_edit_stack(self, name: str, *, etag: str = "") -> None:
        """Forgets an edit stack; the worlds that were saved from it stay."""
        await self.transport.call("DELETE", f"/v1/{name}", query={"etag": etag})

    async def select_gaussians(
        self, stack: str, selection: Mapping[str, Any], *, edit_id: str = ""
    ) -> edit_service_pb2.SelectGaussiansResponse:
        """Says what a selection, as the contract's JSON, holds."""
        body = {"selection": selection, "edit_id": edit_id}
        answer = await self.transport.call(
            "POST", f"/v1/{stack}:select", body, is_repeatable=True, timeout_s=_TIMEOUT_S
        )
        return _read(answer, edit_service_pb2.SelectGaussiansResponse())

    async def read_gaussians(
        self, stack: str, *, edit_id: str = "", start_row: int = 0, row_count: int = 0
    ) -> edit_service_pb2.ReadGaussiansResponse:
        """Reads rows as a page draws them, 32 bytes each."""
        query = {"edit_id": edit_id, "start_row": start_row or None, "row_count": row_count or None}
        answer = await self.transport.call("GET", f"/v1/{stack}:readGaussians", query=query)
        return _read(answer, edit_service_pb2.ReadGaussiansResponse())

    async def apply_edit(
        self,
        stack: str,
        operation: Mapping[str, Any],
        *,
        etag: str,
        selection: Mapping[str, Any] | None = None,
        request_id: str = "",
    ) -> edit_service_pb2.ApplyEditResponse:
        """Applies an operation to a selection, both as the contract's JSON; without a selection, to everything.

        Raises:
            PraxiscopeError: `ETAG_MISMATCH` where somebody was faster; read the stack again.
        """
        body: dict[str, Any] = {
            "etag": etag,
            "operation": operation,
            "request_id": request_id or str(uuid.uuid4()),
        }
        if selection is not None:
            body["selection"] = selection
        answer = await self.transport.call("POST", f"/v1/{stack}:apply", body, is_repeatable=True, timeout_s=_TIMEOUT_S)
        return _read(answer, edit_service_pb2.ApplyEditResponse())

    async def undo_edit(self, stack: str, *, etag: str) -> edit_stack_pb2.EditStack:
        """Takes the last edit back."""
        return await self._move(stack, "undo", {"etag": etag})

    async def redo_edit(self, stack: str, *, etag: str) -> edit_stack_pb2.EditStack:
        """Applies the edit that was taken back last anew."""
        return await self._move(stack, "redo", {"etag": etag})

    async def create_branch(self, stack: str, branch: str, *, etag: str, edit_id: str = "") -> edit_stack_pb2.EditStack:
        """Makes a branch at an edit and goes over to it."""
        return await self._move(stack, "createBranch", {"etag": etag, "branch": branch, "edit_id": edit_id})

    async def switch_branch(self, stack: str, branch: str, *, etag: str) -> edit_stack_pb2.EditStack:
        """Goes over to another branch."""
        return await self._move(stack, "switchBranch", {"etag": etag, "branch": branch})

    async def diff_edits(
        self, stack: str, *, from_edit_id: str = "", to_edit_id: str = ""
    ) -> edit_service_pb2.DiffEditsResponse:
        """Says how the worlds after two edits differ."""
        query = {"from_edit_id": from_edit_id, "to_edit_id": to_edit_id}
        answer = await self.transport.call("GET", f"/v1/{stack}:diff", query=query)
        return _read(answer, edit_service_pb2.DiffEditsResponse())

    async def save_world(self, stack: str, *, edit_id: str = "", display_name: str = "", request_id: str = "") -> str:
        """Starts making a world of what an edit left, and returns its operation's name."""
        body = {
            "edit_id": edit_id,
            "display_name": display_name,
            "request_id": request_id or str(uuid.uuid4()),
        }
        return str((await self.transport.call("POST", f"/v1/{stack}:saveWorld", body, is_repeatable=True))["name"])

    async def _move(self, stack: str, verb: str, body: Mapping[str, Any]) -> edit_stack_pb2.EditStack:
        return _stack(await self.transport.call("POST", f"/v1/{stack}:{verb}", body, is_repeatable=False))


EDITING_RESPONSES: Sequence[type[Any]] = (edit_service_pb2.SaveWorldResponse,)


def _stack(document: Mapping[str, Any]) -> edit_stack_pb2.EditStack:
    return _read(document, edit_stack_pb2.EditStack())


def _read(document: Mapping[str, Any], message: Any) -> Any:  # noqa: ANN401  the message that was given
    """Returns a message; fields that a newer platform knows and we do not are passed over."""
    return json_format.ParseDict(dict(document), message, ignore_unknown_fields=True)
