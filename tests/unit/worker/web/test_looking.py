"""Results as clients get them."""

import asyncio
from typing import Any

import pytest

from tests.builders import NOON
from tests.unit.worker.web.calling import call
from worker.web.answers import HttpError
from worker.web.looking import Result, shown


class Results:
    def __init__(self, **documents: dict[str, Any]) -> None:
        self._documents = documents

    async def get(self, request_id: str) -> dict[str, Any] | None:
        return self._documents.get(request_id)

    async def newest(self, limit: int, *, status: str | None = None) -> list[dict[str, Any]]:
        return []


def look(path: str = "/", query: dict[str, str] | None = None, **documents: dict[str, Any]) -> Any:
    return asyncio.run(Result(Results(**documents))(call(method="GET", path=path, query=query)))


def test_a_result_is_shown_without_what_is_nobodys_business() -> None:
    document = {
        "request_id": "q1",
        "status": "completed",
        "student_ref": "ref",
        "claim": {"owner": "w"},
        "debt": {"question": "words"},
        "created_at": NOON,
        "failures": [{"last_at": NOON}],
    }
    answer = look("/q1", q1=document)
    assert answer.status == 200
    assert answer.body == {
        "request_id": "q1",
        "status": "completed",
        "created_at": "2026-11-20T12:00:00+00:00",
        "failures": [{"last_at": "2026-11-20T12:00:00+00:00"}],
    }
    assert document["debt"]  # the stored one is left as it is


def test_one_in_progress_shows_nothing_but_that() -> None:
    answer = look("/q1", q1={"status": "processing", "student_ref": "ref", "message_id": "m"})
    assert (answer.status, answer.body) == (202, {"request_id": "q1", "status": "processing"})
    assert int(answer.headers["Retry-After"]) > 0


def test_the_id_may_stand_in_the_query() -> None:
    assert look(query={"request_id": "q1"}, q1={"status": "failed"}).status == 200


def test_an_unknown_one_is_not_found() -> None:
    with pytest.raises(HttpError) as caught:
        look("/q2")
    assert caught.value.status == 404


@pytest.mark.parametrize("path", ["/", "/a/b", "/..", "/__x__", "/a b", "/" + "x" * 129, "/ä"])
def test_an_impossible_one_is_refused_without_quoting_it(path: str) -> None:
    with pytest.raises(HttpError) as caught:
        look(path)
    assert caught.value.status == 400


def test_values_without_times_stay_what_they_are() -> None:
    assert shown({"a": 1, "b": None, "c": [{"d": 0.5}]}) == {"a": 1, "b": None, "c": [{"d": 0.5}]}
