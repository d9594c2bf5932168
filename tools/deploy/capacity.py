"""`python -m tools.deploy capacity --analyses-per-hour …`: what a load needs, reckoned from what was measured on one machine.

Everything is proportional: the processor time of a frame, of a call and of an open stream, as measured by part, times how many there are. Nothing here was
measured on more than two cores, so what is not proportional (a database that is full, a network) is not in it; docs/capacity.md says what that leaves open.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from tools.deploy.render import CHART, load

_KB, _MIB, _GIB = 1e3, 2.0**20, 2.0**30
_HOUR_S, _DAY_H = 3600.0, 24.0
_MOST_PODS = 1000  # what the chart's schema takes of a part
_POOL = 11  # connections that a process with a database may hold (docs/runbooks/DatabaseConnectionsShort.md)
_FULL = 0.8  # of its memory that a pod may hold for streams
_WITHOUT_DATABASE = ("gateway", "triton")


class CapacityError(ValueError):
    """The load is none, or no one installation bears it; the message says what to do."""


@dataclass(frozen=True, kw_only=True)
class Rates:
    """What was measured: 2 cores, no GPU; docs/capacity.md has the commands.

    Attributes:
        frame_ms: Processor milliseconds of one frame of an analysis, by part, two people in the picture.
        overlay_ms: Those of drawing it, on top.
        call_ms: Of one call that reads an asset, by part.
        stream_kb: What an open stream holds, by part.
        stream_ms: Processor milliseconds of one open stream in a second in which nothing changes; taken as the gateway's.
        resident_mib: What a process holds by itself, for those that hold streams.
        analysis_frames_per_s: How fast one analysis goes on, which says how many are under way.
        operations_a_worker: How many a worker has in hand.
        inferences_a_frame: Calls of models in a frame.
        person_frame_kib: What is stored of one person in one frame.
        overlay_kb_per_s: Of a second of the drawn video.
    """

    frame_ms: Mapping[str, float] = field(
        default_factory=lambda: {
            "triton": 107.5,
            "vision-inference": 29.1,
            "biomechanics-work": 7.0,
            "auth": 2.2,
            "postgres": 1.9,
            "tracking": 1.4,
            "library": 1.3,
            "biomechanics": 0.7,
        }
    )
    overlay_ms: Mapping[str, float] = field(default_factory=lambda: {"rendering-work": 64.4})
    call_ms: Mapping[str, float] = field(default_factory=lambda: {"library": 4.26, "gateway": 1.13, "postgres": 0.37})
    stream_kb: Mapping[str, float] = field(default_factory=lambda: {"gateway": 73.0, "library": 48.0})
    stream_ms: float = 0.05
    resident_mib: Mapping[str, float] = field(default_factory=lambda: {"gateway": 27.0, "library": 63.0})
    analysis_frames_per_s: float = 8.1
    operations_a_worker: int = 2
    inferences_a_frame: float = 3.85
    person_frame_kib: float = 5.9
    overlay_kb_per_s: float = 471.0


@dataclass(frozen=True, kw_only=True)
class Load:
    """What is asked of an installation in its busiest hour.

    Attributes:
        analyses_per_hour: Videos.
        clip_s: How long each is, in seconds.
        frames_per_s: Its frame rate.
        persons: How many people are in the picture; only what is stored grows with them here.
        overlay: Whether it is drawn.
        source_mbit_per_s: Bit rate of what is uploaded.
        calls_per_s: Other calls through the gateway.
        open_streams: Streams and sockets that are open.
        kept_days: How long videos and results stay.
        busy_hours_a_day: How many such hours a day has, for what is stored.
        node_cores: Cores of a node that pods may ask for.
        gpu_inferences_per_s: What one GPU, or slice, does of these models; 0 is on processors. Nobody has measured it here: measure yours.
    """

    analyses_per_hour: float = 0.0
    clip_s: float = 60.0
    frames_per_s: float = 30.0
    persons: float = 2.0
    overlay: bool = True
    source_mbit_per_s: float = 8.0
    calls_per_s: float = 0.0
    open_streams: int = 0
    kept_days: float = 30.0
    busy_hours_a_day: float = 8.0
    node_cores: float = 16.0
    gpu_inferences_per_s: float = 0.0

    def __post_init__(self) -> None:
        """Refuses what is no load."""
        for name, value in vars(self).items():
            if not math.isfinite(value) or value < 0:
                raise CapacityError(f"{name} is a number from 0 on, not {value}.")
        if self.node_cores == 0:
            raise CapacityError("node_cores is more than 0.")


@dataclass(frozen=True, kw_only=True)
class Part:
    """What one part needs.

    Attributes:
        name: Its name, workers with `-work`.
        busy_cores: Cores that its work takes.
        pods: How many pods.
        request_cores: What each asks for.
        memory_mib: What all of them ask for, or hold where that is more.
        because: What decides the number of pods.
    """

    name: str
    busy_cores: float
    pods: int
    request_cores: float
    memory_mib: float
    because: str


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """What a load needs.

    Attributes:
        parts: By part.
        frames_per_s: Frames that are looked at, of all videos together.
        under_way: Analyses at the same time.
        inferences_per_s: Calls of models.
        gpus: GPUs or slices; 0 on processors.
        cores: What all pods ask for.
        memory_gib: The same of memory.
        nodes: Nodes that this fills, by cores.
        database_cores: Of the database outside.
        database_connections: That pods may hold at most.
        stored_gib: Videos, drawn videos and results, once the oldest are deleted.
    """

    parts: Sequence[Part]
    frames_per_s: float
    under_way: float
    inferences_per_s: float
    gpus: int
    cores: float
    memory_gib: float
    nodes: int
    database_cores: float
    database_connections: int
    stored_gib: float


@dataclass(frozen=True, kw_only=True)
class Row:
    """What the chart says of a part.

    Attributes:
        request_cores: What a pod asks for.
        request_mib: The same of memory.
        limit_mib: Where it ends.
        min_pods: Where the autoscaler begins.
        max_pods: Where it ends.
        busy_share: How busy a pod may be, as a share of what it asks for.
    """

    request_cores: float
    request_mib: float
    limit_mib: float
    min_pods: int
    max_pods: int
    busy_share: float


def reckon(load_: Load, rows: Mapping[str, Row], rates: Rates | None = None) -> Capacity:
    """Returns what a load needs.

    cores of a part = frames/s x ms a frame + calls/s x ms a call + streams x ms a stream
    pods = the most of: cores / (request x how busy a pod may be); analyses under way / those a worker has in hand; streams / those that fit into a pod's memory

    Args:
        load_: The load.
        rows: The chart's parts.
        rates: What was measured.

    Raises:
        CapacityError: A part needs more pods than one installation has.
    """
    rates = rates or Rates()
    frames = load_.analyses_per_hour / _HOUR_S * load_.clip_s * load_.frames_per_s
    under_way = frames / rates.analysis_frames_per_s  # Little's law: arrivals x how long each takes
    inferences = frames * rates.inferences_a_frame
    gpus = math.ceil(inferences / load_.gpu_inferences_per_s) if load_.gpu_inferences_per_s else 0
    parts: list[Part] = []
    for name, row in rows.items():
        busy = _busy(name, load_, frames, rates) if not (gpus and name == "triton") else 0.0
        parts.append(_part(name, row, busy, load_, under_way, rates, gpus))
    in_chart = [part for part in parts if part.pods]
    too_many = [part for part in in_chart if part.pods > _MOST_PODS]
    if too_many:
        worst = max(too_many, key=lambda part: part.pods)
        raise CapacityError(
            f"{worst.name} needs {worst.pods} pods and one installation has at most {_MOST_PODS} of a part: spread the"
            f" projects over {math.ceil(worst.pods / _MOST_PODS)} installations."
        )
    cores = sum(part.pods * part.request_cores for part in in_chart)
    per_analysis = load_.clip_s * (load_.source_mbit_per_s * 1e6 / 8 + load_.overlay * rates.overlay_kb_per_s * _KB)
    per_analysis += load_.clip_s * load_.frames_per_s * load_.persons * rates.person_frame_kib * 1024
    kept = load_.analyses_per_hour * load_.busy_hours_a_day * load_.kept_days
    return Capacity(
        parts=in_chart,
        frames_per_s=frames,
        under_way=under_way,
        inferences_per_s=inferences,
        gpus=gpus,
        cores=cores,
        memory_gib=sum(part.memory_mib for part in in_chart) * _MIB / _GIB,
        nodes=math.ceil(cores / load_.node_cores),
        database_cores=_busy("postgres", load_, frames, rates),
        database_connections=_POOL * sum(part.pods for part in in_chart if part.name not in _WITHOUT_DATABASE),
        stored_gib=kept * per_analysis / _GIB,
    )


def _busy(name: str, load_: Load, frames: float, rates: Rates) -> float:
    """Returns the cores that a part's work takes."""
    milliseconds = frames * rates.frame_ms.get(name, 0.0) + load_.calls_per_s * rates.call_ms.get(name, 0.0)
    if load_.overlay:
        milliseconds += frames * rates.overlay_ms.get(name, 0.0)
    if name == "gateway":
        milliseconds += load_.open_streams * rates.stream_ms
    return milliseconds / 1e3


def _part(name: str, row: Row, busy: float, load_: Load, under_way: float, rates: Rates, gpus: int) -> Part:
    request = row.request_cores
    by_cores = math.ceil(busy / (request * row.busy_share))
    if by_cores > row.max_pods and request < 1.0:  # the chart's small pods are too many: a whole core each
        request = 1.0
        by_cores = math.ceil(busy / (request * row.busy_share))
    wants = {"its least": row.min_pods, "processors": by_cores}
    if name == "triton" and gpus:
        wants = {"GPUs": gpus}
    if name == "biomechanics-work" or (name == "rendering-work" and load_.overlay):
        wants["analyses under way"] = math.ceil(under_way / rates.operations_a_worker)
    held_mib = load_.open_streams * rates.stream_kb.get(name, 0.0) * _KB / _MIB
    if held_mib:
        room_mib = _FULL * row.limit_mib - rates.resident_mib[name]
        wants["streams"] = math.ceil(held_mib / room_mib)
    because, pods = max(wants.items(), key=lambda item: item[1])
    memory = max(pods * row.request_mib, pods * rates.resident_mib.get(name, 0.0) + held_mib)
    return Part(name=name, busy_cores=busy, pods=pods, request_cores=request, memory_mib=memory, because=because)


def chart_rows(values: Mapping[str, Any] | None = None) -> dict[str, Row]:
    """Returns what the chart says of each part that the load decides on, as `prod` has them."""
    values = values or load((CHART / "values.yaml").read_text(encoding="utf-8"))[0]
    rows: dict[str, Row] = {}
    for name, service in values["services"].items():
        for kind, suffix in (("api", ""), ("work", "-work")):
            if kind == "api" or "work" in service:
                rows[name + suffix] = _row(values["defaults"][kind], service.get(kind) or {})
    triton = values["triton"]
    rows["triton"] = replace(_row(triton, {}), busy_share=0.7)
    return rows


def _row(default: Mapping[str, Any], own: Mapping[str, Any]) -> Row:
    resources = {
        kind: {**default["resources"][kind], **own.get("resources", {}).get(kind, {})}
        for kind in ("requests", "limits")
    }
    scaling = {**default["autoscaling"], **own.get("autoscaling", {})}
    return Row(
        request_cores=_cores(resources["requests"]["cpu"]),
        request_mib=_mebibytes(resources["requests"]["memory"]),
        limit_mib=_mebibytes(resources["limits"]["memory"]),
        min_pods=scaling["min"],
        max_pods=scaling["max"],
        busy_share=scaling.get("cpuPercent", 70) / 100,
    )


def _cores(text: str) -> float:
    return float(text[:-1]) / 1000 if text.endswith("m") else float(text)


def _mebibytes(text: str) -> float:
    units = {"Mi": 1.0, "Gi": 1024.0}
    return float(text[:-2]) * units[text[-2:]]


def chart_values(
    capacity: Capacity, rows: Mapping[str, Row], values: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Returns what the chart is to be told, where it is not what it has by itself."""
    values = values or load((CHART / "values.yaml").read_text(encoding="utf-8"))[0]
    told: dict[str, Any] = {}
    for part in capacity.parts:
        row = rows[part.name]
        scaling = {"max": part.pods} if part.pods > row.max_pods else {}
        if part.name == "triton":
            if capacity.gpus:
                told["triton"] = {"gpu": {"enabled": True}}
            if scaling:
                told.setdefault("triton", {})["autoscaling"] = scaling
            continue
        kind = "work" if part.name.endswith("-work") else "api"
        own: dict[str, Any] = {"autoscaling": scaling} if scaling else {}
        if part.request_cores != row.request_cores:
            own["resources"] = {
                "requests": {"cpu": f"{part.request_cores:g}", "memory": f"{row.request_mib:.0f}Mi"},
                "limits": {"memory": f"{row.limit_mib:.0f}Mi"},
            }
        if own:
            told.setdefault("services", {}).setdefault(part.name.removesuffix("-work"), {})[kind] = own
    return told


# Sizes that docs/kubernetes.md shows. The last is a goal on paper: thousands of videos an hour, a hundred thousand sockets, fifty thousand calls a minute.
SIZES: Mapping[str, Load] = {
    "a team": Load(analyses_per_hour=10, calls_per_s=5, open_streams=50),
    "a hospital": Load(analyses_per_hour=100, calls_per_s=50, open_streams=500),
    "a country's clubs": Load(analyses_per_hour=1000, calls_per_s=200, open_streams=10_000),
    "ten thousand users": Load(analyses_per_hour=5000, calls_per_s=833, open_streams=100_000, node_cores=64),
}


def sizing_table() -> str:
    """Returns the table of sizes."""
    heads = ["", "analyses an hour", "calls/s", "streams", "frames/s", "cores", "memory, GiB", "nodes", "Triton's pods"]
    heads += ["workers (analyses, drawing)", "database: cores, connections", "stored in 30 days, TiB"]
    lines = [f"|{'|'.join(f' {head} ' for head in heads)}|".replace("|  |", "| |"), "|---" * len(heads) + "|"]
    rows = chart_rows()
    for name, wanted in SIZES.items():
        found = reckon(wanted, rows)
        pods = {part.name: part.pods for part in found.parts}
        cells = [
            name,
            f"{wanted.analyses_per_hour:g}",
            f"{wanted.calls_per_s:g}",
            f"{wanted.open_streams}",
            f"{found.frames_per_s:.0f}",
            f"{found.cores:.0f}",
            f"{found.memory_gib:.0f}",
            f"{found.nodes} of {wanted.node_cores:g} cores",
            str(pods["triton"]),
            f"{pods['biomechanics-work']}, {pods['rendering-work']}",
            f"{found.database_cores:.1f}, {found.database_connections}",
            f"{found.stored_gib / 1024:.1f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def describe(wanted: Load, found: Capacity, told: Mapping[str, Any]) -> str:
    """Returns the answer in words and numbers."""
    lines = [f"{'part':24} {'busy cores':>10} {'pods':>5} {'request':>8} {'memory MiB':>11}  decided by"]
    lines += [
        f"{part.name:24} {part.busy_cores:10.2f} {part.pods:5} {part.request_cores:8.2f} {part.memory_mib:11.0f}  {part.because}"
        for part in found.parts
    ]
    on_what = f"{found.gpus} GPUs" if found.gpus else "processors"
    lines += [
        "",
        f"frames looked at        {found.frames_per_s:.1f}/s, {found.under_way:.1f} analyses under way",
        f"calls of models         {found.inferences_per_s:.0f}/s on {on_what}",
        f"pods ask for            {found.cores:.1f} cores, {found.memory_gib:.1f} GiB: {found.nodes} nodes of {wanted.node_cores:g} cores",
        f"database                {found.database_cores:.2f} cores, up to {found.database_connections} connections",
        f"stored                  {found.stored_gib:.1f} GiB after {wanted.kept_days:g} days",
        "",
        "# what the chart needs to be told, over profiles/prod.yaml",
        yaml.safe_dump(dict(told), sort_keys=False).strip() if told else "{}   # what it has by itself is enough",
    ]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str]) -> int:
    """Reads a load and prints what it needs; `--table` prints the sizes of docs/kubernetes.md."""
    parser = argparse.ArgumentParser(prog="python -m tools.deploy capacity", description=(__doc__ or "").split("\n")[0])
    defaults = Load()
    for name, value in vars(defaults).items():
        option = f"--{name.replace('_', '-')}"
        if isinstance(value, bool):
            parser.add_argument(option, action=argparse.BooleanOptionalAction, default=value)
        else:
            parser.add_argument(option, type=type(value), default=value, help=f"{value:g} unless said")
    parser.add_argument("--table", action="store_true")
    options = vars(parser.parse_args(arguments))
    if options.pop("table"):
        sys.stdout.write(sizing_table())
        return 0
    try:
        wanted, rows = Load(**options), chart_rows()
        found = reckon(wanted, rows)
    except CapacityError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(describe(wanted, found, chart_values(found, rows)))
    return 0
