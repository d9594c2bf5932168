"""Times that protobuf can write and no calendar holds are found wherever they stand."""

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from praxiscope.auth.v1 import auth_pb2
from praxiscope.library.v1 import operation_service_pb2
from praxiscope.vision.v1 import vision_service_pb2
from praxiscope_common.server.times import impossible_times

BAD_TIMES = [Timestamp(seconds=2**62), Timestamp(seconds=-(2**62)), Timestamp(nanos=-1), Timestamp(nanos=10**9)]
BAD_LENGTHS = [
    Duration(seconds=2**62),
    Duration(nanos=10**9),
    Duration(seconds=1, nanos=-1),
    Duration(seconds=-(2**63)),
]


def found(message: Message) -> list[str]:
    return [violation.field for violation in impossible_times(message)]


@pytest.mark.parametrize("time", BAD_TIMES, ids=str)
def test_an_impossible_time_is_named(time: Timestamp) -> None:
    request = auth_pb2.CreateApiKeyRequest(api_key=auth_pb2.ApiKey(expire_time=time))
    assert found(request) == ["api_key.expire_time"]


@pytest.mark.parametrize("length", BAD_LENGTHS, ids=str)
def test_an_impossible_length_is_named(length: Duration) -> None:
    assert found(operation_service_pb2.WaitOperationRequest(timeout=length)) == ["timeout"]
    live = vision_service_pb2.ObserveLiveRequest(frame=vision_service_pb2.ObserveLiveRequest.Frame(time_offset=length))
    assert found(live) == ["frame.time_offset"]


def test_possible_times_pass() -> None:
    assert (
        found(auth_pb2.CreateApiKeyRequest(api_key=auth_pb2.ApiKey(expire_time=Timestamp(seconds=253402300799)))) == []
    )
    assert found(operation_service_pb2.WaitOperationRequest(timeout=Duration(seconds=-1, nanos=-5))) == []
    assert found(operation_service_pb2.WaitOperationRequest()) == []
