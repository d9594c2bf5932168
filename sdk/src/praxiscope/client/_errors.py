"""What the client raises.

PraxiscopeError      the platform answered with an error; `reason` says which
└── TransportError   the platform did not answer
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# HTTP statuses of answers that are not google.rpc.Status, as from a proxy in between.
_REASONS = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    413: "TOO_LARGE",
    429: "RESOURCE_EXHAUSTED",
}


class PraxiscopeError(Exception):
    """The platform answered with an error.

    Attributes:
        reason: Which error, as in `RESOURCE_NOT_FOUND`.
        message: What happened and what to do.
        metadata: Every value that the message mentions.
        violations: Wrong fields of the request: path and description.
        retry_after_s: Seconds after which the same call may work; None where it will not.
        request_id: Names the call in the platform's logs.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: str,
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[tuple[str, str]] = (),
        retry_after_s: float | None = None,
        request_id: str = "",
    ) -> None:
        """Keeps what the platform said."""
        self.message, self.reason = message, reason
        self.metadata = dict(metadata or {})
        self.violations = tuple(violations)
        self.retry_after_s, self.request_id = retry_after_s, request_id
        super().__init__(f"{message} [{reason}]")


class TransportError(PraxiscopeError):
    """The platform did not answer."""


def error_from_status(status: Mapping[str, Any], *, http_status: int = 0, request_id: str = "") -> PraxiscopeError:
    """Returns the error that a google.rpc.Status in JSON describes."""
    reason = _REASONS.get(http_status, "UNKNOWN")
    metadata: Mapping[str, str] = {}
    violations: list[tuple[str, str]] = []
    retry_after_s: float | None = None
    for detail in status.get("details") or ():
        kind = str(detail.get("@type", "")).rpartition("/")[2]
        if kind == "google.rpc.ErrorInfo":
            reason, metadata = detail.get("reason", reason), detail.get("metadata") or {}
        elif kind == "google.rpc.BadRequest":
            found = detail.get("fieldViolations") or detail.get("field_violations") or ()
            violations += [(item.get("field", ""), item.get("description", "")) for item in found]
        elif kind == "google.rpc.RetryInfo":
            delay = str(detail.get("retryDelay") or detail.get("retry_delay") or "0s")
            retry_after_s = float(delay.rstrip("s"))
    return PraxiscopeError(
        str(status.get("message") or "The platform answered with an error."),
        reason=reason,
        metadata=metadata,
        violations=violations,
        retry_after_s=retry_after_s,
        request_id=request_id,
    )
