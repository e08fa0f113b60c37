"""Plays `gcloud` for the scripts: answers what they ask from a state in a file, records it, and refuses all else.

A program, put on PATH by `tests/acceptance/deploying.py`; it imports nothing of this project, and only loopback is
called. A script starts it a dozen times, so that what few calls need is imported there.
COMMANDS lists every command with its flags, FORMATS every output format, so that both can be held against the real one.
"""

import binascii
import fcntl
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

PLACE = ("--project", "--region", "--quiet")
IN_PROJECT = ("--project", "--quiet")
CHANGE = (*PLACE, "--image", "--update-env-vars")

COMMANDS: dict[str, tuple[str, ...]] = {
    "config get": (),
    "auth print-access-token": ("--quiet",),
    "run jobs describe": (*PLACE, "--format"),
    "run services describe": (*PLACE, "--format"),
    "beta run worker-pools describe": (*PLACE, "--format"),
    "run jobs update": CHANGE,
    "run services update-traffic": (*PLACE, "--to-latest"),
    "run services update": CHANGE,
    "beta run worker-pools update": CHANGE,
    "run jobs execute": (*PLACE, "--async", "--format"),
    "run jobs executions describe": (*PLACE, "--format"),
    "pubsub topics publish": (*IN_PROJECT, "--message"),
    "artifacts docker tags list": (*IN_PROJECT, "--format"),
    "artifacts docker tags add": IN_PROJECT,
    "artifacts docker tags delete": IN_PROJECT,
    "artifacts docker images describe": (*IN_PROJECT, "--format"),
    "builds submit": (
        *PLACE,
        "--config",
        "--gcs-source-staging-dir",
        "--ignore-file",
        "--async",
        "--format",
        "--substitutions",
    ),
    "builds describe": (*PLACE, "--format"),
}
CHANGING = ("update", "update-traffic", "add", "delete", "publish", "execute", "submit")

_CONTAINER = "spec.template.spec.containers[0]"
_JOB_CONTAINER = "spec.template.spec.template.spec.containers[0]"
_TOLD = '.env.filter("name=WORKER_IMAGE_DIGEST").extract("value").flatten()'

FORMATS = {
    "run jobs describe": f'value[separator=" "]({_JOB_CONTAINER}.image,{_JOB_CONTAINER}{_TOLD})',
    "run services describe": f'value[separator=" "]({_CONTAINER}.image,{_CONTAINER}{_TOLD})',
    "beta run worker-pools describe": f'value[separator=" "]({_CONTAINER}.image,{_CONTAINER}{_TOLD})',
    "run jobs execute": "value(metadata.name)",
    "run jobs executions describe": (
        'value(status.conditions.filter("type=Completed").extract("status").flatten())',
    ),
    "artifacts docker tags list": 'value[separator=" "](tag.basename(),version.basename())',
    "artifacts docker images describe": "value(image_summary.digest)",
    "builds submit": "value(id)",
    "builds describe": (
        'value[separator=" "](status,steps.map().format("{0}={1}",id,status).flatten())',
        "value(results.images[0].digest)",
    ),
}

State = dict[str, Any]


class Refused(Exception):  # noqa: N818  # what gcloud would say
    """An answer on standard error and exit code 1."""


class Unexpected(Exception):  # noqa: N818
    """Something that the scripts were not known to ask."""


class Call:
    """One command line, taken apart."""

    def __init__(self, arguments: list[str]) -> None:
        words = [word for word in arguments if not word.startswith("--")]
        flags = [word.partition("=") for word in arguments if word.startswith("--")]
        self.flags = {name: value for name, _, value in flags}
        self.command = next((known for known in COMMANDS if " ".join(words).startswith(known)), "")
        self.rest = words[len(self.command.split()) :]
        if not self.command or not set(self.flags) <= set(COMMANDS[self.command]):
            raise Unexpected("gcloud " + " ".join(arguments))
        self._check_format()

    def _check_format(self) -> None:
        known = FORMATS.get(self.command)
        asked = self.flags.get("--format")
        if asked != known and asked not in (known or ()):
            raise Unexpected(f"format of {self.command}: {asked}")

    @property
    def verb(self) -> str:
        return self.command.split()[-1]

    @property
    def target(self) -> str:
        return f"{self.command.split()[-2].removesuffix('s')}/{self.rest[0]}"


def config_get(state: State, call: Call) -> str:
    return str(state["config"].get(call.rest[0], ""))


def token(state: State, call: Call) -> str:
    return str(state["token"])


def describe(state: State, call: Call) -> str:
    if call.target in state["unreadable"]:
        raise Refused(f"ERROR: (gcloud.{call.command}) UNAVAILABLE")
    if not (found := state["runs"].get(call.target)):
        raise Refused(f"ERROR: (gcloud.{call.command}) Cannot find [{call.rest[0]}].")
    return f"{found['image']} {found['digest']}".rstrip()


def update(state: State, call: Call) -> str:
    fault = state["update_faults"].get(call.target)
    if fault == "fails":
        raise Refused(f"ERROR: (gcloud.{call.command}) PERMISSION_DENIED")
    if fault != "ignored":
        digest = call.flags["--update-env-vars"].removeprefix("WORKER_IMAGE_DIGEST=")
        state["runs"][call.target] = {"image": call.flags["--image"], "digest": digest}
    return ""


def update_traffic(state: State, call: Call) -> str:
    state["pinned"] = [service for service in state["pinned"] if service != call.target]
    return ""


def tags_list(state: State, call: Call) -> str:
    return "\n".join(f"{tag} {digest}" for tag, digest in state["tags"].items())


def tags_add(state: State, call: Call) -> str:
    if state["tags_add_fails"]:
        raise Refused("ERROR: (gcloud.artifacts.docker.tags.add) PERMISSION_DENIED")
    image, tagged = call.rest
    name, _, tag = tagged.rpartition(":")
    assert image.startswith(f"{name}@")
    state["tags"][tag] = image.partition("@")[2]
    return ""


def tags_delete(state: State, call: Call) -> str:
    del state["tags"][call.rest[0].rpartition(":")[2]]
    return ""


def images_describe(state: State, call: Call) -> str:
    digest = state["tags"].get(call.rest[0].rpartition(":")[2])
    if not digest:
        raise Refused("ERROR: (gcloud.artifacts.docker.images.describe) NOT_FOUND")
    return str(digest)


def publish(state: State, call: Call) -> str:
    state["questions"].append(json.loads(call.flags["--message"]))
    if state["worker"]:
        data = binascii.b2a_base64(call.flags["--message"].encode(), newline=False).decode()
        host = state["worker"]["PUBSUB_EMULATOR_HOST"]
        topic = f"projects/{call.flags['--project']}/topics/{call.rest[0]}"
        send("POST", f"http://{host}/v1/{topic}:publish", {"messages": [{"data": data}]})
    return "messageIds: '1'"


def execute(state: State, call: Call) -> str:
    name = f"{call.rest[0]}-{len(state['executions']) + 1}"
    state["executions"][name] = state["execution_states"].pop(0) if state["execution_states"] else "Unknown"
    if state["worker"]:
        run_worker(state, call.target)
    else:
        answer(state, call)
    state["runs"].update(state["deployed_meanwhile"])
    state["unreadable"] = state["unreadable_after_execute"]
    return name


def answer(state: State, call: Call) -> None:
    """Write what the next execution is planned to answer; the plan's last entry holds on."""
    plan = state["answers"].pop(0) if len(state["answers"]) > 1 else state["answers"][0]
    if plan is None:
        return
    fields = {"status": "completed", "mode": "live", "digest": state["runs"][call.target]["digest"], **plan}
    document = {
        "status": {"stringValue": fields["status"]},
        "mode": {"stringValue": fields["mode"]},
        "cost_usd": {"doubleValue": 0.0012},
        "image_digest": {"stringValue": fields["digest"]},
        "script": {"mapValue": {"fields": {"title": {"stringValue": "Leaves"}}}},
    }
    base = f"http://{os.environ['FIRESTORE_EMULATOR_HOST']}/v1/projects/{call.flags['--project']}"
    path = f"{base}/databases/(default)/documents/content_results/{state['questions'][-1]['request_id']}"
    send("PATCH", path, {"fields": document})


def run_worker(state: State, target: str) -> None:
    """The worker itself, as the job would run it."""
    import subprocess

    environment = {**os.environ, **state["worker"], "WORKER_IMAGE_DIGEST": state["runs"][target]["digest"]}
    command = [sys.executable, "-m", "worker", "run"]
    ran = subprocess.run(command, env=environment, cwd=state["root"], capture_output=True, text=True)
    state["worker_output"] = ran.stderr[-3000:]


def execution_describe(state: State, call: Call) -> str:
    return str(state["executions"][call.rest[0]])


def build_submit(state: State, call: Call) -> str:
    return "0a1b2c3d-build"


def build_describe(state: State, call: Call) -> str:
    if call.flags["--format"] == FORMATS["builds describe"][1]:
        return str(state["built"])
    statuses = state["build_statuses"]
    return str(statuses.pop(0) if len(statuses) > 1 else statuses[0])


ANSWERS: dict[str, Callable[[State, Call], str]] = {
    "config get": config_get,
    "auth print-access-token": token,
    **{name: describe for name in COMMANDS if name.startswith(("run", "beta")) and name.endswith("describe")},
    **{name: update for name in COMMANDS if name.endswith("update")},
    "run services update-traffic": update_traffic,
    "run jobs execute": execute,
    "run jobs executions describe": execution_describe,
    "pubsub topics publish": publish,
    "artifacts docker tags list": tags_list,
    "artifacts docker tags add": tags_add,
    "artifacts docker tags delete": tags_delete,
    "artifacts docker images describe": images_describe,
    "builds submit": build_submit,
    "builds describe": build_describe,
}


def send(method: str, url: str, body: dict[str, Any]) -> None:
    import urllib.request

    headers = {"Content-Type": "application/json"}  # without it the Pub/Sub emulator finds nothing
    request = urllib.request.Request(url, data=json.dumps(body).encode(), headers=headers, method=method)
    with urllib.request.urlopen(request, timeout=20) as answered:
        answered.read()


def main() -> int:
    path = Path(os.environ["STAND_IN_STATE"])
    with path.with_suffix(".lock").open("w") as lock:  # what a killed script has started may still be at it
        fcntl.flock(lock, fcntl.LOCK_EX)
        return respond(path)


def respond(path: Path) -> int:
    state = json.loads(path.read_text())
    try:
        call = Call(sys.argv[1:])
        said = Path(os.environ["STAND_IN_OUTPUT"]).read_text() if call.verb in CHANGING else ""
        state["calls"].append({"arguments": sys.argv[1:], "command": call.command, "said": said})
        print(ANSWERS[call.command](state, call))
    except Refused as refused:
        print(refused, file=sys.stderr)
        return 1
    except Unexpected as unexpected:
        state["unexpected"].append(str(unexpected))
        print(f"the stand-in does not know: {unexpected}", file=sys.stderr)
        return 99
    finally:
        path.write_text(json.dumps(state))
    if call.command == state["stopped_at"]:
        os.kill(os.getsid(0), signal.SIGTERM)
    return 0


if __name__ == "__main__":
    sys.exit(main())
