"""Projects, who belongs to them, their keys and their audit trail."""

from __future__ import annotations

import asyncio
import uuid
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from auth_service.core.roles import ROLES
from praxiscope.auth.v1 import auth_pb2
from praxiscope.library.v1 import asset_service_pb2
from praxiscope_common import names
from tests.contract.test_auth_tokens import caller, log_in, make_key
from tests.support.calls import Answer
from tests.support.coverage import covers
from tests.support.house import House, Tenant, claims_of
from tests.support.operations import eventually
from tests.support.paging import check_paging


async def create_project(house: House, tenant: Tenant, name: str, request_id: str = "") -> Answer:
    """Makes a project as somebody who may."""
    request = auth_pb2.CreateProjectRequest(project=auth_pb2.Project(display_name=name), request_id=request_id)
    return await house.ask("ProjectService.CreateProject", request, token=tenant.everything)


async def add_member(tenant: Tenant, *, roles: list[str] | None = None, **who: str) -> Answer:
    """Takes a person in."""
    member = auth_pb2.Member(roles=roles or ["roles/viewer"], **who)
    request = auth_pb2.CreateMemberRequest(parent=tenant.name, member=member)
    return await tenant.house.ask("ProjectService.CreateMember", request, token=tenant.token)


async def update_member(tenant: Tenant, user_id: str, *roles: str) -> Answer:
    """Changes a person's roles."""
    member = auth_pb2.Member(name=names.MEMBER.format(tenant.project_id, user_id), roles=roles)
    request = auth_pb2.UpdateMemberRequest(member=member)
    return await tenant.house.ask("ProjectService.UpdateMember", request, token=tenant.token)


async def delete_member(tenant: Tenant, user_id: str) -> Answer:
    """Takes a person out."""
    request = auth_pb2.DeleteMemberRequest(name=names.MEMBER.format(tenant.project_id, user_id))
    return await tenant.house.ask("ProjectService.DeleteMember", request, token=tenant.token)


async def events_of(tenant: Tenant) -> list[auth_pb2.AuditEvent]:
    """Returns what was done in a project, newest first."""
    request = auth_pb2.ListAuditEventsRequest(parent=tenant.name, page_size=1000)
    return list(
        (await tenant.house.ask("ProjectService.ListAuditEvents", request, token=tenant.token)).message.audit_events
    )


# Projects


@covers("ProjectService.CreateProject")
@covers("ProjectService.GetProject")
async def test_who_makes_a_project_owns_it(house: House, tenant: Tenant) -> None:
    made = (await create_project(house, tenant, "Jumps")).message
    tokens = (await log_in(house, tenant, project=made.name)).message
    assert set(tokens.permissions) == ROLES["owner"].permissions
    request = auth_pb2.GetProjectRequest(name=made.name)
    assert (await house.ask("ProjectService.GetProject", request, token=tokens.access_token)).message == made


@covers("ProjectService.CreateProject", "REQUEST_ID_REUSED")
async def test_a_repeated_request_makes_no_second_project(house: House, tenant: Tenant, stranger: Tenant) -> None:
    request_id = str(uuid.uuid4())
    answers = await asyncio.gather(*(create_project(house, tenant, "Jumps", request_id) for _ in range(4)))
    assert len({answer.message.name for answer in answers}) == 1
    (await create_project(house, tenant, "Squats", request_id)).fails("REQUEST_ID_REUSED")
    theirs = (await create_project(house, stranger, "Squats", request_id)).message
    assert theirs.name != answers[0].message.name, "everybody has request ids of their own"


@covers("ProjectService.GetProject", "RESOURCE_NOT_FOUND")
async def test_a_project_of_others_is_not_there(house: House, tenant: Tenant, stranger: Tenant) -> None:
    request = auth_pb2.GetProjectRequest(name=stranger.name)
    (await house.ask("ProjectService.GetProject", request, token=tenant.token)).fails("RESOURCE_NOT_FOUND")


@covers("ProjectService.ListProjects")
@covers("ProjectService.ListProjects", "INVALID_PAGE_TOKEN")
async def test_a_person_sees_their_projects_and_a_key_its_own(house: House, tenant: Tenant, stranger: Tenant) -> None:
    made = [(await create_project(house, tenant, f"Project {number}")).message.name for number in range(4)]

    async def page(size: int, token: str) -> Answer:
        request = auth_pb2.ListProjectsRequest(page_size=size, page_token=token)
        return await house.ask("ProjectService.ListProjects", request, token=tenant.token)

    async def others(token: str) -> Answer:
        request = auth_pb2.ListProjectsRequest(page_token=token)
        return await house.ask("ProjectService.ListProjects", request, token=stranger.token)

    listed = await check_paging(page, "projects", foreign=others)
    assert [item.name for item in listed] == [*made[::-1], tenant.name]
    secret = (await make_key(tenant)).secret
    exchanged = await house.ask("TokenService.ExchangeApiKey", auth_pb2.ExchangeApiKeyRequest(api_key=secret))
    answer = await house.ask(
        "ProjectService.ListProjects", auth_pb2.ListProjectsRequest(), token=exchanged.message.access_token
    )
    assert [item.name for item in answer.message.projects] == [tenant.name]


@covers("ProjectService.ListRoles")
async def test_the_roles_are_published(house: House, tenant: Tenant) -> None:
    roles = (await house.ask("ProjectService.ListRoles", auth_pb2.ListRolesRequest(), token=tenant.token)).message.roles
    assert {role.name: set(role.permissions) for role in roles} == {
        f"roles/{role.role_id}": set(role.permissions) for role in ROLES.values()
    }


# Members


@covers("ProjectService.CreateMember")
async def test_a_person_is_taken_in_by_name_or_by_address(house: House, tenant: Tenant) -> None:
    (first, _), (second, address) = await house.person(), await house.person()
    by_name = (await add_member(tenant, user=names.USER.format(first))).message
    by_address = (await add_member(tenant, email=address.upper(), roles=["roles/analyst", "roles/analyst"])).message
    assert by_name.name == names.MEMBER.format(tenant.project_id, first)
    assert (by_address.user, by_address.email) == (names.USER.format(second), address)
    assert list(by_address.roles) == ["roles/analyst"]


@covers("ProjectService.CreateMember", "RESOURCE_NOT_FOUND", "MEMBER_EXISTS", "UNKNOWN_ROLE")
async def test_nobody_comes_in_twice_or_with_a_role_that_is_none(house: House, tenant: Tenant) -> None:
    user_id, address = await house.person()
    (await add_member(tenant, email=address, roles=["roles/king"])).fails("UNKNOWN_ROLE")
    assert (await add_member(tenant, email=address)).error is None
    (await add_member(tenant, user=names.USER.format(user_id))).fails("MEMBER_EXISTS")
    (await add_member(tenant, user=names.USER.format(names.new_id()))).fails("RESOURCE_NOT_FOUND")
    (await add_member(tenant, email=f"{names.new_id()}@example.org")).fails("RESOURCE_NOT_FOUND")


async def test_one_call_takes_one_person_in(house: House, tenant: Tenant) -> None:
    (first, _), (_, address) = await house.person(), await house.person()
    await add_member(tenant, user=names.USER.format(first), email=address)
    request = auth_pb2.ListMembersRequest(parent=tenant.name)
    members = (await house.ask("ProjectService.ListMembers", request, token=tenant.token)).message.members
    assert {member.user for member in members} == {tenant.subject, names.USER.format(first)}


@covers("ProjectService.ListMembers")
@covers("ProjectService.ListMembers", "INVALID_PAGE_TOKEN")
async def test_members_are_listed_page_by_page(house: House, tenant: Tenant, stranger: Tenant) -> None:
    added = [(await add_member(tenant, email=(await house.person())[1])).message.name for _ in range(4)]

    async def page(size: int, token: str) -> Answer:
        request = auth_pb2.ListMembersRequest(parent=tenant.name, page_size=size, page_token=token)
        return await house.ask("ProjectService.ListMembers", request, token=tenant.token)

    async def others(token: str) -> Answer:
        request = auth_pb2.ListMembersRequest(parent=stranger.name, page_token=token)
        return await house.ask("ProjectService.ListMembers", request, token=stranger.token)

    listed = await check_paging(page, "members", foreign=others)
    assert [item.name for item in listed][:4] == added[::-1]
    assert len(listed) == 5


@covers("ProjectService.UpdateMember")
@covers("ProjectService.UpdateMember", "RESOURCE_NOT_FOUND", "UNKNOWN_ROLE")
async def test_new_roles_count_from_the_next_token_and_the_old_one_ends(
    house: House, tenant: Tenant, stranger: Tenant
) -> None:
    (await update_member(tenant, stranger.user_id, "roles/viewer")).fails("RESOURCE_NOT_FOUND")
    await add_member(tenant, user=stranger.subject, roles=["roles/analyst"])
    tokens = (await log_in(house, stranger, project=tenant.name)).message
    at_home = (await log_in(house, stranger, project=stranger.name)).message
    (await update_member(tenant, stranger.user_id, "roles/king")).fails("UNKNOWN_ROLE")
    changed = (await update_member(tenant, stranger.user_id, "roles/viewer")).message
    assert list(changed.roles) == ["roles/viewer"]

    async def is_revoked() -> bool:
        return (await caller(house, tokens.access_token)).outcome == "REVOKED_TOKEN"

    await eventually(is_revoked, "the token with the old roles is revoked", 5)
    assert (await caller(house, at_home.access_token)).error is None, "tokens for other projects go on"
    fresh = (await log_in(house, stranger, project=tenant.name)).message
    assert set(fresh.permissions) == ROLES["viewer"].permissions


@covers("ProjectService.UpdateMember", "LAST_OWNER")
@covers("ProjectService.DeleteMember", "LAST_OWNER")
async def test_a_project_keeps_an_owner(house: House, tenant: Tenant) -> None:
    (await update_member(tenant, tenant.user_id, "roles/viewer")).fails("LAST_OWNER")
    (await delete_member(tenant, tenant.user_id)).fails("LAST_OWNER")
    assert (await update_member(tenant, tenant.user_id, "roles/owner", "roles/viewer")).error is None


async def test_two_owners_who_take_each_other_out_at_once_leave_one(house: House, tenant: Tenant) -> None:
    other, _ = await house.person()
    await house.served("auth").app.projects.add_member(tenant.project_id, user_id=other, email="", roles=["owner"])
    answers = await asyncio.gather(delete_member(tenant, other), delete_member(tenant, tenant.user_id))
    assert sorted(answer.outcome for answer in answers) == ["LAST_OWNER", "OK"]


@covers("ProjectService.DeleteMember")
@covers("ProjectService.DeleteMember", "RESOURCE_NOT_FOUND")
async def test_who_is_taken_out_is_out(house: House, tenant: Tenant, stranger: Tenant) -> None:
    await add_member(tenant, user=stranger.subject)
    tokens = (await log_in(house, stranger, project=tenant.name)).message
    assert (await delete_member(tenant, stranger.user_id)).error is None
    (await delete_member(tenant, stranger.user_id)).fails("RESOURCE_NOT_FOUND")
    (await log_in(house, stranger, project=tenant.name)).fails("NO_MEMBERSHIP")

    async def is_revoked() -> bool:
        return (await caller(house, tokens.access_token)).outcome == "REVOKED_TOKEN"

    await eventually(is_revoked, "the token is revoked", 5)


async def test_the_keys_of_who_is_taken_out_open_nothing_and_others_go_on(
    house: House, tenant: Tenant, stranger: Tenant
) -> None:
    await add_member(tenant, user=stranger.subject, roles=["roles/owner"])
    token = (await log_in(house, stranger, project=tenant.name)).message.access_token
    theirs = (await create_key(tenant, token, display_name="theirs")).message.secret
    ours = (await make_key(tenant)).secret

    async def exchange(secret: str) -> Answer:
        return await house.ask("TokenService.ExchangeApiKey", auth_pb2.ExchangeApiKeyRequest(api_key=secret))

    assert (await exchange(theirs)).error is None
    assert (await delete_member(tenant, stranger.user_id)).error is None
    (await exchange(theirs)).fails("INVALID_API_KEY")
    assert (await exchange(ours)).error is None
    assert "apiKeys.delete" in [event.action for event in await events_of(tenant)]


async def test_a_key_can_do_no_more_than_whoever_answers_for_it_may_now(
    house: House, tenant: Tenant, stranger: Tenant
) -> None:
    await add_member(tenant, user=stranger.subject, roles=["roles/developer"])
    token = (await log_in(house, stranger, project=tenant.name)).message.access_token
    theirs = (await create_key(tenant, token, display_name="theirs")).message.secret

    async def permissions(secret: str) -> tuple[str, frozenset[str]]:
        answer = await house.ask("TokenService.ExchangeApiKey", auth_pb2.ExchangeApiKeyRequest(api_key=secret))
        access_token = answer.message.access_token
        return access_token, frozenset(claims_of(access_token)["permissions"])

    key_token, before = await permissions(theirs)
    made_with_it = (await create_key(tenant, key_token, display_name="made with a key")).message.secret
    assert (await permissions(made_with_it))[1] == before

    assert (await update_member(tenant, stranger.user_id, "roles/viewer")).error is None

    async def is_revoked() -> bool:
        return (await caller(house, key_token)).outcome == "REVOKED_TOKEN"

    await eventually(is_revoked, "the key's token is revoked", 5)
    for secret in (theirs, made_with_it):
        _, after = await permissions(secret)
        assert after < before
        assert "library.assets.delete" in before - after
    assert (await update_member(tenant, stranger.user_id, "roles/developer")).error is None
    assert (await permissions(theirs))[1] == before
    assert (await delete_member(tenant, stranger.user_id)).error is None
    for secret in (theirs, made_with_it):
        answer = await house.ask("TokenService.ExchangeApiKey", auth_pb2.ExchangeApiKeyRequest(api_key=secret))
        answer.fails("INVALID_API_KEY")


# API keys


async def create_key(tenant: Tenant, token: str = "", **fields: Any) -> Answer:
    """Makes a key."""
    request = auth_pb2.CreateApiKeyRequest(parent=tenant.name, api_key=auth_pb2.ApiKey(**fields))
    return await tenant.house.ask("ProjectService.CreateApiKey", request, token=token or tenant.token)


def ends_in(**time: float) -> Any:
    """Returns the timestamp that is so far from now."""
    key = auth_pb2.ApiKey()
    key.expire_time.FromDatetime(datetime.now(timezone.utc) + timedelta(**time))
    return key.expire_time


@covers("ProjectService.CreateApiKey")
async def test_a_key_lives_thirty_days_or_as_long_as_was_asked_for(tenant: Tenant) -> None:
    made = (await create_key(tenant, display_name="scripts")).message.api_key
    lifetime_s = made.expire_time.ToSeconds() - made.create_time.ToSeconds()
    assert lifetime_s == pytest.approx(30 * 86400, abs=5)
    asked = ends_in(days=1)
    made = (await create_key(tenant, expire_time=asked)).message.api_key
    assert made.expire_time.ToMicroseconds() == asked.ToMicroseconds()


@pytest.mark.parametrize("time", [{"days": 31}, {"seconds": -1}, {"days": 4000}])
async def test_a_key_ends_within_thirty_days(tenant: Tenant, time: dict[str, float]) -> None:
    error = (await create_key(tenant, expire_time=ends_in(**time))).fails("INVALID_REQUEST")
    assert [violation.field for violation in error.field_violations] == ["api_key.expire_time"]


@covers("ProjectService.CreateApiKey", "UNKNOWN_PERMISSION", "SCOPE_TOO_WIDE", "RESOURCE_NOT_FOUND")
async def test_a_key_holds_nothing_that_its_maker_does_not(tenant: Tenant, stranger: Tenant) -> None:
    (await create_key(tenant, permissions=["library.assets.fly"])).fails("UNKNOWN_PERMISSION")
    (await create_key(tenant, permissions=["library.media.resolve"])).fails("UNKNOWN_PERMISSION")
    (await create_key(tenant, tenant.everything, permissions=["auth.users.manage"])).fails("UNKNOWN_PERMISSION")
    narrow = tenant.token_with(["auth.keys.manage", "library.assets.read"])
    (await create_key(tenant, narrow, permissions=["library.assets.purge"])).fails("SCOPE_TOO_WIDE")
    made = (await create_key(tenant, narrow)).message.api_key
    assert set(made.permissions) == {"auth.keys.manage", "library.assets.read"}
    (await create_key(tenant, stranger.token)).fails("RESOURCE_NOT_FOUND")


@covers("ProjectService.ListApiKeys")
@covers("ProjectService.ListApiKeys", "INVALID_PAGE_TOKEN")
async def test_keys_are_listed_page_by_page_without_secrets(house: House, tenant: Tenant, stranger: Tenant) -> None:
    made = [(await create_key(tenant)).message for _ in range(4)]

    async def page(size: int, token: str) -> Answer:
        request = auth_pb2.ListApiKeysRequest(parent=tenant.name, page_size=size, page_token=token)
        return await house.ask("ProjectService.ListApiKeys", request, token=tenant.token)

    async def others(token: str) -> Answer:
        request = auth_pb2.ListApiKeysRequest(parent=stranger.name, page_token=token)
        return await house.ask("ProjectService.ListApiKeys", request, token=stranger.token)

    listed = await check_paging(page, "api_keys", foreign=others)
    assert [item.name for item in listed] == [item.api_key.name for item in made[::-1]]
    text = "".join(map(str, listed))
    assert not any(item.secret in text for item in made)


@covers("ProjectService.DeleteApiKey")
@covers("ProjectService.DeleteApiKey", "RESOURCE_NOT_FOUND")
async def test_a_revoked_keys_tokens_open_no_other_service_within_five_seconds(house: House, tenant: Tenant) -> None:
    made = (await create_key(tenant)).message
    exchanged = await house.ask("TokenService.ExchangeApiKey", auth_pb2.ExchangeApiKeyRequest(api_key=made.secret))
    token = exchanged.message.access_token
    listing = asset_service_pb2.ListAssetsRequest(parent=tenant.name)
    assert (await house.ask("AssetService.ListAssets", listing, token=token)).error is None
    request = auth_pb2.DeleteApiKeyRequest(name=made.api_key.name)
    revoked = (await house.ask("ProjectService.DeleteApiKey", request, token=tenant.token)).message
    assert revoked.HasField("revoke_time")
    again = (await house.ask("ProjectService.DeleteApiKey", request, token=tenant.token)).message
    assert again.revoke_time == revoked.revoke_time

    async def is_revoked() -> bool:
        return (await house.ask("AssetService.ListAssets", listing, token=token)).outcome == "REVOKED_TOKEN"

    await eventually(is_revoked, "the library refuses the key's token", 5)
    request.name = tenant.name_of("apiKeys")
    (await house.ask("ProjectService.DeleteApiKey", request, token=tenant.token)).fails("RESOURCE_NOT_FOUND")


async def test_a_keys_last_use_is_known(house: House, tenant: Tenant) -> None:
    made = (await create_key(tenant)).message
    await house.ask("TokenService.ExchangeApiKey", auth_pb2.ExchangeApiKeyRequest(api_key=made.secret))
    answer = await house.ask(
        "ProjectService.ListApiKeys", auth_pb2.ListApiKeysRequest(parent=tenant.name), token=tenant.token
    )
    assert answer.message.api_keys[0].last_use_time.ToSeconds() >= made.api_key.create_time.ToSeconds()


# Audit


@covers("ProjectService.ListAuditEvents")
@covers("ProjectService.ListAuditEvents", "INVALID_PAGE_TOKEN")
async def test_what_is_done_in_a_project_is_written_down(house: House, tenant: Tenant, stranger: Tenant) -> None:
    made = (await create_key(tenant)).message.api_key
    await house.ask(
        "ProjectService.DeleteApiKey",
        auth_pb2.DeleteApiKeyRequest(name=made.name),
        token=tenant.token,
        metadata={"x-request-id": "req-1"},
    )
    await add_member(tenant, user=stranger.subject)
    await update_member(tenant, stranger.user_id, "roles/analyst")
    await delete_member(tenant, stranger.user_id)
    await log_in(house, tenant)
    events = await events_of(tenant)
    assert [event.action for event in events][:6] == [
        *("auth.login", "members.delete", "members.update", "members.create", "apiKeys.delete", "apiKeys.create")
    ]
    by_action = {event.action: event for event in events}
    deleted = by_action["apiKeys.delete"]
    assert (deleted.subject, deleted.target, deleted.request_id) == (tenant.subject, made.name, "req-1")
    assert all(event.succeeded for event in events)

    async def page(size: int, token: str) -> Answer:
        request = auth_pb2.ListAuditEventsRequest(parent=tenant.name, page_size=size, page_token=token)
        return await house.ask("ProjectService.ListAuditEvents", request, token=tenant.token)

    async def others(token: str) -> Answer:
        request = auth_pb2.ListAuditEventsRequest(parent=stranger.name, page_token=token)
        return await house.ask("ProjectService.ListAuditEvents", request, token=stranger.token)

    assert [item.name for item in await check_paging(page, "audit_events", foreign=others)] == [e.name for e in events]


async def test_a_thief_of_a_refresh_token_is_written_down(house: House, tenant: Tenant) -> None:
    tokens = (await log_in(house, tenant)).message
    for _ in range(2):
        await house.ask("TokenService.RefreshToken", auth_pb2.RefreshTokenRequest(refresh_token=tokens.refresh_token))
    newest = (await events_of(tenant))[0]
    assert (newest.action, newest.succeeded, newest.subject) == ("auth.refreshTokenReused", False, tenant.subject)
    assert claims_of(tokens.access_token)["sub"] == newest.subject
