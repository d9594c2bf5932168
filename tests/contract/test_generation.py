"""Worlds from photos and from words: what is accepted, and what is refused at once."""

from __future__ import annotations

import uuid

from generation_service.adapters.jobs import PREVIEW_PATH
from praxiscope.generation.v1 import generation_service_pb2
from praxiscope.library.v1 import operation_service_pb2
from praxiscope.type.v1 import media_pb2
from tests.contract.test_library_assets import derive
from tests.support.calls import Answer
from tests.support.coverage import covers
from tests.support.house import Tenant

RECONSTRUCT, GENERATE = "GenerationService.ReconstructWorld", "GenerationService.GenerateWorld"
PREVIEW, MESH = "GenerationService.GetPreview", "GenerationService.ExtractMesh"


async def reconstruct(tenant: Tenant, photos: str, path: str = "", **fields: object) -> Answer:
    """Starts a reconstruction."""
    request = generation_service_pb2.ReconstructWorldRequest(
        photos=media_pb2.MediaRef(asset_version=photos, path=path),
        **fields,  # type: ignore[arg-type]
    )
    return await tenant.house.ask(RECONSTRUCT, request, token=tenant.token)


async def generate(tenant: Tenant, **fields: object) -> Answer:
    """Starts making a world from words."""
    request = generation_service_pb2.GenerateWorldRequest(parent=tenant.name, **fields)  # type: ignore[arg-type]
    return await tenant.house.ask(GENERATE, request, token=tenant.token)


async def cancel(tenant: Tenant, operation: str) -> None:
    """Ends what nobody works on."""
    request = operation_service_pb2.CancelOperationRequest(name=operation)
    await tenant.house.ask("OperationService.CancelOperation", request, token=tenant.token)


@covers(RECONSTRUCT)
@covers(GENERATE)
async def test_what_is_accepted_is_an_operation_that_says_what_it_is_about(tenant: Tenant) -> None:
    photos = await tenant.upload(b"PK", "photos.zip")
    for answer, target in (
        (await reconstruct(tenant, photos), photos),
        (await generate(tenant, prompt="a lake"), tenant.name),
    ):
        operation = answer.message
        assert operation.name.startswith(f"{tenant.name}/operations/")
        assert not operation.done
        request = operation_service_pb2.GetOperationRequest(name=operation.name)
        read = await tenant.house.ask("OperationService.GetOperation", request, token=tenant.token)
        assert target in str(read.message.metadata) or target in read.message.metadata.value.decode("utf-8", "replace")
        await cancel(tenant, operation.name)


@covers(RECONSTRUCT, "RESOURCE_NOT_FOUND", "FILE_NOT_FOUND", "FILE_PATH_NEEDED")
async def test_only_photos_that_are_there_are_taken(tenant: Tenant, stranger: Tenant) -> None:
    several = await derive(tenant, {"a.zip": b"PK", "b.zip": b"PK"})
    for photos, path, reason in (
        (await stranger.upload(b"PK", "photos.zip"), "", "RESOURCE_NOT_FOUND"),
        (f"{tenant.name_of('assets')}/versions/latest", "", "RESOURCE_NOT_FOUND"),
        (several, "", "FILE_PATH_NEEDED"),
        (several, "c.zip", "FILE_NOT_FOUND"),
    ):
        (await reconstruct(tenant, photos, path)).fails(reason)


@covers(GENERATE, "UNKNOWN_MODEL")
async def test_a_model_that_is_not_here_is_said_to_be(tenant: Tenant) -> None:
    error = (await generate(tenant, model="marble")).fails("UNKNOWN_MODEL")
    assert "procedural" in error.message


@covers(RECONSTRUCT, "REQUEST_ID_REUSED")
@covers(GENERATE, "REQUEST_ID_REUSED")
async def test_a_repeated_request_is_accepted_once(tenant: Tenant) -> None:
    photos, request_id = await tenant.upload(b"PK", "photos.zip"), str(uuid.uuid4())
    first = (await reconstruct(tenant, photos, request_id=request_id)).message
    assert (await reconstruct(tenant, photos, request_id=request_id)).message.name == first.name
    (await reconstruct(tenant, photos, seed=7, request_id=request_id)).fails("REQUEST_ID_REUSED")
    await cancel(tenant, first.name)
    made = (await generate(tenant, prompt="a lake", request_id=request_id)).message
    assert (await generate(tenant, prompt="a lake", request_id=request_id)).message.name == made.name
    (await generate(tenant, prompt="a hill", request_id=request_id)).fails("REQUEST_ID_REUSED")
    await cancel(tenant, made.name)


async def preview(tenant: Tenant, operation: str) -> Answer:
    """Asks for a reconstruction's preview."""
    request = generation_service_pb2.GetPreviewRequest(operation=operation)
    return await tenant.house.ask(PREVIEW, request, token=tenant.token)


@covers(PREVIEW)
@covers(PREVIEW, "PREVIEW_NOT_READY")
async def test_a_preview_is_there_once_the_training_has_drawn_one(tenant: Tenant) -> None:
    operation = (await reconstruct(tenant, await tenant.upload(b"PK", "photos.zip"))).message.name
    (await preview(tenant, operation)).fails("PREVIEW_NOT_READY")
    await tenant.house.store.put(f"{operation}/{PREVIEW_PATH}", b"a picture")  # as the worker does
    assert (await preview(tenant, operation)).message.content == b"a picture"
    await cancel(tenant, operation)


@covers(PREVIEW, "RESOURCE_NOT_FOUND")
async def test_only_reconstructions_of_the_project_have_previews(tenant: Tenant, stranger: Tenant) -> None:
    generated = (await generate(tenant, prompt="a lake")).message.name
    for operation in (generated, tenant.name_of("operations"), stranger.name_of("operations")):
        (await preview(tenant, operation)).fails("RESOURCE_NOT_FOUND")
    await cancel(tenant, generated)


async def extract(tenant: Tenant, world: str, **fields: object) -> Answer:
    """Starts extracting a world's surface."""
    request = generation_service_pb2.ExtractMeshRequest(world=world, **fields)  # type: ignore[arg-type]
    return await tenant.house.ask(MESH, request, token=tenant.token)


@covers(MESH)
@covers(MESH, "REQUEST_ID_REUSED")
async def test_a_surface_is_extracted_once_however_often_it_is_asked_for(tenant: Tenant) -> None:
    world = await derive(tenant, {"world.ply": b"ply"})
    request_id = str(uuid.uuid4())
    first = (await extract(tenant, world, request_id=request_id)).message
    assert not first.done
    assert (await extract(tenant, world, request_id=request_id)).message.name == first.name
    (await extract(tenant, world, voxel_count=32, request_id=request_id)).fails("REQUEST_ID_REUSED")
    await cancel(tenant, first.name)


@covers(MESH, "RESOURCE_NOT_FOUND", "FILE_NOT_FOUND")
async def test_only_worlds_that_are_there_have_surfaces(tenant: Tenant, stranger: Tenant) -> None:
    for world, reason in (
        (await derive(stranger, {"world.ply": b"ply"}), "RESOURCE_NOT_FOUND"),
        (f"{tenant.name_of('assets')}/versions/latest", "RESOURCE_NOT_FOUND"),
        (await derive(tenant, {"a.txt": b"", "b.txt": b""}), "FILE_NOT_FOUND"),
    ):
        (await extract(tenant, world)).fails(reason)
