"""The command `emulators`: hands this process over to `tests/emulators` of the checkout that it runs from."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from services.errors import ConfigurationError
from worker.settings import load_settings

_RUN_FROM_CHECKOUT = (
    "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); "
    "runpy.run_module('tests.emulators', run_name='__main__', alter_sys=True)"
)


def become_emulators(command: Sequence[str]) -> NoReturn:
    """Become the process that runs the emulators, and the command against them where one is given.

    Raises `ConfigurationError` for a bad setting, and where there is no source tree.
    """
    load_settings(worker_backend="embedded")  # emulators that run already are named there
    checkout = Path(__file__).resolve().parent.parent
    if not (checkout / "tests" / "emulators" / "__main__.py").exists():
        raise ConfigurationError(
            "The emulators are part of the source tree, and this is an installed package.",
            fix="Clone the repository and run scripts/emulators there.",
        )
    # Replacing the process leaves nobody between the terminal's signals and the emulators' shutdown.
    os.execv(sys.executable, [sys.executable, "-c", _RUN_FROM_CHECKOUT, str(checkout), *command])  # noqa: S606
