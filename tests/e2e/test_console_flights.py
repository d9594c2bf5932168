"""A person who films a world: stops are kept, put in order, flown in the page and drawn by the platform, along the same curve."""

import json
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from praxiscope.client import Client
from praxiscope_worlds import Bounds, Camera, camera_from_pose
from rendering_service.core.flight import fly, make_timetable
from tests.e2e.conftest import LONG_MS, RunningStack
from tests.support.meshes import make_still_life
from tests.support.pictures import pixel_spread
from tests.support.world_files import make_world, world_file
from tools.browser import Opener, accessibility_problems, is_too_wide, new_context, sign_in, wait_for_other_view

pytestmark = pytest.mark.timeout(300)
_NO_BOUNDS = Bounds(middle_m=np.zeros(3), radius_m=1.0)
_PAUSE_S, _MOMENT_S = 0.4, 0.5
# The address has three digits after the point.
_ADDRESS_TOLERANCE = 1.1e-3


@pytest.fixture(scope="module")
def small_world(stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A small world that somebody uploaded; its asset's name."""
    path = tmp_path_factory.mktemp("world") / "cloud.ply"
    path.write_bytes(world_file(make_world(3000)))
    with Client(stack.profile) as client:
        return client.upload(path, kind="KIND_WORLD", display_name="A cloud").name


class TestFlight:
    def test_it_is_planned_flown_drawn_and_still_there_after_a_reload(
        self, opened: Opener, small_world: str, tmp_path: Path
    ) -> None:
        page = opened(f"/{small_world}")
        canvas = _open_canvas(page)
        card = page.get_by_role("region", name="Flight")
        card.get_by_role("button", name="Draw the flight").click()
        expect(card.get_by_role("alert")).to_contain_text("has none yet. Look where it shall go")

        views = [wait_for_other_view(page, "")]
        card.get_by_role("button", name="Keep this view").click()
        for keys in (["Shift+ArrowLeft"] * 4, ["ArrowUp", "ArrowUp", "Shift+ArrowUp"]):
            canvas.focus()
            view = views[-1]
            for key in keys:  # one after the other: between two of them a slow machine's camera comes to rest, too
                page.keyboard.press(key)
                view = _wait_for_other_place(page, view)
            views.append(view)
            page.keyboard.press("k")
        stops = card.get_by_role("list", name="Stops of the flight").get_by_role("listitem")
        expect(stops).to_have_count(3)
        expect(card.get_by_role("alert")).to_have_count(0)
        for picture in stops.locator("img").all():
            assert picture.evaluate("image => image.naturalWidth") == 128

        card.get_by_label("Seconds from one stop to the next").fill(str(_PAUSE_S))
        expect(card.get_by_text("3 stops, 0.8 s, 25 frames.")).to_be_visible()
        card.get_by_role("button", name="Go to stop 1").click()
        assert _same_place(_wait_for_other_place(page, views[2]), views[0])
        card.get_by_role("button", name="Play").click()
        _wait_for_place(page, views[2])
        card.get_by_label("Moment of the flight").fill(str(_MOMENT_S))
        at_moment = _wait_for_other_place(page, views[2])
        # Who takes the camera from there has it where it is.
        canvas.focus()
        page.keyboard.press("ArrowLeft")
        np.testing.assert_allclose(
            _numbers(_wait_for_other_place(page, at_moment))[3:], _numbers(at_moment)[3:], atol=2 * _ADDRESS_TOLERANCE
        )

        page.reload()
        _open_canvas(page)
        expect(stops).to_have_count(3)
        card.get_by_label("Size").select_option(label="Small, 640 × 360")
        with page.expect_request("**:renderFlight") as sent:
            card.get_by_role("button", name="Draw the flight").click()
        asked = json.loads(sent.value.post_data or "")
        drawn_there = _fly(asked["waypoints"], moment_s=_MOMENT_S)
        np.testing.assert_allclose(
            _numbers(at_moment),
            [*drawn_there.position_m, *drawn_there.world_from_camera[:3, 2]],
            atol=_ADDRESS_TOLERANCE,
        )

        film = card.locator("video")
        expect(film).to_have_js_property("videoWidth", 640, timeout=LONG_MS)
        expect(card.get_by_text("Drawn by splat-cpu.")).to_be_visible()
        with page.expect_download() as saved:
            card.get_by_role("button", name="Save the video").click()
        saved.value.save_as(tmp_path / "flight.mp4")
        with av.open(str(tmp_path / "flight.mp4")) as video:
            frames = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
        assert len(frames) == 25
        assert all(frame.std() > 5 for frame in frames)
        assert np.abs(frames[0].astype(int) - frames[-1]).mean() > 2, "it went somewhere"
        assert pixel_spread(film.screenshot()) > 5
        page.reload()
        expect(card.locator("video")).to_have_js_property("videoWidth", 640)

    def test_stops_are_put_in_order_by_keyboard_on_a_small_screen(self, opened: Opener, small_world: str) -> None:
        page = opened(f"/{small_world}", width_px=360, theme="dark")
        canvas = _open_canvas(page)
        card = page.get_by_role("region", name="Flight")
        views = [wait_for_other_view(page, "")]
        for _ in range(2):
            canvas.focus()
            page.keyboard.press("k")
            page.keyboard.press("Shift+ArrowRight")
            views.append(_wait_for_other_place(page, views[-1]))
        page.keyboard.press("k")
        stops = card.get_by_role("list", name="Stops of the flight").get_by_role("listitem")
        expect(stops).to_have_count(3)
        up = card.get_by_role("button", name="Move stop 3 up")
        up.focus()
        page.keyboard.press("Enter")
        expect(page.get_by_text("Stop 3 is now stop 2.")).to_be_visible()
        expect(card.get_by_role("button", name="Move stop 2 up")).to_be_focused()
        page.keyboard.press("Enter")
        # It cannot go further, so the focus is on the way back.
        expect(card.get_by_role("button", name="Move stop 1 down")).to_be_focused()
        card.get_by_role("button", name="Take stop 2 away").press("Enter")
        expect(card.get_by_role("button", name="Take stop 2 away")).to_be_focused()
        expect(stops).to_have_count(2)
        card.get_by_role("button", name="Go to stop 2").press("Enter")
        assert _same_place(_wait_for_other_place(page, views[2]), views[1])
        card.get_by_role("button", name="Go to stop 1").press("Enter")
        assert _same_place(_wait_for_other_place(page, views[1]), views[2])
        for theme in ("dark", "light"):
            page.get_by_label("Theme").select_option(theme)
            assert accessibility_problems(page) == []
        assert not is_too_wide(page)

        # What the platform refuses is told in its words, and the stops stay.
        card.get_by_role("combobox", name="With").select_option("ENGINE_PATH_TRACING")
        card.get_by_label("Seconds from one stop to the next").fill("0.1")
        card.get_by_role("button", name="Draw the flight").click()
        expect(card.get_by_role("alert")).to_contain_text("ENGINE_UNSUITED", timeout=LONG_MS)
        expect(stops).to_have_count(2)

    def test_who_signs_out_leaves_no_pictures_of_a_world_behind(
        self, browser: Browser, stack: RunningStack, small_world: str
    ) -> None:
        context = new_context(browser, stack.url)
        page = context.new_page()
        page.goto(f"/{small_world}")
        sign_in(page, stack.credentials)
        _open_canvas(page)
        page.get_by_role("button", name="Keep this view").click()
        expect(page.get_by_role("button", name="Take stop 1 away")).to_be_visible()
        assert "data:image" in page.evaluate("JSON.stringify({...localStorage})")
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        assert "data:image" not in page.evaluate("JSON.stringify({...localStorage})")
        context.close()

    def test_a_mesh_is_flown_about_and_drawn_by_its_own_engine(
        self, opened: Opener, stack: RunningStack, tmp_path: Path
    ) -> None:
        (tmp_path / "still.glb").write_bytes(world_file(make_still_life(), "glb"))
        with Client(stack.profile) as client:
            mesh = client.upload(tmp_path / "still.glb", kind="KIND_WORLD", display_name="A still life").name
        page = opened(f"/{mesh}")
        canvas = _open_canvas(page)
        card = page.get_by_role("region", name="Flight")
        seen = [canvas.screenshot()]
        card.get_by_role("button", name="Keep this view").click()
        canvas.focus()
        for _ in range(6):
            page.keyboard.press("Shift+ArrowLeft")
        seen.append(_wait_for_other_picture(canvas, seen[0]))
        page.keyboard.press("k")
        pictures = card.get_by_role("list", name="Stops of the flight").locator("img")
        expect(pictures).to_have_count(2)
        assert len({picture.get_attribute("src") for picture in pictures.all()}) == 2

        card.get_by_role("button", name="Go to stop 1").click()
        assert _wait_for_other_picture(canvas, seen[1])
        card.get_by_label("Seconds from one stop to the next").fill(str(_PAUSE_S))
        card.get_by_label("Moment of the flight").fill("0.2")
        half_way = _wait_for_other_picture(canvas, seen[0])
        assert half_way != seen[1]
        # Who takes the camera from there has it where it is.
        canvas.focus()
        page.keyboard.press("ArrowLeft")
        _wait_for_other_picture(canvas, half_way)

        card.get_by_label("Size").select_option(label="Small, 640 × 360")
        with page.expect_request("**:renderFlight") as sent:
            card.get_by_role("button", name="Draw the flight").click()
        asked = json.loads(sent.value.post_data or "")
        assert asked["settings"]["path"].endswith(".glb")
        first, last = (_camera(point["camera"]).position_m for point in asked["waypoints"])
        assert np.linalg.norm(first - last) > 0.01
        film = card.locator("video")
        expect(film).to_have_js_property("videoWidth", 640, timeout=LONG_MS)
        expect(card.get_by_text("Drawn by mesh-gl.")).to_be_visible()
        assert pixel_spread(film.screenshot()) > 5
        assert accessibility_problems(page) == []


def _open_canvas(page: Page) -> Locator:
    canvas = page.locator("canvas[data-ready=true]")
    expect(canvas).to_be_visible(timeout=LONG_MS)
    return canvas


def _wait_for_other_picture(canvas: Locator, picture: bytes) -> bytes:
    """Waits until the canvas shows something else and rests there; returns what."""
    deadline_s = time.monotonic() + LONG_MS / 1000
    before = picture
    while time.monotonic() < deadline_s:
        now = canvas.screenshot()
        if now == before != picture:
            return now
        before = now
        canvas.page.wait_for_timeout(100)
    raise AssertionError("the picture stays as it was, or never rests")


def _numbers(view: str) -> Sequence[float]:
    """A view's place and direction, out of the page's address."""
    return [float(value) for value in re.sub("^#view=", "", view).split(",")]


def _same_place(view: str, other: str) -> bool:
    return bool(np.allclose(_numbers(view), _numbers(other), atol=_ADDRESS_TOLERANCE))


def _wait_for_other_place(page: Page, view: str) -> str:
    """Waits until the camera rests elsewhere: farther away than the address rounds, for what rests may be rounded once more."""
    found = wait_for_other_view(page, view)
    while _same_place(found, view):
        found = wait_for_other_view(page, found)
    return found


def _wait_for_place(page: Page, view: str) -> None:
    deadline_s = time.monotonic() + LONG_MS / 1000
    while not _same_place(page.evaluate("location.hash"), view):
        assert time.monotonic() < deadline_s, f"the camera rests at {page.evaluate('location.hash')}, not at {view}"
        page.wait_for_timeout(100)


def _fly(waypoints: Sequence[Mapping[str, Any]], *, moment_s: float) -> Camera:
    """Where the platform is at a moment of the flight that a page asked for."""
    timetable = make_timetable([float(point["timeOffset"].removesuffix("s")) for point in waypoints], frame_rate_hz=100)
    cameras = [_camera(point["camera"]) for point in waypoints]
    frames = list(fly(cameras, timetable, _NO_BOUNDS, width_px=640, height_px=360))
    return frames[round(moment_s * timetable.frame_rate_hz)]


def _camera(said: Mapping[str, Any]) -> Camera:
    return camera_from_pose(
        tuple(said["rotation"][axis] for axis in "wxyz"),
        tuple(said["position"][axis] for axis in "xyz"),
        width_px=said["widthPx"],
        height_px=said["heightPx"],
        focal_px=(said["focalXPx"], said["focalYPx"]),
        centre_px=(said["centreXPx"], said["centreYPx"]),
    )
