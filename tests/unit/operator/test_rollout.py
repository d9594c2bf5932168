from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operator_service.core.placement import Instance, place
from operator_service.core.resources import progress_of, rollout_spec, rollout_status
from operator_service.core.rollout import (
    FINAL_PHASES,
    Action,
    Decision,
    Phase,
    Progress,
    Reading,
    RolloutSpec,
    Seen,
    VersionState,
    decide,
    judge,
)

SPEC = RolloutSpec(generation=1, model="net", version=2, memory_bytes=100, step_requests=100, step_s=10.0)
READY = VersionState.READY


def reading(requests: int, errors: int = 0, mean_ms: float = 20.0) -> Reading:
    return Reading(request_count=requests, error_count=errors, latency_total_s=requests * mean_ms / 1e3)


def begun(percent: int = 5) -> Progress:
    i_step = SPEC.steps_percent.index(percent)
    return Progress(generation=1, phase=Phase.ROLLING_OUT, i_step=i_step, stable_start=reading(1000))


def seen(new: Reading, stable: Reading | None = None, percent: int = 5) -> Seen:
    return Seen(state=READY, percent=percent, reading=new, stable_reading=stable or reading(2000))


@pytest.mark.parametrize(
    ("new", "stable", "now_s", "says"),
    [
        pytest.param(reading(99), reading(2000), 60, "WaitingForTraffic", id="too few calls"),
        pytest.param(reading(100), reading(2000), 5, "WaitingForTime", id="too early"),
        pytest.param(reading(100), reading(2000), 60, "StepPassed", id="good"),
        pytest.param(reading(100, 1), reading(2000), 60, "StepPassed", id="one error is chance"),
        pytest.param(reading(10, 3), reading(2000), 1, "TooManyErrors", id="three of ten"),
        pytest.param(reading(400, 3), reading(2000), 60, "StepPassed", id="three of four hundred"),
        pytest.param(reading(100, 30), reading(2000, 300), 60, "StepPassed", id="an outage of both"),
        pytest.param(reading(100, 70), reading(2000, 300), 60, "TooManyErrors", id="worse than the outage"),
        pytest.param(reading(20, 0, 31), reading(2000), 1, "TooSlow", id="slow"),
        pytest.param(reading(19, 0, 500), reading(2000), 1, "WaitingForTraffic", id="slow, too few calls to say"),
        pytest.param(reading(100, 0, 500), reading(0), 60, "StepPassed", id="nothing to compare with"),
        pytest.param(
            reading(100, 0, 31), reading(1000), 60, "TooSlow", id="stable without calls now, what it ever did counts"
        ),
    ],
)
def test_gates(new: Reading, stable: Reading, now_s: float, says: str) -> None:
    assert judge(SPEC, begun(), seen(new, stable), now_s).reason == says


def advance(
    spec: RolloutSpec, progress: Progress | None, what: Seen, now_s: float = 0.0, waiting: str = ""
) -> Decision:
    return decide(spec, progress, what, waiting_for=waiting, now_s=now_s)


def test_a_good_version_goes_through_every_step() -> None:
    progress: Progress | None = None
    what, now_s, shares = Seen(state=VersionState.ABSENT, stable_reading=reading(1000)), 0.0, []
    for _ in range(30):
        decision = advance(SPEC, progress, what, now_s)
        progress, now_s = decision.progress, now_s + 20
        match decision.action:
            case Action.DEPLOY:
                what = replace(what, state=READY)
            case Action.SET_TRAFFIC:
                shares.append(decision.percent)
                what = replace(what, percent=decision.percent, is_stable=decision.percent == 100)
            case Action.ROLL_BACK:
                raise AssertionError(progress.message)
            case Action.WAIT:
                count = what.reading.request_count
                what = replace(what, reading=reading(count + 60), stable_reading=reading(2000 + count))
    assert shares == [5, 25, 50, 100]
    assert progress is not None
    assert progress.phase is Phase.AVAILABLE


def test_the_last_step_has_its_gates_too() -> None:
    what = replace(seen(reading(50, 10), percent=100), is_stable=True)
    decision = advance(SPEC, begun(100), what)
    assert (decision.action, decision.progress.phase) == (Action.ROLL_BACK, Phase.ROLLED_BACK)
    only = replace(SPEC, steps_percent=(100,))
    loading = Progress(generation=1, phase=Phase.LOADING)
    first = advance(only, loading, Seen(state=READY))
    assert (first.action, first.percent, first.progress.phase) == (Action.SET_TRAFFIC, 100, Phase.ROLLING_OUT)


@pytest.mark.parametrize(
    ("progress", "what", "phase", "reason"),
    [
        pytest.param(None, Seen(state=VersionState.ABSENT), Phase.PENDING, "WaitingForSpace", id="no space"),
        pytest.param(None, Seen(state=READY, percent=100, is_stable=True), Phase.AVAILABLE, "InService", id="served"),
        pytest.param(
            Progress(generation=1, phase=Phase.LOADING),
            Seen(state=VersionState.FAILED, message="no such file"),
            Phase.FAILED,
            "LoadFailed",
            id="not loaded",
        ),
        pytest.param(begun(), Seen(state=VersionState.RETIRED), Phase.ROLLED_BACK, "TakenBack", id="by hand"),
        pytest.param(begun(), Seen(state=READY, percent=0), Phase.ROLLED_BACK, "TakenBack", id="share taken"),
    ],
)
def test_what_is_waited_for_and_what_ends_it(progress: Progress | None, what: Seen, phase: Phase, reason: str) -> None:
    decision = advance(SPEC, progress, what, waiting="the pool is full")
    assert (decision.action, decision.progress.phase, decision.progress.reason) == (Action.WAIT, phase, reason)


def test_a_rollback_holds_until_something_else_is_wanted() -> None:
    back = Progress(generation=1, phase=Phase.ROLLED_BACK, reason="TooSlow")
    retired = Seen(state=VersionState.RETIRED)
    assert advance(SPEC, back, retired) == Decision(action=Action.WAIT, progress=back)
    assert advance(replace(SPEC, generation=2), back, retired).action is Action.DEPLOY


READINGS = st.builds(reading, st.integers(0, 500), st.integers(0, 50), st.floats(1, 500))
SEEN = st.builds(
    Seen,
    state=st.sampled_from(VersionState),
    percent=st.sampled_from([0, 5, 25, 50, 100]),
    is_stable=st.booleans(),
    reading=READINGS,
    stable_reading=READINGS,
)


@given(st.lists(st.tuples(SEEN, st.sampled_from(["", "full"])), max_size=20))
def test_whatever_is_seen_nothing_is_done_twice_after_the_end(history: list[tuple[Seen, str]]) -> None:
    progress: Progress | None = None
    for number, (what, waiting) in enumerate(history):
        before = progress
        decision = advance(SPEC, progress, what, number * 10.0, waiting)
        progress = decision.progress
        if before is not None and before.phase in FINAL_PHASES:
            assert decision.action is Action.WAIT
        if decision.action is Action.DEPLOY:
            assert not waiting
        if decision.action is Action.SET_TRAFFIC:
            assert what.state is READY
            assert decision.percent in SPEC.steps_percent
        if decision.action is Action.ROLL_BACK:
            assert progress.phase is Phase.ROLLED_BACK
        # A process that died here goes on from what the status says.
        status = rollout_status(progress, percent=what.percent, instances=(), before={}, now="2026-01-01T00:00:00Z")
        read = progress_of({"status": status})
        assert read is not None
        assert (read.phase, read.i_step, read.generation) == (progress.phase, progress.i_step, 1)


@pytest.mark.parametrize(
    ("need", "held", "budgets", "fits"),
    [
        pytest.param(10, 0, [10, 20], True, id="just fits"),
        pytest.param(10, 1, [10, 20], False, id="one of them is too full"),
        pytest.param(0, 30, [10], False, id="overcommitted already"),
        pytest.param(10, 0, [], False, id="no server"),
    ],
)
def test_a_version_fits_where_it_fits_on_every_server(need: int, held: int, budgets: list[int], fits: bool) -> None:
    instances = [Instance(name=f"triton-{budget}", budget_bytes=budget) for budget in budgets]
    placement = place(need, held, instances)
    assert bool(placement.instances) is fits
    if fits:
        assert set(placement.instances) == {instance.name for instance in instances}


@given(st.integers(0, 100), st.integers(0, 100), st.lists(st.integers(1, 100), max_size=5))
def test_no_server_is_ever_given_more_than_it_has(need: int, held: int, budgets: list[int]) -> None:
    instances = [Instance(name=str(number), budget_bytes=budget) for number, budget in enumerate(budgets)]
    placement = place(need, held, instances)
    if placement.instances:
        assert all(held + need <= budget for budget in budgets)
    elif budgets:
        assert placement.shortfall_bytes == held + need - min(budgets) > 0


def test_steps_that_do_not_grow_to_all_are_refused() -> None:
    document = {
        "metadata": {"generation": 3},
        "spec": {"model": "net", "version": 2, "memoryMiB": 5, "rollout": {"stepsPercent": [50, 20, 100]}},
    }
    with pytest.raises(Exception, match="must grow and end with 100"):
        rollout_spec(document)
    document["spec"]["rollout"] = {}  # type: ignore[index]
    assert rollout_spec(document).steps_percent == (5, 25, 50, 100)
