"""Where the platform is and who we are there: profiles in a TOML file that only its owner can read.

Looked for in this order: `$PRAXISCOPE_HOME/profiles.toml`, `.praxiscope/profiles.toml` in the working folder or one above it (a checkout whose stack is up),
`~/.config/praxiscope/profiles.toml`.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

_FILE = "profiles.toml"


class ProfileError(Exception):
    """There is no usable profile; the message says what to do."""


@dataclass(frozen=True, kw_only=True)
class Profile:
    """How to reach the platform.

    Attributes:
        url: The gateway's address.
        project: `projects/{project}`.
        api_key: An API key, or empty.
        api_key_expire_time: When the key ends, or empty.
        refresh_token: A refresh token of a login, or empty.
    """

    url: str
    project: str = ""
    api_key: str = ""
    api_key_expire_time: str = ""
    refresh_token: str = ""


def profile_paths(environ: Mapping[str, str], folder: Path) -> list[Path]:
    """Returns where profiles are looked for, the first that exists counts."""
    paths = [Path(environ["PRAXISCOPE_HOME"]) / _FILE] if environ.get("PRAXISCOPE_HOME") else []
    paths += [parent / ".praxiscope" / _FILE for parent in (folder, *folder.parents)]
    config = Path(environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME", "/")) / ".config")
    return [*paths, config / "praxiscope" / _FILE]


def read_profile(name: str = "", *, environ: Mapping[str, str] | None = None, folder: Path | None = None) -> Profile:
    """Returns a profile.

    Args:
        name: Which; empty means the file's default.
        environ: The environment; by default the process's.
        folder: The working folder; by default the process's.

    Raises:
        ProfileError: If there is none, or it cannot be read.
    """
    known = profile_paths(os.environ if environ is None else environ, (folder or Path.cwd()).absolute())
    path = next((path for path in known if path.is_file()), None)
    if path is None:
        raise ProfileError(
            "There is no profile yet. `praxiscope login --url https://…` makes one; in a checkout `make up` does."
        )
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        name = name or str(document.get("default", ""))
        return Profile(**document["profiles"][name])
    except KeyError as error:
        raise ProfileError(f"{path} has no profile {name!r}.") from error
    except (tomllib.TOMLDecodeError, TypeError, OSError) as error:
        raise ProfileError(f"{path} cannot be read: {error}") from error


def write_profile(name: str, profile: Profile, *, environ: Mapping[str, str]) -> Path:
    """Writes a profile beside those that are there, makes it the default, and returns the file."""
    home = environ.get("PRAXISCOPE_HOME")
    path = Path(home) / _FILE if home else profile_paths(environ, Path("/"))[-1]
    document = tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    profiles = {**document.get("profiles", {}), name: asdict(profile)}
    lines = [f"default = {json.dumps(name)}", ""]
    for key, values in profiles.items():
        lines += [
            f"[profiles.{json.dumps(key)}]",
            *(f"{item} = {json.dumps(value)}" for item, value in values.items()),
            "",
        ]
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path.with_suffix(".new"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write("\n".join(lines))
    path.with_suffix(".new").replace(path)
    return path
