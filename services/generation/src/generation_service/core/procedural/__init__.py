"""Small worlds made of numbers: terrain, houses, trees, water, weather and light, from a few attributes and a seed."""

from generation_service.core.procedural.attributes import (
    DayTime,
    Foliage,
    Ground,
    Terrain,
    Weather,
    WorldAttributes,
    attributes_from_words,
    caption,
    draw_attributes,
)
from generation_service.core.procedural.light import Atmosphere, displayed, hazed, sky_rgb
from generation_service.core.procedural.scene import (
    ProceduralScene,
    gaussians_on,
    looking_at,
    make_scene,
    orbit,
    walk,
)

__all__ = [
    "Atmosphere",
    "DayTime",
    "Foliage",
    "Ground",
    "ProceduralScene",
    "Terrain",
    "Weather",
    "WorldAttributes",
    "attributes_from_words",
    "caption",
    "displayed",
    "draw_attributes",
    "gaussians_on",
    "hazed",
    "looking_at",
    "make_scene",
    "orbit",
    "sky_rgb",
    "walk",
]
