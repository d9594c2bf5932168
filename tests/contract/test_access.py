"""Every method of every service: who gets in, and that nobody learns what others have."""

from __future__ import annotations

import grpc
import pytest

from praxiscope_common.access import AUTHENTICATED, PUBLIC, access_of
from tests.support import contracts
from tests.support.examples import EXAMPLES, NONE, existing, unknown
from tests.support.house import House, Tenant


def _needed(short: str) -> str:
    method = contracts.find(short)
    return access_of(f"/{method.containing_service.full_name}/{method.name}").permission


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


@pytest.mark.parametrize("short", ABOUT_RESOURCES)
async def test_what_others_have_and_what_nobody_has_gives_the_same_answer(
    house: House, tenant: Tenant, stranger: Tenant, short: str
) -> None:
    kind, make = EXAMPLES[short].kind, EXAMPLES[short].make
    theirs, nobodys = await existing(stranger, kind), unknown(tenant, kind)
    assert len(theirs) == len(nobodys), "or lengths in the status would differ"
    for_theirs = await house.ask(short, make(theirs), token=tenant.everything)
    for_nobodys = await house.ask(short, make(nobodys), token=tenant.everything)
    assert for_theirs.code is grpc.StatusCode.NOT_FOUND
    for_theirs.fails("RESOURCE_NOT_FOUND")
    for_nobodys.fails("RESOURCE_NOT_FOUND")
    assert for_theirs.status.replace(theirs.encode(), b"X") == for_nobodys.status.replace(nobodys.encode(), b"X")


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
