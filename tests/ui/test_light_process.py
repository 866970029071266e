"""The process that serves the pages never loads what only the worker needs, and does not search itself for garbage."""

import subprocess
import sys

from tests.ui.conftest import ROOT

SCRIPT = """
import gc
import os
import sys
import streamlit
from streamlit.testing.v1 import AppTest

type(streamlit.context).cookies = property(lambda _: {"diet-explorer-name": "Ann"})  # the runner has no browser

def opened(page):
    app = AppTest.from_file(sys.argv[1], default_timeout=120)
    if page != "home":
        app.switch_page(f"pages/{page}.py")
    app.run()
    assert not app.exception and not app.error, (page, app.error)
    return app

empty, filled = sys.argv[2:]
os.environ["DIET_EXPLORER_HOME"] = empty
started = opened("home").button(key="try-sample").click().run()
assert not started.exception and not started.error, started.error
os.environ["DIET_EXPLORER_HOME"] = filled
explore = ("browse", "distributions", "data_map", "embedding_map")
for page in ("home", "datasets", "score", *explore, "audit", "prune", "proof"):
    opened(page)
heavy = {"torch", "transformers", "datasets", "accelerate", "umap", "sklearn", "tokenizers", "numba"}
heavy &= set(sys.modules)
assert not heavy, heavy
looked_through = len(gc.get_objects())
assert looked_through < gc.get_freeze_count() / 2, (looked_through, gc.get_freeze_count())
"""


def test_no_page_and_no_start_of_a_run_loads_torch(filled, tmp_path):
    command = [sys.executable, "-c", SCRIPT, str(ROOT / "app.py"), str(tmp_path / "home")]
    done = subprocess.run([*command, filled.workspace.settings.home], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
