"""People who review on both hosts all the while, in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

from tests.faults.hosts import Host

PACE_SECONDS = 0.1


class Annotator:
    """A person at a host who reviews one example after the other."""

    def __init__(self, host: Host, dataset_id: str, name: str, ahead: int = 0) -> None:
        host.folder.mkdir(parents=True, exist_ok=True)
        self.name = name
        self._written = host.folder / f"{name}.jsonl"
        clock = host.clock_ahead(ahead) if ahead else {}
        with (host.folder / f"{name}.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.annotators", dataset_id, name, str(self._written)],
                env={**host.environment, **clock},
                stdin=subprocess.PIPE,
                stderr=log,
            )

    def stop(self) -> list[dict[str, Any]]:
        """Let the person end, and give what was shown to them and what was saved."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        status = self._process.wait(120)
        assert status == 0, f"the process of {self.name} ended with {status}"
        return self.written()

    def written(self) -> list[dict[str, Any]]:
        """What was shown to them and what was saved so far."""
        if not self._written.exists():
            return []
        lines = self._written.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line.endswith("}")]

    def kill(self) -> None:
        """End the process, wherever it is."""
        self._process.kill()
        self._process.wait()


def handed_out_twice(lines: dict[str, list[dict[str, Any]]]) -> list[int]:
    """Rows that were shown to more than one of some people, from what they wrote down."""
    shown = Counter(row for entries in lines.values() for row in {line["row"] for line in entries})
    return sorted(row for row, people in shown.items() if people > 1)


def _review(dataset_id: str, name: str, written: Path) -> None:
    import numpy as np

    from diet_explorer.errors import DietExplorerError
    from diet_explorer.workspace.workspace import Workspace

    queue: Any = None
    uid = str(uuid.uuid4())
    os.set_blocking(sys.stdin.fileno(), False)
    with written.open("a", encoding="utf-8", buffering=1) as stream:
        while sys.stdin.buffer.raw.read(1) is None:  # type: ignore[attr-defined]  # empty at the end, None before
            try:
                if queue is None:
                    dataset = Workspace().dataset(dataset_id)
                    queue = dataset.queue(np.arange(dataset.manifest.rows), name)
                item = queue.current
                if item is None:
                    return
                stream.write(json.dumps({"row": item.row}) + "\n")
                time.sleep(PACE_SECONDS)
                event = queue.decide("keep", uid=uid)
                stream.write(json.dumps({"row": item.row, "event": event.id}) + "\n")
                uid = str(uuid.uuid4())
            except DietExplorerError as error:  # the same decision is sent again, as the page does
                sys.stderr.write(f"{error}\n")
                time.sleep(PACE_SECONDS)


if __name__ == "__main__":
    _review(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
