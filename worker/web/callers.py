"""Who is calling, where nobody has to say it: the address that is counted as one caller."""

import ipaddress

from worker.web.calls import Call


def caller_of(call: Call) -> str:
    """The client's address: the peer's, or what the proxy in front of this service says.

    A peer without a public address is a proxy, as Cloud Run's is. It puts the address it has seen at the end of
    `X-Forwarded-For`; what stands before that anybody may have written.
    """
    peer = call.peer or ""
    seen_by_proxy = call.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    if seen_by_proxy and _is_address(seen_by_proxy) and not _is_public(peer):
        return seen_by_proxy
    return peer


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_public(text: str) -> bool:
    return _is_address(text) and ipaddress.ip_address(text).is_global
