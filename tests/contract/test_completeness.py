"""Every method has a test of its success and of each reason it declares, or stands here with the reason why not."""

from __future__ import annotations

import importlib
from pathlib import Path

from praxiscope_common.access import access_of
from tests.support import contracts
from tests.support.calls import OK
from tests.support.coverage import claims
from tests.support.examples import EXAMPLES

# (method, outcome): why no test here sees it.
KNOWN_GAPS: dict[tuple[str, str], str] = {}


def _declared() -> set[tuple[str, str]]:
    declared: set[tuple[str, str]] = set()
    for short in EXAMPLES:
        method = contracts.find(short)
        reasons = access_of(f"/{method.containing_service.full_name}/{method.name}").error_reasons
        declared |= {(short, outcome) for outcome in (OK, *reasons)}
    return declared


def _claimed() -> set[tuple[str, str]]:
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        importlib.import_module(f"tests.contract.{path.stem}")
    return claims


def test_every_outcome_that_a_method_declares_is_seen_by_a_test() -> None:
    missing = _declared() - _claimed() - set(KNOWN_GAPS)
    assert sorted(missing) == []


def test_no_test_claims_what_no_contract_declares() -> None:
    """A reason that a test sees and the contract does not name is missing in the contract."""
    assert sorted(_claimed() - _declared()) == []


def test_the_known_gaps_are_gaps_and_say_why() -> None:
    assert sorted(set(KNOWN_GAPS) & _claimed()) == []
    assert sorted(set(KNOWN_GAPS) - _declared()) == []
    assert all(len(why) > 20 for why in KNOWN_GAPS.values())
