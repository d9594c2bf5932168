"""The model server's files are copied out of its wheel once, however many come at once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from tools.devstack.triton import build_runtime

PACKAGES = "lib/python3.11/site-packages"
COMERS = 6


def lay_out(environment: Path, version: str) -> None:
    """A wheel in an environment: the files that are copied, and enough of them that copying takes a while."""
    wheel = environment / PACKAGES / "pytriton" / "tritonserver"
    for folder in ("bin", "backends/python", "caches"):
        (wheel / folder).mkdir(parents=True, exist_ok=True)
        for number in range(40):
            (wheel / folder / f"{number}.so").write_text(version)
    for program in ("bin/tritonserver", "python_backend_stubs/3.11/triton_python_backend_stub"):
        (wheel / program).parent.mkdir(parents=True, exist_ok=True)
        (wheel / program).write_text(version)
    (environment / PACKAGES / f"nvidia_pytriton-{version}.dist-info").mkdir()


def test_who_comes_at_once_finds_one_whole_copy_and_a_newer_wheel_replaces_it(tmp_path: Path) -> None:
    environment, runtime = tmp_path / "environment", tmp_path / "state" / "triton"
    for version in ("1.0", "1.1"):
        lay_out(environment, version)
        together = Barrier(COMERS)

        def come(together: Barrier = together) -> None:
            together.wait()
            build_runtime(environment, runtime)

        with ThreadPoolExecutor(COMERS) as pool:
            for comer in [pool.submit(come) for _ in range(COMERS)]:
                comer.result()
        assert version in (runtime / "wheel").read_text()
        assert (runtime / "bin" / "39.so").read_text() == version
        assert [path.name for path in runtime.parent.iterdir() if path.name != ".triton.lock"] == ["triton"]
