"""What Istio would do with a call, worked out from the rendered objects: is it let in, and which way does it go."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from praxiscope_common.service_calls import CALLS, IDENTITY_CALLS
from tests.support import contracts
from tests.support.deploy import SERVICES, matches
from tools.deploy.render import NAMESPACE, Manifest, of_kind

HEALTH = "/grpc.health.v1.Health/Check"
_OPERATIONS = "google.longrunning.Operations"


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call as a proxy sees it.

    Attributes:
        principal: The caller's identity.
        method: The method, as gRPC writes it.
        has_token: Whether it carries one of our tokens.
        port: The port it comes to.
        headers: Its headers.
    """

    principal: str
    method: str
    has_token: bool
    port: int = 0
    headers: tuple[tuple[str, str], ...] = ()


def principal(account: str) -> str:
    """Returns the identity of one of our accounts."""
    return f"cluster.local/ns/{NAMESPACE}/sa/{account}"


@cache
def methods() -> dict[str, tuple[str, bool]]:
    """Returns each method's service, and whether the contract wants a token for it."""
    owners = {area: service for service, row in SERVICES.items() for area in row["areas"]}
    found = {
        f"/{method.containing_service.full_name}/{method.name}": (
            owners[method.containing_service.full_name.split(".")[1]],
            contracts.access(method).permission != "public",
        )
        for method in contracts.methods()
    }
    return found | {f"/{_OPERATIONS}/{method.name}": ("library", True) for method in contracts.FOREIGN_SERVICE.methods}


@cache
def accounts() -> dict[str, str]:
    """Returns whose identity each account is."""
    own = {service: service for service in SERVICES}
    return own | {f"{service}-work": service for service, row in SERVICES.items() if "work" in row}


def is_wanted(account: str, method: str, has_token: bool) -> bool:
    """Returns whether the code makes such a call, from the contracts and the clients alone."""
    service = accounts()[account]
    if service == "gateway":
        return method == HEALTH or has_token or not methods()[method][1]
    if method in IDENTITY_CALLS:
        return service != "auth"
    return has_token and method in CALLS[service.replace("-", "_")]


def is_let_in(manifests: Sequence[Manifest], labels: Mapping[str, str], call: Call) -> bool:
    """Returns whether a pod with these labels takes a call: once a policy speaks of it, only what one of them allows."""
    chosen = [
        policy["spec"]
        for policy in of_kind(manifests, "AuthorizationPolicy")
        if matches(policy["spec"].get("selector", {}), labels)
    ]
    assert all(spec.get("action", "ALLOW") == "ALLOW" for spec in chosen), "this reads policies that allow"
    return not chosen or any(_rule_takes(rule, call) for spec in chosen for rule in spec.get("rules", []))


def _rule_takes(rule: Mapping[str, Any], call: Call) -> bool:
    assert set(rule) <= {"from", "to"}, rule
    sources = [item["source"] for item in rule.get("from", [{"source": {}}])]
    operations = [item["operation"] for item in rule.get("to", [{"operation": {}}])]
    return any(_source_is(source, call) for source in sources) and any(_operation_is(item, call) for item in operations)


def _source_is(source: Mapping[str, Any], call: Call) -> bool:
    assert set(source) <= {"principals", "requestPrincipals"}, source
    principals, requests = source.get("principals"), source.get("requestPrincipals")
    is_known = principals is None or any(fnmatch.fnmatchcase(call.principal, item) for item in principals)
    user = "praxiscope-auth/users/u" if call.has_token else ""
    return is_known and (requests is None or any(user and fnmatch.fnmatchcase(user, item) for item in requests))


def _operation_is(operation: Mapping[str, Any], call: Call) -> bool:
    assert set(operation) <= {"methods", "paths", "ports"}, operation
    paths, ports = operation.get("paths"), operation.get("ports")
    return (
        "POST" in operation.get("methods", ["POST"])
        and (paths is None or any(fnmatch.fnmatchcase(call.method, item) for item in paths))
        and (ports is None or str(call.port) in ports)
    )


def route_of(service: Manifest, method: str, headers: Mapping[str, str] | None = None) -> Mapping[str, Any]:
    """Returns the first route of a VirtualService that takes a call."""
    for route in service["spec"]["http"]:
        if any(_match_is(item, method, headers or {}) for item in route.get("match", [{}])):
            return route
    raise LookupError(method)


def _match_is(match: Mapping[str, Any], method: str, headers: Mapping[str, str]) -> bool:
    assert set(match) <= {"uri", "headers"}, match
    named = match.get("headers", {})
    return match.get("uri", {"exact": method}) == {"exact": method} and all(
        _text_is(rule, headers.get(name, "")) for name, rule in named.items()
    )


def _text_is(rule: Mapping[str, str], text: str) -> bool:
    ((kind, expected),) = rule.items()
    return text == expected if kind == "exact" else text.startswith(expected)
