"""What a cluster is made of, built from its published Go modules: the modules' own sources, held by the sums in `components/*/go.sum`.

A module that replaces others cannot be installed by `go install`; each therefore has a small module of ours around it, which names it as a tool.
"""

from __future__ import annotations

import hashlib
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.cluster import oci
from tools.cluster.settings import DEBIAN, FOLDER, KUBERNETES_VERSION, LAYOUT, PROGRAMS, ClusterError
from tools.devstack.settings import CHECKOUT

_MODULES = Path(__file__).with_name("components")
_VERSION = "k8s.io/component-base/version"
_MAJOR, _MINOR, _ = KUBERNETES_VERSION.split(".")
# Without these Kubernetes says that it is v0.0.0, and clients complain.
_KUBERNETES_FLAGS = (
    f" -X {_VERSION}.gitVersion=v{KUBERNETES_VERSION} -X {_VERSION}.gitMajor={_MAJOR} -X {_VERSION}.gitMinor={_MINOR}"
    f" -X k8s.io/client-go/pkg/version.gitVersion=v{KUBERNETES_VERSION}"
)


@dataclass(frozen=True, kw_only=True)
class Component:
    """A program.

    Attributes:
        name: What it is called.
        module: The folder of the module that it is built in.
        package: Its Go package.
        flags: What its linker is told besides.
        is_static: Whether it runs in an image with nothing else in it.
    """

    name: str
    module: str
    package: str
    flags: str = ""
    is_static: bool = False


COMPONENTS = (
    *(
        Component(name=name, module="kubernetes", package=f"k8s.io/kubernetes/cmd/{name}", flags=_KUBERNETES_FLAGS)
        for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy")
    ),
    Component(name="etcd", module="etcd", package="go.etcd.io/etcd/server/v3"),
    Component(name="coredns", module="coredns", package=".", is_static=True),
    Component(
        name="metrics-server",
        module="metrics-server",
        package="sigs.k8s.io/metrics-server/cmd/metrics-server",
        is_static=True,
    ),
    Component(name="device-plugin", module="device-plugin", package=".", is_static=True),
)
KEDA_MODULE = "github.com/kedacore/keda/v2"
# Apart: a quarter of an hour of a processor for one test.
KEDA_COMPONENTS = tuple(
    Component(name=f"keda-{name}", module="keda", package=f"{KEDA_MODULE}/cmd/{name}", is_static=True)
    for name in ("operator", "adapter")
)
IMAGES: Mapping[str, str] = {
    name: f"localhost/praxiscope-cluster-{name}:1"
    for name in ("pause", "coredns", "metrics-server", "device-plugin", "keda")
}


def build_components(
    components: Sequence[Component] = COMPONENTS, *, modules: Path = _MODULES, folder: Path = FOLDER
) -> None:
    """Builds what is not built yet, one after another; 10 to 15 minutes of a processor the first time.

    Args:
        components: What.
        modules: Where their modules are.
        folder: Where the programs go, below `bin`.

    Raises:
        ClusterError: There is no Go, or a build fails.
    """
    go = find_go()
    (folder / "bin").mkdir(parents=True, exist_ok=True)
    for component in components:
        program, marker = folder / "bin" / component.name, folder / "built" / component.name
        digest = _digest(component, modules / component.module)
        if program.is_file() and marker.is_file() and marker.read_text(encoding="ascii") == digest:
            continue
        started_s, before_s = time.monotonic(), _children_s()
        _build(go, component, modules / component.module, program)
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.write_text(digest, encoding="ascii")
        sys.stdout.write(
            f"{component.name}: {time.monotonic() - started_s:.0f} s, {_children_s() - before_s:.0f} s of a processor,"
            f" {program.stat().st_size / 1e6:.0f} MB\n"
        )
        sys.stdout.flush()


def write_images() -> None:
    """Writes the images of what runs in pods of the cluster itself."""
    pause = DEBIAN / "usr" / "bin" / "catatonit"  # linked to itself; with -P it waits for ever and buries the dead
    oci.write_image(LAYOUT, IMAGES["pause"], {"/pause": pause}, entrypoint=["/pause", "-P"], user="65535:65535")
    for name in ("coredns", "metrics-server", "device-plugin"):
        oci.write_image(
            LAYOUT, IMAGES[name], {f"/{name}": PROGRAMS / name}, entrypoint=[f"/{name}"], user="65532:65532"
        )


def write_keda_image() -> None:
    """Writes the image of KEDA's operator and its metrics adapter."""
    programs = {"/keda": PROGRAMS / "keda-operator", "/keda-adapter": PROGRAMS / "keda-adapter"}
    oci.write_image(LAYOUT, IMAGES["keda"], programs, entrypoint=["/keda"], user="65532:65532")


def module_folder(component: Component, module: str) -> Path:
    """Returns where the sources of a module lie that a component is made of.

    Raises:
        ClusterError: They are not there.
    """
    command = [find_go(), "list", "-m", "-f", "{{.Dir}}", module]
    environment = {**os.environ, "GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": "-mod=mod"}
    result = subprocess.run(
        command, cwd=_MODULES / component.module, env=environment, capture_output=True, text=True, check=False
    )
    if result.returncode or not result.stdout.strip():
        raise ClusterError(f"the sources of {module} are not there: {result.stderr.strip()[-500:]}")
    return Path(result.stdout.strip())


def _build(go: str, component: Component, module: Path, program: Path) -> None:
    environment = {**os.environ, "GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": "-mod=readonly -buildvcs=false"}
    if component.is_static:
        environment["CGO_ENABLED"] = "0"
    command = [
        *("nice", "-n", "5", go, "build", "-trimpath", f"-ldflags=-s -w{component.flags}"),
        *("-o", f"{program}.new", component.package),
    ]
    result = subprocess.run(command, cwd=module, env=environment, capture_output=True, text=True, check=False)
    if result.returncode:
        raise ClusterError(f"{component.name} could not be built:\n{(result.stdout + result.stderr).strip()[-3000:]}")
    os.replace(f"{program}.new", program)


def _digest(component: Component, module: Path) -> str:
    digest = hashlib.sha256(repr(component).encode())
    for name in ("go.mod", "go.sum", "main.go"):
        path = module / name
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()


def find_go() -> str:
    """Returns the machine's Go, or the one that set-up took out of a wheel."""
    candidates: Sequence[str | None] = (
        shutil.which("go"),
        *(str(path) for path in sorted((CHECKOUT / ".praxiscope" / "go").glob("**/bin/go"))),
    )
    for candidate in candidates:
        if candidate is not None:
            said = subprocess.run([candidate, "version"], capture_output=True, text=True, check=False).stdout
            words = said.split()
            if len(words) > 2 and tuple(int(part) for part in words[2].removeprefix("go").split(".")[:2]) >= (1, 26):
                return candidate
    raise ClusterError("Kubernetes is built here with Go 1.26 or newer: install it, or run `make setup` without one.")


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
