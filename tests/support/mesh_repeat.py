"""Makes calls as our services make theirs, such as may be repeated and such as may not. Run as a program of a pod: address, method, token."""

from __future__ import annotations

import asyncio
import sys

from praxiscope_common.client import call, open_channel
from praxiscope_common.errors import DomainError
from praxiscope_common.identity import CallContext, Caller, call_context


async def main(address: str, method: str, token: str) -> None:
    """For each line, `yes` or `no`, makes a call that may be repeated or not, and writes the reason that it fails with."""
    loop = asyncio.get_running_loop()
    channel = open_channel(address)
    stub = channel.unary_unary(method)
    caller = Caller(subject="users/nobody", token=token)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        with call_context(CallContext(caller=caller, variant="canary")):
            try:
                await call(stub, b"", timeout_s=15, is_repeatable=line.strip() == "yes")
            except DomainError as error:
                sys.stdout.write(f"{error.reason}\n")
                sys.stdout.flush()
    await channel.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
