"""Renders the chart with the pinned helm, offline, and reads what comes out."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tools.devstack.settings import CHECKOUT

CHART = CHECKOUT / "deploy" / "helm" / "praxiscope"
TOOLS = CHECKOUT / ".praxiscope" / "deploy"
RELEASE = NAMESPACE = "praxiscope"
PROFILES = ("light", "gpu", "prod")
Manifest = dict[str, Any]
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class RenderError(Exception):
    """The chart refuses its values, or a tool is missing; the message is helm's."""


def program(name: str) -> str:
    """Returns a pinned tool.

    Raises:
        RenderError: If set-up has not fetched it.
    """
    path = TOOLS / "bin" / name
    if not path.exists():
        raise RenderError(f"{name} is not there: `python3 -m tools.setup deploy` fetches it.")
    return str(path)


def run_helm(*arguments: str) -> str:
    """Runs helm with folders of its own and returns what it wrote.

    Raises:
        RenderError: If it fails.
    """
    homes = {name: str(TOOLS / "helm" / name) for name in ("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME")}
    environment = {"PATH": os.environ["PATH"], "HOME": str(TOOLS / "helm"), "KUBECONFIG": os.devnull, **homes}
    result = subprocess.run([program("helm"), *arguments], check=False, capture_output=True, text=True, env=environment)
    if result.returncode:
        raise RenderError(f"{result.stderr}{result.stdout}".strip())
    return result.stdout


def render(
    profile: str,
    *,
    values: Mapping[str, Any] | None = None,
    kubernetes: str = "1.35.0",
    folder: Path | None = None,
    chart: Path = CHART,
) -> list[Manifest]:
    """Renders the chart.

    Args:
        profile: A profile.
        values: Values laid over the profile's.
        kubernetes: The version that is rendered for.
        folder: Where the values over the profile are written to; needed with `values`.
        chart: The chart.

    Returns:
        The objects.

    Raises:
        RenderError: If the values are refused.
    """
    arguments = ["template", RELEASE, str(chart), "--namespace", NAMESPACE, "--kube-version", kubernetes]
    arguments += ["--values", str(chart / "profiles" / f"{profile}.yaml")]
    if values is not None:
        if folder is None:
            raise ValueError("values need a folder")
        file = folder / "values.yaml"
        file.write_text(yaml.safe_dump(dict(values)), encoding="utf-8")
        arguments += ["--values", str(file)]
    return load(run_helm(*arguments))


def load(text: str) -> list[Manifest]:
    """Reads a stream of YAML documents; empty ones are left out."""
    return [document for document in yaml.load_all(text, _Loader) if document]


def key(manifest: Manifest) -> tuple[str, str]:
    """Returns what tells an object from others: kind and name."""
    return manifest["kind"], manifest["metadata"]["name"]


def of_kind(manifests: Sequence[Manifest], *kinds: str) -> list[Manifest]:
    """Returns the objects of some kinds."""
    return [manifest for manifest in manifests if manifest["kind"] in kinds]
