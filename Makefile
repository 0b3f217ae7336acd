# What a person types. Everything else is in deploy/ and docs/.
# Norn's data are in .norn, unless NORN_DATA_DIR says otherwise; its apps are those in the directory apps there.

export NORN_DATA_DIR ?= $(CURDIR)/.norn
export NORN_APPS_DIR ?= $(NORN_DATA_DIR)/apps
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: help up down demo test check bench bench-cron soak

help:          ## what each word does
	@awk -F ': *## ' '/^[a-z-]+: *## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

up:            ## install what is missing, and start Norn
	@deploy/up

down:          ## stop Norn; containers of apps run on
	@test -x .venv/bin/norn || { echo 'Nothing runs: Norn was not installed here yet (make up).' >&2; exit 1; }
	@norn down

demo:          ## deploy the four apps of examples/, use them, break one
	@deploy/demo

test:          ## all checks and all tests
	@deploy/prepare test
	@$(MAKE) --no-print-directory check
	pytest -q -n 4 --dist loadfile --no-loadscope-reorder

check:         ## format, lint, types, layers
	@deploy/prepare check
	ruff format --check .
	ruff check .
	mypy
	lint-imports

bench:         ## the measurements of tests/benchmarks
	@deploy/prepare test
	@echo 'Running what is in tests/benchmarks; each prints what it measures and the number to hold.'
	pytest -q -s tests/benchmarks

bench-cron:    ## Norn's beat beside Celery's others, about 45 minutes; ARGS=--short, or ARGS='norn:1000:2 stock:1000:2'
	@deploy/prepare bench
	python -m tests.benchmarks.cron $(ARGS)

soak:          ## the long proofs of tests/soak, or T=one of them
	@deploy/prepare test
	pytest -q -s --timeout=1800 $(or $(T),tests/soak)
