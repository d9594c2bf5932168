"""Where editing is put together; the only file that knows every class."""

from __future__ import annotations

import importlib.resources
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from editing_service.adapters.editor import Editor
from editing_service.adapters.save_job import SaveJobs, SaveWork
from editing_service.adapters.snapshots import Snapshots
from editing_service.adapters.stacks import Stacks
from editing_service.adapters.world_states import WorldStates
from editing_service.api.edit_convert import edit_from, request_from
from editing_service.api.edit_servicer import EditServicer
from editing_service.config import EditingConfig, read_config, read_migration_config
from praxiscope.editing.v1 import edit_service_pb2_grpc
from praxiscope_assets import AssetFiles
from praxiscope_common import database
from praxiscope_common.client import open_channel
from praxiscope_common.jobs.worker import Worker
from praxiscope_common.server.runtime import Server, create_server, run_until_stopped
from praxiscope_common.service import ServiceRuntime
from praxiscope_common.storage.configuration import open_store
from praxiscope_world_assets import WorldReader
from praxiscope_worlds.kernels import open_kernels


class Editing:
    """Editing's parts, wired. Make it inside the event loop."""

    def __init__(self, config: EditingConfig, runtime: ServiceRuntime) -> None:
        """Builds everything; nothing is opened yet."""
        self.config, self.runtime = config, runtime
        self.database = database.Database(config.database)
        self.store = open_store(config.store)
        self.library = open_channel(config.library_address)
        self.files = AssetFiles(self.library, self.store)
        self.stacks = Stacks(database=self.database)
        self.threads = ThreadPoolExecutor(config.max_edits, thread_name_prefix="edits")
        # what is being edited is kept by the states, which count their bytes
        worlds = WorldReader(self.files, kept_count=0)
        kernels = open_kernels(config.kernels_folder, thread_count=config.thread_count)
        self.snapshots = Snapshots(
            store=self.store,
            stacks=self.stacks,
            worlds=worlds,
            kernels=kernels,
            max_bytes=config.snapshot_bytes,
            after_s=config.snapshot_after_s,
        )
        self.states = WorldStates(
            worlds=worlds,
            stacks=self.stacks,
            kernels=kernels,
            threads=self.threads,
            read_request=request_from,
            snapshots=self.snapshots,
            max_bytes=config.kept_bytes,
        )

    def create_server(self) -> Server:
        """Binds the server."""
        editor = Editor(
            stacks=self.stacks,
            states=self.states,
            identity=self.runtime.identity,
            read_edit=edit_from,
            max_at_once=self.config.max_edits,
        )
        servicer = EditServicer(self.stacks, editor, SaveJobs(database=self.database, stacks=self.stacks))
        return create_server(
            self.config.service.server,
            self.runtime.stages(),
            servicers={
                "praxiscope.editing.v1.EditService": lambda server: (
                    edit_service_pb2_grpc.add_EditServiceServicer_to_server(servicer, server)
                )
            },
            probes={"database": self.database.probe, "auth": self.runtime.probe_keys},
        )

    def create_worker(self) -> Worker:
        """Makes the worker."""
        saving = SaveWork(
            files=self.files,
            stacks=self.stacks,
            states=self.states,
            library=self.library,
            identity=self.runtime.identity,
        )
        return Worker(
            service="editing",
            database=self.database,
            handlers=saving.handlers(),
            metrics=self.runtime.metrics,
            concurrency=self.config.concurrency,
        )

    async def stop(self) -> None:
        """Closes what was opened."""
        self.threads.shutdown(wait=False, cancel_futures=True)
        await self.library.close()
        await self.database.close()
        await self.runtime.stop()


async def serve(environ: Mapping[str, str]) -> None:
    """Serves until SIGTERM."""
    config = read_config(environ)
    runtime = ServiceRuntime.start(config.service, role="serve")
    editing = Editing(config, runtime)
    await editing.database.open()
    try:
        background = [runtime.verifier.follow_revocations(), editing.snapshots.write_offered()]
        await run_until_stopped(editing.create_server(), background=background)
    finally:
        await editing.stop()


async def work(environ: Mapping[str, str]) -> None:
    """Works until SIGTERM."""
    config = read_config(environ)
    editing = Editing(config, ServiceRuntime.start(config.service, role="work"))
    await editing.database.open()
    try:
        await editing.create_worker().run()
    finally:
        await editing.stop()


async def migrate(environ: Mapping[str, str]) -> None:
    """Brings the schema `editing` to its newest state."""
    chain = importlib.resources.files("editing_service") / "migrations"
    await database.migrate(read_migration_config(environ), "editing", chain)
