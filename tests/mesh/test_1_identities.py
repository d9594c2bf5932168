"""Who a connection is: without a certificate of the mesh's own authority nothing gets in, on any port but those for scrapes."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.deploy import SERVICES
from tests.support.mesh import Laboratory
from tools.cluster.certificates import Authority, Subject
from tools.mesh.pods import Pod

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"
_UNDECLARED_PORT = 9999
Address = tuple[str, int]


def _ports(laboratory: Laboratory) -> Iterator[Address]:
    """Yields what our services listen on, and a port that nobody speaks of."""
    for name, row in SERVICES.items():
        address = laboratory.mesh.pods[name].plan.address
        yield address, row["port"]
        yield address, _UNDECLARED_PORT
    yield laboratory.mesh.pods["gateway"].plan.address, SERVICES["gateway"]["grpcPort"]


def _said_in_plain(address: Address, data: bytes = _PREFACE) -> bytes:
    """Returns what is answered to something unencrypted; nothing where the connection is cut."""
    try:
        with socket.create_connection(address, timeout=5) as connection:
            connection.sendall(data)
            return connection.recv(64)
    except ConnectionError:
        return b""


def _said_over_tls(address: Address, certificate: tuple[Path, Path] | None) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # it is not the server that is in question
    context.set_alpn_protocols(["istio", "h2"])
    if certificate is not None:
        context.load_cert_chain(*certificate)
    try:
        with socket.create_connection(address, timeout=5) as raw, context.wrap_socket(raw) as connection:
            connection.sendall(_PREFACE)
            return connection.recv(64)
    except (ConnectionError, ssl.SSLError):
        return b""


def own_certificate(pod: Pod) -> tuple[Path, Path]:
    """Returns the certificate and the key that a pod's proxy shows."""
    folder = pod.folder / "certificates"
    return folder / "cert-chain.pem", folder / "key.pem"


def plaintext_problems(laboratory: Laboratory) -> list[str]:
    """Returns where something unencrypted is answered."""
    return [f"{address} answers in plain" for address in _ports(laboratory) if _said_in_plain(address)]


def test_nothing_is_answered_in_plain(laboratory: Laboratory) -> None:
    assert plaintext_problems(laboratory) == []


def test_a_connection_without_a_certificate_is_refused(laboratory: Laboratory) -> None:
    assert [address for address in _ports(laboratory) if _said_over_tls(address, None)] == []


def test_another_authoritys_certificate_is_refused_whatever_it_says(laboratory: Laboratory, tmp_path: Path) -> None:
    gateway = laboratory.mesh.pods["gateway"].plan
    Authority(tmp_path).issue("gateway", Subject(common_name="gateway", uris=(f"spiffe://{gateway.principal}",)))
    foreign = tmp_path / "gateway.crt", tmp_path / "gateway.key"
    assert [address for address in _ports(laboratory) if _said_over_tls(address, foreign)] == []


@pytest.mark.parametrize("service", ["library", "gateway"])
def test_the_meshs_own_certificate_is_taken(laboratory: Laboratory, service: str) -> None:
    """The control: what is refused above is refused for its certificate."""
    address = laboratory.mesh.pods[service].plan.address, SERVICES[service]["port"]
    assert _said_over_tls(address, own_certificate(laboratory.mesh.pods["gateway"]))


def test_scrapes_pass_the_proxy_by(laboratory: Laboratory) -> None:
    for name, row in SERVICES.items():
        address = laboratory.mesh.pods[name].plan.address, row["metricsPort"]
        assert b"200 OK" in _said_in_plain(address, b"GET /metrics HTTP/1.0\r\n\r\n"), name
