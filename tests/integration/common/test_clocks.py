"""The services' clock and the database's an hour apart: who is logged in stays in, who is logged out is out."""

from __future__ import annotations

import pytest

from praxiscope.auth.v1 import auth_pb2
from tests.support.clock import shift_clock
from tests.support.house import PASSWORD, House, Tenant
from tests.support.operations import eventually

pytestmark = pytest.mark.fault


async def log_in(house: House, tenant: Tenant) -> auth_pb2.TokenSet:
    """Logs a tenant's owner in."""
    answer = await house.ask("TokenService.Login", auth_pb2.LoginRequest(email=tenant.email, password=PASSWORD))
    assert answer.error is None
    return answer.message


async def status_of(house: House, token: str) -> str:
    """Returns what a call with a token ends with."""
    answer = await house.ask("UserService.GetCaller", auth_pb2.GetCallerRequest(), token=token)
    return "OK" if answer.error is None else answer.error.reason


@pytest.mark.parametrize("hours", [-1, 1])
async def test_a_logout_ends_the_tokens_before_it_and_none_after_it(own_house: House, hours: int) -> None:
    house = own_house
    tenant = await house.tenant()
    await shift_clock(house.postgres.superuser(house.database), hours)
    left = await log_in(house, tenant)
    assert await status_of(house, left.access_token) == "OK"
    assert (await house.ask("TokenService.Logout", auth_pb2.LogoutRequest(), token=left.access_token)).error is None

    async def is_revoked() -> bool:
        return await status_of(house, left.access_token) == "REVOKED_TOKEN"

    await eventually(is_revoked, "the token is revoked", 6)
    again = await log_in(house, tenant)
    assert await status_of(house, again.access_token) == "OK"
    request = auth_pb2.RefreshTokenRequest(refresh_token=again.refresh_token)
    refreshed = await house.ask("TokenService.RefreshToken", request)
    assert refreshed.error is None
    assert await status_of(house, refreshed.message.access_token) == "OK"


@pytest.mark.parametrize("hours", [-1, 1])
async def test_who_is_taken_into_a_project_again_can_work_at_once(own_house: House, hours: int) -> None:
    house = own_house
    tenant = await house.tenant()
    user_id, email = await house.person()
    projects = house.served("auth").app.projects
    await projects.add_member(tenant.project_id, user_id=user_id, email="", roles=["viewer"])
    await shift_clock(house.postgres.superuser(house.database), hours)
    login = auth_pb2.LoginRequest(email=email, password=PASSWORD, project=tenant.name)
    before = (await house.ask("TokenService.Login", login)).message
    assert await status_of(house, before.access_token) == "OK"
    await projects.remove_member(tenant.project_id, user_id)

    async def is_revoked() -> bool:
        return await status_of(house, before.access_token) == "REVOKED_TOKEN"

    await eventually(is_revoked, "the token is revoked", 6)
    await projects.add_member(tenant.project_id, user_id=user_id, email="", roles=["viewer"])
    after = (await house.ask("TokenService.Login", login)).message
    assert await status_of(house, after.access_token) == "OK"


@pytest.mark.parametrize("hours", [-1, 1])
async def test_an_upload_can_be_made(own_house: House, hours: int) -> None:
    """Its tickets and its end come from different clocks."""
    tenant = await own_house.tenant()
    await shift_clock(own_house.postgres.superuser(own_house.database), hours)
    assert (await tenant.upload(b"some notes")).startswith(tenant.name)
