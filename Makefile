# Everything a newcomer, a contributor and CI run. Each target sets itself up.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help test lint cluster-test gates-test gates-changed proof soak faults faults-mutants demo bench wheel-test lock clean

help:  ## List the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 16

$(READY): requirements/lock.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "deployctl needs Python 3.11 or later: make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/lock.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

test: $(READY)  ## Run everything that needs no cluster
	$(BIN)/python -m pytest -n 2 $(ARGS)

lint: $(READY)  ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

cluster-test: $(READY)  ## Bring up a real Kubernetes, and test on it and in the sandbox (root; builds it once, about 5 minutes)
	@was=$$($(BIN)/python -m tests.cluster.bed status >/dev/null 2>&1 && echo up); \
	$(BIN)/python -m tests.cluster.bed up && \
	$(BIN)/python -m pytest -m "$(or $(MARKED),(cluster or long) and not proof and not alone)" -p no:randomly -n 3 --dist worksteal --durations=15 $(ARGS); code=$$?; \
	[ "$$was" ] || $(BIN)/python -m tests.cluster.bed down; exit $$code

gates-test: $(READY)  ## Test the gates on real servers, from Debian's packages unpacked once
	$(BIN)/python -m pytest -m gates -n 2 --dist loadfile $(ARGS)

gates-changed: $(READY)  ## Test the gates of those servers whose files changed since BASE, else since main
	@files=$$($(BIN)/python -m tests.gates.changed) && \
	if [ "$$files" ]; then $(MAKE) --no-print-directory gates-test ARGS="$$(echo $$files)"; else echo "none changed"; fi

proof: $(READY)  ## The same and the longest stories besides, and write the figures into docs/reliability.md
	@export FIGURES="$${FIGURES:-$$(mktemp)}"; \
	$(MAKE) --no-print-directory cluster-test MARKED="(cluster or long or proof) and not alone"; code=$$?; \
	$(MAKE) --no-print-directory cluster-test MARKED=alone ARGS="-n 0" || code=$$?; \
	$(BIN)/python -m tests.cluster.figures "$$FIGURES"; exit $$code

soak: $(READY)  ## Release at random on the real cluster while the platform plays (MINUTES=10, SEED=)
	$(BIN)/python -m pytest -m soak tests/cluster/soak.py -p no:randomly -n 0 -s

faults: $(READY)  ## Let every fault befall every call of a release in virtual time (RUNS=2000, SEED=, RUN=, MUTANT=)
	$(BIN)/python -m tests.faults --seed $(or $(SEED),0) --runs $(or $(RUNS),0) --run '$(RUN)' --mutant '$(MUTANT)'

faults-mutants: $(READY)  ## List the mistakes that `make faults MUTANT=name` has to find
	$(BIN)/python -m tests.faults --mutants

demo: $(READY)  ## Four releases under load in a practice cluster, counted and drawn; needs no Kubernetes
	$(BIN)/deployctl sandbox demo

bench: $(READY)  ## Print measurements beside kubectl in the same run
	$(BIN)/python -m pytest -m bench tests/sandbox/bench.py tests/cluster/bench.py -p no:randomly -s

wheel-test: $(READY)  ## Build the wheel, install it alone and run it
	$(BIN)/python tests/wheel.py

lock: $(READY)  ## Write the locked requirements anew
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile -q --upgrade --generate-hashes --universal --python-version 3.11 pyproject.toml requirements/dev.in -o requirements/lock.txt --custom-compile-command 'make lock'
	$(BIN)/uv pip compile -q --generate-hashes --universal --python-version 3.11 pyproject.toml -c requirements/lock.txt -o requirements/run.txt --custom-compile-command 'make lock'

clean:  ## Remove what was built
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
