"""Every method of every service: who gets in, and that nobody learns what others have."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from praxiscope_common import names
from praxiscope_common.access import AUTHENTICATED, PUBLIC, access_of
from tests.support import contracts
from tests.support.examples import ASSET, EXAMPLES, NONE, OPERATION, PROJECT, STACK, VERSION, existing, unknown
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


@dataclass(frozen=True)
class Reference:
    """A field that names another resource than the one a method is about."""

    kind: str
    set: Callable[[Any, str], None]


REFERENCES = {
    ("MediaService.CreateDerivedAsset", "sources"): Reference(
        VERSION, lambda request, name: request.sources.append(name)
    ),
    ("MediaService.CreateDerivedAsset", "operation"): Reference(
        OPERATION, lambda request, name: setattr(request, "operation", name)
    ),
    ("RenderingService.RenderOverlay", "video.asset_version"): Reference(
        VERSION, lambda request, name: setattr(request.video, "asset_version", name)
    ),
    ("RenderingService.RenderOverlay", "parent_operation"): Reference(
        OPERATION, lambda request, name: setattr(request, "parent_operation", name)
    ),
    ("EditService.CreateEditStack", "edit_stack.base_world"): Reference(
        VERSION, lambda request, name: setattr(request.edit_stack, "base_world", name)
    ),
    ("EditService.ApplyEdit", "operation.insert.source.asset_version"): Reference(
        VERSION, lambda request, name: setattr(request.operation.insert.source, "asset_version", name)
    ),
    ("UploadService.CreateUpload", "upload.asset"): Reference(
        ASSET, lambda request, name: setattr(request.upload, "asset", name)
    ),
    ("VisionService.DetectObjects", "image.media.asset_version"): Reference(
        VERSION, lambda request, name: setattr(request.image.media, "asset_version", name)
    ),
    ("VisionService.DetectPoses", "image.media.asset_version"): Reference(
        VERSION, lambda request, name: setattr(request.image.media, "asset_version", name)
    ),
}


def test_every_field_that_names_another_resource_is_tried() -> None:
    found = {
        (short, path)
        for short in EXAMPLES
        if access_of(_path(short)).resource_field  # the others ask for tokens and know nobody yet
        for path, field in _texts(contracts.find(short).input_type)
        if path != access_of(_path(short)).resource_field and "projects/" in str(field.GetOptions())
    }
    assert found - set(REFERENCES) == set()


def _texts(
    message: Descriptor, before: str = "", around: tuple[Descriptor, ...] = ()
) -> Iterator[tuple[str, FieldDescriptor]]:
    """Yields the text fields of a message and of those in it; a message in itself is looked at once."""
    for field in message.fields:
        if field.message_type is not None and field.message_type.full_name.startswith("praxiscope."):
            if field.message_type not in (*around, message):
                yield from _texts(field.message_type, f"{before}{field.name}.", (*around, message))
        elif field.type == FieldDescriptor.TYPE_STRING:
            yield before + field.name, field


@pytest.mark.parametrize(("short", "field"), REFERENCES)
async def test_a_reference_to_what_others_have_is_one_to_what_nobody_has(
    house: House, tenant: Tenant, stranger: Tenant, short: str, field: str
) -> None:
    reference = REFERENCES[short, field]
    about = tenant.name
    if EXAMPLES[short].kind == VERSION:
        about = await tenant.upload(b"no motion", "motion.pb.zst")
    if EXAMPLES[short].kind == STACK:
        about = await existing(tenant, STACK)
    theirs = await existing(stranger, reference.kind)
    names_given = (
        *(theirs, unknown(stranger, reference.kind)),
        *(theirs.replace(stranger.name, tenant.name), unknown(tenant, reference.kind)),
    )
    answers: list[tuple[str, bytes]] = []
    for name in names_given:
        request = EXAMPLES[short].make(about)
        reference.set(request, name)
        answer = await house.ask(short, request, token=tenant.everything)
        answers.append((answer.outcome, answer.status.replace(name.encode(), b"X")))
    assert answers[0] == answers[1]
    assert answers[2] == answers[3]


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
