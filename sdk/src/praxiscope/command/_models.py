"""The command `models`: which versions answer, and who gets how much."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from praxiscope.client import Client, PraxiscopeError
from praxiscope.command._show import Screen
from praxiscope.vision.v1 import model_service_pb2, model_version_pb2

Document = Callable[[Any], dict[str, Any]]
_State = model_version_pb2.ModelVersion.State


def add_models(parser: argparse.ArgumentParser, common: argparse.ArgumentParser) -> None:
    """Adds what can be typed."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    verbs.add_parser("list", parents=[common], help="every model, its versions and their shares")
    deploy = verbs.add_parser("deploy", parents=[common], help="load a version and warm it up; it gets no traffic yet")
    deploy.add_argument("model", help="as in movenet_multipose")
    deploy.add_argument("version", type=int)
    deploy.add_argument("--percent", type=int, default=0, help="give it this share once it is ready")
    traffic = verbs.add_parser("traffic", parents=[common], help="say which share of new streams each version gets")
    traffic.add_argument("model")
    traffic.add_argument("shares", nargs="+", type=_share, metavar="VERSION=PERCENT", help="together 100")
    rollback = verbs.add_parser("rollback", parents=[common], help="go back to the stable version")
    rollback.add_argument("model")
    rollback.add_argument("--version", type=int, default=0, help="take only this one back")
    rollback.add_argument("--reason", default="", help="kept with the version")


def models(options: argparse.Namespace, screen: Screen, client: Client, send: object, document: Document) -> None:
    """Reads the registry, or changes it."""
    match options.verb:
        case "list":
            entries = client.models().models
            found = [client.model_traffic(entry.name.removeprefix("models/")) for entry in entries]
            shown = {"models": [document(traffic) for traffic in found]}
            screen.result(shown, "\n".join(_traffic_text(traffic) for traffic in found))
            return
        case "deploy":
            version = client.deploy_model(options.model, options.version)
            if version.state == version.STATE_FAILED:
                raise PraxiscopeError(
                    f"{version.name} could not be loaded: {version.message}", reason="MODEL_LOAD_FAILED"
                )
            traffic = client.model_traffic(options.model)
            if options.percent and version.state == version.STATE_READY:
                shares = _with_share(traffic, options.version, options.percent)
                traffic = client.set_model_traffic(options.model, shares, etag=traffic.etag)
        case "traffic":
            etag = client.model_traffic(options.model).etag
            traffic = client.set_model_traffic(options.model, dict(options.shares), etag=etag)
        case _:
            traffic = client.roll_back_model(options.model, version=options.version, reason=options.reason)
    screen.result(document(traffic), _traffic_text(traffic))


def _share(text: str) -> tuple[int, int]:
    version, separator, percent = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"{text!r} is not VERSION=PERCENT, as in 2=10")
    return int(version), int(percent)


def _with_share(traffic: model_service_pb2.ModelTraffic, version: int, percent: int) -> dict[int, int]:
    """Returns shares in which a version has a certain one; the stable version has the rest."""
    stable = next(int(_number(item)) for item in traffic.versions if item.is_stable)
    if stable == version:
        return {version: 100}
    return {stable: 100 - percent, version: percent}


def _number(version: model_version_pb2.ModelVersion) -> str:
    return version.name.rpartition("/")[2]


def _traffic_text(traffic: model_service_pb2.ModelTraffic) -> str:
    lines = [traffic.name.split("/")[1]]
    for item in traffic.versions:
        state = _State.Name(item.state).removeprefix("STATE_").lower()
        figures = item.figures
        mean_ms = 1000 * figures.latency_total_s / figures.request_count if figures.request_count else 0.0
        lines.append(
            f"  {_number(item):>3}  {state:8} {item.traffic_percent:>3} %{' stable' if item.is_stable else '       '}"
            f"  {figures.request_count:>9} calls {figures.error_count:>7} errors {mean_ms:8.1f} ms  {item.message}".rstrip()
        )
    return "\n".join(lines)
