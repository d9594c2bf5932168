"""Who may call what: every caller, every service, every method, with and without a token, through the proxies of both."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pytest

from tests.support.deploy import SERVICES
from tests.support.deploy_mesh import HEALTH, accounts, is_wanted, methods
from tests.support.mesh import Answered, Call, Caller, Laboratory, Outcome, note, settles
from tests.support.mesh_tokens import GOOD
from tools.deploy.render import NAMESPACE

APIS = [name for name, row in SERVICES.items() if row["areas"]]
_INFER = "/inference.GRPCInferenceService/ModelInfer"
_EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_KEY = "/praxiscope.library.v1.AssetService/GetAsset"


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


def _judged(laboratory: Laboratory) -> Mapping[str, int]:
    """Returns how many calls the proxies of our services have let through and refused."""
    found = dict.fromkeys(("allowed", "denied"), 0)
    for service in (*APIS, "tracking-canary", "editing-twin", "rendering-far"):
        port = laboratory.mesh.pods[service].plan.ports["grpc"]
        for name, value in (
            laboratory.mesh.pods[service].statistics(rf"inbound_0\.0\.0\.0_{port};\.rbac\.(a|d)").items()
        ):
            found[name.rpartition(".")[2]] += value
    return found


def test_every_caller_may_call_what_its_code_calls_and_nothing_else(laboratory: Laboratory) -> None:
    assert settles(lambda: edge_problems(laboratory, ["gateway"])) == []
    before, started_s = _judged(laboratory), time.monotonic()
    assert edge_problems(laboratory) == []
    after, elapsed_s = _judged(laboratory), time.monotonic() - started_s
    tried = [edge for caller in laboratory.callers.values() for edge in edges(caller)]
    allowed = sum(edge.is_wanted for edge in tried)
    assert set(accounts()) <= set(laboratory.callers)
    # The proxies counted the same; what services themselves call meanwhile comes on top of what is allowed.
    assert after["denied"] - before["denied"] == len(tried) - allowed
    assert after["allowed"] - before["allowed"] >= allowed
    note("edges tried: callers, calls, let through", [len(laboratory.callers), len(tried), allowed])
    note("edges tried, s", round(elapsed_s, 1))


def _others() -> Iterator[tuple[str, str, str, bool]]:
    """Yields who calls the model server, the collector and the gateway, and whether it may."""
    mesh_accounts = [
        *accounts(),
        "triton",
        "otel-collector",
        "stranger-elsewhere-gateway",
        "stranger-praxiscope-migrate",
    ]
    for account in mesh_accounts:
        yield account, "triton:7491", _INFER, account == "vision-inference"
        yield account, "otel-collector:4317", _EXPORT, account in accounts() or account == "triton"
        for port in (SERVICES["gateway"]["port"], SERVICES["gateway"]["grpcPort"]):
            # The chart's own test of an installation asks the gateway as whoever brings schemas to their newest state.
            yield account, f"gateway:{port}", _KEY, account == "stranger-praxiscope-migrate"


def test_the_model_server_the_collector_and_the_gateway_are_reached_by_theirs_alone(laboratory: Laboratory) -> None:
    problems: list[str] = []
    for account, address, method, is_allowed in _others():
        host, port = address.split(":")
        outcome = laboratory.callers[account].one(Call(address=f"{host}.{NAMESPACE}:{port}", method=method))
        # What gets to the gateway's port for HTTP is no HTTP that it knows; that is its own answer.
        if (outcome.answered is Answered.POLICY) == is_allowed:
            problems.append(f"{account} to {address}: {outcome}")
    assert problems == []


def test_the_model_server_answers_inference_and_nothing_else(laboratory: Laboratory) -> None:
    call = Call(address="triton:7491", method="/inference.Elsewhere/ModelInfer")
    assert laboratory.callers["vision-inference"].one(call).answered is Answered.POLICY


@pytest.mark.parametrize(
    "method", ["/praxiscope.auth.v1.TokenService/GetKeySet/", "/praxiscope.auth.v1.TokenService/getkeyset", "/"]
)
def test_a_method_is_written_as_it_is_and_not_otherwise(laboratory: Laboratory, method: str) -> None:
    assert laboratory.callers["library"].one(Call(address="auth:7410", method=method)).answered is Answered.POLICY
