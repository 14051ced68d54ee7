# Two commands matter: `make demo` and `make test`. `make help` lists the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check
# One thread for each numerical library: the machine's cores are shared by workers and tests.
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
export PYTHONDONTWRITEBYTECODE := 1
PORT ?= 8000

.DEFAULT_GOAL := help
.PHONY: help setup demo test shake hostile chaos check imports format access bench bench-peers bench-first-check bench-gradebook bench-deadline bench-workloads semester gpu-judge gpu-library gpu-kernels oracles shape lock runner-image machine clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: $(VENV)/.site $(VENV)/.dev $(VENV)/.torch machine ## everything that demo and test need, in .venv

demo: $(VENV)/.site machine ## the seeded course in the browser: web, worker, sweeper, Redis, until Ctrl-C
	@$(BIN)/python deploy/demo.py --port $(PORT)

test: setup ## the whole suite
	$(BIN)/python -m pytest tests --ignore=tests/e2e --ignore=tests/hostile --ignore=tests/chaos -n 2 --dist loadfile
	$(BIN)/python -m pytest tests/e2e -n 2 --dist loadfile

SHAKE ?= $(shell date +%s)
shake: setup ## the platform's tests with primary keys and factories that begin elsewhere in each: SHAKE=seed repeats a test's draw (9 minutes)
	$(BIN)/python -m pytest tests/platform -n 2 --dist loadfile --shake $(SHAKE)

hostile: setup runner-image ## what students have tried, in both sandboxes, as a table (10 minutes)
	$(BIN)/python -m tests.hostile

semester: setup ## a whole semester of sixty students, each final letter computed a second time, as a table
	$(BIN)/python -m pytest tests/semester -n 0 -q -s

chaos: setup runner-image ## kill every part at every moment, on SQLite and PostgreSQL, as a table (15 minutes)
	$(BIN)/python -m tests.chaos

check: $(VENV)/.site $(VENV)/.dev ## format, lint, types, imports, migrations
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy grader mlsys_core platform manage.py
	$(MAKE) --silent imports
	GRADLAB_DEMO=1 $(BIN)/python manage.py makemigrations --check --dry-run

imports: $(VENV)/.site $(VENV)/.dev ## imports go one way
	PYTHONPATH=platform:. $(BIN)/lint-imports --no-cache

format: $(VENV)/.site $(VENV)/.dev ## rewrite sources in the house's format
	$(BIN)/ruff format --quiet .
	$(BIN)/ruff check --fix --quiet .

access: setup ## print who may open which URL: the tests knock at every cell
	PYTHONPATH=platform:. $(BIN)/python -m tests.platform.web.rows

bench: setup ## print the tables that the README quotes
	$(BIN)/python -m tests.benchmarks.autodiff_speed
	$(BIN)/python -m tests.benchmarks.compiler_speed
	$(BIN)/python -m grader mutants labs/autodiff

bench-workloads: setup ## which limit four workloads meet on seven devices, and a scaling law of sixteen runs (2 minutes)
	$(BIN)/python -m tests.benchmarks.workloads
	$(BIN)/python -m tests.benchmarks.scaling_laws

bench-peers: setup ## Gradlab beside nbgrader and Otter on one assignment (installs both under var/)
	$(BIN)/python -m tests.benchmarks.peers

bench-first-check: setup runner-image ## milliseconds from the claim of a job to its first check, warm, in both sandboxes
	PYTHONPATH=platform:. $(BIN)/python -m tests.benchmarks.first_check --sandbox bubblewrap
	PYTHONPATH=platform:. $(BIN)/python -m tests.benchmarks.first_check --sandbox docker

bench-gradebook: setup ## milliseconds and queries of the gradebook for 600 students
	PYTHONPATH=platform:. $(BIN)/python -m tests.benchmarks.gradebook

bench-deadline: setup ## the last minute before a deadline: 600 students, PostgreSQL and SQLite (15 minutes)
	$(BIN)/python -m tests.benchmarks.deadline

gpu-judge: $(VENV)/.site ## grade a Triton kernel, cheats and an endless kernel, on a machine with a GPU
	$(BIN)/python -m tests.benchmarks.gpu_judge

gpu-library: $(VENV)/.site ## what of the reference library only a GPU can show: generated kernels, states on the host
	$(BIN)/python -m tests.benchmarks.gpu_library

gpu-kernels: $(VENV)/.site ## kernels beside cuDNN, FlashAttention-2, cuBLAS and torch.compile, on a machine with a GPU (8 minutes)
	$(BIN)/python -m tests.benchmarks.kernels

oracles: setup ## test the reference library and print what it was held against, with the worst errors
	$(BIN)/python -m pytest tests/mlsys_core -n 2 --dist loadfile -q

shape: ## report function lengths, file sizes and typed signatures
	@$(PYTHON) .ci/shape.py

runner-image: ## build the container image that the docker sandbox runs student code in
	docker build --quiet --file deploy/images/runner.Dockerfile --tag gradlab-runner:cpu .

lock: $(VENV)/.dev ## resolve pyproject.toml into the lock files
	$(PIP) uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	  --custom-compile-command "make lock" pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	  --custom-compile-command "make lock" --group dev -c requirements.lock -o requirements-dev.lock

machine: ## install bubblewrap where the machine lacks it and we are root, or say how
	@sh deploy/machine.sh

clean: ## remove the virtual environment and the demo's data
	rm -rf $(VENV) var

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Gradlab needs Python 3.11 or newer; $(PYTHON) is older. Run make with PYTHON=python3.11, say."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.site: requirements.lock | $(BIN)/python
	@echo "Installing the site and the judge into $(VENV) (about 50 packages, 240 MB) ..."
	@$(PIP) --require-hashes -r requirements.lock
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.site
	@echo "Installing test and lint tools into $(VENV) (about 110 packages, 630 MB) ..."
	@$(PIP) --require-hashes -r requirements-dev.lock
	@touch $@

$(VENV)/.torch: requirements-torch.lock $(VENV)/.site
	@echo "Installing PyTorch, an oracle of the tests, into $(VENV) and Triton (1.6 GB; 5 GB where pip picks the CUDA build) ..."
	@$(PIP) -r requirements-torch.lock
	@touch $@
