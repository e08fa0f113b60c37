"""An outage in which models answer with nothing, as an operator sees it."""

import json
from pathlib import Path

from tests.acceptance.test_embedded import Desk, events
from tests.emulators.vertex_faults import Faults, Rule
from tests.emulators.vertex_process import VertexProcess


def test_a_run_that_holds_says_since_when_no_model_answers_and_leaves_the_questions(tmp_path: Path) -> None:
    # Given a question, and models that answer 200 with nothing in it
    with VertexProcess(faults=Faults(rules=[Rule(answer="empty_text")])) as vertex:
        desk = Desk(tmp_path)
        desk.env |= {"VERTEX_EMULATOR_HOST": vertex.host, "WORKER_ON_OUTAGE": "hold"}
        assert desk("publish", "how do volcanoes erupt", "--request-id", "q-1").code == 0
        # When two runs come, each a process of its own
        first, second = desk("run"), desk("run", "--json")
        # Then both end with 75 and say since when, to people and to programs
        assert (first.code, second.code) == (75, 75), first.everything
        told = json.loads(second.stdout)
        assert first.stdout.startswith(f"outage since {told['outage_since']} after ")
        assert (told["ending"], told["pulled"]) == ("outage", 0)
        (ending,) = [line for line in events(first) if line["message"] == "run.ending"]
        assert ending["since"] == told["outage_since"]
        # And the next one answers when a model does
        vertex.control.reset()
        back = desk("run", "--json")
        assert (back.code, json.loads(back.stdout)["modes"]) == (0, {"live": 1}), back.everything
