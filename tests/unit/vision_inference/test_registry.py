from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from praxiscope_common.errors import DomainError
from vision_inference_service.core.registry import (
    LATENCY_BOUNDS_S,
    UNLOAD_AFTER,
    Figures,
    ModelRecord,
    ModelVersion,
    NothingToRollBackError,
    VersionState,
    choose_version,
    deploy,
    finish_loading,
    first_record,
    retire,
    roll_back,
    set_traffic,
    wanted_versions,
)

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)


def ready(record: ModelRecord, version: int) -> ModelRecord:
    loading = deploy(record, version, memory_bytes=0, editor="me")
    return finish_loading(loading, version, problem="")


def shared(record: ModelRecord, *percents: tuple[int, int]) -> ModelRecord:
    return set_traffic(record, percents, etag=record.etag, editor="me")


def test_without_anything_deployed_everything_goes_to_the_first_version() -> None:
    record = first_record("net")
    assert {choose_version(record, f"stream {number}") for number in range(200)} == {1}


@given(st.integers(0, 100), st.integers(0, 100))
def test_a_version_keeps_its_streams_when_its_share_grows_and_gets_about_its_share(before: int, after: int) -> None:
    record = ready(first_record("net"), 2)
    keys = [f"stream {number}" for number in range(500)]

    def streams_of(percent: int) -> set[str]:
        divided = shared(record, (1, 100 - percent), (2, percent))
        return {key for key in keys if choose_version(divided, key) == 2}

    fewer, more = sorted([before, after])
    assert streams_of(fewer) <= streams_of(more)
    assert abs(len(streams_of(more)) / len(keys) - more / 100) < 0.08  # more than three standard deviations


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("deploy"), st.integers(1, 4), st.booleans()),
        st.tuples(st.just("share"), st.integers(1, 4), st.integers(0, 100)),
        st.tuples(st.just("roll back"), st.sampled_from([None, 1, 2, 3, 4]), st.none()),
        st.tuples(st.just("retire"), st.integers(1, 4), st.none()),
    ),
    max_size=25,
)


@given(STEPS)
def test_whatever_is_done_all_traffic_goes_to_versions_that_are_ready(steps: list[tuple[str, int | None, int]]) -> None:
    record = first_record("net")
    for what, version, value in steps:
        try:
            match what:
                case "deploy":
                    record = deploy(record, version or 1, memory_bytes=0, editor="me")
                    record = finish_loading(record, version or 1, problem="bad" if value else "")
                case "share":
                    other = record.stable_version
                    shares = {version or 1: value, other: 100 - value} if version != other else {other: 100}
                    record = shared(record, *shares.items())
                case "roll back":
                    record = roll_back(record, version=version, reason="", editor="me")
                case _:
                    record = retire(record, version or 1, editor="me")
        except (DomainError, KeyError):
            continue
        assert sum(item.traffic_percent for item in record.versions.values()) == 100
        for item in record.versions.values():
            assert item.state is VersionState.READY or item.traffic_percent == 0
        assert record.versions[record.stable_version].state is VersionState.READY
        assert record.previous_version != record.stable_version
        assert set(wanted_versions(record, NOW)) >= {
            version for version, item in record.versions.items() if item.traffic_percent
        }


def test_a_rollback_that_is_repeated_takes_back_no_more() -> None:
    record = shared(ready(first_record("net"), 2), (1, 90), (2, 10))
    back = roll_back(record, version=2, reason="slow", editor="me")
    assert roll_back(back, version=2, reason="slow", editor="me") == back
    with pytest.raises(NothingToRollBackError):
        roll_back(back, version=None, reason="", editor="me")


def test_a_version_that_took_over_gives_back_to_the_one_before_it() -> None:
    record = shared(ready(first_record("net"), 2), (2, 100))
    assert (record.stable_version, record.previous_version) == (2, 1)
    third = shared(ready(record, 3), (2, 50), (3, 50))
    back = roll_back(third, version=None, reason="", editor="me")
    assert (back.stable_version, back.previous_version, back.versions[2].traffic_percent) == (2, 1, 100)
    assert back.versions[1].state is VersionState.READY, "what was not tried stays"
    first = roll_back(back, version=None, reason="", editor="me")
    assert (first.stable_version, first.previous_version, first.versions[1].traffic_percent) == (1, None, 100)


def test_what_failed_may_be_deployed_again_and_keeps_its_figures() -> None:
    failed = finish_loading(deploy(first_record("net"), 2, memory_bytes=5, editor="me"), 2, problem="no such file")
    assert (failed.versions[2].state, failed.versions[2].message) == (VersionState.FAILED, "no such file")
    assert finish_loading(failed, 2, problem="") == failed, "nobody waits for it any more"
    again = deploy(failed, 2, memory_bytes=5, editor="me")
    assert again.versions[2].state is VersionState.LOADING


@pytest.mark.parametrize(("age", "stays"), [(timedelta(0), True), (UNLOAD_AFTER, False)], ids=["now", "later"])
def test_what_is_retired_stays_until_everybody_knows(age: timedelta, stays: bool) -> None:
    gone = ModelVersion(version=2, state=VersionState.RETIRED, update_time=NOW - age)
    record = first_record("net").with_versions([gone])
    assert wanted_versions(record, NOW) == ({1, 2} if stays else {1})


@given(st.lists(st.floats(0, 100), max_size=30))
def test_figures_count_every_answer_in_one_bucket(latencies_s: list[float]) -> None:
    figures = Figures()
    for latency_s in latencies_s:
        figures = figures.observe(latency_s, is_error=latency_s > 50)
    assert figures.request_count == sum(figures.latency_counts) == len(latencies_s)
    assert figures.error_count == sum(latency_s > 50 for latency_s in latencies_s)
    assert figures.latency_counts[-1] == sum(latency_s > LATENCY_BOUNDS_S[-1] for latency_s in latencies_s)
