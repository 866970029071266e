"""Two hosts on one run, and everything that goes wrong between them: what it costs, and that nothing else comes of it.

python -m tests.benchmarks.faults [--home s3|folder] [--only kill,freeze] [--short] [--proxies]
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from tests.faults.namespaces import allowed
from tests.faults.situations import SITUATIONS, Situation
from tests.faults.stage import LONG, SHORT, has_compiler, stage
from tests.faults.verdict import Verdict, play, undisturbed

_HEAD = ("situation", "outage s", "lost s", "twice s", "steps again", "decisions", "verdict")


def missing(situation: Situation, home: str) -> str | None:
    """Why a situation cannot be had here."""
    if situation.needs == "store" and home != "s3":
        return "not had: a folder has no server that could be away"
    if situation.needs == "compiler" and not has_compiler():
        return "not had: no C compiler here to put a clock ahead"
    return None


def row(verdict: Verdict) -> tuple[str, ...]:
    """A line of the table."""
    figures = (verdict.outage, verdict.lost, verdict.doubled)
    words = "; ".join(verdict.faults) or "as undisturbed"
    return (
        verdict.situation.title,
        *(f"{figure:.1f}" for figure in figures),
        str(verdict.repeated),
        f"{verdict.decisions:,}",
        words,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", choices=("s3", "folder"), default="s3")
    names = [entry.name for entry in SITUATIONS]
    parser.add_argument("--only", default=",".join(names), help="situations in that order; by default %(default)s")
    parser.add_argument("--short", action="store_true", help="with the short form's leases and outages")
    parser.add_argument("--proxies", action="store_true", help="no networks of the hosts' own, though they can be had")
    parser.add_argument("--keep", type=Path, help="a new folder in which everything stays, to be looked at")
    given = parser.parse_args()
    wanted = [SITUATIONS[names.index(name)] for name in given.only.split(",")]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that no process is left behind
    namespaces = not given.proxies and allowed()
    scale = SHORT if given.short else LONG
    rows: list[tuple[str, ...]] = []
    failed = False
    with (
        tempfile.TemporaryDirectory() as folder,
        stage(scale, given.home, given.keep or Path(folder), namespaces=namespaces) as made,
    ):
        made.start_workers()
        expected = undisturbed(made)
        hosts = "hosts in networks of their own" if namespaces else "hosts behind proxies"
        print(f"undisturbed: {expected.seconds:.1f} s, lease {scale.lease:g} s, home {given.home}, {hosts}", flush=True)
        for situation in wanted:
            reason = missing(situation, given.home)
            if reason is None:
                verdict = play(made, situation, expected)
                failed |= bool(verdict.faults)
                rows.append(row(verdict))
            else:
                rows.append((situation.title, "", "", "", "", "", reason))
            print(" | ".join(rows[-1]), flush=True)
    print("\n".join(_table(rows)))
    sys.exit(failed)


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    rule = ["---", *["---:"] * (len(_HEAD) - 2), "---"]
    return ["| " + " | ".join(cells) + " |" for cells in (_HEAD, rule, *rows)]


if __name__ == "__main__":
    main()
