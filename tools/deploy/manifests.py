"""Writes `deploy/k8s` and `deploy/istio` out of the chart, for those who use kubectl, and says whether they are what it makes.

    deploy/k8s/base               what every profile has, to the letter
    deploy/k8s/overlays/{profile} what only this one has
    deploy/istio                  the mesh's objects, which the overlay prod takes along

Jobs are ordinary objects here, since hooks are Helm's.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from tools.deploy.calls import HEADER, call_graph
from tools.deploy.dashboards import dashboard_files
from tools.deploy.render import CHART, NAMESPACE, PROFILES, Manifest, key, render
from tools.devstack.settings import CHECKOUT

CALLS, BOARDS = CHART / "files" / "calls.yaml", CHART / "files" / "dashboards"
K8S, ISTIO = CHECKOUT / "deploy" / "k8s", CHECKOUT / "deploy" / "istio"
_HEADER = "# Written by `make manifests` from deploy/helm/praxiscope; change the chart, not this.\n"
_FOR_KUBECTL = {"hooks": False, "namespace": {"create": True}}
_SERVER_SETS = ("helm.sh/chart",)


def write_manifests(root: Path = CHECKOUT) -> None:
    """Writes the call graph and the dashboards into the chart and the plain manifests out of it, in place of what was there."""
    for folder in (K8S, ISTIO, BOARDS):
        shutil.rmtree(root / folder.relative_to(CHECKOUT), ignore_errors=True)
    for files in (chart_files, manifest_files):  # the second reads what the first wrote
        for path, text in files().items():
            target = root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")


def drifted() -> Sequence[str]:
    """Returns the files that are not what `make manifests` would write, too many or too few, as paths below the checkout."""
    expected = {**chart_files(), **manifest_files()}
    found = {
        path.relative_to(CHECKOUT): path.read_text(encoding="utf-8")
        for path in (CALLS, *BOARDS.rglob("*"), *K8S.rglob("*"), *ISTIO.rglob("*"))
        if path.is_file()
    }
    return sorted(str(path) for path in {*expected, *found} if expected.get(path) != found.get(path))


def chart_files() -> Mapping[Path, str]:
    """Returns the chart's own files that are made: the call graph and the dashboards, by their path below the checkout."""
    calls = HEADER + yaml.safe_dump(call_graph(), sort_keys=False, width=160)
    boards = {BOARDS.relative_to(CHECKOUT) / name: text for name, text in dashboard_files().items()}
    return {CALLS.relative_to(CHECKOUT): calls, **boards}


def manifest_files() -> Mapping[Path, str]:
    """Returns every plain manifest, by its path below the checkout."""
    with tempfile.TemporaryDirectory() as folder:
        rendered = {
            profile: {key(item): _plain(item) for item in render(profile, values=_FOR_KUBECTL, folder=Path(folder))}
            for profile in PROFILES
        }
    mesh = {name: item for name, item in rendered["prod"].items() if ".istio.io/" in item["apiVersion"]}
    rendered["prod"] = {name: item for name, item in rendered["prod"].items() if name not in mesh}
    first, *others = rendered.values()
    base = {name: item for name, item in first.items() if all(other.get(name) == item for other in others)}
    files = _folder(Path("deploy/k8s/base"), base, {})
    files |= _folder(Path("deploy/istio"), mesh, {"namespace": NAMESPACE})
    for profile, objects in rendered.items():
        own = {name: item for name, item in objects.items() if name not in base}
        parts = ["../../base", *(["../../../istio"] if profile == "prod" else [])]
        files |= _folder(Path("deploy/k8s/overlays") / profile, own, {"namespace": NAMESPACE}, resources=parts)
    return files


def _folder(
    folder: Path,
    objects: Mapping[tuple[str, str], Manifest],
    settings: Mapping[str, str],
    resources: Sequence[str] = (),
) -> dict[Path, str]:
    """Returns one file a kind, and the kustomization that names them."""
    kinds: dict[str, list[Manifest]] = {}
    for (kind, _), item in sorted(objects.items()):
        kinds.setdefault(f"{kind.lower()}.yaml", []).append(item)
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        **settings,
        "resources": [*resources, *sorted(kinds)],
    }
    files = {folder / name: _dump(*items) for name, items in kinds.items()}
    return {folder / "kustomization.yaml": _dump(kustomization), **files}


def _dump(*documents: Manifest) -> str:
    return _HEADER + yaml.safe_dump_all(documents, sort_keys=False, width=160)


def _plain(manifest: Manifest) -> Manifest:
    """Returns an object without what only Helm reads."""
    for metadata in (manifest["metadata"], manifest.get("spec", {}).get("template", {}).get("metadata", {})):
        labels = metadata.get("labels", {})
        for label in _SERVER_SETS:
            labels.pop(label, None)
        if "app.kubernetes.io/managed-by" in labels:
            labels["app.kubernetes.io/managed-by"] = "kubectl"
    return manifest
