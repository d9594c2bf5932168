"""Buildah out of Debian's package, and bases made of Debian's packages: images where nothing is installed and no registry of images is reached.

What this machine trusts and which indexes of packages it uses reach a build as files that are laid over the build's own while a command runs. They are
never part of a layer.
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tools.cluster import debian, oci
from tools.cluster.settings import FOLDER, LAYOUT, ClusterError
from tools.devstack.settings import CHECKOUT

_STORAGE = FOLDER / "storage"
_SETTINGS = FOLDER / "build-settings"
_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
_GO_DOCKERFILE = Path(__file__).with_name("go-base.Dockerfile")
# What says where modules come from, and whom to ask whether they are what they were.
_GO_SETTINGS = ("GOPROXY", "GOSUMDB", "GONOSUMDB", "GOPRIVATE", "GOINSECURE")
_PIP_SETTINGS = ("index-url", "extra-index-url", "trusted-host", "no-index", "find-links")


class Buildah:
    """Builds images in a store of its own, as root, without a daemon."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Unpacks what it needs.

        Raises:
            ClusterError: It cannot work here.
        """
        if os.geteuid():
            raise ClusterError(
                "Building without docker or podman needs root: layers are laid over each other by mounts."
            )
        debian.unpack_programs()
        temporary = FOLDER / "temporary"
        temporary.mkdir(parents=True, exist_ok=True)
        settings = FOLDER / "containers.conf"
        settings.write_text(f'[network]\nnetwork_config_dir = "{FOLDER / "networks"}"\n', encoding="utf-8")
        more = {"TMPDIR": str(temporary), "CONTAINERS_CONF": str(settings)}
        self._environment = {**debian.program_environment(environ), **more}
        policy = FOLDER / "policy.json"
        policy.write_text('{"default": [{"type": "insecureAcceptAnything"}]}', encoding="ascii")  # only what we made
        self._policy = ["--signature-policy", str(policy)]

    def make_bases(self) -> dict[str, str]:
        """Makes the three bases of the Dockerfile, unless they are there.

        Returns:
            Their names by the Dockerfile's arguments.
        """
        bases: dict[str, str] = {}
        for argument, packages in (("BASE", debian.BASE_PACKAGES), ("BUILD_BASE", debian.BUILD_PACKAGES)):
            kind = argument.lower().replace("_", "-")
            root, digest = debian.make_root(kind, packages)
            bases[argument] = name = f"localhost/praxiscope-{kind}:{digest}"
            if not self._has(name):
                self._import(root, name)
        bases["GO_BASE"] = name = "localhost/praxiscope-go-base:1"
        self.build(
            name,
            dockerfile=_GO_DOCKERFILE,
            context=CHECKOUT / "requirements",
            arguments={"BUILD_BASE": bases["BUILD_BASE"]},
        )
        return bases

    def build(
        self, name: str, *, dockerfile: Path, context: Path, arguments: Mapping[str, str], target: str | None = None
    ) -> None:
        """Builds one image; layers whose inputs have not changed are taken as they are.

        Raises:
            ClusterError: The build fails; what it said stands on standard error.
        """
        options = [item for key, value in arguments.items() for item in ("--build-arg", f"{key}={value}")]
        if target:
            options += ["--target", target]
        command = [
            *("build", "--layers", "--pull-never", "--isolation", "chroot", "--network", "host", "--format", "oci"),
            *(f"--volume={source}:{place}:ro" for source, place in self._settings()),
            *options,
            *("--tag", name, "--file", str(dockerfile), str(context)),
        ]
        log = FOLDER / "build.log"
        with log.open("wb") as output:
            code = subprocess.run(
                self._command(command), env=self._environment, stdout=output, stderr=output
            ).returncode
        if code:
            said = log.read_text(encoding="utf-8", errors="replace")[-3000:]
            raise ClusterError(f"{name} could not be built; {log.relative_to(CHECKOUT)} has all of this:\n{said}")

    def export(self, names: Iterable[str]) -> dict[str, oci.StoredImage]:
        """Writes images into the layout that the cluster reads.

        Returns:
            All of the layout, by name.
        """
        LAYOUT.mkdir(parents=True, exist_ok=True)
        written = oci.read_layout(LAYOUT)
        for name in names:
            # An image is known by the digest of its configuration, here and there.
            known = self._run(["inspect", "--type", "image", "--format", "{{.FromImageID}}", name]).strip()
            if name in written and f"sha256:{known}" in written[name].blobs:
                continue
            self._run(["push", "--quiet", name, f"oci:{LAYOUT}:{name}"])
        oci.drop_unused(LAYOUT)
        return oci.read_layout(LAYOUT)

    def _has(self, name: str) -> bool:
        command = self._command(["inspect", "--type", "image", name])
        return subprocess.run(command, env=self._environment, capture_output=True).returncode == 0

    def _import(self, root: Path, name: str) -> None:
        """Makes an image of one layer out of a folder."""
        container = self._run(["from", "--pull-never", "scratch"]).strip()
        try:
            self._run(["add", "--quiet", container, str(root), "/"])
            self._run(["config", "--env", "PATH=/usr/local/bin:/usr/bin:/bin", "--cmd", "sh", container])
            self._run(["commit", "--quiet", "--format", "oci", container, name])
        finally:
            self._run(["rm", container])

    def _settings(self) -> list[tuple[Path, str]]:
        """Writes the files that are laid over a build's own, and says over which."""
        _SETTINGS.mkdir(parents=True, exist_ok=True)
        _SETTINGS.chmod(0o700)  # an index's address may hold a password
        bundle = os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().openssl_cafile
        pip = _pip_settings()
        lines = [f"{key} = {value}" for key, value in pip.items()]
        (_SETTINGS / "pip.conf").write_text("\n".join(["[global]", f"cert = {_BUNDLE}", *lines, ""]), encoding="utf-8")
        uv = ["system-certs = true"]
        if "index-url" in pip:
            uv.append(f"index-url = {json.dumps(pip['index-url'])}")
        if "extra-index-url" in pip:
            uv.append(f"extra-index-url = {json.dumps(pip['extra-index-url'].split())}")
        (_SETTINGS / "uv.toml").write_text("\n".join([*uv, ""]), encoding="utf-8")
        (_SETTINGS / "go.env").write_text(_go_settings(), encoding="utf-8")
        return [
            *([(Path(bundle).resolve(), _BUNDLE)] if Path(bundle).is_file() else []),
            (_SETTINGS / "pip.conf", "/etc/pip.conf"),
            (_SETTINGS / "uv.toml", "/etc/uv/uv.toml"),
            (_SETTINGS / "go.env", "/root/.config/go/env"),
        ]

    def _command(self, arguments: Sequence[str]) -> list[str]:
        storage = ["--root", str(_STORAGE / "root"), "--runroot", str(_STORAGE / "run"), "--storage-driver", "overlay"]
        verb, *rest = arguments
        needs_policy = verb in {"build", "push", "from", "commit"}
        # Its mounts are its own, and gone with it.
        return debian.with_libraries(["buildah", *storage, verb, *(self._policy if needs_policy else ()), *rest])

    def _run(self, arguments: Sequence[str]) -> str:
        result = subprocess.run(self._command(arguments), env=self._environment, capture_output=True, text=True)
        if result.returncode:
            raise ClusterError(f"buildah {' '.join(arguments[:3])} … failed:\n{result.stderr.strip()[-2000:]}")
        return result.stdout


def _pip_settings() -> dict[str, str]:
    """Returns what pip is told here about indexes, by its files and its variables."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    said = ""
    for python in (CHECKOUT / ".praxiscope/bootstrap/bin/python", Path(sys.executable)):
        result = (
            subprocess.run([str(python), *command[1:]], capture_output=True, text=True) if python.exists() else None
        )
        if result is not None and result.returncode == 0:
            said = result.stdout
            break
    found: dict[str, str] = {}
    for line in said.splitlines():
        key, _, value = line.partition("=")
        name = key.partition(".")[2]
        text = value.strip("'\"")
        # Folders of this machine are not there inside.
        if name in _PIP_SETTINGS and not (name == "find-links" and text.startswith("/")):
            found[name] = text
    return found


def _go_settings() -> str:
    try:
        said = subprocess.run(["go", "env", "-json", *_GO_SETTINGS], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""  # without a Go here there is nothing that it was told
    return "".join(f"{key}={value}\n" for key, value in json.loads(said).items() if value)
