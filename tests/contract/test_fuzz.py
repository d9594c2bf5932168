"""Messages of chance and bytes that are none, to every method of every service in this process."""

from __future__ import annotations

import asyncio
import time

from fuzz import grpc_calls
from fuzz.tally import INTERNAL, Tally, random_for, table
from fuzz.target import Target
from tests.support.examples import existing, unknown
from tests.support.house import House

SEED = 20
CASE_COUNT = 450
AT_ONCE = 8


async def test_no_message_ends_as_a_mistake_of_ours(own_house: House) -> None:
    tenant, stranger = await own_house.tenant(), await own_house.tenant()
    kinds = ("project", "asset", "version", "upload", "operation", "member", "key", "editStack")
    known = [await existing(whose, kind) for whose in (tenant, stranger) for kind in kinds]
    known += [unknown(tenant, kind) for kind in kinds] + ["a.txt", "notes.txt", "display_name"]
    target = Target(host="", port=0, holding=(tenant.everything, tenant.token), known=known, project=tenant.name)
    served = (
        own_house.served(name)
        for name in (
            "auth",
            "library",
            "vision_inference",
            "tracking",
            "biomechanics",
            "rendering",
            "generation",
            "editing",
        )
    )
    channels = {name: item.channel for item in served for name in item.server.service_names}
    tally = Tally(entry="grpc")
    indices = iter(range(CASE_COUNT))

    async def work() -> None:
        for index in indices:
            started_s = time.monotonic()
            try:
                outcome = await grpc_calls.call_method(random_for(SEED, "grpc", index), channels, target)
            except grpc_calls.ForbiddenOutcomeError as error:
                outcome = "FOUND"
                tally.find(INTERNAL, index, str(error))
            tally.note(index, outcome, time.monotonic() - started_s)

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    assert not tally.finding_counts, table([tally])
    assert tally.outcomes["OK"] > 5
    assert tally.outcomes["INVALID_REQUEST"] > 50
