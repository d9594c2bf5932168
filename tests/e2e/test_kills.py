"""One process after another is killed at a random moment of an analysis: the numbers stay the same and nothing is there twice. More of it: `make chaos`."""

import secrets
from pathlib import Path

import pytest

from chaos.clip import write_clip
from chaos.kills import run_kills
from chaos.stack import Target
from tests.e2e.conftest import RunningStack

_ROUNDS = 5


@pytest.mark.timeout(400)
def test_an_analysis_survives_the_death_of_any_process(stack: RunningStack, tmp_path: Path) -> None:
    seed = secrets.randbits(32)
    said = [f"seed {seed}"]
    target = Target(url=stack.url, state=stack.state, profile=stack.profile)
    clip = write_clip(tmp_path / "clip.mp4", 1.0)
    done = run_kills(target, clip, rounds=_ROUNDS, seed=seed, tell=said.append)
    assert len(done) == _ROUNDS
    assert not [problem for each in done for problem in each.problems], "\n".join(said)
    print("\n".join(said))
