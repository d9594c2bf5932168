"""Who may call which method, from the contracts and the clients in the code, as the chart reads it (`files/calls.yaml`).

    protos                                  every method: does it want a token, does it stream, does it wait
    praxiscope_common.service_calls         what each service's code calls
    the chart's table of services           which service answers which area

Nothing of it is written by hand; `make manifests` writes it anew and a test compares.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from google.longrunning import operations_pb2
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor

import praxiscope
from praxiscope_common.access import PUBLIC, access_of
from praxiscope_common.service_calls import CALLS, IDENTITY_CALLS

# Over gRPC the library also answers the standard clients of long work (docs/operations.md).
FOREIGN_AREA = "library"
HEALTH = "/grpc.health.v1.Health/Check"
HEADER = """# Written by `make manifests` from protos/ and praxiscope_common.service_calls; change those, not this.
"""


def call_graph() -> dict[str, Any]:
    """Returns the methods of each area, what each service calls, and what all call to know callers."""
    return {
        "methods": {area: [_entry(method) for method in methods] for area, methods in _methods().items()},
        "calls": {service.replace("_", "-"): sorted(calls) for service, calls in sorted(CALLS.items())},
        "identity": sorted(IDENTITY_CALLS),
        "health": HEALTH,
    }


def _methods() -> Mapping[str, Sequence[MethodDescriptor]]:
    areas = sorted({folder.parent.name for root in praxiscope.__path__ for folder in Path(root).glob("*/v1")})
    found: dict[str, list[MethodDescriptor]] = {}
    for area in areas:
        services = [*_services(area), *([_OPERATIONS] if area == FOREIGN_AREA else [])]
        if services:
            found[area] = [method for service in services for method in service.methods]
    return found


_OPERATIONS: ServiceDescriptor = operations_pb2.DESCRIPTOR.services_by_name["Operations"]


def _services(area: str) -> Sequence[ServiceDescriptor]:
    package = importlib.import_module(f"praxiscope.{area}.v1")
    found: dict[str, ServiceDescriptor] = {}
    for module in pkgutil.iter_modules(package.__path__):
        if module.name.endswith("_pb2"):
            file = importlib.import_module(f"{package.__name__}.{module.name}").DESCRIPTOR
            found |= {service.full_name: service for service in file.services_by_name.values()}
    return [found[name] for name in sorted(found)]


def _entry(method: MethodDescriptor) -> dict[str, str]:
    path = f"/{method.containing_service.full_name}/{method.name}"
    kind = "stream" if method.client_streaming or method.server_streaming else "unary"
    if kind == "unary" and method.name.startswith("Wait"):
        kind = "wait"
    return {"path": path, "access": "public" if access_of(path).permission == PUBLIC else "token", "kind": kind}
