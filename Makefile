# make demo | test | torture | mutate | sequences | check | bench | recovery | circle | load | clean          ARGS="…" is passed on: make test ARGS="-k replay -x"
# Needs Python 3.11 or newer with pip; everything else goes into .venv.

PYTHON ?= python3
ARGS ?=
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: demo test torture mutate sequences check bench recovery circle load clean install
.DEFAULT_GOAL := test

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

demo: $(STAMP)
	$(BIN)/allot demo $(ARGS)

test: $(STAMP)
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

# Breaks processes, wires, disks, memory and databases ALLOT_TORTURE times each; five to ten seconds a time, freezes and
# forgotten wires up to a minute.
torture: export ALLOT_TORTURE ?= 20
torture: $(STAMP)
	$(BIN)/python -m pytest tests/faults $(ARGS)

# Thousands of wrong versions of the Lua; nearly all must be noticed. Some half an hour of one processor.
mutate: $(STAMP)
	$(BIN)/python -m tests.mutation $(ARGS)

# Every sequence of up to three verbs in the life of an order, and 50,000 longer ones; some minutes of one processor.
sequences: $(STAMP)
	$(BIN)/python -m tests.simulator.sequences $(ARGS)

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(ARGS)
	$(BIN)/lint-imports

bench: $(STAMP)
	$(BIN)/allot bench $(ARGS)

# A restart and a rebuild of a million skus, timed; some minutes.
recovery: $(STAMP)
	$(BIN)/python -m loadtests.recovery $(ARGS)

# Channels under load: 5,000 numbers on each, and 200 orders at once by webhook; some ten minutes.
circle: $(STAMP)
	$(BIN)/python -m loadtests.channels $(ARGS)

load: $(STAMP)
	$(BIN)/python -m loadtests.run $(ARGS)

clean:
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
