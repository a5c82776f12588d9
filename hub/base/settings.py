"""Settings: defaults, then ``hub.toml``, then ``HUB_*`` variables, parsed once into a frozen dataclass."""

from __future__ import annotations

import dataclasses
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, get_type_hints
from urllib.parse import urlsplit

S = TypeVar("S")

# What a value can be read as.
SETTING_TYPES = (str, int, bool, Path)
# What it can be read from: what else TOML has would be taken for a text.
_SINGLE = (str, int, bool, float)

# What Kubernetes puts into every container for a service that is called hub-NAME.
_SERVICE_LINK = re.compile(r"\w+_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)")

# By which `hub serve` tells its processes where the settings came from that it hands them as variables.
_ORIGINS_VARIABLE = "HUB_ORIGINS"
MIN_API_TOKEN_LENGTH = 32

MIB = 1024 * 1024
GIB = 1024 * MIB


class SettingsError(Exception):
    """A setting that cannot be used; the start stops with this message."""


def setting(default: Any, help: str, *, unit: str = "", secret: bool = False) -> Any:
    """A settings field: its default, one line of help, its unit, and whether ``hub config show`` masks it."""
    return field(default=default, metadata={"help": help, "unit": unit, "secret": secret})


def _default_home() -> Path:
    data_home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data_home) / "hub"


@dataclass(frozen=True)
class Settings:
    """Every setting of the core. ``home`` is the one data directory; paths left empty lie below it.

    The environment's name of a setting is ``HUB_`` and the field in capitals; in ``hub.toml`` it is the field.
    """

    home: Path = field(
        default_factory=_default_home, metadata={"help": "the data directory", "unit": "path", "secret": False}
    )
    host: str = setting("127.0.0.1", "address that the web server listens on")
    port: int = setting(8080, "port that the web server listens on")
    base_url: str = setting("", "address by which clients reach the hub; empty: http://HOST:PORT")
    internal_url: str = setting("", "address by which git hooks and `hub ssh` reach `hub web`; empty: http://HOST:PORT")
    ssh_host: str = setting("127.0.0.1", "address that the SSH server listens on")
    ssh_port: int = setting(2222, "port of the SSH server; 0 switches it off in `hub serve`")
    ssh_public_host: str = setting("", "host name in SSH clone addresses; empty: the host of base_url")
    database_url: str = setting("", "SQLAlchemy address of the database; empty: SQLite in the home", secret=True)
    redis_url: str = setting("", "address of Redis; empty: `hub serve` runs one of its own", secret=True)
    storage_url: str = setting("", "file:///path, or s3://KEY:SECRET@HOST:PORT/BUCKET?region=&secure=", secret=True)
    storage_direct: bool = setting(True, "with S3: clients transfer by presigned addresses instead of through the hub")
    storage_public_url: str = setting("", "with S3: address that clients reach the store by, when it differs")
    repositories_dir: str = setting("", "directory of the Git repositories; empty: below the home")
    compute: str = setting("local", "compute driver: local, fake, or that of a plugin")
    compute_overcommit_percent: int = setting(
        100, "cores and memory that may be promised to workloads, of those that there are", unit="percent"
    )
    compute_snapshot_ttl_s: int = setting(
        86_400, "how long files that were prepared for workloads are kept unused", unit="seconds"
    )
    compute_isolation: str = setting("auto", "local driver: auto (a bubblewrap sandbox where that works) or none")
    compute_ports: str = setting("20000-20999", "local driver: ports of the loopback interface for workloads")
    compute_max_jobs: int = setting(1, "local driver: jobs that run at once; more wait", unit="jobs")
    compute_keep_running: bool = setting(
        False, "local driver: whether workloads go on when the hub is stopped in order; after a crash they do anyway"
    )
    compute_stop_grace_s: int = setting(
        10, "local driver: how long a workload has to end when it is told to; notebooks twice that", unit="seconds"
    )
    compute_restart_delay_ms: int = setting(
        1000, "local driver: wait before a workload that died is started again; doubled each time", unit="milliseconds"
    )
    compute_scale_window_s: int = setting(
        60, "local driver: how long fewer instances must have been enough before there are fewer", unit="seconds"
    )
    edition: str = setting("ce", "ce, or lite for one person's machine; a licence makes ce the enterprise edition")
    license_file: str = setting(
        "", "licence file that is in force instead of an imported one; read again as it changes"
    )
    secret_key: str = setting("", "key of signatures and encryption; empty: made once, kept in the home", secret=True)
    api_token: str = setting(
        "", "token of other services, 32 characters or more: acts for any user; empty: off", secret=True
    )
    registration: bool = setting(True, "whether people may create accounts themselves")
    max_blob_size_bytes: int = setting(10 * MIB, "largest file in a push that is no LFS object", unit="bytes")
    max_lfs_object_size_bytes: int = setting(5 * 1024 * GIB, "largest LFS object", unit="bytes")
    max_push_size_bytes: int = setting(2 * GIB, "largest pack that one push may send", unit="bytes")
    quota_bytes: int = setting(0, "storage of one namespace unless it has its own; 0: no limit", unit="bytes")
    proposal_quota_bytes: int = setting(
        10 * GIB, "large files that one account brings for pull requests where it may not write", unit="bytes"
    )
    min_free_disk_bytes: int = setting(256 * MIB, "writes are refused when the disk has less", unit="bytes")
    lfs_url_ttl_s: int = setting(259_200, "how long a signed transfer address is good", unit="seconds")
    lfs_part_size_bytes: int = setting(50 * MIB, "smallest part of a multipart upload", unit="bytes")
    lfs_batch_limit: int = setting(1000, "objects in one LFS batch request", unit="objects")
    git_timeout_s: int = setting(3600, "longest time of one git transfer", unit="seconds")
    git_concurrency: int = setting(16, "git processes that one web worker runs at once", unit="processes")
    pack_cache_size_bytes: int = setting(4 * GIB, "disk space of the cache of packed objects; 0: off", unit="bytes")
    web_workers: int = setting(1, "worker processes of the web server", unit="processes")
    gateway_port: int = setting(0, "port of a server of its own for /v1 and the like; 0: the web server answers alone")
    gateway_workers: int = setting(1, "worker processes of that server", unit="processes")
    job_workers: int = setting(1, "job workers that `hub serve` starts", unit="processes")
    request_body_limit_bytes: int = setting(32 * MIB, "largest JSON or form body", unit="bytes")
    trusted_proxies: str = setting(
        "", "addresses or networks of the proxies whose X-Forwarded-For, -Proto, -Host, -Prefix are believed, by commas"
    )
    rate_limit_account: int = setting(
        6000, "API requests in a minute of one token, or of one account without; 0: no limit", unit="requests"
    )
    rate_limit_address: int = setting(
        3000, "API requests in a minute from one address without a credential; 0: no limit", unit="requests"
    )
    session_ttl_s: int = setting(1_209_600, "how long a browser session lasts unused", unit="seconds")
    second_factor_required: str = setting(
        "nobody", "who with a password must have a second factor: nobody, administrators or everybody"
    )
    undelete_ttl_s: int = setting(604_800, "how long a deleted repository can be brought back", unit="seconds")
    outgoing_allowed_hosts: str = setting(
        "", "names (*.corp.example: all below), addresses and networks that webhooks may reach although not public"
    )
    outgoing_ports: str = setting("80,443,8080,8443", "ports of other hosts that webhooks may reach")
    outgoing_timeout_s: int = setting(10, "longest time of one request to an address that a user gave", unit="seconds")
    webhook_log_ttl_s: int = setting(2_592_000, "how long the log of webhook deliveries is kept", unit="seconds")
    notification_ttl_s: int = setting(
        7_776_000, "how long a notification is kept after its user has read it", unit="seconds"
    )
    mail_url: str = setting(
        "log:", "log:, smtp://USER:PASSWORD@HOST:PORT?starttls=auto|required|off, or smtps://", secret=True
    )
    mail_from: str = setting(
        "", "address that e-mail comes from: Hub <hub@example.org>; empty: hub@ the base_url's host"
    )
    mail_ttl_s: int = setting(2_592_000, "how long it is kept which e-mail was sent", unit="seconds")
    client_event_ttl_s: int = setting(2_592_000, "how long clients' reports of their use are kept", unit="seconds")
    viewer_table_ttl_s: int = setting(
        2_592_000, "how long a table that was made Parquet for the viewer is kept unused", unit="seconds"
    )
    viewer_table_max_bytes: int = setting(
        5 * GIB, "how much of one split the viewer makes Parquet; what is beyond is left out", unit="bytes"
    )
    activity_ttl_s: int = setting(34_560_000, "how long what people did is kept", unit="seconds")
    file_downloads_ttl_s: int = setting(
        15_552_000, "how long downloads are kept by file; by repository they are kept for good", unit="seconds"
    )
    theme: str = setting("default", "theme of the pages: a folder in themes/")
    home_title: str = setting("", "title of the first page for who is not signed in; empty: the hub's own")
    home_text: str = setting("", "text below that title; empty: the hub's own")
    plugins: str = setting("", "names of plugins to run beside those of the edition, with commas between")
    plugins_disabled: str = setting("", "names of plugins not to run, with commas between; their tables stay")
    plugins_strict: bool = setting(False, "whether a plugin that is broken stops the start")
    log_level: str = setting("info", "debug, info, warning or error")
    log_style: str = setting("text", "text or json")

    @property
    def effective_base_url(self) -> str:
        """The public address without a trailing slash."""
        return (self.base_url or f"http://{self._reachable_host}:{self.port}").rstrip("/")

    @property
    def effective_internal_url(self) -> str:
        """The address of `hub web` as seen from this machine, without a trailing slash."""
        return (self.internal_url or f"http://{self._reachable_host}:{self.port}").rstrip("/")

    @property
    def _reachable_host(self) -> str:
        return "127.0.0.1" if self.host in ("0.0.0.0", "::", "") else self.host

    @property
    def effective_ssh_host(self) -> str:
        """The host name that SSH clone addresses carry."""
        return self.ssh_public_host or urlsplit(self.effective_base_url).hostname or "localhost"

    @property
    def effective_database_url(self) -> str:
        """The database's address, in the spelling that SQLAlchemy wants."""
        url = self.database_url or f"sqlite:///{self.home / 'hub.db'}"
        for short in ("postgres://", "postgresql://"):
            if url.startswith(short):
                return "postgresql+psycopg://" + url.removeprefix(short)
        return url

    @property
    def effective_storage_url(self) -> str:
        """The object store's address."""
        return self.storage_url or f"file://{self.home / 'objects'}"

    @property
    def repositories_path(self) -> Path:
        """The directory of the Git repositories."""
        return Path(self.repositories_dir) if self.repositories_dir else self.home / "repositories"

    @property
    def run_path(self) -> Path:
        """Directory of sockets, process ids and the embedded Redis."""
        return self.home / "run"

    @property
    def cache_path(self) -> Path:
        """Directory of what can be made again."""
        return self.home / "cache"


@dataclass(frozen=True)
class SectionValues:
    """What an operator has set for the plugins, not yet judged: that takes the plugins' own declarations.

    tables: the file's ``[plugin.NAME]`` tables by name. environ: the variables, of which ``HUB_NAME_KEY`` counts.
    """

    tables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class LoadedSettings:
    """Settings together with where each value came from: "default", "file" or "environment"."""

    settings: Settings
    origins: Mapping[str, str]
    sections: SectionValues


def load_section(cls: type[S], name: str, given: SectionValues) -> tuple[S, dict[str, str]]:
    """A plugin's settings and the origin of each value.

    cls: a frozen dataclass whose fields are made by ``setting``. Raises SettingsError for a key that it does not
    have, in the file or in a variable, and for a value that cannot be used.
    """
    kinds = get_type_hints(cls)
    prefix = f"HUB_{name.upper()}_"
    names = [item.name for item in dataclasses.fields(cls)]  # type: ignore[arg-type]  # the host lets dataclasses in only
    values: dict[str, Any] = {}
    origins = dict.fromkeys(names, "default")
    core = {f"HUB_{item.name.upper()}" for item in dataclasses.fields(Settings)}
    from_environ = {
        variable.removeprefix(prefix).lower(): raw
        for variable, raw in given.environ.items()
        if variable.startswith(prefix) and variable not in core and not _is_service_link(variable, raw)
    }
    table = given.tables.get(name, {})
    for origin, source in (("file", table), ("environment", from_environ)):
        for key, raw in source.items():
            where = f"[plugin.{name}] {key}" if origin == "file" else f"{prefix}{key.upper()}"
            if key not in names:
                known = ", ".join(names) or "none"
                raise SettingsError(f"{where}: the plugin {name!r} has no setting {key!r}; it has: {known}")
            values[key] = _parse(where, kinds[key], raw)
            origins[key] = origin
    try:
        return cls(**values), origins
    except ValueError as error:
        raise SettingsError(f"settings of the plugin {name!r}: {error}") from None


def _is_service_link(variable: str, raw: str) -> bool:
    is_address = variable.endswith("_PORT") and raw.partition("://")[0] in ("tcp", "udp", "sctp")
    return is_address or _SERVICE_LINK.fullmatch(variable) is not None


def split_names(text: str) -> tuple[str, ...]:
    """The names in a setting that lists them: separated by commas, blanks or lines; each once."""
    return tuple(dict.fromkeys(text.replace(",", " ").split()))


def _parse(name: str, kind: type, raw: Any) -> Any:
    try:
        if isinstance(raw, list) and kind is str and all(type(item) in _SINGLE for item in raw):
            return ",".join(map(str, raw))  # TOML has lists where a variable has commas
        if type(raw) not in _SINGLE:
            raise ValueError("not a single value")
        if kind is bool:
            if isinstance(raw, bool):
                return raw
            word = str(raw).strip().lower()
            if word in ("1", "true", "yes", "on"):
                return True
            if word in ("0", "false", "no", "off", ""):
                return False
            raise ValueError("not a yes or no")
        if kind is int:
            if isinstance(raw, bool):
                raise ValueError("not a number")
            return int(raw)
        if kind is Path:
            return Path(raw).expanduser().absolute()
        return str(raw)
    except ValueError as error:
        raise SettingsError(f"setting {name}: {str(raw)[:80]!r} cannot be used: {error}") from None


def load(environ: Mapping[str, str] | None = None, file: Path | None = None) -> LoadedSettings:
    """Read the settings.

    The file is ``file``, else the variable ``HUB_CONFIG``, else ``hub.toml`` in the home, when it exists.
    Raises SettingsError for a key that no setting has (in the file), an unreadable file or value.
    """
    environ = os.environ if environ is None else environ
    kinds = get_type_hints(Settings)
    values: dict[str, Any] = {}
    origins: dict[str, str] = {item.name: "default" for item in dataclasses.fields(Settings)}

    home = Path(environ["HUB_HOME"]).expanduser().absolute() if environ.get("HUB_HOME") else _default_home()
    path = file or (Path(environ["HUB_CONFIG"]) if environ.get("HUB_CONFIG") else home / "hub.toml")
    tables: dict[str, Mapping[str, Any]] = {}
    if file or environ.get("HUB_CONFIG") or path.exists():
        content = _read_file(path)
        tables = _plugin_tables(path, content.pop("plugin", {}))
        for name, raw in content.items():
            if name not in kinds or name.startswith("_"):
                raise SettingsError(f"{path.name}: there is no setting {name!r}; `hub config show` lists them all")
            values[name] = _parse(name, kinds[name], raw)
            origins[name] = "file"
    for item in dataclasses.fields(Settings):
        raw = environ.get(f"HUB_{item.name.upper()}")
        if raw is not None:
            values[item.name] = _parse(f"HUB_{item.name.upper()}", kinds[item.name], raw)
            origins[item.name] = "environment"
    origins |= {name: origin for name, origin in _told_origins(environ).items() if origins.get(name) == "environment"}
    _check_api_token(values.get("api_token", ""))
    hub_variables = {name: value for name, value in environ.items() if name.startswith("HUB_")}
    return LoadedSettings(Settings(**values), origins, SectionValues(tables, hub_variables))


def _check_api_token(token: str) -> None:
    if token and (len(token) < MIN_API_TOKEN_LENGTH or not token.isascii() or not token.isprintable() or " " in token):
        raise SettingsError(
            f"setting api_token: it must have {MIN_API_TOKEN_LENGTH} or more letters, digits and signs; "
            "`openssl rand -hex 64` makes one"
        )


def _plugin_tables(path: Path, found: Any) -> dict[str, Mapping[str, Any]]:
    if not isinstance(found, dict) or not all(isinstance(table, dict) for table in found.values()):
        raise SettingsError(f"{path.name}: 'plugin' holds tables only: [plugin.NAME]")
    return found


def _read_file(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as stream:
            return tomllib.load(stream)
    except FileNotFoundError:
        raise SettingsError(f"there is no settings file {path}") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path.name} is no valid TOML: {error}") from None


def environment_of(settings: Settings, origins: Mapping[str, str] | None = None) -> dict[str, str]:
    """The ``HUB_*`` variables that make a child process load these very settings.

    origins: where the values came from, as the child tells it, too; None: from its environment.
    """
    variables = {f"HUB_{item.name.upper()}": str(getattr(settings, item.name)) for item in dataclasses.fields(Settings)}
    if origins is not None:
        variables[_ORIGINS_VARIABLE] = ",".join(f"{name}={origin}" for name, origin in origins.items())
    return variables


def _told_origins(environ: Mapping[str, str]) -> dict[str, str]:
    """Where a parent process says that the values of its settings came from."""
    pairs = [pair.partition("=")[::2] for pair in environ.get(_ORIGINS_VARIABLE, "").split(",")]
    return {name: origin for name, origin in pairs if origin in ("default", "file", "environment")}
