"""A creator in a terminal: a world of words, looked at, handed on to other tools."""

import json
from pathlib import Path

import av
import cv2
import pytest

from praxiscope_worlds import GaussianWorld, Mesh
from praxiscope_worlds.formats import read_world_file
from tests.e2e.conftest import RunningStack
from tests.e2e.test_journeys import run_command


@pytest.mark.timeout(300)
class TestCreator:
    """Makes a world of words, looks at it, flies around it, takes it along in another format."""

    def test_from_words_to_pictures_and_files(self, stack: RunningStack, tmp_path: Path) -> None:
        village = tmp_path / "village.glb"
        words = "a snowy village with two houses at night"
        made = run_command(
            stack, "generate", words, "--seed", "3", "--gaussians", "20000", "-o", str(village), "--json"
        )
        document = json.loads(made.stdout)
        assert "Snowy" in document["caption"]
        world = read_world_file(village.read_bytes()).content
        assert isinstance(world, GaussianWorld)
        assert len(world) == document["gaussian_count"] == 20_000

        size = ("--width-px", "320", "--height-px", "200")
        asset = document["asset_version"]
        run_command(stack, "render", asset, *size, "-o", str(tmp_path / "village.png"))
        picture = cv2.imread(str(tmp_path / "village.png"))
        assert picture is not None
        assert picture.shape == (200, 320, 3)
        assert picture.std() > 5
        # The file is the same world for whoever gets it, but for the night around it, which is written beside.
        run_command(stack, "render", str(village), *size, "--layer", "depth", "-o", str(tmp_path / "depth.png"))
        assert (tmp_path / "depth.png").stat().st_size > 1000

        run_command(stack, "render", asset, *size, "--frames", "6", "-o", str(tmp_path / "around.mp4"))
        with av.open(str(tmp_path / "around.mp4")) as opened:
            assert sum(1 for _ in opened.decode(video=0)) == 6
        tidy = tmp_path / "tidy.spz"
        selecting = ("--select=sphere:0,0,0,15", "--recolor=#c03020", "--select=all")
        edited = run_command(
            stack,
            "edit",
            asset,
            "--delete-floaters",
            *selecting,
            "--crop-box=0,0,0,80,80,80",
            "-o",
            str(tidy),
            "--json",
        )
        said = json.loads(edited.stdout)
        assert [next(iter(edit["operation"])) for edit in said["edits"]] == ["remove_floaters", "recolor", "crop"]
        assert all(edit["consistency"]["is_consistent"] for edit in said["edits"])
        kept = read_world_file(tidy.read_bytes()).content
        assert isinstance(kept, GaussianWorld)
        assert 0 < len(kept) == said["gaussian_count"] < 20_000
        surface = tmp_path / "surface.glb"
        run_command(stack, "mesh", asset, "--voxels", "40", "--collider-faces", "300", "-o", str(surface))
        fine, coarse = (
            read_world_file(path.read_bytes()).content for path in (surface, tmp_path / "surface.collider.glb")
        )
        assert isinstance(fine, Mesh)
        assert isinstance(coarse, Mesh)
        assert len(fine.faces) > 300 >= len(coarse.faces) - 30
        lineage = run_command(stack, "assets", "lineage", asset)
        assert asset in lineage.stdout

    def test_a_mistake_is_said_with_what_to_do(self, stack: RunningStack, tmp_path: Path) -> None:
        notes = tmp_path / "notes.ply"
        notes.write_text("no world")
        result = run_command(stack, "render", str(notes), "-o", str(tmp_path / "x.png"), expected=1)
        assert "UNKNOWN_WORLD_FORMAT" in result.stderr
        (tmp_path / "photos").mkdir()
        result = run_command(stack, "reconstruct", str(tmp_path / "photos"), "-o", str(tmp_path / "x.spz"), expected=1)
        assert "no photo" in result.stderr
