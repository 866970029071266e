"""What `make` installs is pinned, in the versions that were tested, by the hashes of its files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMES = ("app", "test", "dev", "torch")


def packages(name: str) -> dict[str, str]:
    """Each package of a file with its version, and with what stands below it."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    return dict(re.findall(r"^([a-z0-9][\w.-]*)(==.*(?:\n +.*)*)", text, re.MULTILINE))


@pytest.mark.parametrize("name", NAMES)
def test_each_package_has_hashes_and_no_address(name: str) -> None:
    found = packages(name)
    assert found
    for package, entry in found.items():
        assert re.match(r"==[\w.+!-]+( ;.*)? \\\n +--hash=sha256:[0-9a-f]{64}", entry), package
    assert "://" not in (ROOT / "requirements" / f"{name}.txt").read_text()


def test_versions_are_those_of_the_constraints() -> None:
    pinned = dict(re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE))
    locked = {package: re.match(r"==(\S+)", entry) for name in NAMES for package, entry in packages(name).items()}
    versions = {package: match[1] for package, match in locked.items() if match}
    assert pinned.items() <= versions.items()


def test_the_tests_take_what_the_app_takes() -> None:
    assert packages("app").keys() <= packages("test").keys() <= packages("dev").keys()
