"""The API server, as a pod's own identity sees it: the handful of verbs that an operator needs, over httpx."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from operator_service.core.documents import part, parts
from praxiscope_common.errors import AbortedError, AlreadyExistsError, PermissionDeniedError, UnavailableError

_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_TIMEOUT_S = 15.0
_PAGE = 500
_MAX_MESSAGE = 300
Document = dict[str, Any]


class ApiServerError(UnavailableError):
    """The API server does not answer, or not as expected."""

    reason = "API_SERVER_UNAVAILABLE"


class ApiForbiddenError(PermissionDeniedError):
    """The API server refuses what the operator's Role should allow."""

    reason = "API_SERVER_FORBIDDEN"


class ObjectChangedError(AbortedError):
    """The object has changed since it was read."""

    reason = "OBJECT_CHANGED"


class ObjectExistsError(AlreadyExistsError):
    """There is an object of that name."""

    reason = "OBJECT_EXISTS"


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of objects.

    Attributes:
        path: `api/v1` or `apis/{group}/{version}`.
        plural: As in `jobs`.
    """

    path: str
    plural: str


PODS = Kind(path="api/v1", plural="pods")
CONFIG_MAPS = Kind(path="api/v1", plural="configmaps")
EVENTS = Kind(path="api/v1", plural="events")
JOBS = Kind(path="apis/batch/v1", plural="jobs")
LEASES = Kind(path="apis/coordination.k8s.io/v1", plural="leases")
INFERENCE_MODELS = Kind(path="apis/praxiscope.dev/v1alpha1", plural="inferencemodels")
BATCH_ANALYSES = Kind(path="apis/praxiscope.dev/v1alpha1", plural="batchanalyses")


@dataclass(frozen=True, kw_only=True)
class ApiServer:
    """Objects of one namespace.

    Attributes:
        client: Speaks HTTP.
        namespace: The namespace.
        account: The folder with the token; read at each call, as it changes.
    """

    client: httpx.AsyncClient
    namespace: str
    account: Path = field(default=_ACCOUNT)

    @classmethod
    def from_pod(cls, host: str, port: int, account: Path = _ACCOUNT) -> ApiServer:
        """Returns the server of the cluster that we run in.

        Raises:
            OSError: If this is no pod with a token.
        """
        trusted = ssl.create_default_context(cafile=str(account / "ca.crt"))
        address = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
        namespace = (account / "namespace").read_text(encoding="utf-8").strip()
        client = httpx.AsyncClient(base_url=address, verify=trusted, timeout=_TIMEOUT_S)
        return cls(client=client, namespace=namespace, account=account)

    async def list(self, kind: Kind, *, labels: str = "") -> tuple[list[Document], str]:
        """Returns every object of a kind, and the version of the list, from which a watch goes on."""
        found: list[Document] = []
        query = {"limit": str(_PAGE)} | ({"labelSelector": labels} if labels else {})
        while True:
            answer = await self._ask("GET", kind, query=query)
            found += parts(answer, "items")
            more = str(part(answer, "metadata").get("continue") or "")
            if not more:
                return found, str(part(answer, "metadata").get("resourceVersion", ""))
            query = {**query, "continue": more}

    async def find(self, kind: Kind, name: str) -> Document | None:
        """Returns an object; None where there is none."""
        return await self._ask("GET", kind, f"/{name}", missing_is_none=True)

    async def create(self, kind: Kind, document: Mapping[str, Any]) -> Document:
        """Makes an object.

        Raises:
            ObjectExistsError: If there is one of that name.
        """
        return await self._ask("POST", kind, body=document)

    async def replace(self, kind: Kind, document: Mapping[str, Any]) -> Document:
        """Puts an object in the place of the one that was read.

        Raises:
            ObjectChangedError: If that has changed meanwhile.
        """
        return await self._ask("PUT", kind, f"/{document['metadata']['name']}", body=document)

    async def patch_status(self, kind: Kind, name: str, status: Mapping[str, Any]) -> None:
        """Changes an object's status; an object that is gone is left in peace."""
        await self._ask("PATCH", kind, f"/{name}/status", body={"status": status}, missing_is_none=True)

    async def watch(self, kind: Kind, version: str, *, timeout_s: int) -> AsyncIterator[str]:
        """Yields what happens to objects of a kind, as in `MODIFIED`, for a while.

        Args:
            kind: The kind.
            version: The version of the list behind which it begins.
            timeout_s: When the server ends it; a connection that is dead without saying so is ended little later.
        """
        query = {"watch": "1", "resourceVersion": version, "timeoutSeconds": str(timeout_s)}
        try:
            async with self.client.stream(
                "GET", self._path(kind), params=query, headers=self._headers(), timeout=timeout_s + _TIMEOUT_S
            ) as answer:
                if answer.status_code != httpx.codes.OK:
                    return  # too old a version, or a server that goes away: the list tells all of it again
                async for line in answer.aiter_lines():
                    yield str(json.loads(line).get("type", ""))
        except (httpx.HTTPError, ValueError) as error:
            raise ApiServerError(f"Watching {kind.plural} ended: {error}") from error

    async def close(self) -> None:
        """Closes every connection."""
        await self.client.aclose()

    async def _ask(
        self,
        method: str,
        kind: Kind,
        suffix: str = "",
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        missing_is_none: bool = False,
    ) -> Any:  # noqa: ANN401  what JSON gives, or None
        path = self._path(kind) + suffix
        headers = self._headers()
        if method == "PATCH":
            headers["Content-Type"] = "application/merge-patch+json"
        elif body is not None:
            headers["Content-Type"] = "application/json"
        content = json.dumps(body) if body is not None else None
        try:
            answer = await self.client.request(method, path, params=query, content=content, headers=headers)
            if answer.status_code == httpx.codes.NOT_FOUND and missing_is_none:
                return None
            if answer.is_success:
                return answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise ApiServerError(f"{method} {path}: {error}") from error
        message = f"{method} {path}: {answer.status_code} {_message(answer)}"
        if answer.status_code == httpx.codes.CONFLICT:
            raise (ObjectExistsError if method == "POST" else ObjectChangedError)(message)
        if answer.status_code == httpx.codes.FORBIDDEN:
            raise ApiForbiddenError(message)
        raise ApiServerError(message)

    def _path(self, kind: Kind) -> str:
        return f"/{kind.path}/namespaces/{self.namespace}/{kind.plural}"

    def _headers(self) -> dict[str, str]:
        token = (self.account / "token").read_text(encoding="utf-8").strip()
        return {"Authorization": f"Bearer {token}", "Accept": "application/json"}


def _message(answer: httpx.Response) -> str:
    try:
        return str(answer.json().get("message", ""))[:_MAX_MESSAGE]
    except (ValueError, AttributeError):
        return ""
