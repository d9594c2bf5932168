"""Makes the Secrets that an installation needs and does not have. `python -m praxiscope_common.kubernetes.secrets`.

What is wanted is JSON, `{secret: {key: kind}}`:

    password            32 random characters
    rsa, ed25519        a private key, PEM
    public:SECRET/KEY   the public half of a private key in another Secret

What a Secret holds is never changed: what was encrypted or signed with it would be lost. Keys that it lacks are added.
"""

from __future__ import annotations

import json
import logging
import os
import secrets as random_secrets
import sys
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from praxiscope_common.kubernetes.api import KubernetesApi, KubernetesError

logger = logging.getLogger(__name__)
_RSA_BITS = 2048
_PUBLIC = "public:"
Wanted = Mapping[str, Mapping[str, str]]


class WantedError(Exception):
    """What is wanted makes no sense; the message says where."""


def parse_wanted(text: str) -> Wanted:
    """Reads what is wanted.

    Raises:
        WantedError: If it is not JSON of that form, names a kind that there is not, or a private key that is not wanted.
    """
    try:
        wanted = json.loads(text)
        rows = [(name, key, kind) for name, keys in wanted.items() for key, kind in keys.items()]
    except (ValueError, AttributeError) as error:
        raise WantedError(f"what is wanted is no JSON of the form {{secret: {{key: kind}}}}: {error}") from error
    for name, key, kind in rows:
        if isinstance(kind, str) and kind.startswith(_PUBLIC):
            source, _, source_key = kind.removeprefix(_PUBLIC).partition("/")
            if wanted.get(source, {}).get(source_key) not in {"rsa", "ed25519"}:
                raise WantedError(f"{name}/{key} wants the public half of {source}/{source_key}, which is no key")
        elif kind not in {"password", "rsa", "ed25519"}:
            raise WantedError(f"{name}/{key} is of the kind {kind!r}, which there is not")
    return wanted


def make_secrets(api: KubernetesApi, wanted: Wanted) -> list[str]:
    """Makes what is missing, private keys before the public halves of them.

    Args:
        api: The API server.
        wanted: What is wanted.

    Returns:
        The names of those made now.

    Raises:
        KubernetesError: If the server refuses.
    """
    made: list[str] = []
    held: dict[str, Mapping[str, bytes]] = {}
    for name in sorted(
        wanted, key=lambda name: (any(kind.startswith(_PUBLIC) for kind in wanted[name].values()), name)
    ):
        content = api.read_secret(name)
        if content is None:
            fresh = {key: _make(kind, held) for key, kind in wanted[name].items()}
            if api.create_secret(name, fresh):
                made.append(name)
                logger.info("secret made", extra={"secret": name})
                content = fresh
            else:
                content = api.read_secret(name) or {}
        missing = {key: kind for key, kind in wanted[name].items() if key not in content}
        if missing:
            # A newer chart wants more of it than the one that made it. What is there stays as it is.
            content = {**content, **{key: _make(kind, held) for key, kind in missing.items()}}
            api.replace_secret(name, content)
            made.append(name)
            logger.info("secret completed", extra={"secret": name, "keys": sorted(missing)})
        held[name] = content
    return made


def _make(kind: str, held: Mapping[str, Mapping[str, bytes]]) -> bytes:
    if kind == "password":
        return random_secrets.token_urlsafe(24).encode()
    if kind == "rsa":
        return _private(rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS))
    if kind == "ed25519":
        return _private(ed25519.Ed25519PrivateKey.generate())
    source, _, key = kind.removeprefix(_PUBLIC).partition("/")
    private = load_pem_private_key(held[source][key], password=None)
    return private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _private(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def main(environ: Mapping[str, str]) -> int:
    """Reads `PRAXISCOPE_SECRETS_WANTED` and makes them; returns the exit code."""
    try:
        made = make_secrets(KubernetesApi.from_pod(environ), parse_wanted(environ.get("PRAXISCOPE_SECRETS_WANTED", "")))
    except (KubernetesError, WantedError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"made: {', '.join(made) or 'nothing, all were there'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(os.environ))  # noqa: TID251  a command's start
