"""`make licences`: every package of the environments with its licence, the shared objects inside wheels, and what may not be there.

Fails where a package of the default installation is under a licence that the project does not take (docs/adr lists the exceptions).
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from importlib import metadata
from pathlib import Path
from typing import cast

from tools.devstack.settings import CHECKOUT

# Licences that are not taken in the default installation, and the packages for which a decision says otherwise.
_REFUSED = re.compile(r"\bA?GPL|non-?commercial|GNU General Public|GNU Affero", re.IGNORECASE)
_ACCEPTED_ANYWAY = {
    "psycopg": "LGPL, unmodified",
    "psycopg-binary": "LGPL, unmodified",
    "psycopg-pool": "LGPL, unmodified",
}
# Shared objects that a wheel brings under another licence than its own.
_GPL_OBJECTS = re.compile(r"libx26[45]")
# Wheels that say BSD and have GPL code linked in, which no metadata tell; they may be in environments of their own only.
_GPL_INSIDE = {"pycolmap": "docs/adr/0011-colmap-in-a-program-of-its-own.md"}
_GPL_OBJECTS_ACCEPTED = {"av": "docs/adr/0005-pyav-and-gpl-codecs.md"}


@dataclass(frozen=True, kw_only=True)
class Package:
    """One installed package.

    Attributes:
        name: Its name.
        version: Its version.
        licence: What it says of its licence.
        objects: Shared objects that it brings for others, by file name.
    """

    name: str
    version: str
    licence: str
    objects: tuple[str, ...]


def main() -> int:
    """Prints the tables; the exit code says whether something is there that may not be."""
    problems: list[str] = []
    for environment in (".venv", ".venv-models"):
        sys.stdout.write(f"\n{environment}\n")
        for package in sorted(packages(CHECKOUT / environment), key=lambda item: item.name.lower()):
            sys.stdout.write(f"  {package.name:44} {package.version:14} {package.licence}\n")
            for item in package.objects:
                sys.stdout.write(f"      brings {item}\n")
            problems += problems_of(package)
    sys.stdout.write("\nconsole (* in the pages that are served)\n")
    for package, is_shipped in npm_packages(CHECKOUT / "console" / "package-lock.json"):
        mark = "*" if is_shipped else " "
        sys.stdout.write(f" {mark}{package.name:44} {package.version:14} {package.licence}\n")
        problems += npm_problems_of(package)
    sys.stdout.write("\n" + ("\n".join(problems) or "Nothing that may not be there.") + "\n")
    return 1 if problems else 0


def packages(environment: Path) -> Iterator[Package]:
    """Yields the packages of an environment."""
    folder = next(environment.glob("lib/python*/site-packages"))
    for found in metadata.distributions(path=[str(folder)]):
        files = [str(file) for file in found.files or ()]
        objects = sorted({Path(file).name for file in files if ".libs/" in file and ".so" in file})
        yield Package(
            name=found.metadata["Name"],
            version=found.version,
            licence=licence_of(cast(Message, found.metadata)),
            objects=tuple(objects),
        )


def npm_packages(lock: Path) -> Iterator[tuple[Package, bool]]:
    """Yields what npm's lock installs, and whether its code is in the pages that are served."""
    for path, entry in sorted(json.loads(lock.read_text(encoding="utf-8"))["packages"].items()):
        if not path:
            continue
        name, licence = path.rpartition("node_modules/")[2], entry.get("license", "not stated")
        found = Package(name=name, version=entry["version"], licence=licence, objects=())
        yield found, not entry.get("dev") and not entry.get("optional")


def npm_problems_of(package: Package) -> Iterator[str]:
    """Yields what may not be there; a package that says nothing of its licence may not either."""
    if package.licence == "not stated" or _REFUSED.search(package.licence):
        yield f"{package.name} is under {package.licence}."


def licence_of(described: Message) -> str:
    """Returns what a package says of its licence, in the newest of the three ways there are."""
    if expression := described.get("License-Expression"):
        return expression
    classified = [
        item.rpartition(" :: ")[2] for item in described.get_all("Classifier") or () if item.startswith("License ::")
    ]
    if classified:
        return ", ".join(classified)
    text = (described.get("License") or "").strip()
    return text.splitlines()[0][:80] if text else "not stated"


def problems_of(package: Package) -> Iterator[str]:
    """Yields what may not be there."""
    name = package.name.lower()
    is_lesser = "LGPL" in package.licence or "Lesser" in package.licence
    if _REFUSED.search(package.licence) and not is_lesser and name not in _ACCEPTED_ANYWAY:
        yield f"{package.name} is under {package.licence}."
    if name in _GPL_INSIDE:
        yield f"{package.name} has GPL code linked in; see {_GPL_INSIDE[name]}."
    found = [item for item in package.objects if _GPL_OBJECTS.search(item)]
    if found and name not in _GPL_OBJECTS_ACCEPTED:
        yield f"{package.name} brings {', '.join(found)}."


if __name__ == "__main__":
    raise SystemExit(main())
