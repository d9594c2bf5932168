"""The nets behind the core's ports, served by Triton over gRPC. Only small uint8 tensors travel, never frames.

Where Triton is on the same machine, not even those: they are put into memory that both see (`shared_memory`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType

import grpc
import numpy as np
from tritonclient.grpc import InferInput, InferResult
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from praxiscope_common.errors import DeadlineError, DomainError, InternalError, UnavailableError
from vision_inference_service.adapters.shared_memory import SharedWindow, is_left_behind
from vision_inference_service.core.types import FloatArray, ImageArray

_INPUT_NAME = "images"
_INPUT_TYPE = "UINT8"
# The largest usual input is eight crops of 256 x 256; a live picture that is larger is sent.
_SLOT_BYTES = 8 * 256 * 256 * 3
_SLOT_COUNT = 16
_GOODBYE_S = 1.0
_GOODBYE_PAUSE_S = 0.05
_UNKNOWN_REGION = "shared memory region"
"""Part of Triton's words about a region that it does not know, as after a start anew; they carry no code of their own."""


class ModelServerUnavailableError(UnavailableError):
    """The model server does not answer or has not loaded the model; try again."""

    reason = "MODEL_SERVER_UNAVAILABLE"


class ModelDeadlineError(DeadlineError):
    """A net took longer than the call's time; try again or ask for less."""

    reason = "MODEL_DEADLINE_EXCEEDED"


class ModelAnswerError(InternalError):
    """The model server refused a request of ours, or answered with another tensor than agreed."""

    reason = "MODEL_ANSWER_INVALID"


@dataclass(frozen=True, kw_only=True)
class TritonSettings:
    """How Triton is called.

    Attributes:
        address: Host and port of its gRPC service.
        deadline_s: Longest time for one inference, waiting in Triton's queue included.
        person_model: Name of the person detector.
        pose_model: Name of the landmark net.
        object_model: Name of the object detector.
        pose_crops_per_call: People whose landmarks one call asks for. 1 lets the instances of the landmark net share a
            frame's people, which is what a CPU likes; a GPU likes them all in one call.
        is_local: Whether Triton runs on this machine and may read this process' shared memory.
    """

    address: str
    deadline_s: float = 10.0
    person_model: str = "movenet_multipose"
    pose_model: str = "blazepose_full"
    object_model: str = "centernet"
    pose_crops_per_call: int = 1
    is_local: bool = False


class TritonModels:
    """Implements `PoseModels` and `ObjectModels`. Make it inside a running event loop; close it at the end.

    Args:
        settings: How Triton is called.
        metadata: Called once per inference for the headers that go with it, as in `{"traceparent": …}`; names in lower
            case.
    """

    def __init__(self, settings: TritonSettings, *, metadata: Callable[[], Mapping[str, str]]) -> None:
        """Prepares the channel; nothing is sent yet."""
        self._settings = settings
        self._metadata = metadata
        self._client = InferenceServerClient(settings.address)
        self._window = SharedWindow(slot_bytes=_SLOT_BYTES, slot_count=_SLOT_COUNT) if settings.is_local else None
        self._registering = asyncio.Lock()
        self._is_registered, self._registration_count = False, 0

    async def detect_persons(self, image_rgb: ImageArray, *, version: str = "") -> FloatArray:
        """Finds up to six people in (H, W, 3); see `PoseModels`. Without a version the newest that is loaded answers."""
        answer = await self._infer(self._settings.person_model, version, image_rgb[None], {"persons": (1, 6, 56)})
        return answer["persons"][0]

    async def estimate_landmarks(
        self, crops_rgb: ImageArray, *, version: str = ""
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Estimates the landmarks in (N, 256, 256, 3); see `PoseModels`."""
        size = self._settings.pose_crops_per_call
        parts = await asyncio.gather(
            *(
                self._infer(
                    self._settings.pose_model,
                    version,
                    part,
                    {
                        "landmarks": (len(part), 39, 5),
                        "world_landmarks": (len(part), 39, 3),
                        "presence": (len(part), 1),
                    },
                )
                for part in (crops_rgb[start : start + size] for start in range(0, len(crops_rgb), size))
            )
        )
        landmarks, world, presence = (
            np.concatenate([part[name] for part in parts]) for name in ("landmarks", "world_landmarks", "presence")
        )
        return landmarks, world, presence[:, 0]

    async def detect_objects(self, image_rgb: ImageArray, *, version: str = "") -> FloatArray:
        """Finds up to a hundred objects in (512, 512, 3); see `ObjectModels`."""
        answer = await self._infer(self._settings.object_model, version, image_rgb[None], {"detections": (1, 100, 6)})
        return answer["detections"][0]

    async def are_ready(self, versions: Mapping[str, str] | None = None) -> bool:
        """Whether the server answers and has loaded all three nets; each ran an inference before it said so.

        Args:
            versions: Version by model name; a model that is not in it may be of any.
        """
        names = (self._settings.person_model, self._settings.pose_model, self._settings.object_model)
        try:
            return all(
                [
                    await self._client.is_model_ready(
                        name, (versions or {}).get(name, ""), client_timeout=self._settings.deadline_s
                    )
                    for name in names
                ]
            )
        except InferenceServerException:
            return False

    async def close(self) -> None:
        """Closes the channel and lets go of the shared memory."""
        if self._window is not None:
            if self._registration_count:
                await self._take_back(self._window)
            self._window.close()
        await self._client.close()

    async def __aenter__(self) -> TritonModels:
        """Itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes."""
        await self.close()

    async def _infer(
        self, model: str, version: str, images: ImageArray, shapes: Mapping[str, tuple[int, ...]]
    ) -> dict[str, FloatArray]:
        """One inference; a server can be up and answer with nothing, so the shapes are checked."""
        tensor = InferInput(_INPUT_NAME, list(images.shape), _INPUT_TYPE)
        try:
            if self._window is not None and images.nbytes <= self._window.slot_bytes:
                answer = await self._ask_through(self._window, model, version, tensor, images)
            else:
                tensor.set_data_from_numpy(np.ascontiguousarray(images))
                answer = await self._ask(model, version, tensor)
        except InferenceServerException as error:
            raise _translate(error, model) from error
        arrays: dict[str, FloatArray] = {}
        for name, shape in shapes.items():
            array = None if answer is None else answer.as_numpy(name)
            if array is None or array.shape != shape:
                found = "nothing" if array is None else str(array.shape)
                raise ModelAnswerError(
                    f"{model} answered {name} with {found}, expected {shape}", metadata={"model": model}
                )
            arrays[name] = np.asarray(array, np.float32)
        return arrays

    async def _ask(self, model: str, version: str, tensor: InferInput) -> InferResult | None:
        return await self._client.infer(
            model,
            [tensor],
            model_version=version,
            client_timeout=self._settings.deadline_s,
            headers=dict(self._metadata()),
        )

    async def _ask_through(
        self, window: SharedWindow, model: str, version: str, tensor: InferInput, images: ImageArray
    ) -> InferResult | None:
        """Asks with the input in shared memory; a server that was started anew is told of the memory again."""
        async with window.filled(images) as offset:
            tensor.set_shared_memory(window.key, images.nbytes, offset)
            if not self._is_registered:
                await self._register(window)
            known_count = self._registration_count
            try:
                return await self._ask(model, version, tensor)
            except InferenceServerException as error:
                if _UNKNOWN_REGION not in str(error.message()):
                    raise
                if known_count == self._registration_count:  # nobody else has told the server since
                    self._is_registered = False
            await self._register(window)
            return await self._ask(model, version, tensor)

    async def _forget_killed(self) -> None:
        """Has the server let go of what killed processes shared, which it would hold for ever.

        It refuses while it still works for one of them; then that is left to whoever comes next.
        """
        with contextlib.suppress(InferenceServerException):
            known = await self._client.get_system_shared_memory_status(client_timeout=self._settings.deadline_s)
            for name in filter(is_left_behind, known.regions if known is not None else ()):
                await self._client.unregister_system_shared_memory(name, client_timeout=self._settings.deadline_s)

    async def _register(self, window: SharedWindow) -> None:
        async with self._registering:
            if not self._is_registered:
                await self._forget_killed()
                await self._client.register_system_shared_memory(
                    window.key, window.key, window.byte_size, client_timeout=self._settings.deadline_s
                )
                self._is_registered = True
                self._registration_count += 1

    async def _take_back(self, window: SharedWindow) -> None:
        """Has the server let go of the memory; it refuses while an answer that it has just sent is not put away."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GOODBYE_S):
                while True:
                    with contextlib.suppress(InferenceServerException):
                        await self._client.unregister_system_shared_memory(window.key, client_timeout=_GOODBYE_S)
                        return
                    await asyncio.sleep(_GOODBYE_PAUSE_S)


_UNAVAILABLE_CODES = frozenset(
    {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.RESOURCE_EXHAUSTED}
)
"""Triton says NOT_FOUND or UNAVAILABLE for a model that is not loaded yet."""


def _translate(error: InferenceServerException, model: str) -> DomainError:
    """Triton's error in the words of the domain."""
    code = next((known for known in grpc.StatusCode if str(known) == error.status()), grpc.StatusCode.UNKNOWN)
    metadata = {"model": model}
    if code in _UNAVAILABLE_CODES:
        return ModelServerUnavailableError(metadata=metadata, retry_after_s=1.0)
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return ModelDeadlineError(metadata=metadata)
    return ModelAnswerError(metadata=metadata)
