"""Tools of others open our files and read the same numbers: plyfile, trimesh, pygltflib, usd-core, PlayCanvas's splat-transform."""

from __future__ import annotations

import csv
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pygltflib
import pytest
import trimesh
from pxr import Usd, UsdGeom, UsdShade, UsdVol

from praxiscope_worlds import SH_C0, GaussianWorld
from praxiscope_worlds.formats import FORMATS, read_world_file, turned_harmonics, write_world_file
from praxiscope_worlds.formats._colors import srgb_of
from tests.unit.worlds.worlds_made import covariances, decode, make_mesh, make_world, unit
from tools.devstack.settings import CHECKOUT

_SPLAT_TRANSFORM = (
    CHECKOUT / ".praxiscope" / "outside" / "node_modules" / "@playcanvas" / "splat-transform" / "bin" / "cli.mjs"
)
_WORLD = make_world(400, degree=3)
# Half a turn about x, between our frame and that of 3DGS's files.
_TURN = np.array([1.0, -1.0, -1.0])


def _write(folder: Path, content: object, name: str) -> Path:
    path = folder / f"world{FORMATS[name].extension}"
    path.write_bytes(b"".join(write_world_file(content, format_name=name)))  # pyright: ignore[reportArgumentType]
    return path


def _splat_transform(*arguments: str | Path) -> None:
    """Runs the tool from npm; where the machine has no Node, set-up has put one beside it."""
    node = shutil.which("node") or str(CHECKOUT / ".praxiscope" / "node" / "bin" / "node")
    done = subprocess.run(
        [node, str(_SPLAT_TRANSFORM), "-w", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _table(path: Path) -> dict[str, np.ndarray]:
    with path.open(newline="") as file:
        names, *rows = list(csv.reader(file))
    return dict(zip(names, np.array(rows, np.float64).T, strict=True))


def _columns(table: dict[str, np.ndarray], prefix: str, count: int) -> np.ndarray:
    return np.stack([table[f"{prefix}{i}"] for i in range(count)], axis=1)


# Largest errors: centres, extents' logarithms, opacities, first and other coefficients; half a step of each format (see test_gaussian_files.py).
@pytest.mark.parametrize(
    ("name", "mean", "scale", "opacity", "first", "rest"),
    [
        ("ply", 0, 0, 1e-6, 0, 1e-9),
        ("splat", 0, 1e-6, 0.5 / 255 + 1e-6, 0.5 / 255 / SH_C0 + 1e-5, None),
        ("spz", 0.5 / 4096 + 1e-6, 0.5 / 16 + 1e-6, 0.5 / 255 + 1e-6, 0.5 / 255 / 0.15 + 1e-5, 8.5 / 128 + 1e-5),
        ("compressed-ply", 0.5 * 20 / 1023, 0.5 * 6.1 / 1023, 0.5 / 255 + 1e-6, 0.5 * 1.2 / 255 + 1e-5, 8 / 256),
    ],
)
def test_splat_transform_reads_what_we_wrote(
    tmp_path: Path, name: str, mean: float, scale: float, opacity: float, first: float, rest: float | None
) -> None:
    path = _write(tmp_path, _WORLD, name)
    _splat_transform(path, tmp_path / "read.csv")
    table = _table(tmp_path / "read.csv")
    # It hands .spz over in the frame of .ply, as we write both: the two agree in what is up and in what is left.
    means = np.stack([table[axis] for axis in "xyz"], axis=1) * _TURN
    order = np.argmin(np.linalg.norm(means[:, None] - _WORLD.means_m[None], axis=2), axis=1)
    assert sorted(order) == list(range(400))
    assert np.abs(means - _WORLD.means_m[order]).max() <= mean
    assert np.abs(_columns(table, "scale_", 3) - _WORLD.log_scales[order]).max() <= scale
    quaternions = unit(_columns(table, "rot_", 4)) * [1, 1, -1, -1]
    cosines = np.abs(np.einsum("ij,ij->i", quaternions, unit(_WORLD.quaternions_wxyz)[order]))
    assert (1 - cosines).max() < 2e-4
    logits = _WORLD.opacity_logits[order].astype(np.float64)
    assert np.abs(1 / (1 + np.exp(-table["opacity"])) - 1 / (1 + np.exp(-logits))).max() <= opacity
    assert np.abs(_columns(table, "f_dc_", 3) - _WORLD.sh[order][:, 0]).max() <= first
    if rest is not None:
        found = _columns(table, "f_rest_", 45).reshape(-1, 3, 15).transpose(0, 2, 1)
        turn = turned_harmonics(np.diag(_TURN), degree=3)[1:, 1:]
        assert np.abs(np.einsum("kl,nlc->nkc", turn, found) - _WORLD.sh[order][:, 1:]).max() <= rest


@pytest.mark.parametrize("ending", [".spz", ".compressed.ply", ".glb"])
def test_we_read_what_splat_transform_wrote(tmp_path: Path, ending: str) -> None:
    path = _write(tmp_path, _WORLD, "ply")
    target = tmp_path / f"theirs{ending}"
    _splat_transform(*(["--spz-version", "3"] if ending == ".spz" else []), path, target)
    found = read_world_file(target.read_bytes()).content
    assert isinstance(found, GaussianWorld)
    # Theirs takes .ply as turned about z to glTF, ours about x: both put y up, and they differ by half a turn about y.
    turn = np.diag([-1.0, 1.0, -1.0]) if ending == ".glb" else np.eye(3)
    means = _WORLD.means_m @ turn.T
    order = np.argmin(np.linalg.norm(found.means_m[:, None] - means[None], axis=2), axis=1)
    assert sorted(order) == list(range(400))
    assert np.abs(found.means_m - means[order]).max() < 0.011
    assert np.abs(found.log_scales - _WORLD.log_scales[order]).max() < 0.5 / 16 + 1e-6
    sh = np.einsum("kl,nlc->nkc", turned_harmonics(turn, degree=3), _WORLD.sh[order])
    assert np.abs(found.sh - sh).max() < 8.5 / 128 + 1e-5
    shapes = turn @ covariances(_WORLD)[order] @ turn.T
    difference = np.linalg.norm(covariances(found) - shapes, axis=(1, 2)) / np.linalg.norm(shapes, axis=(1, 2))
    assert difference.max() < 0.09


def test_ply_spz_and_glb_agree_in_our_frame() -> None:
    worlds = []
    for name in ("ply", "spz", "glb-gaussians"):
        content = read_world_file(b"".join(write_world_file(_WORLD, format_name=name))).content
        assert isinstance(content, GaussianWorld)
        worlds.append(content)
    for world in worlds[1:]:
        assert np.abs(world.means_m - worlds[0].means_m).max() < 1 / 4096
        assert np.abs(world.sh - worlds[0].sh).max() < 8.5 / 128


def _plyfile(source: Path, target: Path, *, byte_order: str = "<") -> dict[str, np.ndarray]:
    """Lets plyfile read a file and write it again; returns the columns that it read, by element and property."""
    program = (
        "import sys, numpy, plyfile\n"
        "data = plyfile.PlyData.read(sys.argv[1])\n"
        "columns = {f'{e.name} {p.name}': e[p.name] for e in data.elements for p in e.properties}\n"
        "numpy.savez(sys.argv[2] + '.npz', **{k: numpy.stack(v) if v.dtype == object else v for k, v in columns.items()})\n"
        "plyfile.PlyData(list(data.elements), byte_order=sys.argv[3]).write(sys.argv[2])\n"
    )
    python = CHECKOUT / ".venv-outside" / "bin" / "python"
    done = subprocess.run(
        [str(python), "-c", program, str(source), str(target), byte_order],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    with np.load(f"{target}.npz") as found:
        return dict(found)


def test_plyfile_reads_gaussians_and_meshes(tmp_path: Path) -> None:
    found = _plyfile(_write(tmp_path, _WORLD, "ply"), tmp_path / "theirs.ply")
    assert np.array_equal(found["vertex x"], _WORLD.means_m[:, 0])
    assert np.array_equal(found["vertex y"], -_WORLD.means_m[:, 1])
    assert np.array_equal(found["vertex scale_2"], _WORLD.log_scales[:, 2])
    assert np.array_equal(found["vertex opacity"], _WORLD.opacity_logits)
    mesh = make_mesh()
    found = _plyfile(_write(tmp_path, mesh, "mesh-ply"), tmp_path / "theirs.ply")
    assert np.array_equal(found["face vertex_indices"], mesh.faces)
    assert np.array_equal(found["vertex red"], mesh.colors_rgb[:, 0])  # pyright: ignore[reportOptionalSubscript]


def test_plyfile_reads_compressed_ply_and_we_read_what_plyfile_wrote(tmp_path: Path) -> None:
    found = _plyfile(_write(tmp_path, _WORLD, "compressed-ply"), tmp_path / "theirs.ply")
    assert {name.split()[0] for name in found} == {"chunk", "vertex", "sh"}
    _plyfile(_write(tmp_path, _WORLD, "ply"), tmp_path / "theirs.ply", byte_order=">")  # the other byte order
    world = read_world_file((tmp_path / "theirs.ply").read_bytes()).content
    assert isinstance(world, GaussianWorld)
    assert np.array_equal(world.means_m, _WORLD.means_m)
    assert np.array_equal(world.sh, _WORLD.sh)


def test_pygltflib_reads_the_numbers_of_gaussians(tmp_path: Path) -> None:
    gltf = pygltflib.GLTF2().load(str(_write(tmp_path, _WORLD, "glb-gaussians")))
    assert gltf is not None
    assert gltf.extensionsUsed == ["KHR_gaussian_splatting"]
    primitive = gltf.meshes[0].primitives[0]
    assert primitive.mode == pygltflib.POINTS
    assert primitive.extensions["KHR_gaussian_splatting"]["kernel"] == "ellipse"
    blob = gltf.binary_blob()

    def numbers(name: str) -> np.ndarray:
        accessor = gltf.accessors[getattr(primitive.attributes, name)]
        view = gltf.bufferViews[accessor.bufferView]
        return np.frombuffer(blob, "<f4", offset=view.byteOffset, count=view.byteLength // 4).reshape(400, -1)

    assert np.array_equal(numbers("POSITION"), _WORLD.means_m)
    assert np.allclose(numbers("KHR_gaussian_splatting:SCALE"), np.exp(_WORLD.log_scales), rtol=1e-6)
    assert np.allclose(
        numbers("KHR_gaussian_splatting:ROTATION"), unit(_WORLD.quaternions_wxyz)[:, [1, 2, 3, 0]], atol=1e-6
    )
    assert np.array_equal(numbers("KHR_gaussian_splatting:SH_DEGREE_3_COEF_6"), _WORLD.sh[:, 15])


def test_trimesh_reads_meshes_and_the_points_of_gaussians(tmp_path: Path) -> None:
    mesh = make_mesh()
    scene = trimesh.load_scene(str(_write(tmp_path, mesh, "glb")))
    (found,) = scene.geometry.values()
    assert isinstance(found, trimesh.Trimesh)
    assert np.allclose(found.vertices, mesh.vertices_m)
    assert np.array_equal(found.faces, mesh.faces)
    assert np.allclose(found.visual.uv, mesh.uvs)  # pyright: ignore[reportAttributeAccessIssue, reportArgumentType]
    picture = np.asarray(found.visual.material.baseColorTexture)  # pyright: ignore[reportAttributeAccessIssue]
    assert np.array_equal(picture, mesh.texture_rgb)  # pyright: ignore[reportArgumentType]
    for name in ("obj", "mesh-ply"):
        plain = trimesh.load_mesh(str(_write(tmp_path, mesh, name)), process=False)
        assert np.allclose(plain.vertices, mesh.vertices_m, atol=1e-6)
        assert np.array_equal(plain.visual.vertex_colors[:, :3], mesh.colors_rgb)  # pyright: ignore[reportAttributeAccessIssue, reportArgumentType]
    points = next(iter(trimesh.load_scene(str(_write(tmp_path, _WORLD, "glb-gaussians"))).geometry.values()))
    assert np.array_equal(points.vertices, _WORLD.means_m)
    colors = np.clip((0.5 + SH_C0 * _WORLD.sh[:, 0]) * 255, 0, 255)
    assert np.abs(points.colors[:, :3] - colors).max() <= 0.51  # pyright: ignore[reportAttributeAccessIssue]


def test_we_read_what_trimesh_wrote(tmp_path: Path) -> None:
    sphere = trimesh.creation.icosphere(subdivisions=2)
    for ending in ("glb", "obj", "ply"):
        data = sphere.export(file_type=ending)
        data = data.encode() if isinstance(data, str) else data
        found = read_world_file(data, filename=f"sphere.{ending}", picture_decoder=decode).content
        assert len(found.faces) == len(sphere.faces)  # pyright: ignore[reportAttributeAccessIssue]
        assert np.abs(found.vertices_m - sphere.vertices).max() < 1e-6  # pyright: ignore[reportAttributeAccessIssue]


def test_usd_core_knows_gaussians_by_their_schema(tmp_path: Path) -> None:
    stage = Usd.Stage.Open(str(_write(tmp_path, _WORLD, "usda-gaussians")))
    assert UsdGeom.GetStageUpAxis(stage) == "Y"
    assert UsdGeom.GetStageMetersPerUnit(stage) == 1
    prim = stage.GetDefaultPrim()
    assert prim.IsA(UsdVol.ParticleField3DGaussianSplat)
    assert prim.HasAPI(UsdVol.ParticleFieldSphericalHarmonicsAttributeAPI)
    assert np.array_equal(np.array(prim.GetAttribute("positions").Get()), _WORLD.means_m)
    assert np.allclose(np.array(prim.GetAttribute("scales").Get()), np.exp(_WORLD.log_scales), rtol=1e-6)
    first = prim.GetAttribute("orientations").Get()[0]
    assert [first.GetReal(), *first.GetImaginary()] == pytest.approx(unit(_WORLD.quaternions_wxyz)[0], abs=1e-6)
    harmonics = np.array(prim.GetAttribute("radiance:sphericalHarmonicsCoefficients").Get())
    assert np.array_equal(harmonics.reshape(400, 16, 3), _WORLD.sh)
    assert prim.GetAttribute("radiance:sphericalHarmonicsDegree").Get() == 3


@pytest.mark.parametrize("name", ["usda", "usdz"])
def test_usd_core_reads_meshes(tmp_path: Path, name: str) -> None:
    mesh = make_mesh()
    stage = Usd.Stage.Open(str(_write(tmp_path, mesh, name)))
    found = UsdGeom.Mesh(stage.GetPrimAtPath("/world/mesh"))
    assert np.array_equal(np.array(found.GetPointsAttr().Get()), mesh.vertices_m)
    assert np.array_equal(np.array(found.GetFaceVertexIndicesAttr().Get()).reshape(-1, 3), mesh.faces)
    colors = np.array(UsdGeom.PrimvarsAPI(found.GetPrim()).GetPrimvar("displayColor").Get())
    assert np.array_equal(srgb_of(colors), mesh.colors_rgb)  # pyright: ignore[reportArgumentType]
    if name == "usdz":
        material, _ = UsdShade.MaterialBindingAPI(found.GetPrim()).ComputeBoundMaterial()
        assert material.GetPath() == "/world/material"
        picture = stage.GetPrimAtPath("/world/material/picture").GetAttribute("inputs:file").Get()
        assert picture.resolvedPath.endswith("world.usdz[world.png]")
