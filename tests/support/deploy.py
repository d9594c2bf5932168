"""The chart as tests see it: rendered once for each profile and version, and read by kind, name and pod."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from tools.deploy.render import CHART, PROFILES, Manifest, load, of_kind, render

VALUES: Mapping[str, Any] = load((CHART / "values.yaml").read_text(encoding="utf-8"))[0]
SERVICES: Mapping[str, Mapping[str, Any]] = VALUES["services"]
PROGRAMS = ("Deployment", "StatefulSet", "Job", "CronJob")


@cache
def _rendered(profile: str, kubernetes: str) -> tuple[Manifest, ...]:
    return tuple(render(profile, kubernetes=kubernetes))


def rendered(profile: str, kubernetes: str = "1.35.0") -> list[Manifest]:
    """Returns a profile's objects; all tests share them, so nobody changes them."""
    return list(_rendered(profile, kubernetes))


def everything() -> Iterator[tuple[str, Manifest]]:
    """Yields every object of every profile."""
    for profile in PROFILES:
        for manifest in rendered(profile):
            yield profile, manifest


def find(manifests: Sequence[Manifest], kind: str, name: str) -> Manifest:
    """Returns one object."""
    (found,) = [item for item in of_kind(manifests, kind) if item["metadata"]["name"] == name]
    return found


def pod_of(manifest: Manifest) -> dict[str, Any]:
    """Returns the specification of an object's pods."""
    return _owner(manifest)["spec"]


def labels_of(manifest: Manifest) -> dict[str, str]:
    """Returns the labels of an object's pods."""
    return _owner(manifest)["metadata"]["labels"]


def _owner(manifest: Manifest) -> dict[str, Any]:
    """Returns where an object's pods are described."""
    match manifest["kind"]:
        case "Pod":
            return manifest
        case "CronJob":
            return manifest["spec"]["jobTemplate"]["spec"]["template"]
        case _:
            return manifest["spec"]["template"]


def containers_of(manifest: Manifest) -> list[dict[str, Any]]:
    """Returns every container of an object's pods, those that start first included."""
    pod = pod_of(manifest)
    return [*pod.get("initContainers", []), *pod["containers"]]


def environment_of(container: Mapping[str, Any]) -> dict[str, str]:
    """Returns a container's variables."""
    return {entry["name"]: entry["value"] for entry in container.get("env", [])}


def matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Returns whether a label selector takes labels; only the form that the chart uses."""
    assert set(selector) <= {"matchLabels"}, selector
    return all(labels.get(name) == value for name, value in selector.get("matchLabels", {}).items())
