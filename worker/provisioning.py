"""The command `provision`."""

from collections.abc import Sequence

from worker.settings import load_settings
from worker.wiring.backends import connect


async def provision_queue() -> Sequence[str]:
    """Create what the queue needs and say what was done, a line a thing."""
    async with connect(load_settings()) as backend:
        return await backend.provisioner.provision()
