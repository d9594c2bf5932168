"""UserService and ProjectService: convert, call, convert."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timezone
from typing import Protocol, TypeVar

import grpc

from auth_service.api import convert
from auth_service.api.ports import AccountKeeper, ProjectKeeper
from auth_service.core.roles import ROLES
from praxiscope.auth.v1 import auth_pb2, auth_pb2_grpc
from praxiscope_common import names, paging
from praxiscope_common.identity import Caller, current_caller
from praxiscope_common.server.stages import MissingPermissionError

Context = grpc.aio.ServicerContext
_Row = TypeVar("_Row")


class _Paged(Protocol):
    page_size: int
    page_token: str


class UserServicer(auth_pb2_grpc.UserServiceServicer):
    """Answers for accounts."""

    def __init__(self, accounts: AccountKeeper) -> None:
        """Uses the accounts."""
        self._accounts = accounts

    async def GetCaller(self, request: auth_pb2.GetCallerRequest, context: Context) -> auth_pb2.Caller:
        """Says who calls."""
        caller = current_caller()
        message = auth_pb2.Caller(subject=caller.subject, permissions=sorted(caller.permissions))
        if caller.project:
            message.project = names.PROJECT.format(caller.project)
        if user_id := _user_id(caller):
            account = await self._accounts.find(user_id)
            if account:
                message.user.CopyFrom(convert.account_message(account))
        return message

    async def CreateUser(self, request: auth_pb2.CreateUserRequest, context: Context) -> auth_pb2.User:
        """Makes an account."""
        account = await self._accounts.create(
            email=request.user.email,
            display_name=request.user.display_name,
            is_administrator=request.user.is_administrator,
            password=request.password,
        )
        return convert.account_message(account)

    async def ListUsers(self, request: auth_pb2.ListUsersRequest, context: Context) -> auth_pb2.ListUsersResponse:
        """Lists accounts, newest first."""
        limit, before = _page(request, "users")
        rows = await self._accounts.list(limit=limit + 1, before=before)
        token = _next_token(rows, limit, "users", lambda row: (row.create_time.isoformat(), row.user_id))
        return auth_pb2.ListUsersResponse(
            users=[convert.account_message(row) for row in rows[:limit]], next_page_token=token
        )

    async def ChangePassword(
        self, request: auth_pb2.ChangePasswordRequest, context: Context
    ) -> auth_pb2.LogoutResponse:
        """Changes the caller's password."""
        user_id = _user_id(current_caller())
        if not user_id:
            raise MissingPermissionError("Only a person has a password; log in with one.")
        await self._accounts.change_password(
            user_id, old_password=request.old_password, new_password=request.new_password
        )
        return auth_pb2.LogoutResponse()

    async def SetUserState(self, request: auth_pb2.SetUserStateRequest, context: Context) -> auth_pb2.User:
        """Bars or admits an account."""
        account = await self._accounts.set_barred(
            names.USER.parse(request.name)[0], is_barred=request.state == auth_pb2.User.STATE_BARRED
        )
        return convert.account_message(account)


class ProjectServicer(auth_pb2_grpc.ProjectServiceServicer):
    """Answers for projects."""

    def __init__(self, projects: ProjectKeeper) -> None:
        """Uses the projects."""
        self._projects = projects

    async def CreateProject(self, request: auth_pb2.CreateProjectRequest, context: Context) -> auth_pb2.Project:
        """Makes a project."""
        caller = current_caller()
        project = await self._projects.create(
            display_name=request.project.display_name,
            creator=caller.subject,
            owner_id=_user_id(caller) or None,
            request_id=request.request_id,
        )
        return convert.project_message(project)

    async def GetProject(self, request: auth_pb2.GetProjectRequest, context: Context) -> auth_pb2.Project:
        """Reads a project."""
        return convert.project_message(await self._projects.find(names.PROJECT.parse(request.name)[0]))

    async def ListProjects(
        self, request: auth_pb2.ListProjectsRequest, context: Context
    ) -> auth_pb2.ListProjectsResponse:
        """Lists the caller's projects."""
        caller = current_caller()
        question = f"projects|{caller.subject}"
        limit, before = _page(request, question)
        rows = await self._projects.list_of(_user_id(caller), project_id=caller.project, limit=limit + 1, before=before)
        token = _next_token(rows, limit, question, lambda row: (row.create_time.isoformat(), row.project_id))
        return auth_pb2.ListProjectsResponse(
            projects=[convert.project_message(row) for row in rows[:limit]], next_page_token=token
        )

    async def CreateMember(self, request: auth_pb2.CreateMemberRequest, context: Context) -> auth_pb2.Member:
        """Takes a person into a project."""
        member = await self._projects.add_member(
            names.PROJECT.parse(request.parent)[0],
            user_id=names.USER.parse(request.member.user)[0] if request.member.user else "",
            email=request.member.email,
            roles=convert.role_ids(request.member),
        )
        return convert.member_message(member)

    async def ListMembers(self, request: auth_pb2.ListMembersRequest, context: Context) -> auth_pb2.ListMembersResponse:
        """Lists a project's people."""
        question = f"members|{request.parent}"
        limit, before = _page(request, question)
        rows = await self._projects.list_members(names.PROJECT.parse(request.parent)[0], limit=limit + 1, before=before)
        token = _next_token(rows, limit, question, lambda row: (row.create_time.isoformat(), row.user_id))
        return auth_pb2.ListMembersResponse(
            members=[convert.member_message(row) for row in rows[:limit]], next_page_token=token
        )

    async def UpdateMember(self, request: auth_pb2.UpdateMemberRequest, context: Context) -> auth_pb2.Member:
        """Changes a person's roles."""
        member = await self._projects.change_member(
            *names.MEMBER.parse(request.member.name), roles=convert.role_ids(request.member)
        )
        return convert.member_message(member)

    async def DeleteMember(
        self, request: auth_pb2.DeleteMemberRequest, context: Context
    ) -> auth_pb2.DeleteMemberResponse:
        """Takes a person out of a project."""
        await self._projects.remove_member(*names.MEMBER.parse(request.name))
        return auth_pb2.DeleteMemberResponse()

    async def CreateApiKey(
        self, request: auth_pb2.CreateApiKeyRequest, context: Context
    ) -> auth_pb2.CreateApiKeyResponse:
        """Makes an API key."""
        caller = current_caller()
        given = request.api_key
        key, secret = await self._projects.create_key(
            names.PROJECT.parse(request.parent)[0],
            display_name=given.display_name,
            permissions=tuple(given.permissions),
            expire_time=given.expire_time.ToDatetime(timezone.utc) if given.HasField("expire_time") else None,
            creator=caller.subject,
            held=caller.permissions,
        )
        return auth_pb2.CreateApiKeyResponse(api_key=convert.key_message(key), secret=secret)

    async def ListApiKeys(self, request: auth_pb2.ListApiKeysRequest, context: Context) -> auth_pb2.ListApiKeysResponse:
        """Lists a project's keys."""
        question = f"keys|{request.parent}"
        limit, before = _page(request, question)
        rows = await self._projects.list_keys(names.PROJECT.parse(request.parent)[0], limit=limit + 1, before=before)
        token = _next_token(rows, limit, question, lambda row: (row.create_time.isoformat(), row.key_id))
        return auth_pb2.ListApiKeysResponse(
            api_keys=[convert.key_message(row) for row in rows[:limit]], next_page_token=token
        )

    async def DeleteApiKey(self, request: auth_pb2.DeleteApiKeyRequest, context: Context) -> auth_pb2.ApiKey:
        """Revokes a key."""
        return convert.key_message(await self._projects.revoke_key(*names.API_KEY.parse(request.name)))

    async def ListAuditEvents(
        self, request: auth_pb2.ListAuditEventsRequest, context: Context
    ) -> auth_pb2.ListAuditEventsResponse:
        """Lists what was done in a project."""
        question = f"audit|{request.parent}"
        limit, before = _page(request, question)
        rows = await self._projects.list_events(names.PROJECT.parse(request.parent)[0], limit=limit + 1, before=before)
        token = _next_token(rows, limit, question, lambda row: (row.event_time.isoformat(), row.event_id))
        return auth_pb2.ListAuditEventsResponse(
            audit_events=[convert.event_message(row) for row in rows[:limit]], next_page_token=token
        )

    async def ListRoles(self, request: auth_pb2.ListRolesRequest, context: Context) -> auth_pb2.ListRolesResponse:
        """Lists the roles."""
        return auth_pb2.ListRolesResponse(roles=[convert.role_message(role) for role in ROLES.values()])


def _user_id(caller: Caller) -> str:
    """Returns the caller's account id; empty where a key calls."""
    return names.USER.parse(caller.subject)[0] if names.USER.matches(caller.subject) else ""


def _page(request: _Paged, question: str) -> tuple[int, tuple[str, ...] | None]:
    return paging.page_size_of(request.page_size), paging.decode_page_token(request.page_token, question)


def _next_token(rows: Sequence[_Row], limit: int, question: str, position: Callable[[_Row], tuple[str, ...]]) -> str:
    if len(rows) <= limit:
        return ""
    return paging.encode_page_token(position(rows[limit - 1]), question)
