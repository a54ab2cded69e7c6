"""Who is counted as one: the source of a connection on the network."""

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

MOST_CHARACTERS = 64  # of what is no address, such as a test client's name


@lru_cache(maxsize=1024)
def of_host(host: str) -> str:
    """An IPv4 address, or the /64 network of an IPv6 one, since a household has all of that."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host[:MOST_CHARACTERS] or "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped) if mapped else str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def as_seen(named: Iterable[str]) -> list[str]:
    """The addresses and networks, those of IPv4 also as they appear at a listener of both (RFC 4291, 2.5.5.2)."""
    found = []
    for each in named:
        found.append(each)
        network = ipaddress.ip_network(each)
        if network.version == 4:
            mapped = f"::ffff:{network.network_address}"
            found.append(f"{mapped}/{96 + network.prefixlen}" if "/" in each else mapped)
    return found
