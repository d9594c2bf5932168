"""Who a connection is: without a certificate of the mesh's own authority nothing gets in, on any port but those for scrapes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.deploy import SERVICES
from tests.support.mesh import Laboratory
from tests.support.mesh_checks import listening, own_certificate, plaintext_problems, said_in_plain, said_over_tls
from tools.cluster.certificates import Authority, Subject


def test_nothing_is_answered_in_plain(laboratory: Laboratory) -> None:
    assert plaintext_problems(laboratory) == []


def test_a_connection_without_a_certificate_is_refused(laboratory: Laboratory) -> None:
    assert [address for address in listening(laboratory) if said_over_tls(address, None)] == []


def test_another_authoritys_certificate_is_refused_whatever_it_says(laboratory: Laboratory, tmp_path: Path) -> None:
    gateway = laboratory.mesh.pods["gateway"].plan
    Authority(tmp_path).issue("gateway", Subject(common_name="gateway", uris=(f"spiffe://{gateway.principal}",)))
    foreign = tmp_path / "gateway.crt", tmp_path / "gateway.key"
    assert [address for address in listening(laboratory) if said_over_tls(address, foreign)] == []


@pytest.mark.parametrize("service", ["library", "gateway"])
def test_the_meshs_own_certificate_is_taken(laboratory: Laboratory, service: str) -> None:
    """The control: what is refused above is refused for its certificate."""
    address = laboratory.mesh.pods[service].plan.address, SERVICES[service]["port"]
    assert said_over_tls(address, own_certificate(laboratory.mesh.pods["gateway"]))


def test_scrapes_pass_the_proxy_by(laboratory: Laboratory) -> None:
    for name, row in SERVICES.items():
        address = laboratory.mesh.pods[name].plan.address, row["metricsPort"]
        assert b"200 OK" in said_in_plain(address, b"GET /metrics HTTP/1.0\r\n\r\n"), name
