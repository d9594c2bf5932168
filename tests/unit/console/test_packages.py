"""The console's npm packages: locked without any registry's address, and under licences that may be there."""

import json
from pathlib import Path

import pytest

from tools.licences import Package, npm_packages, npm_problems_of

LOCK = Path(__file__).resolve().parents[3] / "console" / "package-lock.json"


def test_every_package_is_locked_by_its_checksum_and_no_registry_is_named() -> None:
    packages = {name: entry for name, entry in json.loads(LOCK.read_text())["packages"].items() if name}
    assert packages
    assert [name for name, entry in packages.items() if not entry.get("integrity")] == []
    assert [name for name, entry in packages.items() if "resolved" in entry] == []


def test_every_version_that_we_ask_for_is_exact() -> None:
    asked = json.loads((LOCK.parent / "package.json").read_text())
    for versions in (asked["dependencies"], asked["devDependencies"]):
        assert [version for version in versions.values() if not version[0].isdigit()] == []


def test_what_is_installed_may_be_there() -> None:
    found = list(npm_packages(LOCK))
    assert [problem for package, _ in found for problem in npm_problems_of(package)] == []
    shipped = {package.name for package, is_shipped in found if is_shipped}
    assert {"react", "react-dom", "three", "@sparkjsdev/spark"} <= shipped
    assert "vitest" not in shipped


@pytest.mark.parametrize("licence", ["GPL-3.0", "AGPL-3.0-only", "MIT AND GPL-2.0", "not stated"])
def test_a_licence_that_is_not_taken_is_told(licence: str) -> None:
    package = Package(name="x", version="1", licence=licence, objects=())
    assert list(npm_problems_of(package)) == [f"x is under {licence}."]
