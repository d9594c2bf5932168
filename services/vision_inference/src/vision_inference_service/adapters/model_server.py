"""Which versions the model server holds, and how it is told to load and let go of them.

The server is told of a model's versions by a configuration that names them. It loads what is new beside what answers, and keeps what answers where the new one
cannot be loaded; versions whose files have not changed are not loaded again.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from tritonclient.grpc import InferInput
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from vision_inference_service.adapters.triton_models import ModelServerUnavailableError

_TIMEOUT_S = 5.0
_LOAD_TIMEOUT_S = 300.0
_MESSAGE_LENGTH = 500


@dataclass(frozen=True, kw_only=True)
class WarmUp:
    """A question whose answer shows that a net works.

    Attributes:
        shape: Of the picture that is sent.
        output: The tensor that must come back.
    """

    shape: tuple[int, ...]
    output: str


WARM_UPS: Mapping[str, WarmUp] = {
    "movenet_multipose": WarmUp(shape=(1, 224, 384, 3), output="persons"),
    "blazepose_full": WarmUp(shape=(1, 256, 256, 3), output="landmarks"),
    "centernet": WarmUp(shape=(1, 512, 512, 3), output="detections"),
}


class LoadFailedError(Exception):
    """The model server cannot load a version, or its first answer is none; the message says why."""


@dataclass(frozen=True, kw_only=True)
class ModelServers:
    """Every model server that stands behind an address.

    Attributes:
        address: `host:port` of the gRPC service; a name may stand for several servers, which all hold the same.
    """

    address: str

    async def addresses(self) -> tuple[str, ...]:
        """Returns `host:port` of each server.

        Raises:
            ModelServerUnavailableError: If the name is not known.
        """
        host, _, port = self.address.rpartition(":")
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
        except (OSError, ValueError) as error:
            raise ModelServerUnavailableError(retry_after_s=1.0) from error
        return tuple(
            sorted({f"[{item[4][0]}]:{port}" if ":" in str(item[4][0]) else f"{item[4][0]}:{port}" for item in found})
        )

    def _client(self, address: str) -> InferenceServerClient:
        # A mesh knows the servers by the name that stands for them, and lets nothing out to an address without one.
        return InferenceServerClient(address, channel_args=[("grpc.default_authority", self.address)])

    async def ready_versions(self, address: str) -> Mapping[str, frozenset[int]]:
        """Returns the versions of each model that answer at a server.

        Raises:
            ModelServerUnavailableError: If the server does not answer.
        """
        client = self._client(address)
        try:
            index = await client.get_model_repository_index(client_timeout=_TIMEOUT_S)
        except InferenceServerException as error:
            raise ModelServerUnavailableError(retry_after_s=1.0) from error
        finally:
            await client.close()
        found: dict[str, set[int]] = {}
        for item in () if index is None else index.models:
            versions = found.setdefault(item.name, set())
            if item.state == "READY" and item.version.isdecimal():
                versions.add(int(item.version))
        return {name: frozenset(versions) for name, versions in found.items()}

    async def hold(self, address: str, model: str, versions: Iterable[int]) -> None:
        """Has a server hold just these versions of a model; it answers all the while.

        Raises:
            LoadFailedError: If one cannot be loaded; those that answered before still do.
            ModelServerUnavailableError: If the server does not answer.
        """
        client = self._client(address)
        try:
            answer = await client.get_model_config(model, as_json=True, client_timeout=_TIMEOUT_S)
            config = dict((answer or {}).get("config", {}))
            config["version_policy"] = {"specific": {"versions": sorted(versions)}}
            await client.load_model(model, config=json.dumps(config), client_timeout=_LOAD_TIMEOUT_S)
        except InferenceServerException as error:
            raise _translate(error) from error
        finally:
            await client.close()

    async def warm_up(self, address: str, model: str, version: int) -> None:
        """Asks a version its first question.

        Raises:
            LoadFailedError: If it does not answer as agreed.
            ModelServerUnavailableError: If the server does not answer.
        """
        question = WARM_UPS[model]
        tensor = InferInput("images", list(question.shape), "UINT8")
        tensor.set_data_from_numpy(np.zeros(question.shape, np.uint8))
        client = self._client(address)
        try:
            answer = await client.infer(model, [tensor], model_version=str(version), client_timeout=_LOAD_TIMEOUT_S)
        except InferenceServerException as error:
            raise _translate(error) from error
        finally:
            await client.close()
        found = None if answer is None else answer.as_numpy(question.output)
        if found is None or found.size == 0 or not np.isfinite(found).all():
            raise LoadFailedError(f"the first answer of {model}/{version} holds no numbers in {question.output}")


def _translate(error: InferenceServerException) -> Exception:
    """Triton says UNAVAILABLE by gRPC's own code where it does not answer; everything else is about the model."""
    if error.status() in {"StatusCode.UNAVAILABLE", "StatusCode.DEADLINE_EXCEEDED"} and "model" not in str(
        error.message()
    ):
        return ModelServerUnavailableError(retry_after_s=1.0)
    return LoadFailedError(str(error.message())[:_MESSAGE_LENGTH])
