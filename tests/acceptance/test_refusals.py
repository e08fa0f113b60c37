"""What a run makes of models that refuse: one refusal that passes, and a quota that is out for hours."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.test_embedded import Desk, events
from tests.emulators.vertex_errors import ErrorName
from tests.emulators.vertex_faults import ErrorInfo, Faults, Rule
from tests.emulators.vertex_process import VertexProcess

BEST = "gemini-3.8-flash"
DAILY = ErrorInfo(
    reason="RATE_LIMIT_EXCEEDED",
    metadata={"quota_limit": "GenerateContentRequestsPerDayPerProjectPerBaseModel"},
)


def run(
    folder: Path, count: int, *rules: Rule, **variables: str
) -> tuple[list[dict[str, Any]], list[Any], int]:
    """The results of that many questions, the log, and how many calls the best model saw."""
    questions = [
        {
            "request_id": f"q-{n}",
            "student_id": "s",
            "student_query": f"How does photosynthesis work in leaf {n}?",
            "grade_level": 6,
        }
        for n in range(count)
    ]
    desk = Desk(folder)
    with VertexProcess(faults=Faults(rules=list(rules))) as vertex:
        desk.env["VERTEX_EMULATOR_HOST"] = vertex.host
        published = desk("publish", "--file", "-", stdin="\n".join(map(json.dumps, questions)))
        assert published.code == 0, published.everything
        ended = desk("run", **variables)
        assert ended.code == 0, ended.everything
        calls = sum(seen.model == BEST for seen in vertex.control.requests())
    shown = desk("results", "--json", "--limit", str(count))
    return [json.loads(line) for line in shown.stdout.splitlines()], events(ended), calls


@pytest.mark.parametrize(("count", "concurrency"), [(50, "64"), (5, "1")])
def test_a_401_a_403_and_a_404_in_one_run_cost_nobody_the_live_answer(
    tmp_path: Path, count: int, concurrency: str
) -> None:
    # Given a model whose first three calls are refused for three reasons
    errors: tuple[ErrorName, ...] = ("token_expired", "iam_denied", "retired")
    refusals = [Rule(model=BEST, times=1, error=error) for error in errors]
    # When questions are answered, many at once or one after the other
    results, log, _calls = run(tmp_path, count, *refusals, WORKER_CONCURRENCY=concurrency)
    # Then every one of them is live, and nothing was closed
    assert Counter(result["mode"] for result in results) == {"live": count}
    assert not [entry for entry in log if entry["message"] == "rung.closed"]


def test_a_refusal_in_the_middle_of_a_run_costs_one_call(tmp_path: Path) -> None:
    # Given a model that refuses its tenth call
    rule = Rule(model=BEST, times=1, after=9, error="iam_denied")
    # When ten questions are answered
    results, _log, _calls = run(tmp_path, 10, rule)
    # Then all are live, and one stage took a call more
    assert Counter(result["mode"] for result in results) == {"live": 10}
    attempts = [stage["attempts"] for result in results for stage in result["stages"].values()]
    assert sorted(attempts)[-2:] == [1, 2]


@pytest.mark.parametrize(
    "rule",
    [
        Rule(model=BEST, error="quota", retry_after_seconds=3 * 3600),
        Rule(model=BEST, error="quota", error_info=DAILY),
    ],
)
def test_a_quota_that_is_out_for_hours_costs_the_first_calls_and_no_time(tmp_path: Path, rule: Rule) -> None:
    # Given a best model without quota
    # When five questions are answered, one after the other
    results, log, calls = run(tmp_path, 5, rule, WORKER_CONCURRENCY="1")
    # Then the next rung answers, with the reason; the two stages that ran side by side found out, and nobody else asked
    assert Counter(result["mode"] for result in results) == {"fallback": 5}
    assert {stage["error"]["kind"] for result in results for stage in result["stages"].values()} == {"quota"}
    assert calls == 2
    # And there is one warning, which says until when
    (closed,) = [entry for entry in log if entry["message"] == "rung.closed"]
    assert closed["kind"] == "quota"
    assert closed["until"]
