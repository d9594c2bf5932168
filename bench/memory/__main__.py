"""Whether memory stays where it is: `make bench PART=memory`.

    python -m bench.memory [growth|two] [--frames 300 3000] [--rounds 5]

The stack must be up. Exit code 1 where a goal is missed.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from bench import figure, stack
from bench.memory import growth, two_at_once


def main(arguments: Sequence[str]) -> int:
    """Prints both parts, or one; ends with code 1 where a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.memory", description=__doc__)
    parser.add_argument("part", nargs="?", choices=("growth", "two"))
    parser.add_argument("--frames", type=int, nargs=2, default=(300, 3000), help="of the short and the long video")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    if stack.refuse_without_stack():
        return 2
    os.environ.setdefault("SVT_LOG", "1")  # errors only
    print(figure.machine())
    is_met = True
    if options.part in (None, "growth"):
        print("\ngrowth", flush=True)
        is_met &= figure.tell(growth.measure(options.frames))
    if options.part in (None, "two"):
        print("\ntwo", flush=True)
        is_met &= figure.tell(two_at_once.measure(options.rounds))
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
