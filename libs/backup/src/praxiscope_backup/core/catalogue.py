"""Where things lie in the backup store, and what is known of a base backup.

database/bases/20261129T021500Z/base.tar.zst     the data folder
database/bases/20261129T021500Z/base.json        what is known of it; written last, so what has none is unfinished
database/wal/000000010000000000000003.zst        a segment of the log
objects/projects/…                               the objects, under their own keys
removed/projects/…                               since when an object has been away from where it was
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from praxiscope_common.errors import InternalError, InvalidInputError, PreconditionError

BASES = "database/bases/"
WAL = "database/wal/"
OBJECTS = "objects/"
REMOVED = "removed/"
_NAME_FORMAT = "%Y%m%dT%H%M%SZ"
_NAME = re.compile(r"\d{8}T\d{6}Z")


class NoBackupError(PreconditionError):
    """There is no base backup that ended before the moment asked for."""

    reason = "NO_BACKUP"


class BackupBrokenError(InternalError):
    """What lies in the backup store is not what was put there, or is not complete."""

    reason = "BACKUP_BROKEN"


class InvalidMomentError(InvalidInputError):
    """The moment cannot be read; write it as 2026-11-29T02:15:00Z."""

    reason = "INVALID_MOMENT"


@dataclass(frozen=True, kw_only=True)
class Base:
    """A base backup.

    Attributes:
        name: When it began, as it stands in keys.
        ended: From when on a recovery may begin with it, in UTC.
        first_wal: The segment that its recovery begins with.
        last_wal: The segment without which it is not consistent.
        size_bytes: Of the data folder, unpacked.
        sha256: Of what is stored.
    """

    name: str
    ended: datetime
    first_wal: str
    last_wal: str
    size_bytes: int
    sha256: str

    @property
    def began(self) -> datetime:
        """When it began, in UTC."""
        return parse_name(self.name)

    def to_json(self) -> bytes:
        """Returns what is written beside it."""
        fields = {**self.__dict__, "ended": self.ended.isoformat()}
        return json.dumps(fields, indent=1, sort_keys=True).encode()


def base_key(name: str) -> str:
    """Returns the key of a base backup's bytes."""
    return f"{BASES}{name}/base.tar.zst"


def manifest_key(name: str) -> str:
    """Returns the key of what is known of a base backup."""
    return f"{BASES}{name}/base.json"


def wal_key(name: str) -> str:
    """Returns the key of a file of the log."""
    return f"{WAL}{name}.zst"


def name_of(moment: datetime) -> str:
    """Returns the name of a base backup that begins now."""
    return moment.astimezone(UTC).strftime(_NAME_FORMAT)


def parse_name(name: str) -> datetime:
    """Returns when a base backup of this name began.

    Raises:
        BackupBrokenError: It is no such name.
    """
    if not _NAME.fullmatch(name):
        raise BackupBrokenError(f"{name[:40]!r} is no name of a base backup.")
    return datetime.strptime(name, _NAME_FORMAT).replace(tzinfo=UTC)


def parse_moment(text: str) -> datetime:
    """Returns a moment in UTC.

    Raises:
        InvalidMomentError: It is none, or says no time zone.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidMomentError(f"{text[:60]!r} is no moment; write it as 2026-11-29T02:15:00Z.") from error
    if moment.tzinfo is None:
        raise InvalidMomentError(f"{text[:60]!r} has no time zone; end it with Z for UTC.")
    return moment.astimezone(UTC)


def parse_base(text: bytes) -> Base:
    """Returns what is known of a base backup.

    Raises:
        BackupBrokenError: The text is not what was written.
    """
    try:
        fields = json.loads(text)
        return Base(**{**fields, "ended": parse_moment(fields["ended"])})
    except (ValueError, KeyError, TypeError, InvalidMomentError) as error:
        raise BackupBrokenError("A base backup's base.json cannot be read.") from error


def choose_base(bases: Iterable[Base], moment: datetime) -> Base:
    """Returns the newest base backup that had ended by `moment`: the least of the log is left to read.

    Raises:
        NoBackupError: There is none.
    """
    usable = [base for base in bases if base.ended <= moment]
    if not usable:
        raise NoBackupError(f"No base backup had ended by {moment.isoformat()}.")
    return max(usable, key=lambda base: base.ended)
