"""What images leave out of packages: it is there to be left out, and what is left draws with every variant and speaks to a store."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rendering_service.adapters.mesh_engines import find_llvm
from tools.deploy.leave_out import LeaveOutError, leave_out, main, read_list
from tools.devstack.settings import CHECKOUT

LIST = CHECKOUT / "requirements" / "images" / "left_out.list"
PACKAGES = CHECKOUT / ".venv" / "lib" / "python3.11" / "site-packages"


def copied(folder: Path, *packages: str) -> Path:
    """Packages of this environment in a folder of their own."""
    for package in packages:
        shutil.copytree(PACKAGES / package, folder / package)
    return folder


def run(program: str, folder: Path, **environment: str) -> str:
    """Runs a program that finds packages in the folder first."""
    code = f"import sys; sys.path[:0] = [{str(folder)!r}, {str(CHECKOUT)!r}]\n{program}"
    variables = {"PATH": os.defpath, "HOME": str(folder), **environment}
    done = subprocess.run(
        [sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_is_left_of_mitsuba_traces_as_the_whole_does(tmp_path: Path) -> None:
    program = """
import numpy as np
from praxiscope_worlds import Bounds, Orbit, orbit_camera
from rendering_service.adapters.mesh_preparation import scene_of
from rendering_service.adapters.path_tracer import PathTracer
from rendering_service.core.daylight import Daylight
from tests.support.meshes import make_ball, make_textured_ball

orbit = Orbit(azimuth_rad=0.5, elevation_rad=0.3)
camera = orbit_camera(Bounds(middle_m=np.zeros(3), radius_m=1.5), orbit, width_px=32, height_px=24)
for is_compiled in IS_COMPILED:
    for mesh in (make_ball(16), make_textured_ball()):
        for daylight in (None, Daylight()):
            scene = scene_of(mesh, has_ground=True)
            tracer = PathTracer(scene, daylight, is_compiled=is_compiled, thread_count=1)
            color = tracer.color(camera, sample_count=2, seed=1, tell=lambda share: None)
            depth, normals = tracer.shape(camera)
            print(is_compiled, *(float(np.nansum(values.astype(float))) for values in (color, depth, normals)))
import mitsuba
print(mitsuba.__file__.startswith(sys.path[0]))
"""
    # tools/debian-packages.txt names LLVM 19; where it is not there, the scalar variant is tried alone.
    libraries = [path for path in find_llvm(["/usr/lib/x86_64-linux-gnu", "/usr/lib/llvm-19/lib"]) if "19" in path]
    program = f"IS_COMPILED = {(False, True) if libraries else (False,)}" + program
    environment = {"DRJIT_LIBLLVM_PATH": libraries[0]} if libraries else {}
    whole = run(program, tmp_path, **environment).splitlines()
    folder = copied(tmp_path, "mitsuba", "drjit")
    assert leave_out(read_list(LIST.read_text()), "engines", folder) > 80
    left = run(program, folder, **environment).splitlines()
    assert left[:-1] == whole[:-1]
    assert (whole[-1], left[-1]) == ("False", "True")


def test_what_is_left_of_boto_speaks_to_a_store_and_to_nothing_else(tmp_path: Path) -> None:
    program = """
from boto3.session import Session
client = Session().client("s3", region_name="eu-central-1", aws_access_key_id="a", aws_secret_access_key="b")
print(client.generate_presigned_url("get_object", Params={"Bucket": "b", "Key": "k"}).split("?")[0], client.waiter_names)
print(Session().get_available_services())
"""
    whole, services = run(program, tmp_path).splitlines()
    assert "'dynamodb'" in services
    folder = copied(tmp_path, "boto3", "botocore")
    assert leave_out(read_list(LIST.read_text()), "common", folder) > 300
    assert run(program, folder).splitlines() == [whole, "['s3']"]


@pytest.mark.parametrize(
    "line", ["numbers", "numbers numpy/x with y", "numbers numpy/x but", "numbers ../x", "numbers /etc/*"]
)
def test_a_line_that_is_none_is_said(line: str) -> None:
    with pytest.raises(LeaveOutError, match="line 2 is none"):
        read_list(f"# list\n{line}\n")


def test_a_line_that_means_nothing_stops_the_build_before_anything_is_gone(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for name in ("one.so", "two.so", "two.txt"):
        (tmp_path / "a" / name).write_text("x")
    listed = tmp_path / "list"
    for text, problem in (
        ("g a/*.so\ng b/*.so\n", r"g b/\*\.so: there is nothing"),
        ("g a/*.so but two three\n", "three is to be kept, but is not there"),
    ):
        listed.write_text(text)
        with pytest.raises(LeaveOutError, match=problem):
            leave_out(read_list(text), "g", tmp_path)
        assert main([str(listed), "g", str(tmp_path)]) == 1
        assert len(list((tmp_path / "a").iterdir())) == 3
    listed.write_text("g a/*.so but two  # kept\nother a/*.txt\n")
    assert main([str(listed), "g", str(tmp_path)]) == 0
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["two.so", "two.txt"]
