"""An object store in S3, through boto3 in a bounded pool of threads."""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, BinaryIO, TypeVar

from boto3.session import Session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from praxiscope_common.config import Secret
from praxiscope_common.storage.port import (
    CHUNK_BYTES,
    Location,
    ObjectInfo,
    ObjectNotFoundError,
    StoreFullError,
    StoreUnavailableError,
    check_key,
)

_Result = TypeVar("_Result")
_PART_BYTES = 8 << 20  # S3 takes no part below 5 MiB but the last
_MISSING = frozenset({"404", "NoSuchKey", "NotFound"})
_FULL = frozenset({"507", "InsufficientStorage", "XMinioStorageFull"})


class S3Store:
    """Keeps objects in one bucket.

    Args:
        endpoint_url: Where S3 is; empty for Amazon's own.
        region: Its region.
        bucket: The bucket; made if it is not there.
        access_key_id: Who asks.
        secret_access_key: Their secret.
        thread_count: How many calls run at once.
        timeout_s: How long the store may be silent before it counts as away; three tries fit into a call's thirty seconds.
    """

    def __init__(
        self,
        *,
        endpoint_url: str,
        region: str,
        bucket: str,
        access_key_id: str,
        secret_access_key: Secret,
        thread_count: int = 16,
        timeout_s: float = 9.0,
    ) -> None:
        """Prepares the client; nothing is sent yet."""
        self._bucket = bucket
        self._threads = ThreadPoolExecutor(thread_count, thread_name_prefix="s3")
        self._client: Any = Session().client(
            "s3",
            endpoint_url=endpoint_url or None,
            region_name=region,
            aws_access_key_id=access_key_id,
            aws_secret_access_key=secret_access_key.reveal(),
            config=Config(
                signature_version="s3v4",
                s3={"addressing_style": "path"},
                retries={"total_max_attempts": 3, "mode": "standard"},
                max_pool_connections=thread_count,
                connect_timeout=min(3.0, timeout_s),
                read_timeout=timeout_s,
            ),
        )

    async def put(self, key: str, chunks: AsyncIterator[bytes] | bytes) -> ObjectInfo:
        """Stores bytes under `key`, in place of what was there."""
        check_key(key)
        digest = hashlib.sha256()
        parts: list[dict[str, object]] = []
        upload_id, size_bytes = "", 0
        buffer = bytearray()
        try:
            async for chunk in _as_chunks(chunks):
                digest.update(chunk)
                size_bytes += len(chunk)
                buffer += chunk
                while len(buffer) >= _PART_BYTES:
                    if not upload_id:
                        upload_id = (await self._run(self._client.create_multipart_upload, Key=key))["UploadId"]
                    parts.append(await self._put_part(key, upload_id, len(parts) + 1, bytes(buffer[:_PART_BYTES])))
                    del buffer[:_PART_BYTES]
            if upload_id:
                if buffer:
                    parts.append(await self._put_part(key, upload_id, len(parts) + 1, bytes(buffer)))
                await self._run(
                    self._client.complete_multipart_upload,
                    Key=key,
                    UploadId=upload_id,
                    MultipartUpload={"Parts": parts},
                )
            else:
                await self._run(self._client.put_object, Key=key, Body=bytes(buffer))
        except BaseException:
            if upload_id:
                await self._run(self._client.abort_multipart_upload, Key=key, UploadId=upload_id)
            raise
        await self._write_digest(key, digest.hexdigest())
        return ObjectInfo(key=key, size_bytes=size_bytes, sha256=digest.hexdigest())

    async def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Yields the bytes from `start` up to `end`, in chunks."""
        if end is not None and end <= start:
            await self.stat(key)
            return
        size_bytes = (await self._head(key))["ContentLength"]
        if start >= size_bytes:
            return
        last = size_bytes - 1 if end is None else min(end, size_bytes) - 1
        answer = await self._run(self._client.get_object, Key=check_key(key), Range=f"bytes={start}-{last}")
        body = answer["Body"]
        try:
            while chunk := await self._in_thread(lambda: body.read(CHUNK_BYTES)):
                yield chunk
        finally:
            body.close()

    async def stat(self, key: str) -> ObjectInfo:
        """Returns what is known of the object under `key`."""
        head = await self._head(key)
        return ObjectInfo(key=key, size_bytes=head["ContentLength"], sha256=await self._digest(key))

    async def delete(self, key: str) -> None:
        """Removes the object under `key`, if there is one."""
        await self._run(self._client.delete_object, Key=check_key(key))
        await self._run(self._client.delete_object, Key=_digest_key(key))

    async def delete_prefix(self, prefix: str) -> None:
        """Removes all objects whose keys start with `prefix`, which ends with a slash."""
        check_key(prefix.rstrip("/"))
        for listed in (prefix, _digest_key(prefix)):
            async for keys in self._pages(listed):
                await self._run(
                    self._client.delete_objects, Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True}
                )

    async def list(self, prefix: str) -> AsyncIterator[str]:
        """Yields the keys that start with `prefix`, which ends with a slash, in their order."""
        check_key(prefix.rstrip("/"))
        async for keys in self._pages(prefix):
            for key in keys:
                yield key

    async def move(self, source: str, target: str) -> None:
        """Puts the object under `source` under `target`; does nothing where that was done before."""
        try:
            await self._head(source)
        except ObjectNotFoundError:
            await self._head(target)
            return
        sha256 = await self._digest(source)
        await self._in_thread(
            lambda: self._client.copy(
                {"Bucket": self._bucket, "Key": check_key(source)}, self._bucket, check_key(target)
            )
        )
        await self._write_digest(target, sha256)
        await self.delete(source)

    async def compose(self, sources: Sequence[str], target: str) -> ObjectInfo:
        """Joins the objects under `sources` under `target` and returns what came of it; the sources stay."""

        async def joined() -> AsyncIterator[bytes]:
            for source in sources:
                async for chunk in self.read(source):
                    yield chunk

        return await self.put(target, joined())

    def open_seekable(self, key: str) -> BinaryIO:
        """Returns a file to read from and seek in; it fetches blocks as they are needed."""
        with _as_store_errors(key):
            size_bytes = self._client.head_object(Bucket=self._bucket, Key=check_key(key))["ContentLength"]
        return io.BufferedReader(_RangeReader(self._client, self._bucket, key, size_bytes), CHUNK_BYTES)  # type: ignore[return-value]

    async def locate_for_put(self, key: str, size_bytes: int, lifetime_s: int) -> Location:
        """Returns a presigned address that takes exactly `size_bytes` bytes."""
        parameters = {"Bucket": self._bucket, "Key": check_key(key), "ContentLength": size_bytes}
        return Location(url=self._client.generate_presigned_url("put_object", Params=parameters, ExpiresIn=lifetime_s))

    async def locate_for_get(self, key: str, lifetime_s: int) -> Location:
        """Returns a presigned address that gives the object."""
        parameters = {"Bucket": self._bucket, "Key": check_key(key)}
        return Location(url=self._client.generate_presigned_url("get_object", Params=parameters, ExpiresIn=lifetime_s))

    async def probe(self) -> None:
        """Returns if the bucket answers; makes it where it is not there."""
        try:
            await self._run(self._client.head_bucket)
        except ObjectNotFoundError:
            await self._run(self._client.create_bucket)

    async def keep_versions(self, *, days: int) -> None:
        """Has the bucket keep what is deleted or overwritten for so many days, and drop uploads that nobody finished after a week."""
        await self._run(self._client.put_bucket_versioning, VersioningConfiguration={"Status": "Enabled"})
        everything = {"Status": "Enabled", "Filter": {"Prefix": ""}}
        rules = [
            {"ID": "versions", **everything, "NoncurrentVersionExpiration": {"NoncurrentDays": days}},
            {"ID": "uploads", **everything, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}},
        ]
        await self._run(self._client.put_bucket_lifecycle_configuration, LifecycleConfiguration={"Rules": rules})

    async def _head(self, key: str) -> dict[str, Any]:
        return await self._run(self._client.head_object, Key=check_key(key))

    async def _put_part(self, key: str, upload_id: str, number: int, body: bytes) -> dict[str, object]:
        answer = await self._run(self._client.upload_part, Key=key, UploadId=upload_id, PartNumber=number, Body=body)
        return {"ETag": answer["ETag"], "PartNumber": number}

    async def _write_digest(self, key: str, sha256: str) -> None:
        await self._run(self._client.put_object, Key=_digest_key(key), Body=sha256.encode())

    async def _digest(self, key: str) -> str:
        """Returns an object's SHA-256: as it was written beside it, or of its bytes where somebody else put it there."""
        try:
            answer = await self._run(self._client.get_object, Key=_digest_key(key))
            return (await self._in_thread(answer["Body"].read)).decode()
        except ObjectNotFoundError:
            digest = hashlib.sha256()
            async for chunk in self.read(key):
                digest.update(chunk)
            return digest.hexdigest()

    async def _pages(self, prefix: str) -> AsyncIterator[Sequence[str]]:
        token: dict[str, str] = {}
        while True:
            answer = await self._run(self._client.list_objects_v2, Prefix=prefix, **token)
            keys = [item["Key"] for item in answer.get("Contents", ())]
            if keys:
                yield keys
            if not answer.get("IsTruncated"):
                return
            token = {"ContinuationToken": answer["NextContinuationToken"]}

    async def _run(self, method: Callable[..., _Result], **arguments: object) -> _Result:
        return await self._in_thread(lambda: method(Bucket=self._bucket, **arguments), str(arguments.get("Key", "")))

    async def _in_thread(self, work: Callable[[], _Result], key: str = "") -> _Result:
        def guarded() -> _Result:
            with _as_store_errors(key):
                return work()

        return await asyncio.get_running_loop().run_in_executor(self._threads, guarded)


class _RangeReader(io.RawIOBase):
    def __init__(self, client: Any, bucket: str, key: str, size_bytes: int) -> None:  # noqa: ANN401  boto3 makes its classes at run time
        self._client, self._bucket, self._key, self._size_bytes = client, bucket, key, size_bytes
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size_bytes}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401  a writable buffer
        wanted = min(len(buffer), self._size_bytes - self._position)
        if wanted <= 0:
            return 0
        last = self._position + wanted - 1
        with _as_store_errors(self._key):
            answer = self._client.get_object(Bucket=self._bucket, Key=self._key, Range=f"bytes={self._position}-{last}")
            read = answer["Body"].read()
        buffer[: len(read)] = read
        self._position += len(read)
        return len(read)


@contextmanager
def _as_store_errors(key: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in _MISSING:
            raise ObjectNotFoundError(metadata={"key": key}) from error
        if code in _FULL:
            raise StoreFullError(retry_after_s=30.0) from error
        raise StoreUnavailableError(retry_after_s=1.0) from error
    except BotoCoreError as error:
        raise StoreUnavailableError(retry_after_s=1.0) from error


def _digest_key(key: str) -> str:
    return f"checksums/{key}"


async def _as_chunks(chunks: AsyncIterator[bytes] | bytes) -> AsyncIterator[bytes]:
    if isinstance(chunks, bytes):
        yield chunks
        return
    async for chunk in chunks:
        yield chunk
