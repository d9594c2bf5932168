"""What a caller learns from a gRPC error that carries no reason of ours."""

import grpc
import pytest
from grpc.aio import AioRpcError, Metadata

from praxiscope_common.errors import DomainError, UnavailableError
from praxiscope_common.status import code_of, from_rpc_error


def learnt(code: grpc.StatusCode, details: str, *trailing: tuple[str, bytes]) -> DomainError:
    return from_rpc_error(AioRpcError(code, Metadata(), Metadata(*trailing), details=details))  # type: ignore[arg-type]


def test_a_stream_whose_end_was_lost_may_be_repeated() -> None:
    assert isinstance(learnt(grpc.StatusCode.INTERNAL, "Internal error from Core"), UnavailableError)


@pytest.mark.parametrize(
    ("code", "details"),
    [
        (grpc.StatusCode.INTERNAL, "Something failed inside."),
        (grpc.StatusCode.UNKNOWN, "Internal error from Core"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, ""),
        (grpc.StatusCode.UNAVAILABLE, "failed to connect"),
    ],
)
def test_every_other_code_stays_what_it_is(code: grpc.StatusCode, details: str) -> None:
    assert code_of(learnt(code, details)) is code


@pytest.mark.parametrize(
    ("code", "details"),
    [
        (grpc.StatusCode.UNAVAILABLE, "failed to connect to all addresses; last error: ipv4:10.0.0.7:7410 refused"),
        (grpc.StatusCode.INTERNAL, "Internal error from Core"),
    ],
)
def test_an_other_side_that_is_away_is_said_with_a_hint_and_without_its_address(
    code: grpc.StatusCode, details: str
) -> None:
    error = learnt(code, details)
    assert isinstance(error, UnavailableError)
    assert error.retry_after_s
    assert "10.0.0.7" not in error.message


def test_a_damaged_reason_leaves_the_code() -> None:
    error = learnt(grpc.StatusCode.NOT_FOUND, "gone", ("grpc-status-details-bin", b"\xff\xff"))
    assert code_of(error) is grpc.StatusCode.NOT_FOUND
