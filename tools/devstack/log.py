"""One log of all parts: lines as they come, each with its part's name, coloured where a person reads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TextIO

_COLOURS = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)
_SEVERITY_COLOURS = {"ERROR": 31, "CRITICAL": 31, "WARNING": 33}
_HIDDEN = frozenset({"time", "severity", "service", "logger", "message", "exception", "trace_id", "span_id"})


class StackLog:
    """Writes every line to a file a part, to one file for all, and to a terminal.

    Args:
        folder: Where the files go.
        terminal: Where a person reads; None where nobody does.
    """

    def __init__(self, folder: Path, terminal: TextIO | None) -> None:
        """Opens the common file."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._terminal = folder, terminal
        self._all = (folder / "all.log").open("w", encoding="utf-8", buffering=1)
        self._files: dict[str, TextIO] = {}

    def __call__(self, name: str, line: bytes) -> None:
        """Writes one line of a part."""
        text = line.decode("utf-8", errors="replace")
        if name not in self._files:
            self._files[name] = (self._folder / f"{name.replace(' ', '-')}.log").open(
                "w", encoding="utf-8", buffering=1
            )
        self._files[name].write(text + "\n")
        self._all.write(f"{name:20} {text}\n")
        if self._terminal is not None:
            self._terminal.write(coloured(name, text) + "\n")

    def close(self) -> None:
        """Closes the files."""
        for file in (*self._files.values(), self._all):
            file.close()


def coloured(name: str, text: str) -> str:
    """Returns a line for a terminal; JSON logs are shown as a person would write them."""
    colour = _COLOURS[sum(name.encode()) % len(_COLOURS)]
    label = f"\x1b[{colour}m{name:20}\x1b[0m"
    if not text.startswith("{"):
        return f"{label} {text}"
    try:
        entry = json.loads(text)
    except ValueError:
        return f"{label} {text}"
    severity = str(entry.get("severity", ""))
    extra = " ".join(f"{key}={value}" for key, value in entry.items() if key not in _HIDDEN)
    message = f"{severity:7} {entry.get('message', '')} \x1b[2m{extra}\x1b[0m"
    if severity in _SEVERITY_COLOURS:
        message = f"\x1b[{_SEVERITY_COLOURS[severity]}m{message}\x1b[0m"
    exception = f"\n{entry['exception']}" if "exception" in entry else ""
    return f"{label} {message}{exception}"
