"""What is known about Gemini models on Vertex AI: which exist, where, until when, and what replaces them.

Vertex AI answers 404 for a retired model, a location that does not serve it, a misspelled name and a
project that was not let in, all in the same words, and has no field that tells when a model retires. The
table `known_models.json` fills that gap; it carries the day it was checked on and its sources. No model is
held for retired on the table's word alone, because dates get extended: it only explains a refusal that has
happened. Only a name that resembles no known model but for its version is refused, as misspelled.
"""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict

ANYWHERE = "*"


class KnownModel(BaseModel):
    """One row of the table.

    New access ends on `closing_on`, all access on `retired_on` or `shutdown_on`; `retires_after` is the
    earliest end that was announced.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ids: tuple[str, ...]
    status: Literal["available", "preview", "closing", "retired"]
    locations: tuple[str, ...]
    confidence: Literal["documented", "reported"]
    retires_after: date | None = None
    closing_on: date | None = None
    shutdown_on: date | None = None
    retired_on: date | None = None
    use_instead: str | None = None

    def served_at(self, location: str) -> bool:
        """Whether the table lists the location for this model."""
        return ANYWHERE in self.locations or location in self.locations


class KnownModels(BaseModel):
    """The table, as of `checked_on`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    checked_on: date
    default_model: str
    second_model: str
    sources: dict[str, str]
    models: tuple[KnownModel, ...]

    def find(self, model: str) -> KnownModel | None:
        """The row of a model id, or None for an id that the table does not have."""
        return next((row for row in self.models if model in row.ids), None)

    def has_family(self, model: str) -> bool:
        """Whether the id is that of a known model but for its version numbers, as a newer model's would be."""
        return _family(model) in {_family(name) for row in self.models for name in row.ids}

    def alternative_to(self, model: str) -> str:
        """A model to ask instead of one that should have answered."""
        return self.default_model if model != self.default_model else self.second_model

    def nearest(self, model: str) -> Sequence[str]:
        """Up to two ids that can be called and are spelled like this one."""
        callable_ids = [
            name for row in self.models if row.status in ("available", "preview") for name in row.ids
        ]
        return difflib.get_close_matches(model, callable_ids, n=2, cutoff=0.6)


def _family(model: str) -> str:
    return re.sub(r"\d+(?:\.\d+)?", "#", model)


@dataclass(frozen=True, kw_only=True, slots=True)
class Diagnosis:
    """A likely cause and what to change."""

    cause: str
    fix: str


@cache
def known_models() -> KnownModels:
    """The table that ships with this version; read on first use."""
    return KnownModels.model_validate_json((files(__package__) / "known_models.json").read_bytes())


def explain_not_found(model: str, location: str, *, today: date) -> Diagnosis:
    """Why Vertex AI may have answered 404 for a model at a location, most telling cause first.

    Enabling an API is never the answer to a 404: where it is off, the service says 403 before it looks for
    a model.
    """
    table = known_models()
    row = table.find(model)
    if row is None:
        return _unknown(model, table)
    if row.status == "retired":
        cause = f"retired on {row.retired_on} (table of {table.checked_on})"
        return Diagnosis(cause=cause, fix=_switch_to(row.use_instead or table.default_model))
    if row.status == "closing":
        cause = (
            f"closed since {row.closing_on} for projects that did not use it before, and for all from "
            f"{row.shutdown_on} (table of {table.checked_on})"
        )
        return Diagnosis(cause=cause, fix=_switch_to(row.use_instead or table.default_model))
    return _known_but_not_found(model, location, row, table, today)


def _known_but_not_found(
    model: str, location: str, row: KnownModel, table: KnownModels, today: date
) -> Diagnosis:
    replacement = row.use_instead or table.default_model
    if row.retires_after is not None and row.retires_after <= today:
        cause = (
            f"to be retired on {row.retires_after} or later (table of {table.checked_on}), which has passed"
        )
        return Diagnosis(cause=cause, fix=_switch_to(replacement))
    if not row.served_at(location):
        cause = f"served only at {', '.join(row.locations)} (table of {table.checked_on})"
        return Diagnosis(
            cause=cause,
            fix=f"Set GOOGLE_CLOUD_LOCATION to global, or WORKER_MODELS to vertex:{model}@global.",
        )
    if row.status == "preview":
        cause = f"a preview (table of {table.checked_on}); previews end without an alias"
        return Diagnosis(cause=cause, fix=_switch_to(replacement))
    cause = f"served there (table of {table.checked_on}), so the project may not be allowed to use it"
    fix = (
        f"{_switch_to(table.alternative_to(model))} To use this one, check GOOGLE_CLOUD_PROJECT and the "
        "organisation policy constraints/vertexai.allowedModels."
    )
    return Diagnosis(cause=cause, fix=fix)


def _unknown(model: str, table: KnownModels) -> Diagnosis:
    if "latest" in model:
        cause = "names with `latest` belong to the Gemini Developer API, not to Vertex AI"
        return Diagnosis(cause=cause, fix=_switch_to(table.default_model))
    if model.endswith(("-preview", "-exp")):
        cause = f"a preview that the table of {table.checked_on} does not have; previews end without an alias"
        return Diagnosis(cause=cause, fix=_switch_to(table.default_model))
    near = table.nearest(model)
    alike = f"; the nearest names are {' and '.join(near)}" if near else ""
    cause = (
        f"not in the table of {table.checked_on}: misspelled, retired, or only for invited projects{alike}"
    )
    return Diagnosis(cause=cause, fix=_switch_to(near[0] if near else table.default_model))


def _switch_to(model: str) -> str:
    return f"Replace it in WORKER_MODELS by vertex:{model}."
