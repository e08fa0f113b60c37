"""The command `results`: a table of the newest results, or one of them whole."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from worker.drawing import console, printable, show, to_json
from worker.messages import is_request_id
from worker.settings import load_settings
from worker.tables import Column, print_table
from worker.wiring.backends import connect

if TYPE_CHECKING:
    from rich.console import Console

COLUMNS = (
    # Ids that are made up have 32 characters, and who looks for one needs all of it.
    Column(heading="request", least=32),
    Column(heading="status"),
    Column(heading="mode", weight=4),
    Column(heading="topic", least=10, wanted=20),
    Column(heading="interest", weight=1, least=8, wanted=13),
    Column(heading="title", least=10, wanted=20),
    Column(heading="cost", weight=3),
    Column(heading="age", weight=2),
)

COLOURS = {
    "completed": "green",
    "needs_clarification": "yellow",
    "out_of_scope": "yellow",
    "processing": "cyan",
    "blocked": "magenta",
    "failed": "red",
}


async def show_table(*, status: str | None, limit: int, as_json: bool) -> None:
    """Print the newest results."""
    async with connect(load_settings()) as backend:
        documents = await backend.results.newest(limit, status=status)
    if as_json:
        for document in documents:
            show(to_json(document))
    elif documents:
        print_results(documents)
    else:
        click.echo("No results yet. Publish a question with: content-worker publish --help", err=True)


async def show_one(request_id: str, *, as_json: bool) -> bool:
    """Print one result; False when there is none."""
    if not is_request_id(request_id):  # stores refuse some of what nobody can have asked under
        return False
    async with connect(load_settings()) as backend:
        document = await backend.results.get(request_id)
    if document is None:
        return False
    if as_json:
        show(to_json(document))
    else:
        print_result(document)
    return True


def print_results(documents: Iterable[Mapping[str, Any]]) -> None:
    """Print results as a table."""
    rows = [
        (
            document["request_id"],
            document["status"],
            _mode(document),
            _of(document, "nlu", "topic_name"),
            _of(document, "interest", "name"),
            _of(document, "script", "title"),
            _cost(document),
            _age(document["created_at"]),
        )
        for document in documents
    ]
    print_table(COLUMNS, rows, styles=COLOURS)


def print_result(document: Mapping[str, Any]) -> None:
    """Print one result as a person reads it: what was understood, the script, how it came about."""
    out = console()
    status = document["status"]
    out.print(
        f"[bold]{document['request_id']}[/]  [{COLOURS[status]}]{status}[/]  {document.get('mode') or ''}"
    )
    if nlu := document.get("nlu"):
        known = nlu["topic_id"] or "not in the catalogue"
        _say(out, f"topic     {nlu['topic_name']} ({known}), confidence {nlu['confidence']:.2f}")
        _say(out, f"focus     {nlu['focus']}")
        for question in nlu["clarifying_questions"]:
            _say(out, f"ask back  {question}")
    if interest := document.get("interest"):
        _say(out, f"interest  {interest['name']}: {interest['reasoning']}")
    for failure in document.get("failures") or ():
        _say(out, f"failure   {failure['kind']}: {failure['message']}")
    _print_script(out, document.get("script"))
    _print_stages(out, document.get("stages") or {})


def _print_script(out: "Console", script: Mapping[str, Any] | None) -> None:
    if script is None:
        return
    _say(out, "")
    _say(out, f"{script['title']}  ({script['duration_seconds']} s)", style="bold")
    _say(out, script["hook"])
    for section in script["sections"]:
        _say(out, "")
        _say(out, f"{section['title']}  ({section['duration_seconds']} s)", style="bold")
        _say(out, section["content"])
        for visual in section["visuals"]:
            _say(out, f"  on screen: {visual}", style="dim")
    out.print("\n[bold]To remember[/]")
    for takeaway in script["key_takeaways"]:
        _say(out, f"- {takeaway}")


def _say(out: "Console", text: str, style: str = "") -> None:
    """Print what a model has written, which may be anything: as text, never as markup or terminal codes."""
    out.print(printable(text), markup=False, emoji=False, style=style)


def _print_stages(out: "Console", stages: Mapping[str, Mapping[str, Any]]) -> None:
    if stages:
        out.print()
    for stage, record in stages.items():
        cost = "cost unknown" if record["cost_usd"] is None else f"${record['cost_usd']:.5f}"
        out.print(
            f"{stage:9} {record['mode']}, {record['model']}, {record['attempts']} calls, "
            f"{record['latency_ms']} ms, {cost}",
            style="dim",
        )
        if record["error"]:
            _say(out, f"          a better rung did not answer: {record['error']['message']}")


def _mode(document: Mapping[str, Any]) -> str:
    """The mode, where any stage was asked at all."""
    return document["mode"] if document.get("stages") else ""


def _of(document: Mapping[str, Any], part: str, key: str) -> str:
    return (document.get(part) or {}).get(key) or ""


def _cost(document: Mapping[str, Any]) -> str:
    if document["status"] == "processing":
        return ""
    cost = document.get("cost_usd")
    return "unknown" if cost is None else f"${cost:.4f}"


def _age(created_at: datetime) -> str:
    seconds = (datetime.now(UTC) - created_at).total_seconds()
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
