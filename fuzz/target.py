"""The stack that is shot at: where it listens, who we are there, and names of things that it has."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx

from praxiscope_common import names

DETECTIONS = b"".join(b"%d,-1,%d,20,30,60,0.9,-1,-1,-1\n" % (frame, 10 + frame) for frame in range(1, 20))
_FILES = (
    ("notes.txt", "KIND_FILE", b"no video at all"),
    ("boxes.txt", "KIND_DETECTIONS", DETECTIONS),
    ("motion.pb.zst", "KIND_FILE", b"no motion"),
)
# What opens nothing, and nothing at all.
REFUSED = ("", "pxk_" + "0" * 64, "nonsense", "eyJhbGciOiJub25lIn0.e30.", "\xe9", "a" * 9000)
_TIMEOUT_S = 30.0


@dataclass(frozen=True, kw_only=True)
class Target:
    """A running gateway and a project of our own behind it.

    Attributes:
        host: Where the gateway listens.
        port: Its port.
        holding: Tokens and keys that hold.
        known: Names and the like that mean something there; none of them lets a case lock us out.
        project: The project.
        openapi: The gateway's description of itself.
    """

    host: str
    port: int
    holding: Sequence[str]
    known: Sequence[str]
    project: str
    openapi: Mapping[str, Any] = field(repr=False, default_factory=dict)

    def credential(self, random: Random, method: str) -> str:
        """Returns what a call to a method shows: mostly what holds, but where that would end our own session."""
        if method.endswith("Logout") or random.random() < 0.4:
            return random.choice(REFUSED)
        return random.choice(self.holding)

    @property
    def url(self) -> str:
        """The gateway's address."""
        return f"http://{self.host}:{self.port}"


def prepare(url: str, credentials: Mapping[str, str]) -> Target:
    """Makes a project with a few things in it.

    Args:
        url: The gateway's address.
        credentials: The stack's first login.
    """
    with httpx.Client(base_url=url, timeout=_TIMEOUT_S) as http:
        login = {"email": credentials["email"], "password": credentials["password"]}
        first = _ask(http, "/v1/auth:login", login, "")["accessToken"]
        project = _ask(http, "/v1/projects", {"project": {"display_name": "Fuzz"}}, first)["name"]
        token = _ask(http, "/v1/auth:login", login | {"project": project}, "")["accessToken"]
        key = _ask(http, f"/v1/{project}/apiKeys", {"apiKey": {"display_name": "fuzz"}}, token)
        spare = _ask(http, f"/v1/{project}/apiKeys", {"apiKey": {"display_name": "spare"}}, token)
        versions = [_upload(http, project, token, *file) for file in _FILES]
        operation = _ask(http, f"/v1/{versions[0]}:analyzeMotion", {}, token)["name"]
        upload = _ask(http, f"/v1/{project}/uploads", _new_upload("open.txt", "KIND_FILE", b"123"), token)["name"]
        openapi = http.get("/openapi.json").json()
    assets = [version.rpartition("/versions/")[0] for version in versions]
    known = (
        *(project, *versions, *assets, operation, upload, spare["apiKey"]["name"], f"{assets[0]}/versions/latest"),
        *(
            f"{project}/members/{names.new_id()}",
            f"{project}/auditEvents/{names.new_id()}",
            f"users/{names.new_id()}",
            "roles/viewer",
        ),
        *(
            f"projects/{names.new_id()}",
            f"projects/{names.new_id()}/assets/{names.new_id()}",
            str(uuid.UUID(int=7)),
            "somebody@example.org",
        ),
        *(
            "notes.txt",
            "boxes.txt",
            "motion.pb.zst",
            "display_name",
            "labels",
            'kind = "KIND_FILE"',
            hashlib.sha256(b"123").hexdigest(),
        ),
    )
    return Target(
        host="127.0.0.1",
        port=httpx.URL(url).port or 80,
        holding=(key["secret"], key["secret"], token),
        known=known,
        openapi=openapi,
        project=project,
    )


def _upload(http: httpx.Client, project: str, token: str, name: str, kind: str, content: bytes) -> str:
    upload = _ask(http, f"/v1/{project}/uploads", _new_upload(name, kind, content), token)["name"]
    for ticket in _ask(http, f"/v1/{upload}:createPartTickets", {}, token)["tickets"]:
        http.put(ticket["uri"], content=content).raise_for_status()
    return str(_ask(http, f"/v1/{upload}:complete", {}, token)["latestVersion"])


def _new_upload(name: str, kind: str, content: bytes) -> dict[str, Any]:
    sha256 = hashlib.sha256(content).hexdigest()
    return {"upload": {"kind": kind, "file_name": name, "size_bytes": str(len(content)), "sha256": sha256}}


def _ask(http: httpx.Client, path: str, body: Mapping[str, Any], token: str) -> Any:  # noqa: ANN401  JSON
    headers = {"authorization": f"Bearer {token}"} if token else {}
    answer = http.post(path, json=body, headers=headers)
    if answer.status_code >= httpx.codes.BAD_REQUEST:
        raise RuntimeError(f"{path}: {answer.status_code} {answer.text}")
    return answer.json()
