"""What every method asks of its caller, read from the contracts' descriptors and from nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message

from praxiscope.type.v1 import access_pb2
from praxiscope_common.errors import UnimplementedError

PUBLIC = "public"
AUTHENTICATED = "authenticated"


@dataclass(frozen=True, kw_only=True)
class MethodAccess:
    """What one method asks.

    Attributes:
        permission: The permission needed, or PUBLIC, or AUTHENTICATED.
        resource_field: Path of the field that names the resource; empty where there is none.
        error_reasons: Reasons the method may answer with beyond those every method may.
    """

    permission: str
    resource_field: str = ""
    error_reasons: tuple[str, ...] = ()


class UndeclaredMethodError(UnimplementedError):
    """The method is not in the contract."""

    reason = "UNDECLARED_METHOD"


# Methods that are not ours to annotate.
FOREIGN_METHODS: Mapping[str, MethodAccess] = {
    "/grpc.health.v1.Health/Check": MethodAccess(permission=PUBLIC),
    "/grpc.health.v1.Health/Watch": MethodAccess(permission=PUBLIC),
    "/grpc.health.v1.Health/List": MethodAccess(permission=PUBLIC),
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": MethodAccess(permission=PUBLIC),
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo": MethodAccess(permission=PUBLIC),
    "/google.longrunning.Operations/GetOperation": MethodAccess(
        permission="library.operations.read", resource_field="name", error_reasons=("RESOURCE_NOT_FOUND",)
    ),
    "/google.longrunning.Operations/ListOperations": MethodAccess(
        permission="library.operations.read", resource_field="name", error_reasons=("INVALID_PAGE_TOKEN",)
    ),
    "/google.longrunning.Operations/WaitOperation": MethodAccess(
        permission="library.operations.read", resource_field="name", error_reasons=("RESOURCE_NOT_FOUND",)
    ),
    "/google.longrunning.Operations/CancelOperation": MethodAccess(
        permission="library.operations.cancel", resource_field="name", error_reasons=("RESOURCE_NOT_FOUND",)
    ),
    "/google.longrunning.Operations/DeleteOperation": MethodAccess(
        permission="library.operations.cancel",
        resource_field="name",
        error_reasons=("RESOURCE_NOT_FOUND", "OPERATION_NOT_DONE"),
    ),
}


@lru_cache(maxsize=1024)
def access_of(method: str) -> MethodAccess:
    """Returns what a method asks.

    Args:
        method: The method as gRPC writes it, `/package.Service/Method`.

    Raises:
        UndeclaredMethodError: If no loaded contract declares the method.
    """
    if method in FOREIGN_METHODS:
        return FOREIGN_METHODS[method]
    descriptor = find_method(method)
    options, extension = descriptor.GetOptions(), cast(Any, access_pb2.access)  # the stub says FieldDescriptor
    if not options.HasExtension(extension):
        raise UndeclaredMethodError(metadata={"method": method})
    declared = options.Extensions[extension]
    return MethodAccess(
        permission=declared.permission,
        resource_field=declared.resource_field,
        error_reasons=tuple(declared.error_reasons),
    )


def find_method(method: str) -> MethodDescriptor:
    """Returns the descriptor of `/package.Service/Method`.

    Raises:
        UndeclaredMethodError: If no loaded contract declares the method.
    """
    service_name, _, method_name = method.lstrip("/").rpartition("/")
    try:
        service = descriptor_pool.Default().FindServiceByName(service_name)
        return service.methods_by_name[method_name]
    except KeyError as error:
        raise UndeclaredMethodError(metadata={"method": method}) from error


def resource_in(request: Message, path: str) -> str:
    """Returns the resource name at `path` in a request; empty where it is not set."""
    value: object = request
    for part in path.split("."):
        value = getattr(value, part)
    return str(value)
