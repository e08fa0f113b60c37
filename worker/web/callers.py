"""Who is calling, where nobody has to say it: the address that is counted as one caller."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from worker.web.calls import Call

HOUSEHOLD_BITS = 64
"""Of an IPv6 address this much is given to a customer, who has all addresses behind it."""


def caller_of(call: Call) -> str:
    """The client's address: the peer's, or what the proxy in front of this service says.

    A peer without a public address is a proxy, as Cloud Run's is. It puts the address it has seen at the end of
    `X-Forwarded-For`; what stands before that anybody may have written.
    """
    peer = call.peer or ""
    address = _address(peer)
    if address is None or not address.is_global:
        seen_by_proxy = call.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
        address = _address(seen_by_proxy) or address
    return peer if address is None else _counted_as(address)


def _counted_as(address: IPv4Address | IPv6Address) -> str:
    if isinstance(address, IPv4Address):
        return str(address)
    return str(IPv6Network((int(address), HOUSEHOLD_BITS), strict=False))


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
