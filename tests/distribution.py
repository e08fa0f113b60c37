"""How `scripts/test` shares the tests among processes, by pytest-xdist; `tests/conftest.py` makes it known to pytest.

The longest come first, so that no process is left alone with them at the end. Tests of one file stay together, as
most files are quick and many prepare something for all of their tests; the slow files are dealt out test by test.
"""

import os
from pathlib import Path

import pytest
from xdist.remote import Producer  # type: ignore[import-untyped]  # ships no types
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

LONGEST_FIRST = (
    "tests/conformance/test_processes.py",
    "tests/conformance/",
    "tests/acceptance/",
    "tests/contract/",
    "tests/integration/",
    "tests/",
)
"""Where tests lie, as their ids begin."""

DEALT_OUT = ("tests/acceptance/", "tests/conformance/test_injection.py", "tests/conformance/test_inputs.py")
"""Where a test is a share of its own."""


class Shares(LoadScopeScheduling):  # type: ignore[misc]
    """Hands the next share to whoever is about to run out of tests."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid if nodeid.startswith(DEALT_OUT) else nodeid.partition("::")[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """How many processes `-n auto` means: none besides this one for a single file, which is done sooner like that."""
    if len(config.args) == 1 and Path(config.args[0].partition("::")[0]).is_file():
        return 0
    # One more than there are cores: tests of processes mostly wait.
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Shares | None:
    """The scheduler, unless `--dist` names another one."""
    if config.getoption("dist") != "load":
        return None
    config.option.loadscopereorder = False
    return Shares(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the tests for sharing; where they are not shared they stay as they are written."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(
            key=lambda item: next(n for n, place in enumerate(LONGEST_FIRST) if item.nodeid.startswith(place))
        )
