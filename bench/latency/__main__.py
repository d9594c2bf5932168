"""What the parts between a caller and the work cost: `make bench PART=latency`, or one of them by its name.

    python -m bench.latency [triton|gateway|pick-up|bytes|watch|calls]

The stack must be up. What is compared runs in turns; medians are printed beside their goals, and the exit code is 1
where one is missed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence

from bench import figure, stack
from bench.latency import byte_rate, call_cost, gateway_json, pick_up, triton_call, watch_streams

PARTS: Mapping[str, Callable[[], Sequence[figure.Figure]]] = {
    "triton": triton_call.measure,
    "gateway": gateway_json.measure,
    "pick-up": pick_up.measure,
    "bytes": byte_rate.measure,
    "watch": watch_streams.measure,
    "calls": call_cost.measure,
}


def main(arguments: Sequence[str]) -> int:
    """Prints the parts that are asked for, or all; ends with code 1 where a goal is missed."""
    unknown = set(arguments) - set(PARTS)
    if unknown:
        sys.stderr.write(f"There is no {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}.\n")
        return 2
    if stack.refuse_without_stack():
        return 2
    os.environ.setdefault("SVT_LOG", "1")  # errors only
    print(figure.machine())
    is_met = True
    for name, measure in PARTS.items():
        if arguments and name not in arguments:
            continue
        print(f"\n{name}", flush=True)
        is_met &= figure.tell(measure())
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
