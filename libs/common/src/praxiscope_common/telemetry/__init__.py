"""Logs, metrics and traces; what each is called stands in docs/telemetry.md."""
