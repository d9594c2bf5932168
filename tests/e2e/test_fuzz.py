"""Hostile input through the gateway, some of it from a seed in every run; `make fuzz` sends a hundred thousand."""

import asyncio

import pytest

from fuzz import wire
from fuzz.tally import table
from fuzz.target import Target, prepare
from tests.e2e.conftest import RunningStack

SEED = 20
CASES = {"http": 250, "grpc": 60, "uploads": 15, "sockets": 60}


@pytest.fixture(scope="module")
def target(stack: RunningStack) -> Target:
    return prepare(stack.url, stack.credentials)


@pytest.mark.timeout(180)
def test_hostile_input_ends_as_it_may_and_leaves_the_stack_as_it_was(stack: RunningStack, target: Target) -> None:
    watch = wire.StackWatch(state=stack.state)
    watch.begin()
    tallies = [asyncio.run(wire.shoot(entry, SEED, case_count, target, watch)) for entry, case_count in CASES.items()]
    tallies.append(wire.close_watch(watch))
    assert not any(tally.finding_counts for tally in tallies), table(tallies)
    assert all(tally.case_count == CASES[tally.entry] for tally in tallies[:-1])
