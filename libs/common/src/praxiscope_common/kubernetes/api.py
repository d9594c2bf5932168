"""The few calls to the API server that keeping Secrets takes."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_TIMEOUT_S = 15.0
MANAGED_BY = {"app.kubernetes.io/part-of": "praxiscope", "app.kubernetes.io/managed-by": "praxiscope-jobs"}


class KubernetesError(Exception):
    """The API server refused or does not answer; the message says what was asked."""


@dataclass(frozen=True, kw_only=True)
class KubernetesApi:
    """The API server, as a pod's own identity sees it.

    Attributes:
        host: Its host.
        port: Its port.
        namespace: Our namespace.
        account: The folder with our token and the server's certificate; read at each call, as both change.
        is_plain: Speaks HTTP without TLS; for tests.
    """

    host: str
    port: int
    namespace: str
    account: Path = _ACCOUNT
    is_plain: bool = False

    @classmethod
    def from_pod(cls, environ: Mapping[str, str], account: Path = _ACCOUNT) -> KubernetesApi:
        """Returns the server of the cluster that we run in.

        Raises:
            KubernetesError: If we do not run in one, or have no identity there.
        """
        try:
            return cls(
                host=environ["KUBERNETES_SERVICE_HOST"],
                port=int(environ["KUBERNETES_SERVICE_PORT"]),
                namespace=(account / "namespace").read_text(encoding="utf-8").strip(),
                account=account,
            )
        except (KeyError, ValueError, OSError) as error:
            raise KubernetesError(f"this is no pod with a token of the API server: {error}") from error

    def read_secret(self, name: str) -> Mapping[str, bytes] | None:
        """Returns what a Secret holds; None where there is none.

        Raises:
            KubernetesError: If the server refuses.
        """
        answer = self._ask("GET", f"/{name}", None, accepted=(200, 404))
        if answer is None:
            return None
        return {key: base64.b64decode(value) for key, value in (answer.get("data") or {}).items()}

    def create_secret(self, name: str, content: Mapping[str, bytes]) -> bool:
        """Makes a Secret; returns False where somebody else has just made it.

        Raises:
            KubernetesError: If the server refuses.
        """
        return self._ask("POST", "", self._secret(name, content), accepted=(201, 409)) is not None

    def replace_secret(self, name: str, content: Mapping[str, bytes]) -> None:
        """Puts other content into a Secret.

        Raises:
            KubernetesError: If the server refuses.
        """
        self._ask("PUT", f"/{name}", self._secret(name, content), accepted=(200,))

    def _secret(self, name: str, content: Mapping[str, bytes]) -> dict[str, Any]:
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "Opaque",
            "metadata": {"name": name, "namespace": self.namespace, "labels": MANAGED_BY},
            "data": {key: base64.b64encode(value).decode() for key, value in content.items()},
        }

    def _ask(
        self, method: str, path: str, body: dict[str, Any] | None, *, accepted: tuple[int, ...]
    ) -> dict[str, Any] | None:
        """Asks and returns the answer; None for 404 and 409 where they are accepted."""
        full_path = f"/api/v1/namespaces/{self.namespace}/secrets{path}"
        connection = self._connect()
        try:
            token = (self.account / "token").read_text(encoding="utf-8").strip()
            headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
            if body is not None:
                headers["Content-Type"] = "application/json"
            connection.request(method, full_path, json.dumps(body) if body is not None else None, headers)
            answer = connection.getresponse()
            status, text = answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise KubernetesError(f"{method} {full_path}: {error}") from error
        finally:
            connection.close()
        if status not in accepted:
            # The server's message names the object and the verb; it never repeats a Secret's content.
            raise KubernetesError(f"{method} {full_path}: {status} {_message(text)}")
        return None if status in {404, 409} else json.loads(text)

    def _connect(self) -> http.client.HTTPConnection:
        if self.is_plain:
            return http.client.HTTPConnection(self.host, self.port, timeout=_TIMEOUT_S)
        try:
            trusted = ssl.create_default_context(cafile=str(self.account / "ca.crt"))
        except OSError as error:
            raise KubernetesError(f"the API server's certificate cannot be read: {error}") from error
        return http.client.HTTPSConnection(self.host, self.port, timeout=_TIMEOUT_S, context=trusted)


def _message(text: bytes) -> str:
    try:
        return str(json.loads(text).get("message", ""))[:500]
    except (ValueError, AttributeError):
        return ""
