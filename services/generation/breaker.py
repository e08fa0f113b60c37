"""Remembers that a model refuses every call, so that it is asked and complained about only once."""

from services.errors import ModelRejected

LASTING = frozenset({"model_not_found", "permission_denied", "unauthenticated"})
"""Kinds of refusal that hold for every call to a model until an operator acts.

`invalid_request` is not among them: a 400 is mostly about one message (a prompt that is too long), and one
student's odd question must not take the model away from everybody. Refusals by policy arrive as 400 too; the
provider tells them apart and reports them as `permission_denied`.
"""


class Breaker:
    """Opens on the first lasting refusal and stays open for the life of the process.

    One is shared by all rungs that stand for the same model at the same location. It never closes again:
    what it waits for is an operator, whose change starts a new process.
    """

    def __init__(self) -> None:
        self._reason: ModelRejected | None = None

    @property
    def reason(self) -> ModelRejected | None:
        """Why the model is not to be asked, or None when it may be."""
        return self._reason

    def open(self, error: ModelRejected) -> bool:
        """Take the refusal in. True for the call that opened the breaker: it is to tell the operator."""
        if error.kind not in LASTING or self._reason is not None:
            return False
        self._reason = error
        return True
