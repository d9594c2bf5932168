"""Traces: one from the gateway to the model server, carried by the W3C header `traceparent`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

tracer = trace.get_tracer("praxiscope")


def configure_traces(service: str, endpoint: str) -> TracerProvider:
    """Starts tracing; spans go to the OTLP receiver at `endpoint`, or only through the headers where it is empty.

    Args:
        service: The service's name.
        endpoint: `host:port` of an OTLP gRPC receiver.

    Returns:
        The provider; shut it down at the end of the process so that no span is lost.
    """
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    if endpoint:
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint, insecure=True)))
    trace.set_tracer_provider(provider)
    return provider


def extract_trace(metadata: Mapping[str, str]) -> Context:
    """Returns the trace that a call's metadata carries."""
    return propagate.extract(metadata)


def inject_trace() -> Sequence[tuple[str, str]]:
    """Returns the metadata that carries the current trace on."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return tuple(carrier.items())
