"""Settings from the environment, read once, with every problem reported at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar, overload

_Value = TypeVar("_Value")
_REQUIRED = object()


class ConfigError(Exception):
    """The environment does not say what the service needs; the message lists every problem."""

    def __init__(self, problems: Sequence[str]) -> None:
        """Keeps the problems, one line each."""
        self.problems = tuple(problems)
        super().__init__("\n".join(["The configuration is not valid:", *(f"  {problem}" for problem in problems)]))


class Secret:
    """A value that is never shown: not in a repr, a log or a traceback."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        """Hides `value`."""
        self._value = value

    def reveal(self) -> str:
        """Returns the hidden value; call it where it is used and keep nothing."""
        return self._value

    def __repr__(self) -> str:
        """Says nothing."""
        return "Secret(…)"

    __str__ = __repr__


class EnvironmentReader:
    """Reads variables that share a prefix and collects what is wrong with them.

    Args:
        environ: The environment.
        prefix: What every name starts with, as in `PRAXISCOPE_LIBRARY_`.
    """

    def __init__(self, environ: Mapping[str, str], prefix: str) -> None:
        """Starts without problems."""
        self._environ = environ
        self._prefix = prefix
        self._problems: list[str] = []

    @overload
    def text(self, name: str) -> str: ...
    @overload
    def text(self, name: str, default: str) -> str: ...
    def text(self, name: str, default: object = _REQUIRED) -> str:
        """Returns a variable's text."""
        return self._read(name, default, str, "")

    def integer(self, name: str, default: object = _REQUIRED) -> int:
        """Returns a variable as a whole number."""
        return self._read(name, default, int, 0)

    def number(self, name: str, default: object = _REQUIRED) -> float:
        """Returns a variable as a number."""
        return self._read(name, default, float, 0.0)

    def flag(self, name: str, default: object = _REQUIRED) -> bool:
        """Returns a variable that says `true` or `false`."""
        return self._read(name, default, _parse_flag, False)

    def path(self, name: str, default: object = _REQUIRED) -> Path:
        """Returns a variable as a path."""
        return self._read(name, default, Path, Path())

    def words(self, name: str, default: object = _REQUIRED) -> tuple[str, ...]:
        """Returns a variable's comma-separated words."""
        return self._read(name, default, lambda raw: tuple(word.strip() for word in raw.split(",") if word.strip()), ())

    def secret_file(self, name: str, default: object = _REQUIRED) -> Secret:
        """Returns what stands in the file that a variable names; secrets are never in the environment itself."""
        return self._read(name, default, lambda raw: Secret(Path(raw).read_text(encoding="utf-8").strip()), Secret(""))

    def finish(self) -> None:
        """Ends the reading.

        Raises:
            ConfigError: If anything that was read was missing or not valid.
        """
        if self._problems:
            raise ConfigError(self._problems)

    def _read(self, name: str, default: object, parse: Callable[[str], _Value], placeholder: _Value) -> _Value:
        full_name = self._prefix + name
        raw = self._environ.get(full_name)
        if raw is None or raw == "":
            if default is _REQUIRED:
                self._problems.append(f"{full_name} is not set.")
                return placeholder
            return default  # type: ignore[return-value]
        try:
            return parse(raw)
        except (ValueError, OSError) as error:
            self._problems.append(f"{full_name}={raw!r} cannot be read: {error}.")
            return placeholder


def _parse_flag(raw: str) -> bool:
    lowered = raw.lower()
    if lowered not in {"true", "false"}:
        raise ValueError("expected true or false")
    return lowered == "true"
