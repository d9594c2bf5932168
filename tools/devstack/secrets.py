"""The stack's own secrets: made once, each in a file that only its owner can read."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

_RSA_BITS = 2048


class StackSecrets:
    """Secrets in a folder; asking for one makes it."""

    def __init__(self, folder: Path) -> None:
        """Makes the folder."""
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def password(self, name: str) -> Path:
        """Returns the file of a password."""
        return self._once(f"{name}.password", lambda: secrets.token_urlsafe(24).encode())

    def rsa_key(self, name: str) -> Path:
        """Returns the file of an RSA private key."""
        return self._once(f"{name}.key.pem", _new_rsa_key)

    def ed25519_key(self, name: str) -> tuple[Path, Path]:
        """Returns the files of an Ed25519 private key and of its public key."""
        private = self._once(f"{name}.key.pem", _new_ed25519_key)
        return private, self._public(private, self.folder / f"{name}.pub.pem")

    def service_keys(self, services: Sequence[str]) -> Path:
        """Returns the folder of the services' public keys, one `{service}.pem` each."""
        folder = self.folder / "services"
        folder.mkdir(exist_ok=True)
        for service in services:
            self._public(self.rsa_key(service), folder / f"{service}.pem")
        return folder

    def _once(self, name: str, make: Callable[[], bytes]) -> Path:
        path = self.folder / name
        if not path.exists():
            _write_private(path, make())
        return path

    def _public(self, private: Path, path: Path) -> Path:
        if not path.exists():
            key = load_pem_private_key(private.read_bytes(), password=None)
            _write_private(path, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        return path


def _new_rsa_key() -> bytes:
    key = rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _new_ed25519_key() -> bytes:
    return ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write_private(path: Path, content: bytes) -> None:
    temporary = path.with_name(path.name + ".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    temporary.replace(path)
