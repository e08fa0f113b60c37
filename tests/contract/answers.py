"""The two stores of paid answers, made in the same way, so that one test runs on both."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from services.generation.port import PaidAnswers
from services.storage.firestore_answers import FirestorePaidAnswers
from services.storage.sqlite_answers import SqlitePaidAnswers
from tests.contract.clock import Clock
from tests.contract.parts import Parts

LIFETIME = timedelta(days=7)


class AnswerStores(Parts):
    """Makes stores of answers that share their answers and a clock."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()

    def answers(self) -> PaidAnswers:
        raise NotImplementedError

    def document(self, **changes: Any) -> dict[str, Any]:
        """An answer as it is kept, for a week."""
        now = self.clock.now()
        return {"stage": "script", "text": '{"title": "Momentum"}', "expires_at": now + LIFETIME, **changes}


class SqliteAnswerStores(AnswerStores):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def answers(self) -> SqlitePaidAnswers:
        return self.kept(SqlitePaidAnswers(path=self.path, now=self.clock.now))


class FirestoreAnswerStores(AnswerStores):
    def __init__(self, project: str) -> None:
        super().__init__()
        self.project = project

    def answers(self) -> FirestorePaidAnswers:
        return self.kept(
            FirestorePaidAnswers(project=self.project, now=self.clock.now, sleep=self.clock.sleep)
        )
