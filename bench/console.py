"""Times how soon a world can be flown through after its page is opened, and weighs the first page. `make bench PART=console`.

    python -m bench.console [--runs 5] [--gaussians 100000]

A world is made of words, then its page is opened in a fresh profile of Chromium each time. Interactive: the world is there, a key is pressed, and a frame with
the camera elsewhere was handed to the graphics. The browser draws on the processor (SwiftShader), so a person's machine is faster. Ends with code 1 where a
goal is missed.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import statistics
import sys
import time
from collections.abc import Sequence

from playwright.sync_api import Browser, Page

from bench.figure import Figure, machine, tell
from bench.stack import profile, settings
from praxiscope.client import Client
from tools.browser import new_context, open_browser, sign_in
from tools.devstack.settings import CHECKOUT
from tools.devstack.stack import CREDENTIALS

GOAL_INTERACTIVE_S = 3.0
GOAL_FIRST_PAGE_KB = 250.0
_BUILT = CHECKOUT / ".praxiscope" / "console"
_PROMPT, _SEED = "a meadow with a house and trees on a sunny day", 7
_TIMEOUT_MS = 120_000
_WAIT = "canvas[data-ready=true]"


def main(arguments: Sequence[str]) -> int:
    """Prints all figures and returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.console", description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--gaussians", type=int, default=100_000)
    options = parser.parse_args(arguments)
    print(machine())
    with Client(profile()) as client:
        made = client.wait(client.generate_world(_PROMPT, seed=_SEED, gaussian_count=options.gaussians))
    world = made.asset_version.rpartition("/versions/")[0]
    with open_browser() as browser:
        times_s = [_open_world(browser, world) for _ in range(options.runs)]
    note = f"{options.gaussians} Gaussians; median of {options.runs}, {min(times_s):.2f} to {max(times_s):.2f}"
    return (
        0
        if tell(
            [
                Figure(
                    name="first page, scripts, styles and document, gzipped",
                    value=first_page_kb(),
                    unit="kB",
                    goal=GOAL_FIRST_PAGE_KB,
                ),
                Figure(
                    name="a world answers the keyboard after",
                    value=statistics.median(times_s),
                    unit="s",
                    goal=GOAL_INTERACTIVE_S,
                    note=note,
                ),
            ]
        )
        else 1
    )


def first_page_kb() -> float:
    """Returns what the first page weighs before anything in three dimensions is loaded."""
    document = (_BUILT / "index.html").read_text(encoding="utf-8")
    linked = re.findall(r'(?:src|href)="/(static/[^"]+)"', document)
    return sum(len(gzip.compress((_BUILT / path).read_bytes())) for path in [*linked, "index.html"]) / 1000


def _open_world(browser: Browser, world: str) -> float:
    """Opens a world's page and returns the seconds until it answered."""
    context = new_context(browser, profile().url)
    page = context.new_page()
    page.goto("/")
    sign_in(page, json.loads((settings().state / CREDENTIALS).read_text(encoding="utf-8")))
    page.get_by_role("heading", name="Library").wait_for()
    started_s = time.perf_counter()
    page.goto(f"/{world}")
    page.wait_for_selector(_WAIT, timeout=_TIMEOUT_MS)
    before = _frames(page)
    page.locator(_WAIT).focus()
    page.keyboard.press("ArrowLeft")
    while _frames(page) <= before:
        if time.perf_counter() - started_s > _TIMEOUT_MS / 1000:
            break
    elapsed_s = time.perf_counter() - started_s
    context.close()
    return elapsed_s


def _frames(page: Page) -> int:
    return int(page.locator(_WAIT).get_attribute("data-frames") or 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
