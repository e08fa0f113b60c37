"""Costs of whole runs, with failures of many kinds: log, summary, results and dead letters tell the same dollars."""

import json
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.running import content_worker, environment, started
from tests.emulators.vertex_faults import Faults, Rule
from tests.emulators.vertex_process import VertexProcess

LADDER = "vertex:gemini-3.8-flash, vertex:gemini-3.5-flash-lite"
QUESTIONS = {
    "light": "how does photosynthesis work in green plants?",
    "motor": "how do magnets work inside a motor",
    "quantum": "Explain quantum entanglement using soccer",
}
EXACT = 1e-7
"""Sums of numbers with eight digits behind the point."""


class Desk:
    """A folder with an embedded worker whose models are the emulator's; it keeps every line of the log."""

    def __init__(self, folder: Path, vertex: VertexProcess) -> None:
        self.folder = folder
        self.lines: list[dict[str, Any]] = []
        self.env = environment(
            WORKER_IDLE_TIMEOUT_SECONDS="0",
            WORKER_MAX_RUNTIME_SECONDS="1.5",
            WORKER_STUDENT_KEY="0123456789abcdef",
            WORKER_MODELS=LADDER,
            VERTEX_EMULATOR_HOST=vertex.host,
            LOG_FORMAT="json",
        )

    def ask(self, *names: str) -> None:
        lines = [
            json.dumps({"request_id": name, "student_query": QUESTIONS[name], "grade_level": 6})
            for name in names
        ]
        published = content_worker(
            "publish", "--file", "-", env=self.env, cwd=self.folder, stdin="\n".join(lines)
        )
        assert published.code == 0, published.everything

    def run(self, **variables: str) -> dict[str, Any]:
        """One run to its end, all messages that were put off due at once; returns its summary."""
        with closing(sqlite3.connect(self.folder / ".local" / "worker.db")) as database, database:
            database.execute("update messages set available_at = '2000-01-01T00:00:00.000000+00:00'")
        ran = content_worker("run", "--json", env={**self.env, **variables}, cwd=self.folder)
        self.hear(ran.stderr)
        summary: dict[str, Any] = json.loads(ran.stdout)
        return summary

    def hear(self, log: str) -> None:
        self.lines += [json.loads(line) for line in log.splitlines() if line.startswith("{")]

    def told(self, event: str) -> float:
        """The sum of an event's costs, as the metric adds it up."""
        return float(sum(line["cost_usd"] for line in self.lines if line["message"] == event))

    def results(self) -> dict[str, dict[str, Any]]:
        shown = content_worker("results", "--json", env=self.env, cwd=self.folder)
        documents = [json.loads(line) for line in shown.stdout.splitlines()]
        return {document["request_id"]: document for document in documents}

    def dead_letters_usd(self) -> float:
        listed = content_worker("dead-letters", "list", "--json", env=self.env, cwd=self.folder)
        return float(sum(json.loads(line)["cost_usd"] for line in listed.stdout.splitlines()))


@pytest.mark.timeout(300)
def test_log_runs_results_and_dead_letters_agree_to_the_cent_over_runs_with_failures(tmp_path: Path) -> None:
    # Given two questions whose scripts run on without end at first, from models that answer others
    endless = Rule(stage="script", prompt='"duration_seconds": 180', text='{"title": "' + "and so on " * 9000)
    with VertexProcess(faults=Faults(rules=[endless])) as vertex:
        desk = Desk(tmp_path, vertex)
        desk.ask("light", "motor")
        summaries = [desk.run()]
        # And are answered then, by way of two answers that cannot be used
        odd = [
            Rule(stage="script", times=1, answer="not_json"),
            Rule(stage="script", times=1, answer="empty_text"),
        ]
        vertex.control.set_faults(Faults(rules=odd))
        summaries += [desk.run()]
        # And one more that no attempt can answer
        vertex.control.set_faults(Faults(rules=[endless]))
        desk.ask("quantum")
        summaries += [desk.run() for _ in range(5)]
        results = desk.results()
        dead = desk.dead_letters_usd()
    # Then each way of adding it up comes to the same
    spent = sum(summary["cost_usd"] for summary in summaries)
    answered = [document for document in results.values() if document["status"] != "failed"]
    failed = [document for document in results.values() if document["status"] == "failed"]
    in_results = sum(
        document["cost_usd"] + sum(one["cost_usd"] for one in document["failures"]) for document in answered
    )
    assert spent > 0.05
    assert all(summary["cost_is_complete"] for summary in summaries)
    assert desk.told("message.settled") == pytest.approx(spent, abs=EXACT)
    assert desk.told("run.ended") == pytest.approx(spent, abs=EXACT)
    assert in_results + sum(document["cost_usd"] for document in failed) == pytest.approx(spent, abs=EXACT)
    assert dead == pytest.approx(sum(document["cost_usd"] for document in failed), abs=EXACT)
    # And there were failures of both kinds
    assert [bool(document["failures"]) for document in answered] == [True, True]
    assert [document["failures"][0]["count"] for document in failed] == [5]


def test_an_outage_after_paid_stages_is_in_the_log_and_in_the_summary(tmp_path: Path) -> None:
    # Given models that answer the first stages and are then away, and a worker that holds
    faults = Faults(rules=[Rule(stage="script", status="PERMISSION_DENIED")])
    with VertexProcess(faults=faults) as vertex:
        desk = Desk(tmp_path, vertex)
        desk.ask("light")
        held = desk.run(WORKER_ON_OUTAGE="hold")
        looked = desk.told("model.probed")
        # When they are back
        vertex.control.reset()
        answered = desk.run(WORKER_ON_OUTAGE="hold")
        looked_again = desk.told("model.probed") - looked
        result = desk.results()["light"]
    # Then what was paid before is told by the run that paid it, and found again by the next; looks are told apart
    assert held["ending"] == "outage"
    assert held["cost_usd"] > looked > 0
    assert result["cost_usd"] + looked_again == pytest.approx(answered["cost_usd"], abs=EXACT)
    assert result["saved_usd"] + looked == pytest.approx(held["cost_usd"], abs=EXACT)
    told = desk.told("message.settled") + desk.told("model.probed")
    assert told == pytest.approx(held["cost_usd"] + answered["cost_usd"], abs=EXACT)


def test_work_that_sigterm_cuts_short_is_in_the_log_and_in_the_summary(tmp_path: Path) -> None:
    # Given a question whose first stages are paid and whose script never comes
    faults = Faults(rules=[Rule(stage="script", hang=True)])
    with VertexProcess(faults=faults) as vertex:
        desk = Desk(tmp_path, vertex)
        desk.ask("light")
        # When the run is stopped meanwhile
        env = {**desk.env, "WORKER_MAX_RUNTIME_SECONDS": "60"}
        with started("run", "--json", env=env, cwd=tmp_path) as process:
            while not any(call.stage == "script" for call in vertex.control.requests()):
                assert process.poll() is None
            process.send_signal(signal.SIGTERM)
            out, log = process.communicate()
        desk.hear(log)
        summary = json.loads(out)
    # Then it was given back, and what it had paid is told
    assert (process.returncode, summary["given_back"]) == (0, 1)
    assert summary["cost_usd"] > 0
    assert desk.told("message.settled") == pytest.approx(summary["cost_usd"], abs=EXACT)


def test_no_message_costs_more_than_its_bound(tmp_path: Path) -> None:
    # Given models that never stop, and a bound that is far below what their limits could cost
    faults = Faults(rules=[Rule(stage="script", text='{"title": "' + "and so on " * 9000)])
    with VertexProcess(faults=faults) as vertex:
        desk = Desk(tmp_path, vertex)
        desk.ask("light")
        summary = desk.run(WORKER_MODELS=f"{LADDER}, mock", WORKER_MESSAGE_COST_LIMIT_USD="0.018")
        result = desk.results()["light"]
    # Then the mock answers within it, and the result says why
    assert (result["status"], result["mode"]) == ("completed", "mock")
    assert 0 < summary["cost_usd"] <= 0.018
    assert result["stages"]["script"]["error"] is not None
