"""Between the contract's messages and auth's values; nowhere else."""

from __future__ import annotations

from auth_service.core.roles import Role
from auth_service.core.types import Account, ApiKey, AuditEvent, IssuedTokens, Member, Project
from praxiscope.auth.v1 import auth_pb2
from praxiscope_common import names


def tokens_message(tokens: IssuedTokens) -> auth_pb2.TokenSet:
    """Returns tokens' message."""
    message = auth_pb2.TokenSet(
        access_token=tokens.access_token,
        refresh_token=tokens.refresh_token,
        subject=tokens.grant.subject,
        permissions=sorted(tokens.grant.permissions),
    )
    if tokens.grant.project_id:
        message.project = names.PROJECT.format(tokens.grant.project_id)
    message.expire_time.FromDatetime(tokens.expire_time)
    if tokens.refresh_expire_time:
        message.refresh_expire_time.FromDatetime(tokens.refresh_expire_time)
    return message


def account_message(account: Account) -> auth_pb2.User:
    """Returns an account's message."""
    message = auth_pb2.User(
        name=names.USER.format(account.user_id),
        email=account.email,
        display_name=account.display_name,
        state=auth_pb2.User.STATE_BARRED if account.is_barred else auth_pb2.User.STATE_ACTIVE,
        is_administrator=account.is_administrator,
    )
    message.create_time.FromDatetime(account.create_time)
    return message


def project_message(project: Project) -> auth_pb2.Project:
    """Returns a project's message."""
    message = auth_pb2.Project(name=names.PROJECT.format(project.project_id), display_name=project.display_name)
    message.create_time.FromDatetime(project.create_time)
    return message


def member_message(member: Member) -> auth_pb2.Member:
    """Returns a member's message."""
    message = auth_pb2.Member(
        name=names.MEMBER.format(member.project_id, member.user_id),
        user=names.USER.format(member.user_id),
        email=member.email,
        roles=[names.ROLE.format(role) for role in member.roles],
    )
    message.create_time.FromDatetime(member.create_time)
    return message


def role_ids(member: auth_pb2.Member) -> list[str]:
    """Returns the role ids in a member's message; what is no role name stays as it is and is refused later."""
    return [role.removeprefix("roles/") for role in member.roles]


def key_message(key: ApiKey) -> auth_pb2.ApiKey:
    """Returns a key's message."""
    message = auth_pb2.ApiKey(
        name=names.API_KEY.format(key.project_id, key.key_id),
        display_name=key.display_name,
        permissions=key.permissions,
        prefix=key.prefix,
    )
    message.create_time.FromDatetime(key.create_time)
    message.expire_time.FromDatetime(key.expire_time)
    if key.last_use_time:
        message.last_use_time.FromDatetime(key.last_use_time)
    if key.revoke_time:
        message.revoke_time.FromDatetime(key.revoke_time)
    return message


def event_message(event: AuditEvent) -> auth_pb2.AuditEvent:
    """Returns an audit event's message."""
    message = auth_pb2.AuditEvent(
        name=names.AUDIT_EVENT.format(event.project_id, event.event_id),
        subject=event.subject,
        action=event.action,
        target=event.target,
        succeeded=event.succeeded,
        request_id=event.request_id,
    )
    message.event_time.FromDatetime(event.event_time)
    return message


def role_message(role: Role) -> auth_pb2.Role:
    """Returns a role's message."""
    return auth_pb2.Role(
        name=names.ROLE.format(role.role_id), description=role.description, permissions=sorted(role.permissions)
    )
