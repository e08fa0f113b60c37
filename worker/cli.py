"""What people type. Each command is: settings, wiring, one call, print.

Imports of what a command needs stand inside it, so that `--help` and shell completion stay quick.
"""

import asyncio
import errno
from pathlib import Path
from typing import Any

import click

from services.errors import ConfigurationError, PermanentError, TransientError
from worker.dead_letters.cli import dead_letters
from worker.stopping import end_at_sigterm
from worker.summary import EXIT_BUG, EXIT_CONFIGURATION, EXIT_OUTAGE, REFUSED_FIX

EXAMPLE_QUESTION = "Explain quantum entanglement using soccer"


STOP_IN_GOOD_ORDER = ("run", "serve", "heal")
"""Commands that take care of SIGTERM themselves."""

OUTPUT_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EAGAIN, errno.EBADF)
"""What standard output may fail with, beside a reader that has gone away, which is no news to anybody."""


class _Commands(click.Group):
    """Turns the errors that an operator can mend into two lines and the exit code that fits."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ConfigurationError as error:
            _complain(error.message, error.fix)
            ctx.exit(EXIT_CONFIGURATION)
        except TransientError as error:
            _complain(
                error.message, "Nothing is lost; try again, and look at the service if it stays like this."
            )
            ctx.exit(EXIT_OUTAGE)
        except PermanentError as error:
            _complain(error.message, REFUSED_FIX)
            ctx.exit(EXIT_CONFIGURATION)
        except OSError as error:
            if error.errno not in OUTPUT_ERRORS or error.filename is not None:
                raise
            _complain(
                f"Standard output cannot be written: {error.strerror}.",
                "What was printed is not complete: make room, or write elsewhere, and run the command again.",
            )
            ctx.exit(EXIT_BUG)


def _complain(cause: str, fix: str) -> None:
    click.secho(f"content-worker: {cause}", fg="red", err=True)
    click.echo(f"  fix: {fix}", err=True)


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Settings come from the environment; the README lists them. Start with: content-worker demo",
)
@click.version_option(package_name="content-worker", prog_name="content-worker")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Turn students' questions from a queue into lesson scripts."""
    if ctx.invoked_subcommand not in STOP_IN_GOOD_ORDER:
        end_at_sigterm()


@cli.command(
    epilog="""\b
Examples:
  content-worker run                   drain the queue, then exit
  content-worker run --continuous      keep going until SIGTERM
  content-worker run --json | jq .results

\b
Exit codes: 0 drained, or stopped in time with work left; 75 queue or store unreachable, or no model
answers and WORKER_ON_OUTAGE is hold, nothing is lost; 78 a setting that only a person can mend; 1 a bug.
"""
)
@click.option("--continuous", is_flag=True, help="Keep going: no idle timeout, no maximum runtime.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@click.pass_context
def run(ctx: click.Context, *, continuous: bool, as_json: bool) -> None:
    """Pull questions, answer them, store the results."""
    from worker.running import run_worker

    ctx.exit(asyncio.run(run_worker(continuous=continuous, as_json=as_json)))


@cli.command(
    epilog=f"""\b
Examples:
  content-worker publish "{EXAMPLE_QUESTION}" --grade 11 --interest soccer
  content-worker publish --file questions.jsonl
  generate-questions | content-worker publish --file -

\b
Each line of a file is one message as the README describes it; request_id and student_id are made up where they
are missing. Nothing is published unless every line is valid.
"""
)
@click.argument("question", required=False)
@click.option("--grade", "grade_level", type=click.IntRange(1, 12), default=8, show_default=True)
@click.option(
    "--interest", "interests", multiple=True, help="What the student likes; may be given several times."
)
@click.option("--duration", "duration_seconds", type=click.IntRange(30, 600), default=180, show_default=True)
@click.option("--language", default="en", show_default=True, help="BCP 47 tag.")
@click.option("--request-id", help="Default: a new random id.")
@click.option("--student-id", default="local-student", show_default=True)
@click.option("--correlation-id", help="Carried into logs, result and dead letter.")
@click.option(
    "--file", "source", type=click.Path(allow_dash=True, path_type=Path), help="JSON Lines; - is stdin."
)
@click.option("--json", "as_json", is_flag=True, help="Print request ids and message ids as JSON Lines.")
def publish(source: Path | None, *, as_json: bool, question: str | None, **options: Any) -> None:
    """Put one question, or a file of them, on the topic."""
    from worker.publishing import lines_of, message_from_options, publish_requests

    if (question is None) == (source is None):
        raise click.UsageError("Give either a question or --file, as in the examples of --help.")
    rows = [message_from_options(question=question, **options)] if question else lines_of(source or Path("-"))
    asyncio.run(publish_requests(rows, as_json=as_json))


@cli.command(
    epilog="""\b
Examples:
  content-worker results                            the newest 20
  content-worker results --status needs_clarification
  content-worker results test_gemini_flash_final    one, with its whole script
  content-worker results --json | jq -r '.script.title'
"""
)
@click.argument("request_id", required=False)
@click.option(
    "--status",
    type=click.Choice(
        ["processing", "completed", "needs_clarification", "out_of_scope", "blocked", "failed"]
    ),
)
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print whole documents, one JSON object a line.")
@click.pass_context
def results(
    ctx: click.Context, *, request_id: str | None, status: str | None, limit: int, as_json: bool
) -> None:
    """Show results: a table of the newest, or one document."""
    from worker.showing import show_one, show_table

    if request_id is None:
        asyncio.run(show_table(status=status, limit=limit, as_json=as_json))
    elif not asyncio.run(show_one(request_id, as_json=as_json)):
        click.echo(
            f"There is no result for {request_id}: not published, not yet pulled, or expired.", err=True
        )
        ctx.exit(1)


@cli.command(
    epilog="""\b
Examples:
  content-worker heal --dry-run            how many results are owed a better answer
  content-worker heal --per-minute 30      repay them slowly, the oldest first

\b
Asks the top rung of every ladder, after one small call that checks whether it answers. A result is replaced only by
a better one, which keeps how the old one came about. Exit codes: 0 done, 75 the models do not answer, nothing is
lost; 78 a setting that only a person can mend; 1 a bug.
"""
)
@click.option("--limit", type=click.IntRange(1, 10_000), default=500, show_default=True)
@click.option("--per-minute", type=click.FloatRange(0.1, 6000), default=60, show_default=True)
@click.option("--dry-run", is_flag=True, help="Only count the debts.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
@click.pass_context
def heal(ctx: click.Context, *, limit: int, per_minute: float, dry_run: bool, as_json: bool) -> None:
    """Answer degraded results again, now that the models are back."""
    from worker.healing import heal as run_heal

    ctx.exit(asyncio.run(run_heal(limit=limit, per_minute=per_minute, dry_run=dry_run, as_json=as_json)))


@cli.command(
    epilog="""\b
Examples:
  content-worker forget --student - --dry-run < student-id.txt    what is stored, counted
  content-worker forget --student -                               asks for the id, and before it erases
  printf %s "$ID" | content-worker forget --student - --json      for programs: acts at once

\b
Erases the student's results, feedback and dead letters, found by WORKER_STUDENT_KEY and the
WORKER_FORMER_STUDENT_KEYS. It does not reach:
  messages still in the queue, and results being worked on: run it again when they are done
  stored answers (content_answers): nothing in them says who asked; they expire by themselves
  backups and point-in-time recovery of the database: they expire as they were set up to
  dead letters that another command has in hand: they are back within a minute
  logs: they hold nothing about students

\b
Exit codes: 0 done, or nothing was there; 75 something is being worked on or could not be reached, run it again;
78 a setting that only a person can mend; 1 you said no.
"""
)
@click.option(
    "--student",
    required=True,
    metavar="ID",
    help="The student_id of the messages; - reads it from standard input, so that no process list shows it.",
)
@click.option("--dry-run", is_flag=True, help="Only count what is stored.")
@click.option(
    "--yes", "assume_yes", is_flag=True, help="Do not ask. Without a terminal nobody is asked anyway."
)
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
@click.pass_context
def forget(ctx: click.Context, *, student: str, dry_run: bool, assume_yes: bool, as_json: bool) -> None:
    """Erase what is stored about a student."""
    from worker.forgetting import forget as run_forget

    ctx.exit(run_forget(student, dry_run=dry_run, assume_yes=assume_yes, as_json=as_json))


@cli.command(
    epilog="""\b
Examples:
  content-worker serve submit --port 8081 &
  curl -H 'Content-Type: application/json' -d @question.json localhost:8081

\b
One process serves one way in. submit, result and feedback ask for a key of WORKER_API_KEYS; push is for Pub/Sub,
and IAM decides who may call it. SIGTERM ends it within ten seconds, and calls in flight may finish in seven.
"""
)
@click.argument("target", type=click.Choice(["submit", "result", "feedback", "push"]))
@click.option("--host", default="0.0.0.0", show_default=True, help="Address to listen on.")  # noqa: S104  # a container's
@click.option(
    "--port", type=click.IntRange(1, 65535), default=8080, envvar="PORT", show_default=True, show_envvar=True
)
@click.pass_context
def serve(ctx: click.Context, target: str, *, host: str, port: int) -> None:
    """Answer HTTP: take questions, tell results, take feedback, or be pushed to."""
    from worker.serving import serve as run_serve

    ctx.exit(asyncio.run(run_serve(target, host=host, port=port)))


@cli.command(epilog="\b\nExample:\n  content-worker provision && content-worker run")
def provision() -> None:
    """Create the topics and subscriptions that are missing. Running it again changes nothing."""
    from worker.drawing import tell
    from worker.provisioning import provision_queue

    for line in asyncio.run(provision_queue()):
        tell(line)


@cli.command(epilog="\b\nExample:\n  content-worker demo")
@click.pass_context
def demo(ctx: click.Context) -> None:
    """Watch questions become results, offline.

    Questions of every kind go through the embedded queue; nothing is left behind.
    """
    from worker.demo import run_demo

    ctx.exit(asyncio.run(run_demo()))


@cli.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    epilog="""\b
Examples:
  content-worker emulators                           start, print the export lines, stop at Ctrl-C
  content-worker emulators -- content-worker run     start, run a command against them, stop
""",
)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def emulators(command: tuple[str, ...]) -> None:
    """Start the Pub/Sub, Firestore and Vertex emulators. Works in a checkout of the source."""
    from worker.emulating import become_emulators

    become_emulators(command)


cli.add_command(dead_letters)
