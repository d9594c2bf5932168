"""What any test may ask for: a database server, the services in this process, the model server, the sample video."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support.house import House, Tenant
from tests.support.models import find_sample_video, run_models
from tests.support.postgres import PostgresServer, run_postgres
from tools.devstack.triton import RunningTriton


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads what happens to be set where it runs."""
    for name in list(os.environ):
        if name.startswith(("PRAXISCOPE_", "OTEL_", "AWS_")) and name != "PRAXISCOPE_SAMPLE_VIDEO":
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A database server with a migrated template."""
    with run_postgres() as server:
        yield server


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[str]:
    """The name of a migrated database of the test's own."""
    with postgres.database() as name:
        yield name


@pytest.fixture(scope="session")
async def house(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """Every service, shared by all tests of a process; tests keep apart by having projects of their own."""
    with postgres.database() as name:
        built = House(postgres=postgres, database=name, folder=tmp_path_factory.mktemp("house"))
        await built.start()
        try:
            yield built
        finally:
            await built.stop()


@pytest.fixture
async def own_house(postgres: PostgresServer, database: str, tmp_path: Path) -> AsyncIterator[House]:
    """Every service, for one test alone: for tests of queues, of retention, and of what all projects share."""
    built = House(postgres=postgres, database=database, folder=tmp_path)
    await built.start()
    try:
        yield built
    finally:
        await built.stop()


@pytest.fixture
async def tenant(house: House) -> Tenant:
    """A project and its owner."""
    return await house.tenant()


@pytest.fixture
async def stranger(house: House) -> Tenant:
    """Another project and its owner."""
    return await house.tenant()


@pytest.fixture(scope="session")
def triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningTriton]:
    """The model server with its models."""
    with run_models(tmp_path_factory.mktemp("triton") / "triton.log") as running:
        yield running


@pytest.fixture(scope="session")
def sample_video() -> Path:
    """The sample video."""
    return find_sample_video()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keeps tests of the model server in one process, and those of S3: two Tritons on two cores take ten times as long."""
    for item in items:
        if item.get_closest_marker("triton"):
            item.add_marker(pytest.mark.xdist_group("triton"))
        elif "s3" in getattr(item, "fixturenames", ()) or item.name.endswith("[s3]") or "[s3-" in item.name:
            item.add_marker(pytest.mark.xdist_group("s3"))
