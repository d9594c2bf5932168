"""A port of each process that nobody but its platform asks: `/metrics`, and `/healthz` of those that take work instead of calls."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app

from praxiscope_common.telemetry.pulse import Pulse

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

_STALE_AFTER_S = 30.0


class _Server(ThreadingMixIn, WSGIServer):
    """Answers each request in a thread of its own, so that a hung event loop does not hang what tells of it."""

    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: a scrape every few seconds is no news."""


def serve_metrics(host: str, port: int, registry: CollectorRegistry, pulse: Pulse) -> int:
    """Answers from a thread until the process ends.

    `/healthz` is 200 while the pulse beats, 503 with words once it has not for half a minute, and 404 where nothing ever beat it: a process that answers calls
    tells its health through gRPC.

    Args:
        host: The address to listen on.
        port: The port; 0 takes a free one.
        registry: What is scraped.
        pulse: What tells whether the process works.

    Returns:
        The port.
    """
    scrape: Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]] = make_wsgi_app(registry)

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO") != "/healthz":
            return scrape(environ, start_response)
        age_s = pulse.age_s
        if age_s is None:
            status, words = "404 Not Found", "This process tells its health through gRPC.\n"
        elif age_s > _STALE_AFTER_S:
            status, words = "503 Service Unavailable", f"The event loop has not moved for {age_s:.0f} s.\n"
        else:
            status, words = "200 OK", "ok\n"
        content = words.encode()
        start_response(status, [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(content)))])
        return [content]

    server = make_server(host, port, answer, server_class=_Server, handler_class=_Quiet)
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return int(server.server_port)
