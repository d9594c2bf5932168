"""KEDA in the cluster: its operator and metrics adapter, built from its Go module, as the module's own manifests have them."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from tools.cluster.cluster import KUBECTL, Cluster
from tools.cluster.components import (
    IMAGES,
    KEDA_COMPONENTS,
    KEDA_MODULE,
    build_components,
    module_folder,
    write_keda_image,
)
from tools.cluster.settings import ClusterError

NAMESPACE = "keda"


def install(cluster: Cluster) -> None:
    """Builds KEDA where it is not built, and has it run in a cluster; returns when it answers.

    Raises:
        ClusterError: If it cannot be built, or does not become ready.
    """
    build_components(KEDA_COMPONENTS)
    write_keda_image()
    cluster.first.import_images([IMAGES["keda"]])
    cluster.apply(manifests())
    for deployment in ("keda-operator", "keda-metrics-apiserver"):
        cluster.kubectl("-n", NAMESPACE, "rollout", "status", f"deployment/{deployment}", "--timeout=180s")
    cluster.kubectl("wait", "--for=condition=Available", "apiservice/v1beta1.external.metrics.k8s.io", "--timeout=120s")


def manifests() -> Sequence[Mapping[str, Any]]:
    """Returns what KEDA's module says that it needs, without its webhooks, with our image."""
    folder = module_folder(KEDA_COMPONENTS[0], KEDA_MODULE) / "config" / "minimal"
    result = subprocess.run(
        [str(KUBECTL), "kustomize", "--load-restrictor=LoadRestrictionsNone", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        raise ClusterError(f"KEDA's manifests cannot be read: {result.stderr.strip()[-1000:]}")
    objects = [item for item in yaml.safe_load_all(result.stdout) if item]
    for item in objects:
        if item["kind"] == "Deployment":
            container = item["spec"]["template"]["spec"]["containers"][0]
            container |= {"image": IMAGES["keda"], "imagePullPolicy": "Never"}
            container["resources"] = {"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}}
    return objects
