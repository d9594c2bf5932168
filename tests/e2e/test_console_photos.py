"""A person with photos in a browser: what becomes of them, seen on the way, and what they are told where no world can be made of them."""

import re
from collections.abc import Mapping, Sequence

import cv2
import numpy as np
import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.e2e.conftest import CHECKOUT, LONG_MS
from tests.support.photos import take_photos
from tests.support.pictures import pixel_spread
from tools.browser import Opener, accessibility_problems, is_too_wide, work_item

pytestmark = pytest.mark.timeout(300)
KERNELS = CHECKOUT / ".praxiscope" / "kernels"
_PHOTO_COUNT = 16
# Places of whole pictures, seen by SwiftShader at another form of picture; another world or another place gives less than 0.3.
_LEAST_LIKENESS = 0.7
_LOOK_COUNT = 100


@pytest.fixture(scope="module")
def photos() -> Mapping[str, bytes]:
    return take_photos(KERNELS, count=_PHOTO_COUNT)


class TestPhotos:
    def test_they_become_a_world_that_is_seen_on_the_way(self, opened: Opener, photos: Mapping[str, bytes]) -> None:
        blank = _encoded(np.full((240, 360, 3), 128, np.uint8))
        page = opened()
        _choose(
            page, {**photos, "blank.png": blank, "broken.jpg": photos["00.jpg"][:500], "again.jpg": photos["03.jpg"]}
        )
        expect(page.get_by_text(f"{_PHOTO_COUNT + 3} photos ·")).to_be_visible()
        _send(page, "Two houses")
        item = work_item(page, "of Two houses")
        expect(item.get_by_role("heading", name="World from pictures")).to_be_visible()
        expect(item.get_by_role("progressbar")).to_be_visible()
        expect(item).to_contain_text("Finding where the pictures were taken", timeout=LONG_MS)
        preview = item.get_by_alt_text("The world so far")
        expect(preview).to_be_visible(timeout=LONG_MS)
        expect(preview).to_have_js_property("complete", True)
        assert pixel_spread(preview.screenshot()) > 10
        expect(item).to_contain_text("Done", timeout=LONG_MS)
        expect(item).to_contain_text(f"{_PHOTO_COUNT} of {_PHOTO_COUNT + 1} pictures placed.")
        item.get_by_text("3 pictures left out").click()
        expect(item.get_by_role("listitem").filter(has_text="blank.png")).to_contain_text("too little detail")
        expect(item.get_by_role("listitem").filter(has_text="broken.jpg")).to_be_visible()
        assert accessibility_problems(page) == []

        item.get_by_role("link", name="Open").click()
        expect(page.get_by_role("heading", name="Two houses")).to_be_visible()
        canvas = page.locator("canvas[data-ready=true]")
        expect(canvas).to_be_visible(timeout=LONG_MS)
        expect(page.get_by_text(f"{_PHOTO_COUNT} of {_PHOTO_COUNT + 1} pictures placed.")).to_be_visible()
        page.get_by_label("From where a picture was taken").select_option(label="08.jpg")
        alike = dict[str, float]()
        for _ in range(_LOOK_COUNT):  # frames come late where the processor draws them
            shown = _picture(canvas.screenshot())
            alike = {name: _likeness(shown, _picture(photos[name])) for name in ("08.jpg", "00.jpg")}
            if alike["08.jpg"] > _LEAST_LIKENESS:
                break
            page.wait_for_timeout(250)
        assert alike["08.jpg"] > _LEAST_LIKENESS, alike
        assert alike["08.jpg"] > alike["00.jpg"] + 0.2, "a photo from elsewhere looks otherwise"

    def test_photos_that_do_not_fit_together_are_counted_and_told_why(self, opened: Opener) -> None:
        random = np.random.default_rng(2)
        strangers = {f"place {number}.png": _encoded(_texture(random)) for number in range(3)}
        page = opened(width_px=360, theme="dark")
        _choose(page, strangers)
        _send(page, "Three places")
        item = work_item(page, "of Three places")
        expect(item).to_contain_text("POSES_NOT_FOUND", timeout=LONG_MS)
        expect(item).to_contain_text(
            re.compile(r"Only 0 of 3 photos fit together; 3 overlap with no other photo\."), timeout=LONG_MS
        )
        expect(item).to_contain_text("Take photos a step apart")
        expect(item.get_by_role("button", name="Try again")).to_be_visible()
        assert accessibility_problems(page) == []
        assert not is_too_wide(page)

    def test_photos_of_nothing_are_told_so_and_what_was_left_out_is_named(self, opened: Opener) -> None:
        across = np.tile(np.linspace(60, 200, 360, dtype=np.uint8)[None, :, None], (240, 1, 3))
        down = np.tile(np.linspace(200, 60, 240, dtype=np.uint8)[:, None, None], (1, 360, 3))
        fog = {"across.png": across, "down.png": down, "both.png": across // 2 + down // 2}
        page = opened()
        _choose(page, {**{name: _encoded(picture) for name, picture in fog.items()}, "again.png": _encoded(across)})
        _send(page, "Fog")
        item = work_item(page, "of Fog")
        expect(item).to_contain_text("POSES_NOT_FOUND", timeout=LONG_MS)
        expect(item).to_contain_text(
            "Only 0 of 3 photos fit together; 3 show too little detail (blurred, dark or blank)."
        )
        expect(item).to_contain_text("1 more was left out: again.png (the same file as across.png).")
        item.get_by_role("link", name="Fog").click()
        expect(page.get_by_role("heading", name="Make something of it")).to_be_visible()

    def test_a_refused_upload_keeps_the_photos(self, opened: Opener, photos: Mapping[str, bytes]) -> None:
        page = opened()
        # The platform itself refuses: only the size that it is told is made larger on the way.
        page.route(
            re.compile(r".*/uploads$"),
            lambda route: route.continue_(
                post_data=re.sub(r'"sizeBytes":"\d+"', '"sizeBytes":"99999999999999"', route.request.post_data or "")
            ),
        )
        _choose(page, {name: photos[name] for name in list(photos)[:4]})
        _send(page, "A garden", quality="QUALITY_HIGH")
        item = work_item(page, "A garden")
        expect(item.get_by_role("alert")).to_contain_text("UPLOAD_TOO_LARGE")
        item.get_by_role("button", name="Change").click()
        expect(page.get_by_text("4 photos ·")).to_be_visible()
        expect(page.get_by_role("img", name=re.compile(r"^Number \d$"))).to_have_count(4)
        expect(page.get_by_label("Name", exact=True)).to_have_value("A garden")
        expect(page.get_by_label("Quality")).to_have_value("QUALITY_HIGH")


def _choose(page: Page, photos: Mapping[str, bytes]) -> None:
    files: Sequence[FilePayload] = [
        {"name": name, "mimeType": f"image/{'png' if name.endswith('png') else 'jpeg'}", "buffer": content}
        for name, content in photos.items()
    ]
    page.get_by_label("Files to upload").set_input_files(files)


def _send(page: Page, name: str, *, quality: str = "QUALITY_DRAFT") -> None:
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Quality").select_option(quality)
    page.get_by_role("button", name="Upload", exact=True).click()


def _texture(random: np.random.Generator) -> np.ndarray:
    """A picture full of detail, and of no place."""
    coarse = random.integers(0, 256, (24, 36, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, (360, 240), interpolation=cv2.INTER_CUBIC))


def _encoded(picture: np.ndarray) -> bytes:
    return cv2.imencode(".png", picture)[1].tobytes()


def _picture(encoded: bytes) -> np.ndarray:
    picture = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return picture


def _likeness(shown: np.ndarray, photo: np.ndarray) -> float:
    """Correlation of two pictures that cover the same angle in height, over what both show, without their finest detail."""
    height_px = 60
    small = [
        cv2.resize(item, (round(height_px * item.shape[1] / item.shape[0]), height_px), interpolation=cv2.INTER_AREA)
        for item in (shown, photo)
    ]
    width_px = min(item.shape[1] for item in small)
    middles = [item[:, (item.shape[1] - width_px) // 2 :][:, :width_px].ravel() for item in small]
    return float(np.corrcoef(*middles)[0, 1])
