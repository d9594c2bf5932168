"""Names, page tokens, keys of objects, settings and records: properties that hold for any input."""

from __future__ import annotations

import io
import string
import tracemalloc
from datetime import datetime, timezone
from pathlib import Path

import pytest
import zstandard
from google.protobuf.wrappers_pb2 import StringValue
from hypothesis import given
from hypothesis import strategies as st

from praxiscope_common import names, paging
from praxiscope_common.config import ConfigError, EnvironmentReader, Secret
from praxiscope_common.storage.port import InvalidKeyError, check_key
from praxiscope_common.storage.records import BrokenRecordsError, decode_records, encode_records

SEGMENTS = st.text(string.ascii_lowercase + string.digits + "-", min_size=1, max_size=64)
ANY_TEXT = st.text(max_size=80)


# Names


@given(SEGMENTS, SEGMENTS)
def test_a_name_is_taken_apart_as_it_was_put_together(project: str, asset: str) -> None:
    assert names.ASSET.parse(names.ASSET.format(project, asset)) == (project, asset)


@given(ANY_TEXT)
def test_what_is_parsed_is_what_would_be_formatted(text: str) -> None:
    for form in (names.PROJECT, names.ASSET, names.ASSET_VERSION, names.USER, names.MEMBER, names.API_KEY):
        try:
            segments = form.parse(text)
        except names.InvalidNameError as error:
            assert not form.matches(text)
            assert error.metadata == {"name": text, "pattern": form.pattern}
        else:
            assert form.format(*segments) == text


@pytest.mark.parametrize("tail", ["\n", "/", " ", "/x", "\x00", "?", "A"])
def test_nothing_hangs_on_a_name(tail: str) -> None:
    assert not names.PROJECT.matches(f"projects/abc{tail}")
    assert names.project_of(f"projects/abc{tail}") == ("abc" if tail.startswith("/") else None)


def test_ids_are_128_random_bits() -> None:
    made = {names.new_id() for _ in range(1000)}
    assert len(made) == 1000
    assert all(len(item) == 26 and names.PROJECT.matches(f"projects/{item}") for item in made)


@given(ANY_TEXT, ANY_TEXT)
def test_an_id_of_a_text_is_that_texts_alone(one: str, other: str) -> None:
    assert (names.id_from(one) == names.id_from(other)) is (one == other)
    assert len(names.id_from(one)) == 26


# Page tokens


@given(st.datetimes(timezones=st.just(timezone.utc)), SEGMENTS, ANY_TEXT, ANY_TEXT)
def test_a_page_token_belongs_to_its_question(time: datetime, item: str, question: str, other: str) -> None:
    position = (time.isoformat(), item)
    token = paging.encode_page_token(position, question)
    assert paging.decode_page_token(token, question) == position
    if question != other:
        with pytest.raises(paging.InvalidPageTokenError):
            paging.decode_page_token(token, other)


@given(st.one_of(ANY_TEXT, st.binary(max_size=60).map(lambda data: data.decode("latin-1"))))
def test_nothing_else_is_a_page_token(text: str) -> None:
    if not text:
        assert paging.decode_page_token(text, "question") is None
        return
    with pytest.raises(paging.InvalidPageTokenError):
        paging.decode_page_token(text, "question")


@pytest.mark.parametrize(("requested", "size"), [(0, 50), (1, 1), (1000, 1000), (100_000, 1000)])
def test_a_page_has_as_many_rows_as_were_asked_for_within_reason(requested: int, size: int) -> None:
    assert paging.page_size_of(requested) == size


# Keys of objects


@given(st.text(max_size=40))
def test_a_key_stays_below_its_root(text: str) -> None:
    try:
        key = check_key(text)
    except InvalidKeyError:
        return
    root = Path("/store")
    assert (root / key).resolve().is_relative_to(root)
    assert (root / key).as_posix() == f"/store/{text}"


# Settings


def test_every_problem_is_reported_at_once() -> None:
    environ = {"X_PORT": "many", "X_ON": "perhaps", "X_RATE": "fast", "X_KEY_FILE": "/nowhere/key", "X_EMPTY": ""}
    reader = EnvironmentReader(environ, "X_")
    reader.integer("PORT")
    reader.flag("ON")
    reader.number("RATE")
    reader.secret_file("KEY_FILE")
    reader.text("EMPTY")
    reader.text("MISSING")
    assert reader.text("NAME", "default") == "default"
    with pytest.raises(ConfigError) as caught:
        reader.finish()
    assert [problem.split("=")[0].split(" ")[0] for problem in caught.value.problems] == [
        *("X_PORT", "X_ON", "X_RATE", "X_KEY_FILE", "X_EMPTY", "X_MISSING")
    ]


def test_settings_are_read_as_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("  hidden\n")
    environ = {"X_A": "5", "X_B": "TRUE", "X_C": "a, b,,c", "X_D": "0.5", "X_E": str(tmp_path / "key")}
    reader = EnvironmentReader(environ, "X_")
    assert (reader.integer("A"), reader.flag("B"), reader.words("C"), reader.number("D")) == (
        5,
        True,
        ("a", "b", "c"),
        0.5,
    )
    secret = reader.secret_file("E")
    assert secret.reveal() == "hidden"
    reader.finish()


@given(st.text(min_size=8))
def test_a_secret_shows_in_nothing(value: str) -> None:
    secret = Secret(value)
    assert value not in f"{secret} {secret!r} {[secret]}" or value in "Secret(…)"
    assert secret.reveal() == value
    assert not hasattr(secret, "__dict__")


# Records


@given(st.lists(st.text(max_size=200), max_size=30))
def test_records_come_back_in_their_order(texts: list[str]) -> None:
    encoded = encode_records([StringValue(value=text) for text in texts])
    read = decode_records(io.BytesIO(encoded), None, StringValue)
    assert [record.value for record in read if isinstance(record, StringValue)] == texts


def test_files_of_records_joined_are_a_file_of_records() -> None:
    one, two = (encode_records([StringValue(value=text) for text in texts]) for texts in (("a", "b"), ("c",)))
    read = decode_records(io.BytesIO(one + two), None, StringValue)
    assert [record.value for record in read if isinstance(record, StringValue)] == ["a", "b", "c"]


@given(st.integers(0, 200), st.binary(min_size=1, max_size=4))
def test_a_damaged_file_is_said_to_be_damaged(position: int, noise: bytes) -> None:
    texts = [str(number) * 20 for number in range(40)]
    encoded = bytearray(encode_records([StringValue(value=text) for text in texts]))
    place = position % len(encoded)
    damaged = bytes(encoded[:place]) + noise + bytes(encoded[place + len(noise) :])
    try:
        read = list(decode_records(io.BytesIO(damaged), None, StringValue))
    except BrokenRecordsError:
        return
    assert [record.value for record in read if isinstance(record, StringValue)] == texts, "or it was not noticed"


@given(st.integers(1, 30))
def test_a_file_that_is_cut_off_is_said_to_be(missing: int) -> None:
    encoded = encode_records([StringValue(value=f"{number} of many different ones") for number in range(40)])
    with pytest.raises(BrokenRecordsError):
        list(decode_records(io.BytesIO(encoded[:-missing]), None, StringValue))


def test_a_file_that_grows_without_end_is_read_in_small_pieces() -> None:
    """Four bytes of zstd can stand for 128 KiB; whoever asks for a piece must not get it all."""
    bomb = zstandard.compress(bytes(1 << 30))
    assert len(bomb) < 1 << 17
    tracemalloc.start()
    try:
        reading = decode_records(io.BytesIO(bomb), None, StringValue)
        assert [message.value for message, _ in zip(reading, range(1000), strict=False)] == [""] * 1000
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 64 << 20


def test_a_file_that_asks_for_a_huge_window_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=27, enable_ldm=False)
    greedy = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    content = greedy.compress(bytes(1 << 20)) + greedy.flush()
    with pytest.raises(BrokenRecordsError):
        list(decode_records(io.BytesIO(content), None, StringValue))
