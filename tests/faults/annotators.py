"""People who review on both hosts all the while, in processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

from tests.faults.hosts import Host
from tests.forked import ForkedWorker

PACE_SECONDS = 0.4
"""Between two decisions: a page asks the store for each example, and the server shares the cores with the hosts."""
_MODULE = "tests.faults.annotators"


class Annotator:
    """A person at a host who reviews one example after the other; `ahead` is how far their clock is ahead."""

    def __init__(self, host: Host, dataset_id: str, name: str, ahead: int = 0) -> None:
        host.folder.mkdir(parents=True, exist_ok=True)
        self.name = name
        self._written = host.folder / f"{name}.jsonl"
        log = host.folder / f"{name}.log"
        arguments = [dataset_id, name, str(self._written)]
        self._process: ForkedWorker | subprocess.Popen[bytes]
        if not ahead:
            self._process = ForkedWorker(arguments, host.environment, log, _MODULE)
            return
        with log.open("ab") as stream:
            self._process = subprocess.Popen(
                [sys.executable, "-m", _MODULE, *arguments],
                env={**host.environment, **host.clock_ahead(ahead)},
                stderr=stream,
            )

    def stop(self) -> list[dict[str, Any]]:
        """Let the person end, and give what was shown to them and what was saved."""
        _stop_file(self._written).touch()
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
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def handed_out_twice(lines: dict[str, list[dict[str, Any]]]) -> list[int]:
    """Rows that were shown to more than one of some people, from what they wrote down."""
    shown = Counter(row for entries in lines.values() for row in {line["row"] for line in entries})
    return sorted(row for row, people in shown.items() if people > 1)


def _stop_file(written: Path) -> Path:
    return written.with_suffix(".stop")


def _review(dataset_id: str, name: str, written: Path) -> None:
    import numpy as np

    from diet_explorer.errors import DietExplorerError
    from diet_explorer.workspace.workspace import Workspace

    queue: Any = None
    uid = str(uuid.uuid4())
    with written.open("a", encoding="utf-8", buffering=1) as stream:
        while not _stop_file(written).exists():
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
