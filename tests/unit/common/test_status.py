"""What a caller learns from a gRPC error that carries no reason of ours."""

import base64
from urllib.parse import quote

import grpc
import pytest
from grpc.aio import AioRpcError, Metadata

from praxiscope_common.errors import DomainError, FieldViolation, InvalidInputError, UnavailableError
from praxiscope_common.status import code_of, from_rpc_error, from_status, to_status


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


@pytest.mark.parametrize("letter", ["a", "é", "\U0001f600", "\x00"])
def test_a_status_fits_into_headers_however_long_the_callers_words_are(letter: str) -> None:
    """gRPC takes 8 KiB of headers: the message percent-encoded, the details in base64."""
    words = letter * 20_000
    violations = [FieldViolation(field=words, description=words) for _ in range(3000)]
    error = InvalidInputError(
        words, metadata={"name": words, "pattern": words, "filter": words}, field_violations=violations
    )
    status = to_status(error)
    assert len(quote(status.message)) + len(base64.b64encode(status.SerializeToString())) < 7 << 10
    assert status.message.endswith("…")
    assert from_status(status).reason == error.reason


def test_words_of_the_usual_length_arrive_whole() -> None:
    error = InvalidInputError("It is so. " * 50, metadata={"name": "projects/p/assets/" + "a" * 100})
    assert from_status(to_status(error)).message == error.message
    assert from_status(to_status(error)).metadata == error.metadata
