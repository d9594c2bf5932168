"""The model server's files are copied out of its wheel once, however many come at once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from tools.devstack import triton

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


def test_who_comes_at_once_finds_one_whole_copy_and_a_newer_wheel_replaces_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied: list[str] = []
    copytree = triton.shutil.copytree

    def count(source: Path, *others: object, **options: object) -> None:
        if Path(source).name in {"bin", "backends", "caches"}:  # it calls itself for what lies below
            copied.append(Path(source).name)
        copytree(source, *others, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(triton.shutil, "copytree", count)
    environment, runtime = tmp_path / "environment", tmp_path / "state" / "triton"
    for version in ("1.0", "1.1"):
        lay_out(environment, version)
        together = Barrier(COMERS)

        def come(together: Barrier = together) -> None:
            together.wait()
            triton.build_runtime(environment, runtime)

        with ThreadPoolExecutor(COMERS) as pool:
            for comer in [pool.submit(come) for _ in range(COMERS)]:
                comer.result()
        assert sorted(copied) == ["backends", "bin", "caches"], "one copied, the others waited"
        copied.clear()
        assert version in (runtime / "wheel").read_text()
        assert (runtime / "bin" / "39.so").read_text() == version
        assert [path.name for path in runtime.parent.iterdir() if path.name != ".triton.lock"] == ["triton"]
