# TritonOCR: `make help` lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := python_backend client tests model_repository

.DEFAULT_GOAL := help

ifdef WHEELS # a machine without a network: packages come from this folder, models from the cache
export PIP_NO_INDEX := 1
export PIP_FIND_LINKS := $(abspath $(WHEELS))
export TRITONOCR_OFFLINE := 1
endif

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-14s %s\n", $$1, $$2}'

# Two stamps: the demo needs what users install; the suite adds the tools and Paddle.
$(VENV)/.server: pyproject.toml client/pyproject.toml
	@echo "Installing TritonOCR and its Python packages into $(VENV)/: about 240 MB to download, 800 MB on disk"
	PYTHON=$(PYTHON) docker/install.sh server $(VENV)
	touch $@

$(VENV)/.dev: $(VENV)/.server
	docker/install.sh dev $(VENV)
	touch $@

demo: $(VENV)/.server ## read a page on a server of its own; IMAGE=path reads yours
	$(BIN)/tritonocr models fetch --default --tritonserver
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

DOCUMENTS := README.md CHANGELOG.md client/README.md model_repository/README.md docker/README.md docs

docs: $(VENV)/.dev ## build the documentation site in build/site; broken links are errors
	rm -rf build/docs
	mkdir -p build/docs
	cp -r --parents $(DOCUMENTS) build/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

test: $(VENV)/.dev ## the whole suite, with a real tritonserver
	sh tests/install-debian-packages.sh
	$(BIN)/pytest

test-pythons: ## read a page on each Python from 3.10 to 3.13 that is installed; PYTHONS="3.12 3.13"
	tests/read-on-pythons.sh $(PYTHONS)

chaos: $(VENV)/.dev ## faults on real tritonservers, on a machine of their own; SOAK_MINUTES=30 for the long soak
	$(BIN)/pytest -m chaos tests/chaos --soak-minutes=$(or $(SOAK_MINUTES),2)

fuzz: $(VENV)/.dev ## fuzz what takes files and requests, FUZZ_SECONDS=30 for each target; needs Python 3.11 or later
	$(BIN)/pip install --quiet --disable-pip-version-check -e ".[fuzz]"
	$(BIN)/python tests/fuzz/fuzz.py --seconds $(or $(FUZZ_SECONDS),30)

$(VENV)/.ray: $(VENV)/.dev client/pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check -e "client[cli,http,viz,gateway,ray]" -e ".[dev]"
	touch $@

test-ray: $(VENV)/.ray ## bulk reading on a Ray of two CPUs, with processes killed; installs Ray (0.5 GB)
	$(BIN)/pytest -m ray tests/bulk

test-integrations: $(VENV)/.dev ## third-party clients on a real server, each in its own environment (2.2 GB)
	$(BIN)/pytest -m integrations tests/integrations

bench: $(VENV)/.dev ## measure it, its peers and the networks alone; OPTIONS="--workload receipts --subject ours"
	PYTHONPATH=tests $(BIN)/python -m bench $(OPTIONS)

gpu-check: $(VENV)/.dev ## accuracy, agreement and speed on a GPU in one run of 15 minutes; DEVICE=cpu rehearses it, WHEELS=folder installs from it
	PYTHONPATH=tests $(BIN)/python -m bench.gpu_check --device $(or $(DEVICE),gpu:0) $(OPTIONS)

bench-models: $(VENV)/.dev ## speed and accuracy of the model pairs that a user can choose from; OPTIONS="--picture docs/images/models.svg"
	PYTHONPATH=tests $(BIN)/python -m bench.models $(OPTIONS)

bench-peers: $(VENV)/.dev ## make the peers' environments (2 GB), beside the model cache
	PYTHONPATH=tests $(BIN)/python -m bench.peers

bench-order: $(VENV)/.dev ## score the reading order on drawn pages and receipts; OPTIONS="--pages 50 --pictures"
	PYTHONPATH=tests $(BIN)/python -m bench.order $(OPTIONS)

bench-scaling: $(VENV)/.dev ## measure what docs/scaling.md's model needs, and write its tables and picture
	PYTHONPATH=tests $(BIN)/python -m bench.scaling measure
	PYTHONPATH=tests $(BIN)/python -m bench.scaling report --write

generate: $(VENV)/.dev ## write the files that are made from the table of options: config.pbtxt, types, tables of the documents
	$(BIN)/python tests/generated_files.py

lock: $(VENV)/.dev ## write the lock files of the images anew, with the newest versions that fit
	UV=$(BIN)/uv docker/lock.sh

sbom: $(VENV)/.dev ## CycloneDX parts lists in build/: of each image, by its lock file, and of this environment
	mkdir -p build
	for image in cpu gateway server; do \
	  $(BIN)/cyclonedx-py requirements --output-reproducible --validate --output-file build/sbom-$$image.json \
	    docker/requirements-$$image.lock || exit 1; \
	done
	$(BIN)/cyclonedx-py environment --output-reproducible --validate --output-file build/sbom.json $(BIN)/python

docker-replay: ## build and run the images with podman, as root on Debian; nothing else need be there
	docker/replay.sh

clean: ## remove what was built here (the model cache stays)
	rm -rf $(VENV) output build dist

.PHONY: help demo env check docs test test-pythons chaos fuzz test-ray test-integrations bench gpu-check bench-models bench-peers bench-order bench-scaling generate lock sbom docker-replay clean
