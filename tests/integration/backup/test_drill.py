"""The drill: everything is lost, and comes back as it was at a moment. Real services over a real PostgreSQL, a real S3 for the backups."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from praxiscope.library.v1 import asset_service_pb2
from praxiscope_backup.adapters.postgres_programs import archive_command
from praxiscope_backup.core import catalogue
from praxiscope_backup.core.retention import Tiers
from praxiscope_backup.database import DatabaseBackup, InvalidWalNameError, WalConflictError, utc_now
from praxiscope_common.storage.configuration import StoreConfig
from praxiscope_common.storage.s3 import S3Store
from tests.support.house import House, Tenant
from tests.support.postgres import ROLES, PostgresServer, migrate_all
from tests.support.programs import open_folder, running, settings_for
from tests.support.seaweed import open_s3, start_seaweed
from tools.devstack.postgres import DATABASE, postgres_part, prepare_database
from tools.devstack.process import Part
from tools.devstack.secrets import StackSecrets
from tools.devstack.settings import CHECKOUT

pytestmark = pytest.mark.timeout(180)
_PROGRAMS = CHECKOUT / ".venv/lib/python3.11/site-packages/pgserver/pginstall/bin"


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the drill happens.

    Attributes:
        folder: For everything.
        backup: How the backup store is reached.
        environment: What the commands are told.
        server: PostgreSQL, as long as it runs.
        part: How it is started.
    """

    folder: Path
    backup: StoreConfig
    environment: dict[str, str]
    server: PostgresServer
    part: Part

    @property
    def spool(self) -> Path:
        """Where PostgreSQL lays its log."""
        return self.folder / "spool"

    @property
    def archiving(self) -> list[str]:
        """PostgreSQL's settings for handing over its log, here within a second."""
        return [
            "-c",
            "archive_mode=on",
            "-c",
            "archive_timeout=1s",
            "-c",
            f"archive_command={archive_command(self.spool)}",
        ]

    def run(self, *words: str, expected: int = 0, **extra: str) -> str:
        """Runs a command of the package, as a CronJob does; returns what it says."""
        command = [sys.executable, "-m", "praxiscope_backup", *words]
        done = subprocess.run(command, env=self.environment | extra, capture_output=True, text=True, check=False)
        assert done.returncode == expected, done.stderr
        return done.stdout + done.stderr

    def connect(self) -> psycopg.Connection:
        """Connects to the platform's database as the superuser."""
        return psycopg.connect(self.server.superuser(DATABASE), autocommit=True)


@pytest.fixture
def place() -> Iterator[Place]:
    with open_folder("drill") as folder, contextlib.ExitStack() as stack:
        backup = replace(start_seaweed(stack, folder), bucket="backup")
        settings, secrets = settings_for(folder / "one", "postgres"), StackSecrets(folder / "secrets")
        part = postgres_part(settings, secrets)
        word = folder / "backup-secret"
        word.write_text(backup.secret_access_key.reveal())
        (folder / "spool").mkdir()
        if part.user_id is not None:
            os.chown(folder / "spool", part.user_id, part.user_id)
        environment = {
            "PATH": f"{_PROGRAMS}{os.pathsep}{os.defpath}",
            "PRAXISCOPE_BACKUP_STORE_KIND": "s3",
            "PRAXISCOPE_BACKUP_STORE_ENDPOINT_URL": backup.endpoint_url,
            "PRAXISCOPE_BACKUP_STORE_BUCKET": backup.bucket,
            "PRAXISCOPE_BACKUP_STORE_ACCESS_KEY_ID": backup.access_key_id,
            "PRAXISCOPE_BACKUP_STORE_SECRET_ACCESS_KEY_FILE": str(word),
            "PRAXISCOPE_BACKUP_SOURCE_STORE_ROOT": str(folder / "store"),
            "PRAXISCOPE_BACKUP_DB_HOST": "127.0.0.1",
            "PRAXISCOPE_BACKUP_DB_PORT": str(settings.port("postgres")),
            "PRAXISCOPE_BACKUP_DB_PASSWORD_FILE": str(secrets.password("postgres")),
        }
        asyncio.run(open_s3(backup))
        server = PostgresServer(settings=settings, secrets=secrets)
        yield Place(folder=folder, backup=backup, environment=environment, server=server, part=part)


@contextlib.asynccontextmanager
async def _house(place: Place) -> AsyncIterator[House]:
    house = House(postgres=place.server, database=DATABASE, folder=place.folder)
    await house.start()
    try:
        yield house
    finally:
        await house.stop()


@contextlib.asynccontextmanager
async def _started(place: Place) -> AsyncIterator[subprocess.Popen[bytes]]:
    part = running(place.part, place.folder / "postgres.log", place.archiving)
    process = await asyncio.to_thread(part.__enter__)
    keeper = subprocess.Popen(
        [sys.executable, "-m", "praxiscope_backup", "keep", str(place.spool)], env=place.environment
    )
    try:
        yield process
    finally:
        await asyncio.to_thread(part.__exit__, None, None, None)
        keeper.terminate()
        assert await asyncio.to_thread(keeper.wait, 20) == 0


def _rows(place: Place) -> dict[str, str]:
    """Returns a digest of every table's rows."""
    with place.connect() as connection:
        tables = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        found = {}
        for schema, table in tables:
            query = sql.SQL("SELECT md5(string_agg(md5(item::text), '' ORDER BY md5(item::text))) FROM {} AS item")
            (digest,) = connection.execute(query.format(sql.Identifier(schema, table))).fetchone() or ("",)
            found[f"{schema}.{table}"] = str(digest)
        return found


def _await_archive(place: Place) -> None:
    """Waits until what was written until now has been handed over."""
    with place.connect() as connection:
        (wanted,) = connection.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchone() or ("",)
        deadline_s = time.monotonic() + 60
        while time.monotonic() < deadline_s:
            (last,) = connection.execute("SELECT last_archived_wal FROM pg_stat_archiver").fetchone() or (None,)
            if last is not None and last[:24] >= wanted and not any(place.spool.iterdir()):
                return
            time.sleep(0.1)
        raise AssertionError(connection.execute("SELECT * FROM pg_stat_archiver").fetchone())


async def _bytes_of(tenant: Tenant, version: str) -> str:
    """Returns the digest of a version's bytes, as the library says where they are."""
    request = asset_service_pb2.GetAssetVersionRequest(name=version)
    found = (await tenant.house.ask("AssetService.GetAssetVersion", request, token=tenant.token)).message
    key = next(iter([key async for key in tenant.house.store.list(f"{version.replace('/versions/', '/v')}/")]))
    digest = hashlib.sha256()
    async for chunk in tenant.house.store.read(key):
        digest.update(chunk)
    assert digest.hexdigest() == found.files[0].sha256
    return digest.hexdigest()


async def _seed(place: Place, tenant: Tenant, versions: dict[str, str], name: str, content: bytes) -> str:
    version = await tenant.upload(content, f"{name}.txt")
    versions[version] = hashlib.sha256(content).hexdigest()
    return version


async def _live(place: Place) -> tuple[dict[str, str], dict[str, str], datetime, Tenant, str]:
    """A day in the life of the platform, with a backup in its middle and a mistake at its end."""
    versions: dict[str, str] = {}
    async with _house(place) as house:
        tenant = await house.tenant()
        await _seed(place, tenant, versions, "before", b"before the base backup" * 1000)
        await _seed(place, tenant, versions, "large", os.urandom(9 << 20))
        assert "2 copied" in await asyncio.to_thread(place.run, "mirror")
        said = await asyncio.to_thread(place.run, "base")
        assert "reaches from" in said
        doomed = await _seed(place, tenant, versions, "doomed", b"purged after the moment" * 999)
        await _seed(place, tenant, versions, "after", b"after the base backup" * 1000)
        said = await asyncio.to_thread(place.run, "mirror")
        assert "objects: 2 copied, 2 there already, 0 gone" in said
        rows = await asyncio.to_thread(_rows, place)
        await asyncio.sleep(0.1)
        moment = datetime.now(UTC)
        await asyncio.sleep(0.1)
        late = await tenant.upload(b"too late", "late.txt")
        asset = doomed.partition("/versions/")[0]
        for method, request in (
            ("AssetService.DeleteAsset", asset_service_pb2.DeleteAssetRequest(name=asset)),
            ("AssetService.PurgeAsset", asset_service_pb2.PurgeAssetRequest(name=asset)),
        ):
            await house.ask(method, request, token=tenant.everything)
        said = await asyncio.to_thread(place.run, "mirror")
        assert "1 copied, 3 there already, 1 gone" in said
        with place.connect() as connection:
            connection.execute("DROP SCHEMA library CASCADE")
        await asyncio.to_thread(_await_archive, place)
        return versions, rows, moment, tenant, late


def _restored(place: Place, word: str) -> Place:
    """Returns the place with another data folder, which recovers to a moment once a server is started in it."""
    data = place.folder / "two" / "postgres"
    data.parent.mkdir()
    data.parent.chmod(0o755)
    wal = place.folder / "wal"
    assert "made of" in place.run("restore-database", str(data), "--wal", str(wal), "--time", word)
    user_id = place.part.user_id
    if user_id is not None:
        for path in (data, *data.rglob("*"), wal, *wal.iterdir()):
            os.chown(path, user_id, user_id, follow_symlinks=False)
    settings = replace(place.server.settings, state=data.parent)
    return replace(
        place,
        server=PostgresServer(settings=settings, secrets=place.server.secrets),
        part=postgres_part(settings, place.server.secrets),
    )


async def test_everything_comes_back_as_it_was_at_a_moment(place: Place) -> None:
    async with _started(place) as process:
        prepare_database(place.server.settings, place.server.secrets, list(ROLES.values()))
        await migrate_all(place.server, DATABASE)
        versions, rows, moment, owner, late = await _live(place)
        assert place.run("check") == ""
        process.send_signal(signal.SIGKILL)
        process.wait()
    shutil.rmtree(place.folder / "one" / "postgres")
    shutil.rmtree(place.folder / "store")

    began_s = time.monotonic()
    word = moment.isoformat()
    recovered = _restored(place, word)
    async with _started(recovered):
        with recovered.connect() as connection:
            assert connection.execute("SELECT pg_is_in_recovery()").fetchone() == (False,), (
                "it let somebody in too early"
            )
        # One of them came after the moment: no row speaks of it.
        assert "objects: 5 copied back" in place.run("restore-objects", "--time", word)
        print(f"\nback after {time.monotonic() - began_s:.1f} s")
        assert _rows(recovered) == rows
        async with _house(recovered) as house:
            tenant = replace(owner, house=house)
            for version, digest in versions.items():
                assert await _bytes_of(tenant, version) == digest, version
            request = asset_service_pb2.GetAssetVersionRequest(name=late)
            answer = await house.ask("AssetService.GetAssetVersion", request, token=tenant.token)
            assert answer.outcome == "RESOURCE_NOT_FOUND"
            # Life goes on, and the next backup with it.
            await _seed(recovered, tenant, versions, "again", b"after all that")
            _await_archive(recovered)
            place.run("base")
        assert place.run("check") == ""


async def test_the_end_of_the_log_is_not_a_moment_and_has_a_word_of_its_own(place: Place) -> None:
    """PostgreSQL does not take the end of its log for a moment that is later."""
    async with _started(place):
        prepare_database(place.server.settings, place.server.secrets, list(ROLES.values()))
        place.run("base")
        with place.connect() as connection:
            connection.execute("CREATE TABLE newest AS SELECT 1 AS one")
        _await_archive(place)
    recovered = _restored(place, datetime.now(UTC).isoformat())
    with pytest.raises(RuntimeError, match="recovery ended before configured recovery target was reached"):
        async with _started(recovered):
            pass
    shutil.rmtree(place.folder / "two")
    shutil.rmtree(place.folder / "wal")
    recovered = _restored(place, "latest")
    async with _started(recovered):
        with recovered.connect() as connection:
            assert connection.execute("SELECT one FROM newest").fetchone() == (1,)
        _await_archive(recovered)


async def test_what_a_backup_lacks_is_told_before_it_is_needed(place: Place) -> None:
    store = await open_s3(place.backup)
    backup = DatabaseBackup(store, now=utc_now)
    assert await backup.problems(max_base_age_s=3600) == ["There is no base backup."]
    async with _started(place):
        prepare_database(place.server.settings, place.server.secrets, list(ROLES.values()))
        first = await backup.take_base(
            program=str(_PROGRAMS / "pg_basebackup"),
            environment={
                "PGHOST": "127.0.0.1",
                "PGPORT": str(place.server.port),
                "PGUSER": "postgres",
                "PGPASSWORD": place.server.secrets.password("postgres").read_text(),
            },
        )
        with place.connect() as connection:
            for number in range(3):
                connection.execute(f"CREATE TABLE item_{number} AS SELECT generate_series(1, 1000)")
                _await_archive(place)
    assert await backup.problems(max_base_age_s=3600) == []
    later = DatabaseBackup(store, now=lambda: utc_now() + timedelta(days=2))
    assert ["hours old" in problem for problem in await later.problems(max_base_age_s=26 * 3600)] == [True]
    # What is older than the oldest base backup helps nobody; the rest stays.
    assert (await backup.prune(Tiers()))[0] == 0
    assert await backup.problems(max_base_age_s=3600) == []

    segments = sorted([key async for key in store.list(catalogue.WAL) if ".backup" not in key])
    hole = segments[-2]
    kept = b"".join([chunk async for chunk in store.read(hole)])
    await store.delete(hole)
    assert "1 holes" in place.run("check", expected=1)
    await store.put(hole, kept)
    await _a_broken_backup_leaves_nothing(place, store, backup, first)


async def _a_broken_backup_leaves_nothing(
    place: Place, store: S3Store, backup: DatabaseBackup, base: catalogue.Base
) -> None:
    key = catalogue.base_key(base.name)
    packed = b"".join([chunk async for chunk in store.read(key)])
    target = place.folder / "broken"
    for damaged in (packed[:-1], packed[: len(packed) // 2], packed[:-4] + b"\0\0\0\0", b"nothing at all"):
        await store.put(key, damaged)
        with pytest.raises(catalogue.BackupBrokenError):
            await backup.restore(target, moment=utc_now(), wal=place.folder / "wal")
        assert not target.exists()
        assert not (place.folder / "wal").exists()
    with pytest.raises(catalogue.NoBackupError, match="No base backup had ended by"):
        await backup.restore(target, moment=base.ended - timedelta(hours=1), wal=place.folder / "wal")


async def test_a_store_that_is_away_loses_no_log(place: Place) -> None:
    """It stays in the folder until the store is back; another file of the same name is never written over."""
    away = place.environment | {"PRAXISCOPE_BACKUP_STORE_ENDPOINT_URL": "http://127.0.0.1:9"}
    file = place.spool / "000000010000000000000001"
    file.write_bytes(b"a segment")
    (place.spool / ".000000010000000000000002").write_bytes(b"half a segment")
    keeper = subprocess.Popen(
        [sys.executable, "-m", "praxiscope_backup", "keep", str(place.spool)],
        env=away,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert keeper.stderr is not None
    assert "does not answer at the moment" in await asyncio.to_thread(keeper.stderr.readline)
    keeper.kill()
    keeper.wait()
    keeper.stderr.close()
    backup = DatabaseBackup(await open_s3(place.backup), now=utc_now)
    assert await backup.drain(place.spool) == 1
    file.write_bytes(b"a segment")  # PostgreSQL may have died before it took notice
    assert await backup.drain(place.spool) == 1
    file.write_bytes(b"another segment")
    with pytest.raises(WalConflictError):
        await backup.drain(place.spool)
    assert file.exists()
    with pytest.raises(InvalidWalNameError):
        await backup.put_wal(file, "../passwd")


async def test_the_platforms_bucket_keeps_what_is_deleted(place: Place) -> None:
    store = await open_s3(replace(place.backup, bucket="platform"))
    await store.put("projects/p/assets/a/v1/x", b"one")
    environment = {
        key.replace("PRAXISCOPE_BACKUP_STORE_", "PRAXISCOPE_BACKUP_SOURCE_STORE_"): value
        for key, value in place.environment.items()
        if "_BACKUP_STORE_" in key
    }
    environment["PRAXISCOPE_BACKUP_SOURCE_STORE_BUCKET"] = "platform"
    assert "kept for 30 days" in place.run("versions", **environment)
    await store.put("projects/p/assets/b/v1/x", b"two")
    await store.delete("projects/p/assets/b/v1/x")
    client = store._client
    listed = client.list_object_versions(Bucket="platform", Prefix="projects/p/assets/b/")
    assert [item["Key"] for item in listed["Versions"]] == ["projects/p/assets/b/v1/x"]
    assert [item["IsLatest"] for item in listed["DeleteMarkers"]] == [True]
    rules = client.get_bucket_lifecycle_configuration(Bucket="platform")["Rules"]
    assert {rule["ID"] for rule in rules} >= {"versions"}
    assert "keeps no versions" in place.run("versions")
