"""Reads a Firestore document (REST form) on stdin; prints status, mode, cost, digest and failures, one a line."""

import json
import sys

NONE = "none"


def plain(value):
    """The value inside Firestore's wrapping."""
    if not isinstance(value, dict):
        return None
    for kind, inner in value.items():
        if kind == "arrayValue":
            return [plain(item) for item in inner.get("values", [])]
        if kind == "mapValue":
            return {key: plain(item) for key, item in inner.get("fields", {}).items()}
        return inner
    return None


def one_line(failure):
    """A failure by its cause."""
    if not isinstance(failure, dict):
        return str(failure)
    return " ".join(str(failure[key]) for key in ("stage", "kind", "message") if failure.get(key))


def main():
    """What the smoke test asks about, each line at least `none`."""
    fields = {name: plain(value) for name, value in json.load(sys.stdin).get("fields", {}).items()}
    failures = "; ".join(one_line(failure) for failure in fields.get("failures") or [])
    told = [fields.get(name) for name in ("status", "mode", "cost_usd", "image_digest")]
    for value in (*told, failures):
        print(NONE if value in (None, "") else " ".join(str(value).split()))


main()
