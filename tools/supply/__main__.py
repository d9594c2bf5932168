"""`python -m tools.supply {sbom,build,sign,verify}`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tools.cluster.settings import ClusterError
from tools.supply.sbom import main as write
from tools.supply.settings import SupplyError
from tools.supply.signing import build_cosign, sign, verify


def main(arguments: Sequence[str]) -> int:
    """Runs a command and returns the exit code."""
    commands = {"sbom": write, "build": build_cosign, "sign": sign, "verify": verify}
    if len(arguments) != 1 or arguments[0] not in commands:
        sys.stderr.write(f"usage: python -m tools.supply {{{','.join(commands)}}}\n")
        return 2
    try:
        commands[arguments[0]]()
    except (SupplyError, ClusterError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
