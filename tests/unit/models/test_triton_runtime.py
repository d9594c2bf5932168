"""The model server's files are copied out of its wheel, and its backend is built, once, however many come at once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from tools.devstack import triton, triton_backend

PACKAGES = "lib/python3.11/site-packages"
COMERS = 6


def lay_out(environment: Path, version: str) -> None:
    """A wheel in an environment: the files that are copied, and enough of them that copying takes a while."""
    wheel = environment / PACKAGES / "pytriton" / "tritonserver"
    for folder in ("bin", "caches"):
        (wheel / folder).mkdir(parents=True, exist_ok=True)
        for number in range(40):
            (wheel / folder / f"{number}.so").write_text(version)
    (wheel / "bin" / "tritonserver").write_text(version)
    (environment / PACKAGES / f"nvidia_pytriton-{version}.dist-info").mkdir()


def test_who_comes_at_once_finds_one_whole_copy_and_a_newer_wheel_replaces_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied: list[str] = []
    copytree = triton.shutil.copytree

    def count(source: Path, *others: object, **options: object) -> None:
        if Path(source).name in {"bin", "caches"}:  # it calls itself for what lies below
            copied.append(Path(source).name)
        copytree(source, *others, **options)  # type: ignore[arg-type]

    def build(packages: Path, backends: Path) -> None:
        copied.append(backends.name)
        (backends / "built").write_text(packages.name)

    monkeypatch.setattr(triton.shutil, "copytree", count)
    monkeypatch.setattr(triton, "build_backend", build)
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
        assert (runtime / "backends" / "built").is_file()
        assert (runtime / "bin" / "39.so").read_text() == version
        assert [path.name for path in runtime.parent.iterdir() if path.name != ".triton.lock"] == ["triton"]


def test_a_changed_backend_is_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment, runtime, sources = tmp_path / "environment", tmp_path / "triton", tmp_path / "sources"
    lay_out(environment, "1.0")
    sources.mkdir()
    (sources / "backend.cpp").write_text("one")
    monkeypatch.setattr(triton_backend, "SOURCES", sources)
    built: list[str] = []
    monkeypatch.setattr(triton, "build_backend", lambda packages, backends: built.append(backends.name))
    for content, count in (("one", 1), ("one", 1), ("two", 2)):
        (sources / "backend.cpp").write_text(content)
        triton.build_runtime(environment, runtime)
        assert len(built) == count
    (environment / PACKAGES / "onnxruntime-9.9.dist-info").mkdir()
    triton.build_runtime(environment, runtime)
    assert len(built) == 3


def test_what_is_missing_is_said_and_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment, runtime = tmp_path / "environment", tmp_path / "state" / "triton"
    with pytest.raises(triton.TritonError, match=r"install requirements/triton\.txt"):
        triton.build_runtime(environment, runtime)
    lay_out(environment, "1.0")
    with pytest.raises(triton.TritonError, match=r"install requirements/models\.txt"):
        triton.build_runtime(environment, runtime)
    library = environment / PACKAGES / "onnxruntime" / "capi" / "libonnxruntime.so.1.0"
    library.parent.mkdir(parents=True)
    library.write_text("no library")
    with pytest.raises(triton.TritonError, match="failed for the model server's backend"):
        triton.build_runtime(environment, runtime)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(triton.TritonError, match=r"apt-get install g\+\+"):
        triton.build_runtime(environment, runtime)
    assert [path.name for path in runtime.parent.iterdir()] == [".triton.lock"]
