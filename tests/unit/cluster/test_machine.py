"""What is asked of a machine, what is looked at on it, and that plain test runs leave clusters alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from cryptography import x509

from tools.cluster import cluster, components, host
from tools.cluster.certificates import IDENTITIES, Authority, Subject, write_identities
from tools.cluster.holder import Holder
from tools.cluster.settings import ClusterError
from tools.devstack.settings import CHECKOUT


def test_a_machine_without_what_is_needed_is_told_all_of_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(ClusterError, match="the program unshare is missing") as raised:
        cluster.check_machine()
    assert "it needs root" in str(raised.value)


def test_a_checkout_that_a_node_would_hide_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "CHECKOUT", Path("/var/lib/somebody/checkout"))
    assert any("is hidden inside a node" in text for text in cluster.missing_here())


def test_the_tests_of_the_cluster_are_not_collected_by_themselves() -> None:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "tests/cluster"]
    environment = {name: value for name, value in os.environ.items() if name != "PRAXISCOPE_TEST_CLUSTER"}
    result = subprocess.run(command, check=False, capture_output=True, text=True, cwd=CHECKOUT, env=environment)
    assert "no tests collected" in result.stdout


def test_every_program_is_held_by_sums() -> None:
    for component in components.COMPONENTS:
        folder = Path(components.__file__).with_name("components") / component.module
        assert (folder / "go.sum").is_file()
        assert (
            f"v{components.KUBERNETES_VERSION}" in (CHECKOUT / "tools/cluster/components/kubernetes/go.mod").read_text()
        )


def test_what_changes_on_the_machine_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    state: dict[str, object] = {"links": ["lo"], "routes": []}
    monkeypatch.setattr(host, "_RECORD", tmp_path / "host.json")
    monkeypatch.setattr(host, "look", lambda: dict(state))
    assert host.changes() == {}
    host.remember()
    assert host.changes() == {}
    state["links"] = ["lo", "praxiscope1"]
    assert host.changes() == {"links": (["lo"], ["lo", "praxiscope1"])}


def test_everybody_has_a_token_of_their_own_that_nobody_else_can_read(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.issue("server", Subject(common_name="server", organization="group", hosts=("name", "10.0.0.1")))
    certificate = x509.load_pem_x509_certificate((tmp_path / "server.crt").read_bytes())
    issuer = x509.load_pem_x509_certificate((tmp_path / "ca.crt").read_bytes())
    certificate.verify_directly_issued_by(issuer)
    assert certificate.subject.rfc4514_string() == "CN=server,O=group"
    write_identities(tmp_path, server="https://10.0.0.1:6443")
    tokens = {
        yaml.safe_load((tmp_path / f"{name}.yaml").read_text())["users"][0]["user"]["token"] for name in IDENTITIES
    }
    assert len(tokens) == len(IDENTITIES)
    rows = (tmp_path / "tokens.csv").read_text().splitlines()
    assert {row.partition(",")[0] for row in rows} == tokens
    for path in [*tmp_path.glob("*.key"), *tmp_path.glob("*.yaml"), tmp_path / "tokens.csv"]:
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_process_that_got_a_holders_number_is_no_holder(tmp_path: Path) -> None:
    (tmp_path / "holder").write_text(f"1 {os.getpid()}")
    assert Holder.find(tmp_path) is None
    assert Holder.find(tmp_path / "absent") is None
