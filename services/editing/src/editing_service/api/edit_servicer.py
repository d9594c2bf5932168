"""EditService: convert, call, convert."""

from __future__ import annotations

import grpc
from google.longrunning import operations_pb2
from google.protobuf import empty_pb2

from editing_service.api import convert
from editing_service.api.edit_convert import selection_from
from editing_service.api.ports import SaveStarter, StackKeeper, WorldEditor
from editing_service.core.stack import branched, redone, resolve, switched, undone
from praxiscope.editing.v1 import edit_service_pb2, edit_service_pb2_grpc, edit_stack_pb2
from praxiscope_common import names, paging
from praxiscope_common.jobs.operations import to_message

Context = grpc.aio.ServicerContext


class EditServicer(edit_service_pb2_grpc.EditServiceServicer):
    """Answers for edit stacks."""

    def __init__(self, stacks: StackKeeper, editor: WorldEditor, jobs: SaveStarter) -> None:
        """Uses the stacks, an editor of worlds, and a starter of jobs."""
        self._stacks, self._editor, self._jobs = stacks, editor, jobs

    async def CreateEditStack(
        self, request: edit_service_pb2.CreateEditStackRequest, context: Context
    ) -> edit_stack_pb2.EditStack:
        """Begins editing a world."""
        stack = await self._editor.create(
            names.PROJECT.parse(request.parent)[0],
            request.edit_stack.base_world,
            request.edit_stack.display_name,
            request_id=request.request_id,
            request_sha256=convert.request_digest(request),
        )
        return convert.stack_message(stack, [], edit_count=len(stack.parents))

    async def GetEditStack(
        self, request: edit_service_pb2.GetEditStackRequest, context: Context
    ) -> edit_stack_pb2.EditStack:
        """Reads one edit stack."""
        return convert.stack_message(*await self._stacks.find_with_edits(request.name))

    async def ListEditStacks(
        self, request: edit_service_pb2.ListEditStacksRequest, context: Context
    ) -> edit_service_pb2.ListEditStacksResponse:
        """Lists edit stacks, newest first."""
        question, limit = f"editStacks|{request.parent}", paging.page_size_of(request.page_size)
        before = paging.decode_page_token(request.page_token, question)
        found = await self._stacks.list(names.PROJECT.parse(request.parent)[0], limit=limit + 1, before=before)
        response = edit_service_pb2.ListEditStacksResponse(
            edit_stacks=[convert.stack_message(stack, [], edit_count=count) for stack, count in found[:limit]]
        )
        if len(found) > limit:
            last = found[limit - 1][0]
            response.next_page_token = paging.encode_page_token((last.create_time.isoformat(), last.stack_id), question)
        return response

    async def DeleteEditStack(
        self, request: edit_service_pb2.DeleteEditStackRequest, context: Context
    ) -> empty_pb2.Empty:
        """Forgets an edit stack."""
        await self._editor.delete(request.name, etag=request.etag)
        return empty_pb2.Empty()

    async def SelectGaussians(
        self, request: edit_service_pb2.SelectGaussiansRequest, context: Context
    ) -> edit_service_pb2.SelectGaussiansResponse:
        """Says what a selection holds."""
        selection = selection_from(request.selection)
        return convert.selected_message(await self._editor.select(request.name, selection, request.edit_id))

    async def ReadGaussians(
        self, request: edit_service_pb2.ReadGaussiansRequest, context: Context
    ) -> edit_service_pb2.ReadGaussiansResponse:
        """Reads rows as a page draws them."""
        read = await self._editor.read_rows(request.name, request.edit_id, request.start_row, request.row_count)
        return convert.rows_message(read)

    async def ApplyEdit(
        self, request: edit_service_pb2.ApplyEditRequest, context: Context
    ) -> edit_service_pb2.ApplyEditResponse:
        """Applies an edit."""
        applied = await self._editor.apply(request, request_sha256=convert.request_digest(request))
        return convert.applied_message(applied)

    async def UndoEdit(self, request: edit_service_pb2.UndoEditRequest, context: Context) -> edit_stack_pb2.EditStack:
        """Takes the last edit back."""
        return convert.stack_message(*await self._stacks.change(request.name, etag=request.etag, change=undone))

    async def RedoEdit(self, request: edit_service_pb2.RedoEditRequest, context: Context) -> edit_stack_pb2.EditStack:
        """Applies the edit that was taken back last anew."""
        return convert.stack_message(*await self._stacks.change(request.name, etag=request.etag, change=redone))

    async def CreateBranch(
        self, request: edit_service_pb2.CreateBranchRequest, context: Context
    ) -> edit_stack_pb2.EditStack:
        """Makes a branch and goes over to it."""
        changed = await self._stacks.change(
            request.name,
            etag=request.etag,
            change=lambda stack: branched(stack, request.branch, resolve(stack, request.edit_id)),
        )
        return convert.stack_message(*changed)

    async def SwitchBranch(
        self, request: edit_service_pb2.SwitchBranchRequest, context: Context
    ) -> edit_stack_pb2.EditStack:
        """Goes over to another branch."""
        changed = await self._stacks.change(
            request.name, etag=request.etag, change=lambda stack: switched(stack, request.branch)
        )
        return convert.stack_message(*changed)

    async def DiffEdits(
        self, request: edit_service_pb2.DiffEditsRequest, context: Context
    ) -> edit_service_pb2.DiffEditsResponse:
        """Says how the worlds after two edits differ."""
        return convert.compared_message(
            await self._editor.compare(request.name, request.from_edit_id, request.to_edit_id)
        )

    async def SaveWorld(self, request: edit_service_pb2.SaveWorldRequest, context: Context) -> operations_pb2.Operation:
        """Starts saving the world after an edit."""
        return to_message(await self._jobs.start(request))
