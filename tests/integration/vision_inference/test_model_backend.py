"""The model server's backend of our own: what it refuses and says, what of an answer is asked for, and what it does not load."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import onnx
import pytest
import tritonclient.grpc as triton_grpc
from tritonclient.utils import InferenceServerException

from models.recipe import read_recipes
from tests.support.models import REPOSITORY, run_models
from tools.devstack.settings import CHECKOUT
from tools.devstack.triton import RunningTriton, TritonError, run_triton

pytestmark = pytest.mark.triton

PERSONS, POSE = "movenet_multipose", "blazepose_full"


@pytest.fixture(scope="module")
def triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningTriton]:
    """A running server."""
    with run_models(tmp_path_factory.mktemp("triton") / "triton.log") as running:
        yield running


@pytest.fixture(scope="module")
def client(triton: RunningTriton) -> Iterator[triton_grpc.InferenceServerClient]:
    """Somebody who asks it without the service's care."""
    with triton_grpc.InferenceServerClient(triton.grpc_address) as client:
        yield client


def ask(
    client: triton_grpc.InferenceServerClient, model: str, images: np.ndarray, outputs: Sequence[str] | None = None
) -> dict[str, np.ndarray]:
    kind = {"uint8": "UINT8", "float32": "FP32"}[images.dtype.name]
    given = triton_grpc.InferInput("images", list(images.shape), kind)
    given.set_data_from_numpy(images)
    wanted = None if outputs is None else [triton_grpc.InferRequestedOutput(name) for name in outputs]
    answer = client.infer(model, [given], outputs=wanted)
    return {output.name: answer.as_numpy(output.name) for output in answer.get_response().outputs}


@pytest.mark.parametrize(
    ("model", "shape", "kind", "words"),
    [
        pytest.param(PERSONS, (1, 100, 96, 3), np.uint8, "multiples of 32, but is 100", id="height"),
        pytest.param(PERSONS, (1, 96, 100, 3), np.uint8, "multiples of 32, but is 100", id="width"),
        pytest.param(PERSONS, (1, 0, 32, 3), np.uint8, "multiples of 32, but is 0", id="no rows"),
        pytest.param(PERSONS, (2, 64, 64, 3), np.uint8, "shape", id="two pictures"),
        pytest.param(PERSONS, (1, 64, 64, 4), np.uint8, "shape", id="four channels"),
        pytest.param(PERSONS, (1, 64, 64, 3), np.float32, "data-type", id="another type"),
        pytest.param(POSE, (9, 256, 256, 3), np.uint8, "from 1 to 8, but is 9", id="too many"),
        pytest.param(POSE, (0, 256, 256, 3), np.uint8, "from 1 to 8, but is 0", id="none"),
        pytest.param(POSE, (1, 256, 255, 3), np.uint8, "shape", id="another size"),
    ],
)
def test_what_it_cannot_do_is_refused_with_the_reason_and_it_answers_on(
    client: triton_grpc.InferenceServerClient,
    model: str,
    shape: tuple[int, ...],
    kind: type[np.generic],
    words: str,
) -> None:
    with pytest.raises(InferenceServerException, match=words) as caught:
        ask(client, model, np.zeros(shape, kind))
    assert "INVALID_ARGUMENT" in caught.value.status()
    assert set(ask(client, PERSONS, np.zeros((1, 32, 32, 3), np.uint8))) == {"persons"}


def test_only_what_is_asked_for_is_answered(client: triton_grpc.InferenceServerClient) -> None:
    images = np.random.default_rng(1).integers(0, 256, (3, 256, 256, 3), np.uint8)
    everything = ask(client, POSE, images)
    assert {name: values.shape for name, values in everything.items()} == {
        "landmarks": (3, 39, 5),
        "world_landmarks": (3, 39, 3),
        "presence": (3, 1),
    }
    some = ask(client, POSE, images, ["presence", "landmarks"])
    assert set(some) == {"presence", "landmarks"}
    assert all(np.array_equal(values, everything[name]) for name, values in some.items())
    with pytest.raises(InferenceServerException, match="unexpected inference output 'ears'"):
        ask(client, POSE, images, ["ears"])


def test_an_input_that_comes_in_pieces_is_put_together(
    triton: RunningTriton, client: triton_grpc.InferenceServerClient
) -> None:
    # Over HTTP a megabyte and a half arrives in several buffers.
    images = np.random.default_rng(2).integers(0, 256, (8, 256, 256, 3), np.uint8)
    asked = {
        "inputs": [
            {
                "name": "images",
                "shape": images.shape,
                "datatype": "UINT8",
                "parameters": {"binary_data_size": images.nbytes},
            }
        ],
        "outputs": [{"name": "landmarks", "parameters": {"binary_data": True}}],
    }
    head = json.dumps(asked).encode()
    answered = httpx.post(
        f"http://127.0.0.1:{triton.http_port}/v2/models/{POSE}/infer",
        content=head + images.tobytes(),
        headers={"Inference-Header-Content-Length": str(len(head))},
        timeout=30,
    )
    told_bytes = int(answered.headers["Inference-Header-Content-Length"])
    answer = np.frombuffer(answered.content[told_bytes:], np.float32).reshape(8, 39, 5)
    np.testing.assert_array_equal(answer, ask(client, POSE, images)["landmarks"])


def test_questions_at_the_same_time_do_not_mix(client: triton_grpc.InferenceServerClient) -> None:
    pictures = np.random.default_rng(3).integers(0, 256, (12, 1, 64, 96, 3), np.uint8)
    alone = [ask(client, PERSONS, picture)["persons"] for picture in pictures]
    with ThreadPoolExecutor(6) as threads:
        together = list(threads.map(lambda picture: ask(client, PERSONS, picture)["persons"], pictures))
    for expected, found in zip(alone, together, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_what_the_server_says_of_a_net_is_what_stands_in_its_file(client: triton_grpc.InferenceServerClient) -> None:
    for name in read_recipes():
        graph = onnx.load(REPOSITORY / name / "1" / "model.onnx").graph
        said = client.get_model_metadata(name)
        for ours, theirs in ((graph.input, said.inputs), (graph.output, said.outputs)):
            assert {tensor.name: _shape(tensor) for tensor in ours} == {
                tensor.name: list(tensor.shape) for tensor in theirs
            }, name


def _shape(tensor: object) -> list[int]:
    return [size.dim_value or -1 for size in tensor.type.tensor_type.shape.dim]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param(('"1" } }', '"one" } }'), "must be a whole number from 1 on, but is one", id="a word"),
        pytest.param(('"1" } }', '"0" } }'), "must be a whole number from 1 on, but is 0", id="no thread"),
        pytest.param(
            ('name: "persons"', 'name: "people"'), "tensor persons that config.pbtxt does not name", id="a name"
        ),
    ],
)
def test_a_configuration_that_does_not_fit_is_not_loaded(tmp_path: Path, change: tuple[str, str], words: str) -> None:
    repository, log = tmp_path / "models", tmp_path / "triton.log"
    shutil.copytree(REPOSITORY / PERSONS, repository / PERSONS)
    path = repository / PERSONS / "config.pbtxt"
    text = path.read_text()
    assert change[0] in text
    path.write_text(text.replace(*change))
    with pytest.raises(TritonError):
        with run_triton(
            CHECKOUT / ".venv-models", CHECKOUT / ".praxiscope" / "triton", repository, log=log, timeout_s=20
        ):
            pass
    assert words in log.read_text()
