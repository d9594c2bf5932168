"""Where calls go, how long they may take, how often they are tried, and what happens to a pod that fails."""

from __future__ import annotations

import collections
import math
import socket
import threading
import time
from collections.abc import Iterator, Sequence

import pytest

from tests.support.deploy import VALUES
from tests.support.mesh import (
    MAX_REQUESTS,
    UNARY_TIMEOUT_S,
    WAIT_TIMEOUT_S,
    Answered,
    Call,
    Laboratory,
    Outcome,
    note,
    settles,
)
from tests.support.mesh_tokens import GOOD
from tools.mesh.services import DATABASE_PORT
from tools.mesh.settings import MAIN_ADDRESS

STREAM = "/praxiscope.tracking.v1.TrackingService/Track"
UNARY = "/praxiscope.tracking.v1.TrackingService/TrackDetections"
_EDIT = "/praxiscope.editing.v1.EditService/GetEditStack"
_STILL = "/praxiscope.rendering.v1.RenderingService/RenderStill"
_CANARY_SHARE = 0.1
_CALL_COUNT = 2000
_EJECTION_AFTER = 5  # failures in a row, as the chart says
_EJECTION_S = 15.0
_STORE_PORT, _CLOSED_PORT = 9000, 9001


def call(laboratory: Laboratory, address: str, method: str, *, to_canary: bool = False, wish: str = "") -> Call:
    """Returns a call with a good token that says to a stand-in what it shall do."""
    metadata = [("authorization", f"Bearer {laboratory.tokens[GOOD]}")]
    if to_canary:
        metadata.append((VALUES["mesh"]["variantHeader"], "canary"))
    if wish:
        metadata.append(("x-do", wish))
    return Call(address=address, method=method, metadata=tuple(metadata))


def track(laboratory: Laboratory, method: str, *, to_canary: bool = False, wish: str = "") -> Call:
    """Returns such a call to tracking, which has a stand-in for a canary."""
    return call(laboratory, "tracking:7440", method, to_canary=to_canary, wish=wish)


def split_problems(laboratory: Laboratory) -> list[str]:
    """Returns what is wrong with the share of calls that the canary gets: more than three standard deviations off."""
    outcomes = laboratory.callers["gateway"].make([track(laboratory, UNARY)] * _CALL_COUNT)
    counts = collections.Counter(
        outcome.stand_in or ("stable" if outcome.answered is Answered.SERVICE else "nobody") for outcome in outcomes
    )
    expected = _CALL_COUNT * _CANARY_SHARE
    allowed = 3 * math.sqrt(_CALL_COUNT * _CANARY_SHARE * (1 - _CANARY_SHARE))
    is_right = counts["nobody"] == 0 and abs(counts["tracking-canary"] - expected) <= allowed
    return [] if is_right else [f"{dict(counts)}, expected {expected:.0f} ± {allowed:.0f} on the canary"]


def variant_problems(laboratory: Laboratory) -> list[str]:
    """Returns which calls that ask for the canary do not get it."""
    outcomes = laboratory.callers["gateway"].make(
        [track(laboratory, method, to_canary=True) for method in (STREAM, UNARY)] * 50
    )
    missed = sum(outcome.stand_in != "tracking-canary" for outcome in outcomes)
    return [f"{missed} of {len(outcomes)} did not get the canary"] if missed else []


def repeat_problems(laboratory: Laboratory) -> list[str]:
    """Returns which failed calls were made more than once."""
    problems: list[str] = []
    for method in (STREAM, UNARY):
        for wish in ("unavailable", "internal"):
            before = laboratory.counts("tracking-canary").get(method, 0)
            laboratory.callers["gateway"].one(track(laboratory, method, to_canary=True, wish=wish))
            tries = laboratory.counts("tracking-canary")[method] - before
            if tries != 1:
                problems.append(f"{method} answered {wish} was tried {tries} times")
    return problems


def timeout_problems(laboratory: Laboratory) -> list[str]:
    """Returns which unary call was not ended at its time."""
    outcome = laboratory.callers["gateway"].one(
        track(laboratory, UNARY, to_canary=True, wish=f"sleep={UNARY_TIMEOUT_S + 2}")
    )
    is_right = outcome.code in {"UNAVAILABLE", "DEADLINE_EXCEEDED"} and (
        UNARY_TIMEOUT_S - 0.2 <= outcome.elapsed_s <= UNARY_TIMEOUT_S + 1
    )
    return [] if is_right else [f"{outcome}, expected an end after {UNARY_TIMEOUT_S} s"]


def test_the_canary_gets_its_share(laboratory: Laboratory) -> None:
    started_s = time.monotonic()
    assert split_problems(laboratory) == []
    note(f"{_CALL_COUNT} calls split by weight, s", round(time.monotonic() - started_s, 1))


def test_who_asks_for_the_canary_gets_it(laboratory: Laboratory) -> None:
    assert variant_problems(laboratory) == []


def test_the_mesh_tries_nothing_again(laboratory: Laboratory) -> None:
    assert repeat_problems(laboratory) == []


def test_a_unary_call_ends_at_its_time(laboratory: Laboratory) -> None:
    assert timeout_problems(laboratory) == []


@pytest.mark.parametrize("wish", [f"sleep={UNARY_TIMEOUT_S + 1}", f"stream={WAIT_TIMEOUT_S + 2}"])
def test_a_stream_lasts(laboratory: Laboratory, wish: str) -> None:
    outcome = laboratory.callers["gateway"].one(track(laboratory, STREAM, to_canary=True, wish=wish))
    assert outcome.code == "OK", outcome
    assert outcome.elapsed_s > UNARY_TIMEOUT_S


def test_calls_in_flight_are_bounded(laboratory: Laboratory) -> None:
    calls = [track(laboratory, STREAM, to_canary=True, wish="sleep=3")] * (MAX_REQUESTS + 16)
    outcomes = laboratory.callers["gateway"].make(calls, at_once=len(calls))
    counts = collections.Counter(outcome.code for outcome in outcomes)
    assert counts == {"OK": MAX_REQUESTS, "UNAVAILABLE": 16}


def _edit(laboratory: Laboratory, count: int) -> Sequence[Outcome]:
    return laboratory.callers["gateway"].make([call(laboratory, "editing:7470", _EDIT)] * count, at_once=1)


def _failures(outcomes: Sequence[Outcome]) -> list[int]:
    return [index for index, outcome in enumerate(outcomes) if outcome.code == "UNAVAILABLE"]


def outlier_problems(laboratory: Laboratory) -> list[str]:
    """Returns what is wrong with how a pod that fails is left alone."""
    laboratory.tell("editing-twin", "down")
    try:
        outcomes = _edit(laboratory, 60)
    finally:
        laboratory.tell("editing-twin", "up")
    failures = _failures(outcomes)
    return [] if len(failures) == _EJECTION_AFTER else [f"{len(failures)} calls failed, expected {_EJECTION_AFTER}"]


@pytest.fixture
def both_edit(laboratory: Laboratory) -> Iterator[None]:
    """Two pods answer for editing before and after."""

    def problems() -> list[str]:
        names = {outcome.stand_in for outcome in _edit(laboratory, 20)}
        return [] if names == {"", "editing-twin"} else [f"only {names} answer"]

    assert settles(problems, timeout_s=60) == []
    yield
    assert settles(problems, timeout_s=60) == []


@pytest.mark.usefixtures("both_edit")
def test_a_pod_that_fails_is_left_alone_and_comes_back(laboratory: Laboratory) -> None:
    started_s = time.monotonic()
    assert outlier_problems(laboratory) == []
    assert settles(lambda: [] if any(item.stand_in for item in _edit(laboratory, 20)) else ["still away"], 60) == []
    away_s = time.monotonic() - started_s
    note("a pod that failed five times was away, s", round(away_s, 1))
    # Looked at every five seconds.
    assert _EJECTION_S - 1 < away_s < _EJECTION_S + 10


def test_calls_stay_in_the_callers_zone(laboratory: Laboratory) -> None:
    wanted = [call(laboratory, "rendering:7480", _STILL)] * 100
    near = collections.Counter(outcome.stand_in for outcome in laboratory.callers["gateway"].make(wanted))
    assert near == {"": 100}
    # The control: the other zone's pod is known, and answers for the service.
    counts = laboratory.mesh.pods["gateway"].statistics(r"\|stable\|rendering\..*membership_healthy$")
    assert list(counts.values()) == [2, 2]


@pytest.fixture
def outside() -> Iterator[None]:
    """Something that listens outside the mesh: where the store would be, and where nothing should be."""
    listeners = [socket.create_server((MAIN_ADDRESS, port)) for port in (_STORE_PORT, _CLOSED_PORT)]
    for listener in listeners:
        threading.Thread(target=_answer, args=(listener,), daemon=True).start()
    yield
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _answer(listener: socket.socket) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            connection.recv(1000)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\noutside")


def _asked(laboratory: Laboratory, pod: str, port: int, host: str) -> bytes:
    try:
        with laboratory.mesh.pods[pod].connect((MAIN_ADDRESS, port)) as connection:
            connection.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            said = b""
            while chunk := connection.recv(1000):
                said += chunk
            return said
    except ConnectionError:
        return b""


def egress_problems(laboratory: Laboratory) -> list[str]:
    """Returns which way out is open and should not be, or the other way round."""
    problems: list[str] = []
    for pod in ("library", "gateway", "tracking-work"):
        if not _asked(laboratory, pod, _STORE_PORT, f"store.outside.example:{_STORE_PORT}").endswith(b"outside"):
            problems.append(f"{pod} does not reach the store")
        for port, host in ((_STORE_PORT, "elsewhere.example"), (_CLOSED_PORT, "store.outside.example")):
            if b"outside" in _asked(laboratory, pod, port, host):
                problems.append(f"{pod} reaches {host} on {port}")
        with laboratory.mesh.pods[pod].connect((MAIN_ADDRESS, DATABASE_PORT)) as connection:
            connection.sendall(b"\x00\x00\x00\x08\x04\xd2\x16\x2f")  # asks PostgreSQL whether it speaks TLS
            if connection.recv(1) not in {b"N", b"S"}:
                problems.append(f"{pod} does not reach the database")
    return problems


@pytest.mark.usefixtures("outside")
def test_the_way_out_is_closed_but_for_the_database_and_the_store(laboratory: Laboratory) -> None:
    assert egress_problems(laboratory) == []
    # The control: a namespace without our Sidecar gets out.
    assert b"outside" in _asked(laboratory, "stranger-elsewhere-gateway", _CLOSED_PORT, "anywhere.example")
