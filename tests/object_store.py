"""An S3-compatible store that speaks the few calls that the site uses, and checks every signature."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ACCESS_KEY, SECRET, BUCKET, REGION = "ada", "quiet/reading+room", "files", "eu-north-1"
PAGE = 3
"""Objects in one page of a listing: few, so that listings have several pages."""


class ObjectStoreServer:
    """`objects` has the content by name; `requests` the methods and paths that were asked for."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.requests: list[tuple[str, str]] = []
        self.fault = ""
        """The code of the error with which every request is answered."""
        store = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                store._connections.append(self.connection)

            def answer_request(self) -> None:
                store.requests.append((self.command, self.path))
                content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, body, headers = store.answer(self, content)
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_HEAD = do_PUT = do_DELETE = answer_request

            def log_message(self, *args: Any) -> None:
                pass

        self._handler = Handler
        self._port = 0
        self._connections: list[socket.socket] = []
        self.start()

    def start(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), self._handler)
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, name="object store", daemon=True).start()

    def stop(self) -> None:
        """Ends all connections, and refuses new ones until it is started again."""
        self._server.shutdown()
        self._server.server_close()
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def url(self, key: str = ACCESS_KEY, secret: str = SECRET, bucket: str = BUCKET, prefix: str = "/site") -> str:
        encoded = secret.replace("/", "%2F").replace("+", "%2B")
        return f"s3+http://{key}:{encoded}@127.0.0.1:{self._port}/{bucket}{prefix}?region={REGION}"

    def answer(self, request: BaseHTTPRequestHandler, content: bytes) -> tuple[int, bytes, dict[str, str]]:
        parts = urlsplit(request.path)
        bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
        if fault := self.fault or find_fault(request, bucket):
            return refuse(503 if fault == "SlowDown" else 404 if fault == "NoSuchBucket" else 403, fault)
        match request.command:
            case "PUT":
                self.objects[key] = content
                return 200, b"", {"ETag": '"0"'}
            case "DELETE":
                self.objects.pop(key, None)
                return 204, b"", {}
            case "GET" if not key:
                return 200, self.list_page({name: value[0] for name, value in parse_qs(parts.query).items()}), {}
        if key not in self.objects:
            return refuse(404, "NoSuchKey")
        return 200, self.objects[key], {"Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT", "ETag": '"0"'}

    def list_page(self, query: dict[str, str]) -> bytes:
        prefix, marker = query.get("prefix", ""), query.get("marker", "")
        entries = sorted({prefix + cut(name.removeprefix(prefix)) for name in self.objects if name.startswith(prefix)})
        later = [entry for entry in entries if entry > marker]
        page = later[:PAGE]
        return f"<ListBucketResult>{''.join(write_page(page, is_cut=len(later) > PAGE))}</ListBucketResult>".encode()


def cut(name: str) -> str:
    """The name of a folder or of a file within the folder that is listed."""
    folder, slash, _ = name.partition("/")
    return folder + slash


def write_page(page: list[str], *, is_cut: bool) -> Iterator[str]:
    yield f"<IsTruncated>{str(is_cut).lower()}</IsTruncated>"
    if is_cut:
        yield f"<NextMarker>{escape(page[-1])}</NextMarker>"
    for entry in page:
        if entry.endswith("/"):
            yield f"<CommonPrefixes><Prefix>{escape(entry)}</Prefix></CommonPrefixes>"
        else:
            yield f"<Contents><Key>{escape(entry)}</Key><Size>1</Size></Contents>"


def refuse(status: int, code: str) -> tuple[int, bytes, dict[str, str]]:
    return status, f"<Error><Code>{code}</Code><Message>No.</Message></Error>".encode(), {}


def find_fault(request: BaseHTTPRequestHandler, bucket: str) -> str:
    """The code of the error that a store would answer with, or ""."""
    authorization = request.headers.get("Authorization", "")
    if f"Credential={ACCESS_KEY}/" not in authorization:
        return "InvalidAccessKeyId"
    if f"/{REGION}/s3/aws4_request" not in authorization:
        return "AuthorizationHeaderMalformed"
    if sign(request) != authorization.rpartition("Signature=")[2]:
        return "SignatureDoesNotMatch"
    return "" if bucket == BUCKET else "NoSuchBucket"


def sign(request: BaseHTTPRequestHandler) -> str:
    signed = request.headers["Authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    again = AWSRequest(
        method=request.command,
        url=f"http://{request.headers['Host']}{request.path}",
        headers={name: request.headers[name] for name in signed},
    )
    moment = datetime.strptime(request.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    again.context["timestamp"] = moment.strftime("%Y%m%dT%H%M%SZ")
    auth = S3SigV4Auth(Credentials(ACCESS_KEY, SECRET), "s3", REGION)
    return str(auth.signature(auth.string_to_sign(again, auth.canonical_request(again)), again))
