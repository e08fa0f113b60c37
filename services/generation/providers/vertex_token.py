"""The access token that calls to Vertex AI carry, and its renewal.

The library renews a token by the clock, before it expires; one that the service refuses earlier (revoked, or the clock
is wrong) it keeps sending (https://github.com/googleapis/google-auth-library-python/issues/787).
"""

import asyncio
from collections.abc import Callable
from typing import Any

import google.auth
import google.auth.transport.requests
from google.auth.exceptions import DefaultCredentialsError

from services.generation.providers.vertex_stubs import Transport


def _application_default() -> Any:
    try:
        credentials, _ = google.auth.default(scopes=Transport.AUTH_SCOPES)
    except OSError as error:  # GOOGLE_APPLICATION_CREDENTIALS names a folder, or what may not be read
        raise DefaultCredentialsError(str(error)) from error
    return credentials


class AccessToken:
    """The token of one process, shared by all its connections. `find` looks for credentials, at first need.

    Looking for them and renewing read files and ask servers, so both run on a thread.
    """

    def __init__(self, find: Callable[[], Any] = _application_default) -> None:
        self._find = find
        self._credentials: Any = None
        self._changing = asyncio.Lock()
        self.version = 0
        """How often the token was renewed because it was refused."""

    async def credentials(self) -> Any:
        """The credentials that have it. Raises `GoogleAuthError` where there are none."""
        async with self._changing:
            if self._credentials is None:
                self._credentials = await asyncio.to_thread(self._find)
            return self._credentials

    async def renew(self, version: int) -> None:
        """Get a new one in place of `version`, once for all calls that were refused with it.

        Raises `GoogleAuthError` for who tried and failed; the others find out by their next call.
        """
        credentials = await self.credentials()
        async with self._changing:
            if version != self.version:
                return
            try:
                request = google.auth.transport.requests.Request()
                await asyncio.to_thread(credentials.refresh, request)
            finally:
                self.version += 1
