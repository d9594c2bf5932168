"""Assets: read, listed, changed, deleted, brought back, purged, fetched, and what they were made from."""

from __future__ import annotations

import hashlib
import itertools
import time
import uuid

import jwt
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from praxiscope.library.v1 import asset_pb2, asset_service_pb2, media_service_pb2
from praxiscope.type.v1 import media_pb2
from tests.support.calls import Answer
from tests.support.coverage import covers
from tests.support.house import FILE, IMAGE, VIDEO, House, Tenant, claims_of
from tests.support.paging import check_paging


def asset_of(version: str) -> str:
    """Returns the name of the asset that a version belongs to."""
    return version.rpartition("/versions/")[0]


async def get(tenant: Tenant, name: str) -> Answer:
    """Reads an asset."""
    request = asset_service_pb2.GetAssetRequest(name=name)
    return await tenant.house.ask("AssetService.GetAsset", request, token=tenant.token)


async def update(tenant: Tenant, name: str, *paths: str, **fields: object) -> Answer:
    """Changes an asset."""
    request = asset_service_pb2.UpdateAssetRequest(
        asset=asset_pb2.Asset(name=name, **fields), update_mask=FieldMask(paths=paths) if paths else None
    )
    return await tenant.house.ask("AssetService.UpdateAsset", request, token=tenant.token)


async def delete(tenant: Tenant, name: str, etag: str = "") -> Answer:
    """Deletes an asset."""
    request = asset_service_pb2.DeleteAssetRequest(name=name, etag=etag)
    return await tenant.house.ask("AssetService.DeleteAsset", request, token=tenant.token)


async def undelete(tenant: Tenant, name: str) -> Answer:
    """Takes a deletion back."""
    request = asset_service_pb2.UndeleteAssetRequest(name=name)
    return await tenant.house.ask("AssetService.UndeleteAsset", request, token=tenant.token)


async def purge(tenant: Tenant, name: str) -> Answer:
    """Removes an asset for good."""
    request = asset_service_pb2.PurgeAssetRequest(name=name)
    return await tenant.house.ask("AssetService.PurgeAsset", request, token=tenant.token)


async def listed(tenant: Tenant, filter_text: str = "", *, show_deleted: bool = False) -> list[str]:
    """Returns the names of a project's assets that pass a filter."""
    request = asset_service_pb2.ListAssetsRequest(parent=tenant.name, filter=filter_text, show_deleted=show_deleted)
    answer = await tenant.house.ask("AssetService.ListAssets", request, token=tenant.token)
    return [asset.name for asset in answer.message.assets]


async def derive(tenant: Tenant, paths: dict[str, bytes], *, sources: list[str] | None = None) -> str:
    """Makes an asset of several files as a service does; returns its version's name."""
    operation = tenant.name_of("operations")
    objects = []
    for path, content in paths.items():
        info = await tenant.house.store.put(f"{operation}/partial/out/{path}", content)
        objects.append(
            media_service_pb2.CreateDerivedAssetRequest.Object(
                path=path,
                content_type="text/plain",
                object_key=info.key,
                sha256=info.sha256,
                size_bytes=info.size_bytes,
            )
        )
    request = media_service_pb2.CreateDerivedAssetRequest(
        parent=tenant.name,
        kind=FILE,
        objects=objects,
        sources=sources or [],
        operation=operation,
        request_id=str(uuid.uuid4()),
    )
    token = tenant.service_token("biomechanics", operation)
    return str((await tenant.house.ask("MediaService.CreateDerivedAsset", request, token=token)).message.name)


# Get, List


@covers("AssetService.GetAsset")
async def test_an_asset_says_what_it_is(tenant: Tenant) -> None:
    before_s = time.time()
    version = await tenant.upload(b"\x00" * 10, "jump.mp4", VIDEO)
    asset = (await get(tenant, asset_of(version))).message
    assert (asset.kind, asset.display_name, asset.size_bytes, asset.creator) == (VIDEO, "jump.mp4", 10, tenant.subject)
    assert (asset.state, asset.latest_version) == (asset_pb2.Asset.STATE_ACTIVE, version)
    assert before_s - 5 < asset.create_time.ToSeconds() <= asset.update_time.ToSeconds() < time.time() + 5
    assert asset.etag
    assert not asset.HasField("delete_time")


@covers("AssetService.GetAsset", "RESOURCE_NOT_FOUND")
async def test_an_asset_that_is_being_uploaded_is_not_there_yet(tenant: Tenant) -> None:
    (await get(tenant, tenant.name_of("assets"))).fails("RESOURCE_NOT_FOUND")


@covers("AssetService.ListAssets")
@covers("AssetService.ListAssets", "INVALID_PAGE_TOKEN")
async def test_assets_are_listed_page_by_page_newest_first(house: House, tenant: Tenant, stranger: Tenant) -> None:
    made = [asset_of(await tenant.upload(b"x", f"{number}.txt")) for number in range(5)]

    async def page(size: int, token: str) -> Answer:
        request = asset_service_pb2.ListAssetsRequest(parent=tenant.name, page_size=size, page_token=token)
        return await house.ask("AssetService.ListAssets", request, token=tenant.token)

    async def others(token: str) -> Answer:
        request = asset_service_pb2.ListAssetsRequest(parent=stranger.name, page_token=token)
        return await house.ask("AssetService.ListAssets", request, token=stranger.token)

    assert [asset.name for asset in await check_paging(page, "assets", foreign=others)] == made[::-1]
    first = (await page(2, "")).message
    other_filter = asset_service_pb2.ListAssetsRequest(
        parent=tenant.name, page_token=first.next_page_token, filter="kind = KIND_FILE"
    )
    (await house.ask("AssetService.ListAssets", other_filter, token=tenant.token)).fails("INVALID_PAGE_TOKEN")


async def test_filters_find_what_they_say(tenant: Tenant) -> None:
    jump = asset_of(await tenant.upload(b"x", "Big_Jump 100%.mp4", VIDEO))
    squat = asset_of(await tenant.upload(b"x", "squat.mp4", VIDEO))
    photo = asset_of(await tenant.upload(b"x", "photo.png", IMAGE))
    await update(tenant, jump, labels={"person": "ada", "take": "2"})
    await update(tenant, squat, labels={"person": "bob"}, display_name='say "hi"')
    created = (await get(tenant, squat)).message.create_time.ToJsonString()
    for filter_text, expected in {
        "kind = KIND_VIDEO": {jump, squat},
        "kind != KIND_VIDEO": {photo},
        'display_name : "big_jump"': {jump},
        'display_name : "bigxjump"': set(),  # `_` is no wildcard
        'display_name : "100%"': {jump},
        'display_name : "1%"': set(),  # nor is `%`
        'display_name = "photo.png"': {photo},
        r'display_name = "say \"hi\""': {squat},
        "labels.person = ada": {jump},
        "labels.person != ada": {squat, photo},
        "labels.person : *": {jump, squat},
        "labels.person : b": {squat},
        "kind = KIND_VIDEO AND labels.take : *": {jump},
        f'create_time < "{created}"': {jump},
        f'create_time >= "{created}"': {squat, photo},
    }.items():
        assert set(await listed(tenant, filter_text)) == expected, filter_text


@covers("AssetService.ListAssets", "INVALID_FILTER")
@pytest.mark.parametrize(
    "filter_text",
    [
        "nonsense",
        "kind",
        "kind =",
        "kind = KIND_VIDEO OR kind = KIND_FILE",
        "kind = KIND_VIDEO AND",
        "kind > KIND_VIDEO",
        "size = 5",
        'create_time < "yesterday"',
        'create_time < "2026-01-31T12:00:00"',
        "labels. = x",
        "'; DROP TABLE library.asset; --",
        'display_name : "unclosed',
    ],
)
async def test_a_filter_that_cannot_be_understood_is_refused_with_the_place(
    house: House, tenant: Tenant, filter_text: str
) -> None:
    request = asset_service_pb2.ListAssetsRequest(parent=tenant.name, filter=filter_text)
    error = (await house.ask("AssetService.ListAssets", request, token=tenant.token)).fails("INVALID_FILTER")
    assert 1 <= int(error.metadata["position"]) <= len(filter_text) + 1


async def test_text_that_cannot_be_stored_is_the_callers_mistake(house: House, tenant: Tenant) -> None:
    asset = asset_of(await tenant.upload(b"x"))
    for answer in (
        await update(tenant, asset, display_name="a\x00b"),
        await update(tenant, asset, labels={"person": "a\x00b"}),
        await house.ask(
            "AssetService.ListAssets",
            asset_service_pb2.ListAssetsRequest(parent=tenant.name, filter='display_name = "a\x00b"'),
            token=tenant.token,
        ),
    ):
        answer.fails("INVALID_REQUEST")


# Update


@covers("AssetService.UpdateAsset")
async def test_only_what_the_mask_names_is_changed(tenant: Tenant) -> None:
    name = asset_of(await tenant.upload(b"x", "a.txt"))
    changed = (await update(tenant, name, "labels", labels={"a": "1"}, display_name="ignored")).message
    assert (changed.display_name, dict(changed.labels)) == ("a.txt", {"a": "1"})
    changed = (await update(tenant, name, display_name="New")).message
    assert (changed.display_name, dict(changed.labels)) == ("New", {"a": "1"}), "no mask means what is set"
    changed = (await update(tenant, name, "display_name", "labels")).message
    assert (changed.display_name, dict(changed.labels)) == ("", {})


@covers("AssetService.UpdateAsset", "ETAG_MISMATCH", "INVALID_UPDATE_MASK", "RESOURCE_NOT_FOUND")
async def test_a_stale_etag_and_a_mask_of_what_cannot_change_are_refused(tenant: Tenant) -> None:
    name = asset_of(await tenant.upload(b"x", "a.txt"))
    read = (await get(tenant, name)).message
    changed = (await update(tenant, name, display_name="One", etag=read.etag)).message
    assert changed.etag != read.etag
    (await update(tenant, name, display_name="Two", etag=read.etag)).fails("ETAG_MISMATCH")
    (await update(tenant, name, "kind", kind=VIDEO)).fails("INVALID_UPDATE_MASK")
    (await update(tenant, name, "display_name", "etag", display_name="Two")).fails("INVALID_UPDATE_MASK")
    assert (await get(tenant, name)).message.display_name == "One"
    (await update(tenant, tenant.name_of("assets"), display_name="Two")).fails("RESOURCE_NOT_FOUND")


@pytest.mark.parametrize(
    "labels", [{"Capital": "x"}, {"1": "x"}, {"a" * 64: "x"}, {"a": "x" * 201}, {f"k{i}": "" for i in range(65)}]
)
async def test_labels_keep_to_their_form(tenant: Tenant, labels: dict[str, str]) -> None:
    name = asset_of(await tenant.upload(b"x"))
    (await update(tenant, name, labels=labels)).fails("INVALID_REQUEST")


# Delete, Undelete, Purge


@covers("AssetService.DeleteAsset")
@covers("AssetService.UndeleteAsset")
async def test_a_deleted_asset_is_kept_for_thirty_days_and_can_be_brought_back(tenant: Tenant) -> None:
    version = await tenant.upload(b"x")
    name = asset_of(version)
    deleted = (await delete(tenant, name)).message
    assert deleted.state == asset_pb2.Asset.STATE_DELETED
    assert deleted.purge_time.ToSeconds() - deleted.delete_time.ToSeconds() == 30 * 86400
    assert (await delete(tenant, name)).message.purge_time == deleted.purge_time, "twice changes nothing"
    assert name not in await listed(tenant)
    assert name in await listed(tenant, show_deleted=True)
    request = asset_service_pb2.GetAssetVersionRequest(name=version)
    answer = await tenant.house.ask("AssetService.GetAssetVersion", request, token=tenant.token)
    answer.fails("RESOURCE_NOT_FOUND")
    back = (await undelete(tenant, name)).message
    assert back.state == asset_pb2.Asset.STATE_ACTIVE
    assert not back.HasField("purge_time")
    assert (await tenant.house.ask("AssetService.GetAssetVersion", request, token=tenant.token)).error is None


@covers("AssetService.DeleteAsset", "ETAG_MISMATCH", "RESOURCE_NOT_FOUND")
@covers("AssetService.UndeleteAsset", "ASSET_NOT_DELETED", "RESOURCE_NOT_FOUND")
@covers("AssetService.PurgeAsset", "ASSET_NOT_DELETED", "RESOURCE_NOT_FOUND")
async def test_only_the_asset_that_was_read_is_deleted_and_only_a_deleted_one_is_purged(tenant: Tenant) -> None:
    name = asset_of(await tenant.upload(b"x"))
    (await delete(tenant, name, etag='"0"')).fails("ETAG_MISMATCH")
    (await undelete(tenant, name)).fails("ASSET_NOT_DELETED")
    (await purge(tenant, name)).fails("ASSET_NOT_DELETED")
    for ask in (delete, undelete, purge):
        (await ask(tenant, tenant.name_of("assets"))).fails("RESOURCE_NOT_FOUND")
    assert (await delete(tenant, name, etag=(await get(tenant, name)).message.etag)).error is None


@covers("AssetService.PurgeAsset")
async def test_a_purged_asset_leaves_no_byte(tenant: Tenant) -> None:
    name = asset_of(await tenant.upload(b"x", "a.txt"))
    await tenant.upload(b"y", "a.txt", asset=name)
    keys = [key async for key in tenant.house.store.list(f"{name}/")]
    assert len(keys) == 2
    await delete(tenant, name)
    assert (await purge(tenant, name)).error is None
    assert [key async for key in tenant.house.store.list(f"{name}/")] == []
    (await get(tenant, name)).fails("RESOURCE_NOT_FOUND")
    (await undelete(tenant, name)).fails("RESOURCE_NOT_FOUND")


# Versions


@covers("AssetService.GetAssetVersion")
@covers("AssetService.GetAssetVersion", "RESOURCE_NOT_FOUND")
async def test_a_version_never_changes_and_latest_is_the_newest(house: House, tenant: Tenant) -> None:
    first = await tenant.upload(b"one", "a.txt")
    asset = asset_of(first)

    async def read(number: str) -> Answer:
        request = asset_service_pb2.GetAssetVersionRequest(name=f"{asset}/versions/{number}")
        return await house.ask("AssetService.GetAssetVersion", request, token=tenant.token)

    before = (await read("1")).message
    second = await tenant.upload(b"two", "b.txt", asset=asset)
    assert second == f"{asset}/versions/2"
    assert (await read("1")).message == before
    assert (await read("latest")).message == (await read("2")).message
    assert [(file.path, file.size_bytes, file.sha256) for file in before.files] == [
        ("a.txt", 3, hashlib.sha256(b"one").hexdigest())
    ]
    (await read("3")).fails("RESOURCE_NOT_FOUND")
    (await read("0")).fails("RESOURCE_NOT_FOUND")
    (await read("999999999")).fails("RESOURCE_NOT_FOUND")


@covers("AssetService.ListAssetVersions")
@covers("AssetService.ListAssetVersions", "INVALID_PAGE_TOKEN", "RESOURCE_NOT_FOUND")
async def test_versions_are_listed_page_by_page(house: House, tenant: Tenant, stranger: Tenant) -> None:
    asset = asset_of(await tenant.upload(b"1"))
    other = asset_of(await tenant.upload(b"1"))
    for number in range(4):
        await tenant.upload(bytes(number + 2), asset=asset)

    async def page(size: int, token: str) -> Answer:
        request = asset_service_pb2.ListAssetVersionsRequest(parent=asset, page_size=size, page_token=token)
        return await house.ask("AssetService.ListAssetVersions", request, token=tenant.token)

    async def others(token: str) -> Answer:
        request = asset_service_pb2.ListAssetVersionsRequest(parent=other, page_token=token)
        return await house.ask("AssetService.ListAssetVersions", request, token=tenant.token)

    names_ = [version.name for version in await check_paging(page, "versions", foreign=others)]
    assert names_ == [f"{asset}/versions/{number}" for number in (5, 4, 3, 2, 1)]
    request = asset_service_pb2.ListAssetVersionsRequest(parent=asset)
    (await house.ask("AssetService.ListAssetVersions", request, token=stranger.token)).fails("RESOURCE_NOT_FOUND")


# Lineage


@covers("AssetService.GetLineage")
@covers("AssetService.GetLineage", "RESOURCE_NOT_FOUND")
async def test_lineage_goes_both_ways_as_deep_as_was_asked(house: House, tenant: Tenant) -> None:
    chain = [await tenant.upload(b"video")]
    for step in range(3):
        chain.append(await derive(tenant, {"a.txt": bytes([step])}, sources=[chain[-1]]))
    beside = await derive(tenant, {"a.txt": b"beside"}, sources=[chain[1]])
    steps = [*itertools.pairwise(chain)]

    async def edges(name: str, depth: int = 0) -> set[tuple[str, str]]:
        request = asset_service_pb2.GetLineageRequest(name=name, depth=depth)
        answer = await house.ask("AssetService.GetLineage", request, token=tenant.token)
        assert all(edge.operation.startswith(f"{tenant.name}/operations/") for edge in answer.message.edges)
        return {(edge.source, edge.target) for edge in answer.message.edges}

    assert await edges(chain[0]) == {*steps, (chain[1], beside)}
    assert await edges(chain[3]) == set(steps), "what was made beside it is no relative"
    assert await edges(chain[1], 1) == {steps[0], steps[1], (chain[1], beside)}
    assert await edges(f"{asset_of(chain[3])}/versions/latest") == set(steps)
    request = asset_service_pb2.GetLineageRequest(name=f"{tenant.name_of('assets')}/versions/1")
    (await house.ask("AssetService.GetLineage", request, token=tenant.token)).fails("RESOURCE_NOT_FOUND")


# CreateDownload


async def download(tenant: Tenant, version: str, path: str = "", *, attachment: bool = False) -> Answer:
    """Asks for a signed address."""
    request = asset_service_pb2.CreateDownloadRequest(
        media=media_pb2.MediaRef(asset_version=version, path=path), attachment=attachment
    )
    return await tenant.house.ask("AssetService.CreateDownload", request, token=tenant.token)


def ticket_in(house: House, uri: str) -> dict[str, object]:
    """Returns what a ticket says, whose signature and end are checked with the public key that the gateway holds."""
    path, _, ticket = uri.partition("?ticket=")
    assert path == "/v1/blobs"
    public = house.postgres.secrets.ed25519_key("tickets")[1].read_text()
    return dict(jwt.decode(ticket, public, algorithms=["EdDSA"], options={"require": ["exp"]}))


@covers("AssetService.CreateDownload")
async def test_a_download_is_a_signed_ticket_of_five_minutes_for_one_object(house: House, tenant: Tenant) -> None:
    version = await tenant.upload(b"something", "my jump.mp4", VIDEO)
    answer = (await download(tenant, f"{asset_of(version)}/versions/latest", attachment=True)).message
    said = ticket_in(house, answer.uri)
    assert (said["act"], said["len"], said["typ"], said["nam"], said["att"]) == (
        "get",
        9,
        "video/mp4",
        "my jump.mp4",
        True,
    )
    assert said["sha"] == answer.file.sha256 == hashlib.sha256(b"something").hexdigest()
    assert b"".join([chunk async for chunk in house.store.read(str(said["key"]))]) == b"something"
    assert str(said["key"]).startswith(f"{asset_of(version)}/v1/")
    assert said["exp"] == answer.expire_time.ToSeconds()
    assert 290 <= answer.expire_time.ToSeconds() - time.time() <= 300
    with pytest.raises(jwt.InvalidSignatureError):
        ticket_in(house, answer.uri[:-4] + ("AAAA" if not answer.uri.endswith("AAAA") else "BBBB"))
    assert claims_of(answer.uri.partition("=")[2])["key"] == said["key"]


@covers("AssetService.CreateDownload", "FILE_NOT_FOUND", "FILE_PATH_NEEDED", "RESOURCE_NOT_FOUND")
async def test_a_version_of_several_files_wants_to_know_which(house: House, tenant: Tenant) -> None:
    version = await derive(tenant, {"a.txt": b"a", "deep/b.txt": b"bb"})
    (await download(tenant, version)).fails("FILE_PATH_NEEDED")
    (await download(tenant, version, "c.txt")).fails("FILE_NOT_FOUND")
    (await download(tenant, f"{tenant.name_of('assets')}/versions/1")).fails("RESOURCE_NOT_FOUND")
    answer = (await download(tenant, version, "deep/b.txt")).message
    assert (answer.file.size_bytes, ticket_in(house, answer.uri)["nam"]) == (2, "b.txt")
