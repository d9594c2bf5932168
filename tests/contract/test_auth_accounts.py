"""People: their accounts, passwords and bars."""

from __future__ import annotations

import pytest

from praxiscope.auth.v1 import auth_pb2
from praxiscope_common import names
from tests.contract.test_auth_tokens import caller, log_in, make_key, refresh
from tests.support.calls import Answer
from tests.support.coverage import covers
from tests.support.house import PASSWORD, House, Tenant
from tests.support.operations import eventually

STRONG = "seven green bicycles"


async def create(house: House, tenant: Tenant, email: str, password: str = STRONG, **fields: object) -> Answer:
    """Makes an account as an administrator."""
    request = auth_pb2.CreateUserRequest(user=auth_pb2.User(email=email, **fields), password=password)
    return await house.ask("UserService.CreateUser", request, token=tenant.everything)


def an_address() -> str:
    """Returns an address that nobody has."""
    return f"{names.new_id()}@example.org"


@covers("UserService.GetCaller")
async def test_a_person_and_a_key_learn_who_they_are(house: House, tenant: Tenant) -> None:
    person = (await caller(house, tenant.token)).message
    assert (person.subject, person.project, person.user.email) == (tenant.subject, tenant.name, tenant.email)
    key = await make_key(tenant, permissions=["library.assets.read"])
    request = auth_pb2.ExchangeApiKeyRequest(api_key=key.secret)
    token = (await house.ask("TokenService.ExchangeApiKey", request)).message.access_token
    program = (await caller(house, token)).message
    assert (program.subject, program.HasField("user")) == (key.api_key.name, False)


@covers("UserService.CreateUser")
async def test_an_administrator_makes_an_account_that_can_log_in(house: House, tenant: Tenant) -> None:
    email = an_address()
    made = (await create(house, tenant, email.upper(), display_name="Ada")).message
    assert (made.email, made.display_name, made.state) == (email, "Ada", auth_pb2.User.STATE_ACTIVE)
    member = auth_pb2.CreateMemberRequest(
        parent=tenant.name, member=auth_pb2.Member(user=made.name, roles=["roles/viewer"])
    )
    await house.ask("ProjectService.CreateMember", member, token=tenant.token)
    tokens = (await house.ask("TokenService.Login", auth_pb2.LoginRequest(email=email, password=STRONG))).message
    assert tokens.subject == made.name


@covers("UserService.CreateUser", "EMAIL_TAKEN")
async def test_an_address_belongs_to_one_account(house: House, tenant: Tenant) -> None:
    email = an_address()
    assert (await create(house, tenant, email)).error is None
    (await create(house, tenant, email.upper())).fails("EMAIL_TAKEN")


@covers("UserService.CreateUser", "PASSWORD_TOO_WEAK")
@pytest.mark.parametrize("password", ["aaaaaaaaaaaaaaaa", "abababababab", "my name is {name}"])
async def test_a_password_that_is_easy_to_guess_is_refused(house: House, tenant: Tenant, password: str) -> None:
    email = an_address()
    weak = password.format(name=email.partition("@")[0])
    (await create(house, tenant, email, weak)).fails("PASSWORD_TOO_WEAK")


async def test_a_short_password_breaks_the_contract(house: House, tenant: Tenant) -> None:
    error = (await create(house, tenant, an_address(), "short")).fails("INVALID_REQUEST")
    assert [violation.field for violation in error.field_violations] == ["password"]


@covers("UserService.ListUsers")
@covers("UserService.ListUsers", "INVALID_PAGE_TOKEN")
async def test_accounts_are_listed_page_by_page_newest_first(house: House, tenant: Tenant) -> None:
    made = [(await create(house, tenant, an_address())).message.name for _ in range(3)]
    seen: list[str] = []
    request = auth_pb2.ListUsersRequest(page_size=2)
    while True:
        page = (await house.ask("UserService.ListUsers", request, token=tenant.everything)).message
        assert len(page.users) <= 2
        seen += [user.name for user in page.users]
        if set(made) <= set(seen):
            break
        assert page.next_page_token
        request.page_token = page.next_page_token
    assert len(seen) == len(set(seen))
    assert [name for name in seen if name in made] == made[::-1]
    request.page_token = "nonsense"
    (await house.ask("UserService.ListUsers", request, token=tenant.everything)).fails("INVALID_PAGE_TOKEN")


@covers("UserService.ChangePassword")
@covers("UserService.ChangePassword", "INVALID_CREDENTIALS", "PASSWORD_TOO_WEAK")
async def test_a_new_password_needs_the_old_one_and_ends_every_session(house: House, tenant: Tenant) -> None:
    async def change(old: str, new: str) -> Answer:
        request = auth_pb2.ChangePasswordRequest(old_password=old, new_password=new)
        return await house.ask("UserService.ChangePassword", request, token=tenant.token)

    tokens = (await log_in(house, tenant)).message
    (await change("not the password", STRONG)).fails("INVALID_CREDENTIALS")
    (await change(PASSWORD, "aaaaaaaaaaaaaaaa")).fails("PASSWORD_TOO_WEAK")
    assert (await change(PASSWORD, STRONG)).error is None
    (await refresh(house, tokens.refresh_token)).fails("INVALID_REFRESH_TOKEN")
    (await log_in(house, tenant)).fails("INVALID_CREDENTIALS")
    assert (await log_in(house, tenant, STRONG)).error is None

    async def is_revoked() -> bool:
        return (await caller(house, tokens.access_token)).outcome == "REVOKED_TOKEN"

    await eventually(is_revoked, "the access token is revoked", 5)


async def test_a_key_has_no_password(house: House, tenant: Tenant) -> None:
    secret = (await make_key(tenant)).secret
    exchanged = await house.ask("TokenService.ExchangeApiKey", auth_pb2.ExchangeApiKeyRequest(api_key=secret))
    request = auth_pb2.ChangePasswordRequest(old_password=PASSWORD, new_password=STRONG)
    answer = await house.ask("UserService.ChangePassword", request, token=exchanged.message.access_token)
    answer.fails("PERMISSION_DENIED")


@covers("UserService.SetUserState")
@covers("UserService.SetUserState", "RESOURCE_NOT_FOUND")
async def test_barring_an_account_ends_what_it_does_and_admitting_lets_it_in_again(
    house: House, tenant: Tenant, stranger: Tenant
) -> None:
    async def set_state(name: str, state: auth_pb2.User.State.ValueType) -> Answer:
        request = auth_pb2.SetUserStateRequest(name=name, state=state)
        return await house.ask("UserService.SetUserState", request, token=stranger.everything)

    tokens = (await log_in(house, tenant)).message
    barred = (await set_state(tenant.subject, auth_pb2.User.STATE_BARRED)).message
    assert barred.state == auth_pb2.User.STATE_BARRED
    (await refresh(house, tokens.refresh_token)).fails("INVALID_REFRESH_TOKEN")

    async def is_revoked() -> bool:
        return (await caller(house, tokens.access_token)).outcome == "REVOKED_TOKEN"

    await eventually(is_revoked, "the access token is revoked", 5)
    admitted = (await set_state(tenant.subject, auth_pb2.User.STATE_ACTIVE)).message
    assert admitted.state == auth_pb2.User.STATE_ACTIVE
    fresh = (await log_in(house, tenant)).message
    assert (await caller(house, fresh.access_token)).error is None
    nobody = names.USER.format(names.new_id())
    (await set_state(nobody, auth_pb2.User.STATE_BARRED)).fails("RESOURCE_NOT_FOUND")
