"""Time and memory of exports at a million rows, each in a process of its own as the job has it.

Usage: ``python -m tests.benchmarks.export_rows [--folder FOLDER] [--rows 1000000]``. Prints seconds and the greatest
resident set of each format; the aim is at most 60 s and 500 MB, from the start of the process to the renamed folder.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from diet_explorer import Workspace
from diet_explorer.pruning.export.request import ExportOptions, ExportRequest
from diet_explorer.pruning.export.writing import write_export
from diet_explorer.pruning.policies import Policy

CASES = [("csv", False), ("jsonl", False), ("parquet", False), ("datasets", False), ("csv", True), ("parquet", True)]
MOST_SECONDS, MOST_MEGABYTES = 60, 500


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--case", nargs=4, help="what a child process does: home, database, run, number of the case")
    arguments = parser.parse_args()
    if arguments.case:
        _case(*arguments.case)
        return 0
    from tests.benchmarks.million_rows import FOLDER, million_rows  # loads torch, which no export does

    workspace, run_id = million_rows(arguments.folder or FOLDER, arguments.rows)
    fine = True
    with tempfile.TemporaryDirectory() as own:
        database = Path(own) / "explorer.sqlite"  # a copy: the benchmark's workspace stays as it is
        shutil.copy(workspace.settings.home_folder / "explorer.sqlite", database)
        print(f"{'format':10}{'rows':>10}{'seconds':>10}{'cpu s':>8}{'MB':>7}{'of that mapped':>16}{'written MB':>12}")
        for number, (form, all_rows) in enumerate(CASES):
            command = [sys.executable, "-m", "tests.benchmarks.export_rows", "--case", workspace.context.files.root]
            done = subprocess.run([*command, str(database), run_id, str(number)], check=True, capture_output=True)
            found = json.loads(done.stdout)
            fine &= found["seconds"] <= MOST_SECONDS and found["megabytes"] <= MOST_MEGABYTES
            print(
                f"{form:10}{'all' if all_rows else 'kept':>10}{found['seconds']:>10.1f}{found['cpu']:>8.1f}"
                f"{found['megabytes']:>7.0f}{found['mapped']:>16.0f}{found['written']:>12.0f}",
                flush=True,
            )
    return 0 if fine else 1


def _case(home: str, database: str, run_id: str, number: str) -> None:
    """One export, measured from the start of the process."""
    form, all_rows = CASES[int(number)]
    workspace = Workspace(home, database_url=f"sqlite:///{database}")
    run = workspace.run(run_id)
    dataset = run.dataset
    with tempfile.TemporaryDirectory() as folder:
        request = ExportRequest(
            run_id=run_id,
            dataset_id=dataset.id,
            policy=Policy(drop_hardest=2, drop_easiest=10, deduplicate=True, checkpoint=1.0),
            checkpoint=1.0,
            decisions_at=dataset.ledger.position(),
            options=ExportOptions(form, all_rows, neutralise_formulas=form == "csv"),
        )
        files = workspace.context.files
        plan = request.plan(files, dataset.ledger)
        manifest = write_export(files, run.record, plan, request.options, f"{folder}/out", "export-benchmark")
        seconds = time.time() - _started()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(
        json.dumps(
            {
                "seconds": seconds,
                "cpu": usage.ru_utime + usage.ru_stime,
                "megabytes": usage.ru_maxrss / 1024,
                "mapped": _mapped(),
                "written": sum(entry["bytes"] for entry in manifest["files"]) / 1e6,
            }
        )
    )


def _started() -> float:
    """When this process was started, in seconds since the epoch."""
    ticks = int(Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19])
    boot = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith("btime"))
    return int(boot.split()[1]) + ticks / os.sysconf("SC_CLK_TCK")


def _mapped() -> float:
    """Megabytes of files mapped into memory now, which the system can take back at any moment."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssFile")) / 1024


if __name__ == "__main__":
    sys.exit(main())
