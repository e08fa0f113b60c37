"""Rules of cloudbuild.yaml that its schema does not know: each takes the parsed file, and returns what is wrong."""

import os
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]

# What every build knows, and of what only triggers know COMMIT_SHA, which scripts/build hands over:
# https://cloud.google.com/build/docs/configuring-builds/substitute-variable-values
BUILT_IN = {"PROJECT_ID", "PROJECT_NUMBER", "BUILD_ID", "LOCATION", "COMMIT_SHA"}
CHAIN = ("check", "test", "build", "push", "digest", "bill", "sbom", "deploy")
DIGEST_FILE = ".local/rollout/image"

Build = Mapping[str, Any]


def texts(value: Any) -> Iterator[str]:
    """Every string of the file, wherever it stands."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)


def names_in(text: str) -> list[str]:
    """The substitutions in a text; an escaped $$ is none."""
    return re.findall(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?", text.replace("$$", ""))


def used(build: Build) -> set[str]:
    return {name for text in texts(build) for name in names_in(text)}


def steps(build: Build) -> list[Mapping[str, Any]]:
    return list(build["steps"])


def words(step: Mapping[str, Any]) -> list[str]:
    """What a step runs, word by word; one of `bash -c` is taken apart."""
    return [word for argument in step.get("args", []) for word in re.split(r"[\s\"']+", argument) if word]


def ids_are_there_once(build: Build) -> list[str]:
    ids = [step.get("id") for step in steps(build)]
    return [f"id {name!r}" for name in ids if name is None or ids.count(name) > 1]


def waits_lead_back(build: Build) -> list[str]:
    """Cloud Build refuses to wait for what it does not know, and for what comes later."""
    wrong, before = [], {"-"}
    for step in steps(build):
        wrong += [f"{step['id']} waits for {name}" for name in step.get("waitFor", []) if name not in before]
        before.add(step["id"])
    return wrong


def substitutions_are_declared(build: Build) -> list[str]:
    declared = set(build.get("substitutions", {})) | BUILT_IN
    return sorted(used(build) - declared)


def substitutions_are_used(build: Build) -> list[str]:
    return sorted(set(build.get("substitutions", {})) - used(build))


def substitutions_are_texts(build: Build) -> list[str]:
    """An unquoted true or 900 is no string, which the API demands."""
    return [name for name, value in build.get("substitutions", {}).items() if not isinstance(value, str)]


def shells_escape_their_dollars(build: Build) -> list[str]:
    """A `$(` or `$x` of a shell is Cloud Build's to substitute unless it is written `$$`."""
    wrong = []
    for step in steps(build):
        for argument in step.get("args", []):
            rest = re.sub(r"\$\{?[A-Z_][A-Z0-9_]*\}?", "", argument.replace("$$", ""))
            wrong += [f"{step['id']}: {argument}"] if "$" in rest else []
    return wrong


def only_the_digest_is_deployed(build: Build) -> list[str]:
    """Whatever changes what runs is given the file of the digest, and no image in any other way."""
    wrong = []
    for step in steps(build):
        line = words(step)
        if "scripts/deploy" in line and any(re.search(r"build-|:latest|_IMAGE", word) for word in line):
            wrong.append(f"{step['id']} names a tag")
        if "scripts/deploy" in line and f"@{DIGEST_FILE}" not in line:
            wrong.append(f"{step['id']} deploys something else")
        if "gcloud" in line and "run" in line:
            wrong.append(f"{step['id']} changes Cloud Run itself")
    return wrong


def the_digest_is_what_was_pushed(build: Build) -> list[str]:
    """One name for what is built, pushed, resolved and recorded, unique to the build."""
    by_id = {step["id"]: words(step) for step in steps(build)}
    tagged = [word.removeprefix("--tag=") for word in by_id["build"] if word.startswith("--tag=")]
    seen = {*tagged, by_id["push"][-1], by_id["digest"][1], *build.get("images", [])}
    wrong = [] if len(seen) == 1 and by_id["digest"][2] == DIGEST_FILE else [f"several names: {sorted(seen)}"]
    return wrong + [name for name in seen if "$BUILD_ID" not in name]


def scripts_are_there(build: Build) -> list[str]:
    named = {word for step in steps(build) for word in words(step) if word.startswith("scripts/")}
    return sorted(name for name in named if not os.access(ROOT / name, os.X_OK))


def every_step_is_a_script_or_one_command(build: Build) -> list[str]:
    return [step["id"] for step in steps(build) if not one_command(step)]


def one_command(step: Mapping[str, Any]) -> bool:
    arguments = step.get("args", [])
    if step.get("script") or not arguments:
        return False
    if step.get("entrypoint") != "bash":
        return "docker" in step["name"]
    if arguments[0] == "-c":
        return (
            len(arguments) == 2
            and arguments[1].startswith("gcloud ")
            and not re.search(r"[;&|\n]", arguments[1])
        )
    return bool(arguments[0].startswith("scripts/"))


def the_chain_is_in_order(build: Build) -> list[str]:
    """Each of the chain waits, directly or through others, for the one before it."""
    waits = {step["id"]: step.get("waitFor", []) for step in steps(build)}
    return [
        f"{later} before {earlier}"
        for earlier, later in pairwise(CHAIN)
        if earlier not in behind(later, waits)
    ]


def behind(name: str, waits: Mapping[str, list[str]]) -> set[str]:
    direct = [other for other in waits.get(name, []) if other in waits and other != name]
    return set(direct).union(*(behind(other, waits) for other in direct))


def no_step_may_fail(build: Build) -> list[str]:
    return [step["id"] for step in steps(build) if step.get("allowFailure") or step.get("allowExitCodes")]


def deploy_is_tested(build: Build) -> list[str]:
    """One step changes what runs, asks and puts back: nothing can come between."""
    deploy = steps(build)[-1]
    return [] if deploy["id"] == "deploy" and "--no-smoke" not in words(deploy) else ["deploy"]


def provenance_is_kept(build: Build) -> list[str]:
    wrong = [] if build.get("images") else ["images"]
    return wrong + (
        ["requestedVerifyOption"] if build["options"].get("requestedVerifyOption") != "VERIFIED" else []
    )


RULES = (
    ids_are_there_once,
    waits_lead_back,
    substitutions_are_declared,
    substitutions_are_used,
    substitutions_are_texts,
    shells_escape_their_dollars,
    only_the_digest_is_deployed,
    the_digest_is_what_was_pushed,
    scripts_are_there,
    every_step_is_a_script_or_one_command,
    the_chain_is_in_order,
    no_step_may_fail,
    deploy_is_tested,
    provenance_is_kept,
)
