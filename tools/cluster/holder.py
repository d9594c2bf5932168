"""Namespaces of their own for a node: a process that owns them, everything else started inside, and all of it gone when that process is.

Kubelet and containerd write to fixed places and to three of the kernel's settings. Inside the namespaces those are folders and files of ours.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.cluster.settings import DEBIAN, ClusterError

# Folders that are hard-coded in kubelet, containerd's shim or the network plugins: ours lie over them.
HIDDEN = ("/run", "/var/lib", "/var/log")
# Kubelet sets these for the whole machine, and refuses to start where it cannot. Over each lies a plain file.
SETTINGS = ("vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops")
_START_TIMEOUT_S = 10.0
_STOP_TIMEOUT_S = 30.0


class Holder:
    """Owns process, mount and network namespaces.

    Attributes:
        process_id: Of the process inside that everything else ends with.
    """

    def __init__(self, folder: Path, *, outer_id: int, process_id: int) -> None:
        """Takes over a holder that runs; `start` makes one."""
        self._folder = folder
        self._outer_id = outer_id
        self.process_id = process_id

    @classmethod
    def start(cls, folder: Path) -> Holder:
        """Makes namespaces.

        Args:
            folder: What is written inside goes below this folder.

        Raises:
            ClusterError: The kernel, or who we are, does not allow it.
        """
        log = folder / "log"
        log.mkdir(parents=True, exist_ok=True)
        command = [
            *("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child=KILL", "--mount-proc"),
            *("--propagation", "private", str(DEBIAN / "usr/bin/catatonit"), "--", "sleep", "infinity"),
        ]
        outer_id = _spawn(command, log / "holder.log", os.environ)
        deadline_s = time.monotonic() + _START_TIMEOUT_S
        while time.monotonic() < deadline_s and _state_of(outer_id) not in ("", "Z"):
            children = _children_of(outer_id)
            # catatonit has replaced unshare when the mounts of its namespace are made.
            if children and _name_of(children[0]) == "catatonit":
                holder = cls(folder, outer_id=outer_id, process_id=children[0])
                (folder / "holder").write_text(f"{outer_id} {children[0]}", encoding="ascii")
                holder._lay_over()
                return holder
            time.sleep(0.02)
        said = (log / "holder.log").read_text(encoding="utf-8", errors="replace").strip()
        raise ClusterError(f"No namespaces can be made here: {said or 'unshare did not answer'}.")

    @classmethod
    def find(cls, folder: Path) -> Holder | None:
        """Returns the holder that was started for a folder, if it still runs."""
        record = folder / "holder"
        if not record.is_file():
            return None
        outer_id, process_id = (int(part) for part in record.read_text(encoding="ascii").split())
        # A number may have gone to another process in the meantime.
        if _name_of(process_id) != "catatonit" or _parent_of(process_id) != outer_id:
            return None
        return cls(folder, outer_id=outer_id, process_id=process_id)

    def run(self, command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> str:
        """Runs a command inside and returns what it printed.

        Raises:
            ClusterError: It fails.
        """
        result = subprocess.run(self._inside(command), capture_output=True, text=True, env=environment, check=False)
        if result.returncode:
            said = (result.stderr or result.stdout).strip()[-2000:]
            raise ClusterError(f"{' '.join(command[:5])} failed inside the node: {said}")
        return result.stdout

    def spawn(self, name: str, command: Sequence[str], *, environment: Mapping[str, str]) -> int:
        """Starts a program inside that goes on when we end; returns its process.

        Its output goes to `log/{name}.log`.
        """
        return _spawn(self._inside(command), self._folder / "log" / f"{name}.log", environment)

    def stop(self) -> None:
        """Ends everything inside, at once.

        Raises:
            ClusterError: Something does not end.
        """
        for process_id in (self.process_id, self._outer_id):
            try:
                os.kill(process_id, signal.SIGKILL)
            except ProcessLookupError:
                continue
        deadline_s = time.monotonic() + _STOP_TIMEOUT_S
        # The kernel lets the first process of a namespace go when all others have gone.
        while Path(f"/proc/{self.process_id}").exists():
            if time.monotonic() > deadline_s:
                raise ClusterError(f"Process {self.process_id} does not end; its children are in the kernel's hands.")
            if _state_of(self.process_id) == "Z":
                break  # its parent, which may be ours, has not asked for it yet
            time.sleep(0.05)
        (self._folder / "holder").unlink(missing_ok=True)

    def _lay_over(self) -> None:
        for place in HIDDEN:
            own = self._folder / "system" / place.lstrip("/")
            own.mkdir(parents=True, exist_ok=True)
            self.run(["mount", "--bind", str(own), place])
        for name in ("kubelet", "cni"):
            (self._folder / "system" / "var" / "lib" / name).mkdir(exist_ok=True)
        for name in ("containers", "pods"):
            (self._folder / "system" / "var" / "log" / name).mkdir(exist_ok=True)
        for name in ("containerd", "netns"):
            (self._folder / "system" / "run" / name).mkdir(exist_ok=True)
        for setting in SETTINGS:
            own = self._folder / "system" / setting.replace("/", ".")
            own.write_text(Path("/proc/sys", setting).read_text(encoding="ascii"), encoding="ascii")
            self.run(["mount", "--bind", str(own), f"/proc/sys/{setting}"])

    def _inside(self, command: Sequence[str]) -> list[str]:
        return ["nsenter", "--target", str(self.process_id), "--mount", "--net", "--pid", "--", *command]


def _spawn(command: Sequence[str], log: Path, environment: Mapping[str, str]) -> int:
    """Starts a program that goes on when we end, in a session of its own; returns its process."""
    program = shutil.which(command[0])
    if program is None:
        raise ClusterError(f"The program {command[0]} is missing.")
    into_log = (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    actions = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0), into_log, (os.POSIX_SPAWN_DUP2, 1, 2)]
    return os.posix_spawn(program, list(command), environment, file_actions=actions, setsid=True)


def _children_of(process_id: int) -> list[int]:
    try:
        text = Path(f"/proc/{process_id}/task/{process_id}/children").read_text(encoding="ascii")
    except OSError:
        return []
    return [int(part) for part in text.split()]


def _name_of(process_id: int) -> str:
    try:
        return Path(f"/proc/{process_id}/comm").read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _parent_of(process_id: int) -> int:
    fields = _stat_of(process_id)
    return int(fields[1]) if fields else 0


def _state_of(process_id: int) -> str:
    fields = _stat_of(process_id)
    return fields[0] if fields else ""


def _stat_of(process_id: int) -> list[str]:
    """Returns the fields of `/proc/…/stat` after the name, which may hold spaces."""
    try:
        return Path(f"/proc/{process_id}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return []
