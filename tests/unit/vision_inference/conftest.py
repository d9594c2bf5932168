"""A flat world for the observer: people are squares at known places, and the nets see what a script lets them see."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from vision_inference_service.core.geometry import CropWindow


@dataclass
class FakeFrame:
    """A frame whose pixels say where they come from: nothing is drawn, the fake nets ask for the last view instead."""

    frame_index: int = 0
    offset_s: float = 0.0
    width_px: int = 1000
    height_px: int = 500
    views: list[CropWindow] = field(default_factory=list)
    unseen: list[CropWindow] = field(default_factory=list)

    async def resized_rgb(self, width_px: int, height_px: int) -> np.ndarray:
        return np.zeros((height_px, width_px, 3), np.uint8)

    async def crops_rgb(self, windows: Sequence[CropWindow]) -> np.ndarray:
        self.views.extend(windows)
        self.unseen.extend(windows)
        return np.zeros((len(windows), windows[0].height_px, windows[0].width_px, 3), np.uint8)


@dataclass(frozen=True)
class Body:
    """Somebody in the world.

    Attributes:
        x_px: Centre.
        y_px: Centre.
        height_px: Height; half as wide.
        score: What the whole-frame search gives; below 0.12 it is a miss.
        zoom_score: What a zoomed view gives, by how far the crop's turn is from `upright_rad`.
        upright_rad: Turn at which the body looks upright.
        presence: What the landmark net gives.
    """

    x_px: float
    y_px: float
    height_px: float = 200.0
    score: float = 0.6
    zoom_score: float = 0.6
    upright_rad: float = 0.0
    presence: float = 1.0

    def box(self) -> np.ndarray:
        half = np.array([self.height_px / 4, self.height_px / 2])
        center = np.array([self.x_px, self.y_px])
        return np.concatenate([center - half, center + half]).astype(np.float32)


class FakeModels:
    """Nets that know the world; one instance per frame."""

    def __init__(self, frame: FakeFrame, bodies: Sequence[Body]) -> None:
        self._frame = frame
        self._bodies = bodies
        self.search_count = 0
        self.zoom_count = 0
        self.crop_count = 0

    async def detect_persons(self, image_rgb: np.ndarray) -> np.ndarray:
        # Views are asked for in the order in which they were cut; only crops that were not looked at yet are left.
        is_zoom = max(image_rgb.shape) < 384
        window = self._frame.unseen.pop(0) if is_zoom else None
        rows = np.zeros((6, 56), np.float32)
        seen = [row for body in self._bodies if (row := self._row(body, image_rgb, window)) is not None]
        for i_row, row in enumerate(sorted(seen, key=lambda row: -row[-1])[:6]):
            rows[i_row] = row
        self.search_count += window is None
        self.zoom_count += window is not None
        return rows

    def _row(self, body: Body, image_rgb: np.ndarray, window: CropWindow | None) -> np.ndarray | None:
        x_min, y_min, x_max, y_max = body.box()
        corners = np.array([[x_min, y_min], [x_max, y_min], [x_max, y_max], [x_min, y_max]])
        height, width = image_rgb.shape[:2]
        if window is None:
            scale = 384 / max(self._frame.width_px, self._frame.height_px)
            local, score = corners * scale / (width, height), body.score
        else:
            affine = window.source_from_crop()
            local = (corners - affine[:, 2]) @ np.linalg.inv(affine[:, :2]).T / window.size_px
            is_straight = abs(math.remainder(window.rotation_rad - body.upright_rad, math.tau)) < 0.1
            is_inside = bool((local.mean(axis=0) > 0).all() and (local.mean(axis=0) < 1).all())
            score = body.zoom_score if is_straight and is_inside else 0.0
        low, high = local.min(axis=0), local.max(axis=0)
        along = np.linspace(0.1, 0.9, 17)[:, None]
        keypoints = low + along * (high - low)
        row = np.zeros(56, np.float32)
        row[:51] = np.stack([keypoints[:, 1], keypoints[:, 0], np.full(17, score)], axis=1).reshape(-1)
        row[51:] = [low[1], low[0], high[1], high[0], score]
        return row if score > 0 else None

    async def estimate_landmarks(self, crops_rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        windows = [self._frame.unseen.pop(0) for _ in crops_rgb]
        self.crop_count += len(windows)
        landmarks = np.zeros((len(windows), 39, 5), np.float32)
        presence = np.zeros(len(windows), np.float32)
        for i_window, window in enumerate(windows):
            center = np.array([window.center_x_px, window.center_y_px])
            near = [body for body in self._bodies if np.hypot(*(center - (body.x_px, body.y_px))) < body.height_px / 2]
            if near:
                affine = window.source_from_crop()
                box = near[0].box()
                along = np.linspace(0, 1, 39)[:, None]
                points = box[:2] + along * (box[2:] - box[:2])
                center = (box[:2] + box[2:]) / 2
                towards_head = np.array([math.sin(near[0].upright_rad), -math.cos(near[0].upright_rad)])
                points[33:35] = center, center + towards_head * near[0].height_px / 2
                landmarks[i_window, :, :2] = (points - affine[:, 2]) @ np.linalg.inv(affine[:, :2]).T
                landmarks[i_window, :, 3:] = 4.0
                presence[i_window] = near[0].presence
        return landmarks, np.zeros((len(windows), 39, 3), np.float32), presence


@pytest.fixture
def make_frame() -> Callable[..., FakeFrame]:
    """Makes a frame."""
    return FakeFrame


@pytest.fixture
def make_body() -> Callable[..., Body]:
    """Makes somebody."""
    return Body


@pytest.fixture
def make_models() -> Callable[[FakeFrame, Sequence[Body]], FakeModels]:
    """Makes nets for one frame."""
    return FakeModels
