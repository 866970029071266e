# make app    everything installed, then the browser app with its worker
# make test   everything that tests need installed, then lint, types and tests
# make bench  the benchmarks, which take a while
# make audit  what is known of weaknesses in the packages that the app takes
# make docs   fills the tables of docs/ by the code, and builds the site: dist/site/index.html
# make lock   writes requirements/ again, after a change of pyproject.toml or constraints.txt; takes uv
# make env    writes .env for compose.yaml from .env.example, with fresh secrets; one that is there stays
# make clean  removes the environment and caches; the workspace stays

# The first of these that can carry an environment is taken; PYTHON=/path/to/python names another.
PYTHON ?= python3 python3.13 python3.12 python3.11 python3.14 python
ARGS ?=
GOAL ?= $(MAKECMDGOALS)
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip --disable-pip-version-check install --no-compile
# What is hardly ever imported is not compiled; the rest is, on all cores.
NOT_COMPILED := /tests?/|/testing/|/transformers/models/|/torch/(_inductor|onnx|_vendor)/|/torchgen/|/plotly/(graph_objs|validators)/|/networkx/|/pip/|/mypyc?/|/setuptools/|/sentence_transformers/|/pygments/lexers/|/sympy/(physics|stats)/|/numba/cuda/|/playwright/async_api/
COMPILE := $(BIN)/python -m compileall -q -j 0 -x '$(NOT_COMPILED)' $(VENV)/lib >/dev/null 2>&1 || true
INPUTS := pyproject.toml constraints.txt $(wildcard requirements/*.txt)
# Files whose hashes are not in requirements/ are refused; HASHES=no takes the pinned versions as they come.
HASHES ?= yes
AUDIT_SECONDS := 120
TORCH := $(shell sed -n 's/^torch==//p' constraints.txt)

.PHONY: app test bench docs audit lock env clean chromium chromium-package

app: $(VENV)/.app
	$(BIN)/diet-explorer app $(ARGS)

# Chromium's package is installed beside the Python packages, and types are checked beside the tests.
test:
	@$(MAKE) --no-print-directory -j 2 GOAL=test $(VENV)/.test chromium-package
	@$(MAKE) --no-print-directory chromium
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@$(BIN)/mypy >$(VENV)/mypy.log 2>&1 & types=$$!; \
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest $(ARGS); tests=$$?; \
	wait $$types; types=$$?; echo "mypy: $$(cat $(VENV)/mypy.log)"; \
	exit $$((tests ? tests : types))

bench: $(VENV)/.bench
	@for name in gradient_norms whole_job app_start import_rows browse_queries; do \
	  echo; echo "== $$name"; $(BIN)/python -W ignore -m tests.benchmarks.$$name || exit 1; done

docs: $(VENV)/.test
	$(BIN)/python -m tests.docs.tables
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

# A report, not a gate: what is found is printed, and where the list of weaknesses cannot be had that is said.
audit: $(VENV)/.python
	@test -x $(VENV)/audit/bin/pip-audit || { $(BIN)/python -m venv $(VENV)/audit && \
	  $(VENV)/audit/bin/python -m pip --disable-pip-version-check install -q pip-audit; } >/dev/null 2>&1 || true
	@timeout $(AUDIT_SECONDS) $(VENV)/audit/bin/pip-audit --progress-spinner off --disable-pip --require-hashes \
	  -r requirements/app.txt 2>$(VENV)/audit.log || grep -s Found $(VENV)/audit.log || \
	  echo "pip-audit: the list of known weaknesses cannot be had now; nothing was checked (see $(VENV)/audit.log)."

lock:
	python3 requirements/make.py

env:
	@test -e .env || ( umask 077; while IFS= read -r line; do \
	  case "$$line" in [A-Z]*=) line="$$line$$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')";; esac; \
	  echo "$$line"; done <.env.example >.env )

clean:
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find diet_explorer pages tests -name __pycache__ -type d -prune -exec rm -rf {} +

# Prints what is wrong with a Python, nothing where it will do. The pinned packages have wheels up to 3.14.
CHECK = import sys; v = sys.version_info; \
  v < (3, 11) and sys.exit("it is Python %d.%d, and 3.11 or newer is needed" % v[:2]); \
  v >= (3, 15) and sys.exit("it is Python %d.%d, for which not all packages have wheels yet" % v[:2]); \
  lacks = [m for m in ("venv", "ensurepip", "ssl", "sqlite3", "bz2", "lzma", "ctypes") if not __import__("importlib.util", fromlist=["util"]).find_spec(m)]; \
  lacks and sys.exit("it lacks " + ", ".join(lacks) + " (on Debian and Ubuntu: apt install python3-venv)")

$(VENV)/.python:
	@for python in $(PYTHON); do \
	  words=$$("$$python" -c '$(CHECK)' 2>&1) && { found=$$python; break; }; \
	  command -v "$$python" >/dev/null 2>&1 || words="it is not there"; \
	  tried="$$tried  $$python: $$(echo "$$words" | tail -n 1)\n"; \
	done; \
	test -n "$$found" || { \
	  echo "diet-explorer needs Python 3.11 to 3.14. Of what was looked for" >&2; printf "$$tried" >&2; \
	  echo "Install one, or name it: make $(GOAL) PYTHON=/path/to/python3.13" >&2; exit 1; }; \
	"$$found" -m venv $(VENV)
	@touch $@

# uv installs the same releases in a third of pip's time, from where pip is set to find them; where it cannot, pip does.
UV := $(BIN)/uv pip install --quiet --python $(BIN)/python --system-certs --cache-dir $(VENV)/uv --index-strategy unsafe-best-match
SOURCES = $$($(BIN)/python -m pip config list | \
  sed -nE "s/^[^=]*\.(index-url|extra-index-url|find-links|constraint)='(.*)'$$/\1 \2/p" | sed 's/\\n/ /g' | \
  while read -r name values; do for value in $$values; do echo "--$$name $$value"; done; done)

# Without an NVIDIA GPU the CPU build saves gigabytes of CUDA libraries; an index that has none gets the plain pin.
# The CPU build is not on PyPI, so that no hash of it is known.
define EVERYTHING
	@if [ "$(HASHES)" = no ]; then \
	  torch="torch==$(TORCH)"; command -v nvidia-smi >/dev/null 2>&1 || torch="$$torch+cpu"; \
	  if $(INSTALL) -q uv==0.13.9 && $(UV) $(SOURCES) -c constraints.txt "$$torch" -e $(1); then :; else \
	    { $(INSTALL) "$$torch" 2>/dev/null || $(INSTALL) "torch==$(TORCH)"; } && \
	    $(INSTALL) -c constraints.txt -e $(1); \
	  fi; \
	else \
	  sources=$$(echo "$(SOURCES)" | grep -v -e --constraint); \
	  put() { $(UV) $$sources "$$@" 2>$(VENV)/uv.log || $(INSTALL) "$$@"; }; \
	  $(INSTALL) -q --require-hashes -r requirements/uv.txt; \
	  { if command -v nvidia-smi >/dev/null 2>&1; then put --require-hashes --no-deps -r requirements/torch.txt; \
	    elif put --no-deps "torch==$(TORCH)+cpu" 2>/dev/null; then \
	      echo "torch's CPU build is not on PyPI: it was installed without a hash to check it by."; \
	    else put --require-hashes --no-deps -r requirements/torch.txt; fi && \
	    put --require-hashes --no-deps -r requirements/$(2).txt && put --no-deps --no-build-isolation -e .; } || { \
	    echo "A package has no file for this Python and machine whose hash is known (see above)." >&2; \
	    echo "make $(GOAL) HASHES=no installs the same versions without looking at hashes." >&2; false; }; \
	fi; status=$$?; rm -rf $(VENV)/uv; exit $$status
	@$(COMPILE)
endef

$(VENV)/.app: $(VENV)/.python $(INPUTS)
	$(call EVERYTHING,'.[offline]',app)
	@touch $@

$(VENV)/.test: $(VENV)/.python $(INPUTS)
	$(call EVERYTHING,'.[test]' mypy pandas-stubs ruff,test)
	@touch $@ $(VENV)/.app

$(VENV)/.bench: $(VENV)/.python $(INPUTS)
	$(call EVERYTHING,'.[dev]',dev)
	@touch $@ $(VENV)/.test $(VENV)/.app

# The browser tests take an installed Chromium, best the one without windows, which takes a tenth less of the
# processor; where there is none, the system's package or Playwright's build.
CHROMIUM_WORKS = for name in chromium-headless-shell chromium chromium-browser google-chrome google-chrome-stable; do \
	  command -v $$name >/dev/null 2>&1 && $$name --version >/dev/null 2>&1 && exit 0; done

chromium-package:
	@( command -v chromium-headless-shell >/dev/null 2>&1 && exit 0; \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 && [ ! -e $(VENV)/.chromium ]; then \
	    echo "Installing the system's Chromium."; \
	    words=$$( ( apt-get update && apt-get install -y --no-install-recommends chromium-headless-shell ) 2>&1 ) && exit 0; \
	    $(CHROMIUM_WORKS); \
	    words=$$( apt-get install -y --no-install-recommends chromium 2>&1 ) || echo "$$words"; \
	  fi )

chromium: $(VENV)/.test
	@( $(CHROMIUM_WORKS); test -e $(VENV)/.chromium && exit 0; \
	  $(BIN)/python -m playwright install chromium && touch $(VENV)/.chromium )
