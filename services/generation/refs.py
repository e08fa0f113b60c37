"""Reads the text of a ladder, as `WORKER_MODELS` holds it, into model references.

vertex:gemini-3.8-flash, vertex:gemini-3.5-flash-lite@eu, mock
"""

import difflib
import re
from collections.abc import Sequence

from services.errors import ConfigurationError
from services.generation.known_models import known_models
from services.generation.port import ModelRef

EXAMPLE = "vertex:gemini-3.8-flash, vertex:gemini-3.5-flash-lite@eu, mock"
MOCK = "mock"
PROVIDERS = ("vertex", MOCK)
"""Names that may stand before the colon. `mock` takes no model; the others need one."""

# The location becomes part of a host name, so nothing but a region's own characters may pass.
_LOCATION = re.compile(r"[a-z][a-z0-9-]{0,62}")
_RUNG = re.compile(
    r"(?P<provider>[A-Za-z_]+)(?::(?P<model>[A-Za-z0-9._/:-]+))?(?:@(?P<location>[a-z][a-z0-9-]{0,62}))?"
)


def parse_ladder(
    text: str, *, setting: str = "WORKER_MODELS", default_location: str = "global"
) -> list[ModelRef]:
    """Read a ladder, best rung first; rungs of `vertex` without a location get the default one.

    Raises `ConfigurationError` naming the setting, with the nearest right spelling.
    """
    if not _LOCATION.fullmatch(default_location):
        raise ConfigurationError(
            f"GOOGLE_CLOUD_LOCATION is {default_location!r}, which cannot be a location.",
            fix="Set it to global, us, eu or a region such as europe-west4.",
        )
    refs = [
        _parse_rung(entry.strip(), setting, default_location) for entry in text.split(",") if entry.strip()
    ]
    _check_order(refs, setting)
    return refs


def _parse_rung(entry: str, setting: str, default_location: str) -> ModelRef:
    match = _RUNG.fullmatch(entry)
    if match is None:
        raise _misread(setting, entry, "is not of the form provider:model@location.")
    provider, model, location = match["provider"], match["model"], match["location"]
    if provider not in PROVIDERS:
        raise _unknown_provider(setting, entry)
    if provider == MOCK:
        if model or location:
            raise _misread(setting, entry, "gives the mock a model or a location, and it has neither.")
        return ModelRef(provider=MOCK, model="")
    if model is None:
        raise _misread(setting, entry, "names no model.")
    if "/" not in model and not known_models().has_family(model):
        raise _unknown_model(setting, model)
    return ModelRef(provider=provider, model=model, location=location or default_location)


def _check_order(refs: Sequence[ModelRef], setting: str) -> None:
    if not refs:
        raise ConfigurationError(f"{setting} is empty.", fix=f"Set it to something like: {EXAMPLE}")
    if len(set(refs)) < len(refs):
        raise ConfigurationError(f"{setting} names a model twice.", fix="Name every rung once, best first.")
    if any(ref.provider == MOCK for ref in refs[:-1]):
        raise ConfigurationError(
            f"{setting} has rungs after the mock, which always answers.",
            fix="Put mock last, or leave it out.",
        )


def _misread(setting: str, entry: str, what: str) -> ConfigurationError:
    return ConfigurationError(f"{setting}: {entry!r} {what}", fix=f"Write it like: {EXAMPLE}")


def _unknown_model(setting: str, model: str) -> ConfigurationError:
    table = known_models()
    near = " or ".join(table.nearest(model)) or table.default_model
    return ConfigurationError(
        f"{setting} names the model {model!r}, which no known model of Vertex AI resembles.",
        fix=f"Did you mean {near}? A model that this version cannot know is written in full: "
        f"vertex:publishers/google/models/{model}",
    )


def _unknown_provider(setting: str, entry: str) -> ConfigurationError:
    name = re.split(r"[:@]", entry, maxsplit=1)[0]
    near = difflib.get_close_matches(name.lower(), PROVIDERS, n=1)
    meant = f"Did you mean {near[0]}? " if near else ""
    return ConfigurationError(
        f"{setting}: {entry!r} names the provider {name!r}, which does not exist.",
        fix=f"{meant}Providers are {', '.join(PROVIDERS)}. Write it like: {EXAMPLE}",
    )
