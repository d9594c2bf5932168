"""With a throwaway key: what was signed is taken; a changed bill, listing or image, another key, and what was never signed are refused."""

import hashlib
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import httpx
import pytest

from tools.cluster.oci import write_image
from tools.supply.settings import FOLDER, SupplyError
from tools.supply.signing import COSIGN, CRANE, Entry, sign_all, verify_all

_BIN = FOLDER / "bin"
_START_TIMEOUT_S = 15.0


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pairs of keys, each in a folder of its own."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("ours", "theirs"):
        (folder / name).mkdir()
        command = [str(_BIN / COSIGN.name), "generate-key-pair"]
        environment = {"COSIGN_PASSWORD": "", "HOME": str(folder), "PATH": os.environ["PATH"]}
        subprocess.run(command, cwd=folder / name, env=environment, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    folder = tmp_path_factory.mktemp("registry")
    command = [str(_BIN / CRANE.name), "registry", "serve", "--address", address, "--disk", str(folder)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        deadline_s = time.monotonic() + _START_TIMEOUT_S
        while True:
            try:
                if httpx.get(f"http://{address}/v2/", timeout=1).status_code == 200:
                    break
            except httpx.TransportError:
                assert time.monotonic() < deadline_s, (folder / "log").read_text()
                time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait(_START_TIMEOUT_S)


class Pushed:
    """A listing of one image that was pushed, with its bill."""

    def __init__(self, folder: Path, registry: str, keys: Path) -> None:
        self.folder, self.output = folder, folder / "sbom"
        self.output.mkdir()
        self.name = f"{registry}/{folder.name.replace('_', '-')}/praxiscope-thing:1"
        self.environment = {
            "COSIGN": str(_BIN / COSIGN.name),
            "COSIGN_PASSWORD": "",
            "HOME": str(folder),
            "PATH": os.environ["PATH"],
            "PUSHED": "1",
            "INSECURE_REGISTRY": "1",
        }
        self.private = {**self.environment, "KEY": str(keys / "ours" / "cosign.key")}
        self.public = {**self.environment, "KEY": str(keys / "ours" / "cosign.pub")}
        self.stranger = {**self.environment, "KEY": str(keys / "theirs" / "cosign.pub")}
        self.list(self.push("first"))

    def push(self, text: str) -> str:
        """Puts an image under our name into the registry and returns its digest."""
        program, layout = self.folder / "program", self.folder / f"layout-{text}"
        program.write_text(text)
        image = write_image(layout, self.name, {"/program": program}, entrypoint=["/program"], user="1:1")
        subprocess.run([str(_BIN / CRANE.name), "push", str(layout), self.name], check=True, capture_output=True)
        return image.digest

    def list(self, digest: str, bill: str = '{"bomFormat": "CycloneDX", "specVersion": "1.6"}') -> None:
        """Writes a bill and the listing."""
        (self.output / "thing.cdx.json").write_text(bill)
        entry = Entry(
            image=self.name, digest=digest, bill="thing.cdx.json", sha256=hashlib.sha256(bill.encode()).hexdigest()
        )
        (self.output / "images.json").write_text(json.dumps([asdict(entry)]))


@pytest.fixture
def pushed(tmp_path: Path, registry: str, keys: Path) -> Pushed:
    return Pushed(tmp_path, registry, keys)


def test_what_was_signed_is_taken(pushed: Pushed) -> None:
    sign_all(pushed.output, pushed.private)
    verify_all(pushed.output, pushed.public)


def test_another_key_is_refused(pushed: Pushed) -> None:
    sign_all(pushed.output, pushed.private)
    with pytest.raises(SupplyError, match="verify-blob refuses"):
        verify_all(pushed.output, pushed.stranger)


def test_a_changed_bill_is_refused(pushed: Pushed) -> None:
    sign_all(pushed.output, pushed.private)
    digest = json.loads((pushed.output / "images.json").read_text())[0]["digest"]
    (pushed.output / "thing.cdx.json").write_text("{}")
    with pytest.raises(SupplyError, match="is not the bill"):
        verify_all(pushed.output, pushed.public)
    # Who changes the listing, too, is found by its signature.
    pushed.list(digest, "{}")
    with pytest.raises(SupplyError, match=r"verify-blob refuses .*images\.json"):
        verify_all(pushed.output, pushed.public)


def test_a_changed_image_is_refused(pushed: Pushed) -> None:
    sign_all(pushed.output, pushed.private)
    pushed.push("second")
    with pytest.raises(SupplyError, match=r"cosign verify refuses .*praxiscope-thing:1: .*no signatures found"):
        verify_all(pushed.output, pushed.public)


def test_an_image_that_was_signed_for_another_listing_is_not_this_one(pushed: Pushed) -> None:
    """An older image of ours, put back under the tag, is signed and yet not what the listing says."""
    first = {path.name: path.read_bytes() for path in pushed.output.iterdir()}
    sign_all(pushed.output, pushed.private)
    pushed.list(pushed.push("second"))
    sign_all(pushed.output, pushed.private)
    verify_all(pushed.output, pushed.public)
    pushed.push("first")
    assert first["images.json"] != (pushed.output / "images.json").read_bytes()
    with pytest.raises(SupplyError, match="in the registry, not sha256:"):
        verify_all(pushed.output, pushed.public)


def test_a_bundle_of_another_file_is_refused(pushed: Pushed) -> None:
    sign_all(pushed.output, pushed.private)
    shutil.copy(pushed.output / "images.json.sigstore.json", pushed.output / "thing.cdx.json.sigstore.json")
    with pytest.raises(SupplyError, match=r"verify-blob refuses .*thing\.cdx\.json"):
        verify_all(pushed.output, pushed.public)
