"""What is right about the mesh, as questions that answer with what is wrong: tests expect nothing, and the control expects something of a wrong policy."""

from __future__ import annotations

import collections
import math
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.deploy import SERVICES, VALUES
from tests.support.deploy_mesh import HEALTH, accounts, is_wanted, methods
from tests.support.mesh import UNARY_TIMEOUT_S, Answered, Call, Caller, Laboratory, Outcome, settles
from tests.support.mesh_tokens import GOOD
from tools.deploy.render import NAMESPACE
from tools.mesh.pods import Pod
from tools.mesh.services import DATABASE_PORT
from tools.mesh.settings import MAIN_ADDRESS

APIS = [name for name, row in SERVICES.items() if row["areas"]]
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"
_UNDECLARED_PORT = 9999
Address = tuple[str, int]


def listening(laboratory: Laboratory) -> Iterator[Address]:
    """Yields what our services listen on, and a port that nobody speaks of."""
    for name, row in SERVICES.items():
        address = laboratory.mesh.pods[name].plan.address
        yield address, row["port"]
        yield address, _UNDECLARED_PORT
    yield laboratory.mesh.pods["gateway"].plan.address, SERVICES["gateway"]["grpcPort"]


def said_in_plain(address: Address, data: bytes = _PREFACE) -> bytes:
    """Returns what is answered to something unencrypted; nothing where the connection is cut."""
    try:
        with socket.create_connection(address, timeout=5) as connection:
            connection.sendall(data)
            return connection.recv(64)
    except ConnectionError:
        return b""


def said_over_tls(address: Address, certificate: tuple[Path, Path] | None) -> bytes:
    """Returns what is answered to who shows a certificate and its key, or none; nothing where the connection is cut."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # it is not the server that is in question
    context.set_alpn_protocols(["istio", "h2"])
    if certificate is not None:
        context.load_cert_chain(*certificate)
    try:
        with socket.create_connection(address, timeout=5) as raw, context.wrap_socket(raw) as connection:
            connection.sendall(_PREFACE)
            return connection.recv(64)
    except (ConnectionError, ssl.SSLError):
        return b""


def own_certificate(pod: Pod) -> tuple[Path, Path]:
    """Returns the certificate and the key that a pod's proxy shows."""
    folder = pod.folder / "certificates"
    return folder / "cert-chain.pem", folder / "key.pem"


def plaintext_problems(laboratory: Laboratory) -> list[str]:
    """Returns where something unencrypted is answered."""
    return [f"{address} answers in plain" for address in listening(laboratory) if said_in_plain(address)]


@dataclass(frozen=True, kw_only=True)
class Edge:
    """A call that somebody might make.

    Attributes:
        account: Whose identity it is made with; empty for one of another namespace.
        service: Whom it is made to.
        method: What is called.
        has_token: Whether a token of ours goes along.
    """

    account: str
    service: str
    method: str
    has_token: bool

    @property
    def is_wanted(self) -> bool:
        """Whether the code makes such a call, from the contracts and the clients alone."""
        if self.account not in accounts():
            return False
        is_own = self.method == HEALTH or methods()[self.method][0] == self.service
        return is_own and is_wanted(self.account, self.method, self.has_token)


def edges(caller: Caller) -> list[Edge]:
    """Returns every call that a caller might make to one of our services."""
    plan = caller.pod.plan
    account = plan.account if plan.namespace == NAMESPACE else ""
    return [
        Edge(account=account, service=service, method=method, has_token=has_token)
        for service in APIS
        for method in (*methods(), HEALTH)
        for has_token in (False, True)
    ]


def call_of(edge: Edge, token: str) -> Call:
    """Returns an edge as it is called: by the service's whole name, which is known in every namespace."""
    metadata = (("authorization", f"Bearer {token}"),) if edge.has_token else ()
    address = f"{edge.service}.{NAMESPACE}:{SERVICES[edge.service]['port']}"
    return Call(address=address, method=edge.method, metadata=metadata)


def make(caller: Caller, calls: Sequence[Call]) -> list[Outcome]:
    """Makes calls; one that nobody answers, since this machine is busy, is made once more."""
    found = caller.make(calls)
    lost = [index for index, outcome in enumerate(found) if outcome.answered is Answered.NOBODY]
    for index, outcome in zip(lost, caller.make([calls[index] for index in lost], at_once=2), strict=True):
        found[index] = outcome
    return found


def edge_problems(laboratory: Laboratory, chosen: Sequence[str] | None = None) -> list[str]:
    """Returns what is let through and should not be, or the other way round.

    Args:
        laboratory: The mesh.
        chosen: The pods that call; all of them where nothing is said.
    """
    problems: list[str] = []
    for name in laboratory.callers if chosen is None else chosen:
        wanted = edges(laboratory.callers[name])
        outcomes = make(laboratory.callers[name], [call_of(edge, laboratory.tokens[GOOD]) for edge in wanted])
        for edge, outcome in zip(wanted, outcomes, strict=True):
            if outcome.answered is not (Answered.SERVICE if edge.is_wanted else Answered.POLICY):
                problems.append(f"{edge}: {outcome.code} {outcome.message!r} from {outcome.answered.value}")
    return problems


# One method of each service that wants a token.
METHODS = {
    "auth:7410": "/praxiscope.auth.v1.ProjectService/ListProjects",
    "library:7420": "/praxiscope.library.v1.AssetService/GetAsset",
    "vision-inference:7430": "/praxiscope.vision.v1.VisionService/ListModels",
    "biomechanics:7450": "/praxiscope.biomechanics.v1.MotionService/GetMotion",
}
PUBLIC = "/praxiscope.auth.v1.TokenService/GetKeySet"
WRONG = ("broken", "signed by another", "expired", "for another audience", "of another issuer")


def token_problems(laboratory: Laboratory) -> list[str]:
    """Returns which tokens, or the lack of one, were judged otherwise than they should be."""
    problems: list[str] = []
    expected = {"": Answered.POLICY, GOOD: Answered.SERVICE, **dict.fromkeys(WRONG, Answered.AUTHENTICATION)}
    for address, method in METHODS.items():
        for name, answered in expected.items():
            metadata = (("authorization", f"Bearer {laboratory.tokens[name]}"),) if name else ()
            outcome = laboratory.callers["gateway"].one(Call(address=address, method=method, metadata=metadata))
            if outcome.answered is not answered:
                problems.append(f"{address} with {name or 'no token'}: {outcome}")
    return problems


STREAM = "/praxiscope.tracking.v1.TrackingService/Track"
UNARY = "/praxiscope.tracking.v1.TrackingService/TrackDetections"
INFER = "/inference.GRPCInferenceService/ModelInfer"
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
# Who calls which stand-in, and how.
_FAILING = (
    ("gateway", "tracking-canary", "tracking:7440", STREAM),
    ("gateway", "tracking-canary", "tracking:7440", UNARY),
    ("vision-inference", "triton", "triton:7491", INFER),
    ("triton", "otel-collector", "otel-collector:4317", "/tests.Nobody/Export"),  # all others really send traces
)
WAIT = "/praxiscope.library.v1.OperationService/WaitOperation"
_EDIT = "/praxiscope.editing.v1.EditService/GetEditStack"
STILL = "/praxiscope.rendering.v1.RenderingService/RenderStill"
_CANARY_SHARE = 0.1
CALL_COUNT = 2000
_EJECTION_AFTER = 5  # failures in a row, as the chart says
EJECTION_S = 15.0
_MERGE_WINDOW_S = 1.2  # changes of a pod's health that follow each other within a second reach Envoy's workers together
_BACK_WITHIN_S = 120.0  # who fails again stays away longer
STORE_PORT, CLOSED_PORT = 9000, 9001


def call(laboratory: Laboratory, address: str, method: str, *, to_canary: bool = False, wish: str = "") -> Call:
    """Returns a call with a good token that says to a stand-in what it shall do."""
    metadata = [("authorization", f"Bearer {laboratory.tokens[GOOD]}")]
    if to_canary:
        metadata.append((VALUES["mesh"]["variantHeader"], "canary"))
    if wish:
        metadata.append(("x-do", wish))
    return Call(address=address, method=method, metadata=tuple(metadata))


def track(laboratory: Laboratory, method: str, *, to_canary: bool = False, wish: str = "") -> Call:
    """Returns such a call to tracking, which has a stand-in for a canary."""
    return call(laboratory, "tracking:7440", method, to_canary=to_canary, wish=wish)


def split_problems(laboratory: Laboratory) -> list[str]:
    """Returns what is wrong with the share of calls that the canary gets: more than three standard deviations off."""
    outcomes = laboratory.callers["gateway"].make([track(laboratory, UNARY)] * CALL_COUNT)
    counts = collections.Counter(
        outcome.stand_in or ("stable" if outcome.answered is Answered.SERVICE else "nobody") for outcome in outcomes
    )
    expected = CALL_COUNT * _CANARY_SHARE
    allowed = 3 * math.sqrt(CALL_COUNT * _CANARY_SHARE * (1 - _CANARY_SHARE))
    is_right = counts["nobody"] == 0 and abs(counts["tracking-canary"] - expected) <= allowed
    return [] if is_right else [f"{dict(counts)}, expected {expected:.0f} ± {allowed:.0f} on the canary"]


def variant_problems(laboratory: Laboratory) -> list[str]:
    """Returns which calls that ask for the canary do not get it."""
    outcomes = laboratory.callers["gateway"].make(
        [track(laboratory, method, to_canary=True) for method in (STREAM, UNARY)] * 50
    )
    missed = sum(outcome.stand_in != "tracking-canary" for outcome in outcomes)
    return [f"{missed} of {len(outcomes)} did not get the canary"] if missed else []


def repeat_problems(laboratory: Laboratory) -> list[str]:
    """Returns which failed calls were made more than once."""
    problems: list[str] = []
    for caller, stand_in, address, method in _FAILING:
        for wish in ("unavailable", "internal"):
            before = laboratory.counts(stand_in).get(method, 0)
            wanted = call(laboratory, address, method, to_canary=True, wish=wish)
            laboratory.callers[caller].one(wanted)
            tries = laboratory.counts(stand_in)[method] - before
            if tries != 1:
                problems.append(f"{address}{method} answered {wish} was tried {tries} times")
    return problems


def timeout_problems(laboratory: Laboratory) -> list[str]:
    """Returns which unary call was not ended at its time."""
    outcome = laboratory.callers["gateway"].one(
        track(laboratory, UNARY, to_canary=True, wish=f"sleep={UNARY_TIMEOUT_S + 2}")
    )
    is_right = outcome.code in {"UNAVAILABLE", "DEADLINE_EXCEEDED"} and (
        UNARY_TIMEOUT_S - 0.2 <= outcome.elapsed_s <= UNARY_TIMEOUT_S + 1
    )
    return [] if is_right else [f"{outcome}, expected an end after {UNARY_TIMEOUT_S} s"]


def edit(laboratory: Laboratory, count: int) -> Sequence[Outcome]:
    """Calls editing, for which a stand-in answers too, one call after another."""
    return laboratory.callers["gateway"].make([call(laboratory, "editing:7470", _EDIT)] * count, at_once=1)


def twin_problems(laboratory: Laboratory) -> list[str]:
    """Returns whether less than two pods answer for editing."""
    names = {outcome.stand_in for outcome in edit(laboratory, 20)}
    return [] if names == {"", "editing-twin"} else [f"only {names} answer"]


def outlier_problems(laboratory: Laboratory) -> list[str]:
    """Returns what is wrong with how a pod that fails is left alone; first it has to be there."""
    if absent := settles(lambda: twin_problems(laboratory), _BACK_WITHIN_S):
        return list(absent)
    time.sleep(_MERGE_WINDOW_S)
    laboratory.tell("editing-twin", "down")
    try:
        outcomes = edit(laboratory, 60)
    finally:
        laboratory.tell("editing-twin", "up")
    failed = sum(outcome.code == "UNAVAILABLE" for outcome in outcomes)
    return [] if failed == _EJECTION_AFTER else [f"{failed} calls failed, expected {_EJECTION_AFTER}"]


def asked(laboratory: Laboratory, pod: str, port: int, host: str) -> bytes:
    """Returns what is answered outside the mesh to a pod that asks for a host; nothing where the connection is cut."""
    try:
        with laboratory.mesh.pods[pod].connect((MAIN_ADDRESS, port)) as connection:
            connection.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            said = b""
            while chunk := connection.recv(1000):
                said += chunk
            return said
    except ConnectionError:
        return b""


def egress_problems(laboratory: Laboratory) -> list[str]:
    """Returns which way out is open and should not be, or the other way round."""
    problems: list[str] = []
    for pod in ("library", "gateway", "tracking-work"):
        if not asked(laboratory, pod, STORE_PORT, f"store.outside.example:{STORE_PORT}").endswith(b"outside"):
            problems.append(f"{pod} does not reach the store")
        for port, host in ((STORE_PORT, "elsewhere.example"), (CLOSED_PORT, "store.outside.example")):
            if b"outside" in asked(laboratory, pod, port, host):
                problems.append(f"{pod} reaches {host} on {port}")
        with laboratory.mesh.pods[pod].connect((MAIN_ADDRESS, DATABASE_PORT)) as connection:
            connection.sendall(b"\x00\x00\x00\x08\x04\xd2\x16\x2f")  # asks PostgreSQL whether it speaks TLS
            if connection.recv(1) not in {b"N", b"S"}:
                problems.append(f"{pod} does not reach the database")
    return problems
