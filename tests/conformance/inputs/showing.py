"""Looks at results as a person does, with the command `results`: whatever stands in them, a terminal only shows it."""

import io
import re
from collections.abc import Iterable, Mapping
from contextlib import redirect_stdout
from itertools import islice
from typing import Any

from rich.errors import MarkupError

from tests.conformance.inputs.tally import Tally
from worker.showing import print_result, print_results

LOOKED_AT = 20
"""Of each batch; drawing takes longer than answering."""

_OBEYED = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control characters, and those that turn the direction of a text."""


def check_showing(documents: Iterable[Mapping[str, Any]], tally: Tally) -> None:
    """Some of the results can be shown, and nothing in them reaches the terminal but as text."""
    answered = [
        document for document in documents if document["status"] != "failed" and document.get("stages")
    ]
    for document in islice(answered, LOOKED_AT):
        try:
            shown = _shown(document)
        except MarkupError as error:
            tally.breach("showing", f"{document['request_id']}: {error}")
            continue
        obeyed = sorted(set(_OBEYED.findall(shown)))
        if obeyed:
            tally.breach("showing", f"{document['request_id']}: prints {obeyed}")


def _shown(document: Mapping[str, Any]) -> str:
    with redirect_stdout(io.StringIO()) as out:
        print_results([document])
        print_result(document)
    return out.getvalue()
