"""Bytes that are no message of the contract are the caller's mistake, whatever the method."""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc
import pytest
from google.longrunning import operations_pb2
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.timestamp_pb2 import Timestamp

from praxiscope.auth.v1 import auth_pb2
from praxiscope.library.v1 import asset_service_pb2
from praxiscope_common.status import from_rpc_error
from tests.support import contracts
from tests.support.examples import EXAMPLES
from tests.support.house import House, Tenant

NO_MESSAGES = {
    "noise": b"\xff\xff\xff\xff",
    "a text that is not UTF-8": b"\x0a\x02\xff\xfe",
    "a message that ends too early": b"\x0a\x7f",
    "groups without an end": b"\x0b" * 200,
    "groups in groups": b"\x0b" * 200 + b"\x0c" * 200,
}


async def each(*requests: bytes) -> AsyncIterator[bytes]:
    for request in requests:
        yield request


async def answer(house: House, short: str, token: str, *requests: bytes) -> grpc.aio.AioRpcError:
    method = contracts.find(short)
    kind = ("stream" if method.client_streaming else "unary") + ("_stream" if method.server_streaming else "_unary")
    area = method.containing_service.full_name.split(".")[1]
    name = {"longrunning": "library", "vision": "vision_inference"}.get(area, area)
    stub = getattr(house.served(name).channel, kind)(f"/{method.containing_service.full_name}/{method.name}")
    given = each(*requests) if method.client_streaming else requests[0]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        call = stub(given, timeout=20, metadata=(("authorization", f"Bearer {token}"),))
        if method.server_streaming:
            async for _ in call:
                pass
        else:
            await call
    return caught.value


@pytest.mark.parametrize("short", sorted(EXAMPLES))
async def test_bytes_that_are_no_message_are_an_invalid_request(house: House, tenant: Tenant, short: str) -> None:
    first = contracts.find(short).input_type.fields_by_number.get(1)
    is_text = first is not None and first.type == FieldDescriptor.TYPE_STRING
    for what, content in NO_MESSAGES.items():
        if what == "a text that is not UTF-8" and not is_text:
            continue  # an unknown field, which any message may have
        error = await answer(house, short, tenant.everything, content)
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT, f"{what}: {error.code()} {error.details()}"
        assert from_rpc_error(error).reason == "INVALID_REQUEST"
        assert "pars" not in (error.details() or "").lower(), "the decoder's own words stay inside"


async def test_bytes_in_the_middle_of_a_stream_are_an_invalid_request(house: House, tenant: Tenant) -> None:
    start = EXAMPLES["TrackingService.Track"].make(tenant.name)
    first = start[0].SerializeToString()  # type: ignore[index]
    error = await answer(house, "TrackingService.Track", tenant.everything, first, b"\xff\xff")
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("seconds", [2**62, -(2**62), 253402300800])
async def test_a_time_of_no_calendar_is_an_invalid_request(house: House, tenant: Tenant, seconds: int) -> None:
    key = auth_pb2.ApiKey(display_name="a key", expire_time=Timestamp(seconds=seconds))
    request = auth_pb2.CreateApiKeyRequest(parent=tenant.name, api_key=key)
    error = (await house.ask("ProjectService.CreateApiKey", request, token=tenant.token)).fails("INVALID_REQUEST")
    assert [violation.field for violation in error.field_violations] == ["api_key.expire_time"]


async def test_long_words_of_the_caller_arrive_as_the_error_that_they_are(house: House, tenant: Tenant) -> None:
    request = asset_service_pb2.GetAssetRequest(name="a" * 100_000)
    (await house.ask("AssetService.GetAsset", request, token=tenant.token)).fails("INVALID_REQUEST")
    request = operations_pb2.GetOperationRequest(name="é" * 50_000)
    (await house.ask("Operations.GetOperation", request, token=tenant.everything)).fails("INVALID_NAME")
