"""PostgreSQL has no connection left for anybody: every service says so with a hint, and is well again by itself."""

from __future__ import annotations

import asyncio
import time

import pytest

from praxiscope.auth.v1 import auth_pb2
from praxiscope.library.v1 import asset_service_pb2, operation_service_pb2
from tests.support.house import PASSWORD, House
from tests.support.operations import eventually, execute

pytestmark = pytest.mark.fault


async def test_calls_are_unavailable_with_a_hint_and_then_answered(own_house: House) -> None:
    house = own_house
    tenant = await house.tenant()
    server = house.postgres.superuser("postgres")
    calls = {
        "AssetService.ListAssets": asset_service_pb2.ListAssetsRequest(parent=tenant.name),
        "OperationService.ListOperations": operation_service_pb2.ListOperationsRequest(parent=tenant.name),
        "ProjectService.GetProject": auth_pb2.GetProjectRequest(name=tenant.name),
        "TokenService.Login": auth_pb2.LoginRequest(email=tenant.email, password=PASSWORD),
    }
    for method, request in calls.items():
        assert (await house.ask(method, request, token=tenant.token)).error is None, method
    await execute(server, f"ALTER DATABASE {house.database} CONNECTION LIMIT 0")
    await execute(server, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [house.database])

    async def is_refused(method: str) -> None:
        started_s = time.monotonic()
        error = (await house.ask(method, calls[method], token=tenant.token)).error
        assert error is not None, method
        assert (error.reason, bool(error.retry_after_s)) == ("DATABASE_UNAVAILABLE", True), method
        assert time.monotonic() - started_s < 10

    await asyncio.gather(*(is_refused(method) for method in calls))
    await execute(server, f"ALTER DATABASE {house.database} CONNECTION LIMIT -1")

    for method, request in calls.items():

        async def is_answered(method: str = method, request: object = request) -> bool:
            return (await house.ask(method, request, token=tenant.token)).error is None

        await eventually(is_answered, f"{method} is answered", 20)
