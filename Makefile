# make app    everything installed, then the browser app with its worker
# make test   everything that tests need installed, then lint, types and tests
# make bench  the benchmarks, which take a while
# make clean  removes the environment and caches; the workspace stays

PYTHON ?= python3
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
INPUTS := pyproject.toml constraints.txt
TORCH := $(shell sed -n 's/^torch==//p' constraints.txt)

.PHONY: app test bench clean chromium

app: $(VENV)/.app
	$(BIN)/diet-explorer app $(ARGS)

test: $(VENV)/.test chromium
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest $(ARGS)

bench: $(VENV)/.bench
	@for name in gradient_norms whole_job app_start import_rows browse_queries; do \
	  echo; echo "== $$name"; $(BIN)/python -W ignore -m tests.benchmarks.$$name || exit 1; done

clean:
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find diet_explorer pages tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "diet-explorer needs Python 3.11 or newer, which '$(PYTHON)' is not." >&2; \
	  echo "Install it, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

# Without an NVIDIA GPU the CPU build saves gigabytes of CUDA libraries; an index that has none gets the plain pin.
$(VENV)/.torch: $(VENV)/.python constraints.txt
	@if command -v nvidia-smi >/dev/null 2>&1; then \
	  $(PIP) install "torch==$(TORCH)"; \
	else \
	  $(PIP) install "torch==$(TORCH)+cpu" 2>/dev/null || $(PIP) install "torch==$(TORCH)"; \
	fi
	@touch $@

$(VENV)/.app: $(VENV)/.torch $(INPUTS)
	$(PIP) install -c constraints.txt -e '.[offline]'
	@touch $@

$(VENV)/.test: $(VENV)/.torch $(INPUTS)
	$(PIP) install -c constraints.txt -e '.[test]' mypy pandas-stubs ruff
	@touch $@ $(VENV)/.app

$(VENV)/.bench: $(VENV)/.torch $(INPUTS)
	$(PIP) install -c constraints.txt -e '.[dev]'
	@touch $@ $(VENV)/.test $(VENV)/.app

# The browser tests take an installed Chromium; where there is none, the system's package or Playwright's build.
CHROMIUM_WORKS = for name in chromium chromium-browser google-chrome google-chrome-stable; do \
	  command -v $$name >/dev/null 2>&1 && $$name --version >/dev/null 2>&1 && exit 0; done

chromium: $(VENV)/.test
	@( $(CHROMIUM_WORKS); test -e $(VENV)/.chromium && exit 0; \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
	    ( apt-get update && apt-get install -y --no-install-recommends chromium ) && $(CHROMIUM_WORKS); \
	  fi; \
	  $(BIN)/python -m playwright install chromium && touch $(VENV)/.chromium )
