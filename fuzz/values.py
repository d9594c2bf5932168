"""Single values that programs trip over."""

from __future__ import annotations

import math
from random import Random

_LONG = 20_000
STRINGS = (
    "",
    " ",
    "\x00",
    "a\x00b",
    "\r\nSet-Cookie: a=b",
    "\n",
    "\t",
    "\x7f\x1b[31m",
    "../../../../etc/passwd",
    "..\\..\\windows",
    "/etc/passwd",
    "./.",
    ".",
    "..",
    "~",
    "%2e%2e%2f",
    "%00",
    "%s%n%x",
    "{0.__class__}",
    "${jndi:ldap://x}",
    "'; DROP TABLE asset; --",
    '" OR 1=1 --',
    "<script>alert(1)</script>",
    "\u202egpj.exe",
    "\ufeff",
    "\u0000\u200b",
    "e\u0301" * 50,
    "\U0001f600",
    "\U0010ffff",
    "𝟙𝟚𝟛",
    "١٢٣",
    "nan",
    "null",
    "undefined",
    "-1",
    "0",
    "1e309",
    "0x10",
    "true",
    "[]",
    "{}",
    "a" * 65,
    "a" * _LONG,
    "é" * 3000,
    "*",
    "latest",
    "projects/",
    "projects/-/assets/-",
    "projects/*/assets/*",
    "projects/a/assets/b/versions/99999999999999999999",
    "projects/a/../b",
    "projects//assets/",
    "PROJECTS/A",
    "roles/owner",
    "00000000-0000-0000-0000-000000000000",
    "pxk_" + "0" * 64,
    "eyJhbGciOiJub25lIn0.e30.",
    'kind = "KIND_VIDEO" AND create_time > "0001-01-01T00:00:00+23:59"',
    'create_time < "9999-12-31T23:59:59-23:59"',
    'labels.a : "*" AND ' * 40,
    'display_name : "' + "\\" * 501 + '"',
    "2026-01-31T12:00:00Z",
    "con.mp4",
    "a.mp4/",
    "COM1",
    "video.mp4\x00.txt",
    "a" * 300 + ".mp4",
)
INTEGERS = (
    0,
    1,
    -1,
    2,
    7,
    127,
    128,
    255,
    256,
    1000,
    1001,
    65535,
    65536,
    10**6,
    10**9,
    2**31 - 1,
    -(2**31),
    2**31,
    2**32 - 1,
    2**53,
    2**63 - 1,
    -(2**63),
)
FLOATS = (
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    1e-45,
    1e-308,
    1e38,
    3.5e38,
    1e300,
    1.7976931348623157e308,
    -1e308,
    math.nan,
    math.inf,
    -math.inf,
    1e9,
    60000.0,
)


def text(random: Random) -> str:
    """Returns a string: a known trap, or letters of all kinds."""
    if random.random() < 0.7:
        return random.choice(STRINGS)
    return "".join(chr(_code_point(random)) for _ in range(random.randint(0, 40)))


def integer(random: Random, low: int, high: int) -> int:
    """Returns a number between two others, most often one at a border."""
    if random.random() < 0.7:
        fitting = [number for number in (*INTEGERS, low, high) if low <= number <= high]
        return random.choice(fitting)
    return random.randint(low, high)


def floating(random: Random) -> float:
    """Returns a number, most often one that arithmetic cannot do with."""
    return random.choice(FLOATS) if random.random() < 0.7 else random.uniform(-1e4, 1e4)


def octets(random: Random) -> bytes:
    """Returns bytes of no form."""
    return random.randbytes(random.choice((0, 1, 2, 7, 64, 1000)))


def damaged(random: Random, given: bytes, *, most: int = 12) -> bytes:
    """Returns bytes that are cut off, flipped, repeated, left out or put together from pieces of themselves."""
    changed = bytearray(given)
    for _ in range(random.randint(1, most)):
        if not changed:
            break
        place = random.randrange(len(changed))
        match random.randrange(7):
            case 0:
                changed[place] ^= 1 << random.randrange(8)
            case 1:
                changed[place] = random.choice((0, 1, 0x7F, 0x80, 0xFF))
            case 2:
                del changed[place : place + random.randint(1, 64)]
            case 3:
                changed[place:place] = changed[place : place + random.randint(1, 64)]
            case 4:
                changed[place:place] = random.randbytes(random.randint(1, 16))
            case 5:
                width = random.choice((2, 4, 8))
                number = random.choice(
                    (0, 1, 2 ** (8 * width - 1), 2 ** (8 * width - 1) - 1, 2 ** (8 * width) - 1, 60_000)
                )
                changed[place : place + width] = (number % 2 ** (8 * width)).to_bytes(
                    width, random.choice(("big", "little"))
                )
            case _:
                if random.random() < 0.2:
                    del changed[place:]
    return bytes(changed)


def _code_point(random: Random) -> int:
    point = random.choice((random.randrange(128), random.randrange(0x800), random.randrange(0x110000)))
    return 0x20 if 0xD800 <= point < 0xE000 else point
