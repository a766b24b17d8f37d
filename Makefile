# The verbs. Each makes what it needs: a machine with Python (3.11 or newer), make and a package index is enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS := -n 2 --dist loadscope --no-loadscope-reorder
# The tests' own modules take ten seconds to compile, in every process that keeps nothing.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test test-long test-browser screenshots test-tools check bench dev lock clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: $(VENV)/ready  ## the whole story on this machine: 400 shops, a gateway, three parties, verified results
	@$(BIN)/mpc-cde demo $(if $(SERVE),--serve) $(DEMO_ARGS)

test: $(VENV)/ready  ## every test
	@$(BIN)/python -m pytest $(WORKERS) $(PYTEST_ARGS)

test-long: $(VENV)/ready  ## every test, with the long tables and newly drawn inputs
	@HYPOTHESIS_PROFILE=new $(BIN)/python -m pytest $(WORKERS) --run-long $(PYTEST_ARGS)

test-browser: test-tools $(VENV)/ready  ## the pages in a real Chromium, and their modules under node
	@$(BIN)/python -m pytest tests/browser tests/mpc_cde/web $(PYTEST_ARGS)

screenshots: test-tools $(VENV)/ready  ## pictures of every page, for people to look at (INTO=directory)
	@$(BIN)/python -m tests.browser.screenshots $(or $(INTO),screenshots)

test-tools:  ## what some tests use: strace, node, Chromium and PostgreSQL (as root, on Debian)
	@missing=""; \
	for tool in strace:strace node:nodejs chromium:chromium; do \
	  command -v $${tool%%:*} >/dev/null || missing="$$missing $${tool##*:}"; \
	done; \
	ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || missing="$$missing postgresql"; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "installing$$missing"; \
	  apt-get update -q >/dev/null && apt-get install -q -y --no-install-recommends $$missing >/dev/null; \
	else \
	  echo "missing:$$missing; tests that need them are skipped"; \
	fi

mutate: $(VENV)/ready  ## remove one guard at a time and see whether a test notices (long at first; goes on where it stopped)
	@nice -n 19 $(BIN)/python -m tests.mutation $(MUTATE_ARGS)

check: $(VENV)/ready  ## format, lint, types, import contracts, vectors, commands in the docs
	@$(BIN)/python -m tests.checks

bench: $(VENV)/ready  ## the benchmarks, with a report
	@$(BIN)/python -m benchmarks

dev: $(VENV)/ready  ## the environment, and the formatter over the tree
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .
	@echo "environment ready: $(BIN)"

$(VENV)/ready: requirements/dev.txt
	@command -v $(PYTHON) >/dev/null || { echo "make: needs $(PYTHON) 3.11 or newer; set PYTHON=..."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "make: needs Python 3.11 or newer; set PYTHON=...")'
	@echo "making $(VENV) (once)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --require-hashes --requirement requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(BIN)/python -c 'from parties.worker_warm_up import warm_up; warm_up()'  # else each of three workers compiles
	@touch $@

lock: $(VENV)/ready  ## renew the locked dependencies (no addresses in them)
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --quiet --output-file requirements/runtime.txt
	@$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --group dev --quiet --output-file requirements/dev.txt

clean:  ## remove the environment and caches
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
