"""`make picture`: the README's picture, cut from what `make demo` drew, with every head made unrecognisable.

Reads out/demo/overlay.mp4 and out/demo/motion.pb.zst, writes docs/images/overlay.jpg.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from praxiscope.biomechanics.v1 import motion_pb2
from praxiscope_common.storage.records import decode_records
from praxiscope_media import VideoSource
from tools.devstack.settings import CHECKOUT

_HEAD = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
_BLOCK_COUNT = 4
_WIDTH = 1000


def main() -> int:
    """Writes the picture."""
    parser = argparse.ArgumentParser(prog="python -m tools.readme_picture", description=__doc__)
    parser.add_argument("--demo", type=Path, default=CHECKOUT / "out" / "demo")
    parser.add_argument("--frame", type=int, default=152)
    parser.add_argument(
        "--cut", type=int, nargs=4, default=(330, 0, 1768, 994), metavar=("LEFT", "TOP", "RIGHT", "BOTTOM")
    )
    options = parser.parse_args()
    with VideoSource.open(options.demo / "overlay.mp4") as source:
        picture = next(iter(source.frames(start_frame=options.frame))).rgb().copy()
    for box in _heads(options.demo / "motion.pb.zst", options.frame, picture.shape[0]):
        _hide(picture, box)
    left, top, right, bottom = options.cut
    cut = picture[top:bottom, left:right]
    scale = _WIDTH / cut.shape[1]
    small = cv2.resize(cut, (_WIDTH, round(cut.shape[0] * scale)), interpolation=cv2.INTER_AREA)
    target = CHECKOUT / "docs" / "images" / "overlay.jpg"
    target.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(target), cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 88])
    return 0


def _heads(motion: Path, wanted: int, height: int) -> list[tuple[int, int, int, int]]:
    found: list[tuple[int, int, int, int]] = []
    with motion.open("rb") as file:
        records = decode_records(file, motion_pb2.MotionHeader, motion_pb2.FrameMotion)
        header = next(records)
        assert isinstance(header, motion_pb2.MotionHeader)
        indices = [list(header.joint_names).index(name) for name in _HEAD]
        scale = height / header.video_info.height_px
        for record in records:
            if isinstance(record, motion_pb2.FrameMotion) and record.frame_index == wanted:
                for person in record.persons:
                    joints = np.array(person.joints).reshape(-1, 3)[indices, :2] * scale
                    seen = joints[np.isfinite(joints).all(axis=1)]
                    if len(seen):
                        centre = seen.mean(axis=0)
                        reach = person.box.height_px * scale * 0.085
                        low, high = (centre - reach).astype(int), (centre + reach).astype(int)
                        found.append((int(low[0]), int(low[1]), int(high[0]), int(high[1])))
    return found


def _hide(picture: np.ndarray, box: tuple[int, int, int, int]) -> None:
    left, top, right, bottom = (max(0, value) for value in box)
    part = picture[top:bottom, left:right]
    if part.size:
        coarse = cv2.resize(part, (_BLOCK_COUNT, _BLOCK_COUNT), interpolation=cv2.INTER_AREA)
        picture[top:bottom, left:right] = cv2.resize(
            coarse, (part.shape[1], part.shape[0]), interpolation=cv2.INTER_NEAREST
        )


if __name__ == "__main__":
    raise SystemExit(main())
