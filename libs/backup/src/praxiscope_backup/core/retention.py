"""Which base backups are kept: the newest of each of the last days, weeks and months."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from praxiscope_backup.core.catalogue import Base
from praxiscope_backup.core.wal import parse_segment


@dataclass(frozen=True, kw_only=True)
class Tiers:
    """How long backups are kept.

    Attributes:
        days: So many days have their newest base backup kept.
        weeks: So many weeks, from Monday to Sunday.
        months: So many months.
        point_in_time_days: So far back any moment can be reached, since all of the log is kept.
    """

    days: int = 30
    weeks: int = 12
    months: int = 36
    point_in_time_days: int = 30


def kept(bases: Iterable[Base], *, tiers: Tiers, now: datetime) -> list[Base]:
    """Returns the base backups to keep, oldest first.

    The newest is always among them, however old it is: a cluster whose backups stopped must not lose its last one. So is the one that a recovery to the
    beginning of the point-in-time window starts from.
    """
    ordered = sorted(bases, key=lambda base: base.began)
    chosen: set[str] = {ordered[-1].name} if ordered else set()
    for periods, start_of in (
        (tiers.days, lambda moment: moment.date().toordinal()),
        (tiers.weeks, lambda moment: (moment.date().toordinal() - 1) // 7),
        (tiers.months, lambda moment: moment.year * 12 + moment.month),
    ):
        newest: dict[int, str] = {start_of(base.began): base.name for base in ordered}
        chosen |= {name for period, name in newest.items() if start_of(now) - period < periods}
    before_window = [base.name for base in ordered if base.ended <= now - timedelta(days=tiers.point_in_time_days)]
    chosen |= set(before_window[-1:])
    return [base for base in ordered if base.name in chosen]


def needed_ranges(bases: Iterable[Base], *, tiers: Tiers, now: datetime) -> list[tuple[int, int | None]]:
    """Returns the numbers of segments that kept base backups need: all that follow for those of the window, their own for older ones."""
    begins = now - timedelta(days=tiers.point_in_time_days)
    ordered = sorted(bases, key=lambda base: base.began)
    older = [base for base in ordered if base.ended <= begins]
    ranges: list[tuple[int, int | None]] = []
    for base in ordered:
        first, last = parse_segment(base.first_wal), parse_segment(base.last_wal)
        is_own_only = base in older[:-1]
        ranges.append((first.number if first else 0, last.number if is_own_only and last else None))
    return ranges
