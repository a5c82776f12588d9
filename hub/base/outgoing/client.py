"""The guarded client: one request to one address, judged before anything is sent.

A host's name is looked up once and the connection goes to the very address that was judged, so nobody can answer the
second question differently. Redirects are answers like any other, and no proxy of the environment is used.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from hub.base.context import Key
from hub.base.errors import Invalid, Unavailable
from hub.base.outgoing.addresses import METADATA, Address, AllowedHosts, is_host_name, is_public, parse_address, plain
from hub.base.settings import Settings, SettingsError, split_names

if TYPE_CHECKING:
    import ssl
    from http.client import HTTPResponse

MAX_URL_CHARS = 2048
# How long a name is looked for while somebody waits to be told whether an address will do.
_CHECK_S = 2.0
_CONNECT_S = 5.0
_MAX_ADDRESSES_TRIED = 4
_MAX_HEADERS = 50
_MAX_HEADER_CHARS = 1000
_DEFAULT_PORTS = {"http": 80, "https": 443}

# (name, port) -> addresses as texts; none: there is no such name. May raise OSError.
Resolve = Callable[[str, int], Sequence[str]]


@dataclass(frozen=True)
class Answer:
    """What a server answered: its first headers, their values cut, and as much of the body as was asked for."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_cut: bool


@dataclass(frozen=True)
class Target:
    """An address, taken apart."""

    scheme: str
    host: str  # a name in lower case, or an address without brackets
    port: int
    path: str  # with the query

    @property
    def address(self) -> Address | None:
        return parse_address(self.host)

    @property
    def server(self) -> tuple[str, str, int]:
        """What a connection is to."""
        return self.scheme, self.host, self.port

    @property
    def host_header(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def _refuse(reason: str) -> Invalid:
    return Invalid(f"The hub sends nothing to this address: {reason}.", code="outgoing_refused")


def _no_answer(reason: str) -> Unavailable:
    return Unavailable(f"There was no answer: {reason}.", code="outgoing_no_answer")


# The same few addresses are asked a thousand times a second.
@lru_cache(maxsize=1024)
def _parse(url: str) -> Target:
    if len(url) > MAX_URL_CHARS:
        raise _refuse(f"it is longer than {MAX_URL_CHARS} characters")
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise _refuse("it holds a character that must be percent-encoded, or in a host name written as xn--...")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _refuse("it is no valid URL") from None
    if parts.scheme not in _DEFAULT_PORTS:
        raise _refuse("it must begin with http:// or https://")
    if "@" in parts.netloc:
        raise _refuse("it holds a user name or password")
    host = (parts.hostname or "").removesuffix(".")
    # Brackets are around IPv6 addresses and nothing else.
    is_spelt = ("[" in parts.netloc) == (":" in host) and (parse_address(host) is not None or is_host_name(host))
    if port == 0 or not is_spelt:
        raise _refuse("it names no host and port in the usual spelling")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port or _DEFAULT_PORTS[parts.scheme], path)


def resolve_by_system(name: str, port: int) -> Sequence[str]:
    """The addresses of a name as this machine knows them."""
    found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Outgoing:
    """Sends requests to public hosts, and to those others that are allowed.

    ports: those that hosts which nobody has allowed by name, address or network may be asked at. resolve: how names
    are looked up. tls: what certificates are judged by; None: the authorities that this machine trusts
    (``SSL_CERT_FILE`` names others).
    """

    def __init__(
        self,
        *,
        allowed: AllowedHosts | None = None,
        ports: frozenset[int] = frozenset(_DEFAULT_PORTS.values()),
        timeout_s: float = 10.0,
        resolve: Resolve = resolve_by_system,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._allowed = allowed or AllowedHosts()
        self._ports = ports
        self._timeout_s = timeout_s
        self._find = resolve
        self._tls = tls

    def check(self, url: str) -> None:
        """Return when the address may be sent to, as far as one can tell today: a name that nobody knows may.

        Raises Invalid (``outgoing_refused``). It may wait for the DNS, so ask outside of units of work.
        """
        target = self.parse(url)
        with contextlib.suppress(Unavailable):
            self._locate(target, _CHECK_S)

    def send(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        max_answer_bytes: int = 64 * 1024,
        timeout_s: float | None = None,
    ) -> Answer:
        """The answer to one request, whatever its status; a redirect is not followed.

        timeout_s: for all of it, from the name's look-up to the last byte; None: the setting.
        Raises Invalid (``outgoing_refused``), and Unavailable (``outgoing_no_answer``) when nobody answers in time,
        or not with HTTP, or with a certificate that is not the host's. Neither names the address.
        """
        limit_s = self._timeout_s if timeout_s is None else timeout_s
        deadline = time.monotonic() + limit_s
        target = self.parse(url)
        addresses = self._locate(target, limit_s)
        with self._dial(target, addresses, deadline) as sock, _cut_off(sock, deadline) as is_over:
            sent = {"Host": target.host_header, "Connection": "close", "Accept-Encoding": "identity", **(headers or {})}
            try:
                return _exchange(sock, target, method, body, sent, max_answer_bytes, is_over)
            except TimeoutError:
                raise _no_answer(f"it took longer than {limit_s:g} s") from None
            except (OSError, ValueError) as error:
                if is_over():
                    raise _no_answer(f"it took longer than {limit_s:g} s") from None
                raise _no_answer(f"the connection broke ({type(error).__name__})") from None

    def parse(self, url: str) -> Target:
        """An address, taken apart and not yet judged. Raises Invalid (``outgoing_refused``)."""
        return _parse(url)

    def _locate(self, target: Target, limit_s: float) -> list[Address]:
        """The addresses to connect to, all of them judged. Raises Invalid, Unavailable."""
        own = target.address
        addresses = [own] if own is not None else self._resolve(target, limit_s)
        is_allowed = self._allowed.has_name(target.host) or self._allowed.has_each(addresses)
        if any(plain(address) in METADATA and not self._allowed.has_address(address) for address in addresses):
            raise _refuse("its host is a cloud's metadata service")
        if not is_allowed and target.port not in self._ports:
            raise _refuse(f"port {target.port} is not one of those that an administrator allows")
        # One address inside is one too many: which of them is taken is not the hub's to choose.
        if not is_allowed and not all(is_public(each) or self._allowed.has_address(each) for each in addresses):
            raise _refuse("its host is not on the open internet, and no administrator has allowed it")
        return addresses

    def _resolve(self, target: Target, limit_s: float) -> list[Address]:
        found: list[str] = []

        def look() -> None:
            with contextlib.suppress(OSError, UnicodeError):
                found.extend(self._find(target.host, target.port))

        # The system's resolver has no limit of ours; whoever waits has one.
        thread = threading.Thread(target=look, name="resolve", daemon=True)
        thread.start()
        thread.join(limit_s)
        texts = list(found)
        addresses = [parse_address(text) for text in texts]
        if not texts:
            raise _no_answer(f"the name {target.host} is not known here")
        if None in addresses:  # an address with a zone, which only local ones have
            raise _refuse("its host is not on the open internet")
        return [address for address in addresses if address is not None]

    def connect(self, target: Target, timeout_s: float) -> socket.socket:
        """A connection to an address that was judged just now; whoever takes it closes it.

        Raises Invalid (``outgoing_refused``) and Unavailable (``outgoing_no_answer``).
        """
        deadline = time.monotonic() + timeout_s
        return self._dial(target, self._locate(target, timeout_s), deadline)

    def _dial(self, target: Target, addresses: Sequence[Address], deadline: float) -> socket.socket:
        sock: socket.socket | None = None
        reason = "nobody listens there"
        for address in addresses[:_MAX_ADDRESSES_TRIED]:
            limit_s = min(_CONNECT_S, deadline - time.monotonic())
            if limit_s <= 0:
                break
            try:
                sock = socket.create_connection((str(address), target.port), limit_s)
                break
            except OSError as error:
                reason = f"the connection failed ({type(error).__name__})"
        if sock is None:
            raise _no_answer(reason)
        if target.scheme == "http":
            return sock
        try:
            return self._secure(sock, target)
        except BaseException:
            sock.close()
            raise

    def _secure(self, sock: socket.socket, target: Target) -> socket.socket:
        import ssl  # deliberate: few processes ever send

        if self._tls is None:
            self._tls = ssl.create_default_context()
        try:
            return self._tls.wrap_socket(sock, server_hostname=target.host)
        except ssl.SSLCertVerificationError as error:
            raise _no_answer(f"its certificate is not good ({error.verify_message or 'not verified'})") from None
        except OSError as error:
            raise _no_answer(f"TLS could not be agreed on ({type(error).__name__})") from None


@contextlib.contextmanager
def _cut_off(sock: socket.socket, deadline: float) -> Iterator[Callable[[], bool]]:
    """Cut the connection off at the deadline: time-outs of a socket begin anew with every byte that arrives."""
    remaining_s = max(deadline - time.monotonic(), 0.001)
    sock.settimeout(remaining_s)

    def cut() -> None:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(remaining_s, cut)
    timer.daemon = True
    timer.start()
    try:
        yield lambda: time.monotonic() >= deadline
    finally:
        timer.cancel()


def _exchange(
    sock: socket.socket,
    target: Target,
    method: str,
    body: bytes | None,
    headers: Mapping[str, str],
    max_bytes: int,
    is_over: Callable[[], bool],
) -> Answer:
    """Send and receive. Raises OSError, and ValueError for what is no HTTP."""
    from http.client import HTTPConnection, HTTPException

    connection = HTTPConnection(target.host, target.port)
    # Connected already, to the address that was judged; there is no second one.
    connection.sock = sock
    connection.auto_open = 0
    try:
        connection.request(method, target.path, body, dict(headers))
        response: HTTPResponse
        with connection.getresponse() as response:
            received = response.read(max_bytes + 1)
    except HTTPException as error:
        raise ValueError(type(error).__name__) from error
    if is_over() and len(received) <= max_bytes:
        raise TimeoutError
    shown = {name: value[:_MAX_HEADER_CHARS] for name, value in response.getheaders()[:_MAX_HEADERS]}
    return Answer(response.status, shown, received[:max_bytes], len(received) > max_bytes)


OUTGOING: Key[Outgoing] = Key("base.outgoing")


def create_outgoing(settings: Settings) -> Outgoing:
    """The client that the settings describe. Raises SettingsError for one that cannot be used."""
    try:
        allowed = AllowedHosts(split_names(settings.outgoing_allowed_hosts))
    except ValueError as error:
        raise SettingsError(f"setting outgoing_allowed_hosts: {error}") from None
    try:
        ports = frozenset(int(text) for text in split_names(settings.outgoing_ports))
    except ValueError:
        raise SettingsError(f"setting outgoing_ports: {settings.outgoing_ports[:80]!r} are no numbers") from None
    return Outgoing(allowed=allowed, ports=ports, timeout_s=settings.outgoing_timeout_s)
