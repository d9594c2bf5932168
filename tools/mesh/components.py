"""Istio's control plane and its agent, built from Istio's published Go module, and the two files of it that a mesh needs besides."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tools.cluster import components as cluster_components
from tools.cluster.components import Component, build_components, find_go
from tools.mesh.settings import FOLDER, SHARED, MeshError

_MODULE = Path(__file__).with_name("components")
COMPONENTS = tuple(
    Component(name=name, module=_MODULE.name, package=f"istio.io/istio/pilot/cmd/{name}")
    for name in ("pilot-discovery", "pilot-agent")
)
OF_KUBERNETES = tuple(item for item in cluster_components.COMPONENTS if item.name in {"etcd", "kube-apiserver"})
_FILES = {
    "crds.yaml": ("istio.io/api", "kubernetes/customresourcedefinitions.gen.yaml"),
    "envoy_bootstrap.json": ("istio.io/istio", "tools/packaging/common/envoy_bootstrap.json"),
}
CRDS, BOOTSTRAP = SHARED / "crds.yaml", SHARED / "envoy_bootstrap.json"


def build_all() -> None:
    """Builds what is not built yet: etcd and the API server as `make cluster` does, istiod and its agent; 20 minutes of a processor the first time.

    Raises:
        ClusterError: There is no Go, or a build fails.
        MeshError: Istio's module lacks a file.
    """
    build_components(OF_KUBERNETES)
    build_components(COMPONENTS, modules=_MODULE.parent, folder=FOLDER)
    SHARED.mkdir(parents=True, exist_ok=True)
    for name, (module, path) in _FILES.items():
        source = _folder_of(module) / path
        if not source.is_file():
            raise MeshError(f"{module} has no {path}; tools/mesh/components names a version that had.")
        shutil.copyfile(source, SHARED / name)


def istio_version() -> str:
    """Returns which Istio this is."""
    return _list("{{.Version}}", "istio.io/istio")


def _folder_of(module: str) -> Path:
    return Path(_list("{{.Dir}}", module))


def _list(what: str, module: str) -> str:
    environment = {**os.environ, "GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": "-mod=readonly"}
    command = [find_go(), "list", "-m", "-f", what, module]
    result = subprocess.run(command, cwd=_MODULE, env=environment, capture_output=True, text=True, check=False)
    if result.returncode:
        raise MeshError(f"{module} cannot be found among Go's modules: {result.stderr.strip()}")
    return result.stdout.strip()
