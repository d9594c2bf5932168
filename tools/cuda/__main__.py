"""`python -m tools.cuda {build,compile,check}`.

build    compile the library into .praxiscope/kernels with the toolkit that is here
compile  see that the source compiles without a warning, and that its library loads; no GPU needed
check    build, then everything that only a GPU can say; ends with code 1 where there is none
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence

from tools.cuda.check import check
from tools.cuda.device import NoDeviceError
from tools.cuda.toolkit import CHECKOUT, KERNELS, ToolkitError, build, find_toolkit, try_library


def main(arguments: Sequence[str]) -> int:
    """Does one of the three and returns the exit code."""
    if len(arguments) != 1 or arguments[0] not in {"build", "compile", "check"}:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    try:
        if arguments[0] == "check":
            return 0 if check(os.environ) else 1
        toolkit, started_s = find_toolkit(os.environ), time.monotonic()
        is_trial = arguments[0] == "compile"
        folder = CHECKOUT / ".praxiscope" / "cuda" if is_trial else KERNELS
        library = build(toolkit, folder, has_strict_warnings=is_trial)
    except (ToolkitError, NoDeviceError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    said = f"no warning; {try_library(library)}" if is_trial else "try it: `make cuda-check`"
    names = " ".join(f"sm_{each}" for each in toolkit.architectures)
    version = ".".join(map(str, toolkit.version))
    print(
        f"{library.relative_to(CHECKOUT)}: {library.stat().st_size / 1e6:.1f} MB for {names}, by CUDA {version}", end=""
    )
    print(f" in {time.monotonic() - started_s:.0f} s; {said}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
