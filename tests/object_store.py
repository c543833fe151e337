"""A real S3 server on loopback, behind a proxy that misbehaves on demand.

with object_store() as server:
    Storage.at(server.url + "/name")  # the environment of this process and its children points there
    server.proxy.fail_for(3.0)
"""

import http.client
import os
import re
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from unittest import mock

from study import object_store as client

BUCKET = "hotland-test"
SECRET = "wJalrXUtnFEMI-K7MDENG"
KEY_ID = "AKIAIOSFODNN7EXAMPLE"


class Proxy(ThreadingHTTPServer):
    """Passes requests on to the server, unless told otherwise; counts them."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, host: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.host = host
        self.requests: list[str] = []
        """Method and path of every request, in order."""
        self.status, self.code, self.until, self.every = 503, "SlowDown", 0.0, 1
        self.cuts = self.lost = 0
        self.delay = 0.0
        self.exclusive = True
        """Without, conditions of a write are not looked at, as in an old object store."""
        self.creating = threading.Lock()

    def fail_for(self, seconds: float, *, status: int = 503, code: str = "SlowDown", every: int = 1) -> None:
        """Answer so to every request, or every second, third, ... one, from now on for so many seconds."""
        self.status, self.code, self.every = status, code, every
        self.until = time.monotonic() + seconds

    def cut(self, answers: int) -> None:
        """End the connection amid the next answers to GET."""
        self.cuts = answers

    def lose(self, answers: int) -> None:
        """Pass the next requests PUT on, but end the connection instead of answering."""
        self.lost = answers

    def well(self) -> None:
        """Behave again, and forget the count."""
        self.until, self.cuts, self.lost, self.delay, self.exclusive = 0.0, 0, 0, 0.0, True
        self.requests.clear()

    def handle_error(self, *_: object) -> None:
        """A client that has gone is none of our business."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def handle_request(self) -> None:
        proxy = self.server
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        proxy.requests.append(f"{self.command} {self.path}")
        if proxy.delay:
            time.sleep(proxy.delay)
        if time.monotonic() < proxy.until and len(proxy.requests) % proxy.every == 0:
            error = f"<Error><Code>{proxy.code}</Code><Message>for {KEY_ID}, {SECRET}</Message></Error>".encode()
            return self.answer(proxy.status, {}, error)
        if not proxy.exclusive:
            del self.headers["if-none-match"]
        connection = http.client.HTTPConnection(proxy.host, timeout=60.0)
        if self.headers.get("if-none-match"):
            with proxy.creating:  # moto looks and writes in two steps
                connection.request(self.command, self.path, body, dict(self.headers))
                response = connection.getresponse()
        else:
            connection.request(self.command, self.path, body, dict(self.headers))
            response = connection.getresponse()
        data = response.read()
        connection.close()
        if self.command == "PUT" and proxy.lost:
            proxy.lost -= 1
            self.close_connection = True
            return None
        return self.answer(response.status, dict(response.getheaders()), data)

    def answer(self, status: int, headers: dict[str, str], data: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in ("connection", "content-length", "transfer-encoding"):
                self.send_header(name, value)
        length = headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(data))
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command == "GET" and self.server.cuts and len(data) > 1:
            self.server.cuts -= 1
            self.close_connection = True
            data = data[: len(data) // 2]
        if self.command != "HEAD":
            self.wfile.write(data)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_request  # noqa: N815 (names of the base class)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@dataclass(frozen=True)
class Server:
    """A bucket that is there, and how to reach it."""

    url: str
    environment: dict[str, str]
    proxy: Proxy


@contextmanager
def object_store() -> Iterator[Server]:
    """Start server and proxy, make the bucket, and let the environment point there; end all that afterwards."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        lines = iter(process.stderr.readline, "")
        host = next(found[1] for line in lines if (found := re.search(r"Running on http://(\S+)", line)))
        threading.Thread(target=lambda: [None for _ in lines], daemon=True).start()  # else its log fills the pipe
        request = urllib.request.Request(f"http://{host}/{BUCKET}", method="PUT")
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30.0).close()
        with Proxy(host) as proxy:
            threading.Thread(target=proxy.serve_forever, daemon=True).start()
            environment = {
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{proxy.server_port}",
                "AWS_ACCESS_KEY_ID": KEY_ID,
                "AWS_SECRET_ACCESS_KEY": SECRET,
                "AWS_REGION": "us-east-1",
                "AWS_EC2_METADATA_DISABLED": "true",
                "NO_PROXY": "127.0.0.1,localhost",
                "no_proxy": "127.0.0.1,localhost",
            }
            kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
            with mock.patch.dict(os.environ, kept | environment, clear=True):
                client._client.cache_clear()
                yield Server(f"s3://{BUCKET}", environment, proxy)
            client._client.cache_clear()
            proxy.shutdown()
    finally:
        process.terminate()
        process.communicate()
