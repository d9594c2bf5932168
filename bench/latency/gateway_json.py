"""What HTTP/JSON through the gateway costs over a direct gRPC call, and beside Envoy's transcoder: GetAsset, in turns."""

from __future__ import annotations

import http.client
import statistics
import time
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

import grpc

from bench import stack
from bench.figure import Figure
from bench.latency import envoy
from praxiscope.client import Client
from praxiscope.library.v1 import asset_pb2, asset_service_pb2

_CALLS = 400
_WARM_UP = 30
# One caller reads a hundred times a second at most; the gateway is asked once a turn.
_TURN_S = 1 / 90
_METHOD = "/praxiscope.library.v1.AssetService/GetAsset"
GOAL_MS = 1.5
GOAL_TO_ENVOY = 1.1


def measure() -> Sequence[Figure]:
    """Asks all in turns."""
    token = stack.access_token()
    with Client(stack.profile()) as client:
        asset = client.upload(stack.SAMPLE, display_name="latency").name
    address = stack.settings().address("library")
    with grpc.insecure_channel(address) as channel, envoy.transcoding(address) as transcoder:
        call = channel.unary_unary(
            _METHOD,
            request_serializer=asset_service_pb2.GetAssetRequest.SerializeToString,
            response_deserializer=asset_pb2.Asset.FromString,
        )
        request, metadata = asset_service_pb2.GetAssetRequest(name=asset), [("authorization", f"Bearer {token}")]
        ways: dict[str, Callable[[], object]] = {
            "gRPC": lambda: call(request, metadata=metadata, timeout=10),
            "gateway": _asker(urlsplit(stack.profile().url).netloc, asset, token),
        }
        if transcoder.address:
            ways["Envoy"] = _asker(transcoder.address, asset, token)
        times = _in_turns(ways)
    direct, gateway = times["gRPC"], times["gateway"]
    note = f"({gateway:.2f} and {direct:.2f} ms, {_CALLS} calls each, in turns)"
    figures = [
        Figure(
            name="JSON through the gateway over gRPC", value=gateway - direct, unit="ms p50", goal=GOAL_MS, note=note
        )
    ]
    if "Envoy" in times:
        ratio = gateway / times["Envoy"]
        note = f"({gateway:.2f} and {times['Envoy']:.2f} ms)"
        figures.append(
            Figure(name="the same to Envoy's transcoder", value=ratio, unit="times", goal=GOAL_TO_ENVOY, note=note)
        )
    else:
        print(f"  Envoy's transcoder: not run, {transcoder.problem}")
    return figures


def _asker(address: str, asset: str, token: str) -> Callable[[], object]:
    """Returns what reads the asset over one connection that is kept."""
    connection = http.client.HTTPConnection(address, timeout=10)
    headers = {"authorization": f"Bearer {token}", "accept": "application/json"}

    def ask() -> bytes:
        connection.request("GET", f"/v1/{asset}", headers=headers)
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{address} answered {answer.status}: {content[:200]!r}")
        return content

    return ask


def _in_turns(ways: dict[str, Callable[[], object]]) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in ways}
    names = list(ways)
    for i_turn in range(_CALLS + _WARM_UP):
        began = time.perf_counter()
        # Whoever is first after the pause pays for waking up, so each is first as often as the others.
        first = i_turn % len(names)
        for name in names[first:] + names[:first]:
            start = time.perf_counter()
            ways[name]()
            times[name].append(1e3 * (time.perf_counter() - start))
        time.sleep(max(0.0, _TURN_S - (time.perf_counter() - began)))
    return {name: statistics.median(taken[_WARM_UP:]) for name, taken in times.items()}
