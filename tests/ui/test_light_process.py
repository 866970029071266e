"""The process that serves the pages never loads what only the worker needs."""

import os
import subprocess
import sys

from tests.ui.conftest import ROOT

SCRIPT = """
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

explore = ("browse", "distributions", "data_map", "embedding_map")
for page in ("home", "datasets", "score", *explore, "audit", "prune", "proof"):
    opened(page)
if sys.argv[2] == "click":
    app = opened("home").button(key="try-sample").click().run()
    assert not app.exception and not app.error, app.error
heavy = {"torch", "transformers", "datasets", "accelerate", "umap", "sklearn", "tokenizers", "numba"}
heavy &= set(sys.modules)
assert not heavy, heavy
"""


def assert_light(home, mode):
    environment = {**os.environ, "DIET_EXPLORER_HOME": str(home)}
    command = [sys.executable, "-c", SCRIPT, str(ROOT / "app.py"), mode]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]


def test_no_page_loads_torch(filled):
    assert_light(filled.workspace.settings.home, "look")


def test_starting_a_run_loads_no_torch(tmp_path):
    assert_light(tmp_path / "home", "click")
