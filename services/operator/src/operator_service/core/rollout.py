"""How a version of a model gets traffic: in steps, each with gates, and back at the first sign that it is bad.

    Pending ──► Loading ──► RollingOut ──► Available
       │           │            │              │
       └ waits     └► Failed    └► RolledBack ◄┘ (somebody took it back)

`decide` is the whole of it: from what is wanted, what was reached and what the registry says follows one action. It is asked again and again; an action
that was done, or half done, when the process died is found done or is done again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from itertools import pairwise

_MIN_ERRORS = 3
"""So few errors may be chance, or the network's."""
_MIN_LATENCY_REQUESTS = 20
"""From so many answers on a mean says something."""
_OUTAGE_FACTOR = 2.0
"""Where the stable version fails as well, it is not the new one's fault; it must be so much worse."""


class Phase(Enum):
    """Where a rollout is; values are the resource's."""

    PENDING = "Pending"
    LOADING = "Loading"
    ROLLING_OUT = "RollingOut"
    AVAILABLE = "Available"
    ROLLED_BACK = "RolledBack"
    FAILED = "Failed"


FINAL_PHASES = frozenset({Phase.AVAILABLE, Phase.ROLLED_BACK, Phase.FAILED})


class VersionState(Enum):
    """What the registry says of a version."""

    ABSENT = "absent"
    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"
    RETIRED = "retired"


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What calls of a version were like since ever; only differences mean something.

    Attributes:
        request_count: Calls.
        error_count: Those that failed.
        latency_total_s: Seconds of all of them.
    """

    request_count: int = 0
    error_count: int = 0
    latency_total_s: float = 0.0

    def since(self, earlier: Reading) -> Reading:
        """What came after an earlier reading."""
        return Reading(
            request_count=max(0, self.request_count - earlier.request_count),
            error_count=max(0, self.error_count - earlier.error_count),
            latency_total_s=max(0.0, self.latency_total_s - earlier.latency_total_s),
        )

    @property
    def error_share(self) -> float:
        """Errors a call, 0 to 1; 0 where there was no call."""
        return self.error_count / self.request_count if self.request_count else 0.0

    @property
    def mean_latency_s(self) -> float:
        """Seconds a call; 0 where there was no call."""
        return self.latency_total_s / self.request_count if self.request_count else 0.0


@dataclass(frozen=True, kw_only=True)
class RolloutSpec:
    """What is wanted.

    Attributes:
        generation: Of the resource; a new one begins anew.
        model: The model.
        version: The version that is to take over.
        memory_bytes: What it takes on a model server.
        steps_percent: Its share in each step, growing, the last one 100.
        step_requests: How many calls a step must see.
        step_s: How long a step lasts at least.
        max_error_share: Share of failed calls, 0 to 1, above which it is bad.
        max_latency_ratio: Times the stable version's mean latency above which it is bad.
    """

    generation: int
    model: str
    version: int
    memory_bytes: int
    steps_percent: tuple[int, ...] = (5, 25, 50, 100)
    step_requests: int = 200
    step_s: float = 60.0
    max_error_share: float = 0.01
    max_latency_ratio: float = 1.5

    def __post_init__(self) -> None:
        """Checks what a schema cannot.

        Raises:
            ValueError: If steps do not grow to 100.
        """
        steps = self.steps_percent
        if not steps or steps[-1] != 100 or any(later <= earlier for earlier, later in pairwise(steps)):
            raise ValueError(f"stepsPercent must grow and end with 100, not {list(steps)}")


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the registry says.

    Attributes:
        state: The version's.
        percent: Its share now.
        is_stable: Whether a rollback would go back to it.
        message: What the registry says about its state.
        reading: Of the version.
        stable_reading: Of the version that a rollback would go back to.
    """

    state: VersionState
    percent: int = 0
    is_stable: bool = False
    message: str = ""
    reading: Reading = field(default_factory=Reading)
    stable_reading: Reading = field(default_factory=Reading)


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What was reached; the resource's status keeps it.

    Attributes:
        generation: Of the resource whose progress this is.
        phase: Where the rollout is.
        i_step: Which step it is in.
        step_start_s: When that began, Unix time.
        start: The version's reading then.
        stable_start: The stable version's reading then.
        reason: Why it is where it is, one word.
        message: The same for people.
    """

    generation: int
    phase: Phase = Phase.PENDING
    i_step: int = 0
    step_start_s: float = 0.0
    start: Reading = field(default_factory=Reading)
    stable_start: Reading = field(default_factory=Reading)
    reason: str = "New"
    message: str = ""


class Action(Enum):
    """What is to be done."""

    WAIT = "wait"
    DEPLOY = "deploy"
    SET_TRAFFIC = "set traffic"
    ROLL_BACK = "roll back"


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What is to be done, and what was reached once it is.

    Attributes:
        action: What to do.
        percent: The version's new share, where that is what is done.
        progress: What was reached then.
    """

    action: Action
    progress: Progress
    percent: int = 0


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a step's calls say.

    Attributes:
        is_bad: The version must go.
        is_good: The step is over.
        reason: Why, one word.
        message: The same for people.
    """

    is_bad: bool = False
    is_good: bool = False
    reason: str
    message: str


def judge(spec: RolloutSpec, progress: Progress, seen: Seen, now_s: float) -> Verdict:
    """Says whether a version may go on to its next step, has to go, or is not known well enough.

    Args:
        spec: With the gates.
        progress: With the readings at the step's beginning.
        seen: With the readings now.
        now_s: Unix time.
    """
    calls, stable = seen.reading.since(progress.start), seen.stable_reading.since(progress.stable_start)
    if stable.request_count < _MIN_LATENCY_REQUESTS:
        stable = seen.stable_reading  # in the last step nothing else is asked; then what it ever did counts
    limit = max(spec.max_error_share, _OUTAGE_FACTOR * stable.error_share)
    if calls.error_count >= _MIN_ERRORS and calls.error_share > limit:
        return Verdict(
            is_bad=True,
            reason="TooManyErrors",
            message=f"{calls.error_count} of {calls.request_count} calls failed; the limit is {limit:.1%}",
        )
    enough = min(_MIN_LATENCY_REQUESTS, spec.step_requests)
    limit_s = spec.max_latency_ratio * stable.mean_latency_s
    if calls.request_count >= enough and stable.request_count and calls.mean_latency_s > limit_s:
        return Verdict(
            is_bad=True,
            reason="TooSlow",
            message=f"{calls.mean_latency_s * 1e3:.1f} ms a call; the stable version takes {stable.mean_latency_s * 1e3:.1f} ms,"
            f" the limit is {limit_s * 1e3:.1f} ms",
        )
    if calls.request_count < spec.step_requests:
        return Verdict(
            reason="WaitingForTraffic", message=f"{calls.request_count} of {spec.step_requests} calls of this step seen"
        )
    if now_s - progress.step_start_s < spec.step_s:
        return Verdict(reason="WaitingForTime", message=f"the step lasts {spec.step_s:.0f} s")
    return Verdict(
        is_good=True, reason="StepPassed", message=f"{calls.request_count} calls, {calls.error_count} failed"
    )


def decide(spec: RolloutSpec, progress: Progress | None, seen: Seen, *, waiting_for: str, now_s: float) -> Decision:
    """Says what comes next.

    Args:
        spec: What is wanted.
        progress: What was reached; None at first. That of another generation counts for nothing.
        seen: What the registry says.
        waiting_for: What stands in the way of loading it, for people; empty where nothing does.
        now_s: Unix time.
    """
    if progress is None or progress.generation != spec.generation:
        progress = Progress(generation=spec.generation)
    if progress.phase in {Phase.FAILED, Phase.ROLLED_BACK}:
        return Decision(action=Action.WAIT, progress=progress)
    is_in_service = seen.state is VersionState.READY and seen.is_stable and seen.percent == 100
    if is_in_service and progress.phase in {Phase.PENDING, Phase.LOADING}:
        return _wait(progress, Phase.AVAILABLE, "InService", "has all traffic")
    if progress.phase in {Phase.PENDING, Phase.LOADING}:
        return _load(spec, progress, seen, waiting_for, now_s)
    if seen.state is not VersionState.READY or seen.percent == 0:
        return _wait(progress, Phase.ROLLED_BACK, "TakenBack", seen.message or "somebody else took it out of service")
    if progress.phase is Phase.AVAILABLE:
        return Decision(action=Action.WAIT, progress=progress)
    return _step(spec, progress, seen, now_s)


def _load(spec: RolloutSpec, progress: Progress, seen: Seen, waiting_for: str, now_s: float) -> Decision:
    match seen.state:
        case VersionState.READY:
            return _begin_step(spec, progress, seen, 0, now_s)
        case VersionState.LOADING:
            return _wait(progress, Phase.LOADING, "Loading", "the model server loads it and warms it up")
        case VersionState.FAILED if progress.phase is Phase.LOADING:
            return _wait(progress, Phase.FAILED, "LoadFailed", seen.message)
        case _:
            pass
    if waiting_for:
        return _wait(progress, Phase.PENDING, "WaitingForSpace", waiting_for)
    reached = replace(progress, phase=Phase.LOADING, reason="Loading", message="asked for")
    return Decision(action=Action.DEPLOY, progress=reached)


def _step(spec: RolloutSpec, progress: Progress, seen: Seen, now_s: float) -> Decision:
    verdict = judge(spec, progress, seen, now_s)
    if verdict.is_bad:
        reached = replace(progress, phase=Phase.ROLLED_BACK, reason=verdict.reason, message=verdict.message)
        return Decision(action=Action.ROLL_BACK, progress=reached)
    if seen.percent != spec.steps_percent[progress.i_step]:
        return _begin_step(spec, progress, seen, progress.i_step, now_s)
    if not verdict.is_good:
        return _wait(progress, Phase.ROLLING_OUT, verdict.reason, verdict.message)
    if progress.i_step + 1 == len(spec.steps_percent):
        return _wait(progress, Phase.AVAILABLE, "InService", "has all traffic")
    return _begin_step(spec, progress, seen, progress.i_step + 1, now_s)


def _begin_step(spec: RolloutSpec, progress: Progress, seen: Seen, i_step: int, now_s: float) -> Decision:
    percent = spec.steps_percent[i_step]
    reached = replace(
        progress,
        phase=Phase.ROLLING_OUT,
        i_step=i_step,
        step_start_s=now_s,
        start=seen.reading,
        stable_start=seen.stable_reading,
        reason="StepBegun",
        message=f"gets {percent} % of new streams",
    )
    return Decision(action=Action.SET_TRAFFIC, percent=percent, progress=reached)


def _wait(progress: Progress, phase: Phase, reason: str, message: str) -> Decision:
    return Decision(action=Action.WAIT, progress=replace(progress, phase=phase, reason=reason, message=message))
