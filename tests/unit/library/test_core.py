"""How uploads are cut, what filters mean, and where files lie."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from library_service.core import parts
from library_service.core.errors import InvalidFilterError, PartOutOfRangeError
from library_service.core.filters import parse_filter
from library_service.core.media_types import media_type_of
from library_service.core.types import Upload
from praxiscope_common.storage.port import check_key

SIZES = st.one_of(st.integers(0, 100 << 20), st.integers(0, 64 << 30))


def upload_of(size_bytes: int) -> Upload:
    """Returns an upload of a size."""
    return Upload(
        project_id="project",
        upload_id="upload",
        kind="KIND_FILE",
        file_name="a",
        display_name="a",
        content_type="",
        size_bytes=size_bytes,
        sha256="",
        part_size_bytes=parts.part_size_bytes(size_bytes),
        asset_id="asset",
        is_new_asset=True,
        creator="",
    )


@given(SIZES)
def test_parts_cover_the_whole_without_gap_or_overlap(size_bytes: int) -> None:
    cut = parts.parts_of(upload_of(size_bytes))
    assert len(cut) <= parts.MAX_PART_COUNT
    end = 0
    for number, part in enumerate(cut, start=1):
        assert (part.number, part.offset_bytes) == (number, end)
        assert part.size_bytes > 0
        end += part.size_bytes
        check_key(part.object_key)
    assert end == size_bytes
    assert all(part.size_bytes >= parts.MIN_PART_SIZE_BYTES for part in cut[:-1]), "S3 takes no smaller ones"


@given(SIZES, st.integers())
def test_there_is_no_part_beyond_the_last(size_bytes: int, number: int) -> None:
    upload = upload_of(size_bytes)
    if 1 <= number <= parts.part_count(upload):
        assert parts.part_of(upload, number).number == number
    else:
        with pytest.raises(PartOutOfRangeError):
            parts.part_of(upload, number)


def test_only_parts_of_the_upload_count_as_received() -> None:
    upload = upload_of(3 * parts.MIN_PART_SIZE_BYTES)
    prefix = parts.parts_prefix(upload)
    keys = [f"{prefix}{name}" for name in ("00002", "00001", "00009", "00000", "x", "1/2")]
    assert parts.received_numbers(upload, keys) == [1, 2]


@given(st.text(min_size=1, max_size=200))
def test_a_file_of_any_name_has_a_key(name: str) -> None:
    key = check_key(parts.file_object_key("project", "asset", 3, name.replace("/", "-")))
    assert key.startswith("projects/project/assets/asset/v3/")
    assert key.count("/") == 5


def test_a_file_keeps_its_folder_and_its_ending() -> None:
    assert parts.file_object_key("p", "a", 1, "deep/er/jump 1.mp4") == "projects/p/assets/a/v1/deep/er/jump_1.mp4"


@given(st.text(alphabet='kind=display_name labels.x create_time AND KIND_VIDEO"\\:<>!*0123456789-T', max_size=60))
def test_a_filter_is_understood_or_refused_with_a_place(text: str) -> None:
    try:
        conditions = parse_filter(text)
    except InvalidFilterError as error:
        assert 1 <= int(error.metadata["position"]) <= len(text) + 1
    else:
        assert (len(conditions) == 0) is (not text.strip())


def test_conditions_are_read_with_their_values() -> None:
    kind, name, label = parse_filter(r'kind != KIND_VIDEO AND display_name : "a \"b\" \\ c" and labels.person=ada')
    assert (kind.field, kind.operator, kind.value) == ("kind", "!=", "KIND_VIDEO")
    assert (name.operator, name.value) == (":", 'a "b" \\ c')
    assert (label.field, label.key, label.value) == ("labels", "person", "ada")


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("a.MP4", "video/mp4"),
        ("a.tar.gz", "application/octet-stream"),
        ("mp4", "video/mp4"),
        ("", "application/octet-stream"),
    ],
)
def test_a_files_ending_tells_its_type(name: str, media_type: str) -> None:
    assert media_type_of(name) == media_type
