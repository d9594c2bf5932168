"""Roles, permissions and secrets."""

from __future__ import annotations

import hashlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth_service.core import roles, secrets
from auth_service.core.errors import UnknownPermissionError, UnknownRoleError
from praxiscope_common.telemetry.logs import REDACTED, redact


def test_each_role_may_what_the_one_below_it_may() -> None:
    ladder = [roles.ROLES[name].permissions for name in ("viewer", "analyst", "developer", "owner")]
    assert all(lower < higher for lower, higher in itertools.pairwise(ladder))


def test_no_role_and_no_key_may_what_services_and_administrators_may() -> None:
    own = {"library.media.resolve", "library.assets.derive", "auth.users.manage", "auth.projects.create"}
    assert not own & roles.GRANTABLE
    assert not any(own & role.permissions for role in roles.ROLES.values())


@given(st.sets(st.sampled_from(sorted(roles.ROLES))))
def test_roles_add_up(held: set[str]) -> None:
    together = roles.permissions_of(held)
    assert together == frozenset().union(*(roles.ROLES[role].permissions for role in held))
    assert roles.permissions_of([*held, "a role that was removed"]) == together


@given(st.lists(st.sampled_from(sorted(roles.ROLES))))
def test_roles_are_named_once(given_roles: list[str]) -> None:
    assert list(roles.check_roles(given_roles)) == list(dict.fromkeys(given_roles))


@given(st.text())
def test_there_are_no_other_roles_and_permissions(text: str) -> None:
    if text not in roles.ROLES:
        with pytest.raises(UnknownRoleError):
            roles.check_roles([text])
    if text not in roles.GRANTABLE:
        with pytest.raises(UnknownPermissionError):
            roles.check_permissions([text])


def test_a_key_can_be_recognised_and_only_its_digest_is_kept() -> None:
    key = secrets.new_api_key()
    assert len(key) == 4 + 64
    assert redact(f"used {key} twice") == f"used {REDACTED} twice"
    assert secrets.digest(key) == hashlib.sha256(key.encode()).digest()
    assert len(secrets.shown_prefix(key)) == 10, "24 of 256 bits"
    assert secrets.new_api_key() != key


@pytest.mark.parametrize(
    ("password", "is_weak"),
    [
        ("short", True),
        ("aaaaaaaaaaaaaaaaaaaa", True),
        ("abcdabcdabcdabcd", True),
        ("ada.lovelace rules", True),
        ("ADA.LOVELACE RULES", True),
        ("correct horse battery", False),
    ],
)
def test_what_is_easy_to_guess_is_weak(password: str, is_weak: bool) -> None:
    assert secrets.is_weak_password(password, "ada.lovelace@example.org") is is_weak


def test_a_short_name_may_stand_in_a_password() -> None:
    assert not secrets.is_weak_password("abcdefg hij klm", "abc@example.org")
