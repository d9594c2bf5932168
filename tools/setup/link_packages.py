"""Makes our own packages importable in an environment: a path file naming their folders, and the command `praxiscope`.

Editable installs do the same through a build of each package; this takes no time and fetches nothing. Run with the environment's own interpreter.
"""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
_COMMAND = """#!{python}
import sys

from praxiscope.command import main

sys.exit(main())
"""


def link(checkout: Path, site_packages: Path, scripts: Path) -> list[Path]:
    """Writes the path file and the command; returns the folders that can be imported from."""
    folders = sorted(path for pattern in ("libs/*/src", "services/*/src", "sdk/src") for path in checkout.glob(pattern))
    (site_packages / "praxiscope.pth").write_text("".join(f"{folder}\n" for folder in folders), encoding="utf-8")
    command = scripts / "praxiscope"
    command.write_text(_COMMAND.format(python=sys.executable), encoding="utf-8")
    command.chmod(0o755)
    return folders


if __name__ == "__main__":
    link(CHECKOUT, Path(sysconfig.get_path("purelib")), Path(sysconfig.get_path("scripts")))
