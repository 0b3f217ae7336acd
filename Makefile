# The commands for people. Everything else is in deploy/ and docs/.
# Norn's data are in .norn, unless NORN_DATA_DIR names another directory; its apps are in the subdirectory apps.

export NORN_DATA_DIR ?= $(CURDIR)/.norn
export NORN_APPS_DIR ?= $(NORN_DATA_DIR)/apps
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: help up down demo test check bench bench-cron bench-router bench-idle bench-incus bench-invoke bench-queue bench-load soak pictures

help:          ## list these commands
	@awk -F ': *## ' '/^[a-z-]+: *## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

up:            ## install what is missing, and start Norn
	@deploy/up

down:          ## stop Norn; containers of apps keep running
	@test -x .venv/bin/norn || { echo 'Nothing runs: Norn was not installed here yet (make up).' >&2; exit 1; }
	@norn down

demo:          ## deploy the four apps of examples/, use them, break one
	@deploy/demo

test:          ## all checks and all tests
	@deploy/prepare test
	@$(MAKE) --no-print-directory check
	python -m tests.whole

check:         ## format, lint, types, layers
	@deploy/prepare check
	ruff format --check .
	ruff check .
	mypy
	lint-imports

bench:         ## the measurements of tests/benchmarks
	@deploy/prepare test
	@echo 'Running tests/benchmarks; each prints its measurements and its targets.'
	pytest -q -s tests/benchmarks

bench-cron:    ## Norn's beat compared with other beats of Celery, 150 minutes; ARGS=--short, or ARGS='norn:1000:2 stock:1000:2'
	@deploy/prepare bench
	python -m tests.benchmarks.cron $(ARGS)

bench-router:  ## Norn's router beside Caddy, nginx and HAProxy, about six minutes; ARGS=--short, or ARGS='norn caddy --rounds 3'
	@deploy/prepare bench
	python -m tests.benchmarks.router $(ARGS)

bench-idle:    ## what Norn takes while nothing happens, about 25 minutes; ARGS=--short, or ARGS='0 25 --seconds 120'
	@deploy/prepare test
	python -m tests.benchmarks.idle $(ARGS)

bench-incus:   ## a run in Incus beside one in Docker, a minute; NORN_TEST_INCUS names an Incus; ARGS='--rounds 20'
	@deploy/prepare test
	python -m tests.benchmarks.incus $(ARGS)

bench-invoke:  ## a call by Docker and by the nest beside docker run and crun, about five minutes; ARGS='--rounds 20'
	@deploy/prepare bench
	python -m tests.benchmarks.invoke $(ARGS)

bench-queue:   ## what a job costs at each stage, and Norn's queue beside others, about 3 hours; ARGS=--short, or ARGS='norn dbos --rows drain'
	@deploy/prepare bench
	python -m tests.benchmarks.queue.cost
	python -m tests.benchmarks.queue $(ARGS)

bench-load:    ## loads on a whole Norn, with 1, 2 and 4 workers and a million past jobs, 15 minutes; ARGS=--short, or ARGS='scale reads'
	@deploy/prepare test
	python -m tests.benchmarks.load $(ARGS)

soak:          ## the long proofs of tests/soak, or T=one of them
	@deploy/prepare test
	pytest -q -s --timeout=1800 $(or $(T),tests/soak)

pictures:      ## pictures of the page of a Norn that runs, into docs/pictures; first: . .norn/env
	@deploy/prepare test
	python -m tests.e2e.pictures $(ARGS)
