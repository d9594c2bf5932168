"""An API server of Kubernetes in memory, behind the operator's own client: objects with versions, statuses apart, and watches."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from operator_service.adapters.api_server import ApiServer

NAMESPACE = "praxiscope"


@dataclass(kw_only=True)
class MemoryCluster:
    """Objects by plural and name.

    Attributes:
        account: A folder for the token.
        calls: Every call that was made: verb, plural, whether it was about the status.
    """

    account: Path
    objects: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    calls: set[tuple[str, str, bool]] = field(default_factory=set)
    _version: int = 0
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def api(self) -> ApiServer:
        """Returns a client of it."""
        (self.account / "token").write_text("secret", encoding="utf-8")
        client = httpx.AsyncClient(transport=httpx.MockTransport(self._answer), base_url="https://cluster.test")
        return ApiServer(client=client, namespace=NAMESPACE, account=self.account)

    def put(self, plural: str, document: dict[str, Any]) -> None:
        """Makes or changes an object, as `kubectl apply` does; a changed spec counts its generation up."""
        name = document["metadata"]["name"]
        known = self.objects.get((plural, name), {})
        generation = known.get("metadata", {}).get("generation", 0)
        document["metadata"] = {
            "uid": f"{plural}-{name}-uid",
            "creationTimestamp": f"2026-01-01T00:00:{len(self.objects):02d}Z",
            **known.get("metadata", {}),
            **document["metadata"],
            "generation": generation + (known.get("spec") != document.get("spec")),
        }
        self._store(plural, {"status": known.get("status", {}), **document})

    def status(self, plural: str, name: str) -> dict[str, Any]:
        """Returns an object's status."""
        return dict(self.objects[plural, name].get("status") or {})

    def events(self) -> list[tuple[str, str]]:
        """Returns what events say: kind and reason."""
        return [(item["type"], item["reason"]) for (plural, _), item in self.objects.items() if plural == "events"]

    def _store(self, plural: str, document: dict[str, Any]) -> dict[str, Any]:
        self._version += 1
        document["metadata"]["resourceVersion"] = str(self._version)
        self.objects[plural, document["metadata"]["name"]] = json.loads(json.dumps(document))
        self._changed.set()
        self._changed = asyncio.Event()
        return document

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        assert request.headers["Authorization"] == "Bearer secret"
        tail = request.url.path.split(f"/namespaces/{NAMESPACE}/")[1].split("/")
        plural, name, is_status = tail[0], tail[1] if len(tail) > 1 else "", len(tail) > 2
        is_watch = request.url.params.get("watch") == "1"
        verb = {"GET": "get" if name else "watch" if is_watch else "list", "POST": "create", "PUT": "update"}
        self.calls.add((verb.get(request.method, "patch"), plural, is_status))
        known = self.objects.get((plural, name))
        if is_watch:
            return httpx.Response(200, content=self._watch(self._changed))
        if request.method == "POST":
            document = json.loads(request.content)
            if (plural, document["metadata"]["name"]) in self.objects:
                return httpx.Response(409, json={"message": "exists"})
            document["metadata"].setdefault("uid", f"{plural}-{document['metadata']['name']}-uid")
            return httpx.Response(201, json=self._store(plural, document))
        if not name:
            return httpx.Response(200, json=self._list(plural, request.url.params.get("labelSelector", "")))
        if known is None:
            return httpx.Response(404, json={"message": "not found"})
        if request.method == "PUT":
            document = json.loads(request.content)
            if document["metadata"].get("resourceVersion") != known["metadata"]["resourceVersion"]:
                return httpx.Response(409, json={"message": "changed"})
            return httpx.Response(200, json=self._store(plural, document))
        if request.method == "PATCH":
            return httpx.Response(200, json=self._store(plural, {**known, **json.loads(request.content)}))
        return httpx.Response(200, json=known)

    def _list(self, plural: str, selector: str) -> dict[str, Any]:
        wanted = dict(part.split("=") for part in selector.split(",") if part)
        items = [
            item
            for (kind, _), item in self.objects.items()
            if kind == plural and wanted.items() <= (item["metadata"].get("labels") or {}).items()
        ]
        return {"items": items, "metadata": {"resourceVersion": str(self._version)}}

    async def _watch(self, changed: asyncio.Event) -> AsyncIterator[bytes]:
        await changed.wait()
        yield b'{"type": "MODIFIED", "object": {}}\n'
