"""Who is counted as one: the source of a connection on the network."""

import ipaddress

MOST_CHARACTERS = 64  # of what is no address, such as a test client's name


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
