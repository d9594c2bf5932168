"""Secrets in a cluster: made where they are missing, never changed, and kept for a command that writes one."""

import base64
import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from praxiscope_common.kubernetes.api import KubernetesApi, KubernetesError
from praxiscope_common.kubernetes.keep import keep
from praxiscope_common.kubernetes.secrets import WantedError, make_secrets, parse_wanted

WANTED = {
    "a-public": {"b.pem": "public:b/private.pem", "t.pem": "public:t/private.pem"},
    "b": {"private.pem": "rsa", "database-password": "password"},
    "t": {"private.pem": "ed25519"},
}


class Server(ThreadingHTTPServer):
    """Answers as the API server does to calls for Secrets of one namespace."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.held: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []
        self.refuses: set[str] = set()


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def _answer(self) -> None:
        prefix, _, name = self.path.partition("/secrets")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append(f"{self.command} {name}")
        assert (prefix, self.headers["Authorization"]) == ("/api/v1/namespaces/ours", "Bearer token-of-the-pod")
        status, answer = self._decide(name.lstrip("/"), json.loads(body) if body else {})
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _decide(self, name: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        held = self.server.held
        if self.command in self.server.refuses:
            return 403, {"message": f"secrets is forbidden: cannot {self.command}"}
        if self.command == "POST":
            name = body["metadata"]["name"]
            if name in held:
                return 409, {"message": "already exists"}
            held[name] = body
            return 201, body
        if name not in held:
            return 404, {"message": "not found"}
        if self.command == "PUT":
            held[name] = body
        return 200, held[name]

    do_GET = do_POST = do_PUT = _answer

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def api(server: Server, tmp_path: Path) -> KubernetesApi:
    (tmp_path / "account").mkdir()
    (tmp_path / "account" / "token").write_text("token-of-the-pod\n")
    (tmp_path / "account" / "namespace").write_text("ours\n")
    host, port = server.server_address[:2]
    return KubernetesApi(host=str(host), port=port, namespace="ours", account=tmp_path / "account", is_plain=True)


def put(server: Server, name: str, **content: bytes) -> None:
    data = {key.replace("_", "."): base64.b64encode(value).decode() for key, value in content.items()}
    server.held[name] = {"metadata": {"name": name}, "data": data}


def test_what_is_missing_is_made_and_fits_together(api: KubernetesApi) -> None:
    assert sorted(make_secrets(api, WANTED)) == ["a-public", "b", "t"]
    public, private = api.read_secret("a-public"), {name: api.read_secret(name) for name in ("b", "t")}
    assert public is not None
    for name in ("b", "t"):
        held = private[name]
        assert held is not None
        key = load_pem_private_key(held["private.pem"], None)
        assert load_pem_public_key(public[f"{name}.pem"]) == key.public_key()
    b = private["b"]
    assert b is not None
    assert len(b["database-password"]) == 32


def test_what_is_there_is_left_alone(api: KubernetesApi, server: Server) -> None:
    make_secrets(api, WANTED)
    before = {name: dict(body["data"]) for name, body in server.held.items()}
    server.asked.clear()
    assert make_secrets(api, WANTED) == []
    assert {name: body["data"] for name, body in server.held.items()} == before
    assert all(asked.startswith("GET") for asked in server.asked)


def test_a_public_half_that_was_lost_is_made_from_the_key_that_is_there(api: KubernetesApi, server: Server) -> None:
    make_secrets(api, WANTED)
    lost = server.held.pop("a-public")
    assert make_secrets(api, WANTED) == ["a-public"]
    assert server.held["a-public"]["data"] == lost["data"]


def test_a_secret_gets_what_it_lacks_and_keeps_what_it_has(api: KubernetesApi, server: Server) -> None:
    put(server, "b", database_password=b"x")
    assert "b" in make_secrets(api, WANTED)
    completed = server.held["b"]["data"]
    assert set(completed) == {"database.password", *WANTED["b"]}
    assert completed["database.password"] == base64.b64encode(b"x").decode()
    assert make_secrets(api, WANTED) == []
    assert server.held["b"]["data"] == completed


def test_whoever_comes_second_takes_what_the_first_made(api: KubernetesApi, server: Server) -> None:
    class Late(KubernetesApi):
        def create_secret(self, name: str, content: Any) -> bool:
            put(server, name, secret=b"theirs")
            return super().create_secret(name, content)

    late = Late(host=api.host, port=api.port, namespace="ours", account=api.account, is_plain=True)
    assert make_secrets(late, {"x": {"secret": "password"}}) == []
    assert late.read_secret("x") == {"secret": b"theirs"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no JSON"),
        ("[1]", "no JSON"),
        ('{"a": 1}', "no JSON"),
        ('{"a": {"k": "elephant"}}', "a/k is of the kind 'elephant'"),
        ('{"a": {"k": "public:b/private.pem"}}', "which is no key"),
        ('{"a": {"k": "public:b/p"}, "b": {"p": "password"}}', "which is no key"),
    ],
)
def test_what_makes_no_sense_is_refused(text: str, said: str) -> None:
    with pytest.raises(WantedError, match=said):
        parse_wanted(text)


def test_a_refusal_says_what_was_asked_and_shows_no_secret(api: KubernetesApi, server: Server) -> None:
    server.refuses.add("POST")
    with pytest.raises(KubernetesError) as refused:
        make_secrets(api, {"x": {"secret": "password"}})
    assert str(refused.value) == "POST /api/v1/namespaces/ours/secrets: 403 secrets is forbidden: cannot POST"


def test_a_server_that_is_away_is_an_error_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t")
    api = KubernetesApi(host="127.0.0.1", port=9, namespace="ours", account=tmp_path, is_plain=True)
    with pytest.raises(KubernetesError, match="GET /api/v1/namespaces/ours/secrets/x: "):
        api.read_secret("x")


def test_outside_a_cluster_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(KubernetesError, match="this is no pod"):
        KubernetesApi.from_pod({}, tmp_path)


def test_a_certificate_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t")
    api = KubernetesApi(host="127.0.0.1", port=9, namespace="ours", account=tmp_path)
    with pytest.raises(KubernetesError, match="certificate cannot be read"):
        api.read_secret("x")


def command(text: str) -> list[str]:
    return [sys.executable, "-S", "-c", text]


def test_what_a_command_wrote_is_kept_and_given_to_the_next(api: KubernetesApi, server: Server, tmp_path: Path) -> None:
    file = tmp_path / "credentials.json"
    assert keep(api, "credentials", file, command(f"open({str(file)!r}, 'w').write('first')"), {}) == 0
    assert api.read_secret("credentials") == {"credentials.json": b"first"}
    file.unlink()
    again = command(f"f = open({str(file)!r}, 'r+'); text = f.read(); f.write(' second'); assert text == 'first'")
    assert keep(api, "credentials", file, again, {}) == 0
    assert api.read_secret("credentials") == {"credentials.json": b"first second"}
    assert file.stat().st_mode & 0o777 == 0o600
    server.asked.clear()
    assert keep(api, "credentials", file, command("pass"), {}) == 0
    assert server.asked == ["GET /credentials"]


def test_a_command_that_fails_changes_nothing(api: KubernetesApi, server: Server, tmp_path: Path) -> None:
    file = tmp_path / "credentials.json"
    assert (
        keep(api, "credentials", file, command(f"open({str(file)!r}, 'w').write('half'); raise SystemExit(3)"), {}) == 3
    )
    assert server.held == {}


def test_a_command_that_writes_nothing_is_said(api: KubernetesApi, tmp_path: Path) -> None:
    with pytest.raises(KubernetesError, match="the command wrote no"):
        keep(api, "credentials", tmp_path / "credentials.json", command("pass"), {})
