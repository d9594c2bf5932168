"""Volumes out of folders: only for our claims, on the node that a pod has, and given back only where nobody keeps them."""

from pathlib import Path
from typing import Any

import pytest

from tools.cluster.volumes import PROVISIONER, make_folder, remove_folder, volumes_released, volumes_wanted


def _claim(
    *, phase: str = "Pending", provisioner: str = PROVISIONER, node: str = "node1", volume: str = ""
) -> dict[str, Any]:
    annotations = {
        "volume.kubernetes.io/storage-provisioner": provisioner,
        "volume.kubernetes.io/selected-node": node,
    }
    return {
        "metadata": {"name": "data", "namespace": "home", "uid": "7", "annotations": annotations},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
            "storageClassName": "folder",
            **({"volumeName": volume} if volume else {}),
        },
        "status": {"phase": phase},
    }


def test_a_claim_gets_a_folder_of_the_node_and_gives_it_back(tmp_path: Path) -> None:
    (volume,) = volumes_wanted([_claim()], "node1", tmp_path)
    assert volume["spec"]["claimRef"]["uid"] == "7"
    assert volume["spec"]["capacity"] == {"storage": "1Gi"}
    make_folder(volume)
    path = Path(volume["spec"]["local"]["path"])
    assert path.is_dir()
    assert path.parent == tmp_path
    volume["status"] = {"phase": "Released"}
    assert volumes_released([volume], tmp_path) == [volume]
    remove_folder(volume)
    assert not path.exists()


@pytest.mark.parametrize(
    "claim",
    [
        pytest.param(_claim(phase="Bound"), id="bound"),
        pytest.param(_claim(provisioner="another"), id="another's"),
        pytest.param(_claim(node="node2"), id="another node's"),
        pytest.param(_claim(node=""), id="no node yet"),
        pytest.param(_claim(volume="mine"), id="of a volume that is there"),
    ],
)
def test_a_claim_that_is_not_ours_is_left_alone(claim: dict[str, Any], tmp_path: Path) -> None:
    assert volumes_wanted([claim], "node1", tmp_path) == []


def test_volumes_in_use_kept_or_elsewhere_are_not_given_back(tmp_path: Path) -> None:
    (volume,) = volumes_wanted([_claim()], "node1", tmp_path)
    for phase, policy, folder in (
        ("Bound", "Delete", tmp_path),
        ("Released", "Retain", tmp_path),
        ("Released", "Delete", tmp_path / "other"),
    ):
        volume["status"] = {"phase": phase}
        volume["spec"]["persistentVolumeReclaimPolicy"] = policy
        assert volumes_released([volume], folder) == []
