"""`make sbom`: writes the bill of materials of every image that `make images` made, checked by CycloneDX's own schema, and which image has which."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation import make_schemabased_validator

from tools.cluster.components import find_go
from tools.cluster.oci import StoredImage, read_layout
from tools.cluster.settings import LAYOUT
from tools.devstack.settings import CHECKOUT
from tools.supply.bill import Locks, make_bill, read_npm_lock, read_python_lock
from tools.supply.image import read_image
from tools.supply.settings import LISTING, OUTPUT, SupplyError

_PREFIX = "praxiscope-"
_INNER = "localhost/"  # bases and what a cluster is made of, which nobody is given


def read_locks() -> Locks:
    """Returns what the checkout's locks, recipes and cards say."""
    requirements = CHECKOUT / "requirements"
    names = ("models.txt", "triton.txt", "development.txt")
    python: dict[tuple[str, str], list[str]] = {}
    for path in [*sorted((requirements / "images").glob("*.txt")), *(requirements / name for name in names)]:
        python |= read_python_lock(path.read_text(encoding="utf-8"))
    npm = json.loads((CHECKOUT / "console" / "package-lock.json").read_text(encoding="utf-8"))
    recipes = [json.loads(path.read_text(encoding="utf-8")) for path in (CHECKOUT / "models").glob("*/recipe.json")]
    licences: dict[str, str] = {}
    for recipe in recipes:
        card = (CHECKOUT / "models" / recipe["name"] / "card.md").read_text(encoding="utf-8")
        (licences[recipe["name"]],) = re.findall(r"^\| licence \| (.+?) \|$", card, re.MULTILINE)
    return Locks(
        python=python,
        npm=read_npm_lock(npm),
        models={recipe["name"]: recipe["onnx_sha256"] for recipe in recipes},
        model_licences=licences,
    )


def write_bills(layout: Path, output: Path, names: Sequence[str] = ()) -> dict[str, Path]:
    """Writes a bill for each image of a layout.

    Args:
        layout: Where the images are.
        output: Where the bills go, and the listing of images and bills by their digests.
        names: Which images, as in `auth`; all where there is none.

    Returns:
        The bills by the images' whole names.

    Raises:
        SupplyError: There is no such image, or a bill would not be whole or not be valid.
    """
    images = {_short(name): image for name, image in read_layout(layout).items() if not name.startswith(_INNER)}
    missing = sorted(set(names) - set(images))
    if missing or not images:
        raise SupplyError(f"There is no image {', '.join(missing) or 'here'}; `make images` builds them.")
    locks = read_locks()
    output.mkdir(parents=True, exist_ok=True)
    bills: dict[str, Path] = {}
    for name in sorted(names or images):
        started_s = time.monotonic()
        bill = make_bill(read_image(layout, images[name]), locks, _read_modules)
        text = json.dumps(bill, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        check_bill(text)
        path = output / f"{name}.cdx.json"
        path.write_text(text, encoding="utf-8")
        bills[images[name].name] = path
        elapsed_s = time.monotonic() - started_s
        sys.stdout.write(f"{path.name:28} {len(bill['components']):5} components  {elapsed_s:5.1f} s\n")
    _write_listing(output, images.values(), bills)
    return bills


def _write_listing(output: Path, images: Iterable[StoredImage], bills: Mapping[str, Path]) -> None:
    digests = {image.name: image.digest for image in images}
    listing = [
        {
            "image": name,
            "digest": digests[name],
            "bill": path.name,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for name, path in sorted(bills.items())
    ]
    (output / LISTING).write_text(json.dumps(listing, indent=1) + "\n", encoding="utf-8")


def check_bill(text: str) -> None:
    """Returns if a bill is one by CycloneDX's published schema.

    Raises:
        SupplyError: With the first thing that is wrong.
    """
    problem = make_schemabased_validator(OutputFormat.JSON, SchemaVersion.V1_6).validate_str(text)
    if problem is not None:
        raise SupplyError(f"The bill is not valid: {str(problem)[:500]}")


def _short(name: str) -> str:
    return name.rpartition("/")[2].partition(":")[0].removeprefix(_PREFIX)


def _read_modules(program: bytes) -> str:
    with tempfile.NamedTemporaryFile() as file:
        file.write(program)
        file.flush()
        command = [find_go(), "version", "-m", file.name]
        result = subprocess.run(command, check=False, capture_output=True, text=True)
    if result.returncode:
        raise SupplyError(f"`go version -m` failed: {result.stderr.strip()}")
    return result.stdout


def main() -> None:
    """Reads `IMAGES` and `LAYOUT`, and writes the bills."""
    layout = Path(os.environ.get("LAYOUT") or LAYOUT)
    write_bills(layout, OUTPUT, os.environ.get("IMAGES", "").split())
