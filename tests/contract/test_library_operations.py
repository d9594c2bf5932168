"""Operations: read, listed, waited for, watched, cancelled, tried again, forgotten; and the standard surface of the same."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from google.longrunning import operations_pb2
from google.protobuf.wrappers_pb2 import StringValue

from library_service.adapters.operations import Operations
from praxiscope.library.v1 import operation_service_pb2
from praxiscope.type.v1 import operation_pb2
from praxiscope_common.errors import InvalidInputError
from praxiscope_common.jobs.operations import Operation
from praxiscope_common.jobs.worker import JobContext
from praxiscope_common.status import from_status
from tests.support.calls import Answer
from tests.support.coverage import covers
from tests.support.house import House, Tenant, working
from tests.support.operations import idle_operation, make_worker, until
from tests.support.paging import check_paging

Metadata = operation_pb2.OperationMetadata


class BadTasteError(InvalidInputError):
    """The work is not to the worker's taste."""

    reason = "INVALID_INPUT"


@dataclass(kw_only=True)
class CountedOperations(Operations):
    """Counts how often an operation is read.

    Attributes:
        reading_count: So often.
    """

    reading_count: int = 0

    async def find(self, name: str) -> Operation:
        """Counts and reads."""
        self.reading_count += 1
        return await super().find(name)


def metadata_of(message: operations_pb2.Operation) -> Metadata:
    """Returns an operation's metadata."""
    metadata = Metadata()
    assert message.metadata.Unpack(metadata)
    return metadata


async def ask(tenant: Tenant, method: str, operation: Operation | str, **fields: Any) -> Answer:
    """Asks something about an operation."""
    name = operation if isinstance(operation, str) else operation.name
    request = getattr(operation_service_pb2, f"{method}Request")(name=name, **fields)
    return await tenant.house.ask(f"OperationService.{method}", request, token=tenant.token)


async def fail(context: JobContext, request: StringValue) -> StringValue:
    """Does not work."""
    raise BadTasteError("No, thank you.")


async def repeat(context: JobContext, request: StringValue) -> StringValue:
    """Works."""
    await context.report("work", 0.5, "Half-way")
    return StringValue(value=request.value * 2)


async def wait_for_ever(context: JobContext, request: StringValue) -> StringValue:
    """Works until it is stopped."""
    await context.report("work", 0.25, "Waiting")
    await asyncio.sleep(3600)
    return request


def library(tenant: Tenant) -> Any:
    """Returns the library's database."""
    return tenant.house.served("library").app.database


async def ended(tenant: Tenant, run: Callable[..., Any], state: str, text: str = "") -> Operation:
    """Returns an operation that a worker has ended."""
    queue = f"{run.__name__}-{tenant.project_id}"
    operation = await idle_operation(tenant, queue=queue, text=text)
    async with working(make_worker(library(tenant), queue, run)):
        return await until(library(tenant), operation, state)


# Get, List


@covers("OperationService.GetOperation")
async def test_an_operation_says_what_it_is_and_where_it_stands(tenant: Tenant) -> None:
    operation = await idle_operation(tenant)
    message = (await ask(tenant, "GetOperation", operation)).message
    said = metadata_of(message)
    assert (message.name, message.done) == (operation.name, False)
    assert (said.state, said.method, said.target) == (Metadata.STATE_QUEUED, "tests.Service/Work", "the target")
    assert (said.progress, said.attempt_count, said.creator) == (0.0, 0, operation.creator)
    assert abs(said.create_time.ToSeconds() - time.time()) < 10


async def test_what_an_operation_made_and_why_it_failed_are_typed(tenant: Tenant) -> None:
    done = (await ask(tenant, "GetOperation", await ended(tenant, repeat, "succeeded", "ab"))).message
    response = StringValue()
    assert done.response.Unpack(response)
    assert (done.done, response.value, metadata_of(done).progress) == (True, "abab", 1.0)
    failed = (await ask(tenant, "GetOperation", await ended(tenant, fail, "failed"))).message
    error = from_status(failed.error)
    assert isinstance(error, InvalidInputError)
    assert (error.message, failed.done, metadata_of(failed).state) == ("No, thank you.", True, Metadata.STATE_FAILED)
    assert metadata_of(failed).attempt_count == 1, "what is the caller's mistake is not tried again"


@covers("OperationService.GetOperation", "RESOURCE_NOT_FOUND")
@covers("OperationService.WaitOperation", "RESOURCE_NOT_FOUND")
@covers("OperationService.WatchOperation", "RESOURCE_NOT_FOUND")
@covers("OperationService.CancelOperation", "RESOURCE_NOT_FOUND")
@covers("OperationService.RetryOperation", "RESOURCE_NOT_FOUND")
@covers("OperationService.DeleteOperation", "RESOURCE_NOT_FOUND")
async def test_an_operation_that_is_not_there_is_not_found(tenant: Tenant) -> None:
    for method in ("Get", "Wait", "Watch", "Cancel", "Retry", "Delete"):
        (await ask(tenant, f"{method}Operation", tenant.name_of("operations"))).fails("RESOURCE_NOT_FOUND")


@covers("OperationService.ListOperations")
@covers("OperationService.ListOperations", "INVALID_PAGE_TOKEN")
async def test_operations_are_listed_page_by_page(house: House, tenant: Tenant, stranger: Tenant) -> None:
    made = [(await idle_operation(tenant)).name for _ in range(5)]
    await ask(tenant, "CancelOperation", made[2])

    async def listed(whose: Tenant, size: int, token: str, *, only_running: bool = False) -> Answer:
        request = operation_service_pb2.ListOperationsRequest(
            parent=whose.name, page_size=size, page_token=token, only_running=only_running
        )
        return await house.ask("OperationService.ListOperations", request, token=whose.token)

    async def page(size: int, token: str) -> Answer:
        return await listed(tenant, size, token)

    async def running(size: int, token: str) -> Answer:
        return await listed(tenant, size, token, only_running=True)

    async def others(token: str) -> Answer:
        return await listed(stranger, 2, token)

    assert [item.name for item in await check_paging(page, "operations", foreign=others)] == made[::-1]
    mixed = await check_paging(running, "operations", foreign=lambda token: page(2, token))
    assert [item.name for item in mixed] == [*made[:2], *made[3:]][::-1]


# Wait, Watch


@covers("OperationService.WaitOperation")
async def test_waiting_ends_with_the_operation_or_with_the_time(tenant: Tenant) -> None:
    operation = await idle_operation(tenant)
    started_s = time.monotonic()
    message = (await ask(tenant, "WaitOperation", operation, timeout={"nanos": 300_000_000})).message
    assert not message.done
    assert 0.25 < time.monotonic() - started_s < 3
    waiting = asyncio.create_task(ask(tenant, "WaitOperation", operation, timeout={"seconds": 15}))
    await asyncio.sleep(0.2)
    cancelled_s = time.monotonic()
    await ask(tenant, "CancelOperation", operation)
    assert (await waiting).message.done
    assert time.monotonic() - cancelled_s < 1, "it hears of the end, it does not poll"


async def test_waiting_answers_before_the_calls_own_deadline(tenant: Tenant) -> None:
    operation = await idle_operation(tenant)
    request = operation_service_pb2.WaitOperationRequest(name=operation.name, timeout={"seconds": 200})
    answer = await tenant.house.ask("OperationService.WaitOperation", request, token=tenant.token, timeout_s=1.5)
    assert not answer.message.done


@pytest.mark.parametrize("timeout", [{"seconds": 301}, {"seconds": -1}])
async def test_nobody_waits_for_ever(tenant: Tenant, timeout: dict[str, int]) -> None:
    (await ask(tenant, "WaitOperation", await idle_operation(tenant), timeout=timeout)).fails("INVALID_REQUEST")


@covers("OperationService.WatchOperation")
async def test_a_watcher_sees_every_stage_to_the_end(tenant: Tenant) -> None:
    queue = f"watched-{tenant.project_id}"
    operation = await idle_operation(tenant, queue=queue, text="ab")
    watching = asyncio.create_task(ask(tenant, "WatchOperation", operation))
    await asyncio.sleep(0.2)

    async def take_a_moment(context: JobContext, request: StringValue) -> StringValue:
        await context.report("work", 0.5, "Half-way")
        await asyncio.sleep(1)  # changes faster than they are sent may be told as one
        return request

    async with working(make_worker(library(tenant), queue, take_a_moment)):
        messages = (await watching).messages
    states = [metadata_of(message).state for message in messages]
    assert states[0] == Metadata.STATE_QUEUED
    assert states[-1] == Metadata.STATE_SUCCEEDED
    progress = [metadata_of(message).progress for message in messages]
    assert progress == sorted(progress)
    assert 0.5 in progress
    assert "Half-way" in {metadata_of(message).message for message in messages}
    assert [message.done for message in messages] == [False] * (len(messages) - 1) + [True]
    assert len(messages) == len({message.SerializeToString() for message in messages}), "no message twice"


async def test_a_watcher_of_what_is_done_gets_it_at_once(tenant: Tenant) -> None:
    operation = await ended(tenant, repeat, "succeeded")
    assert len((await ask(tenant, "WatchOperation", operation)).messages) == 1


async def test_watchers_that_leave_are_forgotten(tenant: Tenant) -> None:
    operation = await idle_operation(tenant)
    request = operation_service_pb2.WatchOperationRequest(name=operation.name)
    answer = await tenant.house.ask("OperationService.WatchOperation", request, token=tenant.token, timeout_s=0.5)
    assert answer.outcome == "DEADLINE_EXCEEDED"
    assert len(answer.messages) == 1
    await asyncio.sleep(0.3)
    watchers = tenant.house.served("library").app.operations._watchers
    assert operation.operation_id not in watchers


async def test_watchers_that_look_at_the_same_moment_share_one_reading(tenant: Tenant) -> None:
    operation = await idle_operation(tenant)
    application = tenant.house.served("library").app
    operations = CountedOperations(database=application.database, store=application.store)
    watchers = [operations.watch(operation.name) for _ in range(30)]
    shown = await asyncio.gather(*(anext(watcher) for watcher in watchers))
    assert {item.operation_id for item in shown} == {operation.operation_id}
    assert operations.reading_count == 1
    await operations.find(operation.name)
    later = await anext(operations.watch(operation.name))
    assert later.operation_id == operation.operation_id
    assert operations.reading_count == 3, "what was read before is not shown to who comes later"


# Cancel


@covers("OperationService.CancelOperation")
async def test_what_waits_in_the_queue_is_cancelled_at_once_and_never_run(tenant: Tenant) -> None:
    queue = f"cancelled-{tenant.project_id}"
    operation = await idle_operation(tenant, queue=queue)
    message = (await ask(tenant, "CancelOperation", operation)).message
    assert message.done
    assert from_status(message.error).reason == "OPERATION_CANCELLED"
    runs: list[str] = []

    async def note(context: JobContext, request: StringValue) -> StringValue:
        runs.append(request.value)
        return request

    later = await idle_operation(tenant, queue=queue, text="later")
    async with working(make_worker(library(tenant), queue, note)):
        await until(library(tenant), later, "succeeded")
    assert runs == ["later"]
    again = (await ask(tenant, "CancelOperation", operation)).message
    assert again == message, "twice changes nothing"


async def test_what_runs_is_stopped_within_a_second(tenant: Tenant) -> None:
    queue = f"stopped-{tenant.project_id}"
    operation = await idle_operation(tenant, queue=queue)
    async with working(make_worker(library(tenant), queue, wait_for_ever)):
        await until(library(tenant), operation, "running")
        asked_s = time.monotonic()
        message = (await ask(tenant, "CancelOperation", operation)).message
        assert metadata_of(message).state == Metadata.STATE_CANCELLING
        ended_ = await until(library(tenant), operation, "cancelled")
        assert time.monotonic() - asked_s < 1
    assert ended_.progress == pytest.approx(0.25)
    assert from_status(operations_pb2.Operation.FromString(b"").error.FromString(ended_.error or b"")).reason == (
        "OPERATION_CANCELLED"
    )


async def test_cancelling_reaches_what_an_operation_started(tenant: Tenant) -> None:
    parent = await idle_operation(tenant)
    child = await idle_operation(tenant, parent_operation=parent.name)
    grandchild = await idle_operation(tenant, parent_operation=child.name)
    beside = await idle_operation(tenant)
    await ask(tenant, "CancelOperation", parent)
    states = {}
    for operation in (parent, child, grandchild, beside):
        states[operation.name] = metadata_of((await ask(tenant, "GetOperation", operation)).message).state
    assert list(states.values()) == [Metadata.STATE_CANCELLED] * 3 + [Metadata.STATE_QUEUED]
    assert metadata_of((await ask(tenant, "GetOperation", child)).message).parent_operation == parent.name


async def test_what_is_done_stays_done(tenant: Tenant) -> None:
    operation = await ended(tenant, repeat, "succeeded")
    message = (await ask(tenant, "CancelOperation", operation)).message
    assert message.HasField("response")


# Retry, Delete


@covers("OperationService.RetryOperation")
@covers("OperationService.RetryOperation", "OPERATION_NOT_FAILED")
async def test_a_dead_letter_is_tried_again(tenant: Tenant) -> None:
    operation = await ended(tenant, fail, "failed")
    message = (await ask(tenant, "RetryOperation", operation)).message
    assert (message.done, metadata_of(message).state) == (False, Metadata.STATE_QUEUED)
    assert not message.HasField("error")
    (await ask(tenant, "RetryOperation", operation)).fails("OPERATION_NOT_FAILED")
    async with working(make_worker(library(tenant), f"fail-{tenant.project_id}", repeat)):
        again = await until(library(tenant), operation, "succeeded")
    assert again.attempt_count == 2


async def test_what_failed_while_somebody_asked_for_its_end_can_be_tried_again(tenant: Tenant) -> None:
    queue = f"both-{tenant.project_id}"
    operation = await idle_operation(tenant, queue=queue)

    async def fail_when_stopped(context: JobContext, request: StringValue) -> StringValue:
        try:
            return await wait_for_ever(context, request)
        except asyncio.CancelledError:
            raise BadTasteError from None

    async with working(make_worker(library(tenant), queue, fail_when_stopped)):
        await until(library(tenant), operation, "running")
        await ask(tenant, "CancelOperation", operation)
        await until(library(tenant), operation, "failed")
    await ask(tenant, "RetryOperation", operation)
    async with working(make_worker(library(tenant), queue, repeat)):
        await until(library(tenant), operation, "succeeded")


@covers("OperationService.DeleteOperation")
@covers("OperationService.DeleteOperation", "OPERATION_NOT_DONE")
async def test_only_what_is_done_is_forgotten(tenant: Tenant) -> None:
    operation = await idle_operation(tenant)
    (await ask(tenant, "DeleteOperation", operation)).fails("OPERATION_NOT_DONE")
    await ask(tenant, "CancelOperation", operation)
    assert (await ask(tenant, "DeleteOperation", operation)).error is None
    (await ask(tenant, "GetOperation", operation)).fails("RESOURCE_NOT_FOUND")


async def has_leftovers(tenant: Tenant, operation: Operation) -> bool:
    """Whether an operation left something in the store."""
    store = tenant.house.served("library").app.store
    return [key async for key in store.list(f"{operation.name}/partial/")] != []


async def leave_something(tenant: Tenant, operation: Operation) -> None:
    """Writes what an operation would on the way."""
    await tenant.house.served("library").app.store.put(f"{operation.name}/partial/chunks/1", b"half a result")


async def test_what_an_operation_left_goes_with_it(tenant: Tenant) -> None:
    operation = await idle_operation(tenant)
    await leave_something(tenant, operation)
    await ask(tenant, "CancelOperation", operation)
    assert await has_leftovers(tenant, operation)
    assert (await ask(tenant, "DeleteOperation", operation)).error is None
    assert not await has_leftovers(tenant, operation)


@pytest.mark.parametrize(
    ("run", "state", "kept", "over"),
    [(repeat, "succeeded", "50 minutes", "2 hours"), (fail, "failed", "6 days", "8 days")],
)
async def test_leftovers_are_kept_while_they_are_of_use_and_cleared_then(
    tenant: Tenant, run: Any, state: str, kept: str, over: str
) -> None:
    database, application = library(tenant), tenant.house.served("library").app
    operation = await idle_operation(tenant, queue=f"leftovers-{state}")
    async with working(make_worker(database, f"leftovers-{state}", run)):
        await until(database, operation, state)
    await leave_something(tenant, operation)

    async def age(interval: str) -> None:
        async with database.transaction() as connection:
            await connection.execute(
                "UPDATE jobs.operation SET end_time = now() - %s::interval, checkpoint = '{\"a\": 1}' WHERE operation_id = %s",
                [interval, operation.operation_id],
            )

    await age(kept)
    await application.operations.clear_leftovers(1000)
    assert await has_leftovers(tenant, operation)
    await age(over)
    assert await application.operations.clear_leftovers(1000) >= 1
    assert not await has_leftovers(tenant, operation)
    if state == "failed":  # tried again, it must not look for what is gone
        await ask(tenant, "RetryOperation", operation)
        assert (await application.operations.find(operation.name)).checkpoint == {}


# google.longrunning.Operations


@covers("Operations.GetOperation")
@covers("Operations.ListOperations")
@covers("Operations.WaitOperation")
@covers("Operations.CancelOperation")
@covers("Operations.DeleteOperation")
@covers("Operations.DeleteOperation", "OPERATION_NOT_DONE")
async def test_standard_clients_find_the_same(house: House, tenant: Tenant) -> None:
    operation = await idle_operation(tenant)

    async def standard(method: str, **fields: Any) -> Answer:
        request = getattr(operations_pb2, f"{method}Request")(**{"name": operation.name, **fields})
        return await house.ask(f"Operations.{method}", request, token=tenant.token)

    own = (await ask(tenant, "GetOperation", operation)).message
    assert (await standard("GetOperation")).message == own
    assert (await standard("WaitOperation", timeout={"nanos": 1000})).message == own
    assert list((await standard("ListOperations", name=tenant.name)).message.operations) == [own]
    (await standard("DeleteOperation")).fails("OPERATION_NOT_DONE")
    assert (await standard("CancelOperation")).error is None
    assert (await standard("GetOperation")).message.done
    assert (await standard("DeleteOperation")).error is None


@covers("Operations.GetOperation", "RESOURCE_NOT_FOUND")
@covers("Operations.ListOperations", "INVALID_PAGE_TOKEN")
@covers("Operations.WaitOperation", "RESOURCE_NOT_FOUND")
@covers("Operations.CancelOperation", "RESOURCE_NOT_FOUND")
@covers("Operations.DeleteOperation", "RESOURCE_NOT_FOUND")
async def test_standard_clients_get_the_same_errors(house: House, tenant: Tenant) -> None:
    nobodys = tenant.name_of("operations")
    for method in ("GetOperation", "WaitOperation", "CancelOperation", "DeleteOperation"):
        request = getattr(operations_pb2, f"{method}Request")(name=nobodys)
        (await house.ask(f"Operations.{method}", request, token=tenant.token)).fails("RESOURCE_NOT_FOUND")
    listing = operations_pb2.ListOperationsRequest(name=tenant.name, page_token="nonsense")
    (await house.ask("Operations.ListOperations", listing, token=tenant.token)).fails("INVALID_PAGE_TOKEN")
    listing = operations_pb2.ListOperationsRequest(name="operations")
    (await house.ask("Operations.ListOperations", listing, token=tenant.token)).fails("INVALID_NAME")
    listing = operations_pb2.ListOperationsRequest(name=tenant.name, page_size=-1)
    assert (await house.ask("Operations.ListOperations", listing, token=tenant.token)).outcome == "INVALID_REQUEST"
