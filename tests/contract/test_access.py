"""Every method of every service: who gets in, and that nobody learns what others have."""

from __future__ import annotations

import re

import grpc
import pytest

from praxiscope_common import names
from praxiscope_common.access import AUTHENTICATED, PUBLIC, access_of
from tests.support import contracts
from tests.support.examples import EXAMPLES, NONE, PROJECT, existing, unknown
from tests.support.house import House, Tenant
from tests.support.statements import Statement, recorded


def _path(short: str) -> str:
    method = contracts.find(short)
    return f"/{method.containing_service.full_name}/{method.name}"


def _needed(short: str) -> str:
    return access_of(_path(short)).permission


GUARDED = sorted(short for short in EXAMPLES if _needed(short) != PUBLIC)
WITH_PERMISSION = [short for short in GUARDED if _needed(short) != AUTHENTICATED]
ABOUT_RESOURCES = sorted(short for short, example in EXAMPLES.items() if example.kind != NONE)


@pytest.mark.parametrize("short", GUARDED)
async def test_nobody_gets_in_without_a_token(house: House, tenant: Tenant, short: str) -> None:
    example = EXAMPLES[short]
    answer = await house.ask(short, example.make(unknown(tenant, example.kind)))
    assert answer.code is grpc.StatusCode.UNAUTHENTICATED
    answer.fails("UNAUTHENTICATED")


@pytest.mark.parametrize("short", WITH_PERMISSION)
async def test_a_token_without_the_declared_permission_is_refused(house: House, tenant: Tenant, short: str) -> None:
    example = EXAMPLES[short]
    request = example.make(unknown(tenant, example.kind) if example.kind != "project" else tenant.name)
    answer = await house.ask(short, request, token=tenant.token_without(_needed(short)))
    assert answer.code is grpc.StatusCode.PERMISSION_DENIED
    assert answer.fails("PERMISSION_DENIED").metadata == {"permission": _needed(short)}


def test_every_method_that_names_a_resource_is_tried_with_one() -> None:
    declared = {short for short in EXAMPLES if access_of(_path(short)).resource_field}
    assert declared == set(ABOUT_RESOURCES)


async def _seen(house: House, tenant: Tenant, short: str, name: str) -> tuple[bytes, list[Statement]]:
    """Returns the error's bytes and what the database was asked, both with the name's own part blanked out."""
    request_id = names.new_id()
    with recorded(request_id) as statements:
        metadata = {"x-request-id": request_id}
        answer = await house.ask(short, EXAMPLES[short].make(name), token=tenant.everything, metadata=metadata)
    assert answer.code is grpc.StatusCode.NOT_FOUND
    answer.fails("RESOURCE_NOT_FOUND")
    own = name.removesuffix("/versions/1").rpartition("/")[2]
    asked = [(query, re.sub(_UUID, "ID", values.replace(own, "X"))) for query, values in statements]
    return answer.status.replace(name.encode(), b"X"), asked


_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@pytest.mark.parametrize("short", ABOUT_RESOURCES)
async def test_what_others_have_and_what_nobody_has_gives_the_same_answer_by_the_same_queries(
    house: House, tenant: Tenant, stranger: Tenant, short: str
) -> None:
    kind = EXAMPLES[short].kind
    theirs = await existing(stranger, kind)
    not_even_theirs = unknown(stranger, kind)
    error, asked = await _seen(house, tenant, short, theirs)
    assert (error, asked) == await _seen(house, tenant, short, not_even_theirs)
    if kind == PROJECT:
        return
    # Their thing under our project's name, and nothing under our project's name: the query decides, and is the same.
    smuggled, nobodys = theirs.replace(stranger.name, tenant.name), unknown(tenant, kind)
    assert len(smuggled) == len(nobodys), "or lengths in the status would differ"
    error_of_smuggled, asked_of_smuggled = await _seen(house, tenant, short, smuggled)
    assert error_of_smuggled == error
    assert asked_of_smuggled, "something must have looked"
    assert (error_of_smuggled, asked_of_smuggled) == await _seen(house, tenant, short, nobodys)


async def test_statements_of_a_call_are_seen(house: House, tenant: Tenant) -> None:
    """Or the comparisons above would compare nothing with nothing."""
    with recorded("probe") as statements:
        request = EXAMPLES["AssetService.GetAsset"].make(await existing(tenant, "asset"))
        await house.ask("AssetService.GetAsset", request, token=tenant.token, metadata={"x-request-id": "probe"})
    assert any("FROM library.asset" in query for query, _ in statements), statements
    assert all(tenant.project_id in values for query, values in statements if "library.asset" in query)


@pytest.mark.parametrize("short", ABOUT_RESOURCES)
async def test_a_name_of_another_form_is_refused(house: House, tenant: Tenant, short: str) -> None:
    answer = await house.ask(short, EXAMPLES[short].make(f"{tenant.name}/../../etc"), token=tenant.everything)
    assert answer.code is grpc.StatusCode.INVALID_ARGUMENT
    assert answer.outcome in {"INVALID_REQUEST", "INVALID_NAME"}


async def test_an_unknown_method_is_unimplemented(house: House) -> None:
    call = house.served("library").channel.unary_unary("/praxiscope.library.v1.AssetService/Nonsense")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(b"", timeout=5)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
