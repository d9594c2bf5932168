"""Other versions of a model, made for tests: good ones, and ones that are bad in ways that only traffic shows."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from tests.support.house import Served
from tests.support.models import REPOSITORY
from tools.devstack.settings import CHECKOUT
from tools.devstack.triton import RunningTriton, run_triton

MODEL = "movenet_multipose"
SAME, BROKEN, FAILING, SLOW, OTHER = 2, 3, 4, 5, 6

# Products of two matrices of this side, one after the other: more than half a second on any core.
_SLOW_SIDE, _SLOW_COUNT = 2000, 5
_OUTPUT, _RENAMED = b"persons", b"persona"


@dataclass(frozen=True, kw_only=True)
class Change:
    """How another version's file is made of the first one's, with no more than bytes: it is done in pods, too, which have no ONNX.

    Attributes:
        kept_bytes: How much of the file is kept; None is all of it.
        nodes: A piece of a model that is put behind it, which makes `persons` of what the net itself says, `persona`. Two messages of
            protobuf one after the other are one with the fields of both.
    """

    kept_bytes: int | None = None
    nodes: bytes = b""

    def apply(self, content: bytes) -> bytes:
        """Returns the other version's file."""
        if not self.nodes:
            return content[: self.kept_bytes]
        # The first is where a node says it, the other where the graph says what comes out of it.
        assert content.count(_OUTPUT) == 2
        return content.replace(_OUTPUT, _RENAMED, 1) + self.nodes


def _nodes(constants: Mapping[str, np.ndarray], *nodes: tuple[str, str, str]) -> bytes:
    """Nodes as "operation", "inputs", "output", and the constants that they name."""
    graph = onnx.GraphProto()
    for operation, inputs, output in nodes:
        graph.node.append(onnx.helper.make_node(operation, inputs.split(), [output]))
    for name, values in constants.items():
        graph.initializer.append(onnx.numpy_helper.from_array(values, name))
    return onnx.ModelProto(graph=graph).SerializeToString()


def _shifted() -> np.ndarray:
    shift = np.zeros((1, 6, 56), np.float32)
    shift[..., 1:51:3] = 0.01
    return shift


# The question with which a version is warmed up is black; traffic is not.
_CHANGES: Mapping[int, Change] = {
    SAME: Change(),
    # These weights cannot be read.
    BROKEN: Change(kept_bytes=1000),
    # The brightest pixel says which number is looked up, and only that of a black picture is there.
    FAILING: Change(
        nodes=_nodes(
            {"late/far": np.float32(1000), "late/flat": np.array([-1], np.int64), "late/none": np.float32(0)},
            ("CastLike", "images late/far", "late/pixels"),
            ("ReduceMax", "late/pixels", "late/brightest"),
            ("Mul", "late/brightest late/far", "late/place"),
            ("CastLike", "late/place late/flat", "late/index"),
            ("Reshape", "persona late/flat", "late/numbers"),
            ("Gather", "late/numbers late/index", "late/found"),
            ("Mul", "late/found late/none", "late/nothing"),
            ("Add", "persona late/nothing", "persons"),
        )
    ),
    # Nothing is added to what the net says, but it takes long to find that nothing.
    SLOW: Change(
        nodes=_nodes(
            {
                "late/size": np.array([_SLOW_SIDE, _SLOW_SIDE], np.int64),
                "late/none": np.float32(0),
                "late/one_by_one": np.array([1, 1], np.int64),
                "late/one": np.array([1], np.int64),
            },
            ("ReduceMax", "persona", "late/largest"),
            ("Mul", "late/largest late/none", "late/number"),
            ("Reshape", "late/number late/one_by_one", "late/square"),
            ("Expand", "late/square late/size", "late/product0"),
            *(("MatMul", f"late/product{i} late/product0", f"late/product{i + 1}") for i in range(_SLOW_COUNT)),
            ("ReduceMax", f"late/product{_SLOW_COUNT}", "late/nothing"),
            ("Reshape", "late/nothing late/one", "late/nothing_one"),
            ("Add", "persona late/nothing_one", "persons"),
        )
    ),
    # Everybody stands a hundredth of the picture further to the right: still good, and not the same.
    OTHER: Change(nodes=_nodes({"late/shift": _shifted()}, ("Add", "persona late/shift", "persons"))),
}


def write_versions(repository: Path) -> None:
    """Copies the models and puts the other versions of one of them beside its first."""
    shutil.copytree(REPOSITORY, repository)
    content = (repository / MODEL / "1" / "model.onnx").read_bytes()
    for version, change in _CHANGES.items():
        folder = repository / MODEL / str(version)
        folder.mkdir()
        (folder / "model.onnx").write_bytes(change.apply(content))


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
    changes = {version: (change.kept_bytes, change.nodes) for version, change in _CHANGES.items()}
    return f"""
import pathlib, shutil
shutil.copytree({source!r}, {target!r})
first = pathlib.Path({target!r}, {MODEL!r}, "1")
content = (first / "model.onnx").read_bytes()
for version, (kept_bytes, nodes) in {changes!r}.items():
    folder = first.parent / str(version)
    folder.mkdir()
    changed = content.replace({_OUTPUT!r}, {_RENAMED!r}, 1) + nodes if nodes else content[:kept_bytes]
    (folder / "model.onnx").write_bytes(changed)
"""
