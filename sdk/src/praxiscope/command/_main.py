"""Runs what was typed: one function a command, one place where errors are said."""

from __future__ import annotations

import argparse
import getpass
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message

from praxiscope.client import Client, PraxiscopeError, Profile, ProfileError, TransportError, read_profile
from praxiscope.client._async import response_of
from praxiscope.client._profile import write_profile
from praxiscope.command import _edit as editing
from praxiscope.command import _models as models
from praxiscope.command import _worlds as worlds
from praxiscope.command._arguments import parse
from praxiscope.command._show import Screen

_EXIT_ERROR = 1
_EXIT_UNREACHABLE = 3
_EXIT_INTERRUPTED = 130
_WARN_BEFORE = timedelta(days=5)
# What a person can do about an error that the platform cannot say for them.
_ADVICE: Mapping[str, str] = {
    "UNAUTHENTICATED": "Log in with `praxiscope login`, or send an API key.",
    "INVALID_API_KEY": "The key was revoked or has ended. Log in with `praxiscope login`; in a checkout, `make up` writes a new one.",
    "INVALID_REFRESH_TOKEN": "Log in again with `praxiscope login`.",
    "PERMISSION_DENIED": "`praxiscope whoami` says what you may do; a project's owner can give you more.",
    "MEDIA_UNREADABLE": "Play the file: if it plays, send it as MP4 (H.264, H.265, VP9 or AV1).",
    "POSE_TOOL_MISSING": "Whoever runs the platform can set it up: `make setup-poses`.",
    "POSES_NOT_FOUND": "Take more photos, closer together, each with much of what the one before it shows.",
    "RATE_LIMITED": "Wait a little and try again.",
}


def run() -> None:
    """Runs the command and exits."""
    raise SystemExit(main(sys.argv[1:]))


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code: 0, 1 for an error, 2 for wrong arguments, 3 where the platform does not answer."""
    options = parse(sys.argv[1:] if arguments is None else arguments)
    screen = Screen(is_json=options.json)
    try:
        _COMMANDS[options.command](options, screen)
    except KeyboardInterrupt:
        screen.error("Interrupted; what runs on the platform goes on (praxiscope ops list).", reason="INTERRUPTED")
        return _EXIT_INTERRUPTED
    except (PraxiscopeError, ProfileError, OSError, ExceptionGroup) as error:
        return _say(screen, _first(error))
    return 0


def _first(error: BaseException) -> BaseException:
    """Returns the error itself, or the first of a group: parts are sent side by side and fail together."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _say(screen: Screen, error: BaseException) -> int:
    """Says an error and returns the exit code that belongs to it."""
    if not isinstance(error, PraxiscopeError):
        if not isinstance(error, (ProfileError, OSError)):
            raise error
        screen.error(str(error), reason="LOCAL")
        return _EXIT_ERROR
    screen.error(
        error.message,
        reason=error.reason,
        advice=_ADVICE.get(error.reason, ""),
        violations=error.violations,
        request_id=error.request_id,
        retry_after_s=error.retry_after_s,
    )
    return _EXIT_UNREACHABLE if isinstance(error, TransportError) else _EXIT_ERROR


def _client(options: argparse.Namespace, screen: Screen) -> Client:
    profile = read_profile(options.profile)
    if profile.api_key_expire_time:
        left = datetime.fromisoformat(profile.api_key_expire_time) - datetime.now(timezone.utc)
        if left < _WARN_BEFORE:
            screen.warn(f"The API key of this profile ends in {max(0, left.days)} days.")

    def keep(refresh_token: str) -> None:
        write_profile(options.profile or "default", _with_token(profile, refresh_token), environ=os.environ)

    return Client(profile, on_new_refresh_token=keep)


def _with_token(profile: Profile, refresh_token: str) -> Profile:
    return Profile(url=profile.url, project=profile.project, refresh_token=refresh_token)


def _login(options: argparse.Namespace, screen: Screen) -> None:
    email = options.email or input("E-mail: ")
    if options.password_file:
        password = Path(options.password_file).read_text(encoding="utf-8").strip()
    else:
        password = getpass.getpass("Password: ")
    with Client(Profile(url=options.url.rstrip("/"))) as client:
        tokens = client.login(email, password, project=options.project)
    profile = Profile(url=options.url.rstrip("/"), project=tokens.project, refresh_token=tokens.refresh_token)
    path = write_profile(options.name, profile, environ=os.environ)
    screen.result(
        {"profile": options.name, "file": str(path), "project": tokens.project, "subject": tokens.subject},
        f"Logged in; the login is kept in {path}.",
    )


def _whoami(options: argparse.Namespace, screen: Screen) -> None:
    with _client(options, screen) as client:
        caller = client.whoami()
    who = caller.user.email or caller.subject
    screen.result(
        _document(caller), f"{who} in {caller.project}\n" + "\n".join(f"  {item}" for item in caller.permissions)
    )


def _upload(options: argparse.Namespace, screen: Screen) -> None:
    with _client(options, screen) as client:
        asset = _send(
            client, options.file, f"KIND_{options.kind.upper()}", screen, options.display_name, options.resume
        )
    screen.result(_document(asset), asset.latest_version)


def _send(client: Client, file: str, kind: str, screen: Screen, display_name: str = "", resume: str = "") -> Any:  # noqa: ANN401
    with screen.bytes_bar(f"Uploading {Path(file).name}") as on_bytes:
        return client.upload(file, kind=kind, display_name=display_name, resume=resume, on_bytes=on_bytes)


def _analyze(options: argparse.Namespace, screen: Screen) -> None:
    with _client(options, screen) as client:
        if options.video.startswith("projects/"):
            version = _version_of(options.video)
        else:
            version = _send(client, options.video, "KIND_VIDEO", screen).latest_version
        operation = client.analyze_motion(
            version,
            height_m=options.height_m,
            preset=f"PRESET_{options.preset.upper()}",
            cutoff_hz=options.cutoff_hz,
            omit_overlay=options.no_overlay,
            overlay_codec=f"CODEC_{options.codec.upper()}",
        )
        with screen.stage_bars(operation) as on_progress:
            response = client.wait(operation, on_progress=on_progress)
        files: list[Path] = []
        if options.output:
            folder = Path(options.output)
            files = client.download_all(response.motion.asset_version, folder)
            if response.motion.overlay:
                files.append(client.download(response.motion.overlay, "overlay.mp4", folder / "overlay.mp4"))
    document = {**_document(response), "operation": operation, "files": [str(file) for file in files]}
    screen.result(document, screen.motion_text(response, files))


def _track(options: argparse.Namespace, screen: Screen) -> None:
    with _client(options, screen) as client:
        version = _send(client, options.detections, "KIND_DETECTIONS", screen).latest_version
        operation = client.track_detections(
            version,
            tracker=f"TRACKER_{options.tracker.upper()}",
            preset=f"PRESET_{options.preset.upper()}",
            high_score=options.high_score,
            lost_buffer_frames=options.lost_buffer_frames,
        )
        with screen.stage_bars(operation) as on_progress:
            response = client.wait(operation, on_progress=on_progress)
        file = client.download(response.asset_version, "tracks.txt", options.output)
    text = f"{response.track_count} tracks in {response.frame_count} frames: {file}"
    screen.result({**_document(response), "operation": operation, "files": [str(file)]}, text)


def _operations(options: argparse.Namespace, screen: Screen) -> None:
    with _client(options, screen) as client:
        if options.verb == "list":
            page = client.operations(only_running=options.running, page_size=options.limit)
            screen.result(page, screen.operations_text(page))
        elif options.verb == "watch":
            progress = client.operation(options.name)
            with screen.stage_bars(options.name) as on_progress:
                for progress in client.watch(options.name):
                    on_progress(progress)
            screen.result(progress.document, f"{options.name} {progress.state}")
            response_of(progress)
        elif options.verb == "delete":
            client.delete_operation(options.name)
            screen.result({"deleted": options.name}, f"{options.name} is forgotten.")
        else:
            verb = "" if options.verb == "get" else options.verb
            progress = client.operation(options.name, verb)
            screen.result(progress.document, screen.operations_text({"operations": [progress.document]}))


def _assets(options: argparse.Namespace, screen: Screen) -> None:
    with _client(options, screen) as client:
        if options.verb == "list":
            page = client.assets(filter=options.filter, show_deleted=options.deleted, page_size=options.limit)
            screen.result(_document(page), screen.assets_text(page))
        elif options.verb == "get":
            asset = client.asset(_asset_of(options.name))
            version = client.asset_version(asset.latest_version)
            screen.result({**_document(asset), "version": _document(version)}, screen.version_text(asset, version))
        elif options.verb == "download":
            files = client.download_all(_version_of(options.name), options.output, only=options.file)
            screen.result({"files": [str(file) for file in files]}, "\n".join(map(str, files)))
        elif options.verb == "lineage":
            lineage = client.lineage(_version_of(options.name))
            text = "\n".join(f"{edge.source}\n  -> {edge.target}" for edge in lineage.edges) or "It stands alone."
            screen.result(_document(lineage), text)
        elif options.verb == "undelete":
            asset = client.asset(options.name, "undelete")
            screen.result(_document(asset), f"{options.name} is back.")
        else:
            client.delete_asset(options.name, for_good=options.verb == "purge")
            screen.result({options.verb: options.name}, f"{options.name} is deleted.")


def _asset_of(name: str) -> str:
    return name.partition("/versions/")[0]


def _version_of(name: str) -> str:
    return name if "/versions/" in name else f"{name}/versions/latest"


def _document(message: Message) -> dict[str, Any]:
    return json.loads(json_format.MessageToJson(message, preserving_proto_field_name=True))


def _with_client(work: Callable[..., None]) -> Callable[[argparse.Namespace, Screen], None]:
    def run(options: argparse.Namespace, screen: Screen) -> None:
        with _client(options, screen) as client:
            work(options, screen, client, _send, _document)

    return run


_COMMANDS: Mapping[str, Callable[[argparse.Namespace, Screen], None]] = {
    "login": _login,
    "whoami": _whoami,
    "upload": _upload,
    "analyze": _analyze,
    "track": _track,
    "reconstruct": _with_client(worlds.reconstruct),
    "generate": _with_client(worlds.generate),
    "render": _with_client(worlds.render),
    "mesh": _with_client(worlds.mesh),
    "edit": _with_client(editing.edit),
    "ops": _operations,
    "assets": _assets,
    "models": _with_client(models.models),
}
