"""The chart's backups: who takes them, with which commands, who reaches what, and the way back."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from praxiscope_backup.__main__ import main
from praxiscope_backup.adapters.postgres_programs import archive_command
from tests.support.deploy import PROGRAMS, containers_of, environment_of, find, pod_of
from tests.support.deploy_network import expected, reachable
from tests.support.deploy_schemas import problems
from tools.deploy.render import Manifest, RenderError, of_kind, render
from tools.devstack.settings import PORTS

STORE = {
    "endpointUrl": "https://s3.backup.example",
    "host": "s3.backup.example",
    "accessKeyId": "a",
    "cidrs": ["10.40.0.0/16"],
}
SPOOL = "/var/lib/praxiscope/spool"


def _light(folder: Path, **backup: Any) -> list[Manifest]:
    return render("light", values={"backup": {"enabled": True, "store": STORE, **backup}}, folder=folder)


def test_light_with_backups_reaches_what_it_must_and_no_more(tmp_path: Path) -> None:
    manifests = _light(tmp_path)
    found = reachable(manifests, sorted({*PORTS.values(), 22, 80, 443, 5432, 6443, 8333, 53}))
    assert found == expected("light", manifests)
    assert [problem for manifest in manifests for problem in problems(manifest, "1.35.0")] == []


def test_the_commands_are_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"], {})
    known = set(re.findall(r"^    ([a-z][a-z-]+)", capsys.readouterr().out, re.MULTILINE))
    manifests = _light(tmp_path, restoreTime="2026-11-29T02:15:00Z")
    text = [
        " ".join(container.get("command", []))
        for manifest in of_kind(manifests, *PROGRAMS)
        for container in containers_of(manifest)
    ]
    called = {word for line in text for word in re.findall(r"praxiscope_backup ([a-z-]+)", line)}
    assert called == {"keep", "base", "mirror", "versions", "prune", "check", "restore-database"}
    assert called < known
    assert {item["metadata"]["name"] for item in of_kind(manifests, "CronJob")} == {
        "backup-database",
        "backup-objects",
        "backup-prune",
    }


def test_the_log_is_laid_where_it_is_kept_from(tmp_path: Path) -> None:
    """The same command as the drill's (tests/integration/backup), which was seen to lose nothing."""
    stateful = find(_light(tmp_path, database={"archiveTimeoutS": 60}), "StatefulSet", "postgres")
    (server,), keeper = pod_of(stateful)["containers"], pod_of(stateful)["initContainers"][-1]
    assert f"--archive_command={archive_command(Path(SPOOL))}" in server["args"]
    assert "--archive_timeout=60s" in server["args"]
    assert keeper["command"][-2:] == ["keep", SPOOL]
    assert keeper["restartPolicy"] == "Always", "it ends after the server, with the last of the log"
    mount = next(item for item in keeper["volumeMounts"] if item["name"] == "data")
    assert (mount["mountPath"], mount["subPath"]) == (SPOOL, "spool"), "it sees the log and not the data"
    # What PostgreSQL's own container does not need it does not have.
    assert not [item for item in server["volumeMounts"] if "secret" in item["name"]]
    assert environment_of(keeper)["PRAXISCOPE_BACKUP_STORE_BUCKET"] == "praxiscope-backup"


def test_the_way_back_comes_before_a_new_beginning(tmp_path: Path) -> None:
    names = [item["name"] for item in pod_of(find(_light(tmp_path), "StatefulSet", "postgres"))["initContainers"]]
    assert names == ["initialise", "log-keeper"]
    stateful = find(_light(tmp_path, restoreTime="2026-11-29T02:15:00Z"), "StatefulSet", "postgres")
    first, *others = pod_of(stateful)["initContainers"]
    assert [first["name"], *(item["name"] for item in others)] == ["restore", *names]
    assert '--time "2026-11-29T02:15:00Z"' in first["command"][-1]
    assert first["command"][-1].startswith("if [ -s /var/lib/praxiscope/data/PG_VERSION ]; then exit 0; fi")


def test_a_database_outside_is_its_providers_to_keep() -> None:
    manifests = render("prod")
    assert {item["metadata"]["name"] for item in of_kind(manifests, "CronJob")} == {"backup-objects", "backup-prune"}
    (command,) = [
        containers_of(item)[0]["command"]
        for item in of_kind(manifests, "CronJob")
        if item["metadata"]["name"] == "backup-prune"
    ]
    assert "check" not in command[-1]


@pytest.mark.parametrize(
    ("backup", "message"),
    [
        pytest.param({"enabled": True}, "/backup/store/host", id="nowhere"),
        pytest.param({"enabled": True, "store": {**STORE, "cidrs": []}}, "/backup/store/cidrs", id="no-way-there"),
        pytest.param({"restoreTime": "2026-11-29T02:15:00Z"}, "/backup/enabled", id="back-from-nothing"),
        pytest.param({"enabled": True, "store": STORE, "restoreTime": "noon"}, "/backup/restoreTime", id="no-moment"),
        pytest.param({"enabled": True, "store": STORE, "objects": {"schedule": "hourly"}}, "/backup/objects/schedule", id="no-schedule"),
    ],
)  # fmt: skip
def test_half_a_backup_is_refused_with_its_path(tmp_path: Path, backup: dict[str, Any], message: str) -> None:
    with pytest.raises(RenderError) as caught:
        render("light", values={"backup": backup}, folder=tmp_path)
    assert message in str(caught.value)
