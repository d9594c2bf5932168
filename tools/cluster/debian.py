"""Programs and whole base systems out of Debian's packages, unpacked into this checkout and never installed into the machine.

apt says where packages come from and checks their signatures; its lists are kept beside ours, so that the machine's stay as they are.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.cluster.settings import DEBIAN, FOLDER, ClusterError

SUITE = "bookworm"
# What runs containers, and the libraries of those that are not linked to themselves.
PACKAGES = (
    "buildah",
    "catatonit",
    "containerd",
    "containernetworking-plugins",
    "debootstrap",
    "golang-github-containers-common",
    "golang-github-containers-image",
    "libassuan0",
    "libdevmapper1.02.1",
    "libgpg-error0",
    "libgpgme11",
    "libjansson4",
    "libmnl0",
    "libnftables1",
    "libnftnl11",
    "libseccomp2",
    "libsubid4",
    "libxtables12",
    "nftables",
    "runc",
)
# The base of every image: the interpreter, its shared library for the model server's stub, and whom to trust.
BASE_PACKAGES = ("python3", "libpython3.11", "ca-certificates")
# What only builds have on top.
BUILD_PACKAGES = (*BASE_PACKAGES, "python3-venv", "python3-pip", "g++")
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_LIBRARIES = ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu")
_APT = FOLDER / "apt"


def unpack_programs() -> Path:
    """Unpacks what runs containers, unless it is there.

    Returns:
        The folder that looks like the root of a system.

    Raises:
        ClusterError: A package cannot be had.
    """
    marker = DEBIAN / ".packages"
    wanted = "\n".join((SUITE, *PACKAGES))
    if marker.is_file() and marker.read_text(encoding="ascii") == wanted:
        return DEBIAN
    archives = FOLDER / "archives"
    shutil.rmtree(archives, ignore_errors=True)
    archives.mkdir(parents=True)
    fresh = DEBIAN.with_name("debian.new")
    shutil.rmtree(fresh, ignore_errors=True)
    _run(["apt-get", "-qq", *_apt_options(), "update"])
    _run(["apt-get", "-qq", *_apt_options(), "download", *PACKAGES], folder=archives)
    for archive in sorted(archives.glob("*.deb")):
        _run(["dpkg", "-x", str(archive), str(fresh)])
    (fresh / marker.name).write_text(wanted, encoding="ascii")
    shutil.rmtree(DEBIAN, ignore_errors=True)
    fresh.rename(DEBIAN)
    shutil.rmtree(archives)
    return DEBIAN


def program_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Returns the environment in which unpacked programs find each other and their libraries."""
    folders = [str(DEBIAN / name) for name in ("usr/sbin", "usr/bin")]
    return {
        **environ,
        "PATH": ":".join([*folders, "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]),
        "LD_LIBRARY_PATH": ":".join(str(DEBIAN / name) for name in _LIBRARIES),
    }


def with_libraries(command: Sequence[str]) -> list[str]:
    """Returns a command that runs in mounts of its own, for a program that forgets its environment.

    Unpacked libraries lie among the machine's there, and what it writes to `/var/lib` comes to us.
    """
    place = "/usr/lib/x86_64-linux-gnu"
    lower = ":".join([place, *(str(DEBIAN / name) for name in _LIBRARIES)])
    own = FOLDER / "var-lib"
    own.mkdir(parents=True, exist_ok=True)
    script = f'mount -t overlay overlay -o "lowerdir={lower}" {place} && mount --bind "{own}" /var/lib && exec "$@"'
    return ["unshare", "--mount", "--propagation", "private", "sh", "-ec", script, "sh", *command]


def make_root(name: str, packages: Sequence[str]) -> tuple[Path, str]:
    """Makes a small Debian of some packages, unless it is there; 15 to 60 s.

    Args:
        name: What it is for.
        packages: What it has besides what every Debian has.

    Returns:
        Its folder, and a digest of what it was made of.

    Raises:
        ClusterError: It cannot be made.
    """
    if os.geteuid():
        raise ClusterError("Base systems are made by debootstrap, which needs root; or name BASE, BUILD_BASE, GO_BASE.")
    unpack_programs()
    digest = hashlib.sha256("\n".join((SUITE, *packages)).encode()).hexdigest()[:12]
    root = FOLDER / "roots" / f"{name}-{digest}"
    if root.is_dir():
        return root, digest
    if shutil.which("wget") is None or not _KEYRING.is_file():
        raise ClusterError("debootstrap needs the Debian packages wget and debian-archive-keyring.")
    fresh = root.with_name(f"{root.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    cache = FOLDER / "roots" / "archives"
    cache.mkdir(parents=True, exist_ok=True)
    # In mounts of its own: what it mounts into the new system is gone when it ends, however it ends.
    command = [
        *("unshare", "--mount", "--propagation", "private"),
        str(DEBIAN / "usr/sbin/debootstrap"),
        *("--variant=minbase", f"--keyring={_KEYRING}", f"--cache-dir={cache}", f"--include={','.join(packages)}"),
        *(SUITE, str(fresh), _mirror()),
    ]
    _run(command, environment={**os.environ, "DEBOOTSTRAP_DIR": str(DEBIAN / "usr/share/debootstrap")})
    _strip(fresh)
    fresh.rename(root)
    return root, digest


def _strip(root: Path) -> None:
    """Takes out what says where it was made, and what nobody reads."""
    for name in ("etc/apt/sources.list", "etc/hostname", "etc/resolv.conf", "var/log/bootstrap.log"):
        (root / name).unlink(missing_ok=True)
    for name in ("var/lib/apt/lists", "var/cache/apt", "var/log/apt", "usr/share/doc", "usr/share/man"):
        shutil.rmtree(root / name, ignore_errors=True)
    for name in ("var/lib/apt/lists/partial", "var/cache/apt/archives/partial"):
        (root / name).mkdir(parents=True)
    # As the images of Python have it.
    (root / "usr/bin/python").symlink_to("python3")


def _mirror() -> str:
    """Returns where apt takes the suite from."""
    _run(["apt-get", "-qq", *_apt_options(), "update"])  # what has no list yet is not named
    command = ["apt-get", *_apt_options(), "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)"]
    for line in _run(command).splitlines():
        address, release, component = line.split()
        if (release, component) == (SUITE, "main"):
            return address
    raise ClusterError(f"apt is not set up with Debian's {SUITE}, main, of which base systems are made.")


def _apt_options() -> list[str]:
    for name in ("lists/partial", "cache/archives/partial"):
        (_APT / name).mkdir(parents=True, exist_ok=True)
    return [
        *("-o", f"Dir::State::lists={_APT / 'lists'}", "-o", f"Dir::Cache={_APT / 'cache'}"),
        *("-o", "APT::Sandbox::User=root", "-o", "Debug::NoLocking=1"),
    ]


def _run(command: Sequence[str], *, folder: Path | None = None, environment: Mapping[str, str] | None = None) -> str:
    try:
        result = subprocess.run(command, check=False, capture_output=True, text=True, cwd=folder, env=environment)
    except OSError as error:
        raise ClusterError(f"{command[0]} cannot be run: {error}. Debian, or what is made of it, is needed.") from error
    if result.returncode:
        said = (result.stdout + result.stderr).strip()[-2000:]
        raise ClusterError(f"{' '.join(command[:6])} … failed with {result.returncode}:\n{said}")
    return result.stdout
