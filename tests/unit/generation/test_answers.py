import pytest

from services.generation.answers import Misfit, Reading, read_answer, read_kept
from services.generation.port import Completion, Finish, Mended
from tests.unit.generation.doubles import MARKER, Lesson, broken, lesson_task

LIGHT = '{"title": "Light", "grade": 5}'


@pytest.mark.parametrize(
    "text",
    [
        LIGHT,
        f"  \n{LIGHT}\n",
        f"```json\n{LIGHT}\n```",
        f"```\n{LIGHT}\n```",
        f"Here is your lesson:\n{LIGHT}\nHave fun!",
        f"[{LIGHT}]",
        '{"title": "Light", "grade": 5, "mood": "sunny"}',
    ],
)
def test_an_answer_is_found_however_it_is_wrapped(text: str) -> None:
    # Given a completion that holds one good answer
    completion = Completion(text=text, finish="stop")
    # When it is read
    reading = read_answer(lesson_task(), completion)
    # Then the answer is there, and nothing is wrong with it
    assert reading == Reading(answer=Lesson(title="Light", grade=5))


@pytest.mark.parametrize(
    ("text", "finish", "kind", "summary"),
    [
        ("I would rather not.", "stop", "invalid_json", "no JSON object"),
        ("null", "stop", "invalid_json", "no JSON object"),
        ("}{", "stop", "invalid_json", "no whole JSON object"),
        ('{"title": "Light", "grade": }', "stop", "invalid_answer", "grade: int_parsing"),
        ('{"title": "Light"}', "stop", "invalid_answer", "grade: missing"),
        ('{"title": "Light", "grade": 13}', "stop", "invalid_answer", "grade: less_than_equal"),
        (
            '{"title": "", "grade": 5, "parts": [{}]}',
            "stop",
            "invalid_answer",
            "title: string_too_short; parts.0.title: missing",
        ),
        ("", "stop", "empty", "no text"),
        ("  \n", "other", "empty", "no text"),
        (LIGHT[:-1], "other", "invalid_json", "no whole JSON object"),
        (LIGHT[:-1], "stop", "invalid_json", "no whole JSON object"),
        (LIGHT[:12], "max_tokens", "truncated", "cut off at 1000 tokens"),
        ("", "max_tokens", "truncated", "cut off at 1000 tokens"),
        ("", "recitation", "recitation", "recites a published text"),
        (LIGHT, "recitation", "recitation", "recites a published text"),
    ],
)
def test_an_unusable_answer_is_told_apart(text: str, finish: Finish, kind: str, summary: str) -> None:
    # Given a completion that cannot be used
    completion = Completion(text=text, finish=finish)
    # When it is read
    misfit = read_answer(lesson_task(), completion)
    # Then its kind is known, and there is something to tell the model
    assert isinstance(misfit, Misfit)
    assert (misfit.kind, misfit.summary) == (kind, summary)
    assert all(misfit.problems)


def test_problems_name_the_field_and_the_rule() -> None:
    # Given an answer that breaks a rule of its schema
    completion = Completion(text='{"title": "Light", "grade": 13}', finish="stop")
    # When it is read
    misfit = read_answer(lesson_task(), completion)
    # Then the sentence for the model says where and what
    assert isinstance(misfit, Misfit)
    assert misfit.problems == ("grade: Input should be less than or equal to 12",)


def test_the_check_of_a_task_is_asked_and_its_words_stay_out_of_the_summary() -> None:
    # Given a task whose check finds a problem and quotes the student
    task = lesson_task(
        check=lambda answer: [
            broken("marker", sentence=f"Mention the {MARKER}."),
            broken("length", severity="imperfect", sentence=f"The {MARKER} is too long."),
            broken("marker", sentence=f"Mention the {MARKER} twice."),
        ]
    )
    # When a well-formed answer is read
    misfit = read_answer(task, Completion(text=LIGHT, finish="stop"))
    # Then the model is told the sentences and people are told the names of the rules
    assert isinstance(misfit, Misfit)
    assert misfit.problems[0] == f"Mention the {MARKER}."
    assert len(misfit.problems) == 3
    assert misfit.summary == "breaks the rules marker, length"


def test_an_imperfect_answer_is_there_with_what_is_wrong_with_it() -> None:
    # Given a task whose check finds nothing worse than an imperfection
    problem = broken("length", severity="imperfect", sentence="Too long.")
    task = lesson_task(check=lambda answer: [problem])
    # When a well-formed answer is read
    reading = read_answer(task, Completion(text=LIGHT, finish="stop"))
    # Then both are there
    assert reading == Reading(answer=Lesson(title="Light", grade=5), problems=(problem,))
    assert reading.sentences == ("Too long.",)


def test_a_whole_answer_counts_however_it_ended() -> None:
    # Given a whole object in completions that were cut off behind it, or ended for a reason nobody knows
    for finish in ("max_tokens", "other"):
        completion = Completion(text=f"{LIGHT}\nAnd one m", finish=finish)
        # When it is read, then it is the answer
        assert isinstance(read_answer(lesson_task(), completion), Reading)


def test_an_answer_is_mended_before_it_is_held_to_its_type() -> None:
    # Given a task that can repair a grade
    task = lesson_task(mend=lambda data: Mended(data={**data, "grade": 12}, repairs=("grade",)))
    # When an answer with a wrong one is read
    reading = read_answer(task, Completion(text='{"title": "Light", "grade": 13}', finish="stop"))
    # Then it is good, and what was repaired is named
    assert reading == Reading(answer=Lesson(title="Light", grade=12), repairs=("grade",))
    # And what was kept is not mended again
    assert isinstance(read_kept(task, '{"title": "Light", "grade": 13}'), Misfit)


def test_an_answer_with_many_faults_yields_a_short_list() -> None:
    # Given a task whose check finds fifty problems
    task = lesson_task(check=lambda answer: [broken(sentence=f"Rule {number}.") for number in range(50)])
    # When a well-formed answer is read
    misfit = read_answer(task, Completion(text=LIGHT, finish="stop"))
    # Then ten of them are kept
    assert isinstance(misfit, Misfit)
    assert len(misfit.problems) == 10
