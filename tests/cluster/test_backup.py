"""Backups of a real installation in a store of another's, and the way back as docs/backup.md has it, line by line."""

from __future__ import annotations

import asyncio
import base64
import re
import secrets
import subprocess
import time
from collections.abc import Iterator, Mapping
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from praxiscope.client import PraxiscopeError
from praxiscope_common.config import Secret
from praxiscope_common.storage.s3 import S3Store
from tests.support import media
from tests.support.cluster import NAMESPACE, Installation, note, wait_until
from tests.support.cluster_network import are_running, probe, reached
from tests.support.deploy import find, pod_of, rendered
from tests.support.deploy_network import pods_of
from tools.cluster.settings import ClusterError
from tools.demo import SAMPLE
from tools.deploy.render import render
from tools.devstack.settings import CHECKOUT

pytestmark = pytest.mark.timeout(1200)
_AWAY = "backup-store"
_PORT = 8333
_DATABASE = "praxiscope"
_KEEPS_BACKUPS = {"postgres", "backup-database", "backup-objects", "backup-prune"}
_MOMENT_OF_THE_PAGE = "2026-11-29T02:15:00Z"


@pytest.fixture(scope="module")
def backed_up(installation: Installation) -> Iterator[Installation]:
    """The installation with backups, which go into a SeaweedFS in a namespace of its own, as another provider's would be; afterwards as it was."""
    word = secrets.token_urlsafe(24)
    installation.cluster.apply(_store_elsewhere(word))
    try:
        installation.cluster.kubectl("-n", _AWAY, "wait", "--for=condition=Ready", "pod/store", "--timeout=120s")
        installation.cluster.apply([_secret("backup", NAMESPACE, word)])
        elapsed_s = installation.install(*_values(_address(installation)))
        note("upgrade that turns backups on, s", round(elapsed_s, 1))
        yield installation
    finally:
        installation.install()
        installation.kubectl("delete", "secret", "backup", "--ignore-not-found")
        installation.cluster.kubectl("delete", "namespace", _AWAY, "--wait=false")


def test_only_what_keeps_backups_reaches_them(backed_up: Installation, tmp_path: Path) -> None:
    """The chart is told one address, and lets nobody else out to it."""
    values = {"backup": {"enabled": True, "store": {"host": "s3", "cidrs": ["10.0.0.1/32"], "accessKeyId": "a"}}}
    with_backups = render("light", values=values, folder=tmp_path)
    labels = {name: found for name, found in pods_of(with_backups).items() if name != "helm-test"}
    assert labels.keys() > _KEEPS_BACKUPS
    probes = [probe(name, found) for name, found in labels.items()]
    backed_up.cluster.apply(probes)
    try:
        wait_until(lambda: are_running(backed_up, len(probes)), 120, backed_up.state)
        target = ("store", _address(backed_up), _PORT)
        found = {source for name in labels for source, _, _ in reached(backed_up, NAMESPACE, name, [target])}
        assert found == _KEEPS_BACKUPS
    finally:
        backed_up.kubectl("delete", "pods", "-l", "tests=probe", "--wait=false")


def test_what_is_lost_comes_back_as_it_was_at_a_moment(backed_up: Installation, tmp_path: Path) -> None:
    videos = {name: tmp_path / f"{name}.mp4" for name in ("before", "after", "late")}
    videos["before"].write_bytes(SAMPLE.read_bytes())
    videos["after"].write_bytes(media.encode_video(media.cut_frames(SAMPLE, 0, 30)))
    videos["late"].write_bytes(media.encode_video(media.cut_frames(SAMPLE, 30, 30)))
    with backed_up.client() as client:
        assets = {"before": client.upload(videos["before"])}
        assert " copied" in _run_job(backed_up, "objects-1", "backup-objects")
        assert "reaches from" in _run_job(backed_up, "base-1", "backup-database")
        assets["after"] = client.upload(videos["after"])
        _run_job(backed_up, "objects-2", "backup-objects")
        rows = _rows(backed_up)
        assert len(rows) > 3
        time.sleep(1.1)
        moment = datetime.now(UTC).replace(microsecond=0)
        assets["late"] = client.upload(videos["late"])
    _lose(backed_up)
    assert ", 0 gone" not in _run_job(backed_up, "objects-3", "backup-objects")

    old_volume = _volume(backed_up)
    started_s = time.monotonic()
    said = _follow_the_page(backed_up, moment)
    note("the way back to a moment, from the first line to helm test, s", round(time.monotonic() - started_s, 1))
    print(said)
    backed_up.wait_until_ready()
    assert _rows(backed_up) == rows
    with backed_up.client() as client:
        for name in ("before", "after"):
            (path,) = client.download_all(assets[name].latest_version, tmp_path / "back" / name)
            assert path.read_bytes() == videos[name].read_bytes()
        with pytest.raises(PraxiscopeError) as caught:
            client.asset(assets["late"].name)
        assert caught.value.reason == "RESOURCE_NOT_FOUND"
        # Life goes on, on a new volume; the old one is kept until somebody is sure.
        assert client.asset(client.upload(videos["late"]).name)
    assert _volume(backed_up) != old_volume
    assert backed_up.kubectl("get", "pv", old_volume, "-o", "jsonpath={.status.phase}") == "Released"
    backed_up.kubectl("delete", "pv", old_volume)


def _values(address: str) -> list[str]:
    """Returns the settings with backups; one service has an autoscaler, as it matters on the way back whether one has."""
    store = {
        "endpointUrl": f"http://store.{_AWAY}:{_PORT}",
        "host": f"store.{_AWAY}",
        "port": _PORT,
        "accessKeyId": "praxiscope",
        "cidrs": f"{{{address}/32}}",
    }
    autoscaling = {"enabled": "true", "min": 1, "max": 2}
    return [
        "backup.enabled=true",
        *(f"backup.store.{name}={value}" for name, value in store.items()),
        # Tests run it when they want it.
        "backup.objects.schedule=0 0 1 1 *",
        *(f"services.library.api.autoscaling.{name}={value}" for name, value in autoscaling.items()),
    ]


def _store_elsewhere(word: str) -> list[Mapping[str, Any]]:
    """Returns a namespace with a SeaweedFS of the chart's own making in it, which takes calls from ours alone."""
    pod = deepcopy(pod_of(find(rendered("light"), "StatefulSet", "object-store")))
    pod.pop("serviceAccountName")
    pod["volumes"].append({"name": "data", "emptyDir": {}})
    labels = {"app": "store"}
    ours = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}}}
    policy = {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [ours], "ports": [{"protocol": "TCP", "port": _PORT}]}],
    }
    service = {"selector": labels, "ports": [{"port": _PORT, "targetPort": _PORT}]}

    def made(version: str, kind: str, name: str, spec: Mapping[str, Any]) -> Mapping[str, Any]:
        return {
            "apiVersion": version,
            "kind": kind,
            "metadata": {"name": name, "namespace": _AWAY, "labels": labels},
            "spec": spec,
        }

    return [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": _AWAY, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
        },
        _secret("store", _AWAY, word),
        made("networking.k8s.io/v1", "NetworkPolicy", "store", policy),
        made("v1", "Service", "store", service),
        made("v1", "Pod", "store", pod),
    ]


def _secret(name: str, namespace: str, word: str) -> Mapping[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "data": {"secret-access-key": base64.b64encode(word.encode()).decode()},
    }


def _address(installation: Installation) -> str:
    return installation.cluster.kubectl("-n", _AWAY, "get", "pod", "store", "-o", "jsonpath={.status.podIP}")


def _volume(installation: Installation) -> str:
    return installation.kubectl("get", "pvc", "data-postgres-0", "-o", "jsonpath={.spec.volumeName}")


def _run_job(installation: Installation, name: str, cron_job: str) -> str:
    """Runs what a CronJob would run and returns what it said."""
    installation.kubectl("create", "job", name, f"--from=cronjob/{cron_job}")
    try:
        installation.kubectl("wait", "--for=condition=complete", f"job/{name}", "--timeout=180s")
    except ClusterError as error:
        raise AssertionError(installation.kubectl("logs", f"job/{name}", "--all-pods")) from error
    return installation.kubectl("logs", f"job/{name}")


def _follow_the_page(installation: Installation, moment: datetime) -> str:
    """Runs every line of the page's way back, with another moment, and returns what they printed."""
    page = (CHECKOUT / "docs" / "backup.md").read_text(encoding="utf-8")
    section = re.split(r"^## ", page, flags=re.MULTILINE)
    (way_back,) = [text for text in section if text.startswith("The way back to a moment\n")]
    blocks = re.findall(r"^( *)```sh\n(.*?)^ *```$", way_back, re.MULTILINE | re.DOTALL)
    lines = "".join(text for _, text in blocks)
    assert lines.count(_MOMENT_OF_THE_PAGE) == 1
    lines = lines.replace(_MOMENT_OF_THE_PAGE, moment.strftime("%Y-%m-%dT%H:%M:%SZ"))
    result = subprocess.run(
        ["bash", "-euxo", "pipefail", "-c", lines],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=installation.environment(),
        cwd=CHECKOUT,
        timeout=900,
    )
    assert result.returncode == 0, f"{result.stdout}\n{installation.state()}"
    return result.stdout


def _lose(installation: Installation) -> None:
    """Deletes every object of the platform's store, and the library's rows."""
    word = installation.secret("store", "secret-access-key")
    with installation.forwarded("object-store", _PORT) as port:
        store = S3Store(
            endpoint_url=f"http://127.0.0.1:{port}",
            region="us-east-1",
            bucket="praxiscope",
            access_key_id="praxiscope",
            secret_access_key=Secret(word),
        )
        asyncio.run(_empty(store))
    _sql(installation, "DROP SCHEMA library CASCADE")


async def _empty(store: S3Store) -> None:
    assert [key async for key in store.list("projects/")]
    await store.delete_prefix("projects/")
    assert [key async for key in store.list("projects/")] == []


def _rows(installation: Installation) -> dict[str, str]:
    """Returns a digest of the rows of each of the library's tables."""
    tables = _sql(installation, "SELECT tablename FROM pg_tables WHERE schemaname = 'library' ORDER BY 1").split()
    query = "SELECT '{0}=' || coalesce(md5(string_agg(md5(item::text), '' ORDER BY md5(item::text))), '') FROM library.\"{0}\" AS item"
    said = _sql(installation, "; ".join(query.format(table) for table in tables))
    return {name: digest for name, _, digest in (line.partition("=") for line in said.splitlines())}


def _sql(installation: Installation, statements: str) -> str:
    """Has the database's own client say something to it, beside it, as a person would."""
    password = installation.secret("postgres", "password")
    command = ["env", f"PGPASSWORD={password}", "psql", "-v", "ON_ERROR_STOP=1", "-qAt", "-h", "127.0.0.1"]
    exec_in = ["exec", "-i", "postgres-0", "-c", "postgres", "--"]
    return installation.kubectl(*exec_in, *command, "-U", "postgres", "-d", _DATABASE, content=statements)
