"""`make sign` and `make verify`: signatures on bills of materials, on the listing that ties them to images' digests, and on images where a registry has them.

    make sign KEY=cosign.key                        signs what `make sbom` wrote; the signatures lie beside it, as NAME.sigstore.json
    make sign KEY=cosign.key PUSHED=1               also the images in the registry that the listing names, each by its digest, with its bill as an attestation
    make verify KEY=cosign.pub [PUSHED=1]           says whether all of this is as it was signed

The key is the user's and never in this checkout: a file of `cosign generate-key-pair`, or the address of one in a KMS (`awskms://…`, `hashivault://…`).
Nothing is written to a public log.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.cluster.components import Component, build_components
from tools.devstack.settings import CHECKOUT
from tools.supply.settings import FOLDER, LISTING, OUTPUT, SupplyError

_MODULES = Path(__file__).with_name("components")
COSIGN = Component(name="cosign", module="cosign", package="github.com/sigstore/cosign/v3/cmd/cosign")
# A registry for one test, and what puts images into it.
CRANE = Component(name="crane", module="cosign", package="github.com/google/go-containerregistry/cmd/crane")
_SIGN = ("--yes", "--use-signing-config=false", "--tlog-upload=false")
_VERIFY = ("--insecure-ignore-tlog=true",)  # there is no log to ask: whoever has the public key needs none
_SUFFIX = ".sigstore.json"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A line of the listing.

    Attributes:
        image: The image's whole name, with its tag.
        digest: Of its manifest.
        bill: The file of its bill.
        sha256: Of that file.
    """

    image: str
    digest: str
    bill: str
    sha256: str

    @property
    def reference(self) -> str:
        """The image by its digest."""
        return f"{self.image.rpartition(':')[0]}@{self.digest}"


def build_cosign() -> None:
    """Builds cosign from its published module: seven minutes of a processor the first time.

    Raises:
        ClusterError: There is no Go, or the build fails.
    """
    build_components((COSIGN, CRANE), modules=_MODULES, folder=FOLDER)


def find_cosign(environ: Mapping[str, str]) -> str:
    """Returns the user's cosign, or the one that was built here.

    Raises:
        SupplyError: There is none.
    """
    found = environ.get("COSIGN") or shutil.which("cosign", path=environ.get("PATH"))
    if found is None and (FOLDER / "bin" / COSIGN.name).exists():
        found = str(FOLDER / "bin" / COSIGN.name)
    if found is None:
        raise SupplyError("There is no cosign: install it, or `make setup-signing` builds it from its module.")
    return found


def read_listing(output: Path) -> list[Entry]:
    """Returns which image has which bill.

    Raises:
        SupplyError: There is no listing.
    """
    path = output / LISTING
    if not path.exists():
        raise SupplyError(f"{LISTING} is not in {output}; `make sbom` writes it.")
    return [Entry(**item) for item in json.loads(path.read_text(encoding="utf-8"))]


def sign_all(output: Path, environ: Mapping[str, str]) -> None:
    """Signs the bills and the listing, and the images where they were pushed.

    Args:
        output: Where the bills are.
        environ: `KEY` and `PUSHED`; cosign reads `COSIGN_PASSWORD`.

    Raises:
        SupplyError: A bill is not the one that was listed, the key is in the checkout, or cosign refuses.
    """
    key, cosign = _key(environ), find_cosign(environ)
    entries = read_listing(output)
    _check_bills(output, entries)
    for name in [*(entry.bill for entry in entries), LISTING]:
        file = output / name
        _run([cosign, "sign-blob", "--key", key, "--bundle", f"{file}{_SUFFIX}", *_SIGN, str(file)], environ)
        sys.stdout.write(f"signed {name}\n")
    if environ.get("PUSHED"):
        for entry in entries:
            _run([cosign, "sign", "--key", key, *_SIGN, *_registry(environ), entry.reference], environ)
            bill = ["--type", "cyclonedx", "--predicate", str(output / entry.bill)]
            _run([cosign, "attest", "--key", key, *bill, *_SIGN, *_registry(environ), entry.reference], environ)
            sys.stdout.write(f"signed {entry.reference}\n")


def verify_all(output: Path, environ: Mapping[str, str]) -> None:
    """Returns if everything is as it was signed: what the listing's names stand for in the registry, too, where images were pushed.

    Args:
        output: Where the bills are.
        environ: `KEY`, the public one, and `PUSHED`.

    Raises:
        SupplyError: With the first thing that is not.
    """
    key, cosign = _key(environ), find_cosign(environ)
    _verify_file(cosign, key, output / LISTING, environ)
    entries = read_listing(output)
    _check_bills(output, entries)
    for entry in entries:
        _verify_file(cosign, key, output / entry.bill, environ)
    for entry in entries if environ.get("PUSHED") else ():
        options = ["--key", key, *_VERIFY, *_registry(environ)]
        answer = _run([cosign, "verify", *options, "--output", "json", entry.image], environ)
        signed = {item["critical"]["image"]["docker-manifest-digest"] for item in json.loads(answer)}
        if signed != {entry.digest}:
            raise SupplyError(f"{entry.image} is {', '.join(sorted(signed))} in the registry, not {entry.digest}.")
        _run([cosign, "verify-attestation", "--type", "cyclonedx", *options, entry.reference], environ)
    sys.stdout.write(f"{len(entries)} images: bills and digests are as they were signed\n")


def _verify_file(cosign: str, key: str, file: Path, environ: Mapping[str, str]) -> None:
    bundle = Path(f"{file}{_SUFFIX}")
    if not bundle.exists():
        raise SupplyError(f"{file.name} is not signed.")
    _run([cosign, "verify-blob", "--key", key, "--bundle", str(bundle), *_VERIFY, str(file)], environ)


def _check_bills(output: Path, entries: Sequence[Entry]) -> None:
    for entry in entries:
        file = output / entry.bill
        if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != entry.sha256:
            raise SupplyError(f"{entry.bill} is not the bill that {LISTING} names; `make sbom` writes both anew.")


def _key(environ: Mapping[str, str]) -> str:
    key = environ.get("KEY", "")
    if not key:
        raise SupplyError("KEY names no key: a file of `cosign generate-key-pair`, or an address in a KMS.")
    if "://" in key:
        return key
    path = Path(key).resolve()
    if not path.is_file():
        raise SupplyError(f"There is no key {key}.")
    if path.suffix == ".key" and path.is_relative_to(CHECKOUT):
        raise SupplyError(f"{key} is a private key inside the checkout; keep it where no commit can take it.")
    return str(path)


def _registry(environ: Mapping[str, str]) -> list[str]:
    """Returns what cosign is told of a registry without TLS, which only a test has."""
    return ["--allow-insecure-registry"] if environ.get("INSECURE_REGISTRY") else []


def _run(command: Sequence[str], environ: Mapping[str, str]) -> str:
    result = subprocess.run(command, check=False, capture_output=True, text=True, env=dict(environ))
    if result.returncode:
        said = [line for line in result.stderr.strip().splitlines() if not line.startswith(("WARNING", "Flag "))]
        raise SupplyError(f"cosign {command[1]} refuses {command[-1]}: {(said or ['it said nothing'])[0][:500]}")
    return result.stdout


def sign() -> None:
    """Signs what `make sbom` wrote."""
    sign_all(OUTPUT, os.environ)


def verify() -> None:
    """Verifies it."""
    verify_all(OUTPUT, os.environ)
