"""The report that anyone can read: one HTML file with what was measured, how sure, and what could not be seen."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from html import escape
from string import Template

import numpy as np

from biomechanics_service.core.report_page import PAGE, SCRIPT, STYLE
from biomechanics_service.core.tables import write_motion_json
from biomechanics_service.core.types import AngleSeries, MotionAnalysis, PersonMotion, View

VIEW_WORDS = {
    View.SIDE: "from the side",
    View.FRONT: "from the front or back",
    View.BETWEEN: "at an angle",
    View.UNKNOWN: "not clear",
}
# Joint, how it is called on the page, and what its sign means.
JOINTS = (
    ("knee_angle", "Knee bend", "0° is a straight leg; larger is more bent"),
    ("hip_flexion", "Hip, thigh forwards and back", "positive: thigh in front of the trunk's line"),
    ("hip_adduction", "Hip, thigh in and out", "positive: thigh towards the middle"),
    ("ankle_angle", "Ankle", "0°: foot at a right angle to the shank; positive: toes up"),
    ("arm_flex", "Shoulder, arm forwards and back", "positive: arm in front of the trunk's line"),
    ("arm_add", "Shoulder, arm in and out", "positive: arm towards the middle; negative: lifted sideways"),
    ("elbow_flex", "Elbow bend", "0° is a straight arm; larger is more bent"),
)
SINGLE = (
    ("trunk_lean", "Trunk lean, forwards and back", "0° is upright; positive: forwards"),
    ("trunk_lateral_lean", "Trunk lean, sideways", "positive: to the person's right"),
    ("pelvis_list", "Pelvis, sideways drop", "positive: right hip lower"),
    ("neck_flexion", "Head before the trunk's line", "positive: forwards"),
    ("pelvis_tilt_3d", "Pelvis and trunk tilt", "positive: leaning back"),
    ("pelvis_list_3d", "Pelvis, sideways drop", "positive: right hip lower"),
    (
        "pelvis_rotation_3d",
        "Turn of the pelvis",
        "0°: facing the picture's right; seen from above, positive: counter-clockwise",
    ),
    ("lumbar_bending_3d", "Shoulders against hips, sideways", "positive: bent to the right"),
    ("lumbar_rotation_3d", "Shoulders against hips, turned", "positive: turned to the left"),
)
SYMMETRY_WORDS = {name: title for name, title, _ in JOINTS}


def write_report_html(analysis: MotionAnalysis, *, title: str, source: str) -> Iterator[str]:
    """Writes the report as one HTML page that loads nothing, piece by piece.

    Args:
        analysis: Result.
        title: Heading of the page, any text.
        source: What was analysed, such as the video's name, any text.

    Yields:
        HTML; every text is escaped.
    """
    count = len(analysis.persons)
    body = [
        f'<p class="soft">{escape(source)} · {count} {"person" if count == 1 else "persons"} measured · Praxiscope</p>',
        *_write_introduction(analysis),
        *(part for index, person in enumerate(analysis.persons) for part in _write_person(person, index)),
        *_write_settings(analysis),
    ]
    before, after = PAGE.split("$data")
    yield Template(before).substitute(title=escape(title), style=STYLE, body="\n".join(body))
    for piece in write_motion_json(analysis):
        # Inside a script element only "<" could end it; JSON may spell it otherwise.
        yield piece.replace("<", "\\u003c")
    yield Template(after).substitute(script=SCRIPT)


def _write_introduction(analysis: MotionAnalysis) -> Iterator[str]:
    if not analysis.persons:
        yield "<p><b>Nobody was seen for long enough to be measured.</b></p>"
        yield from _list_items(f"Person {key}: {reason}." for key, reason in analysis.skipped.items())
        return
    yield (
        "<p>This page shows how joints moved, measured from one camera by two pose networks that check each other. "
        "Solid curves are sure (confidence of a half or more), dotted ones on a yellow ground are doubtful, "
        "what is grey was not seen. "
        "Point at a curve, or focus it and press the arrow keys, to read the numbers.</p>"
    )
    buttons = "".join(
        f'<button data-show="{person.person_id}" aria-pressed="false">Person {person.person_id}</button>'
        for person in analysis.persons
    )
    yield (
        f'<div class="bar">{buttons}<label><input type="checkbox" id="filtered" checked> smoothed '
        f"({analysis.config.cutoff_hz:g} Hz)</label><label><input type="
        '"checkbox" id="shade" checked> shade doubtful times</label>'
        '<span class="key right-key"><i style="color:var(--right)"></i>right</span>'
        '<span class="key"><i style="color:var(--left)"></i>left</span></div>'
    )


def _write_person(person: PersonMotion, index: int) -> Iterator[str]:
    yield f'<section data-person="{person.person_id}"><h2>Person {person.person_id}</h2>'
    yield '<div class="cards">' + "".join(_list_cards(person)) + "</div>"
    yield "<h2>Curves in the picture's plane</h2>"
    yield '<p class="soft">Thin upright lines mark foot strikes, where steps were found.</p>'
    yield from _write_figures(person, index, suffix="")
    yield "<h2>Curves with estimated depth</h2>"
    yield '<p class="soft">These use the depth that BlazePose guesses. Read them as an indication.</p>'
    yield from _write_figures(person, index, suffix="_3d")
    yield "<h2>Ranges of motion and how sure they are</h2>"
    yield from _write_ranges(person)
    yield "<h2>What could not be seen</h2>"
    yield from _list_items(_list_missing(person))
    yield "<h2>Notes</h2>"
    yield from _list_items(person.notes)
    yield "</section>"


def _list_cards(person: PersonMotion) -> Iterator[str]:
    def card(value: str, label: str) -> str:
        return f'<div class="card"><b>{escape(value)}</b>{escape(label)}</div>'

    is_found = np.isfinite(person.boxes_xyxy_px).all(axis=1)
    yield card(
        f"{person.time_s[0]:.1f} to {person.time_s[-1]:.1f} s", f"in view, found in {100 * is_found.mean():.0f} % of it"
    )
    usual = max(View, key=person.views.count)
    yield card(
        VIEW_WORDS[usual], f"seen so in {100 * person.views.count(usual) / len(person.views):.0f} % of the frames"
    )
    measured = [
        angle for angle in person.angles.values() if not angle.missing_reason and not angle.name.endswith("_3d")
    ]
    sure = np.concatenate([angle.confidence[np.isfinite(angle.raw_deg)] for angle in measured] or [np.zeros(1)])
    yield card(
        f"{100 * float((sure > 0.5).mean()) if len(sure) else 0.0:.0f} %",
        "of the angles in the picture's plane are sure",
    )
    cadence = person.gait.cadence_steps_per_min
    if np.isfinite(cadence):
        strikes = sum(len(frames) for frames in person.gait.strike_frames.values())
        yield card(f"{cadence:.0f} steps/min", f"cadence, from {strikes} foot strikes")
    else:
        yield card("no cadence", person.gait.missing_reason)
    for joint, percent in person.symmetry_percent.items():
        if joint == "knee_angle":
            side = "right" if percent > 0 else "left"
            yield card(f"{abs(percent):.0f} %", f"larger range of the {side} knee (over the mean of both)")


def _write_figures(person: PersonMotion, index: int, *, suffix: str) -> Iterator[str]:
    figures = [(title, sign, [f"{joint}_{letter}{suffix}" for letter in "rl"]) for joint, title, sign in JOINTS]
    figures += [(title, sign, [name]) for name, title, sign in SINGLE if name.endswith("_3d") == bool(suffix)]
    for title, sign, names in figures:
        if all(person.angles[name].missing_reason for name in names):
            continue
        yield (
            f'<figure data-index="{index}" data-names="{escape(" ".join(names))}"><figcaption>{escape(title)} '
            f'<span class="soft">({escape(sign)})</span></figcaption>'
            f'<svg tabindex="0" role="img" aria-label="{escape(title)} over time, degrees"></svg></figure>'
        )


def _write_ranges(person: PersonMotion) -> Iterator[str]:
    titles = ("Angle", "Range", "Least", "Largest", "Fastest", "Measured", "Sure")
    head = "".join(f"<th>{title}</th>" for title in titles)
    yield f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>'
    for angle in person.angles.values():
        if not angle.missing_reason:
            cells = "".join(f'<td class="n">{cell}</td>' for cell in _describe_range(angle))
            yield f"<tr><td>{escape(angle.name)}</td>{cells}</tr>"
    yield "</tbody></table></div>"
    yield (
        '<p class="soft">Range, least and largest are taken where the confidence is above a half '
        "(2nd to 98th percentile), after smoothing; "
        "“Measured” is the share of frames with a value, “Sure” the share with a confidence above a half.</p>"
    )
    if person.symmetry_percent:
        yield "<p>Right against left, difference of the ranges over their mean (positive: right larger):</p>"
        yield from _list_items(
            f"{SYMMETRY_WORDS[joint]}: {value:+.0f} %" for joint, value in person.symmetry_percent.items()
        )


def _describe_range(angle: AngleSeries) -> Iterator[str]:
    is_sure = (angle.confidence > 0.5) & np.isfinite(angle.filtered_deg)
    if np.isfinite(angle.range_deg):
        low, high = np.percentile(angle.filtered_deg[is_sure], [2.0, 98.0])
        fastest = float(np.nanpercentile(np.abs(angle.velocity_deg_s[is_sure]), 98.0))
        yield from (f"{angle.range_deg:.0f}°", f"{low:.0f}°", f"{high:.0f}°", f"{fastest:.0f}°/s")
    else:
        yield from ("-",) * 4
    yield f"{100 * np.isfinite(angle.raw_deg).mean():.0f} %"
    yield f"{100 * is_sure.mean():.0f} %"


def _list_missing(person: PersonMotion) -> Iterator[str]:
    by_reason: dict[str, list[str]] = {}
    for angle in person.angles.values():
        if angle.missing_reason:
            by_reason.setdefault(angle.missing_reason, []).append(angle.name)
    for reason, names in by_reason.items():
        yield f"{', '.join(names)}: not measured, because {reason}."
    if person.gait.missing_reason:
        yield f"Steps and cadence: not measured, because {person.gait.missing_reason}."


def _write_settings(analysis: MotionAnalysis) -> Iterator[str]:
    yield "<h2>What one camera can and cannot tell</h2>"
    yield from _list_items(
        (
            "Angles in the picture's plane are right only as far as the limb moves in that plane; where "
            "the view does not fit, they are left out.",
            "Depth is estimated, so is every angle whose name ends in _3d. Sizes in metres need a given "
            "height and a person at a constant distance.",
            "The confidence is not a probability. It is high when both networks agree, limbs keep their "
            "length, the movement is continuous and "
            "the networks themselves are sure; it was checked against labels made by hand on one video.",
            "This is no medical device, and no diagnosis should rest on it.",
        )
    )
    if analysis.skipped:
        yield "<p>Left out:</p>"
        yield from _list_items(f"Person {key}: {reason}." for key, reason in analysis.skipped.items())
    yield '<h2>Settings</h2><div class="scroll"><table><tbody>'
    for name, value in _flatten(dataclasses.asdict(analysis.config)):
        yield f"<tr><td>{escape(name)}</td><td>{escape('not given' if value is None else str(value))}</td></tr>"
    yield "</tbody></table></div>"


def _flatten(values: dict[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flatten({str(key): item for key, item in value.items()}, f"{prefix}{name}.")  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        else:
            yield prefix + name, value


def _list_items(items: Iterable[str]) -> Iterator[str]:
    yield "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>"
