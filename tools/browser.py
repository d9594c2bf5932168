"""A real browser that looks at pages: Debian's Chromium, headless, drawing on the processor. Tests, measurements and pictures of the console use it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright

from tools.devstack.settings import CHECKOUT

AXE = CHECKOUT / "console" / "node_modules" / "axe-core" / "axe.min.js"
# SwiftShader draws WebGL without a graphics card; it is slow, so these tests say nothing of speed on a person's machine.
_FLAGS = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist", "--no-sandbox")
_AA = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
# For a machine that does other things too: nothing here is a measurement.
_PATIENCE_MS = 30_000
_WIDTH_PX, _HEIGHT_PX = 1280, 860


@dataclass(kw_only=True)
class Watched:
    """What went wrong in a page besides what a test looks at.

    Attributes:
        problems: Exceptions of scripts, and what the content policy refused.
    """

    problems: list[str] = field(default_factory=list[str])

    def follow(self, page: Page) -> None:
        """Collects the page's problems."""
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on(
            "console",
            lambda message: self.problems.append(message.text) if "Content Security Policy" in message.text else None,
        )


def find_chromium() -> str:
    """Returns Debian's Chromium.

    Raises:
        FileNotFoundError: If there is none.
    """
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        raise FileNotFoundError("No Chromium; on Debian: apt-get install chromium (tools/debian-packages.txt).")
    return found


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Yields a browser."""
    expect.set_options(timeout=_PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(_FLAGS))
        try:
            yield browser
        finally:
            browser.close()


def new_context(
    browser: Browser, url: str, *, cookies: Path | None = None, width_px: int = _WIDTH_PX, theme: str = "light"
) -> BrowserContext:
    """Returns a fresh profile of the browser, signed in where cookies are given."""
    return browser.new_context(
        base_url=url,
        viewport={"width": width_px, "height": _HEIGHT_PX},
        storage_state=cookies,
        color_scheme="dark" if theme == "dark" else "light",
        accept_downloads=True,
        reduced_motion="reduce",
    )


def sign_in(where: Page | Locator, credentials: Mapping[str, str]) -> None:
    """Signs in with e-mail and password, on the page or in the dialog that stands over one."""
    where.get_by_label("E-mail").fill(credentials["email"])
    where.get_by_label("Password", exact=True).fill(credentials["password"])
    where.get_by_role("button", name="Sign in", exact=True).click()


def accessibility_problems(page: Page) -> list[str]:
    """Returns what axe finds against WCAG 2.1 AA."""
    if not page.evaluate("'axe' in window"):
        # Through the debugger: the page's own policy lets no foreign script in, and shall not.
        page.evaluate(AXE.read_text(encoding="utf-8") + "; undefined")
    found = page.evaluate("tags => axe.run(document, {runOnly: tags, resultTypes: ['violations']})", _AA)
    return [
        f"{item['id']}: {node['target']} {node['failureSummary']}"
        for item in found["violations"]
        for node in item["nodes"]
    ]


def work_item(page: Page, words: str) -> Locator:
    """Returns the newest item of the work panel that has these words."""
    return page.get_by_role("complementary").get_by_role("listitem").filter(has_text=words).first


def wait_for_other_view(page: Page, view: str) -> str:
    """Waits until the camera rests elsewhere and returns the view, as the address has it."""
    deadline_s = time.monotonic() + _PATIENCE_MS / 1000
    while time.monotonic() < deadline_s:
        found = str(page.evaluate("location.hash"))
        if found.startswith("#view=") and found != view:
            return found
        page.wait_for_timeout(100)
    raise AssertionError(f"the camera stayed at {view}")


def is_too_wide(page: Page) -> bool:
    """Says whether a page must be scrolled sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


Opener = Callable[..., Page]
