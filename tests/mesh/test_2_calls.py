"""Who may call what: every caller, every service, every method, with and without a token, through the proxies of both."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

import pytest

from tests.support.deploy import SERVICES
from tests.support.deploy_mesh import accounts
from tests.support.mesh import Answered, Call, Laboratory, note, settles
from tests.support.mesh_checks import APIS, EXPORT, INFER, edge_problems, edges
from tools.deploy.render import NAMESPACE

_NOTHING = "/tests.Nobody/Nothing"


def _judged(laboratory: Laboratory) -> Mapping[str, int]:
    """Returns how many calls the proxies of our services have let through and refused."""
    found = dict.fromkeys(("allowed", "denied"), 0)
    for service in (*APIS, "tracking-canary", "library-canary", "editing-twin", "rendering-far"):
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
        yield account, "triton:7491", INFER, account == "vision-inference"
        yield account, "otel-collector:4317", EXPORT, account in accounts() or account == "triton"
        for port in (SERVICES["gateway"]["port"], SERVICES["gateway"]["grpcPort"]):
            # The chart's own test of an installation asks the gateway as whoever brings schemas to their newest state.
            yield account, f"gateway:{port}", _NOTHING, account == "stranger-praxiscope-migrate"


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
