"""A store in an object store (S3, Google Cloud Storage, Azure Blob Storage or what speaks as they do), through obstore.

Credentials are found anew by each process, in the usual places: environment, web identity, role of the machine, files
of the cloud's own tools (those in ~/.aws where boto3 is installed). The address does not hold them, and no text made
here repeats them: messages are made of status and error code, not of what the client says. An endpoint other than the
cloud's own is `AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL`, http:// allowed.

`create` asks the object store for an exclusive write. A connection may end after such a write and before its answer,
and the next attempt would find the object there: each carries its writer's mark, so that a writer knows its own.
"""

import os
import re
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

import zarr.storage
from obstore import store
from obstore.exceptions import AlreadyExistsError

from study.errors import StorageError
from study.storage import Storage, checked

if TYPE_CHECKING:
    from zarr.abc.store import ByteRequest
    from zarr.core.buffer import Buffer, BufferPrototype

OUTAGE = 120.0
"""How long a request is tried again after server errors and lost connections, s."""
DEAD = 15.0
"""How long an endpoint that does not answer is tried at the first contact of a process, s."""
CONNECTING = 5.0
"""How long one attempt to connect may take, s."""
REQUEST = 120.0
"""How long one attempt of one request may take, its data included, s."""
PAUSE = 5.0
"""Longest pause between two attempts of one request, s; the first pauses are shorter, all are random."""
CONCURRENT = 16
"""Requests at the same time, from one process."""

T = TypeVar("T")
_STORES = {"s3": store.S3Store, "gs": store.GCSStore, "az": store.AzureStore}
_TRANSIENT = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 507, 509})


class Bucket(Storage):
    """A prefix in a bucket (in Azure's words, a container)."""

    def zarr(self) -> "_Reader":
        reader = _Reader(_client(self.address), read_only=True)
        reader.storage = self
        return reader

    def empty(self) -> bool:
        return self._ask("list", lambda client: not any(len(some) for some in client.list(chunk_size=1)))

    def names(self, folder: str) -> list[str]:
        found = self._ask("list", lambda client: client.list_with_delimiter(folder or None)["objects"], folder or None)
        return sorted(each["path"].rpartition("/")[2] for each in found)

    def read(self, name: str) -> bytes:
        return self._ask("read", lambda client: client.get(name).bytes().to_bytes(), name)

    def read_many(self, names: Iterable[str]) -> list[bytes]:
        return _concurrently(self.read, names)

    def write(self, name: str, data: bytes) -> None:
        self._ask("write", lambda client: client.put(name, data, use_multipart=False), name)

    def write_many(self, objects: Mapping[str, bytes]) -> None:
        _concurrently(lambda each: self.write(*each), objects.items())

    def create(self, name: str, data: bytes) -> None:
        mark = uuid4().hex

        def put(client: Any) -> bool:
            with suppress(AlreadyExistsError):
                client.put(name, data, mode="create", attributes={"writer": mark})
                return True
            with suppress(FileNotFoundError):
                return bool(client.get(name).attributes.get("writer") == mark)
            raise ConnectionError(f"cannot write {self}/{name}: another writer is about to")  # nothing is there yet

        if not self._ask("write", put, name):
            raise FileExistsError(f"{self}/{name} exists")

    def exists(self, name: str) -> bool:
        with suppress(FileNotFoundError):
            self._ask("read", lambda client: client.head(name), name)
            return True
        return False

    def delete(self, name: str) -> None:
        with suppress(FileNotFoundError):
            self._ask("delete", lambda client: client.delete(name), name)

    def free(self) -> None:
        return None

    def refuse_unwritable(self) -> None:
        name = f"probe-{uuid4().hex}"
        try:
            self.create(name, b"probe")
            with suppress(FileExistsError):
                self.create(name, b"probe")
                raise StorageError(f"cannot write to {self}: the object store has no exclusive writes (If-None-Match)")
        except OSError as error:
            raise StorageError(str(error)) from None
        finally:
            with suppress(OSError):
                self.delete(name)

    def sweep(self) -> None:
        """Do nothing: an object store forgets what was not finished."""

    def _ask(self, action: str, request: Callable[[Any], T], name: str | None = None) -> T:
        """Answer to a request, tried again for `OUTAGE` seconds while the fault is one that may go away."""
        if name is not None:
            checked(name)
        client = _client(self.address)
        end = time.monotonic() + OUTAGE
        while True:
            try:
                return request(client)
            except Exception as error:
                fault = _fault(self.address, action, name, error)
            if not isinstance(fault, ConnectionError) or time.monotonic() > end:
                raise fault  # here, not above, so that it does not carry the client's error along
            time.sleep(0.5)


class _Reader(zarr.storage.ObjectStore[Any]):
    """What zarr reads from; it pickles as its address, and its errors are clean, too."""

    storage: Bucket

    def __reduce__(self) -> tuple[Any, ...]:
        return Bucket.zarr, (self.storage,)

    async def get(
        self, key: str, prototype: "BufferPrototype", byte_range: "ByteRequest | None" = None
    ) -> "Buffer | None":
        try:
            return await super().get(key, prototype, byte_range)
        except Exception as error:
            fault = _fault(self.storage.address, "read", key, error)
        raise fault


@lru_cache(maxsize=64)
def _client(address: str) -> Any:
    """Client of this process, after a first contact that tells an endpoint where nobody answers."""
    fault = None
    try:
        _open(address, DEAD).head("zarr.json")
    except Exception as error:
        fault = _fault(address, "read", None, error)
    if isinstance(fault, StorageError | _NoAnswerError):
        raise fault
    return _open(address, OUTAGE)


def _open(address: str, patience: float) -> Any:
    kind, _, rest = address.partition("://")
    bucket, _, prefix = rest.partition("/")
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    if kind == "s3" and endpoint and not re.fullmatch(r"https?://[^/\s]+(/\S*)?", endpoint, re.IGNORECASE):
        raise StorageError("the endpoint of the object store, AWS_ENDPOINT_URL, is no http:// or https:// URL")
    plain = {"allow_http": True} if kind == "s3" and endpoint.lower().startswith("http://") else {}
    more = {"credential_provider": _profile()} if kind == "s3" else {}
    return _STORES[kind](
        bucket,
        prefix=prefix,
        client_options={
            **plain,
            "connect_timeout": timedelta(seconds=CONNECTING),
            "timeout": timedelta(seconds=min(REQUEST, patience)),
        },
        retry_config={
            "backoff": {"init_backoff": timedelta(seconds=0.1), "max_backoff": timedelta(seconds=PAUSE), "base": 2},
            "max_retries": 1000,  # the time counts
            "retry_timeout": timedelta(seconds=patience),
        },
        **more,
    )


def _profile() -> Any:
    """Credentials of the files in ~/.aws, where the environment has none and boto3 is there to read them."""
    elsewhere = {"AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_SKIP_SIGNATURE"}
    files = (
        os.environ.get("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
        os.environ.get("AWS_CONFIG_FILE", "~/.aws/config"),
    )
    if elsewhere & os.environ.keys() or not any(Path(file).expanduser().is_file() for file in files):
        return None
    with suppress(ImportError, ValueError):  # no boto3; nothing in the files
        from obstore.auth.boto3 import Boto3CredentialProvider

        return Boto3CredentialProvider()
    return None


def _concurrently(call: Callable[[Any], T], items: Iterable[Any]) -> list[T]:
    with ThreadPoolExecutor(CONCURRENT, thread_name_prefix="storage") as pool:
        try:
            return list(pool.map(call, items))
        finally:
            pool.shutdown(cancel_futures=True)  # after an error, do not start the rest


class _NoAnswerError(ConnectionError):
    """Nobody answers at the endpoint."""


def _fault(address: str, action: str, name: str | None, error: Exception) -> Exception:
    """Say what an error of the client means, without the request and its credentials."""
    if isinstance(error, StorageError) or type(error) in (ConnectionError, TypeError):
        return error
    text = str(error).partition("\n\nDebug source")[0]
    place = f"{address}/{name}" if name else address
    could_not = f"cannot {action} {place}"
    found = re.search(r"status code: (\d{3})", text)
    status = int(found[1]) if found else None
    code = re.search(r"<Code>(\w{1,60})</Code>", text)
    said = f"{status} {code[1]}" if code else str(status)
    server = re.search(r"https?://([^/?\s]+)", text)
    host = server[1].rpartition("@")[2][:100] if server else "the endpoint"
    if re.search(r"https?://(169\.254\.|metadata\.google)", text):
        return StorageError(f"{could_not}: found no credentials, neither in the environment nor of this machine")
    if status in (401, 403):
        return StorageError(f"{could_not}: access denied ({said})")
    if status == 404 and (action in ("list", "write") or re.search(r"NoSuchBucket|ContainerNotFound|ucket does", text)):
        return StorageError(f"{could_not}: no such bucket ({said})")
    if isinstance(error, FileNotFoundError):
        return FileNotFoundError(f"{place} does not exist")
    if status in _TRANSIENT or (code and code[1] == "RequestTimeout"):
        return ConnectionError(f"{could_not}: the object store keeps answering {said}")
    if "error sending request" in text:
        return _NoAnswerError(f"{could_not}: no answer from {host}")
    if "builder error" in text:
        return StorageError(f"{could_not}: the endpoint is no https:// URL")
    if re.search(r"response body|Content-Range|HTTP error", text):
        return ConnectionError(f"{could_not}: {host} does not finish its answers")
    if "redirect" in text:
        return StorageError(f"{could_not}: the bucket is in another region; set AWS_REGION")
    return StorageError(f"{could_not}: {_cleaned(text)}")


def _cleaned(text: str) -> str:
    """First line of a text, at most 300 characters, without what may be a credential."""
    text = (text.strip() or "unknown fault").splitlines()[0]
    for name, value in os.environ.items():
        secret = re.search(r"KEY|SECRET|TOKEN|SAS|PASSWORD|CREDENTIAL|CONNECTION", name)
        if secret and not name.endswith(("_FILE", "_CREDENTIALS", "_PATH")) and len(value) >= 4:
            text = text.replace(value, "…")
    text = re.sub(r"\?\S*", "", re.sub(r"//[^/\s]*@", "//", text))
    text = re.sub(r"(?i)\b(\w*(?:sig|signature|token|key|secret|credential|password)\w*\s*[=:]\s*)\S+", r"\1…", text)
    return text[:300]
