"""From outside: one host for HTTP and native gRPC, over TLS alone, through the ingress to our gateway and on to the services."""

from __future__ import annotations

import http.client
import json
import socket
import ssl

import grpc
import pytest

from praxiscope.library.v1 import asset_pb2, asset_service_pb2
from tests.support.deploy import VALUES
from tests.support.mesh import HOST, Laboratory
from tests.support.mesh_checks import UNARY
from tools.mesh.services import CREDENTIALS

_LIST = "/praxiscope.library.v1.AssetService/ListAssets"


@pytest.fixture(scope="module")
def credentials() -> dict[str, str]:
    """The first project and its key, as the chart's Job made them."""
    return json.loads(CREDENTIALS.read_text(encoding="utf-8"))


def _context(laboratory: Laboratory) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(laboratory.mesh.ingress_authority))


def _get(laboratory: Laboratory, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
    connection = http.client.HTTPSConnection(HOST, 443, timeout=15, context=_context(laboratory))
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_a_key_gets_over_http_to_the_library_and_its_database(
    laboratory: Laboratory, credentials: dict[str, str]
) -> None:
    path = f"/v1/{credentials['project']}/assets?pageSize=1"
    status, body = _get(laboratory, path, {"Authorization": f"Bearer {credentials['api_key']}"})
    assert status == 200, body
    assert _get(laboratory, path, {})[0] == 401


def test_the_same_host_takes_native_grpc(laboratory: Laboratory, credentials: dict[str, str]) -> None:
    trusted = grpc.ssl_channel_credentials(laboratory.mesh.ingress_authority.read_bytes())
    with grpc.secure_channel(f"{HOST}:443", trusted) as channel:
        ask = channel.unary_unary(
            _LIST,
            request_serializer=asset_service_pb2.ListAssetsRequest.SerializeToString,
            response_deserializer=asset_service_pb2.ListAssetsResponse.FromString,
        )
        request = asset_service_pb2.ListAssetsRequest(parent=credentials["project"], page_size=1)
        key = ("authorization", f"Bearer {credentials['api_key']}")
        answer = ask(request, metadata=(key,), timeout=15)
        assert list(answer.assets) == list[asset_pb2.Asset]()
        with pytest.raises(grpc.RpcError) as caught:
            ask(request, timeout=15)
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_a_variant_that_is_wanted_outside_is_had_inside(laboratory: Laboratory, credentials: dict[str, str]) -> None:
    trusted = grpc.ssl_channel_credentials(laboratory.mesh.ingress_authority.read_bytes())
    before = laboratory.counts("tracking-canary").get(UNARY, 0)
    with grpc.secure_channel(f"{HOST}:443", trusted) as channel:
        ask = channel.unary_unary(UNARY)
        key = ("authorization", f"Bearer {credentials['api_key']}")
        for _ in range(20):
            assert ask(b"", metadata=(key, (VALUES["mesh"]["variantHeader"], "canary")), timeout=15) == b""
    assert laboratory.counts("tracking-canary")[UNARY] == before + 20


def test_what_is_not_encrypted_is_sent_to_what_is() -> None:
    connection = http.client.HTTPConnection(HOST, 80, timeout=15)
    connection.request("GET", "/v1/auth/keys")
    answer = connection.getresponse()
    answer.read()
    connection.close()
    assert (answer.status, answer.getheader("location")) == (301, f"https://{HOST}/v1/auth/keys")


def test_another_host_is_not_known(laboratory: Laboratory) -> None:
    assert _get(laboratory, "/v1/auth/keys", {"Host": "elsewhere.example"})[0] == 404


def test_an_old_tls_is_refused(laboratory: Laboratory) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with pytest.warns(DeprecationWarning):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection((HOST, 443), timeout=15) as raw, pytest.raises(ssl.SSLError):
        context.wrap_socket(raw, server_hostname=HOST).close()
