"""What a reconstruction goes on from after a kill comes back as it was."""

from __future__ import annotations

import io

import numpy as np
import pytest

from generation_service.adapters.posed_pictures import LeftOut, PosedPictures, read_posed, write_posed
from generation_service.adapters.training_file import read_state, write_state
from generation_service.core.types import PARAMETERS, SparsePoints, TrainingState, View
from tests.support.world_files import camera_in_front


def a_state(count: int = 5) -> TrainingState:
    random = np.random.default_rng(0)
    shapes = {"means_m": (3,), "quaternions_wxyz": (4,), "log_scales": (3,), "opacity_logits": (), "sh": (4, 3)}

    def table() -> dict[str, np.ndarray]:
        return {name: random.normal(size=(count, *shapes[name])).astype(np.float32) for name in PARAMETERS}

    return TrainingState(
        version=1,
        step=300,
        seed=7,
        values=table(),
        first_moments=table(),
        second_moments=table(),
        exposures=random.normal(size=(3, 3, 4)).astype(np.float32),
        exposure_moments=random.normal(size=(2, 3, 3, 4)).astype(np.float32),
        pulls=np.zeros(count, np.float32),
        seen_counts=np.ones(count, np.float32),
    )


def test_a_state_comes_back_bit_by_bit() -> None:
    state = a_state()
    back = read_state(io.BytesIO(write_state(state)))
    assert (back.version, back.step, back.seed) == (1, 300, 7)
    for table in ("values", "first_moments", "second_moments"):
        for name in PARAMETERS:
            np.testing.assert_array_equal(getattr(back, table)[name], getattr(state, table)[name])
    for name in ("exposures", "exposure_moments", "pulls", "seen_counts"):
        np.testing.assert_array_equal(getattr(back, name), getattr(state, name))


@pytest.mark.parametrize("cut", [0, 10, 500])
def test_a_state_that_was_being_written_is_no_state(cut: int) -> None:
    with pytest.raises(ValueError):
        read_state(io.BytesIO(write_state(a_state())[:cut]))


def test_posed_pictures_come_back_with_cameras_and_points_as_they_were() -> None:
    random = np.random.default_rng(1)
    smooth = np.linspace(0, 255, 48 * 64 * 3).reshape(48, 64, 3).astype(np.uint8)
    pictures = PosedPictures(
        names=("a.jpg", "b.jpg"),
        views=tuple(View(image_rgb=smooth, camera=camera_in_front()) for _ in range(2)),
        points=SparsePoints(
            positions_m=random.normal(size=(9, 3)), colors_rgb=random.integers(0, 256, (9, 3)).astype(np.uint8)
        ),
        picture_count=3,
        left_out=(LeftOut(name="c.jpg", reason="it shows too little detail"),),
    )
    back = read_posed(io.BytesIO(write_posed(pictures)))
    assert (back.names, back.picture_count, back.left_out[0].reason) == (
        pictures.names,
        3,
        "it shows too little detail",
    )
    np.testing.assert_array_equal(back.points.positions_m, pictures.points.positions_m)
    np.testing.assert_array_equal(back.points.colors_rgb, pictures.points.colors_rgb)
    for view in back.views:
        np.testing.assert_allclose(view.camera.world_from_camera, camera_in_front().world_from_camera)
        assert np.abs(view.image_rgb.astype(int) - smooth).mean() < 4
