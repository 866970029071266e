"""Writers and the app with its worker, killed in the middle of their work: what was acknowledged is there.

The benchmark kills more.
"""

import random
import time
from pathlib import Path

from tests.benchmarks.kills import doomed_app, kill_writers, made_home, missing, wait_until_it_answers, writers


def test_acknowledged_decisions_outlive_kills(tmp_path: Path) -> None:
    home, draw = made_home(str(tmp_path / "home")), random.Random(0)
    with writers(home) as parent:
        with doomed_app(home):  # somewhere in its start
            acknowledged = kill_writers(parent, 10, draw)
            time.sleep(draw.uniform(0, 2))
        with doomed_app(home) as app:
            wait_until_it_answers(app)
            acknowledged |= kill_writers(parent, 10, draw)
    assert len(acknowledged) >= 20 and missing(home, acknowledged) == set()
