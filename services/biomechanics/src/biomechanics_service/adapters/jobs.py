"""How an analysis is accepted, and where its short form is read."""

from __future__ import annotations

from dataclasses import dataclass

from google.protobuf import json_format

from biomechanics_service.adapters.analysis_job import METHOD
from biomechanics_service.adapters.motion_outputs import SUMMARY_PATH
from praxiscope.biomechanics.v1 import motion_pb2, motion_service_pb2
from praxiscope_assets import AssetFiles
from praxiscope_common.credentials import ServiceIdentity
from praxiscope_common.database import Database
from praxiscope_common.errors import InvalidInputError, NotFoundError
from praxiscope_common.identity import current_caller
from praxiscope_common.jobs.operations import NewOperation, Operation, create_operation


class NotAMotionError(InvalidInputError):
    """The asset is not a measured motion."""

    reason = "NOT_A_MOTION"


@dataclass(frozen=True, kw_only=True)
class MotionJobs:
    """Accepts analyses and reads what they made.

    Attributes:
        database: Where operations are.
        files: Finds files in the library.
        identity: Gets tokens to act for the caller.
    """

    database: Database
    files: AssetFiles
    identity: ServiceIdentity

    async def start(self, request: motion_service_pb2.AnalyzeMotionRequest) -> Operation:
        """Checks that the video is there and writes the operation and its job."""
        video = request.video
        await self.files.resolve(video.asset_version, video.path, token=await self.identity.token_for_caller())
        async with self.database.transaction() as connection:
            return await create_operation(
                connection,
                NewOperation(
                    service="biomechanics",
                    method=METHOD,
                    target=video.asset_version,
                    request=request,
                    request_id=request.request_id,
                    parent_operation=current_caller().operation,
                ),
            )

    async def read_summary(self, asset_version: str) -> motion_pb2.Motion:
        """Returns a motion in short.

        Raises:
            NotAMotionError: If the asset is something else.
        """
        token = await self.identity.token_for_caller()
        try:
            file = await self.files.resolve(asset_version, SUMMARY_PATH, token=token)
        except NotFoundError as error:
            if error.reason == "FILE_NOT_FOUND":
                raise NotAMotionError(metadata={"name": asset_version}) from error
            raise
        text = b"".join([chunk async for chunk in self.files.store.read(file.object_key)])
        motion = json_format.Parse(text, motion_pb2.Motion())
        motion.asset_version = file.asset_version
        return motion
