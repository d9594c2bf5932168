"""Receives traces as a collector would: OTLP over gRPC from the services and the gateway, OTLP over HTTP from the model server."""

import gzip
import json
import threading
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc


@dataclass(frozen=True)
class Span:
    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str


class TraceReceiver(trace_service_pb2_grpc.TraceServiceServicer):
    def __init__(self) -> None:
        self._spans: list[Span] = []
        self._received: list[str] = []
        self._lock = threading.Lock()
        self._server = grpc.server(ThreadPoolExecutor(4))
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(self, self._server)
        self.grpc_address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                receiver._take_http(body, self.headers.get("content-type", ""))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http_url = f"http://127.0.0.1:{self._http.server_port}/v1/traces"

    def __enter__(self) -> Self:
        self._server.start()
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(1).wait()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def Export(
        self, request: trace_service_pb2.ExportTraceServiceRequest, context: grpc.ServicerContext
    ) -> trace_service_pb2.ExportTraceServiceResponse:
        self._take(request)
        return trace_service_pb2.ExportTraceServiceResponse()

    def by_trace(self) -> dict[str, list[Span]]:
        grouped: dict[str, list[Span]] = defaultdict(list)
        with self._lock:
            for span in self._spans:
                grouped[span.trace_id].append(span)
        return grouped

    def everything(self) -> str:
        """Returns all that was ever received, as text."""
        with self._lock:
            return "\n".join(self._received)

    def _take(self, request: trace_service_pb2.ExportTraceServiceRequest) -> None:
        found = [
            Span(
                next((item.value.string_value for item in group.resource.attributes if item.key == "service.name"), ""),
                span.name,
                span.trace_id.hex(),
                span.span_id.hex(),
                span.parent_span_id.hex(),
            )
            for group in request.resource_spans
            for scope in group.scope_spans
            for span in scope.spans
        ]
        with self._lock:
            self._spans += found
            self._received.append(str(request))

    def _take_http(self, body: bytes, content_type: str) -> None:
        if "json" not in content_type:
            self._take(trace_service_pb2.ExportTraceServiceRequest.FromString(body))
            return
        found = [
            Span(
                "triton",
                span["name"],
                span["traceId"].lower(),
                span["spanId"].lower(),
                span.get("parentSpanId", "").lower(),
            )
            for span in _spans(json.loads(body))
        ]
        with self._lock:
            self._spans += found
            self._received.append(body.decode())


def _spans(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for group in document.get("resourceSpans", ()):
        for scope in group.get("scopeSpans", ()):
            yield from scope.get("spans", ())
