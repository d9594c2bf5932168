"""Records which series a running local stack has, with their labels: `python -m tools.deploy scrape`, after `make up` and `make demo`.

Rules, dashboards and scalers may speak of these and of no others (tests/deploy/test_alerts.py).
"""

from __future__ import annotations

import json
import os
import re
import urllib.request
from pathlib import Path

from tools.devstack.settings import CHECKOUT, PORTS, Settings, read_settings

RECORD = CHECKOUT / "tests/deploy/scrape.json"
_SCRAPE_TIMEOUT_S = 5.0
_SERIES = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? ", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="(?:[^"\\]|\\.)*"')


def record(path: Path = RECORD) -> None:
    """Writes the series of every part, by part.

    Raises:
        OSError: If a part does not answer.
    """
    settings = read_settings(os.environ)
    parts = [name.removesuffix("-metrics") for name in PORTS if name.endswith("-metrics")]
    series = {part: _series(settings, f"{part}-metrics") for part in parts}
    text = json.dumps({"recorded by": "python -m tools.deploy scrape", "series": series}, indent=1, sort_keys=True)
    path.write_text(text + "\n", encoding="utf-8")


def _series(settings: Settings, port: str) -> dict[str, list[str]]:
    with urllib.request.urlopen(f"http://{settings.address(port)}/metrics", timeout=_SCRAPE_TIMEOUT_S) as answer:
        return read_series(answer.read().decode())


def read_series(text: str) -> dict[str, list[str]]:
    """Returns the labels of each series of a page of metrics, names as they stand there: parsers give some counters another ending."""
    found: dict[str, set[str]] = {}
    for name, labels in _SERIES.findall(text):
        found.setdefault(name, set()).update(_LABEL.findall(labels))
    return {name: sorted(labels) for name, labels in sorted(found.items())}
