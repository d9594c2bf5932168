"""What services ask of the library: where bytes are, and to take over what they made."""

from __future__ import annotations

import asyncio
import hashlib
import uuid

import pytest

from praxiscope.library.v1 import asset_service_pb2, media_service_pb2
from praxiscope.type.v1 import media_pb2
from praxiscope_assets import AssetFiles, OutputFolder
from tests.contract.test_library_assets import derive
from tests.support.calls import Answer
from tests.support.coverage import covers
from tests.support.house import FILE, VIDEO, House, Tenant

Request = media_service_pb2.CreateDerivedAssetRequest


async def resolve(tenant: Tenant, version: str, path: str = "") -> Answer:
    """Asks where a file is."""
    request = media_service_pb2.ResolveMediaRequest(media=media_pb2.MediaRef(asset_version=version, path=path))
    return await tenant.house.ask("MediaService.ResolveMedia", request, token=tenant.service_token("vision_inference"))


async def create(tenant: Tenant, request: Request) -> Answer:
    """Hands something over."""
    token = tenant.service_token("biomechanics", request.operation)
    return await tenant.house.ask("MediaService.CreateDerivedAsset", request, token=token)


async def prepared(tenant: Tenant, content: bytes = b"result", request_id: str = "") -> Request:
    """Writes an object as a service does and returns the request that hands it over."""
    operation = tenant.name_of("operations")
    info = await tenant.house.store.put(f"{operation}/partial/out/a.txt", content)
    item = Request.Object(
        path="a.txt", content_type="text/plain", object_key=info.key, sha256=info.sha256, size_bytes=info.size_bytes
    )
    return Request(
        parent=tenant.name, kind=FILE, objects=[item], operation=operation, request_id=request_id or str(uuid.uuid4())
    )


@covers("MediaService.ResolveMedia")
async def test_a_service_finds_the_bytes_of_a_file(tenant: Tenant) -> None:
    version = await tenant.upload(b"something", "jump.mp4", VIDEO)
    latest = version.replace("/versions/1", "/versions/latest")
    answer = (await resolve(tenant, latest)).message
    assert (answer.asset_version, answer.kind, answer.file.path) == (version, VIDEO, "jump.mp4")
    assert b"".join([chunk async for chunk in tenant.house.store.read(answer.object_key)]) == b"something"


@covers("MediaService.ResolveMedia", "FILE_NOT_FOUND", "FILE_PATH_NEEDED", "RESOURCE_NOT_FOUND")
async def test_a_service_must_say_which_file_and_of_what(tenant: Tenant) -> None:
    version = await derive(tenant, {"a.txt": b"a", "b.txt": b"b"})
    (await resolve(tenant, version)).fails("FILE_PATH_NEEDED")
    (await resolve(tenant, version, "c.txt")).fails("FILE_NOT_FOUND")
    (await resolve(tenant, f"{tenant.name_of('assets')}/versions/latest")).fails("RESOURCE_NOT_FOUND")
    assert (await resolve(tenant, version, "b.txt")).message.file.sha256 == hashlib.sha256(b"b").hexdigest()


async def test_no_person_may_ask_where_bytes_are(house: House, tenant: Tenant) -> None:
    version = await tenant.upload(b"x")
    request = media_service_pb2.ResolveMediaRequest(media=media_pb2.MediaRef(asset_version=version))
    (await house.ask("MediaService.ResolveMedia", request, token=tenant.token)).fails("PERMISSION_DENIED")


@covers("MediaService.CreateDerivedAsset")
async def test_what_a_service_made_becomes_an_asset_and_its_objects_are_moved(house: House, tenant: Tenant) -> None:
    source = await tenant.upload(b"x")
    request = await prepared(tenant)
    request.sources.append(source)
    version = (await create(tenant, request)).message
    assert (list(version.sources), version.operation, version.creator) == ([source], request.operation, tenant.subject)
    assert [key async for key in house.store.list(f"{request.operation}/")] == []
    assert (await create(tenant, request)).message == version, "an attempt after a crash gets the same"
    read = asset_service_pb2.GetAssetVersionRequest(name=version.name)
    found = (await house.ask("AssetService.GetAssetVersion", read, token=tenant.token)).message
    assert [file.path for file in found.files] == ["a.txt"]


async def test_two_attempts_at_once_make_one_asset(tenant: Tenant) -> None:
    request = await prepared(tenant)
    answers = await asyncio.gather(*(create(tenant, request) for _ in range(4)))
    assert len({answer.message.name for answer in answers}) == 1


@covers("MediaService.CreateDerivedAsset", "REQUEST_ID_REUSED")
async def test_a_request_id_makes_one_thing(tenant: Tenant) -> None:
    request_id = str(uuid.uuid4())
    await create(tenant, await prepared(tenant, b"one", request_id))
    (await create(tenant, await prepared(tenant, b"two", request_id))).fails("REQUEST_ID_REUSED")


@covers("MediaService.CreateDerivedAsset", "OBJECT_NOT_FOUND", "CHECKSUM_MISMATCH", "RESOURCE_NOT_FOUND")
async def test_objects_must_be_there_and_be_what_they_are_said_to_be(tenant: Tenant, stranger: Tenant) -> None:
    request = await prepared(tenant)
    request.objects[0].object_key += "x"
    (await create(tenant, request)).fails("OBJECT_NOT_FOUND")
    request = await prepared(tenant)
    request.objects[0].sha256 = "0" * 64
    (await create(tenant, request)).fails("CHECKSUM_MISMATCH")
    request = await prepared(tenant)
    request.objects[0].size_bytes += 1
    (await create(tenant, request)).fails("CHECKSUM_MISMATCH")
    request.parent = stranger.name
    (await create(tenant, request)).fails("RESOURCE_NOT_FOUND")


@pytest.mark.parametrize("where", ["assets", "uploads", "operations"])
async def test_nothing_is_taken_from_another_project_or_from_an_asset(
    house: House, tenant: Tenant, stranger: Tenant, where: str
) -> None:
    """Objects are moved, so a key that is not the operation's own would take somebody's bytes away."""
    for owner in (tenant, stranger):
        key = f"{owner.name_of(where)}/v1/a.txt"
        info = await house.store.put(key, b"theirs")
        request = await prepared(tenant)
        request.objects[0].object_key = key
        request.objects[0].sha256 = info.sha256
        request.objects[0].size_bytes = info.size_bytes
        (await create(tenant, request)).fails("OBJECT_NOT_FOUND")
        assert (await house.store.stat(key)).size_bytes == 6


async def test_an_operation_of_another_project_is_not_written_down(tenant: Tenant, stranger: Tenant) -> None:
    request = await prepared(tenant)
    request.operation = stranger.name_of("operations")
    assert (await create(tenant, request)).error is not None


async def test_the_clients_of_this_find_what_they_handed_over(house: House, tenant: Tenant) -> None:
    channel = house.served("library").channel
    operation = tenant.name_of("operations")
    token = tenant.service_token("biomechanics", operation)
    versions = []
    for _ in range(2):  # the second attempt after a crash writes the same files again
        outputs = OutputFolder(channel, house.store, operation=operation, name="motion")
        await outputs.put("b.csv", "text/csv", b"b")
        await outputs.put("a.csv", "text/csv", b"a")
        version = await outputs.commit(kind="KIND_MOTION", display_name="Motion", sources=[], token=token)
        versions.append(version.name)
    assert versions[0] == versions[1]
    files = AssetFiles(channel, house.store)
    found = await files.resolve(versions[0], "b.csv", token=token)
    assert (found.kind, found.path) == ("KIND_MOTION", "b.csv")
    with files.open(found) as opened:
        assert opened.read() == b"b"
