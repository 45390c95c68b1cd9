# Every target makes .venv and fetches what it needs itself.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DATA := $(or $(SADDLE_DATA_DIR),.saddle)
GARMENTS := $(DATA)/datasets/fashion-mnist/.complete
PROCESSES := tests/worker tests/faults

# uv leaves it to Python to compile what it installed. Told to keep nothing, each process would compile torch again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo serve test slow faults soak check format bench emoji gallery clean

help:  ## what there is to make
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

demo: $(VENV)/.installed $(GARMENTS)  ## train the default recipe through the whole service and leave demo.png
	$(BIN)/python -m embedded.demo

serve: $(VENV)/.installed $(GARMENTS)  ## the whole service on this machine, until Ctrl-C
	@exec $(BIN)/python -m embedded.serve

# Side by side: tests of workers and of a hurt service wait for processes most of the time.
test: $(VENV)/.installed $(GARMENTS) browser  ## the tests, on SQLite and PostgreSQL
	@$(MAKE) --no-print-directory --keep-going --jobs 2 test-processes test-rooms

.PHONY: test-processes test-rooms
test-processes: $(VENV)/.installed $(GARMENTS)
	$(BIN)/python -m pytest -m "not slow" $(PROCESSES)

# As with the worker's trainers, threads that wait let the other processes have the core.
test-rooms: $(VENV)/.installed $(GARMENTS)
	GOMP_SPINCOUNT=30000 $(BIN)/python -m pytest -m "not slow" $(addprefix --ignore ,$(PROCESSES))

slow: $(VENV)/.installed $(GARMENTS)  ## the long fault-injection and quality runs
	$(BIN)/python -m pytest -m slow --timeout 1800

faults: $(VENV)/.installed  ## break whatever can break, again and again, and count what the service loses by it
	FAULTS=full $(BIN)/python -m pytest tests/faults --timeout 3600

soak: $(VENV)/.installed  ## twenty minutes of a service under load, hurt every twenty seconds; SOAK="--database postgresql --seed 1"
	$(BIN)/python -m tests.faults.soak $(SOAK)

check: $(VENV)/.installed  ## formatting, lint, types and the arrows between the rooms
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.installed  ## rewrite the sources as `make check` wants them
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.installed $(GARMENTS)  ## the performance claims, each beside its reference
	$(BIN)/python -m benchmarks

emoji: $(VENV)/.installed  ## draw four designs of emoji, 14,800 pictures in colour, as a dataset to import
	$(BIN)/python -m benchmarks.emoji $(DATA)/emoji

gallery: $(VENV)/.installed $(GARMENTS)  ## train every preset for a minute; pictures and figures go to docs/gallery
	$(BIN)/python -m benchmarks.gallery

clean:  ## remove the virtual environment and the caches, not the data
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -m embedded.install $(VENV)
	@touch $@

$(GARMENTS): | $(VENV)/.installed
	$(BIN)/python -m models.data.fetch $(DATA)/datasets
	touch $@

# The dashboard's tests drive a real browser; where none is found and none can be installed, they say so and skip.
.PHONY: browser
browser:
	@command -v chromium chromium-browser google-chrome >/dev/null 2>&1 || \
	  { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
	    (apt-get update -qq && apt-get install -qq -y chromium chromium-driver) >/dev/null 2>&1; } || \
	  echo "no browser found: the dashboard's browser tests will be skipped"
