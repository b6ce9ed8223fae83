# SPDX-License-Identifier: Apache-2.0
#
#   make run      build the simulated NIC, push real captures through it, judge every packet
#   make test     every test
#   make help     the other targets
#
# Both install what this machine lacks (scripts/setup.sh) and say so.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

GO ?= go
OUT ?= out/run
SEED ?= 1
# Extra arguments for `espalier run`, as in: make run ARGS='--device gonic'
ARGS ?=
CAPTURES := $(wildcard tests/captures/*.pcap)

export ESPALIER_PYTHON := $(CURDIR)/build/venv/bin/python

.PHONY: help run test bench conformance soak build firmware sim sim-trace lint format format-check vet regs setup setup-run setup-test setup-soak clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

run: build sim ## build everything, run the captures through the simulated NIC, judge every packet
	@bin/espalier run --out $(OUT) --force --seed $(SEED) --esp-sa $(OUT)/esp_sa $(ARGS) $(CAPTURES)

build: setup-run firmware ## bin/espalier
	@mkdir -p bin
	@$(GO) build -o bin/espalier ./cmd/espalier

firmware: setup-run ## the program of the NIC's control processor, build/firmware/espalier_fw.bin
	@path=$$(firmware/build.sh); echo "firmware: $$path"

sim: setup-run ## the simulator library, build/sim/libespalier_sim.so
	@path=$$(verilator/build.sh); echo "simulator: $$path"

sim-trace: setup-run ## the same with waveforms compiled in, for --wave: build/sim/trace/libespalier_sim.so
	@path=$$(verilator/build.sh --out trace --trace); echo "simulator: $$path"

test: setup-test lint firmware sim ## every test
	$(GO) test -timeout 20m -count=1 ./...
	$(GO) test -timeout 20m -count=1 -race -short $(RACE)

# Packages with goroutines, and those that share memory with a device; the one that takes
# longest first.
RACE = ./tests/seam/... ./driver/... ./hwmodel/... ./rtl-bridge/... ./regress/... ./gateway/... ./vm/...

lint: format-check vet ## formatting, go vet, staticcheck

vet:
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

format: ## gofmt
	gofmt -w $$(git ls-files '*.go')

format-check:
	@files=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$files" ]; then echo "gofmt would change (run make format):"; echo "$$files"; exit 1; fi

bench: build sim ## cycles per packet, latency, SA install, simulator and driver speed: a table and JSON
	@bin/espalier bench --out out/bench

conformance: build sim ## hold both NICs to IPsec Offload Version 2, requirement by requirement; writes docs/conformance.md
	@bin/espalier conformance --device gonic,sim --out docs/conformance.md

soak: setup-soak firmware sim ## the property tests for much longer, with new seeds each time, and the firmware under a fuzzer
	$(GO) test -timeout 4h -count=1 ./tests/property -args -soak=1h
	$(GO) test -timeout 4h -count=1 ./firmware -run "TestNativeRandom|TestCorpus" -args -soak=20m

regs: ## regenerate everything that comes from regs/espalier.rdl
	@scripts/setup.sh regs
	@$(ESPALIER_PYTHON) regs/generate.py

setup: setup-test ## install everything that the other targets need

setup-run:
	@scripts/setup.sh run

setup-test:
	@scripts/setup.sh test

setup-soak:
	@scripts/setup.sh soak

clean: ## remove what was built (installed packages stay)
	rm -rf bin build out
