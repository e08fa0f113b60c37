"""Every environment variable: name, type, default, one line of doc. Nothing else reads the environment."""

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.errors import ConfigurationError

DEFAULT_LADDER = "vertex:gemini-3.8-flash, vertex:gemini-3.5-flash-lite, mock"


def _stripped(secret: SecretStr) -> SecretStr:
    # A secret that came from a file often has the newline that ended it; it is no part of the secret.
    return SecretStr(secret.get_secret_value().strip())


def _long_enough(secret: SecretStr) -> SecretStr:
    # Under an empty or a short key anybody could try out which student a reference belongs to.
    if len(secret.get_secret_value()) < LEAST_KEY_LENGTH:
        raise ValueError(
            f"it needs at least {LEAST_KEY_LENGTH} characters; make one by `openssl rand -base64 32`"
        )
    return secret


def _host_and_port(text: str) -> str:
    # Google's libraries read these variables, too, and take nothing else; what they are given by mistake they keep
    # calling as if it were away.
    if _is_host_and_port(text):
        return text
    bare = re.sub(r"^[a-z+]+://", "", text.strip(" \t\r\n'\""), flags=re.IGNORECASE).split("/")[0].strip()
    if _is_host_and_port(bare):
        raise ValueError(f"it must be host:port and nothing else, so write {bare}")
    raise ValueError("it must be host:port, as in localhost:8085")


def _is_host_and_port(text: str) -> bool:
    match = re.fullmatch(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+(?:%\w+)?\]):([0-9]{1,5})", text)
    return match is not None and 1 <= int(match[1]) <= HIGHEST_PORT


HIGHEST_PORT = 65535
LEAST_KEY_LENGTH = 16
Secret = Annotated[SecretStr, AfterValidator(_stripped)]
StudentKey = Annotated[Secret, AfterValidator(_long_enough)]
EmulatorHost = Annotated[str, AfterValidator(_host_and_port)]
ResourceId = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9\-_.~+%]{2,254}$")]


class Settings(BaseSettings):
    """The settings of one process. Field names are the variables' names in lower case."""

    model_config = SettingsConfigDict(
        extra="ignore", frozen=True, env_ignore_empty=True, hide_input_in_errors=True
    )

    worker_backend: Literal["embedded", "google"] = Field(
        "embedded", description="Queue and store: `embedded` (SQLite) or `google` (Pub/Sub and Firestore)."
    )
    worker_database: Path = Field(
        Path(".local/worker.db"), description="The SQLite file of the embedded backend."
    )
    worker_topic: ResourceId = Field("content-requests", description="Topic on which questions arrive.")
    worker_subscription: ResourceId = Field(
        "content-requests-worker", description="Subscription from which questions are pulled."
    )
    worker_dead_letter_topic: ResourceId = Field(
        "content-requests-dead", description="Topic for messages that no attempt can answer."
    )
    worker_dead_letter_subscription: ResourceId = Field(
        "content-requests-dead-review", description="Subscription in which dead letters wait for a person."
    )
    worker_concurrency: int = Field(64, ge=1, le=1000, description="Messages in flight in one process.")
    worker_idle_timeout_seconds: float = Field(
        10.0, ge=0, le=3600, description="`run` ends after this long with nothing to do."
    )
    worker_max_runtime_seconds: float = Field(
        540.0,
        gt=0,
        le=604_800,
        description="`run` stops pulling after this long; keep it below the job's timeout.",
    )
    worker_lease_seconds: int = Field(
        60,
        ge=10,
        le=600,
        description="How long messages and requests stay with a worker that died; living ones renew them.",
    )
    worker_message_call_limit: int = Field(
        15, ge=1, le=100, description="Model calls that one message may take in all, retries included."
    )
    worker_message_timeout_seconds: float = Field(
        300.0, gt=0, le=3600, description="Seconds after which a message asks no model any more."
    )
    worker_message_cost_limit_usd: float | None = Field(
        None,
        gt=0,
        le=1000,
        description="US dollars that one message may take in all; default ten times the usual price of its length.",
    )
    worker_models: str = Field(
        DEFAULT_LADDER,
        description="The ladder, best first: `provider:model[@location]`, separated by commas.",
    )
    worker_models_nlu: str | None = Field(
        None, description="The ladder of the stage `nlu`; default `WORKER_MODELS`."
    )
    worker_models_interest: str | None = Field(
        None, description="The ladder of the stage `interest`; default `WORKER_MODELS`."
    )
    worker_models_script: str | None = Field(
        None, description="The ladder of the stage `script`; default `WORKER_MODELS`."
    )
    worker_on_outage: Literal["degrade", "hold"] = Field(
        "degrade",
        description="When no model answers: `degrade` to the mock, or `hold` messages in the queue and exit 75.",
    )
    worker_result_ttl_days: int = Field(30, ge=1, le=3650, description="Results expire after this many days.")
    worker_student_key: StudentKey | None = Field(
        None, description="Secret key of the student hash; without it references change with every process."
    )
    worker_former_student_keys: Secret | None = Field(
        None, description="Earlier keys, separated by commas: `forget` finds what was stored under them, too."
    )
    worker_image_digest: str | None = Field(
        None, description="Digest of the running image, stored in results."
    )
    worker_api_keys: Secret | None = Field(
        None,
        description="Who may call `serve`: `name:secret`, separated by commas; without it whoever reaches it.",
    )
    worker_api_rate_per_minute: int = Field(
        600, ge=1, le=1_000_000, description="Requests a minute that one key may send to one instance."
    )
    google_cloud_project: str | None = Field(None, description="Project of topic, database and models.")
    google_cloud_location: str = Field(
        "global", description="Where models are called: `global`, `us`, `eu`, a region."
    )
    pubsub_emulator_host: EmulatorHost | None = Field(None, description="`host:port` of a Pub/Sub emulator.")
    firestore_emulator_host: EmulatorHost | None = Field(
        None, description="`host:port` of a Firestore emulator."
    )
    vertex_emulator_host: EmulatorHost | None = Field(
        None, description="`host:port` of a Vertex AI emulator."
    )
    cloud_run_execution: str | None = Field(None, description="Set by Cloud Run; goes into logs.")
    cloud_run_task_index: int | None = Field(None, ge=0, description="Set by Cloud Run; goes into logs.")
    cloud_run_task_count: int | None = Field(None, ge=1, description="Set by Cloud Run; goes into logs.")
    cloud_run_task_attempt: int | None = Field(None, ge=0, description="Set by Cloud Run; goes into logs.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Lowest level logged."
    )
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="`auto`: readable on a terminal, JSON elsewhere."
    )

    def ladders(self) -> dict[str, tuple[str, str]]:
        """Per stage, the variable that decides its ladder and the ladder's text."""
        own = {
            "nlu": ("WORKER_MODELS_NLU", self.worker_models_nlu),
            "interest": ("WORKER_MODELS_INTEREST", self.worker_models_interest),
            "script": ("WORKER_MODELS_SCRIPT", self.worker_models_script),
        }
        return {
            stage: (name, text) if text else ("WORKER_MODELS", self.worker_models)
            for stage, (name, text) in own.items()
        }


def load_settings(**overrides: Any) -> Settings:
    """The settings in the environment, with `overrides` before it.

    Raises `ConfigurationError` that names each bad variable and its rule.
    """
    # Google's Firestore client takes a variable that is empty for an emulator without a name.
    if os.environ.get("FIRESTORE_EMULATOR_HOST") == "":
        del os.environ["FIRESTORE_EMULATOR_HOST"]
    try:
        settings = Settings(**overrides)
    except ValidationError as error:
        problems = "; ".join(
            f"{str(problem['loc'][0]).upper()}: {problem['msg'].removeprefix('Value error, ')}"
            for problem in error.errors(include_input=False, include_url=False, include_context=False)
        )
        raise ConfigurationError(
            f"The environment holds a bad setting. {problems}.",
            fix="Correct or unset it; the README lists every variable with its default.",
        ) from error
    if settings.worker_backend == "google" and not settings.google_cloud_project:
        raise ConfigurationError(
            "WORKER_BACKEND is google, but GOOGLE_CLOUD_PROJECT is not set.",
            fix="Set GOOGLE_CLOUD_PROJECT to the project's id (any word will do with the emulators).",
        )
    return settings


def unknown_variables(environment: Mapping[str, str] | None = None) -> dict[str, str | None]:
    """`WORKER_…` variables that mean nothing here, each with the known name nearest to it."""
    names = os.environ if environment is None else environment
    known = [field.upper() for field in Settings.model_fields]
    unknown = sorted(name for name in names if name.startswith("WORKER_") and name not in known)
    return {
        name: next(iter(difflib.get_close_matches(name, known, n=1, cutoff=0.8)), None) for name in unknown
    }
