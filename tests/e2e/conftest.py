"""The whole stack, started once for all journeys, in a folder and on ports of its own; the journeys go through the gateway alone."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from fuzz.limits import RAISED_LIMITS
from praxiscope.client import Client, Profile
from tests.e2e.traces import TraceReceiver
from tools.browser import Opener, Watched, new_context, open_browser, sign_in, work_item

CHECKOUT = Path(__file__).resolve().parents[2]
SAMPLE = CHECKOUT / ".praxiscope" / "samples" / "demo.mp4"
# Two checkouts that test at the same time each need ports of their own.
PORT_OFFSET = int(os.environ.get("PRAXISCOPE_TEST_PORT_OFFSET", "2000"))
_READY_TIMEOUT_S = 90
# What takes long takes longer beside other work.
LONG_MS = 120_000


@dataclass(frozen=True, kw_only=True)
class RunningStack:
    """A stack that is up.

    Attributes:
        url: The gateway's address.
        state: Its folder.
        environment: What the stack's own commands need to find it.
        credentials: The first login.
    """

    url: str
    state: Path
    environment: dict[str, str]
    credentials: dict[str, str]

    @property
    def profile(self) -> Profile:
        return Profile(url=self.url, project=self.credentials["project"], api_key=self.credentials["api_key"])

    def logs(self) -> str:
        return "\n".join(path.read_text(errors="replace") for path in sorted((self.state / "log").glob("*.log")))


@pytest.fixture(scope="session")
def traces() -> Iterator[TraceReceiver]:
    with TraceReceiver() as receiver:
        yield receiver


@pytest.fixture(scope="session")
def stack(traces: TraceReceiver) -> Iterator[RunningStack]:
    folder = Path(tempfile.mkdtemp(prefix="praxiscope-e2e-"))
    folder.chmod(0o755)  # PostgreSQL runs as another user where we are root
    environment = {
        **os.environ,
        "PRAXISCOPE_STACK_STATE": str(folder),
        "PRAXISCOPE_STACK_PORT_OFFSET": str(PORT_OFFSET),
        "PRAXISCOPE_STACK_PROFILE": str(folder / "home" / "profiles.toml"),
        "PRAXISCOPE_STACK_OTLP_GRPC": traces.grpc_address,
        "PRAXISCOPE_STACK_OTLP_HTTP": traces.http_url,
        **RAISED_LIMITS,
    }
    started = subprocess.Popen(
        [sys.executable, "-m", "tools.devstack", "run"],
        cwd=CHECKOUT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        _await_ready(started, folder)
        credentials = json.loads((folder / "credentials.json").read_text())
        yield RunningStack(
            url=f"http://127.0.0.1:{7400 + PORT_OFFSET}",
            state=folder,
            environment=environment,
            credentials=credentials,
        )
    finally:
        started.terminate()
        output, _ = started.communicate(timeout=90)
    assert started.returncode == 0, output.decode(errors="replace")[-4000:]
    assert not (folder / "state.json").exists()
    shutil.rmtree(folder)


def _await_ready(started: subprocess.Popen[bytes], folder: Path) -> None:
    deadline_s = time.monotonic() + _READY_TIMEOUT_S
    while time.monotonic() < deadline_s:
        if started.poll() is not None:
            pytest.fail(
                f"the stack ended: {started.stdout.read().decode(errors='replace')[-4000:] if started.stdout else ''}"
            )
        state = folder / "state.json"
        if state.exists() and all(part["is_ready"] for part in json.loads(state.read_text())["parts"]):
            return
        time.sleep(0.2)
    logs = "\n".join(path.read_text(errors="replace")[-1500:] for path in (folder / "log").glob("*.log"))
    pytest.fail(f"the stack was not ready in time:\n{logs}")


@pytest.fixture(scope="session")
def sample() -> Path:
    assert SAMPLE.exists(), "make setup fetches the sample video"
    return SAMPLE


@pytest.fixture(scope="session")
def clip(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample's first two seconds, encoded anew, with sound."""
    from praxiscope_media import VideoCodec, VideoEncoding, VideoSource, VideoWriter

    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    encoding = VideoEncoding(codec=VideoCodec.VP9)
    with VideoSource.open(sample) as source, VideoWriter.open(path, source.info, encoding, audio_from=sample) as writer:
        for frame in source.frames():
            if frame.index >= 60:
                break
            writer.write(frame.rgb(), frame.offset)
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for a module: while it is open no other loop runs, and other modules have loops of their own."""
    with open_browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def cookies(browser: Browser, stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Signed in once with a password; what `test_signing_in_and_out` tests in full."""
    path = tmp_path_factory.mktemp("cookies") / "state.json"
    context = new_context(browser, stack.url)
    page = context.new_page()
    page.goto("/")
    sign_in(page, stack.credentials)
    expect(page.get_by_role("heading", name="Library")).to_be_visible()
    context.storage_state(path=path)
    context.close()
    return path


@pytest.fixture
def opened(browser: Browser, stack: RunningStack, cookies: Path) -> Iterator[Opener]:
    """Opens pages of a signed-in person; fails where a script broke or the content policy refused something."""
    watched, contexts = Watched(), []

    def open_page(path: str = "/", *, width_px: int = 1280, theme: str = "light") -> Page:
        context = new_context(browser, stack.url, cookies=cookies, width_px=width_px, theme=theme)
        contexts.append(context)
        page = context.new_page()
        watched.follow(page)
        page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert watched.problems == []


@pytest.fixture(scope="module")
def world(browser: Browser, stack: RunningStack, cookies: Path) -> str:
    """A world that was made in the page, of words; its asset's name."""
    context = new_context(browser, stack.url, cookies=cookies)
    page = context.new_page()
    page.goto("/")
    page.get_by_label("What it should be").fill("a meadow with a house and trees on a sunny day")
    page.get_by_text("More", exact=True).click()
    page.get_by_label("Size").select_option("50000")
    page.get_by_label("Seed").fill("7")
    with page.expect_response("**/worlds:generate") as started:
        page.get_by_role("button", name="Make it").click()
    item = work_item(page, "World from words")
    with Client(stack.profile) as client:
        made = client.wait(started.value.json()["name"])
    expect(item.get_by_text("Done")).to_be_visible(timeout=LONG_MS)
    item.get_by_role("link", name="Open").click()
    page.wait_for_url(f"**/{made.asset_version.partition('/versions/')[0]}**")
    expect(page.locator("canvas[data-ready=true]")).to_be_visible(timeout=LONG_MS)
    name = page.url.split("#")[0].removeprefix(stack.url + "/")
    context.close()
    return name
