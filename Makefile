# Praxiscope. `make help` lists what there is.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv/bin
PYTEST := $(VENV)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help setup setup-development setup-poses setup-cuda cuda-compile cuda-check up down status logs demo demo-worlds test test-unit test-contract test-integration test-e2e test-deploy test-cluster test-mesh test-signing setup-signing cluster cluster-down manifests images sbom sign verify golden proto proto-check fmt lint types arch bench chaos fuzz picture console-pictures accuracy accuracy-sensitivity licences locks clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-20s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Set up what a user needs: environments, gateway, models, sample video
	@$(PYTHON) -m tools.setup services

setup-development: ## Set up what a contributor needs on top of that
	@$(PYTHON) -m tools.setup development

setup-poses: ## Set up COLMAP, which finds where photos were taken from; GPL, in an environment of its own
	@$(PYTHON) -m tools.setup poses

setup-cuda: ## Build the kernels that draw worlds for NVIDIA's GPUs, with the toolkit that is here: nvcc on PATH or in CUDA_HOME
	@$(or $(wildcard $(VENV)/python),$(PYTHON)) -m tools.cuda build

cuda-compile: ## See that they compile without a warning; fetches NVIDIA's compiler (100 MB of wheels), needs no GPU
	@$(PYTHON) -m tools.setup cuda && $(PYTHON) -m tools.cuda compile

cuda-check: ## Try them on this machine's GPU: build, parity, compute-sanitizer, speed; fails where there is no GPU
	@$(or $(wildcard $(VENV)/python),$(PYTHON)) -m tools.cuda check

up: setup ## Start the whole stack on this machine and wait until it is ready
	@$(VENV)/python -m tools.devstack up

down: ## Stop the stack
	@$(VENV)/python -m tools.devstack down

status: ## Say what runs and how much memory it holds
	@$(VENV)/python -m tools.devstack status

logs: ## Follow the stack's log
	@$(VENV)/python -m tools.devstack logs

demo: setup ## Analyse a real video end to end and write out/demo
	@$(VENV)/python -m tools.demo

demo-worlds: setup setup-poses ## Make a world of words, photograph it, reconstruct it from the photos, write out/demo-worlds
	@$(VENV)/python -m tools.demo_worlds

test: setup-development ## Run everything that a contributor must pass
	@$(VENV)/python -m tools.check

test-unit: ## Run the unit tests
	@$(PYTEST) -q -n 2 tests/unit tests/golden

test-contract: ## Run the contract tests
	@$(PYTEST) -q -n 2 tests/contract

test-integration: ## Run the integration tests on real PostgreSQL, stores and Triton
	@$(PYTEST) -q -n 2 tests/integration

test-e2e: ## Run the journeys through the gateway on the whole stack
	@$(PYTHON) -m tools.setup deploy && $(PYTEST) -q tests/e2e

test-deploy: ## Check the chart, the manifests, the alerts and the Dockerfile
	@$(PYTHON) -m tools.setup deploy && $(PYTEST) -q -n 2 tests/deploy

manifests: ## Write deploy/k8s and deploy/istio anew from the chart
	@$(PYTHON) -m tools.setup deploy && $(VENV)/python -m tools.deploy manifests

images: setup ## Build the images; on bases of Debian's packages as root, or on BASE=, BUILD_BASE=, GO_BASE= by digest; IMAGES="auth tracking"
	@$(VENV)/python -m tools.deploy images

sbom: setup-development ## Write the bill of materials of each image that `make images` made into out/sbom; IMAGES="auth tracking"
	@$(VENV)/python -m tools.supply sbom

setup-signing: ## Build cosign from its module, where there is none; seven minutes of a processor the first time
	@$(VENV)/python -m tools.supply build

sign: ## Sign the bills and which image has which: KEY=cosign.key; PUSHED=1 also the images in their registry
	@$(VENV)/python -m tools.supply sign

verify: ## Say whether they are as they were signed: KEY=cosign.pub; PUSHED=1 also the images in their registry
	@$(VENV)/python -m tools.supply verify

cluster: setup-development ## Start a Kubernetes on this machine, built from source; needs root, and a quarter of an hour the first time
	@$(PYTHON) -m tools.setup deploy && $(VENV)/python -m tools.cluster up

cluster-down: ## End it; nothing of it stays
	@$(VENV)/python -m tools.cluster down

test-cluster: setup-development ## Install the chart with our images into such a Kubernetes and try it; needs root
	@$(PYTHON) -m tools.setup deploy && $(VENV)/python -m tools.deploy images && PRAXISCOPE_TEST_CLUSTER=1 $(PYTEST) -p no:randomly -q -s tests/cluster

test-mesh: setup-development ## Have Istio compile the chart's mesh and Envoy enforce it in front of our services; needs root, and 20 minutes the first time
	@$(PYTHON) -m tools.setup deploy && $(PYTHON) -m tools.setup mesh && $(VENV)/python -m tools.mesh build
	@PRAXISCOPE_TEST_MESH=1 $(VENV)/python -m tools.mesh run $(PYTEST) -p no:randomly -q -s tests/mesh

test-signing: setup-development setup-signing ## Sign with a throwaway key into a registry of the test's own and have what was changed refused
	@PRAXISCOPE_TEST_SIGNING=1 $(PYTEST) -q tests/supply

proto: ## Generate the contracts' code
	@bash tools/contracts/generate.sh

proto-check: ## Say whether generated code is what the contracts make
	@bash tools/contracts/check.sh

fmt: ## Format the code
	@$(VENV)/ruff format -q libs services sdk models tools tests bench chaos fuzz && $(VENV)/ruff check -q --fix libs services sdk models tools tests bench chaos fuzz; $(VENV)/buf format -w protos

lint: ## Check style
	@$(VENV)/ruff check libs services sdk models tools tests bench chaos fuzz && $(VENV)/ruff format --check -q libs services sdk models tools tests bench chaos fuzz

types: ## Check types
	@$(VENV)/pyright

arch: ## Check who imports whom
	@$(VENV)/lint-imports --no-cache

bench: setup ## Print how fast things are here, beside their peers; PART=motion runs one part, MOT17=path adds its scores, FOX=path and GARDEN=path those of worlds
	@$(PYTHON) -m tools.setup bench
	@$(VENV)/python -m bench $(PART)

chaos: setup-development ## Kill processes, workers and connections, fill disks, shift clocks; SEED=, ROUNDS=, JOBS=
	@$(VENV)/python -m chaos

fuzz: setup-development ## Send hostile input to every public entry: SEED=1 CASES=100000
	@$(VENV)/python -m fuzz --seed $(or $(SEED),1) --cases $(or $(CASES),100000)

picture: ## Cut the README's picture from what `make demo` drew
	@$(VENV)/python -m tools.readme_picture

console-pictures: ## Take the pictures of the console that docs show, on a running stack
	@$(VENV)/python -m tools.console_pictures

accuracy: ## Print how right the measured motion is, on the labelled sample
	@PYTHONPATH=. $(VENV)/python bench/accuracy/motion_sample.py

accuracy-sensitivity: ## The same with noise far below a pixel on what the nets say: which figures were luck (2 min)
	@PYTHONPATH=. $(VENV)/python bench/accuracy/sensitivity.py

licences: ## List every package's licence and the shared objects inside wheels
	@$(VENV)/python -m tools.licences

locks: ## Write the locks anew
	@tools/setup/lock.sh

clean: ## Remove everything that set-up made
	@rm -rf .praxiscope .venv .venv-* bin out third_party
