"""Uploads: started, put in parts, broken off, gone on with, completed, given up."""

from __future__ import annotations

import asyncio
import hashlib
import uuid

import pytest

from praxiscope.library.v1 import asset_pb2, asset_service_pb2, upload_service_pb2
from tests.contract.test_library_assets import asset_of, get, ticket_in
from tests.support.calls import Answer
from tests.support.coverage import covers
from tests.support.house import FILE, IMAGE, VIDEO, House, Tenant
from tests.support.operations import eventually, execute

Upload = upload_service_pb2.Upload
PART = 8 << 20


def request_for(
    tenant: Tenant, content: bytes, request_id: str = "", **fields: object
) -> upload_service_pb2.CreateUploadRequest:
    """Returns the request that starts an upload of some bytes."""
    upload = Upload(
        **{
            "kind": FILE,
            "file_name": "a.txt",
            "size_bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            **fields,
        }  # type: ignore[arg-type]
    )
    return upload_service_pb2.CreateUploadRequest(parent=tenant.name, upload=upload, request_id=request_id)


async def start(tenant: Tenant, content: bytes, request_id: str = "", **fields: object) -> Upload:
    """Starts an upload."""
    request = request_for(tenant, content, request_id, **fields)
    return (await tenant.house.ask("UploadService.CreateUpload", request, token=tenant.token)).message


async def read(tenant: Tenant, upload: Upload) -> Upload:
    """Reads an upload."""
    request = upload_service_pb2.GetUploadRequest(name=upload.name)
    return (await tenant.house.ask("UploadService.GetUpload", request, token=tenant.token)).message


async def tickets(tenant: Tenant, upload: Upload, *numbers: int) -> Answer:
    """Asks for the parts' addresses."""
    request = upload_service_pb2.CreatePartTicketsRequest(name=upload.name, part_numbers=numbers)
    return await tenant.house.ask("UploadService.CreatePartTickets", request, token=tenant.token)


async def complete(tenant: Tenant, upload: Upload) -> Answer:
    """Completes an upload."""
    request = upload_service_pb2.CompleteUploadRequest(name=upload.name)
    return await tenant.house.ask("UploadService.CompleteUpload", request, token=tenant.token)


async def give_up(tenant: Tenant, upload: Upload) -> Answer:
    """Gives an upload up."""
    request = upload_service_pb2.DeleteUploadRequest(name=upload.name)
    return await tenant.house.ask("UploadService.DeleteUpload", request, token=tenant.token)


async def stored(tenant: Tenant, version: str) -> bytes:
    """Returns the bytes of a version's only file."""
    keys = [key async for key in tenant.house.store.list(version.replace("/versions/", "/v") + "/")]
    assert len(keys) == 1
    return b"".join([chunk async for chunk in tenant.house.store.read(keys[0])])


# CreateUpload


@covers("UploadService.CreateUpload")
async def test_an_upload_says_how_it_is_cut(tenant: Tenant) -> None:
    upload = await start(tenant, bytes(PART + 1), kind=VIDEO, file_name="jump.MOV")
    assert (upload.part_size_bytes, upload.part_count, list(upload.received_parts)) == (PART, 2, [])
    assert (upload.state, upload.content_type, upload.display_name) == (
        Upload.STATE_OPEN,
        "video/quicktime",
        "jump.MOV",
    )
    assert upload.asset == "", "there is none before it is complete"
    assert await read(tenant, upload) == upload


@covers("UploadService.CreateUpload", "REQUEST_ID_REUSED")
async def test_a_repeated_request_starts_no_second_upload(house: House, tenant: Tenant, stranger: Tenant) -> None:
    request_id = str(uuid.uuid4())
    first, again = await asyncio.gather(start(tenant, b"x", request_id), start(tenant, b"x", request_id))
    assert first == again
    other = request_for(tenant, b"y", request_id)
    (await house.ask("UploadService.CreateUpload", other, token=tenant.token)).fails("REQUEST_ID_REUSED")
    assert (await start(stranger, b"y", request_id)).name.startswith(stranger.name)


@covers("UploadService.CreateUpload", "RESOURCE_NOT_FOUND")
async def test_a_new_version_needs_an_asset_that_is_there(house: House, tenant: Tenant, stranger: Tenant) -> None:
    theirs = asset_of(await stranger.upload(b"x"))
    deleted = asset_of(await tenant.upload(b"x"))
    request = asset_service_pb2.DeleteAssetRequest(name=deleted)
    await house.ask("AssetService.DeleteAsset", request, token=tenant.token)
    for asset in (theirs, deleted, tenant.name_of("assets")):
        answer = await house.ask(
            "UploadService.CreateUpload", request_for(tenant, b"y", asset=asset), token=tenant.token
        )
        assert answer.fails("RESOURCE_NOT_FOUND").metadata == {"name": asset}


@pytest.mark.parametrize(
    "fields",
    [
        {"file_name": "../etc/passwd"},
        {"file_name": "a/b.txt"},
        {"file_name": "a\x00.txt"},
        {"file_name": ""},
        {"file_name": "x" * 201},
        {"size_bytes": -1},
        {"sha256": "x" * 64},
        {"sha256": "0" * 63},
        {"kind": 0},
        {"kind": 999},
    ],
    ids=str,
)
async def test_an_upload_keeps_to_the_contracts_rules(house: House, tenant: Tenant, fields: dict[str, object]) -> None:
    answer = await house.ask("UploadService.CreateUpload", request_for(tenant, b"x", **fields), token=tenant.token)
    error = answer.fails("INVALID_REQUEST")
    assert {violation.field for violation in error.field_violations} == {f"upload.{next(iter(fields))}"}


@covers("UploadService.CreateUpload", "UPLOAD_TOO_LARGE")
async def test_an_upload_larger_than_the_installation_takes_is_refused_at_once(house: House, tenant: Tenant) -> None:
    async with house.serve("library", {"MAX_UPLOAD_BYTES": "1000"}) as small:
        fits = request_for(tenant, bytes(1000))
        assert (await small.client.ask("UploadService.CreateUpload", fits, token=tenant.token)).error is None
        too_large = request_for(tenant, bytes(1001))
        answer = await small.client.ask("UploadService.CreateUpload", too_large, token=tenant.token)
        assert answer.fails("UPLOAD_TOO_LARGE").metadata == {"size_bytes": "1001", "max_size_bytes": "1000"}


# GetUpload, CreatePartTickets


@covers("UploadService.GetUpload")
@covers("UploadService.GetUpload", "RESOURCE_NOT_FOUND")
async def test_an_upload_that_was_broken_off_says_what_has_arrived(house: House, tenant: Tenant) -> None:
    content = bytes(3 * PART + 5)
    upload = await start(tenant, content)
    await tenant.put_parts(upload, content, [4, 2])
    assert list((await read(tenant, upload)).received_parts) == [2, 4]
    missing = (await tickets(tenant, upload)).message.tickets
    assert [ticket.part_number for ticket in missing] == [1, 3]
    nothing = upload_service_pb2.GetUploadRequest(name=tenant.name_of("uploads"))
    (await house.ask("UploadService.GetUpload", nothing, token=tenant.token)).fails("RESOURCE_NOT_FOUND")


@covers("UploadService.CreatePartTickets")
async def test_a_parts_ticket_allows_just_that_parts_bytes(house: House, tenant: Tenant) -> None:
    upload = await start(tenant, bytes(PART + 5))
    first, second = (await tickets(tenant, upload, 1, 2)).message.tickets
    assert [(item.offset_bytes, item.size_bytes) for item in (first, second)] == [(0, PART), (PART, 5)]
    said = ticket_in(house, second.uri)
    assert (said["act"], said["len"]) == ("put", 5)
    await house.store.put(str(said["key"]), b"12345")
    assert list((await read(tenant, upload)).received_parts) == [2]


@covers("UploadService.CreatePartTickets", "PART_OUT_OF_RANGE", "UPLOAD_NOT_OPEN", "RESOURCE_NOT_FOUND")
async def test_there_are_no_tickets_for_parts_or_uploads_that_are_not_there(house: House, tenant: Tenant) -> None:
    upload = await start(tenant, b"x")
    (await tickets(tenant, upload, 2)).fails("PART_OUT_OF_RANGE")
    (await tickets(tenant, upload, 0)).fails("INVALID_REQUEST")
    (await tickets(tenant, Upload(name=tenant.name_of("uploads")))).fails("RESOURCE_NOT_FOUND")
    await give_up(tenant, upload)
    (await tickets(tenant, upload, 1)).fails("UPLOAD_NOT_OPEN")


# CompleteUpload


@covers("UploadService.CompleteUpload")
async def test_parts_put_in_any_order_and_twice_become_the_bytes_that_were_promised(tenant: Tenant) -> None:
    content = b"".join(bytes([number]) * PART for number in range(2)) + b"end"
    upload = await start(tenant, content, file_name="jump.mp4", kind=VIDEO, display_name="Jump")
    await tenant.put_parts(upload, bytes(len(content)), [2])
    await tenant.put_parts(upload, content, [3, 2, 1])
    asset = (await complete(tenant, upload)).message
    assert (asset.kind, asset.display_name, asset.size_bytes) == (VIDEO, "Jump", len(content))
    assert await stored(tenant, asset.latest_version) == content
    assert [key async for key in tenant.house.store.list(f"{upload.name}/")] == [], "the parts are freed"
    done = await read(tenant, upload)
    assert (done.state, done.asset, len(done.received_parts)) == (Upload.STATE_COMPLETED, asset.name, 3)
    assert (await complete(tenant, upload)).message == asset, "twice gives the same asset"


async def test_a_file_of_no_bytes_can_be_uploaded(tenant: Tenant) -> None:
    upload = await start(tenant, b"")
    assert upload.part_count == 0
    asset = (await complete(tenant, upload)).message
    assert await stored(tenant, asset.latest_version) == b""


@pytest.mark.parametrize("size_bytes", [1000, 2 * PART + 1])
async def test_an_upload_completed_many_times_at_once_makes_one_version(tenant: Tenant, size_bytes: int) -> None:
    content = bytes(size_bytes)
    upload = await start(tenant, content)
    await tenant.put_parts(upload, content)
    answers = await asyncio.gather(*(complete(tenant, upload) for _ in range(6)))
    assert {answer.message.latest_version for answer in answers} == {f"{answers[0].message.name}/versions/1"}
    assert await stored(tenant, answers[0].message.latest_version) == content
    assert [key async for key in tenant.house.store.list(f"{upload.name}/")] == []


@covers(
    "UploadService.CompleteUpload", "UPLOAD_INCOMPLETE", "CHECKSUM_MISMATCH", "UPLOAD_NOT_OPEN", "RESOURCE_NOT_FOUND"
)
async def test_what_is_not_what_was_promised_makes_no_asset_and_can_be_mended(house: House, tenant: Tenant) -> None:
    content = bytes(PART) + b"end"
    upload = await start(tenant, content)
    assert (await complete(tenant, upload)).fails("UPLOAD_INCOMPLETE").metadata["missing_count"] == "2"
    await tenant.put_parts(upload, content, [1])
    assert (await complete(tenant, upload)).fails("UPLOAD_INCOMPLETE").metadata["first_missing"] == "2"
    await house.store.put(f"{upload.name}/parts/00002", b"en")
    assert (await complete(tenant, upload)).fails("UPLOAD_INCOMPLETE").metadata["part_number"] == "2"
    await house.store.put(f"{upload.name}/parts/00002", b"END")
    error = (await complete(tenant, upload)).fails("CHECKSUM_MISMATCH")
    assert error.metadata["expected_sha256"] == hashlib.sha256(content).hexdigest()
    assert (await read(tenant, upload)).state == Upload.STATE_OPEN
    await tenant.put_parts(upload, content, [2])
    assert (await complete(tenant, upload)).error is None
    other = await start(tenant, b"x")
    await give_up(tenant, other)
    (await complete(tenant, other)).fails("UPLOAD_NOT_OPEN")
    (await complete(tenant, Upload(name=tenant.name_of("uploads")))).fails("RESOURCE_NOT_FOUND")


async def test_two_uploads_to_one_asset_make_two_versions(tenant: Tenant) -> None:
    asset = asset_of(await tenant.upload(b"0"))
    uploads = [await start(tenant, content, asset=asset) for content in (b"1", b"2")]
    for upload, content in zip(uploads, (b"1", b"2"), strict=True):
        await tenant.put_parts(upload, content)
    await asyncio.gather(*(complete(tenant, upload) for upload in uploads))
    assert (await get(tenant, asset)).message.latest_version == f"{asset}/versions/3"
    assert {await stored(tenant, f"{asset}/versions/{number}") for number in (2, 3)} == {b"1", b"2"}


@pytest.mark.parametrize(
    "file_name", ["Übung 1 (final).mp4", "数据.csv", ".hidden", "no ending", "a.b.c.tar.gz", "..."[:1] + "x"]
)
async def test_a_file_may_have_any_name_that_people_give(tenant: Tenant, file_name: str) -> None:
    version = await tenant.upload(b"x", file_name)
    request = asset_service_pb2.GetAssetVersionRequest(name=version)
    answer = await tenant.house.ask("AssetService.GetAssetVersion", request, token=tenant.token)
    assert [file.path for file in answer.message.files] == [file_name]
    assert await stored(tenant, version) == b"x"


# DeleteUpload


@covers("UploadService.DeleteUpload")
@covers("UploadService.DeleteUpload", "UPLOAD_NOT_OPEN", "RESOURCE_NOT_FOUND")
async def test_an_upload_given_up_frees_its_parts(tenant: Tenant) -> None:
    upload = await start(tenant, b"x")
    await tenant.put_parts(upload, b"x")
    assert (await give_up(tenant, upload)).error is None
    assert [key async for key in tenant.house.store.list(f"{upload.name}/")] == []
    assert (await read(tenant, upload)).state == Upload.STATE_ENDED
    (await give_up(tenant, upload)).fails("UPLOAD_NOT_OPEN")
    (await give_up(tenant, Upload(name=tenant.name_of("uploads")))).fails("RESOURCE_NOT_FOUND")


# Retention


async def test_what_is_too_old_goes_by_itself(own_house: House) -> None:
    tenant = await own_house.tenant()
    library = own_house.served("library").app
    superuser = own_house.postgres.superuser(own_house.database)
    old, fresh = await start(tenant, b"x"), await start(tenant, b"x")
    await tenant.put_parts(old, b"x")
    deleted, kept = asset_of(await tenant.upload(b"x")), asset_of(await tenant.upload(b"x", kind=IMAGE))
    for name in (deleted, kept):
        await own_house.ask(
            "AssetService.DeleteAsset", asset_service_pb2.DeleteAssetRequest(name=name), token=tenant.token
        )
    ago = "now() - interval '1 second'"
    await execute(
        superuser, f"UPDATE library.upload SET expire_time = {ago} WHERE upload_id = %s", [old.name.split("/")[-1]]
    )
    await execute(
        superuser, f"UPDATE library.asset SET purge_time = {ago} WHERE asset_id = %s", [deleted.split("/")[-1]]
    )
    (await complete(tenant, old)).fails("UPLOAD_NOT_OPEN")
    task = asyncio.create_task(library.keep_retention())
    try:

        async def is_gone() -> bool:
            return (await get(tenant, deleted)).outcome == "RESOURCE_NOT_FOUND"

        await eventually(is_gone, "the deleted asset is purged", 5)
    finally:
        task.cancel()
    assert (await read(tenant, old)).state == Upload.STATE_ENDED
    assert (await read(tenant, fresh)).state == Upload.STATE_OPEN
    assert (await get(tenant, kept)).message.state == asset_pb2.Asset.STATE_DELETED


async def test_retention_of_two_libraries_at_once_does_not_trip_over_itself(own_house: House) -> None:
    tenant = await own_house.tenant()
    library = own_house.served("library").app
    superuser = own_house.postgres.superuser(own_house.database)
    for _ in range(5):
        await start(tenant, b"x")
        name = asset_of(await tenant.upload(b"x"))
        await own_house.ask(
            "AssetService.DeleteAsset", asset_service_pb2.DeleteAssetRequest(name=name), token=tenant.token
        )
    await execute(superuser, "UPDATE library.upload SET expire_time = now() - interval '1 second'")
    await execute(superuser, "UPDATE library.asset SET purge_time = now() - interval '1 second'")
    ended = await asyncio.gather(*(library.uploads.end_expired(100) for _ in range(3)))
    assert sum(ended) == 5
    purged = await asyncio.gather(*(library.assets.purge_expired(100) for _ in range(3)))
    assert sum(purged) == 5
