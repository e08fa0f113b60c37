"""The entry point of `content-worker`, which is `python -m worker`.

Two things come before everything else, before the imports of whatever the command needs, too: from now on a signal
counts, and no standard stream can end the work.
"""

from worker import stopping, streams


def main() -> None:
    """Run the command line and end the process with its exit code."""
    stopping.listen()
    streams.prepare()
    try:
        from worker.cli import cli

        cli(prog_name="content-worker")
    except KeyboardInterrupt:
        # While it still started. What comes later click tells.
        raise SystemExit(130) from None
    finally:
        streams.end_output()


if __name__ == "__main__":
    main()
