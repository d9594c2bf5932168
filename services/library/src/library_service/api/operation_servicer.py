"""OperationService, and google.longrunning.Operations for standard clients, over the same rows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import grpc
from google.longrunning import operations_pb2, operations_pb2_grpc
from google.protobuf import empty_pb2

from library_service.api.ports import OperationKeeper
from praxiscope.library.v1 import operation_service_pb2, operation_service_pb2_grpc
from praxiscope_common import names, paging
from praxiscope_common.identity import current_call
from praxiscope_common.jobs.operations import to_message

_DEFAULT_WAIT_S = 30.0
_MAX_WAIT_S = 300.0
_ANSWER_MARGIN_S = 0.5
Context = grpc.aio.ServicerContext


class OperationServicer(operation_service_pb2_grpc.OperationServiceServicer):
    """Answers for operations."""

    def __init__(self, operations: OperationKeeper) -> None:
        """Uses the operations."""
        self._operations = operations

    async def GetOperation(
        self, request: operation_service_pb2.GetOperationRequest, context: Context
    ) -> operations_pb2.Operation:
        """Reads one operation."""
        return to_message(await self._operations.find(request.name))

    async def ListOperations(
        self, request: operation_service_pb2.ListOperationsRequest, context: Context
    ) -> operation_service_pb2.ListOperationsResponse:
        """Lists operations, newest first."""
        found, token = await _page(
            self._operations, request.parent, request.page_size, request.page_token, only_running=request.only_running
        )
        return operation_service_pb2.ListOperationsResponse(operations=found, next_page_token=token)

    async def WaitOperation(
        self, request: operation_service_pb2.WaitOperationRequest, context: Context
    ) -> operations_pb2.Operation:
        """Answers when the operation is done or the time is over."""
        timeout_s = request.timeout.ToNanoseconds() / 1e9 if request.HasField("timeout") else _DEFAULT_WAIT_S
        return to_message(await self._operations.wait(request.name, _within_deadline(timeout_s)))

    async def WatchOperation(
        self, request: operation_service_pb2.WatchOperationRequest, context: Context
    ) -> AsyncIterator[operations_pb2.Operation]:
        """Sends the operation whenever it changes."""
        async for operation in self._operations.watch(request.name):
            yield to_message(operation)

    async def CancelOperation(
        self, request: operation_service_pb2.CancelOperationRequest, context: Context
    ) -> operations_pb2.Operation:
        """Asks for an operation's end."""
        return to_message(await self._operations.cancel(request.name))

    async def RetryOperation(
        self, request: operation_service_pb2.RetryOperationRequest, context: Context
    ) -> operations_pb2.Operation:
        """Puts a failed operation back into its queue."""
        return to_message(await self._operations.retry(request.name))

    async def DeleteOperation(
        self, request: operation_service_pb2.DeleteOperationRequest, context: Context
    ) -> empty_pb2.Empty:
        """Forgets an operation."""
        await self._operations.delete(request.name)
        return empty_pb2.Empty()


class StandardOperationsServicer(operations_pb2_grpc.OperationsServicer):
    """google.longrunning.Operations, gRPC only."""

    def __init__(self, operations: OperationKeeper) -> None:
        """Uses the operations."""
        self._operations = operations

    async def GetOperation(
        self, request: operations_pb2.GetOperationRequest, context: Context
    ) -> operations_pb2.Operation:
        """Reads one operation."""
        return to_message(await self._operations.find(request.name))

    async def ListOperations(
        self, request: operations_pb2.ListOperationsRequest, context: Context
    ) -> operations_pb2.ListOperationsResponse:
        """Lists operations of the project in `name`."""
        found, token = await _page(self._operations, request.name, request.page_size, request.page_token)
        return operations_pb2.ListOperationsResponse(operations=found, next_page_token=token)

    async def WaitOperation(
        self, request: operations_pb2.WaitOperationRequest, context: Context
    ) -> operations_pb2.Operation:
        """Answers when the operation is done or the time is over."""
        timeout_s = min(_MAX_WAIT_S, request.timeout.ToNanoseconds() / 1e9 or _DEFAULT_WAIT_S)
        return to_message(await self._operations.wait(request.name, _within_deadline(timeout_s)))

    async def CancelOperation(
        self, request: operations_pb2.CancelOperationRequest, context: Context
    ) -> empty_pb2.Empty:
        """Asks for an operation's end."""
        await self._operations.cancel(request.name)
        return empty_pb2.Empty()

    async def DeleteOperation(
        self, request: operations_pb2.DeleteOperationRequest, context: Context
    ) -> empty_pb2.Empty:
        """Forgets an operation."""
        await self._operations.delete(request.name)
        return empty_pb2.Empty()


async def _page(
    operations: OperationKeeper, parent: str, page_size: int, page_token: str, *, only_running: bool = False
) -> tuple[list[operations_pb2.Operation], str]:
    question = f"operations|{parent}|{only_running}"
    limit = paging.page_size_of(page_size)
    position = paging.decode_page_token(page_token, question)
    found = await operations.list(
        names.PROJECT.parse(parent)[0],
        limit=limit + 1,
        before=(position[0], position[1]) if position else None,
        only_running=only_running,
    )
    token = ""
    if len(found) > limit:
        last = found[limit - 1]
        token = paging.encode_page_token((last.create_time.isoformat(), last.operation_id), question)
    return [to_message(item) for item in found[:limit]], token


def _within_deadline(timeout_s: float) -> float:
    """Returns a wait that ends before the call's deadline, so that the answer still arrives."""
    deadline_s = current_call().deadline_s
    if deadline_s is None:
        return timeout_s
    return max(0.0, min(timeout_s, deadline_s - asyncio.get_running_loop().time() - _ANSWER_MARGIN_S))
