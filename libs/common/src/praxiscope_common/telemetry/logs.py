"""Structured logs: one JSON object a line, with the request's and the trace's ids."""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import datetime, timezone
from typing import TextIO

from opentelemetry import trace

from praxiscope_common.identity import current_call

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
# Anything that would let a reader of logs act as somebody: API keys, JWTs, tickets.
_SECRETS = re.compile(r"pxk_[A-Za-z0-9]+|eyJ[\w-]+\.[\w-]+\.[\w-]*|(?<=ticket=)[\w.~-]+")
REDACTED = "[redacted]"


def redact(text: str) -> str:
    """Returns `text` without the credentials that may stand in it."""
    return _SECRETS.sub(REDACTED, text)


class JsonFormatter(logging.Formatter):
    """Writes a record as one line of JSON."""

    def __init__(self, service: str) -> None:
        """Names the service that logs."""
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds"),
            "severity": record.levelname,
            "service": self._service,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id := current_call().request_id:
            line["request_id"] = request_id
        span = trace.get_current_span().get_span_context()
        if span.is_valid:
            line["trace_id"] = format(span.trace_id, "032x")
            line["span_id"] = format(span.span_id, "016x")
        line.update({key: value for key, value in vars(record).items() if key not in _STANDARD})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return redact(json.dumps(line, default=str, ensure_ascii=False))


def configure_logs(service: str, level: str = "INFO", stream: TextIO = sys.stderr) -> None:
    """Sends every log of the process to `stream` as JSON; called once, by a command's start."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter(service))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("procrastinate", "httpx", "botocore", "psycopg.pool", "grpc"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
