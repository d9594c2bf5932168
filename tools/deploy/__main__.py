"""`python -m tools.deploy {manifests,scrape,images}`, and `python -m tools.deploy capacity --help`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tools.cluster.settings import ClusterError
from tools.deploy.capacity import main as reckon
from tools.deploy.images import ImageError
from tools.deploy.images import main as build
from tools.deploy.manifests import write_manifests
from tools.deploy.render import RenderError
from tools.deploy.scrape import record


def main(arguments: Sequence[str]) -> int:
    """Runs a command and returns the exit code."""
    if arguments and arguments[0] == "capacity":
        return reckon(arguments[1:])
    commands = {"manifests": write_manifests, "scrape": record, "images": build}
    if len(arguments) != 1 or arguments[0] not in commands:
        sys.stderr.write(f"usage: python -m tools.deploy {{{','.join(commands)}}}\n")
        return 2
    try:
        commands[arguments[0]]()
    except (RenderError, ImageError, ClusterError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
