"""The note of an outage, on every store that keeps paid answers."""

from datetime import timedelta

from services.generation.outage_notes import LIFETIME, Outage, OutageNotes
from services.generation.port import ModelRef
from tests.contract.answers import AnswerStores

REFS = [ModelRef(provider="vertex", model="gemini-3.8-flash", location="global")]


def test_a_note_is_found_by_the_next_process_until_it_is_taken_away(answer_stores: AnswerStores) -> None:
    def notes() -> OutageNotes:
        return OutageNotes(answer_stores.answers(), REFS, now=answer_stores.clock.now)

    async def scenario() -> None:
        # Given nothing
        assert await notes().find() is None
        # When an outage is noted, and noted again
        began = answer_stores.clock.now() - timedelta(hours=3)
        for cause in ("first", "second"):
            await notes().keep(Outage(since=began, cause=cause, met_by_message=True))
        # Then the latest one is there
        found = await notes().find()
        assert found == Outage(since=began, cause="second", met_by_message=True)
        # And it is gone when it is over
        await notes().end(found)
        assert await notes().find() is None

    answer_stores.run(scenario)


def test_a_note_that_nobody_renews_is_forgotten(answer_stores: AnswerStores) -> None:
    async def scenario() -> None:
        notes = OutageNotes(answer_stores.answers(), REFS, now=answer_stores.clock.now)
        now = answer_stores.clock.now()
        await notes.keep(Outage(since=now, cause="away", met_by_message=False))
        answer_stores.clock.advance(LIFETIME.total_seconds())
        assert await notes.find() is None

    answer_stores.run(scenario)
