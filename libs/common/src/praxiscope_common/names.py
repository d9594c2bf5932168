"""Resource names and ids: the only place where they are made, taken apart and checked."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets

from praxiscope_common.errors import FieldViolation, InvalidInputError

_ID_BYTES = 16  # 128 random bits: ids are not to be guessed, and need no coordination
_PROJECT_OF = re.compile(r"projects/(?P<project>[a-z0-9-]{3,40})(?:/|\Z)")


class InvalidNameError(InvalidInputError):
    """A resource name does not have its form."""

    reason = "INVALID_NAME"


def new_id() -> str:
    """Returns a new id: 128 random bits as 26 lower-case base32 letters."""
    return base64.b32encode(secrets.token_bytes(_ID_BYTES)).decode("ascii").rstrip("=").lower()


def project_of(name: str) -> str | None:
    """Returns the project id in a resource name, or None where there is none."""
    match = _PROJECT_OF.match(name)
    return match["project"] if match else None


class ResourceName:
    """The form of one kind of resource name, as in `projects/{project}/assets/{asset}`.

    Args:
        pattern: The form; every `{word}` stands for one segment.
    """

    def __init__(self, pattern: str) -> None:
        """Compiles the form."""
        self.pattern = pattern
        self._fields = tuple(re.findall(r"{(\w+)}", pattern))
        self._regex = re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[a-z0-9-]{1,64})", pattern))

    def format(self, *segments: str) -> str:
        """Returns the name whose segments are `segments`, in the order of the form."""
        if len(segments) != len(self._fields):
            raise ValueError(f"{self.pattern} takes {len(self._fields)} segments, not {len(segments)}")
        return self.pattern.format(**dict(zip(self._fields, segments, strict=True)))

    def parse(self, name: str) -> tuple[str, ...]:
        """Returns the name's segments in the order of the form.

        Raises:
            InvalidNameError: If `name` does not have the form.
        """
        match = self._regex.fullmatch(name)
        if match is None:
            raise InvalidNameError(
                f"{name!r} is not a name of the form {self.pattern}.",
                metadata={"name": name, "pattern": self.pattern},
                field_violations=[FieldViolation(field="name", description=f"Expected {self.pattern}.")],
            )
        return tuple(match[field] for field in self._fields)

    def matches(self, name: str) -> bool:
        """Returns whether `name` has the form."""
        return self._regex.fullmatch(name) is not None


PROJECT = ResourceName("projects/{project}")
ASSET = ResourceName("projects/{project}/assets/{asset}")
ASSET_VERSION = ResourceName("projects/{project}/assets/{asset}/versions/{version}")
UPLOAD = ResourceName("projects/{project}/uploads/{upload}")
EDIT_STACK = ResourceName("projects/{project}/editStacks/{edit_stack}")
OPERATION = ResourceName("projects/{project}/operations/{operation}")
USER = ResourceName("users/{user}")
MEMBER = ResourceName("projects/{project}/members/{user}")
API_KEY = ResourceName("projects/{project}/apiKeys/{key}")
AUDIT_EVENT = ResourceName("projects/{project}/auditEvents/{event}")
ROLE = ResourceName("roles/{role}")


def id_from(text: str) -> str:
    """Returns the id that belongs to a text: the same for the same text, and not to be guessed without it."""
    return base64.b32encode(hashlib.sha256(text.encode()).digest()[:_ID_BYTES]).decode("ascii").rstrip("=").lower()
