"""One valid request for every method, around the name of the resource that it is about."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from google.longrunning import operations_pb2
from google.protobuf.message import Message

from praxiscope.auth.v1 import auth_pb2
from praxiscope.biomechanics.v1 import motion_service_pb2
from praxiscope.editing.v1 import edit_service_pb2, edit_stack_pb2
from praxiscope.generation.v1 import generation_service_pb2
from praxiscope.library.v1 import (
    asset_pb2,
    asset_service_pb2,
    media_service_pb2,
    operation_service_pb2,
    upload_service_pb2,
)
from praxiscope.rendering.v1 import rendering_service_pb2, world_rendering_service_pb2
from praxiscope.tracking.v1 import tracking_service_pb2
from praxiscope.type.v1 import media_pb2
from praxiscope.vision.v1 import model_service_pb2, vision_service_pb2
from praxiscope_common import names
from tests.support.house import Tenant
from tests.support.operations import idle_operation
from tests.support.world_files import make_world, world_file

PROJECT, ASSET, VERSION, UPLOAD, OPERATION, MEMBER, KEY, STACK, NONE = (
    "project",
    "asset",
    "version",
    "upload",
    "operation",
    "member",
    "key",
    "editStack",
    "",
)
SHA256 = "0" * 64
FIRST_ETAG = '"1"'


@dataclass(frozen=True)
class Example:
    """A valid request.

    Attributes:
        kind: What kind of name it is about.
        make: Makes it, or the requests of a client stream, from the name.
    """

    kind: str
    make: Callable[[str], Message | Sequence[Message]]


def _media(name: str) -> media_pb2.MediaRef:
    return media_pb2.MediaRef(asset_version=name)


def _image() -> vision_service_pb2.ImageSource:
    return vision_service_pb2.ImageSource(content=b"\x89PNG")


EXAMPLES: dict[str, Example] = {
    # auth
    "TokenService.Login": Example(NONE, lambda _: auth_pb2.LoginRequest(email="a@example.org", password="x")),
    "TokenService.RefreshToken": Example(NONE, lambda _: auth_pb2.RefreshTokenRequest(refresh_token="x")),
    "TokenService.Logout": Example(NONE, lambda _: auth_pb2.LogoutRequest()),
    "TokenService.ExchangeApiKey": Example(NONE, lambda _: auth_pb2.ExchangeApiKeyRequest(api_key="pxk_0")),
    "TokenService.ExchangeToken": Example(NONE, lambda _: auth_pb2.ExchangeTokenRequest(client_assertion="x")),
    "TokenService.ListRevocations": Example(NONE, lambda _: auth_pb2.ListRevocationsRequest()),
    "TokenService.GetKeySet": Example(NONE, lambda _: auth_pb2.GetKeySetRequest()),
    "UserService.GetCaller": Example(NONE, lambda _: auth_pb2.GetCallerRequest()),
    "UserService.CreateUser": Example(
        NONE,
        lambda _: auth_pb2.CreateUserRequest(user=auth_pb2.User(email="a@example.org"), password="long enough, is it"),
    ),
    "UserService.ListUsers": Example(NONE, lambda _: auth_pb2.ListUsersRequest()),
    "UserService.ChangePassword": Example(
        NONE, lambda _: auth_pb2.ChangePasswordRequest(old_password="x", new_password="long enough, is it")
    ),
    "UserService.SetUserState": Example(
        NONE,
        lambda _: auth_pb2.SetUserStateRequest(
            name=names.USER.format(names.new_id()), state=auth_pb2.User.STATE_BARRED
        ),
    ),
    "ProjectService.CreateProject": Example(
        NONE, lambda _: auth_pb2.CreateProjectRequest(project=auth_pb2.Project(display_name="New"))
    ),
    "ProjectService.GetProject": Example(PROJECT, lambda name: auth_pb2.GetProjectRequest(name=name)),
    "ProjectService.ListProjects": Example(NONE, lambda _: auth_pb2.ListProjectsRequest()),
    "ProjectService.CreateMember": Example(
        PROJECT,
        lambda name: auth_pb2.CreateMemberRequest(
            parent=name, member=auth_pb2.Member(email="a@example.org", roles=["roles/viewer"])
        ),
    ),
    "ProjectService.ListMembers": Example(PROJECT, lambda name: auth_pb2.ListMembersRequest(parent=name)),
    "ProjectService.UpdateMember": Example(
        MEMBER,
        lambda name: auth_pb2.UpdateMemberRequest(member=auth_pb2.Member(name=name, roles=["roles/viewer"])),
    ),
    "ProjectService.DeleteMember": Example(MEMBER, lambda name: auth_pb2.DeleteMemberRequest(name=name)),
    "ProjectService.CreateApiKey": Example(
        PROJECT, lambda name: auth_pb2.CreateApiKeyRequest(parent=name, api_key=auth_pb2.ApiKey(display_name="New"))
    ),
    "ProjectService.ListApiKeys": Example(PROJECT, lambda name: auth_pb2.ListApiKeysRequest(parent=name)),
    "ProjectService.DeleteApiKey": Example(KEY, lambda name: auth_pb2.DeleteApiKeyRequest(name=name)),
    "ProjectService.ListAuditEvents": Example(PROJECT, lambda name: auth_pb2.ListAuditEventsRequest(parent=name)),
    "ProjectService.ListRoles": Example(NONE, lambda _: auth_pb2.ListRolesRequest()),
    # library
    "AssetService.GetAsset": Example(ASSET, lambda name: asset_service_pb2.GetAssetRequest(name=name)),
    "AssetService.ListAssets": Example(PROJECT, lambda name: asset_service_pb2.ListAssetsRequest(parent=name)),
    "AssetService.UpdateAsset": Example(
        ASSET, lambda name: asset_service_pb2.UpdateAssetRequest(asset=asset_pb2.Asset(name=name, display_name="New"))
    ),
    "AssetService.DeleteAsset": Example(ASSET, lambda name: asset_service_pb2.DeleteAssetRequest(name=name)),
    "AssetService.UndeleteAsset": Example(ASSET, lambda name: asset_service_pb2.UndeleteAssetRequest(name=name)),
    "AssetService.PurgeAsset": Example(ASSET, lambda name: asset_service_pb2.PurgeAssetRequest(name=name)),
    "AssetService.GetAssetVersion": Example(VERSION, lambda name: asset_service_pb2.GetAssetVersionRequest(name=name)),
    "AssetService.ListAssetVersions": Example(
        ASSET, lambda name: asset_service_pb2.ListAssetVersionsRequest(parent=name)
    ),
    "AssetService.GetLineage": Example(VERSION, lambda name: asset_service_pb2.GetLineageRequest(name=name)),
    "AssetService.CreateDownload": Example(
        VERSION, lambda name: asset_service_pb2.CreateDownloadRequest(media=_media(name))
    ),
    "UploadService.CreateUpload": Example(
        PROJECT,
        lambda name: upload_service_pb2.CreateUploadRequest(
            parent=name,
            upload=upload_service_pb2.Upload(kind="KIND_FILE", file_name="a.txt", size_bytes=1, sha256=SHA256),
        ),
    ),
    "UploadService.GetUpload": Example(UPLOAD, lambda name: upload_service_pb2.GetUploadRequest(name=name)),
    "UploadService.CreatePartTickets": Example(
        UPLOAD, lambda name: upload_service_pb2.CreatePartTicketsRequest(name=name)
    ),
    "UploadService.CompleteUpload": Example(UPLOAD, lambda name: upload_service_pb2.CompleteUploadRequest(name=name)),
    "UploadService.DeleteUpload": Example(UPLOAD, lambda name: upload_service_pb2.DeleteUploadRequest(name=name)),
    "MediaService.ResolveMedia": Example(
        VERSION, lambda name: media_service_pb2.ResolveMediaRequest(media=_media(name))
    ),
    "MediaService.CreateDerivedAsset": Example(
        PROJECT,
        lambda name: media_service_pb2.CreateDerivedAssetRequest(
            parent=name,
            kind="KIND_FILE",
            objects=[
                media_service_pb2.CreateDerivedAssetRequest.Object(
                    path="a.txt", content_type="text/plain", object_key=f"{name}/a.txt", sha256=SHA256
                )
            ],
            operation=f"{name}/operations/{names.new_id()}",
            request_id=str(uuid.uuid4()),
        ),
    ),
    "OperationService.GetOperation": Example(
        OPERATION, lambda name: operation_service_pb2.GetOperationRequest(name=name)
    ),
    "OperationService.ListOperations": Example(
        PROJECT, lambda name: operation_service_pb2.ListOperationsRequest(parent=name)
    ),
    "OperationService.WaitOperation": Example(
        OPERATION, lambda name: operation_service_pb2.WaitOperationRequest(name=name, timeout={"nanos": 1000})
    ),
    "OperationService.WatchOperation": Example(
        OPERATION, lambda name: operation_service_pb2.WatchOperationRequest(name=name)
    ),
    "OperationService.CancelOperation": Example(
        OPERATION, lambda name: operation_service_pb2.CancelOperationRequest(name=name)
    ),
    "OperationService.RetryOperation": Example(
        OPERATION, lambda name: operation_service_pb2.RetryOperationRequest(name=name)
    ),
    "OperationService.DeleteOperation": Example(
        OPERATION, lambda name: operation_service_pb2.DeleteOperationRequest(name=name)
    ),
    # google.longrunning
    "Operations.GetOperation": Example(OPERATION, lambda name: operations_pb2.GetOperationRequest(name=name)),
    "Operations.ListOperations": Example(PROJECT, lambda name: operations_pb2.ListOperationsRequest(name=name)),
    "Operations.WaitOperation": Example(
        OPERATION, lambda name: operations_pb2.WaitOperationRequest(name=name, timeout={"nanos": 1000})
    ),
    "Operations.CancelOperation": Example(OPERATION, lambda name: operations_pb2.CancelOperationRequest(name=name)),
    "Operations.DeleteOperation": Example(OPERATION, lambda name: operations_pb2.DeleteOperationRequest(name=name)),
    # vision
    "VisionService.DetectObjects": Example(
        PROJECT, lambda name: vision_service_pb2.DetectObjectsRequest(parent=name, image=_image())
    ),
    "VisionService.DetectPoses": Example(
        PROJECT, lambda name: vision_service_pb2.DetectPosesRequest(parent=name, image=_image())
    ),
    "VisionService.ObserveVideo": Example(
        VERSION, lambda name: vision_service_pb2.ObserveVideoRequest(video=_media(name))
    ),
    "VisionService.ObserveLive": Example(
        PROJECT,
        lambda name: [
            vision_service_pb2.ObserveLiveRequest(start=vision_service_pb2.ObserveLiveRequest.Start(parent=name))
        ],
    ),
    "VisionService.ListModels": Example(NONE, lambda _: vision_service_pb2.ListModelsRequest()),
    "ModelService.GetModelTraffic": Example(
        NONE, lambda _: model_service_pb2.GetModelTrafficRequest(name="models/centernet/traffic")
    ),
    "ModelService.DeployModelVersion": Example(
        NONE, lambda _: model_service_pb2.DeployModelVersionRequest(name="models/centernet/versions/1")
    ),
    "ModelService.SetModelTraffic": Example(
        NONE,
        lambda _: model_service_pb2.SetModelTrafficRequest(
            name="models/centernet/traffic",
            etag="x",
            shares=[model_service_pb2.SetModelTrafficRequest.Share(version="1", percent=100)],
        ),
    ),
    "ModelService.RollBackModel": Example(
        NONE, lambda _: model_service_pb2.RollBackModelRequest(name="models/centernet/traffic", version="9")
    ),
    "ModelService.RetireModelVersion": Example(
        NONE, lambda _: model_service_pb2.RetireModelVersionRequest(name="models/centernet/versions/9")
    ),
    "ModelService.ListModelChanges": Example(
        NONE, lambda _: model_service_pb2.ListModelChangesRequest(parent="models/centernet")
    ),
    # tracking
    "TrackingService.Track": Example(
        PROJECT,
        lambda name: [tracking_service_pb2.TrackRequest(start=tracking_service_pb2.TrackRequest.Start(parent=name))],
    ),
    "TrackingService.TrackDetections": Example(
        VERSION, lambda name: tracking_service_pb2.TrackDetectionsRequest(detections=_media(name))
    ),
    # rendering
    "RenderingService.RenderOverlay": Example(
        VERSION, lambda name: rendering_service_pb2.RenderOverlayRequest(motion=name)
    ),
    "RenderingService.RenderStill": Example(
        VERSION, lambda name: rendering_service_pb2.RenderStillRequest(motion=name, frame_index=0)
    ),
    "WorldRenderingService.RenderView": Example(
        VERSION, lambda name: world_rendering_service_pb2.RenderViewRequest(world=name)
    ),
    "WorldRenderingService.StreamView": Example(
        VERSION,
        lambda name: [
            world_rendering_service_pb2.StreamViewRequest(
                start=world_rendering_service_pb2.StreamViewRequest.Start(world=name)
            )
        ],
    ),
    "WorldRenderingService.RenderTurntable": Example(
        VERSION, lambda name: world_rendering_service_pb2.RenderTurntableRequest(world=name)
    ),
    "WorldRenderingService.RenderFlight": Example(
        VERSION, lambda name: world_rendering_service_pb2.RenderFlightRequest(world=name, waypoints=[{}, {}])
    ),
    "WorldRenderingService.RenderPicture": Example(
        VERSION, lambda name: world_rendering_service_pb2.RenderPictureRequest(world=name)
    ),
    "WorldRenderingService.ExportWorld": Example(
        VERSION,
        lambda name: world_rendering_service_pb2.ExportWorldRequest(
            world=name, formats=[world_rendering_service_pb2.ExportWorldRequest.FORMAT_SPZ]
        ),
    ),
    # generation
    "GenerationService.ReconstructWorld": Example(
        VERSION, lambda name: generation_service_pb2.ReconstructWorldRequest(photos=_media(name))
    ),
    "GenerationService.ExtractMesh": Example(
        VERSION, lambda name: generation_service_pb2.ExtractMeshRequest(world=name)
    ),
    "GenerationService.GetPreview": Example(
        OPERATION, lambda name: generation_service_pb2.GetPreviewRequest(operation=name)
    ),
    "GenerationService.GenerateWorld": Example(
        PROJECT, lambda name: generation_service_pb2.GenerateWorldRequest(parent=name)
    ),
    # editing
    "EditService.CreateEditStack": Example(
        PROJECT,
        lambda name: edit_service_pb2.CreateEditStackRequest(
            parent=name, edit_stack=edit_stack_pb2.EditStack(base_world=f"{name}/assets/{'a' * 26}/versions/1")
        ),
    ),
    "EditService.GetEditStack": Example(STACK, lambda name: edit_service_pb2.GetEditStackRequest(name=name)),
    "EditService.ListEditStacks": Example(PROJECT, lambda name: edit_service_pb2.ListEditStacksRequest(parent=name)),
    "EditService.DeleteEditStack": Example(STACK, lambda name: edit_service_pb2.DeleteEditStackRequest(name=name)),
    "EditService.SelectGaussians": Example(
        STACK,
        lambda name: edit_service_pb2.SelectGaussiansRequest(
            name=name, selection=edit_stack_pb2.Selection(everything={})
        ),
    ),
    "EditService.ReadGaussians": Example(STACK, lambda name: edit_service_pb2.ReadGaussiansRequest(name=name)),
    "EditService.ApplyEdit": Example(
        STACK,
        lambda name: edit_service_pb2.ApplyEditRequest(
            name=name, etag=FIRST_ETAG, operation=edit_stack_pb2.EditOperation(crop={})
        ),
    ),
    "EditService.UndoEdit": Example(STACK, lambda name: edit_service_pb2.UndoEditRequest(name=name, etag=FIRST_ETAG)),
    "EditService.RedoEdit": Example(STACK, lambda name: edit_service_pb2.RedoEditRequest(name=name, etag=FIRST_ETAG)),
    "EditService.CreateBranch": Example(
        STACK, lambda name: edit_service_pb2.CreateBranchRequest(name=name, etag=FIRST_ETAG, branch="other")
    ),
    "EditService.SwitchBranch": Example(
        STACK, lambda name: edit_service_pb2.SwitchBranchRequest(name=name, etag=FIRST_ETAG, branch="main")
    ),
    "EditService.DiffEdits": Example(STACK, lambda name: edit_service_pb2.DiffEditsRequest(name=name)),
    "EditService.SaveWorld": Example(STACK, lambda name: edit_service_pb2.SaveWorldRequest(name=name)),
    # biomechanics
    "MotionService.AnalyzeMotion": Example(
        VERSION, lambda name: motion_service_pb2.AnalyzeMotionRequest(video=_media(name))
    ),
    "MotionService.GetMotion": Example(VERSION, lambda name: motion_service_pb2.GetMotionRequest(name=name)),
}


async def existing(tenant: Tenant, kind: str) -> str:
    """Makes a resource of a kind in a project and returns its name."""
    house = tenant.house
    match kind:
        case "project":
            return tenant.name
        case "member":
            return names.MEMBER.format(tenant.project_id, tenant.user_id)
        case "operation":
            return (await idle_operation(tenant)).name
        case "key":
            request = EXAMPLES["ProjectService.CreateApiKey"].make(tenant.name)
            return (await house.ask("ProjectService.CreateApiKey", request, token=tenant.token)).message.api_key.name
        case "editStack":
            world = await tenant.upload(world_file(make_world(40)), "garden.ply")
            request = edit_service_pb2.CreateEditStackRequest(
                parent=tenant.name, edit_stack=edit_stack_pb2.EditStack(base_world=world)
            )
            return (await house.ask("EditService.CreateEditStack", request, token=tenant.token)).message.name
        case "upload":
            request = EXAMPLES["UploadService.CreateUpload"].make(tenant.name)
            return (await house.ask("UploadService.CreateUpload", request, token=tenant.token)).message.name
    version = await tenant.upload(b"something")
    return version if kind == VERSION else version.rpartition("/versions/")[0]


def unknown(tenant: Tenant, kind: str) -> str:
    """Returns a name of a kind that nothing has: in the tenant's project, or, for projects, of no project."""
    match kind:
        case "project":
            return names.PROJECT.format(names.new_id())
        case "version":
            return tenant.name_of("assets") + "/versions/1"
    return tenant.name_of({"key": "apiKeys"}.get(kind, f"{kind}s"))
