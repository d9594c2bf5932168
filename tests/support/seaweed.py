"""A real S3: SeaweedFS, as the stack runs it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import signal
from collections.abc import Sequence
from pathlib import Path

from praxiscope_common.config import Secret
from praxiscope_common.storage.configuration import StoreConfig, open_store
from praxiscope_common.storage.port import StoreUnavailableError
from praxiscope_common.storage.s3 import S3Store
from tests.support.programs import free_offset, running, settings_for
from tools.devstack.seaweed import ACCESS_KEY_ID, seaweed_part
from tools.devstack.secrets import StackSecrets
from tools.devstack.settings import PORTS


def start_seaweed(
    stack: contextlib.ExitStack, folder: Path, attempts: int = 3, wrapped: Sequence[str] = ()
) -> StoreConfig:
    """Starts SeaweedFS and returns how it is reached; its seven ports were free a moment ago, and where one is not any more others are tried."""
    offset = free_offset([PORTS["s3"], *range(17_010, 17_013), *range(27_010, 27_013)])
    settings, secrets = settings_for(folder, "s3", offset=offset), StackSecrets(folder / "secrets")
    # It takes a quarter of a minute to stop, and what it holds is of no interest afterwards.
    made = seaweed_part(settings, secrets)
    part = dataclasses.replace(made, command=[*wrapped, *made.command], stop_signal=signal.SIGKILL)
    try:
        stack.enter_context(running(part, folder / f"seaweed-{attempts}.log"))
    except RuntimeError:
        if attempts == 1:
            raise
        return start_seaweed(stack, folder, attempts - 1, wrapped)
    return StoreConfig(
        kind="s3",
        endpoint_url=f"http://127.0.0.1:{settings.port('s3')}",
        access_key_id=ACCESS_KEY_ID,
        secret_access_key=Secret(secrets.password("s3").read_text()),
    )


async def open_s3(config: StoreConfig) -> S3Store:
    """Opens a store that was started just now, once it takes objects."""
    store = open_store(config)
    assert isinstance(store, S3Store)
    for _ in range(100):
        try:
            await store.probe()
            await store.put("ready", b"")
        except StoreUnavailableError:
            await asyncio.sleep(0.2)
        else:
            return store
    raise RuntimeError("SeaweedFS takes no objects")
