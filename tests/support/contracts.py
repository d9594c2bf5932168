"""What the contracts declare, read from their descriptors."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Sequence
from functools import cache

from google.api import annotations_pb2
from google.longrunning import operations_pb2
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from praxiscope.type.v1 import access_pb2
from praxiscope_common.errors import DomainError

AREAS = ("auth", "library", "vision", "tracking", "biomechanics", "rendering", "generation", "editing")
FOREIGN_SERVICE = operations_pb2.DESCRIPTOR.services_by_name["Operations"]


@cache
def services() -> Sequence[ServiceDescriptor]:
    """Returns every service of ours, in the order of their names."""
    found: dict[str, ServiceDescriptor] = {}
    for area in AREAS:
        package = importlib.import_module(f"praxiscope.{area}.v1")
        for module in pkgutil.iter_modules(package.__path__):
            if module.name.endswith("_pb2"):
                file = importlib.import_module(f"{package.__name__}.{module.name}").DESCRIPTOR
                found |= {service.full_name: service for service in file.services_by_name.values()}
    return [found[name] for name in sorted(found)]


@cache
def methods() -> Sequence[MethodDescriptor]:
    """Returns every method of ours."""
    return [method for service in services() for method in service.methods]


def label(method: MethodDescriptor) -> str:
    """Returns the short name that tests use, as in `AssetService.GetAsset`."""
    return f"{method.containing_service.name}.{method.name}"


@cache
def find(short: str) -> MethodDescriptor:
    """Returns the method of a short name; `Operations` is google.longrunning's."""
    service_name, _, method_name = short.partition(".")
    for service in (*services(), FOREIGN_SERVICE):
        if service.name == service_name:
            return service.methods_by_name[method_name]
    raise LookupError(short)


def access(method: MethodDescriptor) -> access_pb2.Access:
    """Returns what a method declares."""
    return method.GetOptions().Extensions[access_pb2.access]


def http_rule(method: MethodDescriptor) -> str:
    """Returns the pattern under which a method is reached over HTTP; empty where there is none."""
    rule = method.GetOptions().Extensions[annotations_pb2.http]
    pattern = rule.WhichOneof("pattern")
    return str(getattr(rule, pattern)) if pattern else ""


def request_type(method: MethodDescriptor) -> type[Message]:
    """Returns a method's request class."""
    return GetMessageClass(method.input_type)


def response_type(method: MethodDescriptor) -> type[Message]:
    """Returns a method's response class."""
    return GetMessageClass(method.output_type)


def errors() -> Sequence[type[DomainError]]:
    """Returns every domain error there is, once all packages and services are imported."""
    _import_all()
    return sorted(set(_subclasses(DomainError)), key=lambda cls: (cls.__module__, cls.__name__))


def error_packages() -> Sequence[str]:
    """Returns the packages whose errors are walked."""
    libraries = (
        "praxiscope_assets",
        "praxiscope_backup",
        "praxiscope_common",
        "praxiscope_media",
        "praxiscope_numerics",
        "praxiscope_world_assets",
        "praxiscope_worlds",
    )
    rooms = ("auth", "library", "vision_inference", "tracking", "biomechanics", "rendering", "generation", "editing")
    return [*libraries, *(f"{room}_service" for room in rooms if importlib.util.find_spec(f"{room}_service"))]


@cache
def _import_all() -> None:
    for name in error_packages():
        package = importlib.import_module(name)
        for module in pkgutil.walk_packages(package.__path__, prefix=f"{name}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)


def _subclasses(base: type[DomainError]) -> Iterator[type[DomainError]]:
    for cls in base.__subclasses__():
        yield cls
        yield from _subclasses(cls)
