"""The two message queues, made in the same way, so that one test runs on both."""

from collections.abc import Sequence
from pathlib import Path

from services.messaging.port import (
    Delivery,
    MessagePublisher,
    MessageQueue,
    QueueProvisioner,
)
from services.messaging.pubsub import PubSubPublisher, PubSubQueue
from services.messaging.pubsub_provisioner import PubSubProvisioner
from services.messaging.sqlite import SqlitePublisher, SqliteQueue
from services.messaging.sqlite_provisioner import SqliteProvisioner
from tests.contract.clock import Clock
from tests.contract.parts import Parts

TOPIC, SUBSCRIPTION = "requests", "requests-worker"
DEAD_TOPIC, DEAD_SUBSCRIPTION = "requests-dead", "requests-dead-review"
DEAD_SETTING = "WORKER_DEAD_LETTER_SUBSCRIPTION"
WAIT_SECONDS = 0.5
LOOKS = 20


class Queues(Parts):
    """Makes the parts of a queue."""

    def queue(self, subscription: str = SUBSCRIPTION) -> MessageQueue:
        raise NotImplementedError

    def publisher(self) -> MessagePublisher:
        raise NotImplementedError

    def dead_letters(self) -> MessageQueue:
        raise NotImplementedError

    def provisioner(self, *, dead_letter_topic: str = DEAD_TOPIC) -> QueueProvisioner:
        raise NotImplementedError


class SqliteQueues(Queues):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.clock = Clock()

    def queue(self, subscription: str = SUBSCRIPTION) -> SqliteQueue:
        clock = self.clock
        return self.kept(
            SqliteQueue(path=self.path, subscription=subscription, now=clock.now, sleep=clock.sleep)
        )

    def publisher(self) -> SqlitePublisher:
        return self.kept(SqlitePublisher(path=self.path, now=self.clock.now))

    def dead_letters(self) -> SqliteQueue:
        made = SqliteQueue(
            path=self.path,
            subscription=DEAD_SUBSCRIPTION,
            setting=DEAD_SETTING,
            now=self.clock.now,
            sleep=self.clock.sleep,
        )
        return self.kept(made)

    def provisioner(self, *, dead_letter_topic: str = DEAD_TOPIC) -> SqliteProvisioner:
        made = SqliteProvisioner(
            path=self.path,
            topic=TOPIC,
            subscription=SUBSCRIPTION,
            dead_letter_topic=dead_letter_topic,
            dead_letter_subscription=DEAD_SUBSCRIPTION,
        )
        return self.kept(made)


class PubSubQueues(Queues):
    def __init__(self, project: str) -> None:
        super().__init__()
        self.project = project

    def queue(self, subscription: str = SUBSCRIPTION) -> PubSubQueue:
        return self.kept(PubSubQueue(project=self.project, subscription=subscription, sleep=Clock().sleep))

    def publisher(self) -> PubSubPublisher:
        return self.kept(PubSubPublisher(project=self.project))

    def dead_letters(self) -> PubSubQueue:
        return self.kept(
            PubSubQueue(project=self.project, subscription=DEAD_SUBSCRIPTION, setting=DEAD_SETTING)
        )

    def provisioner(self, *, dead_letter_topic: str = DEAD_TOPIC) -> PubSubProvisioner:
        made = PubSubProvisioner(
            project=self.project,
            topic=TOPIC,
            subscription=SUBSCRIPTION,
            dead_letter_topic=dead_letter_topic,
            dead_letter_subscription=DEAD_SUBSCRIPTION,
        )
        return self.kept(made)


async def pull_all(queue: MessageQueue, count: int) -> Sequence[Delivery]:
    """Pull until `count` messages are leased: one pull may bring fewer than there are."""
    leased: list[Delivery] = []
    for _ in range(LOOKS):
        leased += await queue.pull(count - len(leased), wait_seconds=WAIT_SECONDS)
        if len(leased) == count:
            return leased
    raise AssertionError(f"{len(leased)} of {count} messages came.")
