"""Secrets of keys and refresh tokens: how they look, and what is kept of them."""

from __future__ import annotations

import hashlib
import secrets

API_KEY_PREFIX = "pxk_"
_SECRET_BYTES = 32
_SHOWN_CHARACTERS = 6
MIN_PASSWORD_LENGTH = 12


def new_api_key() -> str:
    """Returns a key's secret: 256 random bits behind a prefix that scanners of leaked secrets can look for."""
    return API_KEY_PREFIX + secrets.token_hex(_SECRET_BYTES)


def new_refresh_token() -> str:
    """Returns a refresh token: 256 random bits."""
    return secrets.token_urlsafe(_SECRET_BYTES)


def digest(secret: str) -> bytes:
    """Returns what is kept of a secret: random secrets of 256 bits need no slow hash."""
    return hashlib.sha256(secret.encode()).digest()


def shown_prefix(api_key: str) -> str:
    """Returns the part of a key that may be shown to tell keys apart."""
    return api_key[: len(API_KEY_PREFIX) + _SHOWN_CHARACTERS]


def is_weak_password(password: str, email: str) -> bool:
    """Returns whether a password is too short, too uniform, or contains the account's name."""
    lowered = password.lower()
    name = email.lower().partition("@")[0]
    return len(password) < MIN_PASSWORD_LENGTH or len(set(lowered)) < 5 or (len(name) > 3 and name in lowered)
