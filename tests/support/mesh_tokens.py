"""Access tokens, each with one thing wrong: signed with auth's own key as the mesh's Secrets have it, or with another."""

from __future__ import annotations

import time
from collections.abc import Mapping

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from auth_service.adapters.keys import TokenKeys
from praxiscope_common.config import Secret
from praxiscope_common.tokens import ALGORITHM, AUDIENCE, ISSUER
from tools.mesh.services import SECRETS

GOOD = "good"


def make_tokens() -> Mapping[str, str]:
    """Returns tokens of somebody who may do nothing, by what is wrong with them; nothing is with the good one."""
    pem = (SECRETS / "access-tokens" / "private.pem").read_bytes()
    own = load_pem_private_key(pem, password=None)
    key_id = TokenKeys([Secret(pem.decode())]).published[0].key_id
    assert isinstance(own, rsa.RSAPrivateKey)
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    now_s = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "users/nobody", "jti": "mesh", "iat": now_s, "exp": now_s + 7200}

    def sign(key: rsa.RSAPrivateKey, **changed: object) -> str:
        return jwt.encode({**claims, **changed}, key, algorithm=ALGORITHM, headers={"kid": key_id})

    return {
        GOOD: sign(own),
        "broken": "a.b.c",
        "signed by another": sign(other),
        "expired": sign(own, iat=now_s - 7200, exp=now_s - 3600),
        "for another audience": sign(own, aud="somebody-else"),
        "of another issuer": sign(own, iss="somebody-else"),
    }
