"""The data of the work: the request, what each stage answers, and the result as it is stored.

Field names of `ContentRequest` and `ContentResult` are a contract with publishers and readers; see the README.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

Status = Literal["processing", "completed", "needs_clarification", "out_of_scope", "blocked", "failed"]
Mode = Literal["live", "fallback", "mock"]
Stage = Literal["nlu", "interest", "script"]

Sentence = Annotated[str, StringConstraints(max_length=1000)]
"""Keeps a result far below the mebibyte that a Firestore document may have."""

Interest = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]


def _not_reserved(request_id: str) -> str:
    # Firestore keeps these document ids for itself: https://firebase.google.com/docs/firestore/quotas
    if request_id in {".", ".."} or (request_id.startswith("__") and request_id.endswith("__")):
        raise PydanticCustomError("reserved_id", "Must not be '.', '..' or begin and end with '__'")
    return request_id


RequestId = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_.:\-]{1,128}$"), AfterValidator(_not_reserved)
]

LANGUAGE_TAG = r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$"


class ContentRequest(BaseModel):
    """A student's question, as published. Unknown fields are ignored so that publishers can be ahead of workers."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, hide_input_in_errors=True)

    request_id: RequestId
    student_id: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    student_query: Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=2000)]
    grade_level: Annotated[int, Field(ge=1, le=12)]
    interest: Interest | None = None
    interests: Annotated[list[Interest], Field(max_length=20)] = Field(default_factory=list)
    duration_seconds: Annotated[int, Field(ge=30, le=600)] = 180
    language: Annotated[str, StringConstraints(pattern=LANGUAGE_TAG, max_length=35)] = "en"
    correlation_id: Annotated[str, StringConstraints(max_length=128)] | None = None

    @property
    def candidate_interests(self) -> list[str]:
        """All interests the student named, the preferred one first, each once."""
        named = [self.interest] if self.interest else []
        return list(dict.fromkeys([*named, *self.interests]))


class _ModelAnswer(BaseModel):
    """Answers come from models: extra fields are dropped, text is trimmed, inputs stay out of error messages.

    The bounds here are those of what is stored; `reading.py` makes answers fit them where nothing has to be guessed.
    The schema that models are given may ask for more (`json_schema_extra`).
    """

    model_config = ConfigDict(
        frozen=True, extra="ignore", str_strip_whitespace=True, hide_input_in_errors=True
    )


class Understanding(_ModelAnswer):
    """What a question is about (stage `nlu`)."""

    kind: Literal["learning", "unclear", "off_topic"] = Field(
        description="learning: a question one can teach an answer to; unclear: too vague to know what to teach; "
        "off_topic: not a wish to learn something"
    )
    topic_id: str | None = Field(
        description="id of the candidate topic that answers the question, or null when none of them does"
    )
    topic_name: str = Field(max_length=200, description="name of the topic, also when it is not a candidate")
    subject: str = Field(max_length=100, description="school subject, for example physics or history")
    asks_about: Literal["topic", "detail"] = Field(
        description="topic: a good lesson about the topic answers this student; detail: it would miss what is asked"
    )
    focus: str = Field(max_length=500, description="what exactly the student wants to know, in one sentence")
    confidence: float = Field(ge=0, le=1)
    clarifying_questions: list[Sentence] = Field(
        default_factory=list, max_length=3, description="only when unclear: up to three short questions back"
    )
    reasoning: str = Field(max_length=1000, description="one or two sentences: why this topic")


class InterestMatch(_ModelAnswer):
    """Which of the student's interests carries the explanation best (stage `interest`)."""

    name: str = Field(min_length=1, max_length=100)
    confidence: float = Field(ge=0, le=1)
    reasoning: str = Field(max_length=1000, description="one sentence: why this interest fits the question")
    analogies: list[Sentence] = Field(
        max_length=4,
        description="concrete moments from the interest that mirror the idea",
        json_schema_extra={"minItems": 1},
    )


class DraftSection(_ModelAnswer):
    """One part of a script as a model writes it; its duration is worked out from its words."""

    title: str = Field(min_length=1, max_length=200)
    content: str = Field(
        min_length=1, max_length=8000, description="the words that are spoken, no stage directions"
    )
    visuals: list[Sentence] = Field(
        default_factory=list, max_length=6, description="what the screen shows meanwhile"
    )


class ScriptDraft(_ModelAnswer):
    """A lesson script as a model writes it (stage `script`)."""

    title: str = Field(min_length=1, max_length=200)
    hook: str = Field(
        min_length=1, max_length=1500, description="the first spoken sentences; they catch attention"
    )
    sections: list[DraftSection] = Field(min_length=1, max_length=12, json_schema_extra={"minItems": 2})
    key_takeaways: list[Sentence] = Field(
        max_length=6, description="shown at the end, not spoken", json_schema_extra={"minItems": 2}
    )


class ScriptSection(DraftSection):
    """A part of a script with the time it takes to speak."""

    duration_seconds: int


class Script(ScriptDraft):
    """A script whose sections' durations add up to its own. `language` is the BCP 47 tag of what it is in."""

    sections: list[ScriptSection]  # type: ignore[assignment]  # narrowed on purpose: drafts gain durations
    duration_seconds: int
    language: str


class NluResult(BaseModel):
    """The `nlu` field of a result."""

    topic_id: str | None
    topic_name: str
    subject: str
    focus: str
    confidence: float
    in_catalog: bool
    clarifying_questions: list[str]
    reasoning: str


class Check(BaseModel):
    """What came of one rule: whether the answer keeps it, what was measured, and what was allowed."""

    passed: bool
    figure: int | float | str | None
    threshold: int | float | str | None


class QualityReport(BaseModel):
    """What was measured on a result: spoken words, their share of the length asked for, the reading grade.

    The grade is None for languages that its formula was not made for, all three are None where there is no script.
    `checks` has every rule by its name; an answer that breaks one was asked for once more and is used all the same.
    """

    spoken_words: int | None = None
    length_ratio: float | None = None
    reading_grade: float | None = None
    notes: list[str]
    checks: dict[str, Check]


class StageError(BaseModel):
    """Why a higher rung did not answer."""

    kind: str
    code: int | None
    message: str


class Failure(BaseModel):
    """Why a request was not answered, or not in full. `fingerprint` is the same for the same cause.

    `count` says how many attempts in this request's life ended like this, the last one at `last_at`; `cost_usd` is
    what they had spent, None where that is not known. `code` is an HTTP status where the cause has one.
    """

    stage: str
    kind: str
    code: int | None
    message: str
    fingerprint: str
    count: int
    cost_usd: float | None
    last_at: datetime


class Debt(BaseModel):
    """What it takes to answer a request again, without its student: kept until a better answer repays it."""

    since: datetime
    question: str
    grade_level: int
    interests: list[str]
    duration_seconds: int
    language: str


class StageRecord(BaseModel):
    """How one stage's answer came about. For a `cached` answer `saved_usd` says what it had cost before."""

    mode: Mode
    provider: str
    model: str
    attempts: int
    latency_ms: int
    input_tokens: int | None
    output_tokens: int | None
    cached: bool
    cost_usd: float | None
    saved_usd: float | None = 0.0
    error: StageError | None


class EarlierResult(BaseModel):
    """What became of the result that a better one replaced: how it had come about."""

    status: Status
    mode: Mode
    stages: dict[Stage, StageRecord]
    cost_usd: float | None
    prompt_version: str
    completed_at: datetime


class ContentResult(BaseModel):
    """The finished result, as it is stored under `content_results/{request_id}`.

    `message_id` is the queue's id of the message that was worked on. `saved_usd` is what answers had cost that were
    found instead of paid for again; None when one price is unknown.
    `debt` is there while a better answer is owed (degraded, or blocked by a model's filter), `earlier` holds the
    results that better ones have replaced.
    """

    request_id: str
    message_id: str | None
    correlation_id: str | None
    student_ref: str | None
    status: Status
    mode: Mode
    degraded: bool
    nlu: NluResult | None
    interest: InterestMatch | None
    script: Script | None
    quality: QualityReport | None
    stages: dict[Stage, StageRecord]
    cost_usd: float | None
    saved_usd: float | None
    prompt_version: str
    image_digest: str | None
    attempt: int
    failures: list[Failure]
    debt: Debt | None = None
    earlier: list[EarlierResult] = Field(default_factory=list)
    created_at: datetime
    completed_at: datetime
    expires_at: datetime
