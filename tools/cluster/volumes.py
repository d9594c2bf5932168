"""Volumes: a folder of the node for each claim of our storage class, made when the first pod that wants it has a node."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PROVISIONER = "cluster.praxiscope.test/folder"
STORAGE_CLASS: Mapping[str, Any] = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": "folder", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
    "provisioner": PROVISIONER,
    "reclaimPolicy": "Delete",
    "volumeBindingMode": "WaitForFirstConsumer",
}


def volumes_wanted(claims: Sequence[Mapping[str, Any]], node: str, folder: Path) -> list[dict[str, Any]]:
    """Returns the volumes that a node has to make.

    Args:
        claims: All PersistentVolumeClaims.
        node: The node's name.
        folder: Where its volumes are.
    """
    return [_volume(claim, node, folder) for claim in claims if _is_ours(claim, node)]


def volumes_released(volumes: Sequence[Mapping[str, Any]], folder: Path) -> list[Mapping[str, Any]]:
    """Returns the volumes of this node that nobody claims any more and that are not to be kept."""
    return [
        volume
        for volume in volumes
        if volume["status"].get("phase") == "Released"
        and volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete"
        and Path(volume["spec"].get("local", {}).get("path", "/")).parent == folder
    ]


def make_folder(volume: Mapping[str, Any]) -> None:
    """Makes a volume's folder; whom it belongs to is kubelet's business."""
    Path(volume["spec"]["local"]["path"]).mkdir(mode=0o770, parents=True, exist_ok=True)


def remove_folder(volume: Mapping[str, Any]) -> None:
    """Deletes a volume's folder and all in it."""
    shutil.rmtree(volume["spec"]["local"]["path"], ignore_errors=True)


def _is_ours(claim: Mapping[str, Any], node: str) -> bool:
    annotations = claim["metadata"].get("annotations", {})
    return (
        claim["status"].get("phase") == "Pending"
        and not claim["spec"].get("volumeName")
        and annotations.get("volume.kubernetes.io/storage-provisioner") == PROVISIONER
        and annotations.get("volume.kubernetes.io/selected-node") == node
    )


def _volume(claim: Mapping[str, Any], node: str, folder: Path) -> dict[str, Any]:
    metadata = claim["metadata"]
    name = f"folder-{metadata['uid']}"
    hostname = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "annotations": {"pv.kubernetes.io/provisioned-by": PROVISIONER}},
        "spec": {
            "accessModes": claim["spec"]["accessModes"],
            "capacity": {"storage": claim["spec"]["resources"]["requests"]["storage"]},
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata["uid"],
            },
            "local": {"path": str(folder / name)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [hostname]}]}},
            "persistentVolumeReclaimPolicy": "Delete",
            "storageClassName": claim["spec"].get("storageClassName", "folder"),
            "volumeMode": "Filesystem",
        },
    }
