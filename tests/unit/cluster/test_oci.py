"""Images as files: what is written is read, shared once, and handed on as containerd takes it."""

import gzip
import io
import json
import tarfile
from pathlib import Path

from tools.cluster import oci


def _program(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def _write(layout: Path, name: str, files: dict[str, Path]) -> oci.StoredImage:
    return oci.write_image(layout, name, files, entrypoint=["/run"], user="1:1")


def test_an_image_that_is_written_is_read_as_it_was(tmp_path: Path) -> None:
    written = _write(tmp_path / "layout", "here/one:1", {"/run": _program(tmp_path, "run", "a")})
    assert oci.read_layout(tmp_path / "layout") == {"here/one:1": written}
    assert len(written.blobs) == 3
    (layer,) = written.layers
    assert layer.packed_bytes == layer.unpacked_bytes > 0


def test_the_same_programs_make_the_same_image_and_others_another(tmp_path: Path) -> None:
    program = _program(tmp_path, "run", "a")
    first = _write(tmp_path / "one", "here/one:1", {"/run": program})
    assert _write(tmp_path / "two", "here/one:1", {"/run": program}).digest == first.digest
    program.write_text("b")
    assert _write(tmp_path / "three", "here/one:1", {"/run": program}).digest != first.digest


def test_a_name_stands_for_one_image_and_what_nobody_needs_is_dropped(tmp_path: Path) -> None:
    layout, program = tmp_path / "layout", _program(tmp_path, "run", "a")
    _write(layout, "here/one:1", {"/run": program})
    program.write_text("b")
    second = _write(layout, "here/one:1", {"/run": program})
    oci.drop_unused(layout)
    assert oci.read_layout(layout) == {"here/one:1": second}
    blobs = {f"sha256:{path.name}" for path in (layout / "blobs" / "sha256").iterdir()}
    assert blobs == set(second.blobs)


def test_an_archive_holds_what_images_share_once(tmp_path: Path) -> None:
    layout, program = tmp_path / "layout", _program(tmp_path, "run", "a")
    for name in ("here/one:1", "here/two:1", "here/three:1"):
        _write(layout, name, {"/run": program})
    packed = io.BytesIO()
    oci.write_archive(layout, ["here/two:1", "here/one:1"], packed)
    with tarfile.open(fileobj=io.BytesIO(packed.getvalue())) as archive:
        names = archive.getnames()
        index = archive.extractfile("index.json")
        assert index is not None
        entries = json.load(index)["manifests"]
    assert len(names) == len(set(names)) == 2 + 3
    assert [entry["annotations"]["io.containerd.image.name"] for entry in entries] == ["here/one:1", "here/two:1"]


def test_a_packed_layer_says_how_large_it_is_unpacked(tmp_path: Path) -> None:
    layout, program = tmp_path / "layout", _program(tmp_path, "run", "a" * 100_000)
    (layer,) = _write(layout, "here/one:1", {"/run": program}).layers
    blob = layout / "blobs" / "sha256" / layer.digest.partition(":")[2]
    blob.write_bytes(gzip.compress(blob.read_bytes()))
    (packed,) = oci.read_layout(layout)["here/one:1"].layers
    assert packed.unpacked_bytes == layer.unpacked_bytes > 100_000 > packed.packed_bytes


def test_no_layout_holds_no_images(tmp_path: Path) -> None:
    assert oci.read_layout(tmp_path) == {}
