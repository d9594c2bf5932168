"""What is refused before anything is signed; cosign itself is tried by `make test-signing`."""

import json
from pathlib import Path

import pytest

from tools.devstack.settings import CHECKOUT
from tools.supply import signing
from tools.supply.settings import SupplyError
from tools.supply.signing import read_listing, sign_all, verify_all


@pytest.fixture
def output(tmp_path: Path) -> Path:
    folder = tmp_path / "sbom"
    folder.mkdir()
    (folder / "auth.cdx.json").write_text("{}")
    sha256 = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"  # of {}
    entry = {
        "image": "r.example:5000/praxiscope-auth:1",
        "digest": "sha256:a",
        "bill": "auth.cdx.json",
        "sha256": sha256,
    }
    (folder / "images.json").write_text(json.dumps([entry]))
    return folder


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A cosign that writes down what it is told, and a key."""
    program, key = tmp_path / "cosign", tmp_path / "cosign.key"
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n')
    program.chmod(0o755)
    key.write_text("key")
    return {"COSIGN": str(program), "KEY": str(key), "PATH": "/usr/bin:/bin"}


def test_everything_is_signed_by_its_digest_and_nothing_told_to_a_public_log(
    output: Path, environ: dict[str, str], tmp_path: Path
) -> None:
    sign_all(output, {**environ, "PUSHED": "1"})
    calls = (tmp_path / "calls").read_text().splitlines()
    assert [call.split()[0] for call in calls] == ["sign-blob", "sign-blob", "sign", "attest"]
    assert all("--tlog-upload=false" in call and "--use-signing-config=false" in call for call in calls)
    assert [call.split()[-1] for call in calls] == [
        str(output / "auth.cdx.json"),
        str(output / "images.json"),
        *["r.example:5000/praxiscope-auth@sha256:a"] * 2,
    ]


def test_a_bill_that_was_changed_is_not_signed(output: Path, environ: dict[str, str], tmp_path: Path) -> None:
    (output / "auth.cdx.json").write_text('{"components": []}')
    with pytest.raises(SupplyError, match=r"auth\.cdx\.json is not the bill that images\.json names"):
        sign_all(output, environ)
    assert not (tmp_path / "calls").exists()


def test_a_private_key_in_the_checkout_is_refused(
    output: Path, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(signing, "CHECKOUT", tmp_path)
    with pytest.raises(SupplyError, match="a private key inside the checkout"):
        sign_all(output, environ)


def test_no_key_is_in_the_repository() -> None:
    assert not [path for path in CHECKOUT.glob("*.key")]


@pytest.mark.parametrize(("key", "said"), [("", "KEY names no key"), ("/nowhere/cosign.key", "There is no key")])
def test_a_key_that_is_none_is_told(output: Path, environ: dict[str, str], key: str, said: str) -> None:
    with pytest.raises(SupplyError, match=said):
        sign_all(output, {**environ, "KEY": key})


def test_what_is_not_signed_is_not_taken(output: Path, environ: dict[str, str]) -> None:
    with pytest.raises(SupplyError, match=r"images\.json is not signed"):
        verify_all(output, environ)


def test_without_cosign_it_is_said_how_to_get_one(
    output: Path, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(signing, "FOLDER", tmp_path)
    with pytest.raises(SupplyError, match="make setup-signing"):
        sign_all(output, {"KEY": environ["KEY"], "PATH": str(tmp_path / "nothing")})


def test_without_a_listing_it_is_said_what_writes_it(tmp_path: Path) -> None:
    with pytest.raises(SupplyError, match="`make sbom` writes it"):
        read_listing(tmp_path)
