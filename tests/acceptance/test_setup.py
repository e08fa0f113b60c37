"""The lock installs with every installer there is, whatever the index has released since."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.acceptance.package_index import build_index, locked_packages
from tests.acceptance.running import ROOT

INSTALLERS = ROOT / ".local" / "installers"
PIPS = ("23.0", "23.2.1", "24.3.1", "25.3", "26.3")
PARTS = ("scripts", "requirements", "pyproject.toml", "README.md", "LICENSE", "worker", "services")


@pytest.fixture(scope="module")
def later_day(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """An index in a folder where everything that is locked has a newer release, and the lock with its hashes."""
    folder = tmp_path_factory.mktemp("later-day") / "index"
    return folder, build_index(ROOT / "requirements" / "dev.txt", folder)


@pytest.fixture
def checkout(tmp_path: Path, later_day: tuple[Path, str]) -> Path:
    """A copy of the project whose lock names the packages of that index."""
    checkout = tmp_path / "project"
    checkout.mkdir()
    for part in PARTS:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, checkout / part)
    (checkout / "requirements" / "dev.txt").write_text(later_day[1], encoding="utf-8")
    return checkout


def installer(name: str) -> Path:
    """The wheel of an installer that scripts/installers has fetched."""
    found = list(INSTALLERS.glob(f"{name}-*.whl"))
    if not found:
        reason = f"{name} is not in {INSTALLERS.relative_to(ROOT)}: run scripts/installers"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found[0]


def python_with(pip: Path, folder: Path) -> Path:
    """An interpreter whose new environments come with that pip, as another machine's do."""
    folder.mkdir()
    python = folder / "python"
    packages = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    python.write_text(
        "#!/bin/sh\n"
        f'[ "$1 $2" = "-m venv" ] || exec "{sys.executable}" "$@"\n'
        f'"{sys.executable}" -m venv --without-pip "$3" || exit\n'
        f'exec "{sys.executable}" -m zipfile --extract "{pip}" "$3/{packages}"\n',
        encoding="utf-8",
    )
    python.chmod(0o755)
    return python


def set_up(
    checkout: Path, index: Path, *, path: str = os.defpath, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run the project's own set-up, with nothing to install from but the folder."""
    uv_settings = checkout.parent / "uv.toml"
    uv_settings.write_text(f'no-index = true\nfind-links = ["{index}"]\n', encoding="utf-8")
    environment = {
        "PATH": path,
        "HOME": str(checkout.parent),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_COMPILE": "1",
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(index),
        "UV_CONFIG_FILE": str(uv_settings),
        "UV_CACHE_DIR": str(checkout.parent / "uv-cache"),
    }
    return subprocess.run(
        ["scripts/setup"],
        cwd=checkout,
        env={**environment, **variables},
        capture_output=True,
        text=True,
        timeout=100,
    )


def installed(checkout: Path) -> dict[str, str]:
    """Names and versions of what is in the checkout's environment."""
    listing = (
        "from importlib.metadata import distributions\n"
        "for one in distributions(): print(one.name.lower().replace('_', '-').replace('.', '-'), one.version)"
    )
    shown = subprocess.run(
        [checkout / ".venv" / "bin" / "python", "-c", listing], capture_output=True, text=True, check=True
    )
    return dict(line.split() for line in shown.stdout.splitlines())


def assert_as_locked(checkout: Path) -> None:
    locked = locked_packages(checkout / "requirements" / "dev.txt")
    there = installed(checkout)
    assert {one.name: there.get(one.name) for one in locked if one.is_for_here} == {
        one.name: one.version for one in locked if one.is_for_here
    }
    assert "content-worker" in there


@pytest.mark.parametrize("version", PIPS)
def test_the_lock_installs_with_each_pip_although_everything_has_a_newer_release(
    version: str, checkout: Path, later_day: tuple[Path, str], tmp_path: Path
) -> None:
    # Given a Python that brings this pip, and no uv
    python = python_with(installer(f"pip-{version}"), tmp_path / "bin")
    # When the project is set up
    ended = set_up(checkout, later_day[0], PYTHON=str(python))
    # Then exactly what is locked is there
    assert ended.returncode == 0, ended.stderr
    assert_as_locked(checkout)


def test_the_lock_installs_with_uv_although_everything_has_a_newer_release(
    checkout: Path, later_day: tuple[Path, str], tmp_path: Path
) -> None:
    # Given uv on the path
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    with zipfile.ZipFile(installer("uv")) as wheel:
        member = next(name for name in wheel.namelist() if name.endswith("/scripts/uv"))
        (bin_folder / "uv").write_bytes(wheel.read(member))
    (bin_folder / "uv").chmod(0o755)
    # When the project is set up
    ended = set_up(checkout, later_day[0], path=f"{bin_folder}:{os.defpath}", PYTHON=sys.executable)
    # Then exactly what is locked is there
    assert ended.returncode == 0, ended.stderr
    assert_as_locked(checkout)


def test_an_old_pip_that_resolves_the_lock_refuses_it_on_such_a_day(
    checkout: Path, later_day: tuple[Path, str], tmp_path: Path
) -> None:
    # Given a set-up that leaves out --no-deps: what is guarded against here must really happen
    script = checkout / "scripts" / "setup"
    lines = script.read_text(encoding="utf-8")
    resolving = lines.replace("install --no-deps --require-hashes", "install --require-hashes")
    assert resolving != lines
    script.write_text(resolving, encoding="utf-8")
    python = python_with(installer("pip-23.2.1"), tmp_path / "bin")
    # When the project is set up
    ended = set_up(checkout, later_day[0], PYTHON=str(python))
    # Then pip complains of a package that something asks for with an extra
    assert ended.returncode != 0
    assert "must have their versions pinned" in ended.stderr


def test_a_lock_that_lacks_a_package_is_refused_by_name(
    checkout: Path, later_day: tuple[Path, str], tmp_path: Path
) -> None:
    # Given a lock without a package that another one needs
    lock = checkout / "requirements" / "dev.txt"
    lines = lock.read_text(encoding="utf-8").splitlines(keepends=True)
    lock.write_text(
        "".join(line for line in lines if not line.startswith("annotated-types==")), encoding="utf-8"
    )
    python = python_with(installer("pip-26.3"), tmp_path / "bin")
    # When the project is set up
    ended = set_up(checkout, later_day[0], PYTHON=str(python))
    # Then the check afterwards says which
    assert ended.returncode != 0
    assert "annotated-types" in ended.stdout + ended.stderr
