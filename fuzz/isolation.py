"""Runs plain code in a process of its own, so that a crash, a hang or a flood of memory is seen and survived."""

from __future__ import annotations

import multiprocessing
import os
import resource
import time
import traceback
import warnings
from multiprocessing.connection import Connection

import av.logging

from fuzz.pure import ENTRIES
from fuzz.tally import CRASH, GROWTH, HANG, INTERNAL, Tally, random_for
from praxiscope_common.errors import DomainError

CASE_LIMIT_S = 20.0
# What one process may map on top of what it has once everything is imported; one 8K frame decoded by two threads has some 400 MiB.
MEMORY_LIMIT_BYTES = 3 << 30
# How much more a process may hold at its peak than before its first case.
GROWTH_LIMIT_BYTES = 1500 << 20


def run_isolated(entry: str, seed: int, case_count: int) -> Tally:
    """Runs an entry's cases in a child that is started again where it dies or hangs."""
    tally = Tally(entry=entry)
    started_s = time.monotonic()
    context = multiprocessing.get_context("spawn")
    index = 0
    while index < case_count:
        ours, theirs = context.Pipe()
        child = context.Process(target=_work, args=(theirs, entry, seed, index, case_count), daemon=True)
        child.start()
        theirs.close()
        index = _follow(ours, tally, index)
        child.kill()
        child.join()
        if index < case_count and child.exitcode not in (0, -9):
            tally.find(CRASH, index, f"the process ended with {child.exitcode}")
        index += 1
    tally.elapsed_s = time.monotonic() - started_s
    return tally


def run_here(entry: str, seed: int, case_count: int) -> Tally:
    """Runs an entry's cases in this process: for tests, where pytest's own time limit stands guard."""
    tally = Tally(entry=entry)
    started_s = time.monotonic()
    for index in range(case_count):
        outcome, elapsed_s, problem = run_case(entry, seed, index)
        tally.note(index, outcome, elapsed_s)
        if problem:
            tally.find(INTERNAL, index, problem)
        elif elapsed_s > CASE_LIMIT_S:
            tally.find(HANG, index, f"{elapsed_s:.0f} s")
    tally.elapsed_s = time.monotonic() - started_s
    return tally


def run_case(entry: str, seed: int, index: int) -> tuple[str, float, str]:
    """Runs one case; returns its outcome, its time, and what was wrong, or nothing."""
    started_s = time.monotonic()
    try:
        outcome, problem = ENTRIES[entry](random_for(seed, entry, index)), ""
    except DomainError as error:
        outcome, problem = error.reason, ""
    except Exception as error:  # noqa: BLE001  whatever is no domain error is a finding
        place = traceback.extract_tb(error.__traceback__)[-1]
        outcome, problem = (
            INTERNAL,
            f"{type(error).__name__}: {error} ({os.path.basename(place.filename)}:{place.lineno})"[:400],
        )
    return outcome, time.monotonic() - started_s, problem


def _follow(pipe: Connection, tally: Tally, index: int) -> int:
    """Counts what the child tells; returns the case at which it ended."""
    try:
        while pipe.poll(CASE_LIMIT_S + (60.0 if tally.peak_bytes == 0 else 0.0)):  # it imports first
            index, outcome, elapsed_s, problem, peak_bytes, grown_bytes = pipe.recv()
            tally.peak_bytes = max(tally.peak_bytes, peak_bytes)
            if not outcome:
                continue
            tally.note(index, outcome, elapsed_s)
            if problem:
                tally.find(INTERNAL, index, problem)
            if grown_bytes > GROWTH_LIMIT_BYTES:
                tally.find(GROWTH, index, f"{grown_bytes >> 20} MiB more than before the first case")
            index += 1
    except EOFError:
        return index
    tally.find(HANG, index, f"no answer in {CASE_LIMIT_S:.0f} s")
    return index


def _work(pipe: Connection, entry: str, seed: int, start: int, end: int) -> None:
    av.logging.set_level(None)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # decoders write a line for every picture that is broken
    warnings.simplefilter("error")  # arithmetic that overflows is a finding, even where the result is thrown away
    run_case(entry, seed, -1)  # what is made once is made now
    base_bytes = _peak_bytes()
    mapped_bytes = _mapped_bytes()
    resource.setrlimit(resource.RLIMIT_AS, (mapped_bytes + MEMORY_LIMIT_BYTES,) * 2)
    reported_growth = False
    for index in range(start, end):
        pipe.send((index, "", 0.0, "", _peak_bytes(), 0))
        outcome, elapsed_s, problem = run_case(entry, seed, index)
        peak_bytes = _peak_bytes()
        grown_bytes = 0 if reported_growth else peak_bytes - base_bytes
        reported_growth = reported_growth or grown_bytes > GROWTH_LIMIT_BYTES
        pipe.send((index, outcome, elapsed_s, problem, peak_bytes, grown_bytes))


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def _mapped_bytes() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * resource.getpagesize()
