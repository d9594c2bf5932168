"""`python -m tools.cluster {up,down,status,build}`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from tools.cluster.cluster import Cluster, check_machine, ours_with_docker, print_line, status
from tools.cluster.components import build_components
from tools.cluster.debian import unpack_programs
from tools.cluster.settings import KUBECONFIG, ClusterError


def main(arguments: Sequence[str]) -> int:
    """Runs one command and returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.cluster", description=__doc__)
    parser.add_argument("command", choices=["up", "down", "status", "build"])
    parser.add_argument("--nodes", type=int, choices=[1, 2], default=1)
    options = parser.parse_args(arguments)
    try:
        return {"up": _up, "down": _down, "status": _status, "build": _build}[options.command](options)
    except ClusterError as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _up(options: argparse.Namespace) -> int:
    if command := ours_with_docker():
        # Not run here: nobody has seen it do so with our images.
        print_line(f"Docker runs here, so this is quicker, though nobody has tried it with our chart: {command}")
    cluster = Cluster()
    cluster.start(print_line)
    if options.nodes == 2:
        cluster.add_node(print_line)
    print_line(f"\nexport KUBECONFIG={KUBECONFIG}\n`make images` makes images for it; `make cluster-down` ends it.")
    return 0


def _down(_: argparse.Namespace) -> int:
    if changed := Cluster().stop():
        lines = [f"  {name}: {before} before, {now} now" for name, (before, now) in changed.items()]
        raise ClusterError("\n".join(["The cluster is down, but this machine is not as it was:", *lines]))
    print_line("The cluster is down; this machine is as it was.")
    return 0


def _status(_: argparse.Namespace) -> int:
    sys.stdout.write(status(Cluster()))
    return 0


def _build(_: argparse.Namespace) -> int:
    check_machine()
    unpack_programs()
    build_components()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
