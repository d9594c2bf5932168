"""Opaque page tokens: where a list goes on, bound to the question that was asked."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Sequence
from datetime import datetime

from praxiscope_common.errors import FieldViolation, InvalidInputError

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 1000
_DIGEST_LENGTH = 12
_ID = re.compile(r"[a-z0-9-]{1,64}")
_NUMBER = re.compile(r"[0-9]{1,9}")
Form = Sequence[Callable[[str], bool]]


def _is_time(part: str) -> bool:
    try:
        return datetime.fromisoformat(part).tzinfo is not None
    except ValueError:
        return False


def _is_id(part: str) -> bool:
    return _ID.fullmatch(part) is not None


def _is_number(part: str) -> bool:
    return _NUMBER.fullmatch(part) is not None


# What positions look like: most lists go by time and id, those of versions by number.
TIME_AND_ID: Form = (_is_time, _is_id)
NUMBER: Form = (_is_number,)


class InvalidPageSizeError(InvalidInputError):
    """A page cannot have fewer than no rows."""

    reason = "INVALID_REQUEST"


class InvalidPageTokenError(InvalidInputError):
    """The page token does not belong to this list; start again without one."""

    reason = "INVALID_PAGE_TOKEN"


def page_size_of(requested: int) -> int:
    """Returns how many rows a page has when `requested` were asked for; 0 means the default.

    Raises:
        InvalidPageSizeError: If it is negative, where no contract of ours has refused that before.
    """
    if requested < 0:
        raise InvalidPageSizeError(
            field_violations=[FieldViolation(field="page_size", description="Expected 0 or more.")]
        )
    return min(requested or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)


def encode_page_token(position: Sequence[str], question: str) -> str:
    """Returns the token for the page behind `position`.

    Args:
        position: The sort key of the last row that was shown.
        question: Everything that must be the same on the next page: the list's parent, filter and order.
    """
    body = json.dumps({"p": list(position), "q": _digest(question)}, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(body).decode("ascii").rstrip("=")


def decode_page_token(token: str, question: str, form: Form = TIME_AND_ID) -> tuple[str, ...] | None:
    """Returns the position that a token holds; None for the empty token.

    Args:
        token: What the caller sent; anybody can make one, so nothing in it is believed.
        question: As for `encode_page_token`.
        form: What each part of the position must look like.

    Raises:
        InvalidPageTokenError: If the token is broken or belongs to another question.
    """
    if not token:
        return None
    try:
        body = json.loads(base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True))
        position, digest = body["p"], body["q"]
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidPageTokenError(field_violations=[_VIOLATION]) from error
    if digest != _digest(question) or not _has_form(position, form):
        raise InvalidPageTokenError(field_violations=[_VIOLATION])
    return tuple(position)


def _has_form(position: object, form: Form) -> bool:
    if not isinstance(position, list) or len(position) != len(form):
        return False
    return all(isinstance(part, str) and check(part) for part, check in zip(position, form, strict=True))


_VIOLATION = FieldViolation(field="page_token", description="Expected the next_page_token of the same list.")


def _digest(question: str) -> str:
    return hashlib.sha256(question.encode()).hexdigest()[:_DIGEST_LENGTH]
