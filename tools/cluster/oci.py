"""Images as files: a layout of the Open Container Initiative, whose layers are shared, written and read without any program.

Source: the OCI image layout and image format specifications, versions 1.0 (facts).
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_NAME = "org.opencontainers.image.ref.name"
_CONTAINERD_NAME = "io.containerd.image.name"
_EPOCH = "1970-01-01T00:00:00Z"


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A layer of an image.

    Attributes:
        digest: What it is known by.
        packed_bytes: How large it is as it is fetched.
        unpacked_bytes: How large it is as a `tar` archive, which is what it takes on a node, nearly.
    """

    digest: str
    packed_bytes: int
    unpacked_bytes: int


@dataclass(frozen=True, kw_only=True)
class StoredImage:
    """An image of a layout.

    Attributes:
        name: Its whole name, with its tag.
        digest: Of its manifest.
        layers: The lowest first.
        blobs: Every digest it is made of, its own among them.
    """

    name: str
    digest: str
    layers: Sequence[Layer]
    blobs: Collection[str]


def read_layout(layout: Path) -> dict[str, StoredImage]:
    """Returns a layout's images by their names; none where there is no layout."""
    index = layout / "index.json"
    if not index.is_file():
        return {}
    images: dict[str, StoredImage] = {}
    for entry in json.loads(index.read_text(encoding="utf-8"))["manifests"]:
        name = entry.get("annotations", {}).get(_NAME)
        if not name:
            continue
        manifest = json.loads(_blob(layout, entry["digest"]).read_text(encoding="utf-8"))
        layers = [_layer(layout, layer["digest"]) for layer in manifest["layers"]]
        blobs = {entry["digest"], manifest["config"]["digest"], *(layer.digest for layer in layers)}
        images[name] = StoredImage(name=name, digest=entry["digest"], layers=layers, blobs=blobs)
    return images


def write_image(
    layout: Path, name: str, files: Mapping[str, Path], *, entrypoint: Sequence[str], user: str
) -> StoredImage:
    """Writes an image of a few programs and nothing else; the same programs make the same image.

    Args:
        layout: The layout; made where there is none.
        name: The image's whole name, with its tag.
        files: What it holds, by path inside.
        entrypoint: What it runs.
        user: As whom, `uid:gid`.

    Returns:
        What was written.
    """
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path, source in sorted(files.items()):
            information = tarfile.TarInfo(path.lstrip("/"))
            information.size, information.mode = source.stat().st_size, 0o755
            with source.open("rb") as content:
                archive.addfile(information, content)
    layer = _write_blob(layout, packed.getvalue())
    config = {
        "architecture": "amd64",
        "os": "linux",
        "created": _EPOCH,
        "config": {"User": user, "Entrypoint": list(entrypoint), "Env": ["PATH=/"]},
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
        "history": [{"created": _EPOCH, "created_by": "tools/cluster/oci.py"}],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": {"mediaType": _CONFIG, **_write_blob(layout, json.dumps(config, sort_keys=True).encode())},
        "layers": [{"mediaType": _LAYER, **layer}],
    }
    entry = {"mediaType": _MANIFEST, **_write_blob(layout, json.dumps(manifest, sort_keys=True).encode())}
    _add(layout, {**entry, "annotations": {_NAME: name}})
    return read_layout(layout)[name]


def drop_unused(layout: Path) -> None:
    """Deletes what no image of a layout is made of any more."""
    wanted = {digest.partition(":")[2] for image in read_layout(layout).values() for digest in image.blobs}
    for blob in (layout / "blobs" / "sha256").glob("*"):
        if blob.name not in wanted:
            blob.unlink()


def write_archive(layout: Path, names: Collection[str], output: IO[bytes]) -> None:
    """Writes some images of a layout as one archive, as `ctr image import` reads it; what they share is in it once.

    Args:
        layout: The layout.
        names: Which; all must be there.
        output: Where the archive goes; need not be seekable.
    """
    images = read_layout(layout)
    entries = [
        {
            "mediaType": _MANIFEST,
            "digest": images[name].digest,
            "size": _blob(layout, images[name].digest).stat().st_size,
            "annotations": {_NAME: name, _CONTAINERD_NAME: name},
        }
        for name in sorted(names)
    ]
    with tarfile.open(fileobj=output, mode="w|") as archive:
        _add_text(archive, "oci-layout", '{"imageLayoutVersion": "1.0.0"}')
        _add_text(archive, "index.json", json.dumps({"schemaVersion": 2, "manifests": entries}))
        for digest in sorted({digest for name in names for digest in images[name].blobs}):
            archive.add(_blob(layout, digest), f"blobs/sha256/{digest.partition(':')[2]}")


def _layer(layout: Path, digest: str) -> Layer:
    """Reads how large a layer is; gzip writes what it packed, modulo 4 GiB, into its last four bytes (RFC 1952)."""
    path = _blob(layout, digest)
    packed = unpacked = path.stat().st_size
    with path.open("rb") as file:
        if file.read(2) == b"\x1f\x8b":
            file.seek(-4, 2)
            unpacked = int.from_bytes(file.read(4), "little")
    return Layer(digest=digest, packed_bytes=packed, unpacked_bytes=unpacked)


def _add(layout: Path, entry: Mapping[str, object]) -> None:
    """Puts an image into the index, in place of one of the same name."""
    index = layout / "index.json"
    listed = json.loads(index.read_text(encoding="utf-8"))["manifests"] if index.is_file() else []
    name = entry["annotations"][_NAME]  # type: ignore[index]  it is ours, made above
    kept = [item for item in listed if item.get("annotations", {}).get(_NAME) != name]
    (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}', encoding="ascii")
    index.write_text(json.dumps({"schemaVersion": 2, "manifests": [*kept, entry]}), encoding="utf-8")


def _write_blob(layout: Path, content: bytes) -> dict[str, object]:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    path = _blob(layout, digest)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.write_bytes(content)
    return {"digest": digest, "size": len(content)}


def _blob(layout: Path, digest: str) -> Path:
    return layout / "blobs" / "sha256" / digest.partition(":")[2]


def _add_text(archive: tarfile.TarFile, name: str, text: str) -> None:
    information = tarfile.TarInfo(name)
    information.size = len(text.encode())
    archive.addfile(information, io.BytesIO(text.encode()))
