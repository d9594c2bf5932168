"""The cluster's own authority, and who is who: certificates for servers, tokens for programs. Thrown away with the cluster."""

from __future__ import annotations

import datetime
import ipaddress
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

_DAYS = 30
# Name of the token's file: user and groups. Kubernetes knows its own programs by these names.
IDENTITIES: Mapping[str, tuple[str, Sequence[str]]] = {
    "admin": ("admin", ("system:masters",)),
    "controller-manager": ("system:kube-controller-manager", ()),
    "scheduler": ("system:kube-scheduler", ()),
    "proxy": ("system:kube-proxy", ()),
    "node1": ("system:node:node1", ("system:nodes",)),
    "node2": ("system:node:node2", ("system:nodes",)),
}


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Who a certificate is for.

    Attributes:
        common_name: Its name; Kubernetes takes it for a user's.
        organization: Its group, if any.
        hosts: Names and addresses that it answers at.
        uris: Identities of another kind, as a mesh has them.
    """

    common_name: str
    organization: str = ""
    hosts: Sequence[str] = ()
    uris: Sequence[str] = ()


class Authority:
    """Signs certificates into a folder."""

    def __init__(self, folder: Path) -> None:
        """Makes the authority."""
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "praxiscope-cluster")])
        certificate = (
            self._begin(self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self._write("ca", self._key, certificate)

    def issue(self, name: str, subject: Subject) -> None:
        """Writes `name.crt` and `name.key`."""
        key = ec.generate_private_key(ec.SECP256R1())
        attributes = [x509.NameAttribute(NameOID.COMMON_NAME, subject.common_name)]
        if subject.organization:
            attributes.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, subject.organization))
        builder = self._begin(x509.Name(attributes), key.public_key())
        names = [
            *map(_general_name, subject.hosts),
            *map(x509.UniformResourceIdentifier, subject.uris),
        ]
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        self._write(name, key, builder.sign(self._key, hashes.SHA256()))

    def _begin(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.timezone.utc)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=5))
            .not_valid_after(now + datetime.timedelta(days=_DAYS))
        )

    def _write(self, name: str, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        _write_secret(self._folder / f"{name}.key", _pem(key))
        (self._folder / f"{name}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def write_service_account_key(path: Path) -> None:
    """Writes the key that service accounts' tokens are signed with."""
    _write_secret(path, _pem(rsa.generate_private_key(public_exponent=65537, key_size=2048)))


def write_identities(folder: Path, *, server: str) -> None:
    """Writes a token for each of our programs: `tokens.csv` for the API server, `name.yaml` for each of them.

    Args:
        folder: Where; holds `ca.crt`.
        server: The API server's address.
    """
    rows: list[str] = []
    for number, (name, (user, groups)) in enumerate(IDENTITIES.items(), start=1):
        token = secrets.token_hex(16)
        rows.append(",".join([token, user, str(number), *([f'"{",".join(groups)}"'] if groups else [])]))
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": "here", "cluster": {"server": server, "certificate-authority": str(folder / "ca.crt")}}
            ],
            "users": [{"name": name, "user": {"token": token}}],
            "contexts": [{"name": "here", "context": {"cluster": "here", "user": name}}],
            "current-context": "here",
        }
        _write_secret(folder / f"{name}.yaml", yaml.safe_dump(config).encode())
    _write_secret(folder / "tokens.csv", "\n".join([*rows, ""]).encode())


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )


def _write_secret(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)
