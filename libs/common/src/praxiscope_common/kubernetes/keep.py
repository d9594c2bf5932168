"""Runs a command and keeps the file it writes as a Secret. `python -m praxiscope_common.kubernetes.keep --file FILE -- COMMAND …`.

A Secret that is there is put into the file first, so that the command sees what it wrote the last time. `PRAXISCOPE_KEEP_AS` names it; its one
key is the file's name.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from praxiscope_common.kubernetes.api import KubernetesApi, KubernetesError


def keep(api: KubernetesApi, secret: str, file: Path, command: Sequence[str], environ: Mapping[str, str]) -> int:
    """Runs the command between reading and writing the Secret.

    Args:
        api: The API server.
        secret: The Secret.
        file: The file that the command reads and writes.
        command: Program and arguments.
        environ: The command's environment.

    Returns:
        The command's exit code; the Secret is left alone where that is not 0.

    Raises:
        KubernetesError: If the server refuses.
    """
    held = api.read_secret(secret)
    before = (held or {}).get(file.name)
    if before is not None:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(before)
    code = subprocess.run(command, check=False, env=dict(environ)).returncode  # noqa: S603  the Job's own command
    if code:
        return code
    try:
        after = file.read_bytes()
    except OSError as error:
        raise KubernetesError(f"the command wrote no {file}: {error}") from error
    if after != before:
        content = {**(held or {}), file.name: after}
        if held is None and not api.create_secret(secret, content):
            raise KubernetesError(f"the Secret {secret} was made by somebody else meanwhile")
        if held is not None:
            api.replace_secret(secret, content)
    return 0


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Reads the command line and `PRAXISCOPE_KEEP_AS`; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m praxiscope_common.kubernetes.keep", description=__doc__)
    parser.add_argument("--file", type=Path, required=True)
    parser.add_argument("command", nargs="+")
    options = parser.parse_args(arguments)
    secret = environ.get("PRAXISCOPE_KEEP_AS", "")
    if not secret:
        sys.stderr.write("PRAXISCOPE_KEEP_AS is not set.\n")
        return 2
    try:
        return keep(KubernetesApi.from_pod(environ), secret, options.file, options.command, environ)
    except KubernetesError as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))  # noqa: TID251  a command's start
