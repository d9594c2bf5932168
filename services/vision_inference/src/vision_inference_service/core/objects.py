"""Finds everyday objects in one picture."""

from __future__ import annotations

import numpy as np

from vision_inference_service.core.coco import COCO_LABELS
from vision_inference_service.core.decoding import decode_objects
from vision_inference_service.core.geometry import SearchGrid
from vision_inference_service.core.parameters import ObjectParameters
from vision_inference_service.core.ports import FramePixels, ObjectModels
from vision_inference_service.core.suppression import suppress_overlapping_objects
from vision_inference_service.core.types import ObjectObservation

_CENTERNET_SIDE_PX = 512


async def find_objects(
    frame: FramePixels, models: ObjectModels, parameters: ObjectParameters
) -> tuple[ObjectObservation, ...]:
    """The objects in a picture, best first.

    Args:
        frame: The picture.
        models: The net.
        parameters: Which answers count.
    """
    grid = SearchGrid.fit(
        frame.width_px, frame.height_px, long_side_px=_CENTERNET_SIDE_PX, stride_px=_CENTERNET_SIDE_PX
    )
    image = np.zeros((_CENTERNET_SIDE_PX, _CENTERNET_SIDE_PX, 3), np.uint8)
    image[: grid.image_height_px, : grid.image_width_px] = await frame.resized_rgb(
        grid.image_width_px, grid.image_height_px
    )
    objects = decode_objects(
        await models.detect_objects(image), grid, labels=COCO_LABELS, min_score=parameters.min_score
    )
    return tuple(suppress_overlapping_objects(objects, max_overlap=parameters.max_overlap))
