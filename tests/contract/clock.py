"""Time that passes only when a test says so."""

from datetime import UTC, datetime, timedelta


class Clock:
    """A clock to inject as `now` and `sleep`; sleeping moves it and takes no time."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)
