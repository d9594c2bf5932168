"""The client's profile: where the gateway is and with which key, so that the command works with no more set-up."""

from __future__ import annotations

import os
from collections.abc import Mapping

from tools.devstack.settings import Settings


def write_profile(settings: Settings, credentials: Mapping[str, str]) -> None:
    """Writes the profile; the command finds `.praxiscope/profiles.toml` from anywhere in the checkout."""
    path = settings.profile
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        "# Written by the development stack; `praxiscope` finds it from anywhere in this checkout.",
        'default = "local"',
        "",
        "[profiles.local]",
        f'url = "http://{settings.address("gateway")}"',
        f'project = "{credentials["project"]}"',
        f'api_key = "{credentials["api_key"]}"',
        f'api_key_expire_time = "{credentials["api_key_expire_time"]}"',
        "",
    ]
    descriptor = os.open(path.with_suffix(".new"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write("\n".join(lines))
    path.with_suffix(".new").replace(path)
