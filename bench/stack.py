"""The development stack that a measurement talks to: its addresses, its first login, its memory."""

from __future__ import annotations

import json
import os
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from praxiscope.client import Profile, read_profile
from tools.devstack.settings import CHECKOUT, Settings, read_settings
from tools.devstack.stack import CREDENTIALS
from tools.devstack.status import read_state, resident_bytes_of

SAMPLE = CHECKOUT / ".praxiscope" / "samples" / "demo.mp4"
MODELS = CHECKOUT / ".praxiscope" / "models"
PEER_ENVIRONMENT = CHECKOUT / ".venv-bench"


def settings() -> Settings:
    """Returns how the stack is set up."""
    return read_settings(os.environ)


def profile() -> Profile:
    """Returns the profile that the stack wrote."""
    return read_profile(folder=CHECKOUT)


def complaint() -> str:
    """Returns what is missing for a measurement; empty where nothing is."""
    state = read_state(settings())
    if not state.is_alive:
        return "The stack is not up: `make up`."
    if state.complaint:
        return state.complaint
    if not peer_python().exists():
        return "The peers' environment is missing: `python3 -m tools.setup bench`."
    return ""


def peer_python() -> Path:
    """Returns the interpreter of the peers' environment."""
    return PEER_ENVIRONMENT / "bin" / "python"


def access_token() -> str:
    """Logs in as the first user and returns an access token, which services take as well as the gateway does."""
    known = json.loads((settings().state / CREDENTIALS).read_text(encoding="utf-8"))
    body = {key: known[key] for key in ("email", "password", "project")}
    request = urllib.request.Request(
        f"{profile().url}/v1/auth:login", json.dumps(body).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(json.load(answer)["accessToken"])


def resident_bytes(names: Sequence[str] = ()) -> Mapping[str, int]:
    """Returns the proportional memory of the stack's parts with what they started; of those named, or of all."""
    parts = read_state(settings()).parts
    return {
        str(part["name"]): resident_bytes_of(int(part["pid"])) for part in parts if not names or part["name"] in names
    }


def refuse_without_stack() -> bool:
    """Says what is missing; whether anything is."""
    missing = complaint()
    if missing:
        sys.stderr.write(missing + "\n")
    return bool(missing)


def processor_s() -> float:
    """Returns the processor seconds of the whole stack so far."""
    return sum(processor_s_by_part().values())


def processor_s_by_part() -> Mapping[str, float]:
    """Returns the processor seconds of each part so far, with what it started."""
    parts = read_state(settings()).parts
    return {str(part["name"]): sum(map(processor_seconds, family(int(part["pid"])))) for part in parts}


def family(process: int) -> Sequence[int]:
    """Returns a process and all that it started."""
    found = [process]
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        try:
            children = task.read_text().split()
        except OSError:
            continue
        for child in children:
            found += family(int(child))
    return found


def processor_seconds(process: int) -> float:
    """Returns the processor seconds of one process so far; 0 where it has ended."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
