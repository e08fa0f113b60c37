"""Answers without any model: deterministic, offline and free."""

from services.generation.port import AnswerT, Completion, ModelRef, Rejection, Task, Usage


class MockProvider:
    """Gives each task's own offline answer, so that a worker without a project or in an outage is of use."""

    async def complete(
        self, task: Task[AnswerT], *, model: ModelRef, rejection: Rejection | None = None, timeout: float
    ) -> Completion:
        """The task's offline answer as JSON; it takes no tokens, and asking again changes nothing."""
        del model, rejection, timeout
        nothing = Usage(input_tokens=0, output_tokens=0)
        return Completion(text=task.offline().model_dump_json(), finish="stop", usage=nothing)
