"""Worlds, drawn and handed over: single views, flights, other formats."""

from __future__ import annotations

import asyncio
import gzip
import io
import math
import re
import uuid
from pathlib import Path

import av
import cv2
import numpy as np
from google.protobuf.message import Message

from praxiscope.library.v1 import operation_service_pb2
from praxiscope.rendering.v1 import rendering_service_pb2, world_rendering_service_pb2
from praxiscope.type.v1 import geometry_pb2, operation_pb2
from praxiscope_worlds import GaussianWorld, Mesh
from praxiscope_worlds.formats import read_world_file
from tests.contract.test_library_assets import derive
from tests.contract.test_library_uploads import stored
from tests.support.calls import Answer, Client
from tests.support.coverage import covers
from tests.support.house import House, Tenant
from tests.support.meshes import make_ball, make_still_life, make_textured_ball
from tests.support.operations import eventually
from tests.support.world_files import camera_in_front, cameras_file, make_world, world_file

_View = world_rendering_service_pb2.RenderViewRequest
_Export = world_rendering_service_pb2.ExportWorldRequest
_Settings = world_rendering_service_pb2.RenderSettings
_Live = world_rendering_service_pb2.StreamViewRequest
LIVE = "WorldRenderingService.StreamView"
VIEW, TURNTABLE, FLIGHT, PICTURE, EXPORT = (
    f"WorldRenderingService.{name}"
    for name in ("RenderView", "RenderTurntable", "RenderFlight", "RenderPicture", "ExportWorld")
)
# 4096 x 4096 pixels are 65,536 tiles; so many Gaussians that cover all of them are more than the kernels take.
_TOO_MANY_HUGE = 600


async def a_world(tenant: Tenant, content: bytes | None = None) -> str:
    """Makes a world as a reconstruction hands it over; returns its version."""
    ply = world_file(make_world()) if content is None else content
    return await derive(tenant, {"world.ply": ply, "cameras.json": cameras_file(camera_in_front())})


async def view(client: Client, tenant: Tenant, world: str, **fields: object) -> Answer:
    """Asks for one view, a small one unless told."""
    request = _View(world=world, **{"width_px": 96, "height_px": 64, **fields})  # type: ignore[arg-type]
    return await client.ask(VIEW, request, token=tenant.token)


async def start(tenant: Tenant, method: str, world: str, **fields: object) -> Answer:
    """Starts a flight or an export."""
    request: Message
    if method == TURNTABLE:
        request = world_rendering_service_pb2.RenderTurntableRequest(world=world, **fields)  # type: ignore[arg-type]
    elif method == FLIGHT:
        fields = {"waypoints": [{}, {"orbit": {"azimuth_rad": 1.0}}], **fields}
        request = world_rendering_service_pb2.RenderFlightRequest(world=world, **fields)  # type: ignore[arg-type]
    elif method == PICTURE:
        request = world_rendering_service_pb2.RenderPictureRequest(world=world, **fields)  # type: ignore[arg-type]
    else:
        request = _Export(world=world, **{"formats": [_Export.FORMAT_SPZ], **fields})  # type: ignore[arg-type]
    return await tenant.house.ask(method, request, token=tenant.token)


async def done(tenant: Tenant, name: str, response: Message) -> Message:
    """Waits for an operation and returns its response."""
    request = operation_service_pb2.WaitOperationRequest(name=name, timeout={"seconds": 60})
    answer = await tenant.house.ask("OperationService.WaitOperation", request, token=tenant.token, timeout_s=65)
    assert answer.message.response.Unpack(response), answer.message.error
    return response


async def stored_file(tenant: Tenant, version: str, path: str) -> bytes:
    """Returns the bytes of one file of a version."""
    key = f"{version.replace('/versions/', '/v')}/{path}"
    return b"".join([chunk async for chunk in tenant.house.store.read(key)])


def pixels(png: bytes) -> np.ndarray:
    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
    assert picture is not None
    return picture


@covers(VIEW)
async def test_a_view_is_drawn_from_a_circle_from_a_camera_and_from_where_a_picture_was_taken(
    house: House, tenant: Tenant
) -> None:
    world = await a_world(tenant)
    orbit = (await view(house.client, tenant, world)).message
    assert (orbit.width_px, orbit.height_px, orbit.engine) == (96, 64, "splat-cpu")
    assert orbit.engine_reason
    assert len(np.unique(pixels(orbit.content).reshape(-1, 3), axis=0)) > 50
    beside = (await view(house.client, tenant, world, orbit={"azimuth_rad": 1.0})).message
    assert beside.content != orbit.content
    again = (await view(house.client, tenant, world, orbit={"azimuth_rad": math.tau})).message
    assert np.abs(pixels(again.content).astype(int) - pixels(orbit.content)).max() <= 1

    camera = geometry_pb2.PinholeCamera(
        width_px=64, height_px=48, focal_x_px=60, focal_y_px=60, centre_x_px=32, centre_y_px=24
    )
    camera.rotation.x = 1.0  # half a turn about x: looks along -z, y up
    camera.position.z = 3.0
    own = (await view(house.client, tenant, world, camera=camera)).message
    assert (own.width_px, own.height_px) == (64, 48)
    taken = (await view(house.client, tenant, world, picture_index=0)).message
    assert taken.content == own.content


@covers(VIEW)
async def test_depth_and_normals_are_layers_of_the_same_view(house: House, tenant: Tenant) -> None:
    world = await a_world(tenant)
    depth = (await view(house.client, tenant, world, layer=_View.LAYER_DEPTH)).message
    levels = pixels(depth.content)
    assert levels.dtype == np.uint16
    assert levels.shape == (64, 96)
    assert 0 < depth.near_m < depth.far_m < 10
    assert levels[0, 0] == 0, "nothing is in the corner"
    assert levels.max() == 65535
    normal = pixels((await view(house.client, tenant, world, layer=_View.LAYER_NORMAL)).message.content)
    assert normal.shape == (64, 96, 3)


@covers(VIEW)
async def test_whatever_file_of_a_world_was_uploaded_is_drawn(house: House, tenant: Tenant) -> None:
    drawn = [
        pixels((await view(house.client, tenant, await tenant.upload(content, name))).message.content).astype(int)
        for name, content in (
            ("garden.ply", world_file(make_world())),
            ("garden.spz", world_file(make_world(), "spz")),
            ("garden.glb", world_file(make_world(), "glb-gaussians")),
        )
    ]
    for other in drawn[1:]:
        assert np.abs(other - drawn[0]).mean() < 2.0


@covers(VIEW)
async def test_a_world_is_drawn_as_its_description_says_and_a_hostile_one_is_passed_over(
    house: House, tenant: Tenant
) -> None:
    ply, drawn = world_file(make_world(scale_m=0.003)), {}
    for name, description in (
        ("plain", b"{}"),
        ("red", b'{"background_rgb": [1, 0, 0]}'),
        ("antialiased", b'{"is_antialiased": true}'),
        ("no list", b'{"background_rgb": 5}'),
        ("nan", b'{"background_rgb": [NaN, 0, 0]}'),
        ("no json", b"["),
        ("deep", b"[" * 100_000),
        ("other", b'"text"'),
    ):
        world = await derive(tenant, {"world.ply": ply, "world.json": description})
        drawn[name] = pixels((await view(house.client, tenant, world)).message.content)
    assert drawn["red"][0, 0].tolist() == [0, 0, 255], "OpenCV reads blue first"
    assert drawn["antialiased"].sum() < drawn["plain"].sum(), "small Gaussians do not grow brighter"
    for name in ("no list", "nan", "no json", "deep", "other"):
        np.testing.assert_array_equal(drawn[name], drawn["plain"])


@covers(VIEW, "RESOURCE_NOT_FOUND", "FILE_NOT_FOUND")
@covers(TURNTABLE, "RESOURCE_NOT_FOUND", "FILE_NOT_FOUND")
@covers(FLIGHT, "RESOURCE_NOT_FOUND", "FILE_NOT_FOUND")
@covers(PICTURE, "RESOURCE_NOT_FOUND", "FILE_NOT_FOUND")
@covers(EXPORT, "RESOURCE_NOT_FOUND", "FILE_NOT_FOUND")
async def test_only_a_world_that_is_there_is_drawn(house: House, tenant: Tenant, stranger: Tenant) -> None:
    for name, reason in (
        (await a_world(stranger), "RESOURCE_NOT_FOUND"),
        (f"{tenant.name_of('assets')}/versions/latest", "RESOURCE_NOT_FOUND"),
        (await derive(tenant, {"a.txt": b"a", "b.txt": b"b"}), "FILE_NOT_FOUND"),
    ):
        (await view(house.client, tenant, name)).fails(reason)
        (await start(tenant, TURNTABLE, name)).fails(reason)
        (await start(tenant, FLIGHT, name)).fails(reason)
        (await start(tenant, PICTURE, name)).fails(reason)
        (await start(tenant, EXPORT, name)).fails(reason)


@covers(
    VIEW,
    "INVALID_WORLD_FILE",
    "UNKNOWN_WORLD_FORMAT",
    "WORLD_FILE_TOO_LARGE",
    "WORLD_NOT_DRAWABLE",
    "WORLD_TOO_DENSE",
)
async def test_what_is_no_world_that_can_be_drawn_is_said_to_be(house: House, tenant: Tenant) -> None:
    ply = world_file(make_world())
    spz_header = b"NGSP" + (3).to_bytes(4, "little") + (30_000_000).to_bytes(4, "little") + bytes(4)
    no_faces = Mesh(vertices_m=np.eye(3, dtype=np.float32), faces=np.zeros((0, 3), np.int32))
    huge = world_file(make_world(_TOO_MANY_HUGE, scale_m=50.0))
    for name, content, reason in (
        ("cut.ply", ply[:-10], "INVALID_WORLD_FILE"),
        ("notes.txt", b"hello", "UNKNOWN_WORLD_FORMAT"),
        ("bomb.spz", gzip.compress(spz_header), "WORLD_FILE_TOO_LARGE"),
        ("mesh.glb", world_file(no_faces, "glb"), "WORLD_NOT_DRAWABLE"),
        ("nothing.ply", world_file(make_world(0)), "WORLD_NOT_DRAWABLE"),
        ("huge.ply", huge, "WORLD_TOO_DENSE"),
    ):
        world = await tenant.upload(content, name)
        (await view(house.client, tenant, world, width_px=4096, height_px=4096)).fails(reason)


@covers(VIEW, "INVALID_VIEW", "PICTURE_NOT_FOUND")
async def test_a_view_that_is_none_is_refused(house: House, tenant: Tenant) -> None:
    world = await a_world(tenant)
    camera = geometry_pb2.PinholeCamera(width_px=64, height_px=48, focal_x_px=60, focal_y_px=60)
    camera.rotation.SetInParent()
    camera.position.SetInParent()
    (await view(house.client, tenant, world, camera=camera)).fails("INVALID_VIEW")
    (await view(house.client, tenant, world, orbit={"azimuth_rad": math.inf})).fails("INVALID_VIEW")
    (await view(house.client, tenant, world, picture_index=1)).fails("PICTURE_NOT_FOUND")
    uploaded = await tenant.upload(world_file(make_world()), "garden.ply")
    (await view(house.client, tenant, uploaded, picture_index=0)).fails("PICTURE_NOT_FOUND")


@covers(VIEW, "STILL_TOO_LARGE", "QUEUE_FULL")
async def test_pictures_too_large_and_too_many_are_refused(house: House, tenant: Tenant) -> None:
    world = await a_world(tenant, world_file(make_world(60_000, scale_m=0.002)))
    (await view(house.client, tenant, world, width_px=4096, height_px=4096)).fails("STILL_TOO_LARGE")
    async with house.serve("rendering", {"MAX_STILLS": "1"}) as small:
        answers = await asyncio.gather(*(view(small.client, tenant, world, width_px=640) for _ in range(6)))
    assert {answer.outcome for answer in answers} == {"OK", "QUEUE_FULL"}


def live_start(world: str, **fields: object) -> _Live:
    """Starts a stream of small pictures unless told."""
    return _Live(start=_Live.Start(world=world, **{"width_px": 96, "height_px": 64, **fields}))  # type: ignore[arg-type]


def pose(number: int, **fields: object) -> _Live:
    return _Live(pose=_Live.Pose(number=number, **fields))  # type: ignore[arg-type]


@covers(LIVE)
async def test_a_stream_draws_the_newest_pose_and_the_last_one_in_full(house: House, tenant: Tenant) -> None:
    world = await a_world(tenant, world_file(make_world(20_000, scale_m=0.02)))
    size = {"width_px": 640, "height_px": 480}
    poses = [pose(number, orbit={"azimuth_rad": 0.1 * number}) for number in range(40)]
    asked = [live_start(world, frame_time_ms=1, encoding=_Live.ENCODING_PNG, **size), *poses]
    frames = (await house.ask(LIVE, asked, token=tenant.token)).messages
    *coarse, full = frames
    assert (full.pose_number, full.is_full, full.scale, full.gaussian_share) == (39, True, 1.0, 1.0)
    assert coarse[-1].pose_number == 39
    assert sum(frame.dropped_pose_count for frame in frames) == 40 - len(coarse), "each pose was drawn or counted"
    assert len(coarse) < 40
    assert [frame.pose_number for frame in coarse] == sorted({frame.pose_number for frame in coarse})
    assert coarse[-1].scale < 1.0, "a millisecond is not enough for more"
    assert coarse[-1].width_px == round(640 * coarse[-1].scale)
    assert pixels(full.content).shape == (480, 640, 3)
    still = (await view(house.client, tenant, world, orbit={"azimuth_rad": 3.9}, **size)).message
    assert np.abs(pixels(full.content).astype(int) - pixels(still.content)).max() <= 1


@covers(LIVE)
async def test_a_stream_takes_cameras_and_writes_jpegs(house: House, tenant: Tenant) -> None:
    world = await a_world(tenant)
    camera = geometry_pb2.PinholeCamera(
        width_px=64, height_px=48, focal_x_px=60, focal_y_px=60, centre_x_px=32, centre_y_px=24
    )
    camera.rotation.x = 1.0
    camera.position.z = 3.0
    asked = [live_start(world, frame_time_ms=10_000), pose(7, camera=camera)]
    frames = (await house.ask(LIVE, asked, token=tenant.token)).messages
    assert [frame.pose_number for frame in frames] == [7, 7]
    assert {frame.content_type for frame in frames} == {"image/jpeg"}
    assert (frames[-1].width_px, frames[-1].height_px, frames[-1].is_full) == (64, 48, True)
    own = pixels((await view(house.client, tenant, world, camera=camera)).message.content).astype(int)
    assert np.abs(pixels(frames[-1].content) - own).mean() < 15


@covers(LIVE, "STREAM_START_NEEDED", "INVALID_VIEW")
async def test_a_stream_that_is_not_as_agreed_is_ended(house: House, tenant: Tenant) -> None:
    world = await a_world(tenant)
    huge = geometry_pb2.PinholeCamera(
        width_px=4000, height_px=4000, focal_x_px=60, focal_y_px=60, centre_x_px=32, centre_y_px=24
    )
    huge.rotation.w = 1.0
    huge.position.z = 3.0
    for messages, reason in (
        ([pose(1)], "STREAM_START_NEEDED"),
        ([live_start(world), live_start(world)], "STREAM_START_NEEDED"),
        ([live_start(world), pose(1, orbit={"azimuth_rad": math.nan})], "INVALID_VIEW"),
        ([live_start(world), pose(1, camera=huge)], "INVALID_VIEW"),
    ):
        (await house.ask(LIVE, messages, token=tenant.token)).fails(reason)


@covers(LIVE, "RESOURCE_NOT_FOUND", "FILE_NOT_FOUND", "INVALID_WORLD_FILE", "UNKNOWN_WORLD_FORMAT")
@covers(LIVE, "WORLD_FILE_TOO_LARGE", "WORLD_NOT_DRAWABLE", "WORLD_TOO_DENSE")
async def test_a_stream_of_what_is_no_world_is_refused(house: House, tenant: Tenant, stranger: Tenant) -> None:
    spz_header = b"NGSP" + (3).to_bytes(4, "little") + (30_000_000).to_bytes(4, "little") + bytes(4)
    huge = world_file(make_world(20_000, scale_m=500.0))
    for world, reason in (
        (await a_world(stranger), "RESOURCE_NOT_FOUND"),
        (await derive(tenant, {"a.txt": b"a", "b.txt": b"b"}), "FILE_NOT_FOUND"),
        (await tenant.upload(world_file(make_world())[:-10], "cut.ply"), "INVALID_WORLD_FILE"),
        (await tenant.upload(b"hello", "notes.txt"), "UNKNOWN_WORLD_FORMAT"),
        (await tenant.upload(gzip.compress(spz_header), "bomb.spz"), "WORLD_FILE_TOO_LARGE"),
        (await tenant.upload(world_file(make_ball(), "glb"), "ball.glb"), "WORLD_NOT_DRAWABLE"),
        (await tenant.upload(huge, "huge.ply"), "WORLD_TOO_DENSE"),
    ):
        asked = [live_start(world, width_px=1920, height_px=1200), pose(1)]
        (await house.ask(LIVE, asked, token=tenant.token)).fails(reason)


@covers(LIVE, "KERNELS_MISSING", "QUEUE_FULL")
async def test_streams_are_few_and_need_kernels(house: House, tenant: Tenant, tmp_path: Path) -> None:
    world = await a_world(tenant)
    async with house.serve("rendering", {"KERNELS_FOLDER": str(tmp_path)}) as bare:
        (await bare.client.ask(LIVE, [live_start(world), pose(1)], token=tenant.token)).fails("KERNELS_MISSING")
    async with house.serve("rendering", {"MAX_STREAMS": "1"}) as small:
        call = small.client.stub(LIVE)(timeout=20, metadata=(("authorization", f"Bearer {tenant.token}"),))
        await call.write(live_start(world))
        await call.write(pose(1))
        assert (await call.read()).pose_number == 1
        error = (await small.client.ask(LIVE, [live_start(world), pose(1)], token=tenant.token)).fails("QUEUE_FULL")
        assert error.retry_after_s
        call.cancel()


@covers(VIEW, "KERNELS_MISSING")
async def test_without_kernels_only_what_needs_them_is_refused(house: House, tenant: Tenant, tmp_path: Path) -> None:
    world = await a_world(tenant)
    async with house.serve("rendering", {"KERNELS_FOLDER": str(tmp_path)}) as bare:
        error = (await view(bare.client, tenant, world)).fails("KERNELS_MISSING")
    assert "g++" in error.message


@covers(VIEW)
async def test_a_mesh_is_drawn_by_the_engine_that_suits_it_and_the_answer_says_which_and_why(
    house: House, tenant: Tenant
) -> None:
    mesh = await tenant.upload(world_file(make_still_life(), "glb"), "still.glb")
    drawn = {}
    for name, settings, layer in (
        ("raster", {}, 0),
        ("depth", {}, _View.LAYER_DEPTH),
        ("normals", {}, _View.LAYER_NORMAL),
        ("lit", {"lighting": _Settings.LIGHTING_DAYLIGHT, "has_ground": True}, 0),
        ("traced", {"engine": _Settings.ENGINE_PATH_TRACING, "sample_count": 8, "has_ground": True}, 0),
        ("high", {"quality": _Settings.QUALITY_HIGH}, 0),
        ("evening", {"sample_count": 4, "sun": {"azimuth_rad": 2.0, "elevation_rad": 0.2}}, 0),
    ):
        drawn[name] = (await view(house.client, tenant, mesh, layer=layer, settings=settings)).message
    engines = {name: answer.engine for name, answer in drawn.items()}
    assert engines["raster"] == engines["depth"] == engines["normals"] == engines["lit"] == "mesh-gl"
    assert engines["traced"] == engines["high"] == engines["evening"] == "path-llvm"
    assert "LLVM" in drawn["traced"].engine_reason
    assert "OpenGL" in drawn["raster"].engine_reason
    assert 0 < drawn["depth"].near_m < drawn["depth"].far_m < 20
    assert pixels(drawn["depth"].content).dtype == np.uint16
    assert len({answer.content for answer in drawn.values()}) == len(drawn)


@covers(VIEW)
async def test_a_mesh_looks_the_same_out_of_every_format(house: House, tenant: Tenant) -> None:
    pictures = []
    for name, content in (
        ("ball.glb", world_file(make_ball(), "glb")),
        ("ball.ply", world_file(make_ball(), "mesh-ply")),
        ("ball.usda", world_file(make_ball(), "usda")),
        ("ball.obj", world_file(make_ball(), "obj")),
    ):
        answer = (await view(house.client, tenant, await tenant.upload(content, name))).message
        assert answer.engine == "mesh-gl"
        pictures.append(pixels(answer.content).astype(int))
    for other in pictures[1:]:
        assert np.abs(other - pictures[0]).mean() < 1.0
    textured = await tenant.upload(world_file(make_textured_ball(), "glb"), "textured.glb")
    assert len(np.unique(pixels((await view(house.client, tenant, textured)).message.content))) > 50


@covers(VIEW, "ENGINE_UNSUITED")
async def test_paths_are_traced_between_a_worlds_own_surfaces_where_it_has_any(house: House, tenant: Tenant) -> None:
    paths = {"engine": _Settings.ENGINE_PATH_TRACING, "sample_count": 2}
    both = {"world.ply": world_file(make_world()), "scene.glb": world_file(make_ball(), "glb")}
    world = await derive(tenant, both)
    answer = (await view(house.client, tenant, world, settings=paths)).message
    assert answer.engine == "path-llvm"
    assert "surfaces" in answer.engine_reason
    part = (await view(house.client, tenant, world, settings={"path": "scene.glb"})).message
    assert part.engine == "mesh-gl"
    assert (await view(house.client, tenant, world)).message.engine == "splat-cpu"

    gaussians, mesh = await a_world(tenant), await tenant.upload(both["scene.glb"], "ball.glb")
    error = (await view(house.client, tenant, gaussians, settings=paths)).fails("ENGINE_UNSUITED")
    assert "mesh" in error.message
    raster, splats = ({"engine": engine} for engine in (_Settings.ENGINE_MESH_RASTER, _Settings.ENGINE_SPLAT_RASTER))
    (await view(house.client, tenant, gaussians, settings=raster)).fails("ENGINE_UNSUITED")
    (await view(house.client, tenant, mesh, settings=splats)).fails("ENGINE_UNSUITED")


@covers(VIEW, "ENGINE_UNAVAILABLE", "VIEW_TOO_COSTLY", "MESH_TOO_LARGE", "ENGINE_TIMEOUT")
async def test_what_an_engine_cannot_or_may_not_do_is_said(house: House, tenant: Tenant) -> None:
    mesh = await tenant.upload(world_file(make_ball(), "glb"), "ball.glb")
    paths = {"engine": _Settings.ENGINE_PATH_TRACING, "sample_count": 64}
    (await view(house.client, tenant, mesh, settings=paths, width_px=4096, height_px=4096)).fails("VIEW_TOO_COSTLY")
    async with house.serve("rendering", {"MESH_ENGINES": "raster"}) as without:
        error = (await view(without.client, tenant, mesh, settings=paths)).fails("ENGINE_UNAVAILABLE")
    assert "switched off" in error.message
    async with house.serve("rendering", {"MAX_ENGINE_MEMORY_MIB": "200"}) as small:
        (await view(small.client, tenant, mesh)).fails("MESH_TOO_LARGE")
    async with house.serve("rendering", {"VIEW_TIMEOUT_S": "0.1"}) as hasty:
        (await view(hasty.client, tenant, mesh)).fails("ENGINE_TIMEOUT")


@covers(TURNTABLE)
async def test_a_flight_around_a_mesh_is_traced_and_can_be_cancelled(tenant: Tenant) -> None:
    mesh = await tenant.upload(world_file(make_still_life(), "glb"), "still.glb")
    paths = {"engine": _Settings.ENGINE_PATH_TRACING, "sample_count": 4, "has_ground": True}
    codec = rendering_service_pb2.RenderOverlayRequest.CODEC_VP9
    async with tenant.house.work("rendering"):
        fields = {"frame_count": 4, "width_px": 96, "height_px": 64, "codec": codec, "settings": paths}
        started = (await start(tenant, TURNTABLE, mesh, **fields)).message
        response = await done(tenant, started.name, world_rendering_service_pb2.RenderTurntableResponse())
        assert (response.frame_count, response.engine) == (4, "path-llvm")
        assert response.engine_reason

        endless = {**fields, "frame_count": 3600, "settings": {**paths, "sample_count": 64}}
        started = (await start(tenant, TURNTABLE, mesh, **endless)).message

        async def has_frames() -> bool:
            reading = operation_service_pb2.GetOperationRequest(name=started.name)
            answer = (await tenant.house.ask("OperationService.GetOperation", reading, token=tenant.token)).message
            metadata = operation_pb2.OperationMetadata()
            answer.metadata.Unpack(metadata)
            return not answer.done and re.match(r"[1-9]\d* frames drawn", metadata.message) is not None

        await eventually(has_frames, "frames are drawn", 60)
        cancelling = operation_service_pb2.CancelOperationRequest(name=started.name)
        await tenant.house.ask("OperationService.CancelOperation", cancelling, token=tenant.token)
        request = operation_service_pb2.WaitOperationRequest(name=started.name, timeout={"seconds": 30})
        answer = await tenant.house.ask("OperationService.WaitOperation", request, token=tenant.token, timeout_s=35)
        assert answer.message.done


@covers(TURNTABLE)
async def test_a_flight_goes_around_once(tenant: Tenant) -> None:
    world = await a_world(tenant)
    codec = rendering_service_pb2.RenderOverlayRequest.CODEC_VP9
    async with tenant.house.work("rendering"):
        fields = {"frame_count": 8, "width_px": 97, "height_px": 64, "codec": codec}
        started = (await start(tenant, TURNTABLE, world, **fields)).message
        response = await done(tenant, started.name, world_rendering_service_pb2.RenderTurntableResponse())
    assert response.frame_count == 8
    with av.open(io.BytesIO(await stored(tenant, response.asset_version))) as opened:
        frames = [frame.to_ndarray(format="rgb24").astype(int) for frame in opened.decode(video=0)]
    assert len(frames) == 8
    assert frames[0].shape == (64, 96, 3)
    differences = [np.abs(frame - frames[0]).mean() for frame in frames]
    assert differences[4] > differences[0]


@covers(FLIGHT)
async def test_a_flight_passes_through_views_of_every_kind(house: House, tenant: Tenant) -> None:
    world = await a_world(tenant)
    codec = rendering_service_pb2.RenderOverlayRequest.CODEC_VP9
    own = geometry_pb2.PinholeCamera(
        width_px=128, height_px=128, focal_x_px=120, focal_y_px=120, centre_x_px=64, centre_y_px=64
    )
    own.rotation.x, own.position.z = 1.0, 4.0
    turned = {"azimuth_rad": 0.8}
    waypoints = [{"picture_index": 0}, {"camera": own}, {"orbit": turned}, {"orbit": turned}]
    waypoints = [{**point, "time_offset": {"seconds": 2 + index}} for index, point in enumerate(waypoints)]
    size = {"width_px": 192, "height_px": 128}
    async with tenant.house.work("rendering"):
        fields = {"waypoints": waypoints, "frame_rate_hz": 4, "codec": codec, **size}
        started = (await start(tenant, FLIGHT, world, **fields)).message
        response = await done(tenant, started.name, world_rendering_service_pb2.RenderFlightResponse())
        missing = (await start(tenant, FLIGHT, world, waypoints=[{}, {"picture_index": 7}], **size)).message
        request = operation_service_pb2.WaitOperationRequest(name=missing.name, timeout={"seconds": 60})
        ended = (await tenant.house.ask("OperationService.WaitOperation", request, token=tenant.token)).message
        assert "picture" in ended.error.message
    assert (response.frame_count, response.engine) == (13, "splat-cpu")
    with av.open(io.BytesIO(await stored_file(tenant, response.asset_version, "flight.mp4"))) as opened:
        frames = [frame.to_ndarray(format="rgb24").astype(int) for frame in opened.decode(video=0)]
    assert len(frames) == 13
    stills = [
        pixels((await view(house.client, tenant, world, **question)).message.content)[..., ::-1].astype(int)
        for question in ({"camera": own}, {"orbit": turned, "width_px": 192, "height_px": 128})
    ]
    # A square camera in a wider video: its middle is what it saw.
    middle = slice(32, 160)
    by_camera, by_orbit = frames[4][:, middle], frames[8][:, middle]
    wanted = [stills[0], stills[1][:, middle]]
    errors = np.array([[np.abs(frame - still).mean() for still in wanted] for frame in (by_camera, by_orbit)])
    assert errors.diagonal().max() < 0.25 * np.fliplr(errors).diagonal().min(), errors
    assert np.abs(frames[8] - frames[10]).mean() < errors.max() / 20, "twice the same view is a rest"


@covers(FLIGHT, "INVALID_FLIGHT", "INVALID_VIEW")
async def test_a_flight_that_is_none_is_refused(tenant: Tenant) -> None:
    world = await a_world(tenant)
    camera = geometry_pb2.PinholeCamera(width_px=64, height_px=48, focal_x_px=60, focal_y_px=60)
    camera.position.z, camera.rotation.w = 1.0, 0.0
    back = [{"time_offset": {"seconds": seconds}} for seconds in (0, 2, 1)]
    long = [{}, {"time_offset": {"seconds": 121}}]
    for fields, reason in (
        ({"waypoints": [{}]}, "INVALID_REQUEST"),
        ({"waypoints": back}, "INVALID_FLIGHT"),
        ({"waypoints": long}, "INVALID_FLIGHT"),
        ({"waypoints": [{}, {"camera": camera}]}, "INVALID_VIEW"),
    ):
        (await start(tenant, FLIGHT, world, **fields)).fails(reason)


@covers(PICTURE)
async def test_a_picture_larger_than_an_answer_is_drawn_part_by_part(tenant: Tenant) -> None:
    world, mesh = await a_world(tenant), await tenant.upload(world_file(make_ball(), "glb"), "ball.glb")
    wanted: tuple[tuple[str, dict[str, object], tuple[int, ...], str], ...] = (
        (mesh, {"width_px": 9000, "height_px": 600}, (600, 9000, 3), "mesh-gl"),
        (mesh, {"width_px": 200, "height_px": 90, "layer": _View.LAYER_DEPTH}, (90, 200), "mesh-gl"),
        (world, {"picture_index": 0, "width_px": 640}, (480, 640, 3), "splat-cpu"),
        (world, {"panorama_position": {"z": 2.0}, "width_px": 256}, (128, 256, 3), "splat-cpu"),
        (mesh, {"panorama_position": {"z": 2.0}, "width_px": 256}, (128, 256, 3), "mesh-gl"),
    )
    async with tenant.house.work("rendering"):
        for name, fields, shape, engine in wanted:
            started = (await start(tenant, PICTURE, name, **fields)).message
            response = await done(tenant, started.name, world_rendering_service_pb2.RenderPictureResponse())
            picture = pixels(await stored_file(tenant, response.asset_version, "picture.png"))
            assert picture.shape == shape
            assert (response.height_px, response.width_px) == shape[:2]
            assert response.engine == engine
            assert picture.std() > 1
            if "layer" in fields:
                assert 0 < response.near_m < response.far_m
                assert picture.dtype == np.uint16


@covers(EXPORT)
async def test_a_world_is_the_same_in_every_format(tenant: Tenant) -> None:
    world = await a_world(tenant)
    formats = [value for value in _Export.Format.values() if value]
    async with tenant.house.work("rendering"):
        started = (await start(tenant, EXPORT, world, formats=formats)).message
        response = await done(tenant, started.name, world_rendering_service_pb2.ExportWorldResponse())
    names = ["world.ply", "world.compressed.ply", "world.splat", "world.spz", "world.glb", "world.usda"]
    assert list(response.paths) == names
    expected = np.sort(make_world().means_m, axis=0)
    for path in response.paths:
        content = read_world_file(await stored_file(tenant, response.asset_version, path), filename=path).content
        assert isinstance(content, GaussianWorld)
        np.testing.assert_allclose(np.sort(content.means_m, axis=0), expected, atol=5e-3)


@covers(TURNTABLE, "REQUEST_ID_REUSED")
@covers(FLIGHT, "REQUEST_ID_REUSED")
@covers(PICTURE, "REQUEST_ID_REUSED")
@covers(EXPORT, "REQUEST_ID_REUSED")
async def test_a_repeated_request_is_done_once(tenant: Tenant) -> None:
    worlds = [await a_world(tenant), await a_world(tenant)]
    for method in (TURNTABLE, FLIGHT, PICTURE, EXPORT):
        request_id = str(uuid.uuid4())
        first = (await start(tenant, method, worlds[0], request_id=request_id)).message
        assert (await start(tenant, method, worlds[0], request_id=request_id)).message.name == first.name
        (await start(tenant, method, worlds[1], request_id=request_id)).fails("REQUEST_ID_REUSED")
        cancelling = operation_service_pb2.CancelOperationRequest(name=first.name)
        await tenant.house.ask("OperationService.CancelOperation", cancelling, token=tenant.token)
