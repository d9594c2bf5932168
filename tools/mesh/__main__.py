"""`python -m tools.mesh build`, and `python -m tools.mesh run COMMAND…`, which runs a command where a mesh can be started."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from tools.cluster.debian import unpack_programs
from tools.cluster.settings import DEBIAN, ClusterError
from tools.mesh.components import build_all
from tools.mesh.mesh import prepare_namespaces
from tools.mesh.settings import MeshError, missing_here

_USAGE = "usage: python -m tools.mesh {build | run COMMAND…}\n"


def main(arguments: Sequence[str]) -> int:
    """Runs one command and returns its exit code; `run` becomes what it runs."""
    verb, *command = arguments or [""]
    try:
        if verb == "build" and not command:
            _check_machine()
            unpack_programs()
            build_all()
            return 0
        if verb == "run" and command:
            _check_machine()
            _enter(command)
        if verb == "inside" and command:
            prepare_namespaces()
            os.execvp(command[0], command)  # noqa: S606  it is what is wanted
    except (ClusterError, MeshError) as error:
        sys.stderr.write(f"{error}\n")
        return 3
    sys.stderr.write(_USAGE)
    return 2


def _check_machine() -> None:
    if lacks := missing_here():
        raise MeshError(f"The mesh cannot be tried here: {'; '.join(lacks)}.")


def _enter(command: Sequence[str]) -> None:
    """Becomes the command, in process, mount and network namespaces of its own; all that it starts ends with it."""
    namespaces = [
        "--mount",
        "--net",
        "--pid",
        "--fork",
        "--kill-child=KILL",
        "--mount-proc",
        "--propagation",
        "private",
    ]
    # The first process of a namespace buries all others; a test's runner does not think of that.
    first = [str(DEBIAN / "usr" / "bin" / "catatonit"), "--"]
    inside = [sys.executable, "-m", "tools.mesh", "inside", *command]
    os.execvp("unshare", ["unshare", *namespaces, *first, *inside])  # noqa: S606  it is what is wanted


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
