# OneDoor 一门. Type `make` to see what can be done.

.DEFAULT_GOAL := help
BIN := .venv/bin
INSTALLED := .venv/.installed
DISTRIBUTIONS := shared $(sort $(patsubst %/pyproject.toml,%,$(wildcard services/*/pyproject.toml))) deploy/dev
PACKAGES := $(filter-out __pycache__,$(notdir $(wildcard $(addsuffix /onedoor/*,$(DISTRIBUTIONS)))))
# What needs servers waits now and then, for a browser or for a process to come back: three side by side, on one Kafka
# and one PostgreSQL.
PURE := unit contract
SERVED := integration acceptance e2e chaos

# Each process would compile all modules anew where the environment says that what is compiled is not kept.
unexport PYTHONDONTWRITEBYTECODE

# Downloaded packages, shared by all checkouts with the same requirements: a second start needs no network.
WHEELS = $(or $(ONEDOOR_CACHE),$(HOME)/.cache/onedoor)/wheels-$(shell cksum < requirements.txt | cut -d ' ' -f 1)-$(shell $(PYTHON) -c 'import sys; print(sys.implementation.cache_tag)')

# The first Python that is new enough; name another with `make PYTHON=/path/to/python …`.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

.PHONY: help install up demo down status logs test district seeds fuzz chaos chaos-selftest bench check format schemas reset

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(INSTALLED) ## put everything that is needed into .venv

$(INSTALLED): requirements.txt $(addsuffix /pyproject.toml,$(DISTRIBUTIONS))
	@test -n "$(PYTHON)" || { echo "OneDoor needs Python 3.11 or newer: install it, or name it, make PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than 3.11, which OneDoor needs: name a newer one, make PYTHON=/path/to/python" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { echo "$(PYTHON) cannot make a .venv: install its venv module (Debian: python3-venv)" >&2; exit 1; }
	@test -f $(WHEELS)/complete || { echo "downloading what requirements.txt names (some minutes the first time)"; \
		$(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.txt -d $(WHEELS) \
		&& touch $(WHEELS)/complete; } || { echo "The Python packages could not be downloaded: connect to the network for the first start, then run make again" >&2; exit 1; }
	@echo "installing into .venv"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-index --find-links $(WHEELS) --no-deps --require-hashes -r requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation $(addprefix -e ./,$(DISTRIBUTIONS))
	@touch $@

up: install ## start everything, show where to go, follow the logs; Ctrl-C stops all
	@$(BIN)/onedoor up

demo: install ## play the invented applications step by step; starts what does not run yet
	@$(BIN)/onedoor demo

down: install ## stop what `onedoor up --detach` started
	@$(BIN)/onedoor down

status: install ## what runs, where, and whether it is ready
	@$(BIN)/onedoor status || test $$? -eq 3

logs: install ## follow the logs of all processes
	@$(BIN)/onedoor logs --follow

test: install ## run all tests, on real Kafka and PostgreSQL and in a real browser
	$(BIN)/python -m pytest -n 2 --durations=20 $(wildcard $(addprefix tests/,$(PURE)))
	$(BIN)/python -m tests.servers $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder --durations=20 $(wildcard $(addprefix tests/,$(SERVED)))

district: install ## a year of 5,000 invented households against plain Python, in half a minute of computation
	ONEDOOR_DISTRICT=5000 $(BIN)/python -m pytest --timeout 1800 tests/unit/test_policy_oracle.py -k year

seeds: install ## topics, groups and clock simulated around the domain, for ONEDOOR_SEEDS (2000) seeds
	ONEDOOR_SEEDS=$(or $(ONEDOOR_SEEDS),2000) $(BIN)/python -m pytest --timeout 3600 tests/unit/test_simulation.py

fuzz: install ## a hundred requests of each kind to every operation with every role
	ONEDOOR_LONG=1 $(BIN)/python -m pytest tests/integration/test_schemathesis.py

chaos: install ## everything that may befall the system, under load, for ONEDOOR_CHAOS_MINUTES (10)
	$(BIN)/python -m pytest -s tests/chaos/long.py

chaos-selftest: install ## whether chaos notices a missing inbox and an early acknowledgement
	$(BIN)/python -m pytest -s tests/chaos/selftest.py

PEERS = $(or $(ONEDOOR_CACHE),$(HOME)/.cache/onedoor)/bench-peers-$(shell cksum < tests/bench/requirements.txt | cut -d ' ' -f 1)

$(PEERS)/installed:
	@echo "installing the peers of the benchmarks, apart from the product"
	@$(PYTHON) -m venv $(PEERS)
	@$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check -r tests/bench/requirements.txt
	@touch $@

bench: install $(PEERS)/installed ## measure against the anchor programs; ONLY=P1,way and QUICK=1 for less, JSON=file
	$(BIN)/python -m tests.bench --peers $(PEERS)/bin/python $(if $(ONLY),--only $(ONLY)) $(if $(QUICK),--quick) $(if $(JSON),--json $(JSON))

check: install ## format, lint, types, import contracts, event schemas: what CI checks before the tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy $(addprefix -p onedoor.,$(PACKAGES))
	$(BIN)/lint-imports
	$(BIN)/python -m onedoor.contracts.check

format: install ## let ruff format and mend what it can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

schemas: install ## write the events' JSON Schemas and the AsyncAPI document from the models
	$(BIN)/python -m onedoor.contracts.schemas

reset: install ## wipe the data of this checkout, after asking; the downloads stay
	@$(BIN)/onedoor reset
