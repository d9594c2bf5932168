"""Protobuf messages from their descriptors: of the contract's form with hostile values in it, and bytes that are none any more."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from fuzz import values

_MAX_DEPTH = 5
_COUNTS = (0, 1, 1, 2, 3, 40)
_MANY = 3000
_INTEGER_RANGES = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
    FieldDescriptor.CPPTYPE_ENUM: (-(2**31), 2**31 - 1),
}


def random_message(random: Random, descriptor: Descriptor, known: Sequence[str], depth: int = 0) -> Message:
    """Returns a message of a type.

    Args:
        random: Where chance comes from.
        descriptor: The type.
        known: Names and the like that mean something to whoever reads the message.
        depth: How deep in another message it stands.
    """
    message = GetMessageClass(descriptor)()
    for field in descriptor.fields:
        if random.random() < (0.75 if depth < 2 else 0.4):
            set_field(random, message, field, known, depth)
    return message


def change_message(random: Random, message: Message, known: Sequence[str], depth: int = 0) -> None:
    """Changes a field or some of a message, here or further down, and leaves the others as they are."""
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        field = random.choice(message.DESCRIPTOR.fields) if message.DESCRIPTOR.fields else None
        if field is None:
            return
        is_single_message = field.message_type is not None and not field.is_repeated
        if is_single_message and message.HasField(field.name) and random.random() < 0.7 and depth < _MAX_DEPTH:
            change_message(random, getattr(message, field.name), known, depth + 1)
        elif random.random() < 0.1:
            message.ClearField(field.name)
        else:
            set_field(random, message, field, known, depth)


def set_field(random: Random, message: Message, field: FieldDescriptor, known: Sequence[str], depth: int) -> None:
    """Sets one field to something."""
    if field.message_type is not None and depth >= _MAX_DEPTH:
        return
    if not field.is_repeated:
        if field.message_type is not None:
            getattr(message, field.name).CopyFrom(random_message(random, field.message_type, known, depth + 1))
        else:
            setattr(message, field.name, _scalar(random, field, known))
        return
    message.ClearField(field.name)
    rows: Any = getattr(message, field.name)
    count = _MANY if random.random() < 0.01 and field.message_type is None else random.choice(_COUNTS)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        key, value = field.message_type.fields_by_name["key"], field.message_type.fields_by_name["value"]
        for _ in range(count):
            if value.message_type is None:
                rows[_scalar(random, key, known)] = _scalar(random, value, known)
            else:
                rows[_scalar(random, key, known)].CopyFrom(random_message(random, value.message_type, known, depth + 1))
    elif field.message_type is not None:
        rows.extend(random_message(random, field.message_type, known, depth + 1) for _ in range(min(count, 8)))
    else:
        rows.extend(_scalar(random, field, known) for _ in range(count))


def broken_bytes(random: Random, encoded: bytes) -> bytes:
    """Returns bytes that a reader of protobuf may trip over: damaged, endless, deep, or text that is none."""
    match random.randrange(8):
        case 0:
            return random.randbytes(random.randint(1, 200))
        case 1:
            return encoded + b"\x0a\x02\xff\xfe"  # field 1, text that is not UTF-8
        case 2:
            return b"\x0b" * random.choice((10, 200, 100_000))  # groups that are opened and never closed
        case 3:
            return encoded + b"\xff" * 12  # a number without an end
        case 4:
            return encoded + b"\x0a\xff\xff\xff\xff\x07"  # more bytes announced than there are
        case 5:
            return _nested(random.choice((50, 101, 1000)))
        case 6:
            return encoded * 3 + b"\xf8\xff\xff\xff\x0f\x01"  # repeated, and a field with the highest number
        case _:
            return values.damaged(random, encoded or b"\x0a\x00")


def _nested(depth: int) -> bytes:
    """Returns a message in a message in a message, all in field 1."""
    body = b""
    for _ in range(depth):
        length, size = len(body), b""
        while length > 0x7F:
            size += bytes((length & 0x7F | 0x80,))
            length >>= 7
        body = b"\x0a" + size + bytes((length,)) + body
    return body


def _scalar(random: Random, field: FieldDescriptor, known: Sequence[str]) -> Any:  # noqa: ANN401  whatever the field holds
    kind = field.cpp_type
    if kind == FieldDescriptor.CPPTYPE_STRING:
        if field.type == FieldDescriptor.TYPE_BYTES:
            return values.octets(random)
        return random.choice(known) if known and random.random() < 0.5 else values.text(random)
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        return random.random() < 0.5
    if kind in (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT):
        return values.floating(random)
    if kind == FieldDescriptor.CPPTYPE_ENUM and field.enum_type is not None and random.random() < 0.7:
        return random.choice(field.enum_type.values).number
    return values.integer(random, *_INTEGER_RANGES[kind])
