"""An index of packages in a folder, as an index is on a later day: what is locked, and a newer release of everything.

The packages are stand-ins without code, under the names, versions and dependencies of those that are installed here.
"""

import hashlib
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

BUILD_BACKEND = "setuptools"
"""Installed by the lock and used right after: the one package that must be a real one."""

_WHEEL = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
_LOCKED = re.compile(r"^(?P<requirement>[A-Za-z0-9][^\\#]*?==[^\\#]+?)\s*(?:\\|--hash=.*)$")


@dataclass(frozen=True, kw_only=True, slots=True)
class Locked:
    """One line of a lock, such as `name==1.2 ; marker`."""

    line: str
    name: str
    version: str
    is_for_here: bool


def locked_packages(lock: Path) -> list[Locked]:
    """What a lock file names, markers judged for this interpreter."""
    return list(_locked(lock.read_text(encoding="utf-8")))


def build_index(lock: Path, folder: Path) -> str:
    """Fill the folder with wheels for a lock and with newer ones; the lock's text with the hashes of these wheels."""
    folder.mkdir()
    lines = []
    for package in locked_packages(lock):
        if not package.is_for_here:
            lines.append(f"{package.line} --hash=sha256:{'0' * 64}")
            continue
        wheel = _wheel(folder, package.name, package.version)
        _stand_in(folder, package.name, _newer(package.version))
        lines.append(f"{package.line} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}")
    return "\n".join(lines) + "\n"


def _locked(text: str) -> Iterator[Locked]:
    for line in text.splitlines():
        if (found := _LOCKED.match(line)) is None:
            continue
        requirement = Requirement(found["requirement"])
        yield Locked(
            line=found["requirement"],
            name=canonicalize_name(requirement.name),
            version=str(next(iter(requirement.specifier)).version),
            is_for_here=requirement.marker is None or requirement.marker.evaluate(),
        )


def _newer(version: str) -> str:
    *higher, last = Version(version).release
    return ".".join(map(str, [*higher, last + 1]))


def _wheel(folder: Path, name: str, version: str) -> Path:
    return _repacked(folder, name, version) if name == BUILD_BACKEND else _stand_in(folder, name, version)


def _stand_in(folder: Path, name: str, version: str) -> Path:
    installed = metadata.distribution(name).metadata
    fields = [
        f"{field}: {value}"
        for field in ("Provides-Extra", "Requires-Dist")
        for value in installed.get_all(field) or []
    ]
    about = "\n".join(["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *fields]) + "\n"
    path, info = _wheel_path(folder, name, version)
    files = {f"{info}/METADATA": about, f"{info}/WHEEL": _WHEEL}
    record = "".join(f"{file},,\n" for file in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(path, "w") as wheel:
        for file, text in {**files, f"{info}/RECORD": record}.items():
            wheel.writestr(file, text)
    return path


def _repacked(folder: Path, name: str, version: str) -> Path:
    """The installed package as a wheel again."""
    path, info = _wheel_path(folder, name, version)
    installed = metadata.distribution(name)
    files = [
        file
        for file in installed.files or []
        if ".." not in file.parts
        and file.suffix != ".pyc"
        and file.name not in ("INSTALLER", "REQUESTED", "RECORD")
    ]
    with zipfile.ZipFile(path, "w") as wheel:
        for file in files:
            wheel.write(str(file.locate()), str(file))
        wheel.writestr(f"{info}/RECORD", "".join(f"{file},,\n" for file in [*files, f"{info}/RECORD"]))
    return path


def _wheel_path(folder: Path, name: str, version: str) -> tuple[Path, str]:
    stem = f"{name.replace('-', '_')}-{version}"
    return folder / f"{stem}-py3-none-any.whl", f"{stem}.dist-info"
