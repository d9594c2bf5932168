"""Takes out of an image's packages what nothing in it reads: `requirements/images/left_out.list` says what.

python -m tools.deploy.leave_out LIST GROUP FOLDER       GROUP's packages lie in FOLDER
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path


class LeaveOutError(Exception):
    """The list does not fit the packages; the message says which line."""


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A line of the list.

    Attributes:
        group: The group of packages.
        pattern: Of paths in the group's folder; one that ends with a slash means folders.
        kept: Names, without endings, of what the pattern means and is kept.
    """

    group: str
    pattern: str
    kept: frozenset[str]

    def find(self, folder: Path) -> list[Path]:
        """Returns what is left out of a folder of packages, in order.

        Raises:
            LeaveOutError: Nothing is, or something that is to be kept is not there.
        """
        means_folders = self.pattern.endswith("/")
        met = [path for path in folder.glob(self.pattern.rstrip("/")) if path.is_dir() == means_folders]
        names = {path.name.split(".")[0] for path in met}
        if missing := sorted(self.kept - names):
            raise LeaveOutError(f"{self.group} {self.pattern}: {', '.join(missing)} is to be kept, but is not there")
        found = sorted(path for path in met if path.name.split(".")[0] not in self.kept)
        if not found:
            raise LeaveOutError(f"{self.group} {self.pattern}: there is nothing to leave out")
        return found


def read_list(text: str) -> list[LeftOut]:
    """Returns the list's lines.

    Raises:
        LeaveOutError: A line is none.
    """
    return list(_read(text))


def _read(text: str) -> Iterator[LeftOut]:
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split("#", 1)[0].split()
        if not words:
            continue
        group, pattern, *rest = [*words, ""] if len(words) == 1 else words
        if not pattern or (rest and (rest[0] != "but" or not rest[1:])) or ".." in pattern or pattern.startswith("/"):
            raise LeaveOutError(f"line {number} is none: {line.strip()}")
        yield LeftOut(group=group, pattern=pattern, kept=frozenset(rest[1:]))


def leave_out(lines: Sequence[LeftOut], group: str, folder: Path) -> int:
    """Removes what a group leaves out from its folder, and returns how many files and folders that were.

    Raises:
        LeaveOutError: A line of the group's means nothing there; nothing is removed then.
    """
    found = {path for line in lines if line.group == group for path in line.find(folder)}
    for path in found:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    return len(found)


def main(arguments: Sequence[str]) -> int:
    """Runs the command."""
    listed, group, folder = arguments
    try:
        count = leave_out(read_list(Path(listed).read_text(encoding="utf-8")), group, Path(folder))
    except LeaveOutError as error:
        sys.stderr.write(f"{listed}: {error}\n")
        return 1
    sys.stdout.write(f"{group}: {count} left out\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
