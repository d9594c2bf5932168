"""Every method declares what it asks and what it answers, and every error there is can be declared and sent."""

from __future__ import annotations

from collections import defaultdict

import pytest
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.rpc import status_pb2

from auth_service.core.roles import PERMISSIONS, ROLES, SERVICE_PERMISSIONS
from praxiscope.type.v1 import access_pb2
from praxiscope_common import errors
from praxiscope_common.access import AUTHENTICATED, FOREIGN_METHODS, PUBLIC, access_of
from praxiscope_common.status import CODES, code_of, from_status, to_status
from tests.support import contracts
from tests.support.examples import EXAMPLES

METHODS = [pytest.param(method, id=contracts.label(method)) for method in contracts.methods()]
ERRORS = [pytest.param(cls, id=f"{cls.__module__}.{cls.__name__}") for cls in contracts.errors()]
# Categories may be raised as they are; two classes may share a reason where they mean the same.
CATEGORIES = set(CODES)


@pytest.mark.parametrize("method", METHODS)
def test_a_method_declares_a_permission_of_the_catalogue(method: MethodDescriptor) -> None:
    assert contracts.access(method).permission in PERMISSIONS | {PUBLIC, AUTHENTICATED}


@pytest.mark.parametrize("method", METHODS)
def test_a_method_has_a_place_in_http_and_a_rate_class(method: MethodDescriptor) -> None:
    assert contracts.http_rule(method).startswith("/v1/")
    assert contracts.access(method).rate_class != access_pb2.RATE_CLASS_UNSPECIFIED


def test_no_two_methods_share_a_place_in_http() -> None:
    places = defaultdict(list)
    for method in contracts.methods():
        rule = method.GetOptions().Extensions[contracts.annotations_pb2.http]
        places[rule.WhichOneof("pattern"), contracts.http_rule(method)].append(contracts.label(method))
    assert [shared for shared in places.values() if len(shared) > 1] == []


@pytest.mark.parametrize("method", METHODS)
def test_the_resource_field_is_a_text_in_the_request(method: MethodDescriptor) -> None:
    declared = contracts.access(method)
    if not declared.resource_field:
        assert declared.permission not in PERMISSIONS - _OF_NO_PROJECT, "a method about a project names it"
        return
    message = method.input_type
    *path, last = declared.resource_field.split(".")
    for part in path:
        message = message.fields_by_name[part].message_type
    field = message.fields_by_name[last]
    assert field.type == FieldDescriptor.TYPE_STRING
    assert not field.is_repeated


# The platform itself, or what is the same for every project.
_OF_NO_PROJECT = {"auth.users.manage", "auth.projects.create", "vision.models.read", "vision.models.manage"}


@pytest.mark.parametrize("method", METHODS)
def test_every_declared_reason_is_one_that_the_code_can_raise(method: MethodDescriptor) -> None:
    known = {cls.reason for cls in contracts.errors()}
    assert set(contracts.access(method).error_reasons) <= known


@pytest.mark.parametrize("method", METHODS)
def test_a_reason_is_declared_once(method: MethodDescriptor) -> None:
    reasons = list(contracts.access(method).error_reasons)
    assert len(reasons) == len(set(reasons))


def test_methods_of_others_stand_in_the_table_and_have_permissions_of_the_catalogue() -> None:
    for name, needed in FOREIGN_METHODS.items():
        assert needed.permission in PERMISSIONS | {PUBLIC}, name
        assert access_of(name) == needed
    listed = {f"/{contracts.FOREIGN_SERVICE.full_name}/{method.name}" for method in contracts.FOREIGN_SERVICE.methods}
    assert listed <= set(FOREIGN_METHODS)


def test_every_permission_of_the_catalogue_is_asked_for_somewhere_and_given_to_somebody() -> None:
    asked = {contracts.access(method).permission for method in contracts.methods()}
    assert PERMISSIONS <= asked
    given = frozenset().union(*(role.permissions for role in ROLES.values()), *SERVICE_PERMISSIONS.values())
    assert PERMISSIONS - given == {"auth.users.manage", "auth.projects.create", "vision.models.manage"}, (
        "an administrator's own"
    )


def test_every_method_has_an_example_request() -> None:
    foreign = {contracts.label(method) for method in contracts.FOREIGN_SERVICE.methods}
    own = {contracts.label(method) for method in contracts.methods()}
    assert set(EXAMPLES) == own | foreign


@pytest.mark.parametrize("cls", ERRORS)
def test_an_error_survives_the_way_to_the_client(cls: type[errors.DomainError]) -> None:
    sent = cls(
        "what happened",
        metadata={"name": "projects/p", "count": "3"},
        field_violations=[errors.FieldViolation(field="a.b[0]", description="Expected c.")],
        retry_after_s=1.5,
    )
    received = from_status(status_pb2.Status.FromString(to_status(sent).SerializeToString()))
    assert code_of(received) == code_of(sent)
    assert isinstance(received, next(category for category in cls.__mro__ if category in CATEGORIES))
    assert (received.reason, received.message, received.metadata) == (sent.reason, sent.message, sent.metadata)
    assert (received.field_violations, received.retry_after_s) == (sent.field_violations, 1.5)


@pytest.mark.parametrize("cls", ERRORS)
def test_an_error_says_what_happened_and_has_a_reason_of_its_form(cls: type[errors.DomainError]) -> None:
    assert cls().message.endswith((".", "…")), "the docstring's first line is the message"
    assert cls.reason.replace("_", "").isalnum()
    assert cls.reason == cls.reason.upper()


def test_a_reason_means_one_thing() -> None:
    """The same reason may be raised by several rooms; it must then have one code, or a client could not tell."""
    codes = defaultdict(set)
    for cls in contracts.errors():
        codes[cls.reason].add(code_of(cls()))
    assert {reason: found for reason, found in codes.items() if len(found) > 1} == {}


def test_every_error_below_a_category_has_a_reason_of_its_own_room() -> None:
    """A subclass that forgets its reason would go out under its category's."""
    general = {category.reason for category in CATEGORIES}
    forgetful = [
        cls.__qualname__
        for cls in contracts.errors()
        if cls not in CATEGORIES and cls.reason in general and "reason" not in vars(cls)
    ]
    assert forgetful == []
