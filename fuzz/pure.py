"""Entries that are plain code: files and texts that somebody uploads, read as the services read them."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import jwt
import numpy as np
import zstandard
from cryptography.hazmat.primitives.asymmetric import rsa

from fuzz import media_files, messages, motchallenge_text, values
from library_service.core.filters import parse_filter
from praxiscope.biomechanics.v1 import motion_pb2
from praxiscope_common import names, paging
from praxiscope_common.storage.records import encode_records
from praxiscope_common.tokens import ALGORITHM, AUDIENCE, ISSUER, Revocation, TokenVerifier
from praxiscope_media import MediaLimits, VideoCodec, VideoEncoding, VideoSource, VideoWriter, decode_image
from rendering_service.adapters.canvas import put
from rendering_service.adapters.motion_file import read_motion
from rendering_service.core.overlay import Overlay
from rendering_service.core.types import Style
from tracking_service.adapters.jobs import TrackCounts, tracked_chunks
from tracking_service.api.convert import snapshot_from, state_from
from tracking_service.core.config import BYTETRACK_PRESET, PEOPLE_PRESET, SORT_PRESET
from tracking_service.core.tracker import create_tracker

_FRAMES_READ = 40
_LIMITS = MediaLimits()
_TRACKERS = (SORT_PRESET, BYTETRACK_PRESET, PEOPLE_PRESET)
_FORMS = (
    *(names.PROJECT, names.ASSET, names.ASSET_VERSION, names.UPLOAD, names.OPERATION, names.USER, names.MEMBER),
    *(names.API_KEY, names.AUDIT_EVENT, names.ROLE),
)


def read_video(random: Random) -> str:
    """Opens a broken video as vision does and decodes its first frames, some as pixels."""
    with VideoSource.open(io.BytesIO(media_files.broken_video(random)), limits=_LIMITS) as source:
        info = source.info
        if (
            info.frame_count < 0
            or info.duration_s < 0
            or info.average_rate_hz <= 0
            or info.rotation_deg not in (0, 90, 180, 270)
        ):
            raise AssertionError(f"the header cannot be true: {info}")
        start_frame = random.choice((0, 0, 3, 10**6))
        last_offset = -1.0
        for _, frame in zip(range(_FRAMES_READ), source.frames(start_frame=start_frame), strict=False):
            if frame.offset_s <= last_offset:
                raise AssertionError(f"time goes back: {frame.offset_s} after {last_offset}")
            last_offset = frame.offset_s
            frame.resized_rgb(32, 32)
    return "OK"


def write_sound(random: Random) -> str:
    """Takes the sound of a broken video along, as rendering does."""
    given = media_files.broken_video(random)
    with (
        tempfile.TemporaryDirectory(prefix="praxiscope-fuzz-") as folder,
        VideoSource.open(io.BytesIO(given), limits=_LIMITS) as source,
    ):
        info = source.info
        if info.width_px * info.height_px > 256 * 256:
            return "TOO_LARGE_TO_TRY"
        sound = io.BytesIO(given) if info.has_audio else None
        with VideoWriter.open(
            Path(folder) / "out.mp4", info, VideoEncoding(codec=VideoCodec.H264), audio_from=sound
        ) as writer:
            for _, frame in zip(range(6), source.frames(), strict=False):
                writer.write(frame.rgb(), frame.offset)
    return "OK with sound" if sound else "OK"


def read_picture(random: Random) -> str:
    """Decodes a broken picture as vision does."""
    picture = decode_image(media_files.broken_picture(random), max_pixels=_LIMITS.max_pixels)
    if picture.ndim != 3 or picture.shape[2] != 3:
        raise AssertionError(f"no picture: {picture.shape}")
    return "OK"


def track_text(random: Random) -> str:
    """Tracks a broken file of detections as tracking does."""
    tracker = create_tracker(random.choice(_TRACKERS))
    counts = TrackCounts()
    for chunk in tracked_chunks(io.BytesIO(motchallenge_text.broken_text(random)), tracker, counts):
        if b"nan" in chunk or b"inf" in chunk:
            raise AssertionError(f"a track is nowhere: {chunk[:200]!r}")
    return "OK" if counts.frames else "OK, nothing in it"


def restore_tracker(random: Random) -> str:
    """Goes on from a state that a caller may have written."""
    tracker = create_tracker(random.choice(_TRACKERS))
    for frame_index in range(random.randint(0, 4)):
        boxes = np.array([[10.0, 10, 60, 90], [200, 20, 240, 120]]) + frame_index
        tracker.update(boxes, np.array([0.9, 0.8]), frame_index)
    state = state_from(tracker.snapshot())
    if random.random() < 0.5:
        place = random.randrange(len(state))
        state = (
            state[:place] + values.octets(random)[: len(state) - place] + state[place + 64 :]
            if random.random() < 0.3
            else _poked(random, state)
        )
    other = create_tracker(random.choice(_TRACKERS))
    other.restore(snapshot_from(state))
    tracked = other.update(np.array([[12.0, 12, 62, 92]]), np.array([0.9]), random.choice((5, 6, 1000, 2**31 - 2)))
    if not np.isfinite(tracked.boxes_xyxy_px).all():
        raise AssertionError("a track is nowhere")
    return "OK"


def _poked(random: Random, state: bytes) -> bytes:
    """Returns a state with one of its numbers changed; its length stays right."""
    changed = bytearray(state)
    place = random.randrange(len(state) // 8) * 8
    as_double = np.array([values.floating(random)], "<f8").tobytes()
    as_integer = values.integer(random, -(2**63), 2**63 - 1).to_bytes(8, "little", signed=True)
    changed[place : place + 8] = random.choice((as_double, as_integer))
    return bytes(changed[: len(state)])


def draw_motion(random: Random) -> str:
    """Reads a motion's file that somebody has uploaded and draws it."""
    encoded = broken_motion(random)
    motion = read_motion(io.BytesIO(encoded))
    overlay = Overlay(layout=motion.layout, style=Style(), width=160, height=120, scale=0.5)
    picture = np.zeros((120, 160, 3), np.uint8)
    for _, frame in zip(range(20), motion.frames, strict=False):
        put(picture, overlay.draw(frame))
    return "OK"


def broken_motion(random: Random) -> bytes:
    """Returns a motion's file that somebody has damaged, or written so."""
    match random.randrange(6):
        case 0:
            return values.damaged(random, _good_motion())
        case 1:
            return zstandard.compress(
                values.damaged(random, zstandard.ZstdDecompressor().decompressobj().decompress(_good_motion()))
            )
        case 2:
            count = random.choice((10**5, 10**5, 10**5, 10**8))
            return zstandard.compress(random.choice((b"\x00", b"\x7f", b"\x80\x80\x80\x20")) * (count // 4))
        case 3:
            header = motion_pb2.MotionHeader.FromString(_good_header())
            messages.change_message(random, header, ["right_knee", "knee_angle_r", "-1"])
            return encode_records([header, *_frames(random)])
        case 4:
            frames = _frames(random)
            for frame in frames:
                messages.change_message(random, frame, ["1"])
            return encode_records([motion_pb2.MotionHeader.FromString(_good_header()), *frames])
        case _:
            made = [
                messages.random_message(random, kind.DESCRIPTOR, [])
                for kind in (motion_pb2.MotionHeader, motion_pb2.FrameMotion, motion_pb2.FrameMotion)
            ]
            return encode_records(made)


@cache
def _good_header() -> bytes:
    return motion_pb2.MotionHeader(
        format_version=1,
        video="projects/p/assets/a/versions/1",
        video_path="a.mp4",
        angle_names=["knee_angle_r", "elbow_flex_l"],
        joint_names=["right_hip", "right_knee", "right_ankle"],
        bones=[0, 1, 1, 2],
        angle_joints=[0, 1, 2, -1, -1, -1],
    ).SerializeToString()


def _frames(random: Random) -> list[motion_pb2.FrameMotion]:
    frames: list[motion_pb2.FrameMotion] = []
    for index in range(3):
        frame = motion_pb2.FrameMotion(frame_index=index)
        frame.time_offset.FromNanoseconds(index * 33_000_000)
        person = frame.persons.add(person_id=1, angles_rad=[0.5, 1.0], angle_confidences=[0.9, 0.9])
        person.joints.extend(random.uniform(0, 200) for _ in range(9))
        person.box.left_px, person.box.top_px, person.box.width_px, person.box.height_px = 10, 10, 50, 90
        frames.append(frame)
    return frames


@cache
def _good_motion() -> bytes:
    return encode_records([motion_pb2.MotionHeader.FromString(_good_header()), *_frames(Random(1))])


def read_names(random: Random) -> str:
    """Reads names, filters and page tokens that a caller has written."""
    match random.randrange(3):
        case 0:
            form = random.choice(_FORMS)
            name = form.format(
                *(random.choice(("a", names.new_id(), values.text(random))) for _ in form.pattern.split("{")[1:])
            )
            return "OK" if form.parse(name) else "OK, empty"
        case 1:
            parse_filter(_filter(random))
            return "OK"
        case _:
            token = paging.encode_page_token(("2026-01-31T12:00:00+00:00", "a"), "q")
            bodies = (json.dumps(_json(random)).encode(), values.octets(random), base64.urlsafe_b64decode(token + "=="))
            changed = base64.urlsafe_b64encode(random.choice(bodies)).decode().rstrip("=")
            position = paging.decode_page_token(random.choice((token, changed, values.text(random))), "q")
            if position is not None:
                datetime.fromisoformat(position[0]).astimezone(timezone.utc)
            return "OK"


def _filter(random: Random) -> str:
    fields = ("kind", "display_name", "create_time", "labels.a", "labels.a_b-c", "labels.", "size")
    words = (
        "KIND_VIDEO",
        "*",
        '"a b"',
        '"\\""',
        '"2026-01-31T12:00:00Z"',
        '"0001-01-01T00:00:00+23:59"',
        "2026-01-31",
        '"' + values.text(random) + '"',
    )
    parts = [
        f"{random.choice(fields)} {random.choice(('=', '!=', '<', '>=', ':', '=='))} {random.choice(words)}"
        for _ in range(random.randint(1, 6))
    ]
    text = random.choice((" AND ", " and ", " OR ", " ", "AND")).join(parts)
    return text if random.random() < 0.7 else values.damaged(random, text.encode()).decode("utf-8", "replace")


def _json(random: Random, depth: int = 0) -> object:
    leaves: tuple[object, ...] = (None, True, 0, -1, 1e300, "", values.text(random).encode("utf-8", "replace").decode())
    if depth > 3 or random.random() < 0.4:
        return random.choice(leaves)
    if random.random() < 0.5:
        return [_json(random, depth + 1) for _ in range(random.randint(0, 4))]
    return {random.choice(("p", "q", "x", "")): _json(random, depth + 1) for _ in range(random.randint(0, 4))}


@cache
def _signing_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class _Keys:
    """The one key, and no revocations."""

    async def fetch_keys(self) -> Sequence[Mapping[str, str]]:
        """Returns the key."""
        jwk: dict[str, Any] = jwt.algorithms.RSAAlgorithm.to_jwk(_signing_key().public_key(), as_dict=True)
        return [{"kid": "k", "kty": "RSA", "n": jwk["n"], "e": jwk["e"]}]

    async def fetch_revocations(self, cursor: int) -> tuple[Sequence[Revocation], int]:
        """Returns none."""
        return (), cursor


@cache
def _verifier() -> tuple[asyncio.AbstractEventLoop, TokenVerifier]:
    return asyncio.new_event_loop(), TokenVerifier(source=_Keys())


def check_token(random: Random) -> str:
    """Shows a token that is signed rightly with odd claims, or not signed rightly."""
    loop, verifier = _verifier()
    claims: dict[str, object] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "users/a",
        "jti": "j",
        "iat": 1,
        "exp": 2**33,
        "permissions": ["a"],
    }
    if random.random() < 0.8:
        claims[random.choice([*claims, "nbf", "sid", "prj", "azp"])] = _json(random)
    try:
        token = jwt.encode(claims, _signing_key(), algorithm=ALGORITHM, headers={"kid": "k"})
    except TypeError:  # PyJWT writes no token whose issuer is no text; somebody else's program does
        token = jwt.encode(claims | {"iss": ISSUER}, _signing_key(), algorithm=ALGORITHM, headers={"kid": "k"})
    if random.random() < 0.5:
        head, body, signature = token.split(".")
        head_json = {
            "alg": random.choice(("none", "HS256", "RS256", "ES256", "", "rs256")),
            "kid": random.choice(("k", "", "x")),
            "typ": "JWT",
            "crit": _json(random),
        }
        odd_head = base64.urlsafe_b64encode(json.dumps(head_json).encode()).decode().rstrip("=")
        token = random.choice(
            (
                f"{odd_head}.{body}.{signature}",
                f"{odd_head}.{body}.",
                values.damaged(random, token.encode()).decode("utf-8", "replace"),
                values.text(random),
                ".".join([head, body, signature, signature, signature]),
            )
        )
    caller = loop.run_until_complete(verifier.verify(token))
    if caller.subject != claims["sub"]:
        raise AssertionError(f"somebody else got in: {caller.subject!r}")
    return "OK"


ENTRIES: Mapping[str, Callable[[Random], str]] = {
    "video": read_video,
    "sound": write_sound,
    "picture": read_picture,
    "motchallenge": track_text,
    "tracker state": restore_tracker,
    "motion file": draw_motion,
    "names and filters": read_names,
    "tokens": check_token,
}
