"""What becomes of mock answers once the models are back: the command `heal`, run as a process."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.running import TIMEOUT_SECONDS, Ended, provision, started
from tests.acceptance.test_embedded import Desk
from tests.acceptance.test_google import Cloud, question
from tests.emulators.google import EmulatorHosts
from tests.emulators.vertex_faults import Faults, Rule
from tests.emulators.vertex_process import VertexProcess

DOWN = Faults(rules=[Rule(status="UNAVAILABLE")])
FAST = ("--per-minute", "6000")
ONE_RUNG = "vertex:gemini-3.8-flash, mock"
WORDS = "photosynthesis in leaves"
"""Stand in every question, and must be in no log and no output."""


@pytest.fixture
def vertex() -> Iterator[VertexProcess]:
    with VertexProcess(faults=DOWN) as running:
        yield running


@pytest.fixture
def cloud(
    google_emulators: EmulatorHosts, project: str, vertex: VertexProcess, monkeypatch: pytest.MonkeyPatch
) -> Cloud:
    """A project whose models are all down."""
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", google_emulators.pubsub)
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", google_emulators.firestore)
    made = Cloud(google_emulators, project, vertex)
    made.env["WORKER_MODELS"] = ONE_RUNG
    provision(made.env)
    return made


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A folder with the embedded backend and one result of the mock."""
    made = Desk(tmp_path)
    assert made("publish", "Explain photosynthesis in leaves", "--request-id", "q-1").code == 0
    assert made("run").code == 0
    return made


def answer_by_mock(cloud: Cloud, number: int, **variables: str) -> dict[str, dict[str, Any]]:
    """That many results of the mock, each for a question of its own."""
    cloud.publish(*(question(at) for at in range(number)))
    ran = cloud("run", **variables)
    assert ran.code == 0, ran.everything
    documents = cloud.documents()
    assert Counter(document["mode"] for document in documents.values()) == {"mock": number}
    return documents


def counts(ended: Ended) -> dict[str, int]:
    found: dict[str, int] = json.loads(ended.stdout)
    return {name: count for name, count in found.items() if count and not name.startswith("cost_")}


def calls(vertex: VertexProcess) -> Counter[str]:
    return Counter(seen.stage for seen in vertex.control.requests())


def result_of(desk: Desk) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(desk("results", "q-1", "--json").stdout)
    return document


def unowned(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in ("claim", "attempt")}


@pytest.mark.emulators
def test_mock_answers_are_repaid_once_the_models_are_back(cloud: Cloud) -> None:
    # Given three students who got the mock's answers while the models were down
    old = answer_by_mock(cloud, 3)
    assert all(WORDS in document["debt"]["question"] for document in old.values())
    cloud.vertex.control.reset()
    cloud.vertex.control.set_faults(DOWN)
    # When the debts are counted
    counted = cloud("heal", "--dry-run", "--json")
    # Then no model is asked
    assert (counted.code, counts(counted)) == (0, {"owed": 3})
    assert not calls(cloud.vertex)
    # When they are to be repaid while the models are still down
    early = cloud("heal", "--json")
    # Then one small call finds that out, and nothing changes
    assert early.code == 75, early.everything
    assert "gemini-3.8-flash" in early.stderr
    assert calls(cloud.vertex) == {"Sign": 1}
    assert cloud.documents() == old
    # When the models are back
    cloud.vertex.control.reset()
    healed = cloud("heal", "--json", *FAST)
    # Then every debt is repaid
    assert healed.code == 0, healed.everything
    assert counts(healed) == {"owed": 3, "healed": 3}
    assert calls(cloud.vertex) == {"Sign": 1, "nlu": 3, "interest": 3, "script": 3}
    for request_id, document in cloud.documents().items():
        before = old[request_id]
        assert (document["status"], document["mode"], document["degraded"]) == ("completed", "live", False)
        assert not {"debt", "claim"} & set(document)
        assert document["script"]["title"] != before["script"]["title"]
        # And tells what came before it, as old as the request is and living as long as any new one
        (earlier,) = document["earlier"]
        assert (earlier["mode"], earlier["stages"]) == ("mock", before["stages"])
        assert earlier["completed_at"] == before["completed_at"]
        assert (document["created_at"], document["student_ref"]) == (
            before["created_at"],
            before["student_ref"],
        )
        assert document["expires_at"] > before["expires_at"]
    # And when it is asked for again there is nothing to do
    cloud.vertex.control.reset()
    again = cloud("heal", "--json")
    assert (again.code, counts(again)) == (0, {})
    assert not calls(cloud.vertex)
    for ended in (counted, early, healed, again):
        assert WORDS not in ended.everything
        assert "student_001" not in ended.everything
        assert "Traceback" not in ended.everything


@pytest.mark.emulators
def test_when_the_models_go_away_in_the_middle_the_rest_stays_owed_and_nothing_is_paid_twice(
    cloud: Cloud,
) -> None:
    # Given models that go away again after the first script
    old = answer_by_mock(cloud, 3, WORKER_MODELS="mock")
    cloud.vertex.control.set_faults(Faults(rules=[Rule(stage="script", after=1, status="UNAVAILABLE")]))
    # When debts are repaid one after the other
    broken_off = cloud("heal", *FAST, WORKER_CONCURRENCY="1")
    # Then the first is repaid, and the others are as they were
    assert broken_off.code == 75, broken_off.everything
    assert "1 repaid by a live answer; 2 left as they were" in broken_off.stdout
    assert "Traceback" not in broken_off.everything
    assert "heal.stopping" in broken_off.stderr
    documents = cloud.documents()
    owed = {name for name, document in documents.items() if "debt" in document}
    assert Counter(document["mode"] for document in documents.values()) == {"live": 1, "mock": 2}
    assert {name: unowned(documents[name]) for name in owed} == {name: unowned(old[name]) for name in owed}
    # When they are back for good
    cloud.vertex.control.set_faults(Faults())
    rest = cloud("heal", "--json", *FAST)
    # Then the rest is repaid, and what was paid for before the outage is not paid for again
    assert (rest.code, counts(rest)) == (0, {"owed": 2, "healed": 2}), rest.everything
    seen = calls(cloud.vertex)
    assert (seen["nlu"], seen["interest"]) == (3, 3)
    assert {document["mode"] for document in cloud.documents().values()} == {"live"}


@pytest.mark.emulators
def test_two_healers_at_once_share_the_debts_and_pay_for_each_once(cloud: Cloud) -> None:
    # Given ten debts, and models that take their time
    answer_by_mock(cloud, 10, WORKER_MODELS="mock")
    cloud.vertex.control.set_faults(Faults(rules=[Rule(latency_seconds=0.3)]))
    # When two healers begin together
    with ExitStack() as stack:
        healers = [
            stack.enter_context(
                started("heal", "--json", *FAST, env={**cloud.env, "WORKER_CONCURRENCY": "2"})
            )
            for _ in range(2)
        ]
        ended = [healer.communicate(timeout=TIMEOUT_SECONDS) for healer in healers]
    # Then each debt is repaid by one of them
    assert [healer.returncode for healer in healers] == [0, 0], ended
    assert sum(json.loads(stdout)["healed"] for stdout, _ in ended) == 10
    documents = cloud.documents().values()
    assert {(document["mode"], document["attempt"]) for document in documents} == {("live", 2)}
    assert {len(document["earlier"]) for document in documents} == {1}
    # And nothing is paid twice
    seen = calls(cloud.vertex)
    assert (seen["nlu"], seen["interest"], seen["script"]) == (10, 10, 10)


@pytest.mark.emulators
def test_a_store_that_cannot_be_reached_ends_it_with_75(cloud: Cloud) -> None:
    ended = cloud("heal", FIRESTORE_EMULATOR_HOST="127.0.0.1:9")
    assert ended.code == 75, ended.everything
    assert "Nothing is lost" in ended.stderr
    assert "Traceback" not in ended.everything


def test_a_model_that_is_gone_is_told_with_what_to_set_instead(desk: Desk, vertex: VertexProcess) -> None:
    vertex.control.set_faults(Faults(rules=[Rule(error="retired")]))
    old = result_of(desk)
    ended = desk("heal", VERTEX_EMULATOR_HOST=vertex.host, WORKER_MODELS="vertex:gemini-2.0-flash, mock")
    assert ended.code == 78, ended.everything
    assert "gemini-2.0-flash" in ended.stderr
    assert "WORKER_MODELS" in ended.stderr
    assert result_of(desk) == old


def test_without_a_project_there_is_no_model_to_repay_a_debt(desk: Desk) -> None:
    # Given a fresh machine, where the mock answers
    counted = desk("heal", "--dry-run")
    assert (counted.code, counted.stdout.strip()) == (0, "degraded results that are owed a better answer: 1")
    # When its debt is to be repaid
    ended = desk("heal")
    # Then the cause and the fix are told
    assert ended.code == 78, ended.everything
    assert "Answers of the mock will not do" in ended.stderr
    assert "fix: Set GOOGLE_CLOUD_PROJECT" in ended.stderr
    assert "Traceback" not in ended.everything


def test_a_lesson_stays_when_the_model_blocks_its_question_and_is_not_asked_for_again(
    desk: Desk, vertex: VertexProcess
) -> None:
    # Given a lesson of the mock, and a model whose safety filter blocks it
    old = result_of(desk)
    vertex.control.set_faults(Faults(rules=[Rule(stage="script", block_reason="SAFETY")]))
    # When its debt is to be repaid
    ended = desk("heal", "--json", VERTEX_EMULATOR_HOST=vertex.host)
    # Then it stays, and says why
    assert (ended.code, counts(ended)) == (0, {"owed": 1, "kept": 1}), ended.everything
    kept = result_of(desk)
    assert (kept["status"], kept["mode"], kept["script"]) == ("completed", "mock", old["script"])
    assert "debt" not in kept
    assert [failure["kind"] for failure in kept["failures"]] == ["blocked"]
    # And nothing is owed any more
    assert counts(desk("heal", "--json", VERTEX_EMULATOR_HOST=vertex.host)) == {}


def test_a_healer_that_dies_takes_nothing_with_it(desk: Desk, vertex: VertexProcess) -> None:
    # Given a healer that waits for one stage when another one has failed
    old = result_of(desk)
    hanging = [Rule(stage="interest", hang=True), Rule(stage="nlu", answer="not_json")]
    vertex.control.set_faults(Faults(rules=hanging))
    env = {**desk.env, "VERTEX_EMULATOR_HOST": vertex.host}
    with started("heal", env=env, cwd=desk.folder) as healer:
        assert healer.stderr is not None
        assert any("rung.failed" in line for line in healer.stderr)
        # When it dies
        healer.kill()
        healer.communicate(timeout=30)
    # Then the result is there as it was, and a message that comes again is settled by it
    assert unowned(result_of(desk)) == unowned(old)
    assert desk("publish", "Explain photosynthesis in leaves", "--request-id", "q-1").code == 0
    ran = json.loads(desk("run", "--json").stdout)
    assert (ran["settled"], ran["results"]) == ({"ack": 1}, {})
    # And another healer leaves the debt alone until the dead one's claim has ended
    vertex.control.reset()
    other = desk("heal", "--json", VERTEX_EMULATOR_HOST=vertex.host)
    assert (other.code, counts(other)) == (0, {"owed": 1, "skipped": 1}), other.everything
    assert calls(vertex) == {"Sign": 1}
    assert unowned(result_of(desk)) == unowned(old)
