"""Broken files that go all the way: uploaded rightly, then measured, tracked or drawn by the services' workers."""

from __future__ import annotations

import hashlib
import time
from random import Random

import grpc

from fuzz import media_files, motchallenge_text, pure
from fuzz.grpc_calls import CallTooLongError, ForbiddenOutcomeError
from fuzz.http_calls import CASE_LIMIT_S, exchange, judge
from fuzz.target import Target
from fuzz.uploads import ask, reason_of

_OPERATION_LIMIT_S = 120.0
_FORBIDDEN = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DATA_LOSS, grpc.StatusCode.UNAVAILABLE}
_FORBIDDEN_CODES = {code.value[0] for code in _FORBIDDEN}


async def analyse(random: Random, target: Target) -> str:
    """Uploads a broken file and has it worked on; returns how that ended.

    Raises:
        ForbiddenOutcomeError: If the work ended with INTERNAL or the like.
        CallTooLongError: If it did not end.
    """
    kind, name, content, verb, body = random.choice(
        (
            ("KIND_VIDEO", "a.mp4", media_files.broken_video(random), "analyzeMotion", {"omit_overlay": True}),
            ("KIND_VIDEO", "a.mp4", media_files.broken_video(random), "analyzeMotion", {}),
            ("KIND_DETECTIONS", "a.txt", motchallenge_text.broken_text(random), "trackDetections", {}),
            ("KIND_FILE", "motion.pb.zst", pure.broken_motion(random), "renderOverlay", {"codec": "CODEC_VP9"}),
            ("KIND_FILE", "motion.pb.zst", pure.broken_motion(random), "renderStill", {"frame_index": 1}),
        )
    )
    if verb == "renderOverlay":
        video = await _upload(target, "KIND_VIDEO", "a.mp4", media_files.videos()["mp4"])
        body = body | {"video": {"asset_version": video}}
    version = await _upload(target, kind, name, content)
    started = await ask(target, "POST", f"/v1/{version}:{verb}", dict(body))
    if "name" not in started:
        return f"{verb} {reason_of(started)}"
    deadline_s = time.monotonic() + _OPERATION_LIMIT_S
    while time.monotonic() < deadline_s:
        operation = await ask(target, "POST", f"/v1/{started['name']}:wait", {"timeout": "10s"})
        if operation.get("done"):
            error = operation.get("error", {})
            if error.get("code") in _FORBIDDEN_CODES:
                raise ForbiddenOutcomeError(f"{verb} of {len(content)} bytes: {error}")
            return f"{verb} {reason_of(error)}"
    raise CallTooLongError(f"{verb} did not end in {_OPERATION_LIMIT_S:.0f} s")


async def _upload(target: Target, kind: str, name: str, content: bytes) -> str:
    sha256 = hashlib.sha256(content).hexdigest()
    new = {"upload": {"kind": kind, "file_name": name, "size_bytes": str(len(content)), "sha256": sha256}}
    upload = await ask(target, "POST", f"/v1/{target.project}/uploads", new)
    for ticket in (await ask(target, "POST", f"/v1/{upload['name']}:createPartTickets", {})).get("tickets", []):
        path = ticket["uri"][ticket["uri"].index("/v1/") :]
        head = f"PUT {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {len(content)}\r\n\r\n"
        judge(await exchange(target, head.encode() + content, CASE_LIMIT_S), "a whole part")
    return str((await ask(target, "POST", f"/v1/{upload['name']}:complete", {}))["latestVersion"])
