"""One of Google's emulators in a container of `google/cloud-sdk:emulators`, by testcontainers.

Imported only where no Cloud SDK has the emulator. The library's own Pub/Sub class is not used: it waits for
nothing, listens on every address of the machine, and importing it needs a client library that nothing else does.
Loopback alone is listened on here, unless the engine is not on this machine, or testcontainers takes this machine
for a container.
"""

import gc
import sys
import warnings
from contextlib import closing, suppress
from typing import Any

from docker.errors import DockerException, NotFound  # type: ignore[import-untyped]  # ships no types
from testcontainers.core.config import ConnectionMode, testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.docker_client import DockerClient
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from tests.emulators.google import LOOPBACK, MISSING, EmulatorsUnavailable

IMAGE = "google/cloud-sdk:emulators"
START_TIMEOUT_SECONDS = 60
POLL_SECONDS = 0.1
PORT_IN_CONTAINER = 8085
LAST_OF_LOG = 2000
WITHOUT_REAPER = (
    "To do without what removes the containers of a killed process: TESTCONTAINERS_RYUK_DISABLED=true."
)


class DockerEmulator:
    """A running emulator, listening on `host` (`address:port`) from the start until `stop`.

    `emulator` is its name in `gcloud emulators`, `ready` what it logs once it listens. Raises `EmulatorsUnavailable`
    when it cannot be had; nothing is left behind then. What a killed process leaves is removed by testcontainers'
    own reaper, unless TESTCONTAINERS_RYUK_DISABLED is set.
    """

    def __init__(self, *, emulator: str, ready: str) -> None:
        pull_images()
        self._container = _container(emulator, ready)
        try:
            self._container.start()
            self.host = _host(self._container)
        except (DockerException, RuntimeError, TimeoutError) as error:
            reason = f"{error}{_last_of_log(self._container)}"
            self.stop()
            raise EmulatorsUnavailable(
                f"The {emulator} emulator did not start under Docker: {reason}"
            ) from error
        except BaseException:
            self.stop()
            raise

    def failure(self) -> str | None:
        """Why it is not running any more, if it is not."""
        self._container.reload()
        status = self._container.status
        return None if status == "running" else f"its container is {status}"

    def stop(self) -> None:
        """Stop it and remove its container, unless somebody else has."""
        with suppress(NotFound):
            self._container.stop()


def pull_images() -> None:
    """Get what is not here yet. Raises `EmulatorsUnavailable`: no engine answers, or an image cannot be pulled."""
    with closing(_engine()) as engine:
        _pull_once(engine, IMAGE, otherwise=MISSING)
        if not testcontainers_config.ryuk_disabled:
            _pull_once(engine, testcontainers_config.ryuk_image, otherwise=WITHOUT_REAPER)


def _engine() -> Any:
    with warnings.catch_warnings():
        # Where no engine answers docker-py leaves its socket open, in a cycle of frames and errors; it goes here.
        warnings.filterwarnings("ignore", "unclosed", ResourceWarning)
        try:
            return DockerClient().client
        except DockerException as error:
            reason = str(error)
        gc.collect()
    raise EmulatorsUnavailable(f"{MISSING} (Docker: {reason})")


def _pull_once(engine: Any, image: str, *, otherwise: str) -> None:
    image = testcontainers_config.hub_image_name_prefix + image
    try:
        if not engine.images.list(name=image):
            print(f"emulators: pulling {image}, once; this may take minutes", file=sys.stderr)
            engine.images.pull(image)
    except DockerException as error:
        raise EmulatorsUnavailable(f"Docker cannot pull {image}: {error}. {otherwise}") from error


def _container(emulator: str, ready: str) -> DockerContainer:
    started = LogMessageWaitStrategy(ready).with_startup_timeout(START_TIMEOUT_SECONDS)
    container = DockerContainer(IMAGE).waiting_for(started.with_poll_interval(POLL_SECONDS))
    listen = f"--host-port=0.0.0.0:{PORT_IN_CONTAINER}"
    container.with_command(["gcloud", "beta", "emulators", emulator, "start", listen])
    container.with_exposed_ports(PORT_IN_CONTAINER)
    if _is_here(container):
        # On this machine alone, on a free port. docker-py knows this form, testcontainers' types do not.
        container.ports[str(PORT_IN_CONTAINER)] = (LOOPBACK,)  # type: ignore[assignment]
    return container


def _is_here(container: DockerContainer) -> bool:
    """Whether the engine publishes ports on this machine; not so for a remote one, or from within a container."""
    client = container.get_docker_client()
    by_host = client.get_connection_mode() is ConnectionMode.docker_host
    return by_host and client.host() in ("localhost", LOOPBACK)


def _host(container: DockerContainer) -> str:
    # By number: `localhost` may mean the address ::1, where nothing listens.
    address = LOOPBACK if _is_here(container) else container.get_container_host_ip()
    return f"{address}:{container.get_exposed_port(PORT_IN_CONTAINER)}"


def _last_of_log(container: DockerContainer) -> str:
    try:
        log = b"".join(container.get_logs()).decode(errors="replace")
    except (DockerException, RuntimeError):  # it was not even created
        return ""
    return f" It said at the end: {log[-LAST_OF_LOG:]}"
