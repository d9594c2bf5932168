"""Runs one ONNX model inside Triton's `python` backend.

All our models share this file; what differs stands in their config.pbtxt.

Parameters in config.pbtxt:
    divisor         What the uint8 input is divided by before it is given to the net; 1 leaves 0..255.
    side_multiple   Height and width of the input must be multiples of this.
    max_items       Largest first dimension.
    warm_up_shape   Shape of the inference that is run before the model is reported ready.
    threads         Cores per inference.
"""

import json
import os

import numpy as np
import onnxruntime
import triton_python_backend_utils as triton

_ONNX_DTYPES = {"tensor(float)": np.float32, "tensor(int32)": np.int32}


class TritonPythonModel:
    """One instance of a model; Triton calls the three methods."""

    def initialize(self, args: dict[str, str]) -> None:
        """Loads the weights and proves with one inference that they work."""
        if int(np.__version__.split(".")[0]) >= 2:
            # With numpy 2 this Triton reports READY and then answers with empty tensors.
            raise triton.TritonModelException(f"numpy must be older than 2, but is {np.__version__}")
        config = json.loads(args["model_config"])
        parameters = {key: value["string_value"] for key, value in config["parameters"].items()}
        self._input_name = config["input"][0]["name"]
        self._output_shapes = {output["name"]: [int(size) for size in output["dims"]] for output in config["output"]}
        self._divisor = float(parameters["divisor"])
        self._side_multiple = int(parameters["side_multiple"])
        self._max_items = int(parameters["max_items"])
        self._session = _open_session(
            os.path.join(args["model_repository"], args["model_version"], "model.onnx"), int(parameters["threads"])
        )
        self._net_input = self._session.get_inputs()[0]
        self._net_dtype = _ONNX_DTYPES[self._net_input.type]
        self._infer(np.zeros([int(size) for size in parameters["warm_up_shape"].split(",")], np.uint8))

    def execute(self, requests: list) -> list:
        """Answers each request by itself: batching does not help these nets on a CPU."""
        return [self._answer(request) for request in requests]

    def finalize(self) -> None:
        """Frees the weights."""
        self._session = None

    def _answer(self, request: object) -> object:
        images = triton.get_input_tensor_by_name(request, self._input_name).as_numpy()
        problem = self._find_problem(images)
        if problem:
            error = triton.TritonError(problem, triton.TritonError.INVALID_ARG)
            return triton.InferenceResponse(output_tensors=[], error=error)
        try:
            outputs = self._infer(images)
        except onnxruntime.capi.onnxruntime_pybind11_state.RuntimeException as failure:
            error = triton.TritonError(str(failure), triton.TritonError.INTERNAL)
            return triton.InferenceResponse(output_tensors=[], error=error)
        return triton.InferenceResponse(output_tensors=[triton.Tensor(name, outputs[name]) for name in outputs])

    def _find_problem(self, images: np.ndarray) -> str:
        """What is wrong with an input (N, H, W, 3); empty when nothing is."""
        count, height, width, _ = images.shape
        if not 1 <= count <= self._max_items:
            return f"the first dimension must be from 1 to {self._max_items}, but is {count}"
        if min(height, width) < 1 or height % self._side_multiple or width % self._side_multiple:
            return f"height and width must be multiples of {self._side_multiple}, but are {height} and {width}"
        return ""

    def _infer(self, images: np.ndarray) -> dict[str, np.ndarray]:
        net_input = images.astype(self._net_dtype)
        if self._divisor != 1.0:
            net_input /= self._net_dtype(self._divisor)
        names = list(self._output_shapes)
        outputs = self._session.run(names, {self._net_input.name: net_input})
        return {
            name: np.ascontiguousarray(values).reshape(self._output_shapes[name])
            for name, values in zip(names, outputs, strict=True)
        }


def _open_session(path: str, thread_count: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = thread_count
    options.inter_op_num_threads = 1
    # Waiting threads sleep: spinning ones take the core from the decoder and the encoder (14.6 instead of 20.8
    # frames/s).
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
