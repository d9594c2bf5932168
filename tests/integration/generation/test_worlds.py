"""Worlds made for real: photos through COLMAP and the training to a world, words to a world, and a worker that is killed on the way."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from google.protobuf.message import Message
from scipy.spatial import cKDTree

from generation_service.adapters.posed_pictures import read_posed
from generation_service.adapters.structure_from_motion import PosesNotFoundError
from generation_service.api.convert import training_config_from
from generation_service.core.capture import split_pictures
from generation_service.core.procedural.attributes import attributes_from_words
from generation_service.core.procedural.scene import make_scene, orbit
from generation_service.core.trainer import start_training
from praxiscope.generation.v1 import generation_service_pb2
from praxiscope.library.v1 import asset_service_pb2, operation_service_pb2
from praxiscope.type.v1 import media_pb2, operation_pb2
from praxiscope_worlds import GaussianWorld, Mesh
from praxiscope_worlds.formats import read_world_file, write_world_file
from praxiscope_worlds.kernels import CpuKernels
from tests.support.house import House, Tenant
from tests.support.operations import eventually
from tests.support.photos import take_photos
from tools.devstack.settings import CHECKOUT

pytestmark = [pytest.mark.timeout(600), pytest.mark.xdist_group("generation")]

KERNELS = CHECKOUT / ".praxiscope" / "kernels"
IMAGE_SET = 3
PHOTO_COUNT = 16
_Reconstruct = generation_service_pb2.ReconstructWorldRequest


@pytest.fixture(scope="module")
def photos() -> dict[str, bytes]:
    """Photos around the middle of a landscape of our own."""
    return take_photos(KERNELS, count=PHOTO_COUNT)


def packed(files: dict[str, bytes]) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        for name, content in files.items():
            opened.writestr(name, content)
    return archive.getvalue()


async def reconstruct(tenant: Tenant, files: dict[str, bytes], **fields: object) -> str:
    """Starts a small reconstruction; returns its operation's name."""
    version = await tenant.upload(packed(files), "photos.zip", IMAGE_SET)
    request = _Reconstruct(
        photos=media_pb2.MediaRef(asset_version=version),
        **{"quality": _Reconstruct.QUALITY_DRAFT, "max_gaussian_count": 4000, "long_side_px": 240, "seed": 1, **fields},  # type: ignore[arg-type]
    )
    return str((await tenant.house.ask("GenerationService.ReconstructWorld", request, token=tenant.token)).message.name)


async def read_operation(tenant: Tenant, name: str) -> tuple[Message, operation_pb2.OperationMetadata]:
    request = operation_service_pb2.GetOperationRequest(name=name)
    message = (await tenant.house.ask("OperationService.GetOperation", request, token=tenant.token)).message
    metadata = operation_pb2.OperationMetadata()
    message.metadata.Unpack(metadata)
    return message, metadata


async def finished(tenant: Tenant, name: str, response: Message, patience_s: float = 400) -> Message:
    """Waits for an operation's end and returns its response."""

    async def look() -> Message | None:
        operation, _ = await read_operation(tenant, name)
        return operation if operation.done else None

    operation = await eventually(look, f"{name} is done", patience_s)
    assert operation.response.Unpack(response), operation.error
    return response


async def file_of(tenant: Tenant, version: str, path: str) -> bytes:
    key = f"{version.replace('/versions/', '/v')}/{path}"
    return b"".join([chunk async for chunk in tenant.house.store.read(key)])


@contextlib.asynccontextmanager
async def worker_process(house: House, log: Path) -> AsyncIterator[subprocess.Popen[bytes]]:
    """A worker as a process of its own, that saves its work every half second."""
    environment = house.process_environment("generation", {"CHECKPOINT_PERIOD_S": "0.5", "METRICS_PORT": "0"})
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "generation_service", "work"],
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


async def test_photos_become_a_world_that_meets_pictures_it_was_not_made_from(
    house: House, tenant: Tenant, photos: dict[str, bytes]
) -> None:
    grey = cv2.imencode(".png", np.full((240, 360, 3), 128, np.uint8))[1].tobytes()
    files = {**photos, "again.jpg": photos["03.jpg"], "notes.txt": b"not a photo", "blank.png": grey}
    async with house.work("generation"):
        name = await reconstruct(tenant, files)
        response = await finished(tenant, name, generation_service_pb2.ReconstructWorldResponse())
    assert response.placed_picture_count == PHOTO_COUNT
    assert response.picture_count == PHOTO_COUNT + 1, "the blank one is a picture that could not be placed"
    left_out = {item.name: item.reason for item in response.left_out}
    assert set(left_out) == {"again.jpg", "notes.txt", "blank.png"} or set(left_out) == {
        "03.jpg",
        "notes.txt",
        "blank.png",
    }
    assert response.quality.picture_count == 2
    assert response.quality.corrected_psnr_db > 20.0
    world = read_world_file(await file_of(tenant, response.asset_version, "world.ply")).content
    small = read_world_file(await file_of(tenant, response.asset_version, "world.spz")).content
    assert isinstance(world, GaussianWorld)
    assert len(world) == len(small) == response.gaussian_count <= 4000  # type: ignore[arg-type]
    cameras = json.loads(await file_of(tenant, response.asset_version, "cameras.json"))
    assert [camera["name"] for camera in cameras] == sorted(photos)
    assert max(cameras[0]["width_px"], cameras[0]["height_px"]) == 240
    described = json.loads(await file_of(tenant, response.asset_version, "world.json"))
    assert described["held_out"] == ["00.jpg", "08.jpg"]
    assert described["has_scale"] is False
    assert (await file_of(tenant, response.asset_version, "thumbnail.png")).startswith(b"\x89PNG")
    request = asset_service_pb2.GetLineageRequest(name=response.asset_version)
    lineage = (await house.ask("AssetService.GetLineage", request, token=tenant.token)).message
    assert [edge.target for edge in lineage.edges] == [response.asset_version]


async def test_photos_that_bring_their_poses_become_a_world_and_show_it_on_the_way(
    house: House, tenant: Tenant, photos: dict[str, bytes]
) -> None:
    scene = make_scene(attributes_from_words("two houses, trees, grass, flat, clear noon"), seed=4)
    to_nerf = np.array([[1.0, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
    frames = [
        {
            "file_path": f"images/{index:02}.jpg",
            "transform_matrix": (to_nerf @ camera.world_from_camera @ np.diag([1.0, -1, -1, 1])).tolist(),
            "w": camera.width_px,
            "h": camera.height_px,
            "fl_x": camera.focal_px[0],
            "fl_y": camera.focal_px[1],
            "cx": camera.centre_px[0],
            "cy": camera.centre_px[1],
        }
        for index, camera in enumerate(orbit(scene, count=PHOTO_COUNT * 2, width_px=360, height_px=240)[:PHOTO_COUNT])
    ]
    files = {f"images/{name}": content for name, content in photos.items()}
    files["transforms.json"] = json.dumps({"frames": frames}).encode()

    async with house.work("generation"):
        name = await reconstruct(tenant, files, pose_source=_Reconstruct.POSE_SOURCE_ARCHIVE)

        async def look() -> bytes | None:
            request = generation_service_pb2.GetPreviewRequest(operation=name)
            answer = await house.ask("GenerationService.GetPreview", request, token=tenant.token)
            return answer.message.content if answer.error is None else None

        preview = await eventually(look, f"{name} shows something", 60)
        response = await finished(tenant, name, generation_service_pb2.ReconstructWorldResponse())
    picture = cv2.imdecode(np.frombuffer(preview, np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == (160, 240, 3)
    assert picture.std() > 10, "something is to be seen"
    assert response.placed_picture_count == response.picture_count == PHOTO_COUNT
    assert not response.left_out
    assert response.quality.corrected_psnr_db > 20.0
    cameras = json.loads(await file_of(tenant, response.asset_version, "cameras.json"))
    np.testing.assert_allclose(
        cameras[3]["world_from_camera"],
        orbit(scene, count=PHOTO_COUNT * 2, width_px=360, height_px=240)[3].world_from_camera,
        atol=1e-6,
    )


async def test_a_world_does_not_depend_on_whether_its_worker_was_killed(
    own_house: House, photos: dict[str, bytes], tmp_path: Path
) -> None:
    """The same pictures in the same places, trained in one go, give the same world to the byte."""
    tenant = await own_house.tenant()
    log = tmp_path / "worker.log"
    async with worker_process(own_house, log):
        name = await reconstruct(tenant, photos)

        async def is_on_its_way() -> bool:
            operation, metadata = await read_operation(tenant, name)
            assert not operation.done, operation.error
            return any(stage.name == "train" and stage.progress >= 0.4 for stage in metadata.stages)

        await eventually(is_on_its_way, "the training is on its way", 300)  # leaving the block kills the worker
    async with worker_process(own_house, log):
        response = await finished(tenant, name, generation_service_pb2.ReconstructWorldResponse())
    _, metadata = await read_operation(tenant, name)
    assert metadata.attempt_count == 2
    elapsed_s = {stage.name: stage.elapsed_s for stage in metadata.stages}
    assert elapsed_s["poses"] < 3.0, "the poses were not looked for again"

    stored = [chunk async for chunk in own_house.store.read(f"{name}/partial/state/posed.zip")]
    pictures = read_posed(io.BytesIO(b"".join(stored)))
    views = [pictures.views[index] for index in split_pictures(len(pictures.views)).train]
    config, _ = training_config_from(
        _Reconstruct(quality=_Reconstruct.QUALITY_DRAFT, max_gaussian_count=4000, long_side_px=240)
    )
    trainer = start_training(CpuKernels(KERNELS, thread_count=2), views, pictures.points, config, seed=1)
    while not trainer.is_done:
        trainer.step()
    expected = b"".join(write_world_file(trainer.world(), format_name="ply"))
    assert await file_of(tenant, response.asset_version, "world.ply") == expected


async def test_photos_that_show_nothing_in_common_fail_with_how_many_were_placed_and_why(
    house: House, tenant: Tenant
) -> None:
    random = np.random.default_rng(0)
    files = {
        f"{index}.png": cv2.imencode(".png", random.integers(0, 256, (120, 160, 3), np.uint8))[1].tobytes()
        for index in range(5)
    }
    async with house.work("generation"):
        name = await reconstruct(tenant, files)

        async def look() -> Message | None:
            operation, _ = await read_operation(tenant, name)
            return operation if operation.done else None

        operation = await eventually(look, "it ended", 120)
        assert PosesNotFoundError.reason in str(operation.error)
        assert "of 5" in operation.error.message or "0 of" in operation.error.message
        few = await reconstruct(tenant, dict(list(files.items())[:2]))

        async def look_again() -> Message | None:
            other, _ = await read_operation(tenant, few)
            return other if other.done else None

        assert "TOO_FEW_PHOTOS" in str((await eventually(look_again, "it ended", 60)).error)


async def test_words_become_the_same_world_every_time(house: House, tenant: Tenant) -> None:
    async with house.work("generation"):
        worlds = []
        for _ in range(2):
            request = generation_service_pb2.GenerateWorldRequest(
                parent=tenant.name, prompt="a snowy village at night, no lake", seed=5, gaussian_count=5000
            )
            started = (await house.ask("GenerationService.GenerateWorld", request, token=tenant.token)).message
            worlds.append(await finished(tenant, started.name, generation_service_pb2.GenerateWorldResponse()))
    first, second = worlds
    assert first.gaussian_count == 5000
    assert "Snowy" in first.caption
    assert "night" in first.caption
    assert "no lake" in first.caption
    assert await file_of(tenant, first.asset_version, "world.ply") == await file_of(
        tenant, second.asset_version, "world.ply"
    )
    described = json.loads(await file_of(tenant, first.asset_version, "world.json"))
    assert described["attributes"]["ground"] == "snow"
    assert len(described["background_rgb"]) == 3
    scene = read_world_file(await file_of(tenant, first.asset_version, "scene.glb")).content
    assert len(scene.faces) > 1000  # type: ignore[union-attr]

    async with house.work("generation"):
        request = generation_service_pb2.ExtractMeshRequest(
            world=first.asset_version, voxel_count=48, collider_face_count=500
        )
        started = (await house.ask("GenerationService.ExtractMesh", request, token=tenant.token)).message
        surface = await finished(tenant, started.name, generation_service_pb2.ExtractMeshResponse())
    mesh = read_world_file(await file_of(tenant, surface.asset_version, "mesh.glb")).content
    coarse = read_world_file(await file_of(tenant, surface.asset_version, "collider.glb")).content
    assert isinstance(mesh, Mesh)
    assert isinstance(coarse, Mesh)
    assert len(mesh.faces) == surface.face_count > 500
    assert len(coarse.faces) == surface.collider_face_count <= 550
    assert mesh.colors_rgb is not None
    # The surface lies where the scene's own does: most of its corners within two voxels of one of the scene's.
    assert isinstance(scene, Mesh)
    distances_m, _ = cKDTree(_points_on(scene)).query(mesh.vertices_m)
    assert np.median(distances_m) < 2 * surface.voxel_m


def _points_on(mesh: Mesh) -> np.ndarray:
    """Points spread over a mesh, by area."""
    random = np.random.default_rng(0)
    a, b, c = (mesh.vertices_m[mesh.faces[:, corner]].astype(np.float64) for corner in range(3))
    areas = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    picked = random.choice(len(areas), 60_000, p=areas / areas.sum())
    u, v = random.uniform(size=(2, 60_000, 1))
    u, v = np.where(u + v > 1, 1 - u, u), np.where(u + v > 1, 1 - v, v)
    return a[picked] + u * (b - a)[picked] + v * (c - a)[picked]


async def test_a_reconstruction_that_is_cancelled_ends_and_leaves_no_program_behind(
    house: House, tenant: Tenant, photos: dict[str, bytes]
) -> None:
    async with house.work("generation"):
        name = await reconstruct(tenant, photos)

        async def is_running() -> bool:
            return bool(_colmaps())

        await eventually(is_running, "COLMAP runs", 60)
        request = operation_service_pb2.CancelOperationRequest(name=name)
        await house.ask("OperationService.CancelOperation", request, token=tenant.token)

        async def look() -> bool:
            operation, metadata = await read_operation(tenant, name)
            return bool(operation.done and metadata.state == operation_pb2.OperationMetadata.STATE_CANCELLED)

        await eventually(look, "it is cancelled", 30)

        async def is_gone() -> bool:
            return not _colmaps()

        await eventually(is_gone, "COLMAP is gone", 15)


def _colmaps() -> list[str]:
    """Processes of this one's that look for poses."""
    children = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    numbers = [number for path in children for number in path.read_text().split()]
    commands = [Path(f"/proc/{number}/cmdline") for number in numbers]
    return [str(path) for path in commands if path.exists() and b"colmap_program" in path.read_bytes()]
