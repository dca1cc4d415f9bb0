"""Addresses: who a request comes from, and whether that address is in a list."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final, TypeAlias

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

# What a laptop, a cluster and a company use inside. Other special ranges, such as carriers', are not meant.
PRIVATE: Final[tuple[Network, ...]] = tuple(
    ipaddress.ip_network(text)
    for text in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7")
)
_MAPPED: Final = ipaddress.IPv6Network("::ffff:0:0/96")
_MOST_HOPS: Final = 32


@lru_cache(maxsize=1024)
def address_of(text: str) -> Address | None:
    """Return the address that text is, or None. An IPv4 address mapped into IPv6 is the IPv4 address.

    >>> address_of("::ffff:10.0.0.1"), address_of("fe80::1%eth0"), address_of("10.0.0.256")
    (IPv4Address('10.0.0.1'), IPv6Address('fe80::1'), None)
    """
    if len(text) > 64:
        return None
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def network_of(text: str) -> Network:
    """Return the range that text is: an address, or CIDR. Raises ValueError, with what is wrong.

    >>> network_of("10.0.0.0/8"), network_of("::ffff:10.0.0.0/104")
    (IPv4Network('10.0.0.0/8'), IPv4Network('10.0.0.0/8'))
    """
    network = ipaddress.ip_network(text)
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_MAPPED):
        mapped = network.network_address.ipv4_mapped
        return ipaddress.ip_network(f"{mapped}/{network.prefixlen - 96}")
    return network


def contains(networks: Iterable[Network], address: Address) -> bool:
    """Tell whether an address lies in one of the ranges."""
    return any(address in network for network in networks)


def client_address(
    peer: str | None, forwarded: Sequence[bytes], trusted: Sequence[Network]
) -> Address | None:
    """Return the address of the client; None if it can't be known.

    peer: who holds the connection. forwarded: every `X-Forwarded-For` header, in order; it is
        believed only as far as trusted proxies wrote it: read from the right, the first address
        that is none of theirs is the client.

    >>> proxies = [network_of("10.0.0.0/8")]
    >>> client_address("10.0.0.1", [b"6.6.6.6, 203.0.113.7, 10.0.0.2"], proxies)
    IPv4Address('203.0.113.7')
    >>> client_address("203.0.113.7", [b"10.0.0.1"], proxies)
    IPv4Address('203.0.113.7')
    """
    address = None if peer is None else address_of(peer)
    if address is None or not forwarded or not contains(trusted, address):
        return address
    hops = b",".join(forwarded).split(b",")
    for hop in reversed(hops[-_MOST_HOPS:]):
        address = address_of(hop.strip().decode("latin-1"))
        if address is None or not contains(trusted, address):
            return address
    return address
