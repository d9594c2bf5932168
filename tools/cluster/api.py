"""A small client of the API server, for our own agents: lists, watches, makes, changes, deletes. No package is needed, so that an agent starts in a moment."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

_TIMEOUT_S = 15.0
_WATCH_S = 240
Resource = Mapping[str, Any]


class ApiError(Exception):
    """The API server does not do what was asked; the message has its status and its words."""


class Api:
    """Talks to the API server that a kubeconfig names."""

    def __init__(self, kubeconfig: Path) -> None:
        """Reads address, authority and token; connects when first asked."""
        config = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        address = urlsplit(cluster["server"])
        self._host, self._port = address.hostname or "", address.port or 443
        self._context = ssl.create_default_context(cafile=cluster["certificate-authority"])
        self._headers = {"Authorization": f"Bearer {user['token']}", "Accept": "application/json"}
        self._connection: http.client.HTTPSConnection | None = None

    def items(self, path: str) -> list[Resource]:
        """Returns all that a list holds."""
        return self._ask("GET", path)["items"]

    def create(self, path: str, item: Resource) -> None:
        """Makes an object; one that is there already is left alone."""
        try:
            self._ask("POST", path, item)
        except ApiError as error:
            if not str(error).startswith("409"):
                raise

    def ask_for(self, path: str, item: Resource) -> dict[str, Any]:
        """Posts something that is answered and not kept, as a request for a token is."""
        return self._ask("POST", path, item)

    def get(self, path: str) -> dict[str, Any]:
        """Returns an object."""
        return self._ask("GET", path)

    def apply(self, path: str, item: Resource) -> dict[str, Any]:
        """Makes an object, or brings it to what is given, whoever changed it before.

        Args:
            path: Of the object, or of its status.
            item: All that we say of it; what we said before and say no more goes.

        Raises:
            ApiError: It is refused.
        """
        kind = "application/apply-patch+yaml"  # JSON is YAML
        place = f"{path}?fieldManager=praxiscope&force=true"
        try:
            return self._ask("PATCH", place, item, content_type=kind)
        except (OSError, http.client.HTTPException):  # a kept connection was closed meanwhile; twice is as good as once
            return self._ask("PATCH", place, item, content_type=kind)

    def delete(self, path: str) -> None:
        """Deletes an object; one that is gone is no error."""
        try:
            self._ask("DELETE", path)
        except ApiError as error:
            if not str(error).startswith("404"):
                raise

    def watch(self, path: str, on_change: Callable[[], None]) -> threading.Thread:
        """Calls back whenever something in a list changes, and whenever it cannot be known whether something has; never ends.

        Args:
            path: Of the list.
            on_change: Called from a thread of its own.
        """

        def follow() -> None:
            while True:
                on_change()
                try:
                    connection = self._connect(timeout_s=_WATCH_S + _TIMEOUT_S)
                    connection.request("GET", f"{path}?watch=1&timeoutSeconds={_WATCH_S}", headers=self._headers)
                    for _ in connection.getresponse():
                        on_change()
                except (OSError, http.client.HTTPException):
                    threading.Event().wait(0.3)  # it is away, or not there yet

        thread = threading.Thread(target=follow, name=f"watch {path}", daemon=True)
        thread.start()
        return thread

    def close(self) -> None:
        """Ends the kept connection; the next question opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _ask(
        self, method: str, path: str, body: Resource | None = None, *, content_type: str = "application/json"
    ) -> dict[str, Any]:
        content = None if body is None else json.dumps(body)
        headers = self._headers if body is None else {**self._headers, "Content-Type": content_type}
        if self._connection is None:
            self._connection = self._connect(timeout_s=_TIMEOUT_S)
        try:
            self._connection.request(method, path, body=content, headers=headers)
            answer = self._connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        if answer.status >= 400:
            raise ApiError(f"{answer.status} {method} {path}: {text[:300].decode(errors='replace')}")
        return json.loads(text)

    def _connect(self, *, timeout_s: float) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(self._host, self._port, timeout=timeout_s, context=self._context)
