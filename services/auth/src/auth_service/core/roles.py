"""The published catalogue: every permission, the roles that bundle them, and what services may do by themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from auth_service.core.errors import UnknownPermissionError, UnknownRoleError
from praxiscope_common.errors import FieldViolation

_READ = frozenset(
    {
        "auth.projects.read",
        "library.assets.read",
        "library.operations.read",
        "vision.models.read",
        "biomechanics.motions.read",
        "editing.stacks.read",
    }
)
_WORK = frozenset(
    {
        "library.assets.write",
        "library.assets.delete",
        "library.operations.cancel",
        "vision.images.observe",
        "vision.videos.observe",
        "tracking.tracks.compute",
        "biomechanics.motions.analyze",
        "rendering.overlays.render",
        "rendering.worlds.render",
        "generation.worlds.generate",
        "editing.stacks.write",
    }
)
_DEVELOP = frozenset({"auth.keys.manage"})
_OWN = frozenset({"auth.members.manage", "auth.audit.read", "library.assets.purge"})
_ADMINISTER = frozenset({"auth.users.manage", "auth.projects.create", "vision.models.manage"})
_SERVE = frozenset({"library.media.resolve", "library.assets.derive"})

PERMISSIONS: frozenset[str] = _READ | _WORK | _DEVELOP | _OWN | _ADMINISTER | _SERVE
GRANTABLE: frozenset[str] = _READ | _WORK | _DEVELOP | _OWN
ADMINISTRATOR_PERMISSIONS = _ADMINISTER

# What a service's own part of a task needs beyond what the caller may do.
SERVICE_PERMISSIONS: Mapping[str, frozenset[str]] = {
    "vision_inference": frozenset({"library.media.resolve"}),
    "tracking": _SERVE,
    "biomechanics": _SERVE,
    "rendering": _SERVE,
    "generation": _SERVE,
    "editing": _SERVE,
    "operator": frozenset(),
}

# What a service may do in its own name, for nobody; all others act for somebody or not at all.
OWN_PERMISSIONS: Mapping[str, frozenset[str]] = {
    "operator": frozenset({"vision.models.read", "vision.models.manage"}),
}


@dataclass(frozen=True, kw_only=True)
class Role:
    """A bundle of permissions.

    Attributes:
        role_id: Its id, as in `analyst`.
        description: What it is for.
        permissions: What it allows.
    """

    role_id: str
    description: str
    permissions: frozenset[str]


ROLES: Mapping[str, Role] = {
    role.role_id: role
    for role in (
        Role(role_id="viewer", description="Looks at what there is.", permissions=_READ),
        Role(role_id="analyst", description="Uploads, analyses, renders, deletes.", permissions=_READ | _WORK),
        Role(
            role_id="developer",
            description="An analyst who also makes API keys.",
            permissions=_READ | _WORK | _DEVELOP,
        ),
        Role(
            role_id="owner",
            description="Everything in the project, its people and its audit trail included.",
            permissions=_READ | _WORK | _DEVELOP | _OWN,
        ),
    )
}
OWNER = "owner"


def permissions_of(roles: Iterable[str]) -> frozenset[str]:
    """Returns what roles allow together; roles that are no more allow nothing."""
    return frozenset[str]().union(*(ROLES[role].permissions for role in roles if role in ROLES))


def check_roles(roles: Iterable[str]) -> tuple[str, ...]:
    """Returns role ids without doubles, in their order.

    Raises:
        UnknownRoleError: If one is not in the catalogue.
    """
    unique = tuple(dict.fromkeys(roles))
    unknown = [role for role in unique if role not in ROLES]
    if unknown:
        known = ", ".join(f"roles/{role}" for role in ROLES)
        raise UnknownRoleError(
            f"There is no role {unknown[0]!r}; the roles are {known}.",
            metadata={"role": unknown[0]},
            field_violations=[FieldViolation(field="member.roles", description=f"Expected some of {known}.")],
        )
    return unique


def check_permissions(permissions: Iterable[str]) -> frozenset[str]:
    """Returns permissions that may be granted to a key.

    Raises:
        UnknownPermissionError: If one is not in the catalogue, or is not for keys.
    """
    wanted = frozenset(permissions)
    unknown = sorted(wanted - GRANTABLE)
    if unknown:
        raise UnknownPermissionError(
            f"{unknown[0]!r} is not a permission that a key can hold.", metadata={"permission": unknown[0]}
        )
    return wanted
