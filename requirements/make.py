"""Write the files beside this one: every package that `make` installs, with the hashes of all of its files.

Run by ``make lock`` after a change of pyproject.toml or constraints.txt, with `uv` on the path; the versions are
those of constraints.txt where it names them. torch stands in a file of its own, since its CPU build is not on PyPI.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
BUILDING = ["hatchling", "editables"]
CHECKING = ["mypy", "pandas-stubs", "ruff"]
GOALS = {
    "app": ("the app", ["offline", "sign-in"], BUILDING),
    "test": ("its tests", ["test"], [*BUILDING, *CHECKING]),
    "dev": ("its benchmarks", ["dev"], [*BUILDING, *CHECKING]),
}
_TORCH = re.compile(r"(torch|triton|nvidia-|cuda-)")
_OPTIONS = ["--universal", "--python-version", "3.11", "--generate-hashes", "--no-header", "--no-annotate", "--quiet"]


def main() -> None:
    """Write all files."""
    torch: dict[str, None] = {}
    for name, (what, extras, more) in GOALS.items():
        blocks = _locked(extras, more)
        torch.update(dict.fromkeys(block for block in blocks if _TORCH.match(block)))
        kept = [block for block in blocks if not _TORCH.match(block)]
        _write(name, f"Every package of {what} but torch, with the hashes of its files", kept)
    _write("uv", "What installs the others", _locked([], ["uv"], alone=True))
    _write("torch", "torch as it is on PyPI, with what its CUDA build takes on Linux", list(torch))


def _locked(extras: list[str], more: list[str], *, alone: bool = False) -> list[str]:
    """One block of text per package: its version, and its hashes."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "more.in").write_text("\n".join(more))
        target = Path(folder) / "locked.txt"
        chosen = [option for extra in extras for option in ("--extra", extra)]
        files = [*([] if alone else [str(ROOT / "pyproject.toml")]), str(Path(folder) / "more.in")]
        places = ["--constraint", str(ROOT / "constraints.txt"), "--output-file", str(target)]
        subprocess.run(["uv", "pip", "compile", *files, *chosen, *_OPTIONS, *places], check=True)  # noqa: S607
        return re.split(r"\n(?=[a-z0-9])", target.read_text().strip())


def _write(name: str, what: str, blocks: list[str]) -> None:
    head = f"# {what}, for: pip install --require-hashes --no-deps. Made by: make lock\n"
    (HERE / f"{name}.txt").write_text(head + "\n".join(blocks) + "\n")


if __name__ == "__main__":
    main()
