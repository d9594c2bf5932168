"""The models in service: what Triton has loaded, and what their cards say."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path

from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from vision_inference_service.adapters.triton_models import ModelServerUnavailableError
from vision_inference_service.core.types import ModelEntry

_LICENCE = re.compile(r"^[-*|\s]*\**licen[cs]e\**\s*[:|]\s*(?P<text>.+?)\s*\|?$", re.IGNORECASE | re.MULTILINE)
_TIMEOUT_S = 3.0


class TritonRegistry:
    """Models as Triton and their cards tell of them.

    Args:
        address: Host and port of Triton's gRPC service.
        cards: Folder with `{model}/card.md`.
    """

    def __init__(self, address: str, cards: Path) -> None:
        """Prepares the channel; nothing is sent yet."""
        self._client = InferenceServerClient(address)
        self._cards = cards

    async def list(self) -> Sequence[ModelEntry]:
        """Returns the models in the order of their names.

        Raises:
            ModelServerUnavailableError: If Triton does not answer.
        """
        try:
            index = await self._client.get_model_repository_index(client_timeout=_TIMEOUT_S)
        except InferenceServerException as error:
            raise ModelServerUnavailableError(retry_after_s=1.0) from error
        if index is None:
            raise ModelServerUnavailableError(retry_after_s=1.0)
        versions: dict[str, list[str]] = {}
        ready: dict[str, bool] = {}
        for model in index.models:
            versions.setdefault(model.name, []).append(model.version)
            ready[model.name] = ready.get(model.name, True) and model.state == "READY"
        cards = await asyncio.to_thread(lambda: {name: self._card(name) for name in versions})
        return [
            ModelEntry(
                name=name,
                versions=sorted(versions[name]),
                is_ready=ready[name],
                licence=_licence_in(cards[name]),
                card=cards[name],
            )
            for name in sorted(versions)
        ]

    async def close(self) -> None:
        """Closes the channel."""
        await self._client.close()

    def _card(self, name: str) -> str:
        path = self._cards / name / "card.md"
        return path.read_text(encoding="utf-8") if path.is_file() else ""


def _licence_in(card: str) -> str:
    match = _LICENCE.search(card)
    return match["text"] if match else ""
