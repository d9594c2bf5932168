"""Who calls, what they may do, and where the call stands: known throughout one call, passed on with calls made during it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from praxiscope_common.errors import UnauthenticatedError

VARIANT_KEY = "x-praxiscope-variant"
"""What a mesh chooses one of two versions of a service by; it goes along with every call made on the way."""


@dataclass(frozen=True, kw_only=True)
class Caller:
    """A verified caller.

    Attributes:
        subject: `users/{user}`, `projects/{project}/apiKeys/{key}` or `services/{service}`.
        project: Id of the project the token is for; empty for tokens of no project.
        permissions: What the token allows.
        token: The token itself, to be passed on with calls made for this one.
        token_id: The token's own id.
        session: The session or key the token was made from.
        acting_service: The service that acts for the subject, or empty.
        operation: The operation the service works on, or empty.
        issued_at_s: When the token was issued, in seconds of Unix time.
    """

    subject: str
    project: str = ""
    permissions: frozenset[str] = field(default_factory=frozenset)
    token: str = field(default="", repr=False)
    token_id: str = ""
    session: str = ""
    acting_service: str = ""
    operation: str = ""
    issued_at_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class CallContext:
    """What a call carries besides its request.

    Attributes:
        request_id: Names the request in every log line and answer.
        caller: Who calls; None where no token was needed and none was sent.
        deadline_s: When the call's time is over, on the event loop's clock; None where there is no end.
        variant: Which of two versions of a service the caller wants; empty where that is left to the mesh.
    """

    request_id: str = ""
    caller: Caller | None = None
    deadline_s: float | None = None
    variant: str = ""


_current: ContextVar[CallContext] = ContextVar("praxiscope_call", default=CallContext())  # noqa: B039  the value is frozen


def current_call() -> CallContext:
    """Returns the call that is being served here, or an empty one."""
    return _current.get()


def current_caller() -> Caller:
    """Returns who calls.

    Raises:
        UnauthenticatedError: If nobody is known; the contract's permission should have asked.
    """
    caller = _current.get().caller
    if caller is None:
        raise UnauthenticatedError()
    return caller


@contextmanager
def call_context(call: CallContext) -> Iterator[None]:
    """Makes `call` the current one inside the block."""
    token = _current.set(call)
    try:
        yield
    finally:
        _current.reset(token)
