"""The mesh as tests use it: who calls whom with what, what came of it, and who gave that answer."""

from __future__ import annotations

import enum
import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.support.cluster import record
from tools.deploy.render import Manifest
from tools.devstack.settings import CHECKOUT, inherited_environment
from tools.mesh.mesh import Mesh
from tools.mesh.pods import Pod
from tools.mesh.settings import FOLDER

CONTROL_PORT = 9900  # of a stand-in, on its pod's loopback
HOST = "praxiscope.example"
# The chart's own timeouts take half a minute; what is looked at is whether they end what they should.
UNARY_TIMEOUT_S, WAIT_TIMEOUT_S = 5, 8
MAX_REQUESTS = 64
# Pods whose certificates are changed all the time, while everything else is tried.
SHORT_CERTIFICATES, SHORT_CERTIFICATE_S = ("gateway", "library"), 30
_NOTES = FOLDER / "proof.json"
_TIMEOUT_S = 20.0
_SETTLE_S = 10.0


class Answered(enum.Enum):
    """Who answered a call."""

    SERVICE = "the service"
    POLICY = "the proxy, by an AuthorizationPolicy"
    AUTHENTICATION = "the proxy, by a RequestAuthentication"
    NOBODY = "nobody"


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call to be made.

    Attributes:
        address: `host:port`, as our services write it.
        method: The method, as gRPC writes it.
        metadata: What goes along.
        timeout_s: The caller's own time.
    """

    address: str
    method: str
    metadata: tuple[tuple[str, str], ...] = ()
    timeout_s: float = _TIMEOUT_S


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a call.

    Attributes:
        code: The status' name.
        message: Its message.
        has_details: Whether it carries what our services say about every error, and no proxy does.
        headers: Some headers of the answer.
        messages: How many messages came.
        elapsed_s: How long it took.
    """

    code: str
    message: str
    has_details: bool
    headers: Mapping[str, str]
    messages: int
    elapsed_s: float

    @property
    def stand_in(self) -> str:
        """The name of the stand-in that answered; empty where it was none."""
        return self.headers["x-stand-in"]

    @property
    def answered(self) -> Answered:
        """Who answered: our services put details into every error, and gRPC itself says which methods there are not."""
        if self.has_details or self.stand_in or self.code in {"OK", "UNIMPLEMENTED"}:
            return Answered.SERVICE
        if (self.code, self.message) == ("PERMISSION_DENIED", "RBAC: access denied"):
            return Answered.POLICY
        if (
            self.message.startswith(("Jwt ", "Audiences in Jwt"))
            or self.message == "Jwks doesn't have key to match kid or alg from Jwt"
        ):
            return Answered.AUTHENTICATION
        return Answered.NOBODY


class Caller:
    """A program in a pod that calls as the pod's own program would."""

    def __init__(self, pod: Pod) -> None:
        """Starts it when it is first needed."""
        self.pod = pod
        self._process: Any = None

    def make(self, calls: Iterable[Call], *, at_once: int = 16) -> list[Outcome]:
        """Makes calls, some at a time, and returns what came of each."""
        if self._process is None:
            environment = {**inherited_environment(), "PYTHONPATH": str(CHECKOUT)}
            self._process = self.pod.talk([sys.executable, "-m", "tests.support.mesh_caller"], environment)
        wanted = [(call.address, call.method, call.metadata, call.timeout_s) for call in calls]
        self._process.stdin.write(json.dumps({"calls": wanted, "at_once": at_once}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the caller in {self.pod.plan.name} has ended"
        return [Outcome(**outcome) for outcome in json.loads(line)]

    def close(self) -> None:
        """Ends it."""
        if self._process is not None:
            self._process.stdin.close()
            self._process.wait()
            self._process.stdout.close()

    def one(self, call: Call) -> Outcome:
        """Makes one call."""
        return self.make([call])[0]


@dataclass(kw_only=True)
class Laboratory:
    """A mesh with our services in it.

    Attributes:
        mesh: The mesh.
        manifests: The chart's objects.
        callers: A caller in each pod, by its name.
        tokens: Tokens, by what is right or wrong with them.
        processes: The process of each of our services, by its pod.
    """

    mesh: Mesh
    manifests: Sequence[Manifest]
    callers: Mapping[str, Caller]
    tokens: Mapping[str, str]
    processes: dict[str, int]

    def counts(self, pod: str) -> Mapping[str, int]:
        """Returns how many calls of each method a stand-in has got."""
        return json.loads(self.mesh.pods[pod].ask("/counts", port=CONTROL_PORT))

    def tell(self, pod: str, what: str) -> None:
        """Tells a stand-in to be `down` or `up`."""
        self.mesh.pods[pod].ask(f"/{what}", port=CONTROL_PORT, method="POST")


def note(name: str, value: object) -> None:
    """Writes down a measurement, for docs/kubernetes-proof.md, and prints it."""
    record(_NOTES, name, value)


def settles(problems: Callable[[], Sequence[str]], timeout_s: float = _SETTLE_S) -> Sequence[str]:
    """Asks until nothing is wrong any more, and returns what still is.

    A changed policy takes a moment, and each kept connection has one more call judged by the old one.
    """
    deadline_s = time.monotonic() + timeout_s
    while found := problems():
        if time.monotonic() > deadline_s:
            return found
        time.sleep(0.1)
    return found
