"""What numba compiled in one process is read by the next."""

import os
import stat
import subprocess
import sys

ADD = """
from numba import njit

@njit
def add(a, b):
    return a + b
"""
USE = """
import sys
from unittest import mock
import adding
from diet_explorer.analysis import compiled
with mock.patch.object(compiled, "version", lambda name: "1"):
    compiled.keep_compiled("adding")
assert adding.add(2, 3) == 5
print(sum(adding.add.stats.cache_hits.values()), sum(adding.add.stats.cache_misses.values()))
"""


def test_code_is_compiled_once_for_all_processes_and_without_a_home_in_each(tmp_path):
    (tmp_path / "adding.py").write_text(ADD)

    def hits_and_misses(home: str) -> str:
        path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
        environment = {**os.environ, "HOME": home, "PYTHONPATH": path, "NUMBA_DISABLE_JIT": "0"}
        done = subprocess.run([sys.executable, "-c", USE], env=environment, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    assert hits_and_misses(str(tmp_path)) == "0 1"
    assert hits_and_misses(str(tmp_path)) == "1 0"
    assert hits_and_misses("/dev/null") == "0 1"
    folder = tmp_path / ".cache" / "diet-explorer" / "compiled"
    assert stat.S_IMODE(next(folder.iterdir()).stat().st_mode) == 0o700
