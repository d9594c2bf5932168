"""What came of many cases: how they ended, what took longest, and what should never have happened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

INTERNAL, CRASH, HANG, GROWTH = "INTERNAL", "crash", "hang", "growth"
_FINDINGS_KEPT = 20


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that must not happen.

    Attributes:
        kind: `INTERNAL`, `crash`, `hang` or `growth`.
        index: The case; with the seed and the entry's name it can be made again.
        what: What was seen.
    """

    kind: str
    index: int
    what: str


@dataclass(kw_only=True)
class Tally:
    """What came of one entry's cases.

    Attributes:
        entry: The entry's name.
        case_count: How many cases there were.
        outcomes: How they ended: `OK`, or the reason of the refusal.
        finding_counts: How often something happened that must not.
        findings: The first of them.
        slowest_s: The longest case.
        slowest_index: Which it was.
        elapsed_s: All cases together.
        peak_bytes: The most memory that the process held which did the work.
    """

    entry: str
    case_count: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    finding_counts: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    slowest_s: float = 0.0
    slowest_index: int = 0
    elapsed_s: float = 0.0
    peak_bytes: int = 0

    def note(self, index: int, outcome: str, elapsed_s: float) -> None:
        """Counts a case that ended as it may."""
        self.case_count += 1
        self.outcomes[outcome] += 1
        if elapsed_s > self.slowest_s:
            self.slowest_s, self.slowest_index = elapsed_s, index

    def find(self, kind: str, index: int, what: str) -> None:
        """Counts something that must not happen; what was seen before is counted and not listed again."""
        self.finding_counts[kind] += 1
        is_new = all((item.kind, item.what) != (kind, what) for item in self.findings)
        if is_new and len(self.findings) < _FINDINGS_KEPT:
            self.findings.append(Finding(kind=kind, index=index, what=what))


def random_for(seed: int, entry: str, index: int) -> Random:
    """Returns the randomness of one case: the same for the same seed, entry and index."""
    return Random(f"{seed}/{entry}/{index}")


def table(tallies: Sequence[Tally]) -> str:
    """Returns what came of every entry as lines to read."""
    lines = [
        f"{'entry':20} {'cases':>7} {'time':>8} {'slowest':>9} {'INTERNAL':>8} {'crash':>5} {'hang':>4} {'growth':>6} {'peak':>8}  outcomes"
    ]
    for tally in tallies:
        common = ", ".join(f"{outcome} {count}" for outcome, count in tally.outcomes.most_common(6))
        counts = tally.finding_counts
        lines.append(
            f"{tally.entry:20} {tally.case_count:7d} {tally.elapsed_s:6.1f} s {tally.slowest_s * 1e3:6.0f} ms {counts[INTERNAL]:8d} {counts[CRASH]:5d}"
            f" {counts[HANG]:4d} {counts[GROWTH]:6d} {tally.peak_bytes >> 20:5d} MiB  {common}"
        )
    total = sum(tally.case_count for tally in tallies)
    found = sum(tally.finding_counts.total() for tally in tallies)
    lines.append(f"{'together':20} {total:7d} {sum(tally.elapsed_s for tally in tallies):6.1f} s; findings: {found}")
    for tally in tallies:
        lines.extend(f"{tally.entry} case {item.index}: {item.kind}: {item.what}" for item in tally.findings)
    return "\n".join(lines)
