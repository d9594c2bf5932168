"""The command `edit`: a world and what is to be done to it in, a world out."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from praxiscope.client import Client, PraxiscopeError
from praxiscope.command._show import Screen
from praxiscope.command._worlds import format_of, save_as

Send = Callable[[Client, str, str, Screen], Any]
Document = Callable[[Any], dict[str, Any]]
_COLOR_TOLERANCE = 15.0


def add_edit(commands: Any, common: argparse.ArgumentParser) -> None:  # noqa: ANN401  argparse names no type for it
    """Adds what can be typed."""
    parser = commands.add_parser(
        "edit",
        parents=[common],
        help="edit a world",
        description="Edits are done in the order in which they are given; --select holds for those after it. Lists that begin with a minus: --move=-1,0,0",
    )
    parser.add_argument("world", help="a file, or projects/…/assets/…[/versions/…]")
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="world.spz, .ply, .splat, .glb, …")
    parser.add_argument("--name", default="", help="the new world's name for people")
    for name, text in (
        ("delete-floaters", "take away what floats"),
        ("level-ground", "turn the world so that its ground is level"),
        ("delete", "take the selected away"),
        ("crop", "take everything else away"),
        ("fill-hole", "fill the hole that the selected surround"),
    ):
        parser.add_argument(f"--{name}", dest="edits", action="append_const", const=(name, ""), help=text)
    for name, form, text in (
        ("select", "WHAT", "all, box:X,Y,Z,DX,DY,DZ, sphere:X,Y,Z,R, color:#RRGGBB[,TOLERANCE], largest:GAP"),
        ("crop-box", "X,Y,Z,DX,DY,DZ", "take away what is outside: middle and sides"),
        ("delete-sphere", "X,Y,Z,R", "take away what is inside: middle and radius"),
        ("recolor", "#RRGGBB", "give the selected another colour"),
        ("move", "X,Y,Z", "move the selected"),
        ("turn", "X,Y,Z,DEG", "turn the selected about an axis through their middle"),
        ("scale", "K", "make the selected K times larger"),
        ("duplicate", "X,Y,Z", "put a copy of the selected so far away"),
        ("relight", "X,Y,Z", "light the selected from there"),
        ("insert", "WORLD", "put in another world or a mesh: a file, or an asset"),
        ("edits", "FILE", 'JSON: a list of {"selection": …, "operation": …} as in the API'),
    ):
        parser.add_argument(f"--{name}", dest="edits", action="append", type=_tagged(name), metavar=form, help=text)


def edit(options: argparse.Namespace, screen: Screen, client: Client, send: Send, document: Document) -> None:
    """A world in, an edited one out."""
    wanted = format_of(options.output)
    uploaded = _Uploads(client, send, screen)
    todo = list(edits_of(options.edits or [], uploaded.version_of))
    if not todo:
        raise PraxiscopeError("Nothing is to be done; see `praxiscope edit --help`.", reason="NOTHING_TO_DO")
    stack = client.create_edit_stack(uploaded.version_of(options.world), display_name=options.name)
    etag, done = stack.etag, []
    for index, (operation, selection) in enumerate(todo):
        answer = client.apply_edit(stack.name, operation, etag=etag, selection=selection)
        etag = answer.etag
        done.append(answer.edit)
        screen.note(f"[{index + 1}/{len(todo)}] {line_of(answer.edit)}")
    operation_name = client.save_world(stack.name, display_name=options.name)
    with screen.stage_bars(operation_name) as on_progress:
        saved = client.wait(operation_name, on_progress=on_progress)
    target = save_as(client, saved.asset_version, options.output, wanted, screen)
    lines = [*map(line_of, done), f"{saved.gaussian_count} Gaussians", f"World: {saved.asset_version}", str(target)]
    screen.result(
        {
            **document(saved),
            "stack": stack.name,
            "edits": [document(edit) for edit in done],
            "operation": operation_name,
            "files": [str(target)],
        },
        "\n".join(lines),
    )


def line_of(edit: Any) -> str:  # noqa: ANN401  an edit
    """Returns what an edit did, in one line."""
    found = edit.consistency
    if not found.is_consistent:
        outside = f"; it CHANGED {found.changed_outside_count} Gaussians outside"
    elif found.picture_count:
        outside = f"; outside nothing changed (largest difference of {found.picture_count} pictures: {found.max_difference:.4f})"
    else:
        outside = ""
    return f"{edit.summary}, {edit.elapsed_ms:.0f} ms{outside}"


def edits_of(
    typed: Sequence[tuple[str, str]], version_of: Callable[[str], str]
) -> Iterator[tuple[dict[str, Any], dict[str, Any] | None]]:
    """Yields what was typed as operations and selections of the API.

    Args:
        typed: Names of options and their values, in their order.
        version_of: Returns the version of a world that is to be put in, and uploads it where it is a file.

    Raises:
        PraxiscopeError: A value is not of its option's form.
    """
    selection: dict[str, Any] | None = None
    for name, value in typed:
        match name:
            case "select":
                selection = selection_of(value)
            case "crop-box":
                yield {"crop": {}}, selection_of(f"box:{value}")
            case "delete-sphere":
                yield {"delete": {}}, selection_of(f"sphere:{value}")
            case "edits":
                for item in _read_edits(value):
                    yield item["operation"], item.get("selection")
            case "insert":
                yield {"insert": {"source": {"asset_version": version_of(value)}}}, None
            case _:
                yield _OPERATIONS[name](value), selection


def selection_of(text: str) -> dict[str, Any] | None:
    """Returns a selection of the API; None for everything.

    Raises:
        PraxiscopeError: It is none.
    """
    kind, _, value = text.partition(":")
    match kind:
        case "all":
            return None
        case "box":
            numbers = _numbers(value, 6, "box:X,Y,Z,DX,DY,DZ")
            return {"box": {"center": _vector(numbers[:3]), "size": _vector(numbers[3:])}}
        case "sphere":
            numbers = _numbers(value, 4, "sphere:X,Y,Z,R")
            return {"sphere": {"center": _vector(numbers[:3]), "radius_m": numbers[3]}}
        case "color":
            color, _, tolerance = value.partition(",")
            wanted = _numbers(tolerance, 1, "color:#RRGGBB,TOLERANCE")[0] if tolerance else _COLOR_TOLERANCE
            return {"near_color": {"color": _color(color), "tolerance": wanted}}
        case "largest":
            return {"connected": {"gap_m": _numbers(value, 1, "largest:GAP")[0], "largest": True}}
    raise PraxiscopeError(
        f"{text!r} selects nothing; expected all, box:, sphere:, color: or largest:.", reason="INVALID_SELECTION"
    )


class _Uploads:
    """Versions of what was named: assets as they are, files uploaded once."""

    def __init__(self, client: Client, send: Send, screen: Screen) -> None:
        self._client, self._send, self._screen = client, send, screen
        self._known: dict[str, str] = {}

    def version_of(self, world: str) -> str:
        if world.startswith("projects/"):
            return world if "/versions/" in world else f"{world}/versions/latest"
        if world not in self._known:
            self._known[world] = str(self._send(self._client, world, "KIND_WORLD", self._screen).latest_version)
        return self._known[world]


def _tagged(name: str) -> Callable[[str], tuple[str, str]]:
    return lambda value: (name, value)


def _numbers(text: str, count: int, form: str) -> list[float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != count or not all(map(math.isfinite, numbers)):
        raise PraxiscopeError(f"{text!r} is not of the form {form}.", reason="INVALID_ARGUMENT")
    return numbers


def _vector(numbers: Sequence[float]) -> dict[str, float]:
    return dict(zip("xyz", numbers, strict=True))


def _color(text: str) -> dict[str, float]:
    digits = text.removeprefix("#")
    try:
        if len(digits) != 6:
            raise ValueError(digits)
        levels = bytes.fromhex(digits)
    except ValueError:
        raise PraxiscopeError(f"{text!r} is no colour of the form #RRGGBB.", reason="INVALID_ARGUMENT") from None
    return {name: level / 255 for name, level in zip(("red", "green", "blue"), levels, strict=True)}


def _read_edits(path: str) -> list[dict[str, Any]]:
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError:
        found = None
    if not isinstance(found, list) or not all(isinstance(item, dict) and "operation" in item for item in found):
        raise PraxiscopeError(
            f'{path} is no list of {{"selection": …, "operation": …}} in JSON.', reason="INVALID_ARGUMENT"
        )
    return found


def _turn(value: str) -> dict[str, Any]:
    *axis, angle_deg = _numbers(value, 4, "X,Y,Z,DEG")
    length = math.hypot(*axis)
    if not length:
        raise PraxiscopeError("An axis has a length.", reason="INVALID_ARGUMENT")
    half = math.radians(angle_deg) / 2
    turned = [math.sin(half) * part / length for part in axis]
    return {"transform": {"rotation": {"w": math.cos(half), **_vector(turned)}}}


_OPERATIONS: Mapping[str, Callable[[str], dict[str, Any]]] = {
    "delete-floaters": lambda _: {"remove_floaters": {}},
    "level-ground": lambda _: {"level_ground": {}},
    "delete": lambda _: {"delete": {}},
    "crop": lambda _: {"crop": {}},
    "fill-hole": lambda _: {"fill_hole": {}},
    "recolor": lambda value: {"recolor": {"target": _color(value)}},
    "move": lambda value: {"transform": {"translation": _vector(_numbers(value, 3, "X,Y,Z"))}},
    "turn": _turn,
    "scale": lambda value: {"transform": {"scale": _numbers(value, 1, "K")[0]}},
    "duplicate": lambda value: {"duplicate": {"transform": {"translation": _vector(_numbers(value, 3, "X,Y,Z"))}}},
    "relight": lambda value: {
        "relight": {
            "direction": _vector(_numbers(value, 3, "X,Y,Z")),
            "color": {"red": 1, "green": 1, "blue": 1},
            "ambient": 0.4,
        }
    },
}
