"""The nets that are served give what their authors' graphs give, operation by operation, on real pictures."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest

from models.provision import convert_as_it_is
from models.recipe import read_recipes
from praxiscope_media import VideoSource

STATE = Path(__file__).parents[3] / ".praxiscope"
# A score is a product whose factors are now multiplied in another order.
SIZES = {"movenet_multipose": [(384, 224), (256, 256)], "blazepose_full": [(256, 256)], "centernet": [(512, 512)]}
LARGEST_DIFFERENCE = {"movenet_multipose": 1e-6, "blazepose_full": 0.0, "centernet": 0.0}


@pytest.fixture(scope="module")
def frames() -> list[np.ndarray]:
    """Four frames of the sample, in which both people are seen, in small."""
    with VideoSource.open(STATE / "samples" / "demo.mp4") as source:
        return [frame.rgb() for frame in source.frames() if frame.index in {40, 90, 140, 190}]


def session_of(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("name", sorted(read_recipes()))
def test_a_served_net_gives_what_its_authors_graph_gives(name: str, frames: list[np.ndarray]) -> None:
    recipe = read_recipes()[name]
    cache = Path(os.environ.get("PRAXISCOPE_MODEL_CACHE", STATE / "cache"))
    plain = session_of(convert_as_it_is(recipe, cache / recipe.archive_name))
    served = session_of(onnx.load(STATE / "models" / name / "1" / "model.onnx"))
    fed = plain.get_inputs()[0]
    for frame in frames:
        for size in SIZES[name]:
            image = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)[None]
            tensor = (
                image.astype(np.float32) / np.float32(recipe.divisor) if "float" in fed.type else image.astype(np.int32)
            )
            answers = zip(plain.run(None, {fed.name: tensor}), served.run(None, {"images": image}), strict=True)
            for expected, answer in answers:
                served_flat = np.asarray(answer).reshape(np.shape(expected))
                assert np.abs(np.asarray(expected) - served_flat).max() <= LARGEST_DIFFERENCE[name]
