"""What the command `edit` makes of what was typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from google.protobuf import json_format

from praxiscope.client import PraxiscopeError
from praxiscope.command._arguments import parse
from praxiscope.command._edit import edits_of, selection_of
from praxiscope.editing.v1 import edit_stack_pb2


def typed(*arguments: str) -> list[tuple[dict, dict | None]]:
    options = parse(["edit", "world.spz", "-o", "out.spz", *arguments])
    return list(edits_of(options.edits or [], lambda name: f"version of {name}"))


def test_edits_keep_their_order_and_a_selection_holds_for_those_after_it(tmp_path: Path) -> None:
    listed = tmp_path / "edits.json"
    listed.write_text(json.dumps([{"operation": {"relight": {"ambient": 1}}, "selection": {"everything": {}}}]))
    found = typed(
        "--delete-floaters",
        "--select=sphere:0,1,0,2.5",
        "--recolor=#ff8000",
        "--move=-1,0,0",
        "--select=all",
        "--turn=0,1,0,90",
        "--insert=other.ply",
        "--crop-box=0,0,0,4,5,6",
        f"--edits={listed}",
    )
    sphere = {"sphere": {"center": {"x": 0, "y": 1, "z": 0}, "radius_m": 2.5}}
    assert [next(iter(operation)) for operation, _ in found] == [
        "remove_floaters",
        "recolor",
        "transform",
        "transform",
        "insert",
        "crop",
        "relight",
    ]
    assert [selection for _, selection in found[:5]] == [None, sphere, sphere, None, None]
    assert found[1][0]["recolor"]["target"] == {"red": 1.0, "green": 128 / 255, "blue": 0.0}
    assert found[3][0]["transform"]["rotation"]["w"] == pytest.approx(0.5**0.5)
    assert found[4][0]["insert"]["source"]["asset_version"] == "version of other.ply"
    assert found[5][1] is not None
    for operation, selection in found[:4]:
        json_format.ParseDict(operation, edit_stack_pb2.EditOperation())
        if selection:
            json_format.ParseDict(selection, edit_stack_pb2.Selection())


@pytest.mark.parametrize(
    "text", ["box:1,2,3", "sphere:a,b,c,d", "sphere:0,0,0,nan", "color:red", "color:#12", "nothing", "largest:"]
)
def test_what_selects_nothing_is_said(text: str) -> None:
    with pytest.raises(PraxiscopeError):
        selection_of(text)


def test_a_list_of_edits_that_is_none_is_said(tmp_path: Path) -> None:
    listed = tmp_path / "edits.json"
    for content in ("{", "{}", '[{"selection": {}}]'):
        listed.write_text(content)
        with pytest.raises(PraxiscopeError, match="no list"):
            typed(f"--edits={listed}")
