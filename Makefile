# What one types. Everything is built below build/; each recipe is a script that also runs alone.
.PHONY: help run test bench swarm sim-membership sim-data breakages format lint clean

help:
	@echo 'make run      build a release and show a cluster at work on a real site; Ctrl-C ends it'
	@echo '              (make run ONCE=1 ends after the tour, with its verdict as exit status)'
	@echo 'make test     build and run all tests, with AddressSanitizer and UBSan'
	@echo 'make bench    beside HAProxy, nginx and Varnish, and the cost of mirrors (ARGS=--quick: short)'
	@echo 'make swarm    simulated clusters with faults of all sorts, on all cores (MINUTES=5)'
	@echo 'make sim-membership  how soon a dead server is known, and who is taken for dead in error,'
	@echo '              beside a model of SWIM'
	@echo 'make sim-data  ten million reads and writes of a group over one database, with faults of all sorts;'
	@echo '              and what a death costs the database'
	@echo 'make breakages  break the session code on purpose, and see that the tests notice'
	@echo 'make format   lay the sources out with clang-format'
	@echo 'make lint     clang-format check and clang-tidy'

run:
	@tools/packages build tests
	@tools/build release tandem-lb tandem-server tandemctl tandem-get tandem-swarm
	@tools/site
	@exec /usr/bin/python3 tests/tour/tour.py --build build/release --site build/site $(ARGS)

test:
	@tools/packages build tests browser
	@tools/mcp || echo 'the test with stock programs of the Model Context Protocol is left out'
	@tools/build dev
	@tools/site
	@exec ctest --test-dir build/dev --output-on-failure -j $(JOBS) $(ARGS)

bench:
	@tools/packages build tests bench
	@tools/build release tandem-lb tandem-server tandemctl tandem-get bench_load bench_origin
	@exec /usr/bin/python3 tests/bench/bench.py --build build/release --json build/bench.json $(ARGS)

swarm:
	@tools/packages build tests
	@tools/build release tandem-sim
	@exec build/release/bin/tandem-sim --swarm --minutes $(MINUTES) --threads $$(nproc) $(ARGS)

sim-membership:
	@tools/packages build tests
	@tools/build release tandem-sim-membership
	@exec build/release/bin/tandem-sim-membership $(ARGS)

sim-data:
	@tools/packages build tests
	@tools/build release tandem-sim-data
	@build/release/bin/tandem-sim-data $(ARGS)
	@exec build/release/bin/tandem-sim-data zipf

breakages:
	@tools/packages build tests
	@exec /usr/bin/python3 tests/breakages/run.py $(ARGS)

format:
	@tools/packages checks
	@tools/format

lint:
	@tools/packages build checks
	@tools/format --check
	@tools/lint

clean:
	rm -rf build

MINUTES ?= 5
# Integration tests mostly wait for each other's processes: somewhat more of them than cores.
JOBS ?= $(shell echo $$(( $$(nproc) + 1 )))
export ONCE
