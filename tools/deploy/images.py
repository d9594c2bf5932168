"""`make images`: builds every image and prints how large each is.

make images [IMAGES="auth tracking"]                  on bases made of Debian's packages, by buildah out of one; needs root and no registry of images
BASE=…@sha256:… BUILD_BASE=…@sha256:… GO_BASE=…@sha256:… make images      on bases of yours, with docker, podman or buildah
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.cluster.builder import Buildah
from tools.cluster.oci import Layer, StoredImage
from tools.cluster.settings import LAYOUT
from tools.devstack.settings import CHECKOUT

DOCKERFILE = CHECKOUT / "Dockerfile"
BASES = ("BASE", "BUILD_BASE", "GO_BASE")
_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
_MIB = 1 << 20


class ImageError(Exception):
    """Images cannot be built; the message says what is missing and what to do."""


@dataclass(frozen=True, kw_only=True)
class Builder:
    """What builds images.

    Attributes:
        build: Its command, up to the options.
        size: The command that prints an image's bytes, up to the image.
        check: A command that fails where it cannot build here.
    """

    build: tuple[str, ...]
    size: tuple[str, ...]
    check: tuple[str, ...]


BUILDERS = {
    "docker": Builder(
        build=("docker", "build"),
        size=("docker", "image", "inspect", "--format", "{{.Size}}"),
        check=("docker", "info"),
    ),
    "podman": Builder(
        build=("podman", "build"),
        size=("podman", "image", "inspect", "--format", "{{.Size}}"),
        check=("podman", "info"),
    ),
    "buildah": Builder(
        build=("buildah", "build"),
        size=("buildah", "inspect", "--type", "image", "--format", "{{.Size}}"),
        check=("buildah", "info"),
    ),
}


def image_names() -> Sequence[str]:
    """Returns the images, which are the Dockerfile's targets that nothing else is made from."""
    text = DOCKERFILE.read_text(encoding="utf-8")
    stages = re.findall(r"^FROM (\S+) AS (\S+)$", text, re.MULTILINE)
    inner = {base for base, _ in stages}
    return [name for _, name in stages if name not in inner and not name.endswith("-build")]


def build_images(environ: Mapping[str, str], names: Sequence[str] = ()) -> None:
    """Builds images.

    Args:
        environ: The environment, which names the bases and may name a registry and a tag.
        names: Which; all where there is none.

    Raises:
        ImageError: If a base is not named by digest, an image is not known, nothing here can build, or a build fails.
    """
    wanted = names or image_names()
    unknown = sorted(set(wanted) - set(image_names()))
    if unknown:
        raise ImageError(f"There is no image {', '.join(unknown)}; there are {', '.join(image_names())}.")
    if not any(environ.get(name) for name in BASES):
        build_of_debian(environ, wanted)
        return
    unpinned = [name for name in BASES if not _DIGEST.search(environ.get(name, ""))]
    if unpinned:
        raise ImageError(
            f"{', '.join(unpinned)} must each name an image with its digest, as in"
            " docker.io/library/python:3.11-slim-bookworm@sha256:…; docs/kubernetes.md says which."
        )
    builder = find_builder()
    for name in wanted:
        image = image_name(environ, name)
        arguments = [item for base in BASES for item in ("--build-arg", f"{base}={environ[base]}")]
        command = [
            *builder.build,
            *arguments,
            "--target",
            name,
            "--tag",
            image,
            "--file",
            str(DOCKERFILE),
            str(CHECKOUT),
        ]
        if subprocess.run(command, check=False, env={**environ, "DOCKER_BUILDKIT": "1"}).returncode:
            raise ImageError(f"{image} could not be built; what the builder said stands above.")
        size = subprocess.run([*builder.size, image], check=False, capture_output=True, text=True).stdout.strip()
        sys.stdout.write(f"{image:70} {int(size) / _MIB if size.isdigit() else float('nan'):8.0f} MiB\n")


def image_name(environ: Mapping[str, str], name: str) -> str:
    """Returns the whole name of one of our images, as the chart has it."""
    return (
        f"{environ.get('REGISTRY') or 'registry.praxiscope.example'}/praxiscope-{name}:{environ.get('TAG') or '0.1.0'}"
    )


def build_of_debian(environ: Mapping[str, str], names: Sequence[str]) -> dict[str, StoredImage]:
    """Builds images on bases made of Debian's packages, puts them where the cluster takes them from, and prints how large each is.

    Args:
        environ: The environment, which may name a registry and a tag.
        names: Which.

    Returns:
        The images by what they are called in the Dockerfile.

    Raises:
        ClusterError: If this machine cannot, or a build fails.
    """
    _check_inputs(names)
    started_s = time.monotonic()
    builder = Buildah(environ)
    bases = builder.make_bases()
    sys.stdout.write(f"bases: {time.monotonic() - started_s:.1f} s\n")
    for name in names:
        started_s = time.monotonic()
        builder.build(image_name(environ, name), dockerfile=DOCKERFILE, context=CHECKOUT, arguments=bases, target=name)
        sys.stdout.write(f"{name}: {time.monotonic() - started_s:.1f} s\n")
        sys.stdout.flush()
    started_s = time.monotonic()
    layout = builder.export([bases["BASE"], *(image_name(environ, name) for name in names)])
    sys.stdout.write(f"written to {LAYOUT.relative_to(CHECKOUT)}: {time.monotonic() - started_s:.1f} s\n\n")
    images = {name: layout[image_name(environ, name)] for name in names}
    sys.stdout.write(sizes_table(images, layout[bases["BASE"]]))
    return images


def sizes_table(images: Mapping[str, StoredImage], base: StoredImage) -> str:
    """Returns how large images are in MiB, as they are fetched and unpacked: whole, over the base, and what no other image has."""
    shared = {layer.digest for layer in base.layers}
    seen = Counter(layer.digest for image in images.values() for layer in image.layers)
    lines = ["| image | fetched | over the base | unpacked | over the base | its own |", "|---|---|---|---|---|---|"]
    for name, image in images.items():
        over = [layer for layer in image.layers if layer.digest not in shared]
        own = [layer for layer in over if seen[layer.digest] == 1]
        sizes = (_packed(image.layers), _packed(over), _unpacked(image.layers), _unpacked(over), _unpacked(own))
        lines.append(f"| `{name}` | {' | '.join(f'{size / _MIB:.1f}' for size in sizes)} |")
    every = {layer.digest: layer for image in images.values() for layer in image.layers}.values()
    lines.append(f"| all, what they share once | {_packed(every) / _MIB:.1f} | | {_unpacked(every) / _MIB:.1f} | | |")
    return "\n".join([*lines, ""])


def _packed(layers: Iterable[Layer]) -> int:
    return sum(layer.packed_bytes for layer in layers)


def _unpacked(layers: Iterable[Layer]) -> int:
    return sum(layer.unpacked_bytes for layer in layers)


def _check_inputs(names: Sequence[str]) -> None:
    """Asks for what set-up makes and images hold."""
    for name, folder in (("triton", "models"), ("gateway", "console")):
        if name in names and not Path(CHECKOUT / ".praxiscope" / folder).is_dir():
            raise ImageError(f"The image {name} holds .praxiscope/{folder}, which `make setup` makes.")


def find_builder() -> Builder:
    """Returns the first builder that works here.

    Raises:
        ImageError: If none does, with what each said.
    """
    said: list[str] = []
    for name, builder in BUILDERS.items():
        if shutil.which(name) is None:
            said.append(f"{name} is not installed")
            continue
        result = subprocess.run(builder.check, check=False, capture_output=True, text=True)
        if result.returncode == 0 and "Cannot connect" not in result.stdout + result.stderr:
            return builder
        said.append(f"{name} does not work: {(result.stderr or result.stdout).strip().splitlines()[-1][:200]}")
    raise ImageError(f"Nothing here builds images: {'; '.join(said)}. Start docker, or install podman or buildah.")


def main() -> None:
    """Reads `IMAGES` and builds."""
    build_images(os.environ, os.environ.get("IMAGES", "").split())
