"""Points in time and lengths of time that protobuf can write and no calendar holds: every conversion of one would raise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from praxiscope_common.errors import FieldViolation

_TIMESTAMP, _DURATION = "google.protobuf.Timestamp", "google.protobuf.Duration"
# As google/protobuf/timestamp.proto and duration.proto say: the years 1 to 9999, and ten thousand years.
_FIRST_S, _LAST_S = -62_135_596_800, 253_402_300_799
_LONGEST_S = 315_576_000_000
_NANOS = 999_999_999


def impossible_times(message: Message, path: str = "") -> Iterator[FieldViolation]:
    """Yields every Timestamp and Duration in a message that is outside its range."""
    for field in _fields_with_times(message.DESCRIPTOR):
        for place, value in _values(message, field, path + field.name):
            kind: Descriptor = value.DESCRIPTOR
            if kind.full_name not in (_TIMESTAMP, _DURATION):
                yield from impossible_times(value, f"{place}.")
            elif not _is_possible(value, kind.full_name):
                yield FieldViolation(field=place, description=f"Expected a {kind.name} within its range.")


def _is_possible(value: Any, kind: str) -> bool:  # noqa: ANN401  a Timestamp or a Duration
    if kind == _TIMESTAMP:
        return _FIRST_S <= value.seconds <= _LAST_S and 0 <= value.nanos <= _NANOS
    has_one_sign = value.seconds * value.nanos >= 0
    return abs(value.seconds) <= _LONGEST_S and abs(value.nanos) <= _NANOS and has_one_sign


def _values(message: Message, field: FieldDescriptor, path: str) -> Iterator[tuple[str, Any]]:
    if not field.is_repeated:
        if message.HasField(field.name):
            yield path, getattr(message, field.name)
    else:
        rows = getattr(message, field.name)
        for index, row in enumerate(rows):
            yield f"{path}[{index}]", row


@lru_cache(maxsize=1024)
def _fields_with_times(descriptor: Descriptor) -> Sequence[FieldDescriptor]:
    return [field for field in descriptor.fields if _leads_to_time(field, frozenset())]


def _leads_to_time(field: FieldDescriptor, seen: frozenset[str]) -> bool:
    kind = field.message_type
    if kind is None or kind.full_name in seen or kind.GetOptions().map_entry:  # no contract of ours maps to times
        return False
    if kind.full_name in (_TIMESTAMP, _DURATION):
        return True
    return any(_leads_to_time(inner, seen | {kind.full_name}) for inner in kind.fields)
