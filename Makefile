# Roomwire. `make help` lists what there is.

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
EXE     := $(shell $(GO) env GOEXE)
MODULES := examples/backend-caldav # of their own: go commands on ./... pass them over
GENERATED := proto host/internal/store/internal/db '*.gen.go' '*_gen.go'
PLUGINS := $(notdir $(wildcard plugins/auth-*) $(wildcard plugins/backend-*))
TOOL    := $(GO) tool -modfile=tools/go.mod
BUF     := $(GO) tool -modfile=tools/buf/go.mod buf
LINT    := $(GO) tool -modfile=tools/lint/go.mod golangci-lint

.DEFAULT_GOAL := help
.PHONY: help build demo test soak lint bench generate check cross clean

help: ## Show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

build: ## Build the host, the Exchange stand-in and the plugins into bin/, and pin the plugins
	@mkdir -p bin/plugins
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/roomwire$(EXE) ./host
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/exchangesim$(EXE) ./exchangesim/cmd/exchangesim
	@for p in $(PLUGINS); do echo "build $$p"; \
		$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/plugins/roomwire-$$p$(EXE) ./plugins/$$p || exit 1; done
	bin/roomwire$(EXE) plugin lock bin/plugins

demo: build ## Run host and Exchange stand-in together on sample people, and walk through the main job
	bin/roomwire$(EXE) demo

test: ## Run every test, with the race detector
	$(GO) vet ./...
	$(GO) test -race -timeout 45m ./...
	@for m in $(MODULES); do echo "test $$m"; $(MAKE) -C $$m test || exit 1; done
	@for c in xmllint apache2 psql; do PATH="$$PATH:/usr/sbin" command -v $$c >/dev/null || \
		echo "SKIPPED: the tests that need $$c, which is not installed (.ci/run installs it)"; done
	@[ -d ../shared ] || echo "SKIPPED: the tests that read recordings and schemas, which are not beside this folder (../shared)"

soak: ## Play random schedules through the real plugins (SCHEDULES=n SEED=n STORE=postgres, ACTS=file to replay one)
	SCHEDULES=$(or $(SCHEDULES),1000) SEED=$(or $(SEED),1) STORE=$(STORE) ACTS=$(if $(ACTS),$(abspath $(ACTS))) \
		$(GO) test -count=1 -timeout 0 -v -run 'TestSchedulesThroughPlugins$$' ./host/internal/soak | \
		awk '/^( *---|===|PASS|FAIL|ok)/ { if (/FAIL/) bad = 1; next } / schedules, / { told = 1 } { print } \
		END { exit bad || !told }'

lint: ## Check the style, the wire contract, and that generated code is current
	$(LINT) run ./...
	@for m in $(MODULES); do echo "lint $$m"; $(MAKE) -C $$m lint || exit 1; done
	$(BUF) lint
	$(MAKE) check

bench: ## Measure everything in docs/benchmarks.md anew, in the better part of an hour (BENCH=-full: with 100,000 persons)
	$(GO) run ./test/bench -out docs/benchmarks.md $(BENCH)

generate: ## Generate code anew: wire contract, SQL, REST, time zones
	$(BUF) generate
	$(TOOL) sqlc generate
	$(GO) generate ./...

check: generate ## Fail if generated code is not what is checked in
	git diff --exit-code -- $(GENERATED)

cross: ## Compile for every platform that is supported
	@for t in windows/amd64 darwin/arm64; do echo "compile for $$t"; \
		export GOOS=$${t%/*} GOARCH=$${t#*/} CGO_ENABLED=0; \
		$(GO) build -o /dev/null ./host ./exchangesim/cmd/exchangesim ./plugins/... ./sdk/... || exit 1; \
		for m in $(MODULES); do $(GO) -C $$m build -o /dev/null . || exit 1; done; done

clean: ## Remove what was built
	rm -rf bin
