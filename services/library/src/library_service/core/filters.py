"""The filter of asset lists: conditions joined by AND, a small part of AIP-160."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from library_service.core.errors import InvalidFilterError

_CONDITION = re.compile(
    r"""\s*(?P<field>kind|display_name|create_time|labels\.[a-z][a-z0-9_-]{0,62})
        \s*(?P<operator><=|>=|!=|=|<|>|:)
        \s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>\*|[\w.:+-]+))\s*""",
    re.VERBOSE,
)
_AND = re.compile(r"AND\s", re.IGNORECASE)
_OPERATORS = {
    "kind": {"=", "!="},
    "display_name": {"=", "!=", ":"},
    "create_time": {"<", "<=", ">", ">=", "="},
    "labels": {"=", "!=", ":"},
}


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One condition.

    Attributes:
        field: `kind`, `display_name`, `create_time` or `labels`.
        key: The label's key, where `field` is `labels`.
        operator: `=`, `!=`, `<`, `<=`, `>`, `>=`, or `:` for has.
        value: What is compared with; a datetime where `field` is `create_time`.
    """

    field: str
    key: str
    operator: str
    value: str | datetime


def parse_filter(text: str) -> Sequence[Condition]:
    """Returns the conditions of a filter; none for the empty one.

    Raises:
        InvalidFilterError: If it is not of the filter's form, with the place where it stops being so.
    """
    conditions: list[Condition] = []
    position = 0
    while position < len(text.rstrip()):
        if conditions:
            joint = _AND.match(text, position)
            if joint is None:
                raise _misunderstood(text, position, "AND")
            position = joint.end()
        match = _CONDITION.match(text, position)
        if match is None:
            raise _misunderstood(
                text, position, "FIELD OPERATOR VALUE with FIELD of kind, display_name, create_time, labels.KEY"
            )
        conditions.append(_condition(text, match))
        position = match.end()
    return conditions


def _condition(text: str, match: re.Match[str]) -> Condition:
    field, _, key = match["field"].partition(".")
    if match["operator"] not in _OPERATORS[field]:
        raise _misunderstood(text, match.start("operator"), "one of " + " ".join(sorted(_OPERATORS[field])))
    raw = match["bare"] if match["quoted"] is None else re.sub(r"\\(.)", r"\1", match["quoted"])
    if field != "create_time":
        return Condition(field=field, key=key, operator=match["operator"], value=raw)
    try:
        moment = datetime.fromisoformat(raw)
    except ValueError:
        raise _misunderstood(text, match.start(), "a time like 2026-01-31T12:00:00Z") from None
    if moment.tzinfo is None:
        raise _misunderstood(text, match.start(), "a time with its zone, like 2026-01-31T12:00:00Z")
    return Condition(field=field, key=key, operator=match["operator"], value=moment)


def _misunderstood(text: str, position: int, expected: str) -> InvalidFilterError:
    return InvalidFilterError(
        f"The filter cannot be understood at character {position + 1}: expected {expected}.",
        metadata={"filter": text[:200], "position": str(position + 1)},
    )
