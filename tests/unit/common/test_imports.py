"""Which contracts the common library knows (docs/adr/0003-common-knows-auth.md)."""

import ast
from pathlib import Path

import praxiscope_common

_ALLOWED = ("praxiscope.auth.v1", "praxiscope.type.v1")


def test_common_imports_the_contracts_of_identity_and_types_alone() -> None:
    folder = Path(praxiscope_common.__file__).parent
    found: set[str] = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "praxiscope":
                found.add(str(node.module))
            elif isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names if alias.name.split(".")[0] == "praxiscope"}
    assert found == set(_ALLOWED)
