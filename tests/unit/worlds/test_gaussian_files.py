"""Files of Gaussians: round trips within what each format keeps, layouts byte for byte, frames."""

from __future__ import annotations

import gzip
import io
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from praxiscope_worlds import SH_C0, SH_COUNTS, GaussianWorld, InvalidWorldError
from praxiscope_worlds.formats import (
    FORMATS,
    FindingCode,
    WorldContent,
    harmonics,
    read_world_file,
    turned_harmonics,
    write_world_file,
)
from praxiscope_worlds.formats._compressed_ply import morton_order
from tests.unit.worlds.worlds_made import covariances, make_world, unit

GAUSSIAN_FORMATS = [name for name, item in FORMATS.items() if item.holds is WorldContent.GAUSSIANS]

# Per format, the largest error that its quantisation allows: centres (m), 1 - |cos| of half the angle of rotations, logarithms of extents, opacities, first
# coefficients, other coefficients. float32 rounding is 1e-6 here.
TOLERANCES = {
    "ply": (0, 1e-6, 0, 1e-7, 0, 0),
    # 1/1023 of a chunk's width (here up to 10 m); 10 bits over sqrt(2); 1/1023 of 6; 8 bits; 8 bits of a range of 1.2 SH_C0; 8/256 steps.
    "compressed-ply": (0.5 * 16 / 1023, 1e-5, 0.5 * 6.1 / 1023, 0.5 / 255 + 1e-6, 0.5 * 1.2 / 255 + 1e-6, 8 / 256),
    # 8 bits a component of the quaternion, up to half a step off in each.
    "splat": (0, 1e-4, 1e-6, 0.5 / 255 + 1e-6, 0.5 / 255 / SH_C0 + 1e-6, None),
    # 12 bits after the point; 9 bits and a sign; 1/16; 8 bits; 8 bits over 1 / 0.15; buckets of 16/128, cut at 8/128, and a rounding.
    "spz": (0.5 / 4096 + 1e-6, 1e-5, 0.5 / 16 + 1e-6, 0.5 / 255 + 1e-6, 0.5 / 255 / 0.15 + 1e-6, 8.5 / 128 + 1e-6),
    "glb-gaussians": (0, 1e-6, 1e-6, 1e-6, 0, 0),
    "usda-gaussians": (0, 1e-6, 1e-6, 1e-6, 0, 0),
}


def write(world: GaussianWorld, name: str) -> bytes:
    return b"".join(write_world_file(world, format_name=name))


def read(data: bytes, name: str) -> GaussianWorld:
    content = read_world_file(data, filename=f"world{FORMATS[name].extension}").content
    assert isinstance(content, GaussianWorld)
    return content


def opacities(world: GaussianWorld) -> np.ndarray:
    return 1 / (1 + np.exp(-world.opacity_logits.astype(np.float64)))


@pytest.mark.parametrize("degree", range(4))
@pytest.mark.parametrize("name", GAUSSIAN_FORMATS)
def test_a_world_comes_back_within_what_its_format_keeps(name: str, degree: int) -> None:
    world = make_world(700, degree=degree)
    file = read_world_file(write(world, name), filename=f"world{FORMATS[name].extension}")
    found = file.content
    assert isinstance(found, GaussianWorld)
    assert file.format.name == name
    assert file.findings == ()
    order = morton_order(world.means_m) if name == "compressed-ply" else slice(None)
    mean, angle, scale, opacity, first, rest = TOLERANCES[name]
    assert np.abs(found.means_m - world.means_m[order]).max() <= mean
    cosines = np.abs(np.einsum("ij,ij->i", found.quaternions_wxyz, unit(world.quaternions_wxyz)[order]))
    assert (1 - cosines).max() <= angle
    assert np.abs(np.linalg.norm(found.quaternions_wxyz, axis=1) - 1).max() < 1e-6
    assert np.abs(found.log_scales - world.log_scales[order]).max() <= scale
    assert np.abs(opacities(found) - opacities(world)[order]).max() <= opacity
    assert np.abs(found.sh[:, 0] - world.sh[order][:, 0]).max() <= first
    assert found.sh_degree == (0 if rest is None else degree)
    if rest is not None and degree:
        assert np.abs(found.sh[:, 1:] - world.sh[order][:, 1:]).max() <= rest


@pytest.mark.parametrize("name", GAUSSIAN_FORMATS)
@pytest.mark.parametrize("count", [0, 1, 255, 256, 257])
def test_small_worlds_and_whole_chunks_come_back(name: str, count: int) -> None:
    data = write(make_world(count, degree=1), name)
    if count or name not in {"splat", "glb-gaussians"}:
        assert len(read(data, name)) == count


@pytest.mark.parametrize("name", ["ply", "compressed-ply", "splat", "spz", "usda-gaussians"])
def test_writing_what_was_read_changes_nothing_more(name: str) -> None:
    once = write(make_world(300, degree=2), name)
    twice = write(read(once, name), name)
    if name == "compressed-ply":  # its chunks' bounds are rounded once; the second rounding may move a last bit
        assert len(twice) == len(once)
    elif name == "splat":  # quaternions are made unit ones between, which moves a byte by one
        steps = np.frombuffer(twice, np.int8) - np.frombuffer(once, np.int8)
        assert np.abs(steps.reshape(-1, 32)[:, 24:]).max() <= 1
    elif name == "usda-gaussians":  # exp and log do not cancel in the last digit
        assert abs(len(twice) - len(once)) < len(once) * 0.01
    else:
        assert gzip.decompress(twice) == gzip.decompress(once) if name == "spz" else twice == once


@pytest.mark.parametrize("name", GAUSSIAN_FORMATS)
def test_equal_worlds_give_equal_bytes(name: str) -> None:
    assert write(make_world(64, degree=1), name) == write(make_world(64, degree=1), name)


@pytest.mark.parametrize("name", GAUSSIAN_FORMATS)
def test_a_file_that_is_open_is_read_like_its_bytes(name: str) -> None:
    data = write(make_world(20, degree=0), name)
    content = read_world_file(io.BytesIO(data), format_name=name).content
    assert np.array_equal(content.means_m, read(data, name).means_m)  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("name", GAUSSIAN_FORMATS)
def test_shapes_survive_every_format(name: str) -> None:
    world = make_world(256, degree=0)
    found = read(write(world, name), name)
    order = morton_order(world.means_m) if name == "compressed-ply" else slice(None)
    before, after = covariances(world)[order], covariances(found)
    size = np.linalg.norm(before, axis=(1, 2))
    # The coarsest step, 1/32 in a logarithm, makes 6.5 % of a variance; a wrong turn would make 100 %.
    assert (np.linalg.norm(after - before, axis=(1, 2)) / size).max() < 0.09


@pytest.mark.parametrize("name", GAUSSIAN_FORMATS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_not_written(name: str, bad: float) -> None:
    world = make_world(5, degree=0)
    world.log_scales[3, 1] = bad
    with pytest.raises(InvalidWorldError, match="1 of 5"):
        write(world, name)


def test_gaussians_that_are_no_numbers_are_left_out_with_their_count() -> None:
    data = bytearray(write(make_world(9, degree=0), "ply"))
    body = data.index(b"end_header\n") + len(b"end_header\n")
    row = 17 * 4
    data[body + 2 * row : body + 2 * row + 4] = struct.pack("<f", np.nan)
    data[body + 5 * row + 13 * 4 : body + 6 * row] = struct.pack("<4f", 0, 0, 0, 0)  # a quaternion of zeros
    file = read_world_file(bytes(data))
    assert len(file.content) == 7  # pyright: ignore[reportArgumentType]
    assert [(item.code, item.is_fatal) for item in file.findings] == [(FindingCode.NOT_FINITE, False)]
    assert "2 of 9" in file.findings[0].message


# One Gaussian whose numbers are all different, written down in each format by hand.
_ONE = GaussianWorld(
    means_m=np.array([[1.5, -2.25, 3.0]], np.float32),
    quaternions_wxyz=np.array([[0.5, -0.5, 0.5, 0.5]], np.float32),
    log_scales=np.array([[-1.0, -2.0, -3.0]], np.float32),
    opacity_logits=np.array([0.0], np.float32),
    sh=np.array([[[0.25, 0.5, 0.75], [1, 2, 3], [4, 5, 6], [7, 8, 9]]], np.float32) / 16,
)


def test_the_layout_of_ply() -> None:
    header, _, body = write(_ONE, "ply").partition(b"end_header\n")
    assert header.startswith(b"ply\nformat binary_little_endian 1.0\nelement vertex 1\nproperty float x\n")
    names = [line.split()[-1].decode() for line in header.splitlines() if line.startswith(b"property")]
    values = dict(zip(names, struct.unpack(f"<{len(names)}f", body), strict=True))
    # y and z down and forward; harmonics y and z with them; channel after channel.
    assert [values[name] for name in "xyz"] == [1.5, 2.25, -3.0]
    assert [values[f"rot_{i}"] for i in range(4)] == [0.5, -0.5, -0.5, -0.5]
    assert [values[f"f_dc_{i}"] * 16 for i in range(3)] == [0.25, 0.5, 0.75]
    assert [values[f"f_rest_{i}"] * 16 for i in range(9)] == [-1, -4, 7, -2, -5, 8, -3, -6, 9]
    assert [values[f"scale_{i}"] for i in range(3)] == [-1, -2, -3]
    assert values["opacity"] == 0


def test_the_layout_of_splat() -> None:
    data = write(_ONE, "splat")
    assert struct.unpack("<3f", data[:12]) == (1.5, 2.25, -3.0)
    assert struct.unpack("<3f", data[12:24]) == pytest.approx(np.exp([-1, -2, -3]), rel=1e-6)
    colors = [round((0.5 + SH_C0 * value / 16) * 255) for value in (0.25, 0.5, 0.75)]
    assert list(data[24:28]) == [*colors, 128]
    assert list(data[28:32]) == [192, 64, 64, 64]


def test_the_layout_of_spz() -> None:
    data = gzip.decompress(write(_ONE, "spz"))
    assert data[:16] == b"NGSP" + struct.pack("<IIBBBB", 3, 1, 1, 12, 0, 0)
    fixed = [int.from_bytes(data[16 + 3 * i : 19 + 3 * i], "little", signed=True) for i in range(3)]
    assert fixed == [6144, -9216, 12288]  # 1/4096 of a metre, in the world's own frame
    assert data[25] == 128
    assert list(data[26:29]) == [round(value / 16 * 0.15 * 255 + 127.5) for value in (0.25, 0.5, 0.75)]
    assert list(data[29:32]) == [(10 + value) * 16 for value in (-1, -2, -3)]
    (word,) = struct.unpack("<I", data[32:36])
    # x is the first of the largest, and negative: all signs change; y, z, w follow with nine bits of 0.5 sqrt(2).
    nine = int(511 * 0.5 * 2**0.5 + 0.5)
    assert word == (0 << 30) | (512 | nine) << 20 | (512 | nine) << 10 | (512 | nine)
    assert list(data[36:45]) == [(128 + 8 * value + 4) // 8 * 8 for value in range(1, 10)]


def test_the_layout_of_compressed_ply() -> None:
    header, _, body = write(_ONE, "compressed-ply").partition(b"end_header\n")
    assert b"element chunk 1\n" in header
    assert b"element vertex 1\n" in header
    assert b"element sh 1\n" in header
    bounds = struct.unpack("<18f", body[:72])
    assert bounds[:6] == (1.5, 2.25, -3.0) * 2
    assert bounds[6:12] == (-1, -2, -3) * 2
    position, rotation, scale, color = struct.unpack("<4I", body[72:88])
    assert (position, scale) == (0, 0)  # a chunk of one has no width
    assert color == 128
    low = int(np.floor((0.5 - 0.5 * 2**-0.5) * 1023 + 0.5))
    assert rotation == (0 << 30) | low << 20 | low << 10 | low
    assert list(body[88:]) == [int((value / 16 / 8 + 0.5) * 256) for value in (-1, -4, 7, -2, -5, 8, -3, -6, 9)]


def test_version_2_of_spz_is_read() -> None:
    header = b"NGSP" + struct.pack("<IIBBBB", 2, 1, 0, 12, 0, 0)
    body = b"".join(value.to_bytes(3, "little", signed=True) for value in (4096, -8192, 2048))
    body += bytes([128, 128, 128, 128, 160, 160, 160]) + bytes([round(127.5 + 127.5 * 0.6), 128, 128])
    world = read(gzip.compress(header + body), "spz")
    assert world.means_m[0] == pytest.approx([1, -2, 0.5])
    assert world.log_scales[0] == pytest.approx([0, 0, 0])
    assert world.quaternions_wxyz[0] == pytest.approx([0.8, 0.6, 0, 0], abs=0.01)


def test_a_world_wider_than_spz_usually_holds_is_written_coarser() -> None:
    world = make_world(4, degree=0)
    wide = GaussianWorld(
        means_m=world.means_m * 3000,
        quaternions_wxyz=world.quaternions_wxyz,
        log_scales=world.log_scales,
        opacity_logits=world.opacity_logits,
        sh=world.sh,
    )
    found = read(write(wide, "spz"), "spz")
    reach = np.abs(wide.means_m).max()
    assert np.abs(found.means_m - wide.means_m).max() <= reach / 2**22


def test_half_a_turn_about_x_is_what_the_files_of_3dgs_are_turned_by() -> None:
    world = make_world(50, degree=3)
    values = np.frombuffer(write(world, "ply").partition(b"end_header\n")[2], "<f4").reshape(50, -1)
    turn = np.diag([1.0, -1.0, -1.0])
    rest = values[:, 9:54].reshape(50, 3, 15).transpose(0, 2, 1)
    expected = np.einsum("kl,nlc->nkc", turned_harmonics(turn, degree=3), world.sh)[:, 1:]
    assert np.abs(rest - expected).max() < 1e-6
    assert np.abs(values[:, :3] - world.means_m @ turn.T).max() == 0


@pytest.mark.parametrize("degree", range(4))
def test_turned_harmonics_give_along_the_turned_direction_what_was_seen_before(degree: int) -> None:
    rng = np.random.default_rng(3)
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    rotation *= np.sign(np.linalg.det(rotation))
    directions = rng.normal(size=(40, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    old = rng.normal(size=SH_COUNTS[degree])
    new = turned_harmonics(rotation, degree=degree) @ old
    before = harmonics(directions, degree=degree) @ old
    after = harmonics(directions @ rotation.T, degree=degree) @ new
    assert np.abs(after - before).max() < 1e-12


def test_harmonics_are_orthonormal_over_the_sphere() -> None:
    # Gauss-Legendre over heights times even angles integrates products of harmonics of degree 3 exactly.
    heights, weights = np.polynomial.legendre.leggauss(8)
    angles = np.arange(16) * np.pi / 8
    radii = np.sqrt(1 - heights**2)[:, None]
    directions = np.stack(
        [radii * np.cos(angles), radii * np.sin(angles), np.broadcast_to(heights[:, None], (8, 16))], axis=-1
    )
    values = harmonics(directions, degree=3)
    products = np.einsum("hak,hal,h->kl", values, values, weights) * np.pi / 8
    assert np.abs(products - np.eye(16)).max() < 1e-12


_ANY = hnp.arrays(np.float32, st.tuples(st.integers(1, 40), st.just(14)), elements=st.floats(-50, 50, width=32))


@settings(max_examples=25, deadline=None)
@given(_ANY, st.sampled_from(["ply", "splat", "spz", "compressed-ply", "glb-gaussians"]))
def test_any_finite_world_is_written_and_read(numbers: np.ndarray, name: str) -> None:
    quaternions = numbers[:, 3:7].copy()
    quaternions[np.linalg.norm(quaternions, axis=1) < 1e-3] = [1, 0, 0, 0]
    world = GaussianWorld(
        means_m=numbers[:, :3].copy(),
        quaternions_wxyz=quaternions,
        log_scales=numbers[:, 7:10].copy(),
        opacity_logits=numbers[:, 10].copy(),
        sh=numbers[:, None, 11:].copy(),
    )
    found = read(write(world, name), name)
    assert len(found) == len(world)
    # Within half a step of the coarsest: 1/1023 of a chunk that is at most 100 m wide.
    order = morton_order(world.means_m) if name == "compressed-ply" else slice(None)
    assert np.abs(found.means_m - world.means_m[order]).max() <= 0.5 * 100 / 1023 + 1e-4
