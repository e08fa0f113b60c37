"""What all calls to Pub/Sub have in common: names, clients, and errors that tell an operator what to do."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc
from google.api_core import exceptions
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, RefreshError
from google.pubsub_v1 import PublisherAsyncClient, SubscriberAsyncClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcAsyncIOTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcAsyncIOTransport

from services.channel_options import TO_EMULATOR
from services.errors import ConfigurationError, QueueUnavailable

CALL_TIMEOUT_SECONDS = 10.0

LOG_IN = (
    "Run: gcloud auth application-default login, or attach a service account, or for an emulator set "
    "PUBSUB_EMULATOR_HOST=host:port."
)

Item = TypeVar("Item")


@dataclass(frozen=True, kw_only=True, slots=True)
class Resource:
    """A topic or subscription, the setting that names it, and the role that its use needs."""

    kind: str
    project: str
    name: str
    setting: str
    role: str

    @property
    def path(self) -> str:
        """The full name that requests carry."""
        return f"projects/{self.project}/{self.kind}s/{self.name}"

    def __str__(self) -> str:
        return f"Pub/Sub {self.kind} {self.name} in project {self.project}"


def subscription_of(project: str, name: str, setting: str) -> Resource:
    """A subscription to pull from."""
    roles = "roles/pubsub.subscriber and roles/pubsub.viewer"
    return Resource(kind="subscription", project=project, name=name, setting=setting, role=roles)


def topic_of(project: str, name: str, setting: str) -> Resource:
    """A topic to publish to."""
    roles = "roles/pubsub.publisher and roles/pubsub.viewer"
    return Resource(kind="topic", project=project, name=name, setting=setting, role=roles)


def subscriber_client(emulator_host: str | None) -> SubscriberAsyncClient:
    """A client of subscriptions, in the running event loop."""
    if emulator_host is None:
        return SubscriberAsyncClient()
    channel = _emulator_channel(emulator_host)
    return SubscriberAsyncClient(transport=SubscriberGrpcAsyncIOTransport(channel=channel))


def publisher_client(emulator_host: str | None) -> PublisherAsyncClient:
    """A client of topics, in the running event loop."""
    if emulator_host is None:
        return PublisherAsyncClient()
    channel = _emulator_channel(emulator_host)
    return PublisherAsyncClient(transport=PublisherGrpcAsyncIOTransport(channel=channel))


def _emulator_channel(emulator_host: str) -> grpc.aio.Channel:
    return grpc.aio.insecure_channel(emulator_host, options=TO_EMULATOR)


class LazyClient:
    """A Google client, made at its first use because it belongs to the event loop that runs then."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._made: Any = None

    def __call__(self) -> Any:
        """The client. Raises `ConfigurationError` where there are no credentials."""
        if self._made is None:
            try:
                self._made = self._make()
            # OSError: GOOGLE_APPLICATION_CREDENTIALS names a folder, or what may not be read.
            except (DefaultCredentialsError, OSError) as exc:
                raise ConfigurationError(
                    f"There are no Google credentials to use: {exc}", fix=LOG_IN
                ) from exc
        return self._made

    async def close(self) -> None:
        """Close the connection, if there ever was one."""
        if self._made is not None:
            await self._made.transport.close()
            self._made = None


@contextmanager
def translated(resource: Resource) -> Iterator[None]:
    """Turn Google's errors about `resource` into ours."""
    try:
        yield
    except exceptions.NotFound as exc:
        fix = f"Check {resource.setting}, or create it: content-worker provision (in production: Terraform)."
        raise ConfigurationError(f"{resource} does not exist.", fix=fix) from exc
    except exceptions.Forbidden as exc:
        raise ConfigurationError(
            f"Access to {resource} is denied.", fix=_fix_of_denial(exc, resource)
        ) from exc
    except (exceptions.InvalidArgument, exceptions.FailedPrecondition) as exc:
        raise ConfigurationError(
            f"{resource} cannot be used: {exc.message}.", fix=f"Check {resource.setting}."
        ) from exc
    except (exceptions.Unauthorized, RefreshError) as exc:
        raise ConfigurationError("The Google credentials are not valid any more.", fix=LOG_IN) from exc
    except (exceptions.GoogleAPICallError, GoogleAuthError) as exc:
        raise QueueUnavailable(
            f"{resource} did not answer: {exc}. Check the network, and where they are set https_proxy and "
            "PUBSUB_EMULATOR_HOST."
        ) from exc


def chunks(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """The items in order, at most `size` at a time."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _fix_of_denial(exc: exceptions.Forbidden, resource: Resource) -> str:
    if exc.reason == "SERVICE_DISABLED":
        return f"Run: gcloud services enable pubsub.googleapis.com --project {resource.project}"
    return f"Grant {resource.role} to the account that the worker runs as, and check GOOGLE_CLOUD_PROJECT."
