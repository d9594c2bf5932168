"""Prometheus metrics: their names, units and labels are a contract, listed in docs/telemetry.md. No resource name is ever a label."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from praxiscope_common.telemetry.metrics_port import serve_metrics
from praxiscope_common.telemetry.pulse import Pulse

# The boundaries of the seeds (0.1 to 30 s), finer below and longer above, so that both a 5 ms call and a 10 min analysis can be told.
LATENCY_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600)


class Metrics:
    """The metrics of one process.

    Attributes:
        registry: Where they are registered.
        pulse: Beaten by what takes work; its metrics port then tells health, too.
        api_requests: Calls served, by endpoint, method kind and status.
        api_latency_s: How long they took.
        inference_latency_s: How long a model's answer took, by model.
        queue_length: Jobs waiting, by queue and priority.
        queue_oldest_s: How long the oldest of them has waited, by queue.
        job_duration_s: How long jobs ran, by task and outcome.
        frames: Frames worked on, by stage.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        """Registers the metrics, by default in a registry of their own."""
        self.registry = registry or CollectorRegistry(auto_describe=True)
        self.pulse = Pulse()
        self.api_requests = Counter(
            "api_requests_total", "Calls served.", ["endpoint", "method", "status"], registry=self.registry
        )
        self.api_latency_s = Histogram(
            "api_request_duration_seconds",
            "How long calls took.",
            ["endpoint", "method"],
            buckets=LATENCY_BUCKETS_S,
            registry=self.registry,
        )
        self.inference_latency_s = Histogram(
            "inference_latency_seconds",
            "How long a model's answer took.",
            ["model"],
            buckets=LATENCY_BUCKETS_S,
            registry=self.registry,
        )
        self.queue_length = Gauge("queue_length", "Jobs waiting.", ["queue", "priority"], registry=self.registry)
        self.queue_oldest_s = Gauge(
            "queue_oldest_seconds", "How long the oldest waiting job has waited.", ["queue"], registry=self.registry
        )
        self.job_duration_s = Histogram(
            "job_duration_seconds",
            "How long jobs ran.",
            ["task", "outcome"],
            buckets=LATENCY_BUCKETS_S,
            registry=self.registry,
        )
        self.frames = Counter("frames_total", "Frames worked on.", ["stage"], registry=self.registry)

    def serve(self, host: str, port: int) -> int:
        """Answers scrapes at `/metrics` on a port of its own, 0 for any; returns it."""
        return serve_metrics(host, port, self.registry, self.pulse)
