"""Credentials in, tokens out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from auth_service.core.roles import GRANTABLE, ROLES, SERVICE_PERMISSIONS
from praxiscope.auth.v1 import auth_pb2
from praxiscope.library.v1 import asset_service_pb2
from praxiscope_common import names
from praxiscope_common.credentials import CLIENT_ASSERTION_AUDIENCE, Mandate
from tests.support.calls import Answer
from tests.support.coverage import covers
from tests.support.house import PASSWORD, House, Tenant, claims_of
from tests.support.operations import eventually, execute


async def log_in(
    house: House, tenant: Tenant, password: str = PASSWORD, *, project: str = "", address: str = ""
) -> Answer:
    """Logs a tenant's owner in, from an address."""
    request = auth_pb2.LoginRequest(email=tenant.email, password=password, project=project)
    metadata = {"x-praxiscope-client-address": address or names.new_id()}
    return await house.ask("TokenService.Login", request, metadata=metadata)


async def refresh(house: House, token: str, project: str = "") -> Answer:
    """Swaps a refresh token."""
    request = auth_pb2.RefreshTokenRequest(refresh_token=token, project=project)
    return await house.ask("TokenService.RefreshToken", request)


async def caller(house: House, token: str) -> Answer:
    """Asks who a token speaks for."""
    return await house.ask("UserService.GetCaller", auth_pb2.GetCallerRequest(), token=token)


async def make_key(tenant: Tenant, **fields: Any) -> auth_pb2.CreateApiKeyResponse:
    """Makes an API key."""
    request = auth_pb2.CreateApiKeyRequest(parent=tenant.name, api_key=auth_pb2.ApiKey(**fields))
    return (await tenant.house.ask("ProjectService.CreateApiKey", request, token=tenant.token)).message


# Login


@covers("TokenService.Login")
async def test_a_login_gives_tokens_for_the_project_and_its_roles(house: House, tenant: Tenant) -> None:
    tokens = (await log_in(house, tenant)).message
    assert (tokens.project, tokens.subject) == (tenant.name, tenant.subject)
    assert set(tokens.permissions) == ROLES["owner"].permissions
    said = claims_of(tokens.access_token)
    assert said["exp"] - said["iat"] == pytest.approx(3600, abs=1)
    assert abs(tokens.expire_time.ToSeconds() - time.time() - 3600) < 10
    assert (await caller(house, tokens.access_token)).message.user.email == tenant.email


async def test_an_address_is_the_same_in_capitals(house: House, tenant: Tenant) -> None:
    request = auth_pb2.LoginRequest(email=tenant.email.upper(), password=PASSWORD)
    assert (await house.ask("TokenService.Login", request)).message.subject == tenant.subject


@covers("TokenService.Login", "INVALID_CREDENTIALS")
async def test_a_wrong_password_and_an_unknown_account_give_the_same_answer(house: House, tenant: Tenant) -> None:
    wrong = await log_in(house, tenant, "not the password")
    request = auth_pb2.LoginRequest(email=f"{names.new_id()}@example.org", password="not the password")
    unknown = await house.ask("TokenService.Login", request)
    wrong.fails("INVALID_CREDENTIALS")
    assert wrong.status == unknown.status


@covers("TokenService.Login", "NO_MEMBERSHIP")
async def test_a_login_for_a_project_of_others_is_refused(house: House, tenant: Tenant, stranger: Tenant) -> None:
    theirs = await log_in(house, tenant, project=stranger.name)
    nobodys = await log_in(house, tenant, project=names.PROJECT.format(names.new_id()))
    assert theirs.fails("NO_MEMBERSHIP").message == nobodys.fails("NO_MEMBERSHIP").message


async def test_who_belongs_to_no_project_cannot_log_in_but_an_administrator_can(house: House) -> None:
    _, email = await house.person()
    request = auth_pb2.LoginRequest(email=email, password=PASSWORD)
    (await house.ask("TokenService.Login", request)).fails("NO_MEMBERSHIP")
    _, email = await house.person(is_administrator=True)
    request = auth_pb2.LoginRequest(email=email, password=PASSWORD)
    tokens = (await house.ask("TokenService.Login", request)).message
    assert tokens.project == ""
    assert set(tokens.permissions) == {"auth.users.manage", "auth.projects.create", "vision.models.manage"}


@covers("TokenService.Login", "ACCOUNT_LOCKED")
async def test_five_failures_lock_the_account_for_that_address_alone(house: House, tenant: Tenant) -> None:
    for _ in range(5):
        (await log_in(house, tenant, "wrong", address="192.0.2.1")).fails("INVALID_CREDENTIALS")
    locked = (await log_in(house, tenant, address="192.0.2.1")).fails("ACCOUNT_LOCKED")
    assert locked.retry_after_s is not None
    assert 0 < locked.retry_after_s <= 300
    assert (await log_in(house, tenant, address="192.0.2.2")).error is None, "nobody locks anybody else out"


async def test_a_login_that_works_forgets_the_failures_before_it(house: House, tenant: Tenant) -> None:
    for _ in range(2):
        for _ in range(4):
            (await log_in(house, tenant, "wrong", address="192.0.2.1")).fails("INVALID_CREDENTIALS")
        assert (await log_in(house, tenant, address="192.0.2.1")).error is None


async def test_a_lock_ends_by_itself(house: House, tenant: Tenant) -> None:
    for _ in range(5):
        await log_in(house, tenant, "wrong", address="192.0.2.1")
    await execute(
        house.postgres.superuser(house.database),
        "UPDATE auth.failed_login SET fail_time = fail_time - interval '301 seconds' WHERE email = %s",
        [tenant.email],
    )
    assert (await log_in(house, tenant, address="192.0.2.1")).error is None


async def test_a_barred_account_cannot_log_in_and_does_not_learn_why(house: House, tenant: Tenant) -> None:
    accounts = house.served("auth").app.accounts
    await accounts.set_barred(tenant.user_id, is_barred=True)
    (await log_in(house, tenant)).fails("INVALID_CREDENTIALS")
    await accounts.set_barred(tenant.user_id, is_barred=False)
    assert (await log_in(house, tenant)).error is None


# RefreshToken


@covers("TokenService.RefreshToken")
async def test_a_refresh_token_gives_a_new_pair_of_the_same_session(house: House, tenant: Tenant) -> None:
    first = (await log_in(house, tenant)).message
    second = (await refresh(house, first.refresh_token)).message
    third = (await refresh(house, second.refresh_token)).message
    assert len({first.refresh_token, second.refresh_token, third.refresh_token}) == 3
    assert len({claims_of(tokens.access_token)["sid"] for tokens in (first, second, third)}) == 1
    assert third.project == tenant.name


@covers("TokenService.RefreshToken", "REFRESH_TOKEN_REUSED", "INVALID_REFRESH_TOKEN")
async def test_a_refresh_token_used_twice_ends_the_whole_session(house: House, tenant: Tenant) -> None:
    first = (await log_in(house, tenant)).message
    second = (await refresh(house, first.refresh_token)).message
    (await refresh(house, first.refresh_token)).fails("REFRESH_TOKEN_REUSED")
    (await refresh(house, second.refresh_token)).fails("INVALID_REFRESH_TOKEN")

    async def is_revoked() -> bool:
        return (await caller(house, second.access_token)).outcome == "REVOKED_TOKEN"

    await eventually(is_revoked, "the thief's access token is revoked", 5)


async def test_two_refreshes_at_once_give_one_pair(house: House, tenant: Tenant) -> None:
    first = (await log_in(house, tenant)).message
    answers = await asyncio.gather(*(refresh(house, first.refresh_token) for _ in range(4)))
    outcomes = sorted(answer.outcome for answer in answers)
    assert outcomes.count("OK") == 1
    assert set(outcomes) <= {"OK", "REFRESH_TOKEN_REUSED", "INVALID_REFRESH_TOKEN"}


@covers("TokenService.RefreshToken", "INVALID_REFRESH_TOKEN")
async def test_a_refresh_token_ends_with_its_time_with_a_logout_and_with_a_bar(house: House, tenant: Tenant) -> None:
    (await refresh(house, "never given to anybody")).fails("INVALID_REFRESH_TOKEN")
    old = (await log_in(house, tenant)).message
    await execute(
        house.postgres.superuser(house.database),
        "UPDATE auth.refresh_token SET expire_time = now() - interval '1 second' FROM auth.session s"
        " WHERE s.session_id = refresh_token.session_id AND s.user_id = %s",
        [tenant.user_id],
    )
    (await refresh(house, old.refresh_token)).fails("INVALID_REFRESH_TOKEN")
    left = (await log_in(house, tenant)).message
    await house.ask("TokenService.Logout", auth_pb2.LogoutRequest(), token=left.access_token)
    (await refresh(house, left.refresh_token)).fails("INVALID_REFRESH_TOKEN")
    barred = (await log_in(house, tenant)).message
    await house.served("auth").app.accounts.set_barred(tenant.user_id, is_barred=True)
    (await refresh(house, barred.refresh_token)).fails("INVALID_REFRESH_TOKEN")


@covers("TokenService.RefreshToken", "NO_MEMBERSHIP")
async def test_a_refresh_may_change_the_project_to_another_of_ones_own(
    house: House, tenant: Tenant, stranger: Tenant
) -> None:
    tokens = (await log_in(house, tenant)).message
    (await refresh(house, tokens.refresh_token, stranger.name)).fails("NO_MEMBERSHIP")
    projects = house.served("auth").app.projects
    await projects.add_member(stranger.project_id, user_id=tenant.user_id, email="", roles=["viewer"])
    changed = (await refresh(house, tokens.refresh_token, stranger.name)).message
    assert changed.project == stranger.name
    assert set(changed.permissions) == ROLES["viewer"].permissions
    assert (await refresh(house, changed.refresh_token)).message.project == stranger.name


# Logout


@covers("TokenService.Logout")
async def test_a_logout_ends_one_session_and_no_other(house: House, tenant: Tenant) -> None:
    ended, other = (await log_in(house, tenant)).message, (await log_in(house, tenant)).message
    assert (await house.ask("TokenService.Logout", auth_pb2.LogoutRequest(), token=ended.access_token)).error is None

    async def is_revoked() -> bool:
        return (await caller(house, ended.access_token)).outcome == "REVOKED_TOKEN"

    await eventually(is_revoked, "the access token is revoked", 5)
    assert (await caller(house, other.access_token)).error is None
    assert (await refresh(house, other.refresh_token)).error is None


# ExchangeApiKey


@covers("TokenService.ExchangeApiKey")
async def test_an_api_key_becomes_a_token_of_its_project_and_scopes(house: House, tenant: Tenant) -> None:
    made = await make_key(tenant, display_name="scripts", permissions=["library.assets.read"])
    tokens = (
        await house.ask("TokenService.ExchangeApiKey", auth_pb2.ExchangeApiKeyRequest(api_key=made.secret))
    ).message
    assert (tokens.project, tokens.subject, tokens.refresh_token) == (tenant.name, made.api_key.name, "")
    assert list(tokens.permissions) == ["library.assets.read"]
    listing = asset_service_pb2.ListAssetsRequest(parent=tenant.name)
    assert (await house.ask("AssetService.ListAssets", listing, token=tokens.access_token)).error is None
    keys = auth_pb2.ListApiKeysRequest(parent=tenant.name)
    (await house.ask("ProjectService.ListApiKeys", keys, token=tokens.access_token)).fails("PERMISSION_DENIED")


@covers("TokenService.ExchangeApiKey", "INVALID_API_KEY")
async def test_a_key_that_is_wrong_ended_or_revoked_gives_no_token(house: House, tenant: Tenant) -> None:
    async def exchange(secret: str) -> Answer:
        return await house.ask("TokenService.ExchangeApiKey", auth_pb2.ExchangeApiKeyRequest(api_key=secret))

    wrong = await exchange("pxk_" + "0" * 64)
    wrong.fails("INVALID_API_KEY")
    soon = auth_pb2.ApiKey()
    soon.expire_time.FromDatetime(datetime.now(timezone.utc) + timedelta(seconds=1))
    ended = await make_key(tenant, expire_time=soon.expire_time)
    await asyncio.sleep(1.1)
    assert (await exchange(ended.secret)).status == wrong.status
    revoked = await make_key(tenant)
    request = auth_pb2.DeleteApiKeyRequest(name=revoked.api_key.name)
    await house.ask("ProjectService.DeleteApiKey", request, token=tenant.token)
    assert (await exchange(revoked.secret)).status == wrong.status


async def test_the_secret_is_kept_by_its_digest_alone(house: House, tenant: Tenant) -> None:
    made = await make_key(tenant)
    assert made.secret.startswith("pxk_")
    assert made.secret.startswith(made.api_key.prefix)
    rows = await execute(
        house.postgres.superuser(house.database),
        "SELECT k::text FROM auth.api_key k WHERE prefix = %s",
        [made.api_key.prefix],
    )
    assert len(rows) == 1
    assert made.secret not in rows[0][0]


# ExchangeToken


def assertion(house: House, service: str = "biomechanics", **changes: Any) -> str:
    """Returns a service's client assertion, with claims changed; `key` and `kid` change what signs it."""
    now_s = int(time.time())
    key = changes.pop("key", None) or house.postgres.secrets.rsa_key(service).read_text()
    key_id = changes.pop("kid", service)
    claims = {
        "iss": service,
        "sub": service,
        "aud": CLIENT_ASSERTION_AUDIENCE,
        "iat": now_s,
        "exp": now_s + 60,
        "jti": names.new_id(),
    }
    kept = {name: value for name, value in (claims | changes).items() if value is not None}
    return jwt.encode(kept, key, algorithm="RS256", headers={"kid": key_id})


async def exchange(house: House, **fields: Any) -> Answer:
    """Asks for a token on behalf of somebody."""
    return await house.ask("TokenService.ExchangeToken", auth_pb2.ExchangeTokenRequest(**fields))


@covers("TokenService.ExchangeToken")
async def test_a_service_acts_for_a_caller_with_the_callers_permissions_and_its_own(
    house: House, tenant: Tenant
) -> None:
    token = tenant.token_with(["library.assets.read"])
    tokens = (await exchange(house, client_assertion=assertion(house), subject_token=token)).message
    assert set(tokens.permissions) == {"library.assets.read"} | SERVICE_PERMISSIONS["biomechanics"]
    said = claims_of(tokens.access_token)
    assert (said["sub"], said["azp"], said["prj"]) == (tenant.subject, "biomechanics", tenant.project_id)
    assert said["exp"] - said["iat"] == pytest.approx(600, abs=1)


async def test_a_service_acts_for_whom_a_job_row_names_as_far_as_they_are_still_allowed(
    house: House, tenant: Tenant
) -> None:
    fields = {"subject": tenant.subject, "project": tenant.name, "operation": tenant.name_of("operations")}
    asked = ["library.assets.write", "library.assets.purge", "auth.users.manage"]
    tokens = (await exchange(house, client_assertion=assertion(house), permissions=asked, **fields)).message
    own = SERVICE_PERMISSIONS["biomechanics"]
    assert set(tokens.permissions) == {"library.assets.write", "library.assets.purge"} | own
    assert claims_of(tokens.access_token)["op"] == fields["operation"]
    auth = house.served("auth").app
    other, _ = await house.person()
    await auth.projects.add_member(tenant.project_id, user_id=other, email="", roles=["owner"])
    await auth.projects.change_member(tenant.project_id, tenant.user_id, roles=["viewer"])
    tokens = (await exchange(house, client_assertion=assertion(house), permissions=asked, **fields)).message
    assert set(tokens.permissions) == own, "a viewer may do none of what was asked for"


OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
BAD_ASSERTIONS: dict[str, Callable[[int], dict[str, Any]]] = {
    "of another key": lambda _: {"key": OTHER_KEY},
    "of an unknown service": lambda _: {"kid": "unknown"},
    "of a file elsewhere": lambda _: {"kid": "../auth"},
    "of a service that acts for nobody": lambda _: {"kid": "library"},
    "of another service": lambda _: {"kid": "tracking"},
    "for others": lambda _: {"aud": "praxiscope"},
    "of another issuer": lambda _: {"iss": "tracking"},
    "about another service": lambda _: {"sub": "tracking"},
    "too old": lambda now_s: {"exp": now_s - 30},
    "living too long": lambda now_s: {"iat": now_s - 3600},
    "of the future": lambda now_s: {"iat": now_s + 600, "exp": now_s + 660},
    "without an end": lambda _: {"exp": None},
}


@covers("TokenService.ExchangeToken", "INVALID_CLIENT_ASSERTION")
@pytest.mark.parametrize("what", BAD_ASSERTIONS)
async def test_an_assertion_that_does_not_hold_is_refused(house: House, tenant: Tenant, what: str) -> None:
    bad = assertion(house, **BAD_ASSERTIONS[what](int(time.time())))
    (await exchange(house, client_assertion=bad, subject_token=tenant.token)).fails("INVALID_CLIENT_ASSERTION")


async def test_a_callers_token_is_no_assertion(house: House, tenant: Tenant) -> None:
    answer = await exchange(house, client_assertion=tenant.token, subject_token=tenant.token)
    answer.fails("INVALID_CLIENT_ASSERTION")


@covers("TokenService.ExchangeToken", "INVALID_SUBJECT_TOKEN")
async def test_a_service_acts_for_nobody_who_is_not_allowed(house: House, tenant: Tenant, stranger: Tenant) -> None:
    (await exchange(house, client_assertion=assertion(house), subject_token="nonsense")).fails("INVALID_SUBJECT_TOKEN")
    (await exchange(house, client_assertion=assertion(house))).fails("INVALID_SUBJECT_TOKEN")
    key = (await make_key(tenant)).api_key.name
    for subject, project in (
        (tenant.subject, stranger.name),  # a member of another project
        (names.USER.format(names.new_id()), tenant.name),  # nobody
        (key, stranger.name),  # a key of another project
        (tenant.name_of("apiKeys"), tenant.name),  # no key
        ("services/tracking", tenant.name),
    ):
        answer = await exchange(house, client_assertion=assertion(house), subject=subject, project=project)
        answer.fails("INVALID_SUBJECT_TOKEN")
    await house.ask("ProjectService.DeleteApiKey", auth_pb2.DeleteApiKeyRequest(name=key), token=tenant.token)
    answer = await exchange(house, client_assertion=assertion(house), subject=key, project=tenant.name)
    answer.fails("INVALID_SUBJECT_TOKEN")


async def test_a_service_holds_its_token_and_asks_anew_before_it_ends(house: House, tenant: Tenant) -> None:
    identity = house.served("biomechanics").app.runtime.identity
    mandate = Mandate(
        subject=tenant.subject,
        project=tenant.project_id,
        permissions=("library.assets.read",),
        operation=tenant.name_of("operations"),
    )
    first = await identity.token_for_mandate(mandate)
    assert await identity.token_for_mandate(mandate) == first
    now_s = time.time()
    identity.clock = lambda: now_s + 545  # the token lives 600 s and is renewed 60 s before
    try:
        with pytest.raises(Exception) as caught:
            await identity.token_for_mandate(mandate)
    finally:
        identity.clock = time.time
    assert getattr(caught.value, "reason", "") == "INVALID_CLIENT_ASSERTION"


# ListRevocations, GetKeySet


@covers("TokenService.ListRevocations")
async def test_revocations_are_listed_once_behind_the_cursor(house: House, tenant: Tenant) -> None:
    async def listed(cursor: int) -> auth_pb2.ListRevocationsResponse:
        request = auth_pb2.ListRevocationsRequest(cursor=cursor)
        return (await house.ask("TokenService.ListRevocations", request)).message

    before = (await listed(0)).next_cursor
    token = tenant.token_with([])
    await house.ask("TokenService.Logout", auth_pb2.LogoutRequest(), token=token)
    found = [item for item in (await listed(before)).revocations if item.session == claims_of(token)["sid"]]
    assert len(found) == 1
    assert found[0].issued_until.ToNanoseconds() / 1e9 >= claims_of(token)["iat"]


@covers("TokenService.GetKeySet")
async def test_the_key_set_checks_tokens_and_holds_nothing_private(house: House, tenant: Tenant) -> None:
    keys = (await house.ask("TokenService.GetKeySet", auth_pb2.GetKeySetRequest())).message.keys
    by_id = {key.kid: key for key in keys}
    key = by_id[jwt.get_unverified_header(tenant.token)["kid"]]
    assert {field.name for field, _ in key.ListFields()} == {"kty", "kid", "use", "alg", "n", "e"}
    public = jwt.PyJWK.from_dict({"kty": key.kty, "n": key.n, "e": key.e}, algorithm="RS256").key
    assert jwt.decode(tenant.token, public, algorithms=["RS256"], audience="praxiscope")["sub"] == tenant.subject


async def test_a_key_holds_at_most_what_may_be_granted(tenant: Tenant) -> None:
    made = await make_key(tenant)
    assert set(made.api_key.permissions) == ROLES["owner"].permissions & GRANTABLE
