"""What a service's token is good for, against the clients in the code (docs/adr/0010)."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import praxiscope_assets
import praxiscope_common
from praxiscope_common.service_calls import CALLS, IDENTITY_CALLS, calls_on_behalf
from tests.support import contracts

SERVICES = Path(__file__).parents[3] / "services"


def trees(folder: Path) -> Iterator[ast.Module]:
    for path in sorted(folder.rglob("*.py")):
        yield ast.parse(path.read_text())


def called_in(tree: ast.Module) -> set[str]:
    """Returns the methods of the stubs made in a file that are also named in it."""
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    made = {name.removesuffix("Stub") for name in attributes if name.endswith("Stub")}
    return {
        f"/{service.full_name}/{method.name}"
        for service in contracts.services()
        if service.name in made
        for method in service.methods
        if method.name in attributes
    }


def calls_of_assets() -> dict[str, set[str]]:
    """Returns what each public class of the assets library calls."""
    return {
        node.name: called_in(tree)
        for tree in trees(Path(praxiscope_assets.__file__).parent)
        for node in tree.body
        if isinstance(node, ast.ClassDef)
    }


def calls_in_code(service: str) -> set[str]:
    shared, found = calls_of_assets(), set[str]()
    for tree in trees(SERVICES / service / "src"):
        found |= called_in(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module == "praxiscope_assets":
                found |= {method for alias in node.names for method in shared.get(alias.name, ())}
    return found


@pytest.mark.parametrize("service", sorted(path.name for path in SERVICES.iterdir() if (path / "src").is_dir()))
def test_the_table_says_what_the_code_calls(service: str) -> None:
    assert CALLS[service] == calls_in_code(service)


def test_the_table_names_no_service_that_is_not_there() -> None:
    assert set(CALLS) == {path.name for path in SERVICES.iterdir() if (path / "src").is_dir()}


def test_what_every_service_calls_is_what_common_calls() -> None:
    found: set[str] = set()
    for tree in trees(Path(praxiscope_common.__file__).parent):
        found |= called_in(tree)
    assert found == IDENTITY_CALLS


def test_a_token_is_also_good_for_what_it_is_passed_on_to() -> None:
    resolve = "/praxiscope.library.v1.MediaService/ResolveMedia"
    assert calls_on_behalf("vision_inference") == {resolve}
    assert calls_on_behalf("biomechanics") == CALLS["biomechanics"]
    assert resolve in calls_on_behalf("biomechanics")


@pytest.mark.parametrize("service", ["auth", "library", "gateway", "", "a stranger"])
def test_a_service_that_calls_nothing_may_call_nothing(service: str) -> None:
    assert calls_on_behalf(service) == frozenset()
