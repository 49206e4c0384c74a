"""A small storage that speaks as much of S3 as a reader needs: list, head and get, of the files in a folder."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape


@contextmanager
def storage(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Serve the buckets that are folders in `folder`; give the address, and a list that receives what is asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self, status: int, body: bytes, kind: str = "application/xml", size: int | None = None, **more: str) -> None:
            self.send_response(status)
            for name, value in {"Content-Type": kind, "Content-Length": str(len(body) if size is None else size), **more}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            name, options = unquote(url.path).strip("/"), {key: value[0] for key, value in parse_qs(url.query).items()}
            asked.append(f"{self.command} {name}")
            path = folder / name
            if "list-type" in options:
                self.answer(200, listing(folder, name, options).encode())
            elif path.is_dir() and "/" not in name:
                self.answer(200, b"")
            elif not path.is_file() or "Authorization" not in self.headers:
                self.answer(404, b"<Error><Code>NoSuchKey</Code><Message>no such key</Message></Error>")
            else:
                data, about = path.read_bytes(), {"Last_Modified": formatdate(path.stat().st_mtime, usegmt=True), "ETag": '"1"'}
                first, last = 0, len(data) - 1
                if wanted := self.headers.get("Range"):
                    first, last = (int(part) for part in wanted.removeprefix("bytes=").split("-"))
                part = data[first : last + 1]
                about["Content_Range"] = f"bytes {first}-{first + len(part) - 1}/{len(data)}"
                self.answer(206 if wanted else 200, part, "application/octet-stream", len(part), **about)

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def listing(folder: Path, bucket: str, options: dict[str, str]) -> str:
    """One page of a list of keys, of two at most."""
    start, prefix = int(options.get("continuation-token", "0")), options.get("prefix", "")
    files = sorted(path for path in (folder / bucket).rglob("*") if path.is_file())
    keys = [(key, path) for path in files if (key := path.relative_to(folder / bucket).as_posix()).startswith(prefix)]
    most = min(2, int(options.get("max-keys", "2")))
    shown = "".join(
        f"<Contents><Key>{escape(key)}</Key><Size>{path.stat().st_size}</Size><ETag>1</ETag>"
        f"<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
        for key, path in keys[start : start + most]
    )
    more = len(keys) > start + most
    token = f"<NextContinuationToken>{start + most}</NextContinuationToken>" if more else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Name>{bucket}</Name><Prefix>{escape(prefix)}</Prefix><KeyCount>{len(keys[start : start + most])}</KeyCount>"
        f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}{shown}</ListBucketResult>"
    )
