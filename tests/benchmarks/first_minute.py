"""From nothing to the first ranked rows of the sample: the wheel, an empty environment, the start.

python tests/benchmarks/first_minute.py    (any Python 3.11 or newer, on any system; needs nothing but pip)

The environment knows nothing of the checkout. Printed are the seconds of the installation, of the start until the app
answers, until the first rows are ranked, and of all together.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]
LONGEST_SECONDS = 3600
ASK = """
import sys, time
from diet_explorer import Workspace
from diet_explorer.errors import DietExplorerError
workspace = Workspace(sys.argv[1])
while True:
    try:
        rows = len(next(iter(workspace.runs())).ranked(limit=10))
    except (DietExplorerError, StopIteration):
        rows = 0
    if rows:
        break
    time.sleep(0.2)
print(rows)
"""


def main() -> None:
    """Print the times."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--index", help="a further index, such as that of torch's CPU build")
    parser.add_argument("--constraint", type=Path, help="a file of pinned versions")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        away = Path(folder)
        run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--wheel-dir", str(away), str(ROOT), cwd=away)
        wheel = next(away.glob("*.whl"))
        begun = time.monotonic()
        venv.create(away / "env", with_pip=True)
        programs = away / "env" / ("Scripts" if os.name == "nt" else "bin")
        python = str(programs / "python")
        more = ["--extra-index-url", options.index] if options.index else []
        more += ["--constraint", str(options.constraint.absolute())] if options.constraint else []
        run(python, "-m", "pip", "install", "-q", "--disable-pip-version-check", f"{wheel}[offline]", *more, cwd=away)
        installed = time.monotonic()
        home = away / "workspace"
        app = subprocess.Popen(
            [str(programs / "diet-explorer"), "app", "--sample", "--port", "0", "--json", "--workspace", str(home)],
            cwd=away,
            env=bare(),
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            url = json.loads((app.stdout or sys.stdin).readline())["url"]
            answered = time.monotonic()
            run(python, "-c", ASK, str(home), cwd=away)
            ranked = time.monotonic()
        finally:
            app.terminate()
            app.wait(60)
    print(f"{wheel.name} at {url}")
    for words, seconds in (
        ("installation", installed - begun),
        ("command to an app that answers", answered - installed),
        ("command to the first ranked rows", ranked - installed),
        ("all together", ranked - begun),
    ):
        print(f"{words}: {seconds:.0f} s")


def bare() -> dict[str, str]:
    """The environment without what leads back to the checkout."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "DIET_EXPLORER_"))}


def run(*command: str, cwd: Path) -> None:
    """Run a program to its end, elsewhere."""
    subprocess.run(command, check=True, cwd=cwd, env=bare(), timeout=LONGEST_SECONDS)


if __name__ == "__main__":
    main()
