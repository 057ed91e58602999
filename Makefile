# Every target prepares .venv by itself; Python ≥ 3.11 and make are all it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --prefer-binary -c constraints.txt

.PHONY: demo test lint format chaos bench bench-peers bench-forecast clean

demo: $(VENV)/.ready  ## a running system with sample data, at a printed address
	@$(BIN)/clerestory demo $(ARGS)

test: $(VENV)/.ready-dev  ## all tests, on embedded PostgreSQL or CLERESTORY_TEST_DATABASE_URL
	$(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist worksteal $(ARGS)

lint: $(VENV)/.ready-dev  ## ruff, mypy --strict, import contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.ready-dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

chaos: $(VENV)/.ready-dev  ## random trouble compared with an oracle; ARGS="--rounds N --seed S --gateways 1|2|4|all --standby"
	$(BIN)/python -m tests.chaos $(ARGS)

bench: $(VENV)/.ready-dev  ## each headline figure beside its baseline, measured here and now
	$(BIN)/python -m benchmarks $(ARGS)

bench-peers: $(VENV)/.ready-dev  ## our gateway beside the simplest and Node-RED, which npm installs into .bench/
	$(BIN)/python -m benchmarks.peers $(ARGS)

bench-forecast: $(VENV)/.ready-dev  ## how well bins' time to full is forecast on recorded collections
	$(BIN)/python -m benchmarks.forecast $(ARGS)
	$(BIN)/python -m benchmarks.vibration

clean:
	rm -rf $(VENV) build *.egg-info

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Clerestory needs Python 3.11 or newer; set PYTHON=...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.ready: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "Installing Clerestory into $(VENV) ..."
	@$(PIP) -e .
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready
	@echo "Installing the development tools ..."
	@$(PIP) -e '.[dev]'
	@touch $@
