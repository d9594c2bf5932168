"""Kills one process at a random moment of an analysis, again and again: the numbers stay the same and nothing is there twice."""

from __future__ import annotations

import random
import signal
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from chaos.stack import Target
from praxiscope.client import Client, PraxiscopeError
from praxiscope.client._errors import TransportError

_POLL_S = 0.05
_PAUSE_S = 0.3  # after an answer that asks to wait; without it the gateway's own limit of calls would speak next
_PATIENCE_S = 180.0
_CALLS_IN_FLIGHT = 4
# PostgreSQL takes SIGTERM as "when everybody has left"; the stack stops it with SIGINT.
_STOP_SIGNALS = {"postgres": signal.SIGINT}
_NUMBERS = ("angles.csv", "angles_raw.csv", "motion.json", "tracks.txt")
Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one analysis made.

    Attributes:
        motion: The motion's version.
        overlay: The overlay's version.
        files: SHA-256 of each of the motion's files.
        notes: What the platform noted about it.
        attempt_count: How often a worker took it.
        elapsed_s: From asking to having it.
    """

    motion: str
    overlay: str
    files: Mapping[str, str]
    notes: Sequence[str]
    attempt_count: int
    elapsed_s: float


@dataclass(kw_only=True)
class Round:
    """What one kill did.

    Attributes:
        number: Which round, from 1.
        victim: The part that was killed.
        signal: The signal's name.
        moment_s: When, counted from the asking.
        stage: What the analysis was doing then.
        elapsed_s: How long the analysis took.
        restart_s: How long it took until everything was ready again, counted from the end of the analysis.
        attempt_count: How often a worker took the analysis.
        answers: How many answers of each kind the watching client got.
        problems: What should not have been; empty where all is well.
    """

    number: int
    victim: str
    moment_s: float
    signal: str = "SIGKILL"
    stage: str = ""
    elapsed_s: float = 0.0
    restart_s: float = 0.0
    attempt_count: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """Returns one line."""
        answers = ", ".join(f"{count} {kind}" for kind, count in sorted(self.answers.items()))
        outcome = "; ".join(self.problems) or "same numbers, nothing twice"
        return (
            f"round {self.number:3}  {self.signal} {self.victim:18} at {self.moment_s:5.2f} s ({self.stage or 'asking'}):"
            f" {self.elapsed_s:5.1f} s, {self.attempt_count} attempts, answers: {answers}; {outcome}"
        )


class Watcher(threading.Thread):
    """A client that looks at an operation all the time, without any repeating of its own, and notes every answer that it should not have got.

    Args:
        target: The stack.
        operation: The operation's name.
        result: The round; says who the victim is.
        waits: Whether it asks with calls that take two seconds, so that one is in flight at any time.
    """

    def __init__(self, target: Target, operation: str, result: Round, *, waits: bool = False) -> None:
        """Prepares the thread."""
        super().__init__(daemon=True)
        self._target, self._operation, self._waits = target, operation, waits
        self._may_refuse = result.victim == "gateway"
        # Who ends in order answers what is in flight; connections that are kept open for later may end at any time, so none is kept.
        self._must_answer = result.signal == signal.SIGTERM.name
        self.answers: Counter[str] = Counter()
        self.problems: list[str] = []
        self.document: dict[str, Any] = {}

    def run(self) -> None:
        """Looks until the operation is done or patience ends."""
        deadline_s = time.monotonic() + _PATIENCE_S
        headers = {"authorization": f"Bearer {self._target.profile.api_key}"}
        limits = httpx.Limits(max_keepalive_connections=0 if self._must_answer else None)
        with httpx.Client(base_url=self._target.url, headers=headers, timeout=40, limits=limits) as http:
            while time.monotonic() < deadline_s:
                if self._look(http):
                    return
                time.sleep(_POLL_S)
        self.problems.append(f"not done in {_PATIENCE_S:.0f} s: {self.document.get('metadata')}")

    def _look(self, http: httpx.Client) -> bool:
        try:
            if self._waits:
                answer = http.post(f"/v1/{self._operation}:wait", json={"timeout": "2s"})
            else:
                answer = http.get(f"/v1/{self._operation}")
        except httpx.TransportError as error:
            self.answers[type(error).__name__] += 1
            is_refused = isinstance(error, httpx.ConnectError)
            if not self._may_refuse or (self._must_answer and not is_refused):
                self.problems.append(f"the gateway did not answer: {error!r}")
            return False
        self.answers[str(answer.status_code)] += 1
        if answer.status_code == 200:
            self.document = answer.json()
            return bool(self.document.get("done"))
        if problem := _problem_of(answer):
            self.problems.append(problem)
        time.sleep(_PAUSE_S)
        return False


def run_kills(
    target: Target, video: Path, *, rounds: int, seed: int, tell: Tell, number: signal.Signals = signal.SIGKILL
) -> list[Round]:
    """Runs rounds and returns what each did.

    Args:
        target: The stack.
        video: The video that is analysed.
        rounds: How many.
        seed: Decides who is killed and when.
        tell: Told of every round.
        number: What the victim is sent.
    """
    draw = random.Random(seed)
    done: list[Round] = []
    with Client(target.profile) as client:
        version = client.upload(video).latest_version
        undisturbed = [_analyse(client, version) for _ in range(2)]
        reference = undisturbed[1]  # the first one warms everything up
        stable = {path for path, sha256 in reference.files.items() if undisturbed[0].files.get(path) == sha256}
        tell(
            f"undisturbed: {reference.elapsed_s:.1f} s; the same twice, to the last bit: {len(stable)} of"
            f" {len(reference.files)} files"
        )
        unstable = [path for path in reference.files if _holds_numbers(path) and path not in stable]
        for index, victim in zip(range(1, rounds + 1), _victims(target, draw), strict=False):
            moment_s = draw.uniform(0.0, reference.elapsed_s)
            result = Round(number=index, victim=victim, moment_s=moment_s, signal=number.name)
            result.problems += [f"{path} differs between undisturbed runs" for path in unstable]
            _run_round(target, client, version, reference, stable, result)
            done.append(result)
            tell(str(result))
    return done


def _victims(target: Target, draw: random.Random) -> Iterator[str]:
    """Yields parts at random, each as often as every other: decks of all of them, shuffled."""
    while True:
        deck = sorted(target.parts())
        draw.shuffle(deck)
        yield from deck


def _run_round(
    target: Target, client: Client, version: str, reference: Result, stable: set[str], result: Round
) -> None:
    operations, assets = _operation_names(client), _asset_names(client)
    killed = threading.Event()
    before: list[int] = []

    def kill() -> None:
        if watcher:
            result.stage = _stage_of(watcher[0].document)
        is_in_order = result.signal == signal.SIGTERM.name
        number = _STOP_SIGNALS.get(result.victim, signal.SIGTERM) if is_in_order else signal.SIGKILL
        before.append(target.kill(result.victim, number))
        killed.set()

    watcher: list[Watcher] = []
    timer = threading.Timer(result.moment_s, kill)
    timer.start()
    started_s = time.monotonic()
    try:
        operation = _ask(client, version, result, may_refuse=result.victim == "gateway")
        if operation:
            watcher.append(Watcher(target, operation, result))
            if result.signal == signal.SIGTERM.name:
                watcher += [Watcher(target, operation, result, waits=True) for _ in range(_CALLS_IN_FLIGHT)]
            for each in watcher:
                each.start()
            for each in watcher:
                each.join()
    finally:
        timer.join()
    result.elapsed_s = time.monotonic() - started_s
    if not watcher:
        return
    document = watcher[0].document
    for each in watcher:
        result.answers += each.answers
        result.problems += each.problems[:5]
    result.restart_s = target.await_restart(result.victim, before[0])
    if not document.get("done"):
        return
    result.attempt_count = int(document["metadata"].get("attemptCount", 0))
    if "error" in document:
        result.problems.append(f"ended with {document['error']}")
        return
    found = _read(client, document, result.elapsed_s)
    result.problems += _differences(found, reference, stable)
    result.problems += _twice(client, operation, operations, assets, found)


def _analyse(client: Client, version: str) -> Result:
    started_s = time.monotonic()
    operation = client.analyze_motion(version, preset="PRESET_FAST")
    client.wait(operation)
    return _read(client, client.operation(operation).document, time.monotonic() - started_s)


def _ask(client: Client, version: str, result: Round, *, may_refuse: bool) -> str:
    """Asks for the analysis as often as it takes, always with the same request id."""
    request_id = str(uuid.uuid4())
    deadline_s = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline_s:
        try:
            return client.analyze_motion(version, preset="PRESET_FAST", request_id=request_id)
        except TransportError as error:
            if not may_refuse:
                result.problems.append(f"the gateway did not answer: {error}")
        except PraxiscopeError as error:
            if error.retry_after_s is None:
                result.problems.append(f"asking ended with {error.reason}: {error}")
                return ""
        time.sleep(_POLL_S)
    result.problems.append("the analysis could not be asked for")
    return ""


def _read(client: Client, document: Mapping[str, Any], elapsed_s: float) -> Result:
    motion = document["response"]["motion"]
    files = client.asset_version(motion["assetVersion"]).files
    return Result(
        motion=motion["assetVersion"],
        overlay=motion.get("overlay", ""),
        files={file.path: file.sha256 for file in files},
        notes=tuple(motion.get("notes", ())),
        attempt_count=int(document["metadata"].get("attemptCount", 0)),
        elapsed_s=elapsed_s,
    )


def _differences(found: Result, reference: Result, stable: set[str]) -> list[str]:
    problems = [
        f"{path} is not what it is without the kill"
        for path in stable
        if found.files.get(path) != reference.files[path]
    ]
    if set(found.files) != set(reference.files):
        problems.append(f"other files: {sorted(set(found.files) ^ set(reference.files))}")
    if found.notes != reference.notes:
        problems.append(f"other notes: {found.notes}")
    if not found.overlay:
        problems.append("no overlay")
    return problems


def _twice(client: Client, operation: str, operations: set[str], assets: set[str], found: Result) -> list[str]:
    """Returns what is there that should not be, or should be and is not: one analysis makes one motion, one overlay and one child."""
    problems: list[str] = []
    new_assets, new_operations = _asset_names(client) - assets, _operation_names(client) - operations
    made = {found.motion.rpartition("/versions/")[0], found.overlay.rpartition("/versions/")[0]}
    if new_assets != made:
        problems.append(f"assets: {len(new_assets)} new ones, {len(made - new_assets)} missing")
    for version in (found.motion, found.overlay):
        if version and not version.endswith("/versions/1"):
            problems.append(f"{version} is not the first version")
    if operation not in new_operations or len(new_operations) != 2:
        problems.append(f"operations: {len(new_operations)} new ones instead of an analysis and its child")
    if lost := (operations - _operation_names(client)) | (assets - _asset_names(client)):
        problems.append(f"lost: {sorted(lost)}")
    return problems


def _operation_names(client: Client) -> set[str]:
    names: set[str] = set()
    token = ""
    while True:
        page = client.operations(page_size=200, page_token=token)
        names |= {item["name"] for item in page.get("operations", ())}
        token = page.get("nextPageToken", "")
        if not token:
            return names


def _asset_names(client: Client) -> set[str]:
    names: set[str] = set()
    token = ""
    while True:
        page = client.assets(page_size=200, page_token=token)
        names |= {asset.name for asset in page.assets}
        token = page.next_page_token
        if not token:
            return names


def _holds_numbers(path: str) -> bool:
    return path in _NUMBERS or path.endswith((".trc", ".mot", ".estimates.json"))


def _stage_of(document: Mapping[str, Any]) -> str:
    metadata = document.get("metadata", {})
    if metadata.get("state") != "STATE_RUNNING":
        return str(metadata.get("state", "")).removeprefix("STATE_").lower()
    stages = metadata.get("stages", ())
    return next(
        (stage["name"] for stage in stages if stage.get("progress", 0) < 1), "ending" if stages else "beginning"
    )


def _problem_of(answer: httpx.Response) -> str:
    """Returns what is wrong with an answer that is no success; UNAVAILABLE with a hint when to try again is right."""
    said = f"{answer.status_code} {answer.text[:300]}"
    if answer.status_code != 503:
        return f"answered {said}"
    details = answer.json().get("details", ())
    if not any(str(detail.get("@type", "")).endswith("google.rpc.RetryInfo") for detail in details):
        return f"answered without a hint when to try again: {said}"
    return "" if answer.headers.get("retry-after") else f"answered without Retry-After: {said}"
