"""What a procedural world is like, in a few words: from attributes to a sentence, and from words to attributes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import cast

import numpy as np

MAX_BUILDINGS = 12
MAX_TREES = 80


class Terrain(StrEnum):
    """How the land rises and falls."""

    FLAT = "flat"
    HILLS = "hills"
    MOUNTAINS = "mountains"


class Ground(StrEnum):
    """What covers the land."""

    GRASS = "grass"
    SAND = "sand"
    SNOW = "snow"


class Weather(StrEnum):
    """What is in the air."""

    CLEAR = "clear"
    OVERCAST = "overcast"
    FOG = "fog"


class DayTime(StrEnum):
    """Where the sun stands."""

    MORNING = "morning"
    NOON = "noon"
    EVENING = "evening"
    NIGHT = "night"


class Foliage(StrEnum):
    """What trees are like."""

    GREEN = "green"
    AUTUMN = "autumn"
    PINE = "pine"


@dataclass(frozen=True, kw_only=True)
class WorldAttributes:
    """A world in a few words; everything else of it comes of the seed.

    Attributes:
        terrain: How the land rises and falls.
        ground: What covers it.
        building_count: Houses, 0 to `MAX_BUILDINGS`; fewer stand where there is no room.
        tree_count: Trees, 0 to `MAX_TREES`.
        foliage: What they are like.
        has_water: There is a lake.
        weather: What is in the air.
        day_time: Where the sun stands.
    """

    terrain: Terrain = Terrain.HILLS
    ground: Ground = Ground.GRASS
    building_count: int = 4
    tree_count: int = 30
    foliage: Foliage = Foliage.GREEN
    has_water: bool = True
    weather: Weather = Weather.CLEAR
    day_time: DayTime = DayTime.MORNING

    def __post_init__(self) -> None:
        """Refuses counts out of range.

        Raises:
            ValueError: There are too many, or fewer than none.
        """
        for name, count, most in (
            ("building_count", self.building_count, MAX_BUILDINGS),
            ("tree_count", self.tree_count, MAX_TREES),
        ):
            if not 0 <= count <= most:
                raise ValueError(f"{name} must be from 0 to {most}, is {count}.")


_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_TREES = ((0, "no trees"), (5, "a few trees"), (20, "trees"), (45, "many trees"), (MAX_TREES, "a forest"))
_TREE_COUNTS = {"no": 0, "few": 5, "some": 12, "many": 40, "forest": 70, "forests": 70, "wood": 60, "woods": 60}

# Words that set an attribute. Several may name one thing; the last in a text wins.
_WORDS: Mapping[str, tuple[str, object]] = {
    **{word: ("terrain", Terrain.FLAT) for word in ("flat", "plain", "plains", "meadow", "field", "fields")},
    **{word: ("terrain", Terrain.HILLS) for word in ("hill", "hills", "hilly", "rolling", "valley")},
    **{word: ("terrain", Terrain.MOUNTAINS) for word in ("mountain", "mountains", "mountainous", "alpine", "alps")},
    **{word: ("ground", Ground.GRASS) for word in ("grass", "grassy", "meadow", "lawn")},
    **{word: ("ground", Ground.SAND) for word in ("sand", "sandy", "desert", "dunes", "beach")},
    **{word: ("ground", Ground.SNOW) for word in ("snow", "snowy", "winter", "frozen", "arctic")},
    **{word: ("foliage", Foliage.GREEN) for word in ("summer", "spring", "leafy", "green")},
    **{word: ("foliage", Foliage.AUTUMN) for word in ("autumn", "autumnal", "fall", "golden", "october")},
    **{word: ("foliage", Foliage.PINE) for word in ("pine", "pines", "fir", "firs", "spruce", "conifer", "conifers")},
    **{word: ("has_water", True) for word in ("lake", "water", "pond", "river", "shore", "lakeside")},
    **{word: ("weather", Weather.CLEAR) for word in ("clear", "sunny", "bright", "cloudless")},
    **{word: ("weather", Weather.OVERCAST) for word in ("overcast", "cloudy", "grey", "gray", "rainy")},
    **{word: ("weather", Weather.FOG) for word in ("fog", "foggy", "mist", "misty", "haze", "hazy")},
    **{word: ("day_time", DayTime.MORNING) for word in ("morning", "sunrise", "dawn")},
    **{word: ("day_time", DayTime.NOON) for word in ("noon", "midday", "day")},
    **{word: ("day_time", DayTime.EVENING) for word in ("evening", "sunset", "dusk")},
    **{word: ("day_time", DayTime.NIGHT) for word in ("night", "moonlight", "moonlit", "midnight")},
}
_BUILDINGS = {
    **dict.fromkeys(("house", "cottage", "building", "hut", "cabin"), 1),
    **dict.fromkeys(("houses", "cottages", "buildings", "huts", "cabins", "hamlet"), 4),
    "village": 8,
    "villages": 10,
    "town": 12,
}
_WATER = {"lake", "water", "pond", "river"}
_MAX_WORDS = 500


def caption(attributes: WorldAttributes) -> str:
    """One English sentence that says what the attributes say; `attributes_from_words` reads it back but for the number of trees."""
    land = {Terrain.FLAT: "flat land", Terrain.HILLS: "hills", Terrain.MOUNTAINS: "mountains"}[attributes.terrain]
    cover = {Ground.GRASS: "grassy", Ground.SAND: "sandy", Ground.SNOW: "snowy"}[attributes.ground]
    trees = next(words for most, words in _TREES if attributes.tree_count <= most)
    if attributes.tree_count:
        kind = {Foliage.GREEN: "green", Foliage.AUTUMN: "autumn", Foliage.PINE: "pine"}[attributes.foliage]
        trees = (
            f"{'an' if kind[0] == 'a' else 'a'} {kind} forest"
            if "forest" in trees
            else trees.replace("trees", f"{kind} trees")
        )
    houses = f"{_NUMBERS[attributes.building_count]} house{'' if attributes.building_count == 1 else 's'}"
    water = "a lake" if attributes.has_water else "no lake"
    weather = {Weather.CLEAR: "clear", Weather.OVERCAST: "overcast", Weather.FOG: "foggy"}[attributes.weather]
    article = "an" if weather[0] == "o" else "a"
    time = attributes.day_time.value
    return f"{cover.capitalize()} {land} with {houses}, {trees} and {water} on {article} {weather} {time}."


def attributes_from_words(text: str, *, seed: int = 0) -> WorldAttributes:
    """Attributes of simple words; what the words leave open is drawn from the seed.

    Args:
        text: English; words that are not known are passed over, and so is all after the first 500.
        seed: Draws the rest.
    """
    words = re.findall(r"[a-z]+|\d{1,4}", text.lower())[:_MAX_WORDS]
    found: dict[str, object] = {}
    for i_word, word in enumerate(words):
        before = words[max(0, i_word - 2) : i_word]
        if word in _WATER and ("no" in before[-1:] or "without" in before):
            found["has_water"] = False
        elif word in _WORDS:
            name, value = _WORDS[word]
            found[name] = value
        if word in _BUILDINGS:
            found["building_count"] = min(MAX_BUILDINGS, _count_before(before, _BUILDINGS[word]))
        if word in {"tree", "trees", "pines", "firs", "forest", "forests", "wood", "woods"}:
            usual = 1 if word == "tree" else _TREE_COUNTS.get(word, 20)
            number = next((_TREE_COUNTS[item] for item in before if item in _TREE_COUNTS), None)
            found["tree_count"] = min(MAX_TREES, number if number is not None else _count_before(before, usual))
    drawn = draw_attributes(seed)
    known = {item.name for item in fields(WorldAttributes)}
    return replace(drawn, **cast("Mapping[str, object]", {name: found[name] for name in known & found.keys()}))  # pyright: ignore[reportArgumentType]


def draw_attributes(seed: int) -> WorldAttributes:
    """Attributes by chance; each seed has its own."""
    rng = np.random.default_rng([seed, 0xA77])

    def one_of(values: type[StrEnum]) -> str:
        choices = list(values)
        return choices[int(rng.integers(len(choices)))]

    return WorldAttributes(
        terrain=Terrain(one_of(Terrain)),
        ground=Ground(one_of(Ground)),
        building_count=int(rng.integers(0, 8)),
        tree_count=int(rng.integers(0, 60)),
        foliage=Foliage(one_of(Foliage)),
        has_water=bool(rng.random() < 0.5),
        weather=Weather(one_of(Weather)),
        day_time=DayTime(one_of(DayTime)),
    )


def _count_before(before: list[str], usual: int) -> int:
    for word in reversed(before):
        if word in _NUMBERS:
            return _NUMBERS.index(word)
        if word.isdigit():
            return int(word)
    return usual
