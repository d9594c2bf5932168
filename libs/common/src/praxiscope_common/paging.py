"""Opaque page tokens: where a list goes on, bound to the question that was asked."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence

from praxiscope_common.errors import FieldViolation, InvalidInputError

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 1000
_DIGEST_LENGTH = 12


class InvalidPageTokenError(InvalidInputError):
    """The page token does not belong to this list; start again without one."""

    reason = "INVALID_PAGE_TOKEN"


def page_size_of(requested: int) -> int:
    """Returns how many rows a page has when `requested` were asked for; 0 means the default."""
    return min(requested or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)


def encode_page_token(position: Sequence[str], question: str) -> str:
    """Returns the token for the page behind `position`.

    Args:
        position: The sort key of the last row that was shown.
        question: Everything that must be the same on the next page: the list's parent, filter and order.
    """
    body = json.dumps({"p": list(position), "q": _digest(question)}, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(body).decode("ascii").rstrip("=")


def decode_page_token(token: str, question: str) -> tuple[str, ...] | None:
    """Returns the position that a token holds; None for the empty token.

    Raises:
        InvalidPageTokenError: If the token is broken or belongs to another question.
    """
    if not token:
        return None
    try:
        body = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        position, digest = tuple(body["p"]), body["q"]
    except (ValueError, KeyError, TypeError, binascii.Error) as error:
        raise InvalidPageTokenError(field_violations=[_VIOLATION]) from error
    if digest != _digest(question) or not all(isinstance(part, str) for part in position):
        raise InvalidPageTokenError(field_violations=[_VIOLATION])
    return position


_VIOLATION = FieldViolation(field="page_token", description="Expected the next_page_token of the same list.")


def _digest(question: str) -> str:
    return hashlib.sha256(question.encode()).hexdigest()[:_DIGEST_LENGTH]
