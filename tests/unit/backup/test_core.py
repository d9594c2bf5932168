"""Names, the log's order, and what is kept how long."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from praxiscope_backup.__main__ import main
from praxiscope_backup.core import catalogue, retention, wal
from praxiscope_backup.core.catalogue import Base
from praxiscope_backup.core.retention import Tiers
from praxiscope_backup.core.wal import Segment
from praxiscope_backup.objects import ObjectBackup
from praxiscope_common.storage.filesystem import FilesystemStore

_NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


def _base(began: datetime, number: int) -> Base:
    return Base(
        name=catalogue.name_of(began),
        ended=began + timedelta(minutes=5),
        first_wal=Segment(number=number, timeline=1).name,
        last_wal=Segment(number=number + 2, timeline=1).name,
        size_bytes=1,
        sha256="0" * 64,
    )


def _daily(days: int) -> list[Base]:
    """A base backup a night, each a hundred segments after the one before."""
    return [_base(_NOW - timedelta(days=day, hours=10), 100 * (days - day)) for day in range(days - 1, -1, -1)]


@given(st.integers(0, 2**32 - 1), st.integers(1, 2**32 - 1))
def test_a_segments_name_is_read_as_it_is_written(number: int, timeline: int) -> None:
    segment = Segment(number=number, timeline=timeline)
    assert wal.parse_segment(segment.name) == segment
    assert wal.is_archived_name(segment.name)


def test_the_255th_segment_is_followed_by_the_next_logs_first() -> None:
    """Source: PostgreSQL's names, as in 0000000100000000000000FF and 000000010000000100000000."""
    last = wal.parse_segment("0000000100000000000000FF")
    assert last is not None
    assert Segment(number=last.number + 1, timeline=1).name == "000000010000000100000000"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "..",
        "00000001000000000000000",
        "00000001000000000000000g",
        "000000010000000000000001.part",
        "a/../b",
        "1.history",
    ],
)
def test_other_names_are_none(name: str) -> None:
    assert not wal.is_archived_name(name)
    assert wal.parse_segment(name) is None


def test_a_hole_is_found_on_whatever_timeline() -> None:
    names = [
        "000000010000000000000004",
        "000000010000000000000005",
        "000000020000000000000006",
        "000000020000000000000008",
    ]
    assert wal.missing_numbers(names, Segment(number=4, timeline=1)) == [7]
    assert wal.missing_numbers([*names, "00000002.history"], Segment(number=8, timeline=2)) == []
    assert wal.missing_numbers([], Segment(number=4, timeline=1)) == []


def test_a_mark_says_whose_it_is_and_where_it_ends() -> None:
    mark = (
        "START WAL LOCATION: 0/2000028 (file 000000010000000000000002)\n"
        "STOP WAL LOCATION: 0/2000158 (file 000000010000000000000003)\nLABEL: praxiscope x\n"
    )
    assert wal.parse_mark(mark) == ("praxiscope x", "000000010000000000000003")
    assert wal.parse_mark("nothing") == ("", "")


def test_three_years_of_nights_leave_days_weeks_and_months() -> None:
    bases = _daily(1200)
    kept = retention.kept(bases, tiers=Tiers(), now=_NOW)
    ages = [(_NOW - base.began).days for base in kept]
    assert [age for age in ages if age < 30] == list(range(29, -1, -1))
    weeks = [age for age in ages if 30 < age < 84]
    assert all(later - earlier == 7 for earlier, later in itertools.pairwise(reversed(weeks))) or len(weeks) >= 7
    assert 36 <= len({(base.began.year, base.began.month) for base in kept}) <= 37
    assert max(ages) < 37 * 31
    assert len(kept) < 30 + 12 + 36 + 1


def test_backups_that_stopped_leave_the_last_one() -> None:
    old = [_base(_NOW - timedelta(days=4000 + day), 5) for day in range(3)]
    kept = retention.kept(old, tiers=Tiers(), now=_NOW)
    assert [base.name for base in kept] == [max(base.name for base in old)]
    assert retention.kept([], tiers=Tiers(), now=_NOW) == []


@settings(deadline=None)  # how long one takes says how busy the machine is
@given(st.lists(st.integers(0, 2000), min_size=1, max_size=60, unique=True), st.integers(0, 400))
def test_every_moment_of_the_window_can_be_reached_after_pruning(days: list[int], back_hours: int) -> None:
    bases = [_base(_NOW - timedelta(days=day, hours=10), 10_000 - 4 * day) for day in days]
    tiers = Tiers(days=2, weeks=2, months=2, point_in_time_days=14)
    kept = retention.kept(bases, tiers=tiers, now=_NOW)
    ranges = retention.needed_ranges(kept, tiers=tiers, now=_NOW)
    moment = _NOW - timedelta(hours=min(back_hours, 14 * 24))
    if not [base for base in bases if base.ended <= moment]:
        return
    chosen = catalogue.choose_base(kept, moment)
    first = wal.parse_segment(chosen.first_wal)
    assert first is not None
    # All that follows the base backup from which the moment is reached is still there.
    for number in range(first.number, 10_001):
        assert wal.is_needed(Segment(number=number, timeline=1).name, ranges=ranges)


def test_an_old_base_backup_keeps_the_log_that_makes_it_consistent_and_no_more() -> None:
    bases = _daily(100)
    tiers = Tiers(days=1, weeks=1, months=3, point_in_time_days=7)
    kept = retention.kept(bases, tiers=tiers, now=_NOW)
    ranges = retention.needed_ranges(kept, tiers=tiers, now=_NOW)
    oldest = wal.parse_segment(kept[0].first_wal)
    assert oldest is not None
    needed = [
        wal.is_needed(Segment(number=oldest.number + step, timeline=1).name, ranges=ranges) for step in range(-1, 5)
    ]
    assert needed == [False, True, True, True, False, False]
    assert wal.is_needed("00000007.history", ranges=ranges)


def test_what_is_known_of_a_base_backup_is_read_as_it_is_written() -> None:
    base = _base(_NOW, 7)
    assert catalogue.parse_base(base.to_json()) == base
    for text in (b"", b"{}", b"[]", b'{"ended": 3}', base.to_json().replace(b"sha256", b"md5"), b"\xff"):
        with pytest.raises(catalogue.BackupBrokenError):
            catalogue.parse_base(text)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-11-29T02:15:00", "2026-13-29T02:15:00Z"])
def test_a_moment_without_a_time_zone_is_none(text: str) -> None:
    with pytest.raises(catalogue.InvalidMomentError):
        catalogue.parse_moment(text)
    assert catalogue.parse_moment("2026-11-29T02:15:00+02:00") == datetime(2026, 11, 29, 0, 15, tzinfo=UTC)


async def test_objects_that_go_are_kept_for_a_while_and_come_back(tmp_path: Path) -> None:
    moment = [_NOW]
    source, store = FilesystemStore(tmp_path / "source"), FilesystemStore(tmp_path / "store")
    objects = ObjectBackup(source, store, now=lambda: moment[0])
    # Names whose order differs between text and folders.
    for key in (
        "projects/a/assets/x/v1/f",
        "projects/a-b/assets/y/v1/f",
        "projects/a/operations/o/partial/p",
        "system/m/v1/f",
    ):
        await source.put(key, key.encode())
    assert (await objects.mirror()).copied == 4
    await source.put("projects/a/operations/o/partial/p", b"further")
    await source.delete("projects/a-b/assets/y/v1/f")
    done = await objects.mirror()
    assert (done.copied, done.held, done.gone) == (1, 2, 1)
    moment[0] += timedelta(days=10)
    assert (await objects.mirror()).gone == 1
    assert await objects.prune(days=30) == 0

    # It was there a minute before it went, and an hour after that it was not.
    await source.delete("system/m/v1/f")
    assert await objects.restore(moment=_NOW + timedelta(hours=1)) == 1
    assert await objects.restore(moment=_NOW - timedelta(minutes=1)) == 1
    assert await _read(source, "projects/a-b/assets/y/v1/f") == b"projects/a-b/assets/y/v1/f"
    assert await objects.mirror() is not None
    moment[0] += timedelta(days=100)
    assert await objects.prune(days=30) == 0, "what came back is not removed for having been away"
    await source.delete("system/m/v1/f")
    await objects.mirror()
    moment[0] += timedelta(days=31)
    assert await objects.prune(days=30) == 1
    assert [key async for key in store.list("objects/system/")] == []


async def test_a_copy_that_is_not_what_it_should_be_is_none(tmp_path: Path) -> None:
    source, store = FilesystemStore(tmp_path / "source"), FilesystemStore(tmp_path / "store")
    await source.put("projects/a/assets/x/v1/f", b"as it was")

    class Rotten:
        def __getattr__(self, name: str) -> object:
            return getattr(source, name)

        async def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
            yield b"as it is"

    objects = ObjectBackup(Rotten(), store, now=lambda: _NOW)  # type: ignore[arg-type]  it is a store that rots
    with pytest.raises(catalogue.BackupBrokenError, match="projects/a/assets/x/v1/f"):
        await objects.mirror()
    assert [key async for key in store.list("objects/")] == []


async def _read(store: FilesystemStore, key: str) -> bytes:
    return b"".join([chunk async for chunk in store.read(key)])


def test_the_commands_say_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mirror"], {}) == 1
    said = capsys.readouterr().err
    assert "PRAXISCOPE_BACKUP_STORE_ROOT is not set." in said
    environ = {"PRAXISCOPE_BACKUP_STORE_ROOT": str(tmp_path)}
    assert main(["check"], environ) == 1
    assert "There is no base backup." in capsys.readouterr().err
    assert main(["restore-database", str(tmp_path / "d"), "--wal", str(tmp_path / "w"), "--time", "noon"], environ) == 1
    assert "'noon' is no moment" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["restore"], environ)
