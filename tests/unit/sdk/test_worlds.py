"""What goes to the platform for `reconstruct`, and which files can be asked for."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from praxiscope.client import PraxiscopeError
from praxiscope.command import main
from praxiscope.command._arguments import parse
from praxiscope.command._worlds import collect, path_of, settings_of, target_of


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "garden"
    folder.mkdir()
    for name in ("b.jpg", "a.JPG", "c.png", "notes.txt"):
        (folder / name).write_bytes(name.encode())
    return folder


def test_a_folder_of_photos_goes_as_one_zip_in_the_order_of_names(photos: Path, tmp_path: Path) -> None:
    file, kind = collect([str(photos)], tmp_path)
    assert (file.name, kind) == ("garden.zip", "KIND_IMAGE_SET")
    with zipfile.ZipFile(file) as archive:
        assert archive.namelist() == ["0000-a.JPG", "0001-b.jpg", "0002-c.png"]
        assert archive.read("0001-b.jpg") == b"b.jpg"


def test_photos_keep_the_order_they_were_named_in(photos: Path, tmp_path: Path) -> None:
    file, _ = collect([str(photos / "c.png"), str(photos / "b.jpg")], tmp_path)
    with zipfile.ZipFile(file) as archive:
        assert archive.namelist() == ["0000-c.png", "0001-b.jpg"]


@pytest.mark.parametrize(("name", "kind"), [("walk.mp4", "KIND_VIDEO"), ("photos.zip", "KIND_IMAGE_SET")])
def test_a_video_and_a_zip_go_as_they_are(tmp_path: Path, name: str, kind: str) -> None:
    assert collect([str(tmp_path / name)], tmp_path) == (tmp_path / name, kind)


def test_a_folder_without_photos_is_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(PraxiscopeError, match="no photo"):
        collect([str(tmp_path / "empty")], tmp_path)


def test_a_format_that_no_world_has_is_refused_before_anything_is_sent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRAXISCOPE_HOME", str(tmp_path))
    (tmp_path / "profiles.toml").write_text(
        'default = "x"\n[profiles.x]\nurl = "http://127.0.0.1:9"\nproject = "projects/p"\napi_key = "pxk_1"\n'
    )
    assert main(["generate", "a lake", "-o", "lake.docx"]) == 1
    assert ".spz" in capsys.readouterr().err
    assert main(["mesh", "lake.ply", "-o", "lake.obj"]) == 1
    assert "must end with .glb" in capsys.readouterr().err


def test_a_folder_that_says_where_its_photos_were_taken_goes_as_it_is(photos: Path, tmp_path: Path) -> None:
    (photos / "sparse" / "0").mkdir(parents=True)
    for name in ("cameras.bin", "images.bin", "project.ini"):
        (photos / "sparse" / "0" / name).write_bytes(b"x")
    file, kind = collect([str(photos)], tmp_path)
    assert kind == "KIND_IMAGE_SET"
    with zipfile.ZipFile(file) as archive:
        assert archive.namelist() == ["a.JPG", "b.jpg", "c.png", "sparse/0/cameras.bin", "sparse/0/images.bin"]


@pytest.mark.parametrize(
    ("world", "output", "camera", "expected"),
    [
        ("photos/garden.spz", "", None, ("garden.png", False)),
        ("garden.compressed.ply", "", "orbit", ("garden.mp4", True)),
        ("projects/p/assets/a", "", "still", ("world.png", False)),
        ("garden.spz", "out/view.PNG", None, ("out/view.PNG", False)),
        ("garden.spz", "flight.mp4", None, ("flight.mp4", True)),
    ],
)
def test_a_picture_or_a_flight_is_what_the_camera_or_the_files_name_says(
    world: str, output: str, camera: str | None, expected: tuple[str, bool]
) -> None:
    target, is_flight = target_of(world, output, camera)
    assert (str(target), is_flight) == expected


@pytest.mark.parametrize(
    ("output", "camera"), [("view.jpg", None), ("view.png", "orbit"), ("flight.mp4", "still"), ("view", None)]
)
def test_files_that_are_neither_are_refused_before_anything_is_asked(output: str, camera: str | None) -> None:
    with pytest.raises(PraxiscopeError) as caught:
        target_of("garden.spz", output, camera)
    assert caught.value.reason == "UNKNOWN_PICTURE_FORMAT"


def test_the_engine_and_the_light_go_to_the_platform_as_they_were_asked_for() -> None:
    words = ["render", "garden.glb", "--engine", "path", "--samples", "64", "--ground", "--sun-elevation-deg", "90"]
    settings = settings_of(parse(words))
    assert settings["engine"] == "ENGINE_PATH_TRACING"
    assert (settings["sample_count"], settings["has_ground"]) == (64, True)
    assert settings["sun"]["elevation_rad"] == pytest.approx(1.5707963)
    plain = settings_of(parse(["render", "garden.spz"]))
    assert (plain["engine"], plain["lighting"], "sun" in plain) == ("ENGINE_AUTO", "LIGHTING_UNSPECIFIED", False)


def test_a_path_is_read_from_a_file_or_named_by_pictures(tmp_path: Path) -> None:
    assert path_of(parse(["render", "garden.spz"])) == {}
    named = path_of(parse(["render", "garden.spz", "--through", "3", "0"]))
    assert named == {"waypoints": [{"picture_index": 3}, {"picture_index": 0}]}
    file = tmp_path / "path.json"
    file.write_text('{"waypoints": [{}, {"timeOffset": "3s"}], "frameRateHz": 60}', encoding="utf-8")
    assert path_of(parse(["render", "garden.spz", "--path", str(file)]))["frameRateHz"] == 60
    file.write_text('[{"orbit": {}}, {}]', encoding="utf-8")
    assert path_of(parse(["render", "garden.spz", "--path", str(file)])) == {"waypoints": [{"orbit": {}}, {}]}


@pytest.mark.parametrize("content", ["{", "3", "{}", '{"waypoints": [3]}', pytest.param("[" * 100_000, id="deep")])
def test_a_file_that_is_no_path_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "path.json"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(PraxiscopeError) as caught:
        path_of(parse(["render", "garden.spz", "--path", str(file)]))
    assert caught.value.reason == "INVALID_PATH"


@pytest.mark.parametrize("words", [["--path", "p.json"], ["--camera", "orbit"], ["--picture", "1"]], ids=str)
def test_a_path_and_another_camera_are_refused(words: list[str]) -> None:
    with pytest.raises(PraxiscopeError) as caught:
        path_of(parse(["render", "garden.spz", *words, "--through", "1", "2"]))
    assert caught.value.reason == "INVALID_PATH"
