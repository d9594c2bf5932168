"""Where calls go, how long they may take, how often they are tried, and what happens to a pod that fails."""

from __future__ import annotations

import collections
import os
import signal
import sys
import time

import pytest

from tests.support.mesh import MAX_REQUESTS, UNARY_TIMEOUT_S, WAIT_TIMEOUT_S, Answered, Laboratory, note, settles
from tests.support.mesh_checks import (
    CALL_COUNT,
    CLOSED_PORT,
    EJECTION_S,
    STILL,
    STREAM,
    UNARY,
    WAIT,
    asked,
    call,
    egress_problems,
    outlier_problems,
    repeat_problems,
    split_problems,
    timeout_problems,
    track,
    twin_problems,
    variant_problems,
)
from tests.support.mesh_tokens import GOOD
from tools.devstack.settings import CHECKOUT, inherited_environment
from tools.mesh import services


def test_the_canary_gets_its_share(laboratory: Laboratory) -> None:
    started_s = time.monotonic()
    assert split_problems(laboratory) == []
    note(f"{CALL_COUNT} calls split by weight, s", round(time.monotonic() - started_s, 1))


def test_who_asks_for_the_canary_gets_it(laboratory: Laboratory) -> None:
    assert variant_problems(laboratory) == []


def test_the_mesh_tries_nothing_again(laboratory: Laboratory) -> None:
    assert repeat_problems(laboratory) == []


@pytest.mark.parametrize(("may_repeat", "tries"), [("yes", 5), ("no", 1)])
def test_our_own_clients_try_again_what_may_be_repeated(laboratory: Laboratory, may_repeat: str, tries: int) -> None:
    """In one layer: what the mesh tried again would multiply with it. The canary is had by the variant that our services pass on."""
    command = [sys.executable, "-m", "tests.support.mesh_repeat", "tracking:7440", UNARY, laboratory.tokens[GOOD]]
    environment = {**inherited_environment(), "PYTHONPATH": str(CHECKOUT)}
    before = laboratory.counts("tracking-canary").get(UNARY, 0)
    laboratory.tell("tracking-canary", "down")
    try:
        with laboratory.mesh.pods["gateway"].talk(command, environment) as process:
            said, _ = process.communicate(f"{may_repeat}\n", timeout=30)
    finally:
        laboratory.tell("tracking-canary", "up")
    assert said == "UNAVAILABLE\n"
    assert laboratory.counts("tracking-canary")[UNARY] - before == tries


def test_a_unary_call_ends_at_its_time(laboratory: Laboratory) -> None:
    assert timeout_problems(laboratory) == []


def test_a_call_that_waits_may_take_longer_but_not_for_ever(laboratory: Laboratory) -> None:
    caller = laboratory.callers["gateway"]
    wishes = (f"sleep={UNARY_TIMEOUT_S + 1}", f"sleep={WAIT_TIMEOUT_S + 2}")
    longer, too_long = caller.make(
        [call(laboratory, "library:7420", WAIT, to_canary=True, wish=wish) for wish in wishes]
    )
    assert (longer.code, longer.stand_in) == ("OK", "library-canary")
    assert too_long.code in {"UNAVAILABLE", "DEADLINE_EXCEEDED"}
    assert WAIT_TIMEOUT_S - 0.2 <= too_long.elapsed_s <= WAIT_TIMEOUT_S + 1


def test_a_canary_without_a_share_gets_who_asks_for_it_and_nobody_else(laboratory: Laboratory) -> None:
    wanted = [call(laboratory, "library:7420", WAIT)] * 300
    assert {outcome.stand_in for outcome in laboratory.callers["gateway"].make(wanted)} == {""}


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


def test_a_pod_that_fails_is_left_alone_and_comes_back(laboratory: Laboratory) -> None:
    assert settles(lambda: twin_problems(laboratory)) == []
    started_s = time.monotonic()
    assert outlier_problems(laboratory) == []
    assert settles(lambda: twin_problems(laboratory), timeout_s=60) == []
    away_s = time.monotonic() - started_s
    note("a pod that failed five times was away, s", round(away_s, 1))
    # Looked at every five seconds.
    assert EJECTION_S - 1 < away_s < EJECTION_S + 10


def _zone_problems(laboratory: Laboratory, expected: str) -> list[str]:
    """Returns whether another pod answers for rendering than the one that is expected: the real one, or the other zone's stand-in."""
    outcomes = laboratory.callers["gateway"].make([call(laboratory, "rendering:7480", STILL)] * 100)
    counts = collections.Counter(
        outcome.stand_in if outcome.answered is Answered.SERVICE else "nobody" for outcome in outcomes
    )
    return [] if counts == {expected: 100} else [str(dict(counts))]


def test_calls_stay_in_the_callers_zone_until_nobody_answers_there(laboratory: Laboratory) -> None:
    assert _zone_problems(laboratory, "") == []
    os.kill(laboratory.processes["rendering"], signal.SIGKILL)
    started_s = time.monotonic()
    try:
        assert settles(lambda: _zone_problems(laboratory, "rendering-far")) == []
        note(
            "from the end of a zone's only pod to the other zone answering every call, s",
            round(time.monotonic() - started_s, 1),
        )
    finally:
        pod = laboratory.mesh.pods["rendering"]
        laboratory.processes["rendering"] = services.start_service(pod)
        services.wait_for_service(pod)
    assert settles(lambda: _zone_problems(laboratory, ""), timeout_s=90) == []


@pytest.mark.usefixtures("outside")
def test_the_way_out_is_closed_but_for_the_database_and_the_store(laboratory: Laboratory) -> None:
    assert egress_problems(laboratory) == []
    # The control: a namespace without our Sidecar gets out.
    assert b"outside" in asked(laboratory, "stranger-elsewhere-gateway", CLOSED_PORT, "anywhere.example")
