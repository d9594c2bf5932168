"""The .ply container: a header in text, then rows of numbers.

Source: G. Turk, "The PLY Polygon File Format", 1994. Binary files are read in both byte orders; text ones are not.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np

from praxiscope_worlds.formats._check import Check, FindingCode

_TYPES = {
    "char": "i1",
    "int8": "i1",
    "uchar": "u1",
    "uint8": "u1",
    "short": "i2",
    "int16": "i2",
    "ushort": "u2",
    "uint16": "u2",
    "int": "i4",
    "int32": "i4",
    "uint": "u4",
    "uint32": "u4",
    "float": "f4",
    "float32": "f4",
    "double": "f8",
    "float64": "f8",
}
_BYTE_ORDERS = {"binary_little_endian": "<", "binary_big_endian": ">"}
_MAX_HEADER_BYTES = 64 << 10
_MAX_ELEMENTS = 16
_MAX_PROPERTIES = 256
# Counts have at most so many digits; `int` is never asked to read a longer one.
_COUNT = re.compile(r"\d{1,18}")


@dataclass(frozen=True, kw_only=True)
class PlyProperty:
    """One column.

    Attributes:
        name: Its name.
        dtype: NumPy's name of its type, with byte order.
        length_dtype: Of the length that goes before each value of a list; None where it is no list.
    """

    name: str
    dtype: str
    length_dtype: str | None


@dataclass(frozen=True, kw_only=True)
class PlyElement:
    """One table.

    Attributes:
        name: Its name.
        count: Its rows.
        properties: Its columns.
    """

    name: str
    count: int
    properties: tuple[PlyProperty, ...]

    @property
    def has_lists(self) -> bool:
        """Whether rows differ in length."""
        return any(item.length_dtype is not None for item in self.properties)

    @property
    def row_dtype(self) -> np.dtype:
        """One row, where none is a list."""
        return np.dtype([(item.name, item.dtype) for item in self.properties])


@dataclass(frozen=True, kw_only=True)
class PlyHeader:
    """What the header says.

    Attributes:
        elements: Tables in their order.
        body_offset: Where the first row begins.
    """

    elements: tuple[PlyElement, ...]
    body_offset: int


def read_header(check: Check, data: memoryview) -> PlyHeader:
    """Reads the text before the numbers."""
    head = bytes(data[:_MAX_HEADER_BYTES])
    check.need(
        head[:4] in {b"ply\n", b"ply\r"}, FindingCode.NOT_THIS_FORMAT, "byte 0", "the file does not begin with `ply`"
    )
    match = re.search(rb"\nend_header\r?\n", head)
    if match is None:
        check.fail(FindingCode.BAD_HEADER, "header", f"no `end_header` in the first {_MAX_HEADER_BYTES} bytes")
    try:
        lines = head[: match.start()].decode("ascii").splitlines()
    except UnicodeDecodeError:
        check.fail(FindingCode.BAD_HEADER, "header", "it is not ASCII text")
    byte_order, elements = "", []
    for i_line, line in enumerate(lines[1:], start=2):
        words, where = line.split(), f"header line {i_line}"
        match words:
            case [] | ["comment" | "obj_info", *_]:
                continue
            case ["format", name, _]:
                if name not in _BYTE_ORDERS:
                    check.fail(
                        FindingCode.UNSUPPORTED, where, f"format {name[:40]!r}; write it as binary_little_endian"
                    )
                byte_order = _BYTE_ORDERS[name]
            case ["element", name, count] if _COUNT.fullmatch(count) and len(elements) < _MAX_ELEMENTS:
                elements.append((name, int(count), []))
            case ["property", *rest] if elements and byte_order and len(elements[-1][2]) < _MAX_PROPERTIES:
                elements[-1][2].append(_property(check, rest, byte_order=byte_order, where=where))
            case _:
                check.fail(FindingCode.BAD_HEADER, where, f"not understood: {line[:60]!r}")
    check.need(bool(byte_order), FindingCode.BAD_HEADER, "header", "it names no format")
    found = []
    for name, count, properties in elements:
        names = [item.name for item in properties]
        check.need(
            len(set(names)) == len(names), FindingCode.BAD_HEADER, f"element {name}", "two properties have one name"
        )
        check.need(bool(names), FindingCode.BAD_HEADER, f"element {name}", "it has no properties")
        found.append(PlyElement(name=name, count=count, properties=tuple(properties)))
    return PlyHeader(elements=tuple(found), body_offset=match.end())


def element_of(check: Check, header: PlyHeader, name: str) -> PlyElement:
    """The table of a name."""
    for element in header.elements:
        if element.name == name:
            return element
    check.fail(FindingCode.MISSING, "header", f"no element `{name}`")


def rows_of(check: Check, data: memoryview, header: PlyHeader, name: str) -> np.ndarray:
    """A table without lists, as a view into the file: it takes no memory of its own, whatever the header says."""
    offset = header.body_offset
    for element in header.elements:
        check.need(
            not element.has_lists,
            FindingCode.UNSUPPORTED,
            f"element {element.name}",
            "lists are not expected in this file",
        )
        size = element.count * element.row_dtype.itemsize
        check.need(
            offset + size <= len(data),
            FindingCode.TRUNCATED,
            f"element {element.name}",
            f"{element.count} rows of {element.row_dtype.itemsize} bytes end at byte {offset + size}, the file at {len(data)}",
        )
        if element.name == name:
            return np.frombuffer(data, element.row_dtype, count=element.count, offset=offset)
        offset += size
    check.fail(FindingCode.MISSING, "header", f"no element `{name}`")


def tell_trailing_bytes(check: Check, data: memoryview, header: PlyHeader) -> None:
    """Notes bytes after the last row, where no list hides the end."""
    if any(element.has_lists for element in header.elements):
        return
    end = header.body_offset + sum(element.count * element.row_dtype.itemsize for element in header.elements)
    if end < len(data):
        check.note(FindingCode.TRAILING_BYTES, f"byte {end}", f"{len(data) - end} bytes follow the last row")


def columns_of(rows: np.ndarray, names: list[str]) -> np.ndarray:
    """Columns side by side as float32, [rows, names]; copied once, however many they are."""
    dtype = rows.dtype
    fields = cast("Mapping[str, tuple]", dtype.fields or {})
    offsets = [fields[name][1] for name in names]
    steps = {later - earlier for earlier, later in itertools.pairwise(offsets)}
    is_even = steps <= {4} and all(fields[name][0].newbyteorder("=") == np.float32 for name in names)
    if is_even and len(rows) and fields[names[0]][0] == np.dtype("<f4"):
        view = np.ndarray((len(rows), len(names)), "<f4", buffer=rows, offset=offsets[0], strides=(dtype.itemsize, 4))
        return np.ascontiguousarray(view)
    table = np.empty((len(rows), len(names)), np.float32)
    with np.errstate(over="ignore"):
        for i_column, name in enumerate(names):
            table[:, i_column] = rows[name]
    return table


def _property(check: Check, words: list[str], *, byte_order: str, where: str) -> PlyProperty:
    match words:
        case ["list", length, kind, name] if length in _TYPES and kind in _TYPES and _TYPES[length][0] != "f":
            return PlyProperty(name=name, dtype=byte_order + _TYPES[kind], length_dtype=byte_order + _TYPES[length])
        case [kind, name] if kind in _TYPES:
            return PlyProperty(name=name, dtype=byte_order + _TYPES[kind], length_dtype=None)
        case _:
            check.fail(FindingCode.BAD_HEADER, where, f"no such property: {' '.join(words)[:60]!r}")
