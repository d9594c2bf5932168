"""What an image holds, read out of its layers without running it.

Source: the OCI image layer format, version 1.0: an upper layer takes a file away by `.wh.NAME`, and all that lies in a folder by `.wh..wh..opq` (facts).
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tools.cluster.oci import StoredImage

# What is read besides being named: lists of packages, licences, programs and weights.
_KEPT = re.compile(
    r"var/lib/dpkg/status|var/lib/dpkg/info/[^/]+\.list|usr/lib/os-release|.+\.dist-info/(METADATA|RECORD)"
    r"|app/console/licences\.txt|app/gateway|usr/local/bin/weed|.+\.onnx"
)
_GONE, _ALL_GONE = ".wh.", ".wh..wh..opq"


@dataclass(frozen=True, kw_only=True)
class ImageContent:
    """An image, unpacked.

    Attributes:
        name: Its whole name, with its tag.
        digest: Of its manifest.
        paths: Every file and link that it holds, without the leading slash.
        texts: What some of them hold (`_KEPT`).
    """

    name: str
    digest: str
    paths: frozenset[str]
    texts: Mapping[str, bytes]


@dataclass(frozen=True, kw_only=True)
class _LayerContent:
    paths: frozenset[str]
    texts: Mapping[str, bytes]
    gone: frozenset[str]
    emptied: frozenset[str]


def read_image(layout: Path, image: StoredImage) -> ImageContent:
    """Returns what an image holds once all layers lie on each other."""
    paths: set[str] = set()
    texts: dict[str, bytes] = {}
    for layer in image.layers:
        content = _read_layer(layout / "blobs" / "sha256" / layer.digest.partition(":")[2])
        hidden = {path for path in paths if _is_hidden(path, content)}
        paths = (paths - hidden) | content.paths
        texts = {path: text for path, text in texts.items() if path not in hidden} | dict(content.texts)
    return ImageContent(name=image.name, digest=image.digest, paths=frozenset(paths), texts=texts)


def _is_hidden(path: str, layer: _LayerContent) -> bool:
    parts = path.split("/")
    above = {"/".join(parts[:count]) for count in range(len(parts))}
    return path in layer.gone or bool(above & (layer.gone | layer.emptied))


@cache
def _read_layer(blob: Path) -> _LayerContent:
    """Reads a layer; images share most of theirs."""
    paths, gone, emptied = set[str](), set[str](), set[str]()
    texts: dict[str, bytes] = {}
    with tarfile.open(blob) as archive:
        for member in archive:
            path = member.name.removeprefix("./").strip("/")
            folder, _, name = path.rpartition("/")
            if name == _ALL_GONE:
                emptied.add(folder)
            elif name.startswith(_GONE):
                gone.add(f"{folder}/{name.removeprefix(_GONE)}".strip("/"))
            elif not member.isdir():
                paths.add(path)
                if _KEPT.fullmatch(path) and (file := archive.extractfile(member)) is not None:
                    texts[path] = file.read()
    return _LayerContent(paths=frozenset(paths), texts=texts, gone=frozenset(gone), emptied=frozenset(emptied))
