"""A real Kubernetes with our chart in it. `make test-cluster` runs these, and nothing else does: without its variable nothing here is even collected."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cluster import CALLER_NAMESPACE, NAMESPACE, Installation, caller_manifests, digests, note
from tools.cluster.cluster import Cluster, missing_here, print_line
from tools.cluster.oci import read_layout
from tools.cluster.settings import LAYOUT, ClusterError
from tools.demo import SAMPLE
from tools.deploy.images import image_name, image_names
from tools.devstack.settings import CHECKOUT

if not os.environ.get("PRAXISCOPE_TEST_CLUSTER"):
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A cluster with one node, started for these tests; they end it, and look whether the machine is as it was. One that is up already is used, and left.

    A machine that cannot have one fails the run: nothing here passes without it.
    """
    if lacks := missing_here():
        pytest.exit(f"The tests of the cluster cannot run here: {'; '.join(lacks)}.", returncode=3)
    absent = sorted(name for name in image_names() if image_name({}, name) not in read_layout(LAYOUT))
    if absent:
        pytest.exit(f"There are no images of {', '.join(absent)}: `make images` makes them.", returncode=3)
    made = Cluster()
    if made.is_up:
        made.first.import_images()
        yield made
        return
    try:
        made.start(print_line)
    except ClusterError as error:
        pytest.exit(str(error), returncode=3)
    try:
        yield made
    finally:
        changed = made.stop()
    assert changed == {}, "the machine is not as it was"


@pytest.fixture(scope="session")
def installation(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """The light profile with our images, in a namespace that takes nothing but restricted pods; tests leave it ready."""
    found = Installation(cluster=cluster, folder=tmp_path_factory.mktemp("installation"))
    enforced = {"pod-security.kubernetes.io/enforce": "restricted"}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": enforced}}
    cluster.apply([namespace, *caller_manifests()])
    elapsed_s = found.install()
    note("helm install of light, until everything is ready, s", round(elapsed_s, 1))
    cluster.kubectl("-n", CALLER_NAMESPACE, "wait", "--for=condition=Ready", "pod/caller", "--timeout=60s")
    note("memory with light, MiB", {name: round(mib) for name, mib in cluster.memory_mib().items() if mib >= 10})
    found.install_s = elapsed_s
    return found


@pytest.fixture(scope="session")
def local_numbers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The digests of the numbers that `make demo` makes of the sample video, by this code, on a stack of the test's own."""
    assert SAMPLE.is_file(), "`make setup` fetches the sample video"
    with tempfile.TemporaryDirectory(prefix="praxiscope-cluster-demo-") as state:
        Path(state).chmod(0o755)  # PostgreSQL runs as another user where we are root
        environment = {
            **os.environ,
            "PRAXISCOPE_STACK_STATE": state,
            "PRAXISCOPE_STACK_PORT_OFFSET": "2200",
            "PRAXISCOPE_STACK_PROFILE": f"{state}/home/profiles.toml",
            "PRAXISCOPE_HOME": f"{state}/home",
        }
        folder = tmp_path_factory.mktemp("demo")
        command = [sys.executable, "-m", "tools.demo", "--output", str(folder)]
        subprocess.run(command, check=True, cwd=CHECKOUT, env=environment)
    return digests(folder)
