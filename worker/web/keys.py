"""Who may call: named secrets, sent as bearer tokens."""

import hashlib
import hmac
import re
from collections.abc import Mapping

from services.errors import ConfigurationError

SHORTEST_SECRET = 16

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_SECRET = re.compile(r"[!-~]*")
_FIX = (
    f"Set WORKER_API_KEYS to name:secret pairs, separated by commas; names of letters, digits and _.-, secrets of at "
    f"least {SHORTEST_SECRET} ASCII characters without blanks, no name or secret twice. Without it IAM alone decides."
)


class ApiKeys:
    """The keys of one service. Only digests of the secrets are kept."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._digests = {name: _digest(secret) for name, secret in secrets.items()}

    def name_of(self, authorization: str | None) -> str | None:
        """The name of the key in an `Authorization` header; None for none, or one that is unknown.

        All keys are compared, each in constant time: how long it takes tells nothing about any of them.
        """
        scheme, _, secret = (authorization or "").partition(" ")
        given = _digest(secret.strip())
        matches = [name for name, digest in self._digests.items() if hmac.compare_digest(digest, given)]
        return matches[0] if matches and scheme.lower() == "bearer" else None


def parse_keys(text: str) -> ApiKeys:
    """The keys in the setting `WORKER_API_KEYS`.

    Raises `ConfigurationError`, which tells a bad entry by its place: what looks like a name may be a secret.
    """
    secrets: dict[str, str] = {}
    for place, entry in enumerate(text.split(","), start=1):
        name, _, secret = entry.strip().partition(":")
        if (problem := _problem(name, secret, secrets)) is not None:
            raise ConfigurationError(f"WORKER_API_KEYS is wrong: entry {place} {problem}.", fix=_FIX)
        secrets[name] = secret
    return ApiKeys(secrets)


def _problem(name: str, secret: str, known: Mapping[str, str]) -> str | None:
    if not _NAME.fullmatch(name):
        return "has no valid name before its colon"
    if len(secret) < SHORTEST_SECRET:
        return f"has a secret of fewer than {SHORTEST_SECRET} characters"
    if not _SECRET.fullmatch(secret):  # no header could be relied on to bring it as it is written here
        return "has a blank, or a character beyond ASCII, in its secret"
    if name in known:
        return "has the name of another one"
    return "has the secret of another one" if secret in known.values() else None


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()
