"""MOTChallenge text: right, wrong in one place, and no text at all."""

from __future__ import annotations

from random import Random

from fuzz import values

_LINE = "{frame},{id},{left},{top},{width},{height},{score},-1,-1,-1"
_ODD_CELLS = (
    *(
        "",
        " ",
        "nan",
        "inf",
        "-inf",
        "1e999",
        "1e308",
        "-1e308",
        "1e-320",
        "0x1F",
        "1_000",
        "١٢",
        "1e20",
        "9" * 400,
        "-0",
        "+5",
        "1.5",
        "--1",
    ),
    *(
        "9223372036854775807",
        "9223372036854775808",
        "1e19",
        "10000000000",
        "10000000001",
        "\x00",
        "True",
        "1,2",
        "1;2",
        '"1"',
        "1e12",
        "1e200",
    ),
)
_JOINTS = ("\n", "\n", "\n", "\r\n", "\r", "\n\n", "", "\u2028", "\x0b")


def broken_text(random: Random) -> bytes:
    """Returns a file of detections."""
    lines: list[str] = []
    frame = 1
    for _ in range(random.choice((0, 1, 3, 10, 40))):
        frame += random.choice((0, 0, 1, 1, 1, 5, 10**6, 2**31, 2**33, -1 if random.random() < 0.1 else 1))
        cells = {
            "frame": str(frame),
            "id": "-1",
            "left": str(random.randint(-10, 600)),
            "top": str(random.randint(-10, 400)),
            "width": str(random.randint(1, 90)),
            "height": str(random.randint(1, 200)),
            "score": f"{random.random():.3f}",
        }
        if random.random() < 0.08:
            cells[random.choice(list(cells))] = random.choice(_ODD_CELLS)
        line = _LINE.format(**cells)
        if random.random() < 0.02:
            line = random.choice((line * 30, line[: random.randrange(len(line))], line + "," * 5, values.text(random)))
        lines.append(line)
    text = "".join(line + random.choice(_JOINTS[: 3 if random.random() < 0.8 else None]) for line in lines)
    encoded = text.encode(random.choice(("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16")), errors="replace")
    return values.damaged(random, encoded, most=4) if random.random() < 0.3 and encoded else encoded
