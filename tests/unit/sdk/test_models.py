import argparse
import json
from collections.abc import Mapping
from typing import Any

import pytest
from google.protobuf import json_format

from praxiscope.client import PraxiscopeError
from praxiscope.command._arguments import parse
from praxiscope.command._models import models
from praxiscope.command._show import Screen
from praxiscope.vision.v1 import model_service_pb2, model_version_pb2, vision_service_pb2

Version = model_version_pb2.ModelVersion


def traffic(*versions: tuple[int, int, bool]) -> model_service_pb2.ModelTraffic:
    made = model_service_pb2.ModelTraffic(name="models/net/traffic", etag='"7"')
    for number, percent, is_stable in versions:
        made.versions.add(
            name=f"models/net/versions/{number}",
            state=Version.STATE_READY,
            traffic_percent=percent,
            is_stable=is_stable,
            figures={"request_count": 4, "latency_total_s": 0.1},
        )
    return made


class Platform:
    """A client that remembers what was asked of it."""

    def __init__(self, state: int = Version.STATE_READY) -> None:
        self.shares: dict[int, int] = {}
        self.rolled_back: tuple[int, str] = (0, "")
        self._state = state

    def models(self) -> vision_service_pb2.ListModelsResponse:
        return vision_service_pb2.ListModelsResponse(models=[{"name": "models/net"}])

    def model_traffic(self, model: str) -> model_service_pb2.ModelTraffic:
        assert model == "net"
        return traffic((2, 0, False), (1, 100, True))

    def deploy_model(self, model: str, version: int) -> model_version_pb2.ModelVersion:
        return Version(name=f"models/{model}/versions/{version}", state=self._state, message="no such file")

    def set_model_traffic(self, model: str, percents: Mapping[int, int], *, etag: str) -> Any:
        assert (model, etag) == ("net", '"7"')
        self.shares = dict(percents)
        return self.model_traffic(model)

    def roll_back_model(self, model: str, *, version: int, reason: str) -> Any:
        self.rolled_back = (version, reason)
        return self.model_traffic(model)


def run(platform: Platform, *arguments: str) -> None:
    options: argparse.Namespace = parse(["models", *arguments])
    screen = Screen(is_json=options.json)
    models(options, screen, platform, None, lambda message: json.loads(json_format.MessageToJson(message)))  # type: ignore[arg-type]


def test_a_list_says_versions_shares_and_figures(capsys: pytest.CaptureFixture[str]) -> None:
    run(Platform(), "list")
    said = capsys.readouterr().out
    assert "net" in said
    assert "100 % stable" in said
    assert "4 calls" in said
    assert "25.0 ms" in said


@pytest.mark.parametrize(
    ("version", "percent", "shares"),
    [("2", "5", {1: 95, 2: 5}), ("1", "5", {1: 100}), ("2", "0", {})],
    ids=["a new one", "the stable one", "no share"],
)
def test_what_is_deployed_gets_its_share_from_the_stable_version(
    version: str, percent: str, shares: dict[int, int], capsys: pytest.CaptureFixture[str]
) -> None:
    platform = Platform()
    run(platform, "deploy", "net", version, "--percent", percent)
    assert platform.shares == shares
    capsys.readouterr()


def test_a_version_that_cannot_be_loaded_is_an_error() -> None:
    with pytest.raises(PraxiscopeError, match="no such file"):
        run(Platform(Version.STATE_FAILED), "deploy", "net", "2")


def test_shares_and_a_rollback_go_to_the_platform(capsys: pytest.CaptureFixture[str]) -> None:
    platform = Platform()
    run(platform, "traffic", "net", "1=30", "2=70", "--json")
    assert platform.shares == {1: 30, 2: 70}
    assert json.loads(capsys.readouterr().out)["etag"] == '"7"'
    run(platform, "rollback", "net", "--version", "2", "--reason", "slow")
    assert platform.rolled_back == (2, "slow")
    with pytest.raises(SystemExit):
        run(platform, "traffic", "net", "half")
