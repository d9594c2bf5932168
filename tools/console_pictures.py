"""`make console-pictures`: takes the pictures of the console that docs show, on the stack that is up, into `docs/images/console-*.jpg`.

What is shown is made where it is not there: the sample video measured, and a world of words. Real people are in the video, so it is blurred in the pictures.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from playwright.sync_api import Browser, Page

from praxiscope.client import Client, read_profile
from tools.browser import new_context, open_browser, sign_in
from tools.devstack.settings import CHECKOUT, read_settings
from tools.devstack.stack import CREDENTIALS
from tools.devstack.status import read_state

_FOLDER = CHECKOUT / "docs" / "images"
_SAMPLE = CHECKOUT / ".praxiscope" / "samples" / "demo.mp4"
_WORDS, _SEED = "a village by a lake with autumn trees on flat grass, clear morning", 11
# Views of the world by their place in the list, and a moment of the flight through them.
_STOPS, _MOMENT_S = (2, 5, 10), 2.6
_MAX_BYTES = 150_000
_TIMEOUT_MS = 120_000


def main() -> int:
    """Takes the pictures and returns the exit code."""
    settings = read_settings(os.environ)
    if not read_state(settings).is_alive:
        sys.stderr.write("The stack is not up: `make up`.\n")
        return 1
    credentials = json.loads((settings.state / CREDENTIALS).read_text(encoding="utf-8"))
    profile = read_profile(folder=CHECKOUT)
    with Client(profile) as client:
        assets = {asset.display_name: asset.name for asset in client.assets(filter="kind = KIND_MOTION").assets}
        if not assets:
            video = client.upload(_SAMPLE, display_name="A walk in the park")
            client.wait(client.analyze_motion(video.latest_version, height_m=1.65))
        motion = client.assets(filter="kind = KIND_MOTION").assets[0].name
        world = client.wait(client.generate_world(_WORDS, seed=_SEED, display_name="A village by a lake"))
    with open_browser() as browser:
        _take(browser, profile.url, credentials, motion, world.asset_version.rpartition("/versions/")[0])
    return 0


def _take(browser: Browser, url: str, credentials: Mapping[str, str], motion: str, world: str) -> None:
    for theme, width_px in (("light", 1280), ("dark", 1280), ("light", 360)):
        context = new_context(browser, url, theme=theme, width_px=width_px)
        page = context.new_page()
        page.goto("/")
        sign_in(page, credentials)
        page.get_by_role("heading", name="Library").wait_for()
        if theme == "light" and width_px > 1000:
            page.wait_for_timeout(4000)
            page.evaluate(
                "() => document.querySelectorAll('.thumbnail video').forEach(film => { film.style.filter = 'blur(2px)'; })"
            )
            _save(page, "library")
            page.goto(f"/{motion}")
            page.locator(".curves polyline").first.wait_for(state="attached", timeout=_TIMEOUT_MS)
            page.get_by_role("button", name="Show the skeleton").click()
            page.locator("video.film").evaluate("video => { video.currentTime = 4; video.style.filter = 'blur(3px)'; }")
            page.wait_for_timeout(3000)
            _save(page, "motion")
        else:
            page.goto(f"/{world}")
            page.locator("canvas[data-ready=true]").wait_for(timeout=_TIMEOUT_MS)
            page.wait_for_timeout(6000)
            _plan_flight(page)
            _save(page, "world" if width_px > 1000 else "world-small")
            if width_px <= 1000:
                page.get_by_role("heading", name="Flight").evaluate("heading => heading.scrollIntoView()")
                _save(page, "flight-small")
        context.close()


def _plan_flight(page: Page) -> None:
    """Keeps three views as stops, and shows the world at a moment between them."""
    for place in _STOPS:
        page.get_by_label("From where a picture was taken").select_option(index=place)
        page.wait_for_timeout(3000)
        page.get_by_role("button", name="Keep this view").click()
    page.get_by_label("Moment of the flight").fill(str(_MOMENT_S))
    page.evaluate("window.scrollTo(0, 0)")
    page.wait_for_timeout(8000)  # what was announced has gone


def _save(page: Page, name: str) -> None:
    """Writes what is seen as a JPEG of at most so many bytes."""
    picture = cv2.imdecode(np.frombuffer(page.screenshot(), np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise RuntimeError("the browser gave no picture")
    path = Path(_FOLDER / f"console-{name}.jpg")
    for quality in range(85, 20, -5):
        _, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
        if len(encoded) < _MAX_BYTES:
            path.write_bytes(encoded.tobytes())
            sys.stdout.write(f"{path.relative_to(CHECKOUT)}: {len(encoded) / 1000:.0f} kB\n")
            return


if __name__ == "__main__":
    raise SystemExit(main())
