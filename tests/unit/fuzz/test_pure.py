"""Files and texts of strangers, some of them from a seed in every run; `make fuzz` sends a hundred thousand."""

from __future__ import annotations

import random

import pytest

from fuzz import media_files, messages, values
from fuzz.isolation import run_here, run_isolated
from fuzz.pure import ENTRIES
from fuzz.tally import CRASH, HANG, INTERNAL, random_for, table
from tests.support import contracts

SEED = 20
CASES = {
    "video": 200,
    "sound": 60,
    "picture": 200,
    "motchallenge": 200,
    "tracker state": 150,
    "motion file": 90,
    "names and filters": 200,
    "tokens": 100,
}


def test_every_entry_has_cases() -> None:
    assert set(CASES) == set(ENTRIES)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("entry", CASES)
def test_hostile_input_ends_as_it_may(entry: str) -> None:
    tally = run_here(entry, SEED, CASES[entry])
    assert not tally.finding_counts, table([tally])
    assert tally.case_count == CASES[entry]
    assert len(tally.outcomes) >= 2, f"cases that all end alike test little: {tally.outcomes}"


def test_a_case_can_be_made_again() -> None:
    for index in range(30):
        first, again = (random_for(7, "video", index) for _ in range(2))
        assert media_files.broken_video(first) == media_files.broken_video(again)
    descriptor = contracts.find("AssetService.UpdateAsset").input_type
    one, other = (messages.random_message(random.Random(3), descriptor, ["a"]) for _ in range(2))
    assert one.SerializeToString(deterministic=True) == other.SerializeToString(deterministic=True)
    assert values.damaged(random.Random(1), b"abc" * 50) == values.damaged(random.Random(1), b"abc" * 50)


def test_what_must_not_happen_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: random.Random) -> str:
        raise KeyError("x")

    monkeypatch.setitem(ENTRIES, "tokens", fail)  # type: ignore[arg-type]  a mapping that is not to be changed, but for this
    tally = run_here("tokens", SEED, 3)
    assert tally.finding_counts == {INTERNAL: 3}
    assert [finding.index for finding in tally.findings] == [0]
    assert "KeyError" in table([tally])


def test_cases_run_in_a_process_of_their_own() -> None:
    tally = run_isolated("names and filters", SEED, 20)
    assert tally.case_count == 20
    assert not tally.finding_counts, table([tally])
    assert tally.finding_counts[CRASH] == tally.finding_counts[HANG] == 0
    assert tally.peak_bytes > 10 << 20
