"""Which service may call which method: what a token made for a service is good for.

The table says what each service's code calls, no less and no more (`tests/unit/common/test_service_calls.py` reads the
clients in the code and compares). It is enforced by every service when a token says who acts, and is what a mesh's
policy is made of. See docs/adr/0010-a-services-token-is-good-for-its-calls.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

_RESOLVE_MEDIA = "/praxiscope.library.v1.MediaService/ResolveMedia"
_CREATE_DERIVED_ASSET = "/praxiscope.library.v1.MediaService/CreateDerivedAsset"

CALLS: Mapping[str, frozenset[str]] = {
    "auth": frozenset(),
    "library": frozenset(),
    "vision_inference": frozenset({_RESOLVE_MEDIA}),
    "tracking": frozenset({_RESOLVE_MEDIA, _CREATE_DERIVED_ASSET}),
    "rendering": frozenset({_RESOLVE_MEDIA, _CREATE_DERIVED_ASSET}),
    "generation": frozenset({_RESOLVE_MEDIA, _CREATE_DERIVED_ASSET}),
    "editing": frozenset({_RESOLVE_MEDIA, _CREATE_DERIVED_ASSET}),
    "operator": frozenset(
        {
            "/praxiscope.vision.v1.ModelService/GetModelTraffic",
            "/praxiscope.vision.v1.ModelService/DeployModelVersion",
            "/praxiscope.vision.v1.ModelService/SetModelTraffic",
            "/praxiscope.vision.v1.ModelService/RollBackModel",
        }
    ),
    "biomechanics": frozenset(
        {
            _RESOLVE_MEDIA,
            _CREATE_DERIVED_ASSET,
            "/praxiscope.library.v1.OperationService/WatchOperation",
            "/praxiscope.vision.v1.VisionService/ObserveVideo",
            "/praxiscope.tracking.v1.TrackingService/Track",
            "/praxiscope.rendering.v1.RenderingService/RenderOverlay",
        }
    ),
}
"""What each service calls itself, as gRPC writes it."""

IDENTITY_CALLS = frozenset(
    {
        "/praxiscope.auth.v1.TokenService/GetKeySet",
        "/praxiscope.auth.v1.TokenService/ListRevocations",
        "/praxiscope.auth.v1.TokenService/ExchangeToken",
    }
)
"""What every service calls to know callers and to become one; these take no token."""

_SERVICE_OF_AREA: Mapping[str, str] = {
    "auth": "auth",
    "library": "library",
    "vision": "vision_inference",
    "tracking": "tracking",
    "rendering": "rendering",
    "generation": "generation",
    "editing": "editing",
    "biomechanics": "biomechanics",
}


@lru_cache(maxsize=64)
def calls_on_behalf(service: str) -> frozenset[str]:
    """Returns what a token made for a service is good for: its own calls, and what the services it calls pass it on to.

    Args:
        service: The service's name; one that is not in the table may call nothing.
    """
    reached: set[str] = set()
    waiting = list(CALLS.get(service, ()))
    while waiting:
        method = waiting.pop()
        if method not in reached:
            reached.add(method)
            waiting.extend(CALLS[_service_of(method)])
    return frozenset(reached)


def _service_of(method: str) -> str:
    """Returns the service that answers `/praxiscope.<area>.v1.Service/Method`."""
    return _SERVICE_OF_AREA[method.split(".")[1]]
