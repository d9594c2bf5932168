"""`make images`: builds every image with what the machine has, docker, podman or buildah, and prints how large each is.

BASE=…@sha256:… BUILD_BASE=…@sha256:… GO_BASE=…@sha256:… make images [IMAGES="auth tracking"]
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
    targets = re.findall(r"^FROM \S+ AS (\S+)$", text, re.MULTILINE)
    inner = {"python", "application", *(name for name in targets if name.endswith("-build"))}
    return [name for name in targets if name not in inner]


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
    unpinned = [name for name in BASES if not _DIGEST.search(environ.get(name, ""))]
    if unpinned:
        raise ImageError(
            f"{', '.join(unpinned)} must each name an image with its digest, as in"
            " docker.io/library/python:3.11-slim-bookworm@sha256:…; docs/kubernetes.md says which."
        )
    builder = find_builder()
    registry = environ.get("REGISTRY") or "registry.praxiscope.example"
    tag = environ.get("TAG") or "0.1.0"
    for name in wanted:
        image = f"{registry}/praxiscope-{name}:{tag}"
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
