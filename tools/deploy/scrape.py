"""Records which series a running local stack has, with their labels: `python -m tools.deploy scrape`, after `make up` and `make demo`.

Rules, dashboards and scalers may speak of these and of no others (tests/deploy/test_alerts.py).
"""

from __future__ import annotations

import json
import os
import urllib.request
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tools.devstack.settings import CHECKOUT, PORTS, Settings, read_settings

RECORD = CHECKOUT / "tests/deploy/scrape.json"
_SCRAPE_TIMEOUT_S = 5.0


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
        text = answer.read().decode()
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return {name: sorted(labels) for name, labels in sorted(found.items())}
