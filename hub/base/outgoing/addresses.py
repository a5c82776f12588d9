"""Which network addresses are the open internet's, and which others an administrator allows."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# Beside what Python's ``is_global`` refuses. Source: the IANA registries of special-purpose addresses.
_SPECIAL = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",
        "192.0.0.0/24",  # protocol assignments; a cloud's metadata among them
        "192.88.99.0/24",  # relays of 6to4
        "198.18.0.0/15",  # benchmarks of network devices
        "64:ff9b:1::/48",  # NAT64 inside one network
        "100::/64",  # discarded
        "2001::/32",  # Teredo: it names a server and a client behind it
        "2001:db8::/32",
        "3fff::/20",  # documentation, as the line above
        "5f00::/16",  # segment routing
        "fec0::/10",  # site-local, given up
    )
)
# Where clouds hand their machines credentials. No wide network that is allowed opens these.
METADATA = frozenset(
    ipaddress.ip_address(text)
    for text in ("169.254.169.254", "169.254.170.2", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192")
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE = ipaddress.IPv6Network("::/96")

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\Z")
_MAX_NAME_CHARS = 253  # RFC 1035
# What the system's resolver would take for an address: "127.1", "0x7f.0.0.1", "2130706433".
_NUMERIC_END = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)\Z")


def parse_address(text: str) -> Address | None:
    """The address that a text spells in the one canonical way of its kind, or None."""
    if "%" in text:  # a zone: it names an interface of this machine
        return None
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def is_host_name(text: str) -> bool:
    """Whether a text, in lower case, can be a name in the DNS, and no address in an odd spelling."""
    return len(text) <= _MAX_NAME_CHARS and bool(_NAME.match(text)) and not _NUMERIC_END.match(text)


def plain(address: Address) -> Address:
    """The IPv4 address that an IPv6 address carries (mapped, compatible, 6to4, NAT64, ISATAP), else itself."""
    if not isinstance(address, IPv6Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    number = int(address)
    is_isatap = (number >> 32) & 0xFFFFFFFF in (0x00005EFE, 0x02005EFE)
    # "::" and "::1" are addresses of their own.
    if address in _NAT64 or is_isatap or (address in _COMPATIBLE and number > 1):
        return IPv4Address(number & 0xFFFFFFFF)
    return address


def is_public(address: Address) -> bool:
    """Whether an address is somebody's on the open internet."""
    address = plain(address)
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and address not in METADATA
        and not any(address in network for network in _SPECIAL if network.version == address.version)
    )


class AllowedHosts:
    """What an administrator allows although it is not public: names (``*.corp.example`` for all below), addresses,
    networks.
    """

    def __init__(self, entries: Iterable[str] = ()) -> None:
        """Raises ValueError for an entry that is none of these."""
        self._names: set[str] = set()
        self._suffixes: list[str] = []
        self._networks: list[Network] = []
        for entry in entries:
            self._add(entry.strip().lower().rstrip("."))

    def _add(self, entry: str) -> None:
        bare = entry.removeprefix("[").removesuffix("]")
        if "/" in bare or parse_address(bare) is not None:
            try:
                self._networks.append(ipaddress.ip_network(bare))
            except ValueError as error:
                raise ValueError(f"{entry!r} is no network: {error}") from None
        elif entry.startswith("*.") and is_host_name(entry[2:]):
            self._suffixes.append(entry[1:])
        elif is_host_name(entry):
            self._names.add(entry)
        else:
            raise ValueError(f"{entry!r} is no host name, address or network")

    def has_name(self, name: str) -> bool:
        """Whether a name, in lower case, is allowed whatever it leads to."""
        return name in self._names or name.endswith(tuple(self._suffixes))

    def has_address(self, address: Address) -> bool:
        """Whether an address, or the IPv4 address that it carries, is allowed."""
        forms = {address, plain(address)}
        return any(
            form in network and (form not in METADATA or network.num_addresses == 1)
            for form in forms
            for network in self._networks
            if form.version == network.version
        )

    def has_each(self, addresses: Sequence[Address]) -> bool:
        """Whether there are addresses, and all are allowed."""
        return bool(addresses) and all(map(self.has_address, addresses))
