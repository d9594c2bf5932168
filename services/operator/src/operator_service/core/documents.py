"""Parts of documents as JSON gives them: anything may be missing or of another kind than expected, and is then empty."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast


def part(document: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    """Returns the map that lies under keys; an empty one where there is none."""
    value: Any = document
    for key in keys:
        value = cast(dict[str, Any], value).get(key) if isinstance(value, Mapping) else None
    return cast(dict[str, Any], value) if isinstance(value, dict) else {}


def parts(document: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """Returns the maps in the list that lies under a key; none where there is no list."""
    value: Any = document.get(key)
    if not isinstance(value, list):
        return []
    return [cast(dict[str, Any], item) for item in cast(list[Any], value) if isinstance(item, dict)]
