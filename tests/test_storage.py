"""Folders and object stores keep the same promises."""

import errno
import os
import pickle
import re
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from study import object_store as client
from study import storage as module
from study.errors import HotlandError, StorageError
from study.storage import Folder, Storage
from tests.object_store import KEY_ID, SECRET, Server, object_store

ODD = "a b/wärme % 1"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with object_store() as running:
        yield running


@pytest.fixture(params=["folder", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    """A place where nothing is yet, with an odd name."""
    if request.param == "folder":
        yield Storage.at(tmp_path / ODD)
    else:
        yield _bucket(request)


def _bucket(request: pytest.FixtureRequest) -> Storage:
    running: Server = request.getfixturevalue("server")
    running.proxy.well()
    return Storage.at(f"{running.url}/{re.sub('[^a-z0-9]', '-', request.node.name.lower())}/{ODD}")


@pytest.fixture
def bucket(request: pytest.FixtureRequest) -> Iterator[Storage]:
    yield _bucket(request)
    request.getfixturevalue("server").proxy.well()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Clients that give up after a second."""
    monkeypatch.setattr(client, "OUTAGE", 1.0)
    monkeypatch.setattr(client, "DEAD", 1.0)
    client._client.cache_clear()
    yield
    client._client.cache_clear()


# What both promise


def test_what_is_written_is_read(storage: Storage) -> None:
    assert storage.empty()
    assert storage.names("x") == []
    storage.write("top.json", b"1")
    assert not storage.empty()
    storage.write_many({"x/b ü.bin": b"2", "x/a": b"", "x/deeper/c": b"3"})
    storage.write("top.json", b"replaced")
    assert storage.read("top.json") == b"replaced"
    assert storage.read_many(["x/deeper/c", "x/b ü.bin", "x/a"]) == [b"3", b"2", b""]
    assert storage.names("x") == ["a", "b ü.bin"]
    assert storage.names("") == ["top.json"]
    assert storage.exists("x/a")
    assert not storage.exists("x")
    storage.delete("x/a")
    storage.delete("x/a")
    assert not storage.exists("x/a")
    storage.sweep()
    assert storage.names("x") == ["b ü.bin"]
    with pytest.raises(FileNotFoundError, match="x/a"):
        storage.read("x/a")
    with pytest.raises(FileNotFoundError):
        storage.read_many(["top.json", "x/a"])


def test_a_neighbour_with_a_longer_name_is_another_store(storage: Storage) -> None:
    Storage.at(storage.address + "2").write("a", b"")
    assert storage.empty()
    assert storage.names("") == []


def test_sent_to_another_process_it_is_the_same_place(storage: Storage) -> None:
    storage.write("a", b"1")
    pickled = pickle.dumps(storage)
    assert pickle.loads(pickled) == storage
    assert hash(pickle.loads(pickled)) == hash(storage)
    assert SECRET.encode() not in pickled
    assert len(pickled) < 300
    code = "import pickle, sys; print(pickle.loads(sys.stdin.buffer.read()).read('a'))"
    done = subprocess.run([sys.executable, "-c", code], input=pickled, capture_output=True, timeout=60.0, check=True)
    assert done.stdout.strip() == b"b'1'"


@pytest.mark.parametrize("name", ["", "/a", "../a", "a/../b", "a//b", "a/", ".", "a\0b"])
def test_no_name_leads_out_of_the_store(storage: Storage, name: str) -> None:
    for call in (
        lambda: storage.write(name, b""),
        lambda: storage.create(name, b""),
        lambda: storage.read(name),
        lambda: storage.exists(name),
        lambda: storage.delete(name),
        lambda: storage.names(name or "/"),
    ):
        with pytest.raises(ValueError, match="no name"):
            call()


def test_one_of_many_threads_creates_an_object(storage: Storage) -> None:
    start = threading.Barrier(8)

    def create(i: int) -> int | None:
        start.wait()
        try:
            storage.create("receipts/1.json", f"{i}".encode() * 1000)
        except FileExistsError:
            return None
        return i

    with ThreadPoolExecutor(8) as pool:
        winners = [i for i in pool.map(create, range(8)) if i is not None]
    assert len(winners) == 1
    assert storage.read("receipts/1.json") == f"{winners[0]}".encode() * 1000
    assert storage.names("receipts") == ["1.json"]


CREATE = """
import sys
from study.storage import Storage
storage = Storage.at(sys.argv[1])
storage.exists("warm")
print("ready", flush=True)
content = sys.stdin.readline().encode() * 1000
try:
    storage.create("receipts/1.json", content)
    print("won")
except FileExistsError:
    print("lost")
"""


def test_one_of_many_processes_creates_an_object(storage: Storage) -> None:
    command = [sys.executable, "-c", CREATE, storage.address]
    processes = [subprocess.Popen(command, stdin=-1, stdout=-1, text=True, bufsize=1) for _ in range(4)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for i, process in enumerate(processes):
        process.stdin.write(f"{i}\n")
    said = [process.communicate(timeout=60.0)[0].strip() for process in processes]
    assert sorted(said) == ["lost", "lost", "lost", "won"]
    assert storage.read("receipts/1.json") == f"{said.index('won')}\n".encode() * 1000


def test_a_reader_never_sees_half_an_object(storage: Storage) -> None:
    contents = [bytes([i]) * 200_000 for i in (1, 2)]
    storage.write("x/a", contents[0])
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            for content in contents:
                storage.write_many({"x/a": content})

    writer = threading.Thread(target=write)
    writer.start()
    try:
        seen = set()
        end = time.monotonic() + 0.5
        while time.monotonic() < end or len(seen) < 2:
            seen.add(storage.read("x/a"))
            assert storage.names("x") == ["a"]
    finally:
        stop.set()
        writer.join()
    assert seen == set(contents)


def test_readers_of_zarr_read_it_and_cannot_write(storage: Storage, tmp_path: Path) -> None:
    import zarr

    written = xr.Dataset({"heat": ("sample", np.arange(10.0))})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # consolidated metadata is not in the Zarr 3 specification
        written.to_zarr(tmp_path / "other", zarr_format=3, consolidated=True, encoding={"heat": {"chunks": (4,)}})
    files = [file for file in (tmp_path / "other").rglob("*") if file.is_file()]
    storage.write_many({str(file.relative_to(tmp_path / "other")): file.read_bytes() for file in files})
    with xr.open_zarr(storage.zarr()) as read:
        xr.testing.assert_identical(read.load(), written)
    reader = pickle.loads(pickle.dumps(storage.zarr()))
    assert zarr.open_group(reader, mode="r")["heat"][3] == 3.0
    with pytest.raises(ValueError, match="read-only"):
        zarr.open_group(storage.zarr(), mode="a")["heat"][3] = 1.0
    assert SECRET not in repr(storage.zarr())
    assert SECRET.encode() not in pickle.dumps(storage.zarr())


def test_asking_whether_it_can_be_written_leaves_nothing(storage: Storage, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    storage.refuse_unwritable()
    assert storage.empty()
    assert sorted(tmp_path.rglob("*")) == before
    storage.write("a", b"")
    storage.refuse_unwritable()
    assert storage.names("") == ["a"]


# Addresses


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("https://host/a", "cannot begin with https://"),
        ("file:///tmp/a", "cannot begin with file://"),
        ("gcs://bucket/a", "cannot begin with gcs://"),
        ("s3://", "s3://BUCKET/PREFIX"),
        ("s3:///bucket/a", "s3://BUCKET/PREFIX"),
        ("s3://bucket", "prefix is missing"),
        ("az://box/", "az://CONTAINER/PREFIX"),
        ("s3://B_CKET/a", "small letters"),
        ("s3://bucket/a//b", "no empty part"),
        ("s3://bucket/a/../b", "no empty part"),
        ("s3://bucket/" + "a" * 901, "900 bytes"),
        ("s3:/bucket/a", "begins with s3://"),
        ("s3:bucket/a", "begins with s3://"),
        ("", "empty"),
        ("a\nb", "control characters"),
        ("a\0b", "control characters"),
        ("s3://bucket/a\nb", "control characters"),
    ],
)
def test_an_address_of_no_store_is_refused(address: str, words: str) -> None:
    with pytest.raises(StorageError, match=re.escape(words)) as refusal:
        Storage.at(address)
    assert isinstance(refusal.value, HotlandError)
    assert "allowed: a folder" in str(refusal.value) or "://" in str(refusal.value)


def test_addresses_have_one_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Storage.at("a b/") == Storage.at(Path("a b")) == Storage.at(tmp_path / "a b")
    assert Storage.at("S3://bucket/a b//").address == "s3://bucket/a b"
    assert not Storage.at("gs://bucket/a").local
    assert Storage.at("x").path == tmp_path / "x"
    assert Storage.at("C:x").local
    with pytest.raises(StorageError, match="begins with s3://"):
        Storage.at(Path("s3://bucket/a"))


@given(st.text(), st.sampled_from(["s3://{0}:{1}@b/p", "s3://b{0}/p?sig={1}", "https://{0}/p#{1}", "s3://b/{0}@{1}/p"]))
def test_a_refusal_repeats_no_credentials(noise: str, form: str) -> None:
    address = form.format(noise, SECRET)
    try:
        made = Storage.at(address)
    except StorageError as error:
        said = str(error)
    else:
        assert made.local  # a folder of a very odd name
        return
    assert SECRET not in said


@given(st.text(max_size=40), st.sampled_from(["", "s3://bucket/", "gs://bucket/a", "az://box/a"]))
def test_any_text_is_an_address_or_refused(text: str, start: str) -> None:
    try:
        made = Storage.at(start + text)
    except StorageError:
        return
    assert Storage.at(made.address) == made
    assert str(pickle.loads(pickle.dumps(made))) == made.address
    if made.address.startswith("s3://"):
        opened = client._open(made.address, 1.0)
        assert opened.prefix == made.address.removeprefix("s3://bucket/")


# Folders


def test_all_is_on_disk_before_a_file_gets_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, str]] = []

    def spy(name: str, path: Any) -> None:
        told.append((name, Path(path).name))

    real = {name: getattr(os, name) for name in ("fsync", "replace", "link")}
    monkeypatch.setattr(
        os, "fsync", lambda fd: (spy("fsync", Path(f"/proc/self/fd/{fd}").readlink()), real["fsync"](fd))
    )
    monkeypatch.setattr(os, "replace", lambda old, new: (spy("name", new), real["replace"](old, new)))
    monkeypatch.setattr(os, "link", lambda old, new: (spy("name", new), real["link"](old, new)))
    storage = Storage.at(tmp_path / "new" / "store")

    storage.write_many({"x/a": b"1", "x/b": b"2"})
    named = [i for i, (what, _) in enumerate(told) if what == "name"]
    synced = {name: i for i, (what, name) in enumerate(told) if what == "fsync"}
    assert [told[i][1] for i in named] == ["a", "b"]
    drafts = [i for name, i in synced.items() if name.endswith(".partial")]
    assert len(drafts) == 2
    assert max(drafts) < min(named)
    assert synced["x"] > max(named)  # the folder with the new names
    assert {tmp_path.name, "new", "store"} <= synced.keys()  # folders with the new folders

    told.clear()
    storage.create("x/c", b"3")
    assert [what for what, _ in told] == ["fsync", "name", "fsync"]
    assert told[0][1].endswith(".partial")
    assert told[1:] == [("name", "c"), ("fsync", "x")]


def test_a_full_disk_is_recognised_and_leaves_no_drafts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = Storage.at(tmp_path)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    for call in (lambda: storage.write_many({"a": b"1", "b": b"2"}), lambda: storage.create("a", b"1")):
        with pytest.raises(OSError, match="No space") as error:
            call()
        assert error.value.errno == errno.ENOSPC
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(StorageError, match="No space left"):
        storage.refuse_unwritable()


def test_what_is_left_of_killed_writers_is_swept(tmp_path: Path) -> None:
    storage = Storage.at(tmp_path / "store")
    code = f"""
import os, signal
from study.storage import Storage
os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
Storage.at({str(tmp_path / "store")!r}).write_many({{"a": b"1", "x/b": b"2"}})
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=60.0, check=False).returncode == -9
    left = [file for file in (tmp_path / "store").rglob("*") if file.is_file()]
    assert len(left) == 2
    assert storage.names("") == storage.names("x") == []
    (tmp_path / "store" / ".mine.partial").touch()
    storage.sweep()
    assert [file.name for file in (tmp_path / "store").rglob("*") if file.is_file()] == [".mine.partial"]
    Storage.at(tmp_path / "nowhere").sweep()


def test_only_drafts_is_empty(tmp_path: Path) -> None:
    storage = Storage.at(tmp_path)
    module._draft(tmp_path / "zarr.json").touch()
    assert storage.empty()
    (tmp_path / ".hidden").touch()
    assert not storage.empty()


def test_places_that_cannot_be_written_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "nowhere").symlink_to(tmp_path / "missing" / "folder")
    for folder in (tmp_path / "file", tmp_path / "file" / "x", tmp_path / "nowhere", tmp_path / ("x" * 300), "/proc/x"):
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(StorageError, match=re.escape(f"cannot write to {folder}")):
            Storage.at(folder).refuse_unwritable()
        assert sorted(tmp_path.rglob("*")) == before
    with pytest.raises(StorageError, match="not a folder"):
        Storage.at(tmp_path / "file").empty()


def test_a_file_system_without_hard_links_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    with pytest.raises(StorageError, match="hard links"):
        Storage.at(tmp_path).refuse_unwritable()
    assert list(tmp_path.iterdir()) == []


def test_an_answer_lost_by_a_network_file_system_is_no_other_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.link

    def lost(old: Path, new: Path) -> None:
        real(old, new)
        raise FileExistsError(errno.EEXIST, "File exists")

    monkeypatch.setattr(os, "link", lost)
    Storage.at(tmp_path).create("a", b"1")
    assert Storage.at(tmp_path).read("a") == b"1"


def test_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    linked = Storage.at(tmp_path / "link")
    linked.refuse_unwritable()
    linked.write("x/a", b"1")
    assert Storage.at(tmp_path / "real").read("x/a") == b"1"
    (tmp_path / "real" / "x" / "b").symlink_to("a")
    assert linked.names("x") == ["a", "b"]


def test_many_files_are_listed_quickly(tmp_path: Path) -> None:
    names = [f"{i:08d}.json" for i in range(15_000)]
    (tmp_path / "receipts").mkdir()
    for name in names:
        (tmp_path / "receipts" / name).touch()
    start = time.process_time()
    assert Storage.at(tmp_path).names("receipts") == names
    assert time.process_time() - start < 1.0


def test_space_left(tmp_path: Path) -> None:
    free = Storage.at(tmp_path / "not" / "there").free()
    assert free is not None
    assert free == pytest.approx(os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize, rel=0.1)


# Object stores


def test_more_objects_than_a_page_are_listed(bucket: Storage) -> None:
    names = [f"{i:08d}.json" for i in range(1005)]
    bucket.write_many({f"receipts/{name}": b"" for name in names})
    assert bucket.names("receipts") == names
    assert bucket.free() is None


def test_server_errors_for_a_while_are_survived(bucket: Storage, server: Server) -> None:
    bucket.write("a", b"1")
    server.proxy.fail_for(1.5)
    began = time.monotonic()
    bucket.write_many({f"x/{i}": b"2" for i in range(20)})
    assert time.monotonic() - began > 1.4
    server.proxy.fail_for(60.0, every=3)
    assert len(bucket.names("x")) == 20
    bucket.create("y", b"3")
    assert bucket.read_many(["a", "x/3", "y"]) == [b"1", b"2", b"3"]
    with pytest.raises(FileExistsError):
        bucket.create("y", b"4")


@pytest.mark.usefixtures("impatient")
def test_server_errors_without_end_are_told(bucket: Storage, server: Server) -> None:
    server.proxy.fail_for(60.0, status=500, code="InternalError")
    with pytest.raises(ConnectionError, match="500 InternalError") as error:
        bucket.write("a", b"1")
    _is_clean(error.value)


def test_an_answer_cut_short_is_asked_for_again(bucket: Storage, server: Server) -> None:
    data = os.urandom(300_000)
    bucket.write("x/a", data)
    server.proxy.cut(2)
    assert bucket.read("x/a") == data
    assert server.proxy.cuts == 0
    server.proxy.cut(1)
    assert bucket.names("x") == ["a"]
    assert server.proxy.cuts == 0


def test_a_writer_whose_answer_was_lost_knows_its_own_object(bucket: Storage, server: Server) -> None:
    bucket.write("zarr.json", b"")
    server.proxy.well()
    server.proxy.lose(1)
    bucket.create("runs/1.json", b"1")
    assert sum(request.startswith("PUT") for request in server.proxy.requests) == 2
    with pytest.raises(FileExistsError):
        bucket.create("runs/1.json", b"1")


def test_two_writers_that_stop_each_other_try_again(bucket: Storage, server: Server) -> None:
    bucket.write("zarr.json", b"")
    server.proxy.fail_for(0.3, status=409, code="ConditionalRequestConflict")
    bucket.create("runs/1.json", b"1")
    assert bucket.read("runs/1.json") == b"1"


@pytest.mark.parametrize(
    ("status", "code"), [(403, "AccessDenied"), (403, "InvalidAccessKeyId"), (401, "Unauthorized")]
)
def test_denied_access_is_told_at_once(bucket: Storage, server: Server, status: int, code: str) -> None:
    bucket.write("a", b"1")
    for call in (
        lambda: bucket.write("a", b"2"),
        lambda: bucket.create("b", b"2"),
        lambda: bucket.read("a"),
        lambda: bucket.names("x"),
        lambda: bucket.empty(),
        lambda: bucket.delete("a"),
        lambda: bucket.refuse_unwritable(),
    ):
        server.proxy.well()
        server.proxy.fail_for(60.0, status=status, code=code)
        with pytest.raises(StorageError, match=f"access denied .{status} {code}") as error:
            call()
        assert len(server.proxy.requests) <= 2  # a probe is deleted, too
        _is_clean(error.value)


def test_a_bucket_that_is_not_there_is_told_at_once(server: Server) -> None:
    server.proxy.well()
    missing = Storage.at("s3://no-such-bucket/a")
    for call in (missing.refuse_unwritable, missing.empty, lambda: missing.read("a")):
        began = time.monotonic()
        with pytest.raises(StorageError, match=r"no such bucket .404 NoSuchBucket") as error:
            call()
        assert time.monotonic() - began < 2.0
        _is_clean(error.value)


@pytest.mark.usefixtures("impatient")
def test_an_endpoint_where_nobody_answers_is_told_soon(bucket: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://user:{SECRET}@127.0.0.1:1")
    with pytest.raises(ConnectionError, match=r"no answer from 127\.0\.0\.1:1") as error:
        bucket.read("a")
    _is_clean(error.value)
    with pytest.raises(StorageError, match="no answer"):
        bucket.refuse_unwritable()
    assert client.DEAD + client.CONNECTING < 30.0


@pytest.mark.parametrize("endpoint", ["127.0.0.1:9", "no url", "ftp://127.0.0.1"])
def test_an_endpoint_that_is_no_url_is_told_at_once(
    bucket: Storage, monkeypatch: pytest.MonkeyPatch, endpoint: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    client._client.cache_clear()
    began = time.monotonic()
    with pytest.raises(StorageError, match="endpoint"):
        bucket.refuse_unwritable()
    assert time.monotonic() - began < 2.0
    client._client.cache_clear()


def test_an_object_store_without_exclusive_writes_is_refused(bucket: Storage, server: Server) -> None:
    server.proxy.exclusive = False
    with pytest.raises(StorageError, match="no exclusive writes"):
        bucket.refuse_unwritable()
    assert bucket.empty()


def test_errors_of_readers_of_zarr_are_clean(bucket: Storage, server: Server) -> None:
    reader = bucket.zarr()
    server.proxy.fail_for(60.0, status=403, code="AccessDenied")
    with pytest.raises(StorageError, match="access denied") as error:
        xr.open_zarr(reader)
    _is_clean(error.value)


@pytest.mark.parametrize(
    "text",
    [
        f"Generic error: https://u:{SECRET}@h/p?sig={SECRET} failed",
        f"bad\n{SECRET}",
        f"token: {SECRET}x",
        f"SharedAccessSignature={SECRET}%3D rejected",
        "x" * 1000,
        "",
    ],
)
def test_texts_of_the_client_are_cleaned(text: str) -> None:
    cleaned = client._cleaned(text)
    assert SECRET not in cleaned
    assert 0 < len(cleaned) <= 300
    assert "\n" not in cleaned


def test_profiles_are_read_where_the_environment_has_no_key(
    bucket: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("boto3")
    assert client._profile() is None  # the environment has a key
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "missing"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    assert client._profile() is None
    (tmp_path / "credentials").write_text(
        f"[default]\naws_access_key_id = AKIAFILE\naws_secret_access_key = {SECRET}\n"
    )
    client._client.cache_clear()
    bucket.write("a", b"1")
    assert bucket.read("a") == b"1"
    provider = client._profile()
    assert provider()["access_key_id"] == "AKIAFILE"
    for text in (repr(bucket), repr(bucket.zarr()), repr(client._client(bucket.address))):
        assert SECRET not in text
    assert SECRET.encode() not in pickle.dumps(bucket.zarr())
    client._client.cache_clear()


def _is_clean(error: BaseException) -> None:
    """Neither the text nor anything it brings along holds credentials."""
    while error is not None:
        assert SECRET not in str(error)
        assert KEY_ID not in str(error)
        assert "\n" not in str(error)
        assert len(str(error)) < 400
        assert type(pickle.loads(pickle.dumps(error))) is type(error)
        error = error.__context__ or error.__cause__  # type: ignore[assignment]


def test_a_folder_is_no_url(tmp_path: Path) -> None:
    assert isinstance(Storage.at(tmp_path), Folder)
    assert repr(Storage.at(tmp_path)) == f"Folder(address={str(tmp_path)!r})"
