"""The summary of a run and the exit code that follows from it."""

import json

import pytest

from services.generation.spend import Spend
from worker.summary import Ending, RunSummary


def test_results_are_counted_by_status_and_mode_and_costs_by_what_was_spent() -> None:
    # Given a run with two results, and a message on which money was spent in vain
    summary = RunSummary(ending="drained", pulled=3, seconds=4.25)
    summary.add_result(
        {"status": "completed", "mode": "live", "cost_usd": 0.01, "saved_usd": 0.0, "stages": {"nlu": {}}}
    )
    summary.add_result(
        {
            "status": "out_of_scope",
            "mode": "live",
            "cost_usd": 0.001,
            "saved_usd": 0.004,
            "stages": {"nlu": {}},
        }
    )
    summary.settled["dead_letter"] += 1
    for spent_usd in (0.01, 0.001, 0.0025):
        summary.add_spend(Spend(calls=1, cost_usd=spent_usd))
    # Then one line says it all
    assert summary.line() == (
        "drained after 4.2 s, 3 pulled, 2 answered (1 completed, 1 out_of_scope) (2 live), "
        "1 dead-lettered, $0.0135, $0.0040 saved"
    )
    # And a program reads the same
    read = json.loads(json.dumps(summary.as_json()))
    assert (read["results"], read["settled"]) == ({"completed": 1, "out_of_scope": 1}, {"dead_letter": 1})
    assert (read["cost_usd"], read["cost_is_complete"]) == (0.0135, True)


def test_an_unknown_cost_is_never_reported_as_nothing() -> None:
    # Given a message with a call of known and one of unknown price, and one whose price is known
    summary = RunSummary()
    summary.add_spend(Spend(calls=1, cost_usd=0.002) + Spend(calls=1, cost_usd=None))
    summary.add_spend(Spend(calls=1, cost_usd=0.001))
    # Then what is known is told as the least
    assert "at least $0.0030" in summary.line()
    assert (summary.as_json()["cost_usd"], summary.as_json()["cost_is_complete"]) == (0.003, False)


@pytest.mark.parametrize(
    ("execution", "task_index", "beginning"),
    [
        ("content-worker-abc12", 2, "task 2 of content-worker-abc12: drained after 4.2 s, "),
        ("content-worker-abc12", 0, "task 0 of content-worker-abc12: drained after 4.2 s, "),
        ("content-worker-abc12", None, "content-worker-abc12: drained after 4.2 s, "),
        (None, None, "drained after 4.2 s, "),
    ],
)
def test_the_line_begins_with_the_task_of_the_execution_that_it_is_about(
    execution: str | None, task_index: int | None, beginning: str
) -> None:
    summary = RunSummary(seconds=4.25, execution=execution, task_index=task_index, image_digest="sha256:0123")
    assert summary.line().startswith(beginning)
    told = summary.as_json()
    assert (told["execution"], told["task_index"]) == (execution, task_index)
    assert told["image_digest"] == "sha256:0123"


@pytest.mark.parametrize(
    ("ending", "bugs", "waiting_for_store", "code"),
    [
        ("drained", 0, 0, 0),
        ("stopped", 0, 0, 0),
        ("max_runtime", 0, 0, 0),
        ("outage", 0, 0, 75),
        ("drained", 0, 2, 75),
        ("configuration", 0, 0, 78),
        ("drained", 1, 0, 1),
        ("outage", 1, 0, 1),
        ("crashed", 0, 0, 1),
    ],
)
def test_the_exit_code_tells_an_outage_a_bug_and_a_configuration_apart(
    ending: Ending, bugs: int, waiting_for_store: int, code: int
) -> None:
    summary = RunSummary(ending=ending, bugs=bugs, waiting_for_store=waiting_for_store)
    assert summary.exit_code == code
    assert summary.as_json()["exit_code"] == code
