# TritonOCR: `make help` lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := python_backend client tests model_repository

.DEFAULT_GOAL := help

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-14s %s\n", $$1, $$2}'

# Two stamps: the demo needs what users install; the suite adds the tools and Paddle.
$(VENV)/.server: pyproject.toml client/pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e "client[cli,http,viz,gateway]" -e .
	touch $@

$(VENV)/.dev: $(VENV)/.server
	$(BIN)/pip install --quiet --disable-pip-version-check -e "client[cli,http,viz,gateway]" -e ".[dev]"
	touch $@

demo: $(VENV)/.server ## read a page on a server of its own; IMAGE=path reads yours
	mkdir -p output
ifndef IMAGE
	$(BIN)/python -m tritonocr.demo output/demo_page.png
endif
	$(BIN)/tritonocr predict --input $(or $(IMAGE),output/demo_page.png) --save_path output
	@echo "The picture and the JSON are in output/"

env: $(VENV)/.dev ## make the environment of the tests

check: $(VENV)/.dev ## ruff, formatting, mypy --strict
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy

test: $(VENV)/.dev ## the whole suite, with a real tritonserver
	sh tests/install-browser.sh
	$(BIN)/pytest

chaos: $(VENV)/.dev ## faults on real tritonservers, on a machine of their own; SOAK_MINUTES=30 for the long soak
	$(BIN)/pytest -m chaos tests/chaos --soak-minutes=$(or $(SOAK_MINUTES),2)

bench: $(VENV)/.dev ## measure it, its peers and the networks alone; OPTIONS="--workload receipts --subject ours"
	PYTHONPATH=tests $(BIN)/python -m bench $(OPTIONS)

bench-peers: $(VENV)/.dev ## make the peers' environments (2 GB), beside the model cache
	PYTHONPATH=tests $(BIN)/python -m bench.peers

clean: ## remove what was built here (the model cache stays)
	rm -rf $(VENV) output build dist

.PHONY: help demo env check test chaos bench bench-peers clean
