"""Other versions of a model, made for tests: good ones, and ones that are bad in ways that only traffic shows."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

from tests.support.house import Served
from tests.support.models import REPOSITORY
from tools.devstack.settings import CHECKOUT
from tools.devstack.triton import RunningTriton, run_triton

MODEL = "movenet_multipose"
SAME, BROKEN, FAILING, SLOW, OTHER = 2, 3, 4, 5, 6

# What is added to the serving code. The question with which a version is warmed up is black; traffic is not.
_CHANGES: Mapping[int, str] = {
    SAME: "",
    BROKEN: "raise RuntimeError('these weights cannot be read')\n",
    FAILING: """
_good = TritonPythonModel._answer
def _answer(self, request):
    if triton.get_input_tensor_by_name(request, self._input_name).as_numpy().any():
        error = triton.TritonError("out of memory", triton.TritonError.INTERNAL)
        return triton.InferenceResponse(output_tensors=[], error=error)
    return _good(self, request)
TritonPythonModel._answer = _answer
""",
    SLOW: """
import time
_good = TritonPythonModel._answer
def _answer(self, request):
    time.sleep(0.7)
    return _good(self, request)
TritonPythonModel._answer = _answer
""",
    # Everybody stands a hundredth of the picture further to the right: still good, and not the same.
    OTHER: """
_good = TritonPythonModel._infer
def _infer(self, images):
    outputs = {name: values.copy() for name, values in _good(self, images).items()}
    outputs["persons"][..., 1:51:3] += 0.01
    return outputs
TritonPythonModel._infer = _infer
""",
}


def write_versions(repository: Path) -> None:
    """Copies the models and puts the other versions of one of them beside its first."""
    shutil.copytree(REPOSITORY, repository)
    first = repository / MODEL / "1"
    for version, change in _CHANGES.items():
        folder = repository / MODEL / str(version)
        folder.mkdir()
        (folder / "model.onnx").hardlink_to(first / "model.onnx")
        (folder / "model.py").write_text((first / "model.py").read_text(encoding="utf-8") + change, encoding="utf-8")


@contextlib.contextmanager
def run_versions(folder: Path) -> Iterator[RunningTriton]:
    """Runs a model server whose repository has them all; at its start it holds the first version of each model."""
    repository = folder / "models"
    write_versions(repository)
    runtime = CHECKOUT / ".praxiscope" / "triton"
    with run_triton(CHECKOUT / ".venv-models", runtime, repository, log=folder / "triton.log") as running:
        yield running


@contextlib.asynccontextmanager
async def first_day(seeing: Served) -> AsyncIterator[None]:
    """Has the registry know, within the block, nothing of what other tests asked of the models, and they nothing of this one."""
    await _forget(seeing)
    yield
    await _forget(seeing)


async def _forget(seeing: Served) -> None:
    async with seeing.app.database.transaction() as connection:
        await connection.execute("TRUNCATE vision_inference.model CASCADE")
    await seeing.app.keeper.store.prepare()
    await seeing.app.choice.refresh()


def version_program(source: str, target: str) -> str:
    """Returns a program that copies a repository and puts the other versions beside the first, where there is nothing of ours."""
    return f"""
import pathlib, shutil
shutil.copytree({source!r}, {target!r})
first = pathlib.Path({target!r}, {MODEL!r}, "1")
for version, change in {dict(_CHANGES)!r}.items():
    folder = first.parent / str(version)
    folder.mkdir()
    (folder / "model.onnx").hardlink_to(first / "model.onnx")
    (folder / "model.py").write_text((first / "model.py").read_text() + change)
"""
