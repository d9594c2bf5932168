"""Files that are next to nothing, opened as the object store gives them: as file objects, not paths."""

import io

import pytest

from praxiscope_media import MediaUnreadableError, VideoSource


@pytest.mark.parametrize(
    "content", [b"", b"\x00", b"hello\n", b"\xff" * 64], ids=["empty", "one byte", "text", "noise"]
)
def test_a_file_object_with_next_to_nothing_is_unreadable(content: bytes) -> None:
    with pytest.raises(MediaUnreadableError):
        VideoSource.open(io.BytesIO(content))


def test_a_fault_of_the_store_is_not_taken_for_a_bad_file() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(5, "input/output error")

    with pytest.raises(OSError, match="input/output"):
        VideoSource.open(Broken(b"x" * 1000))
