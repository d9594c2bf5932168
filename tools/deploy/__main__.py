"""`python -m tools.deploy {manifests,images}`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tools.deploy.manifests import write_manifests
from tools.deploy.render import RenderError


def main(arguments: Sequence[str]) -> int:
    """Runs a command and returns the exit code."""
    if list(arguments) != ["manifests"]:
        sys.stderr.write("usage: python -m tools.deploy manifests\n")
        return 2
    try:
        write_manifests()
    except RenderError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
