"""A temporary PostgreSQL for tests, from the machine's own packages. It never runs as root."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

from deploy.local.server import ATTEMPTS, free_port

READY_S = 30.0
USER = "andon"
PASSWORD = "pl4nted-s3cret"


def binaries() -> Path | None:
    """The folder of initdb and postgres, or None."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return next((folder for folder in folders if (folder / "initdb").exists() and (folder / "postgres").exists()), None)


def missing() -> str | None:
    """The reason why PostgreSQL can't run on this machine, or None."""
    if binaries() is None:
        return "no PostgreSQL here: apt-get install postgresql"
    if os.geteuid() == 0 and _other_user() is None:
        return "PostgreSQL does not run as root, and this machine has neither a user postgres nor nobody"
    return None


class PostgresServer:
    """One server on loopback with one database. A test may `stop` and `start` it as often as it likes."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="andon-pg-"))
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self.settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off"}
        """Of postgresql.conf, for the next start."""

    @property
    def data(self) -> Path:
        """The folder with the server's files."""
        return self._folder / "data"

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://{USER}:{PASSWORD}@127.0.0.1:{self._port}/postgres"

    def start(self) -> None:
        if not (self._folder / "data").exists():
            self._make()
        options = [part for key, value in self.settings.items() for part in ("-c", f"{key}={value}")]
        with (self._folder / "postgres.log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._binary("postgres"), "-D", str(self._folder / "data"), "-p", str(self._port), *options],
                stdout=log,
                stderr=log,
                user=_run_as(),
                group=_group(),
                extra_groups=[] if _run_as() is not None else None,
            )
        self._wait()

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()  # waits for clients ("smart"), so:
            self._process.send_signal(2)  # ends their connections ("fast")
            self._process.wait(READY_S)
            self._process = None

    def empty(self) -> None:
        """Drop everything that earlier tests made."""
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            connection.execute("drop schema public cascade")
            connection.execute("create schema public")

    def __enter__(self) -> Self:
        try:
            self._start_at_a_free_port()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _dsn(self) -> str:
        return self.url.replace("+psycopg", "")

    def _binary(self, name: str) -> str:
        folder = binaries()
        assert folder is not None
        return str(folder / name)

    def _start_at_a_free_port(self) -> None:
        """Start up to ATTEMPTS times: another process can take a free port before the server listens on it."""
        for attempt in range(1, ATTEMPTS + 1):
            self._port = free_port()
            try:
                self.start()
                return
            except RuntimeError:
                if attempt == ATTEMPTS:
                    raise
                self.stop()

    def _make(self) -> None:
        password = self._folder / "password"
        password.write_text(PASSWORD)
        if (user := _run_as()) is not None:
            for path in (self._folder, password):
                os.chown(path, user, _group() or -1)
        subprocess.run(
            [
                *(self._binary("initdb"), "-D", str(self._folder / "data"), "-U", USER),
                *("--auth=scram-sha-256", f"--pwfile={password}", "--no-sync", "--locale=C", "--encoding=UTF8"),
            ],
            check=True,
            capture_output=True,
            timeout=READY_S,
            cwd=self._folder,
            user=_run_as(),
            group=_group(),
            extra_groups=[] if _run_as() is not None else None,
        )

    def _wait(self) -> None:
        deadline = time.monotonic() + READY_S
        while True:
            try:
                psycopg.connect(self._dsn, connect_timeout=2).close()
                return
            except psycopg.OperationalError:
                assert self._process is not None
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((self._folder / "postgres.log").read_text()) from None
                time.sleep(0.1)


def _other_user() -> pwd.struct_passwd | None:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None


def _run_as() -> int | None:
    user = _other_user() if os.geteuid() == 0 else None
    return None if user is None else user.pw_uid


def _group() -> int | None:
    user = _other_user() if os.geteuid() == 0 else None
    return None if user is None else user.pw_gid
