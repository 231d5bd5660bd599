# Glasshouse from a terminal. Needs git, make, Node 20 or newer, and npm; the first `make start` fetches everything else,
# including the Node 24 that the server runs on. `make` alone lists the verbs.
#
# Must stay true: recipes are plain POSIX sh, nothing is installed or built twice, and what loses data asks first.

.DEFAULT_GOAL := help

NODE := node_modules/.bin/node
GLASSHOUSE := $(NODE) packages/cli/bin/glasshouse.js

# npm writes this file last, so it is there only after a complete installation.
INSTALLED := node_modules/.package-lock.json
BUILT := packages/cli/dist/.built
# The folders are listed too: their time changes when a file is added or removed.
SOURCES := $(shell find packages -name node_modules -prune -o -name dist -prune -o -print) tsconfig.base.json tsconfig.json

# What looks at a running server must not wait for a compiler, nor fail because of a half-written edit.
RUNNABLE := $(if $(wildcard $(BUILT)),,$(BUILT))

# $(call confirm,question): goes on only after a yes, or with FORCE=1.
define confirm
if [ "$(FORCE)" != 1 ]; then \
  printf '%s [y/N] ' "$(1)"; \
  read -r answer || answer=; \
  case "$$answer" in \
    y|Y|yes|YES|Yes) ;; \
    *) echo 'Nothing was changed. FORCE=1 skips the question.'; exit 1 ;; \
  esac; \
fi
endef

##@ Run

.PHONY: start
start: $(BUILT) ## Install, build, start in the background, wait until ready
	@$(GLASSHOUSE) start

.PHONY: stop
stop: $(RUNNABLE) ## Stop the server; what it acknowledged is on disk
	@$(GLASSHOUSE) stop

.PHONY: restart
restart: $(BUILT) ## Stop, then start
	@$(GLASSHOUSE) stop
	@$(GLASSHOUSE) start

.PHONY: status
status: $(RUNNABLE) ## Say whether it runs, where, and since when
	@$(GLASSHOUSE) status

.PHONY: logs
logs: $(RUNNABLE) ## Follow the server's log
	@$(GLASSHOUSE) logs --follow

.PHONY: health
health: $(RUNNABLE) ## Check every listener
	@$(GLASSHOUSE) doctor --listeners

.PHONY: dashboard
dashboard: $(RUNNABLE) ## Open the web page, or print its address
	@$(GLASSHOUSE) dashboard

##@ Data

.PHONY: test
test: $(RUNNABLE) ## Send test telemetry and wait until it can be queried
	@$(GLASSHOUSE) send-test

.PHONY: query
query: $(RUNNABLE) ## Interactive SQL
	@$(GLASSHOUSE) sql

.PHONY: query-traces
query-traces: $(RUNNABLE) ## The latest traces
	@$(GLASSHOUSE) sql --view traces

.PHONY: query-stats
query-stats: $(RUNNABLE) ## Totals by service, severity and kind of metric
	@$(GLASSHOUSE) sql --view stats

.PHONY: backup
backup: $(RUNNABLE) ## Back up; TO=path says where
	@$(GLASSHOUSE) backup $(if $(TO),"$(TO)")

.PHONY: restore
restore: $(RUNNABLE) ## Restore a backup; FROM=path says which; asks first (FORCE=1 does not)
	@if [ -z "$(FROM)" ]; then echo 'cannot restore FROM=: name a backup, make restore FROM=path' >&2; exit 2; fi
	@$(GLASSHOUSE) restore $(if $(filter 1,$(FORCE)),--yes) "$(FROM)"

.PHONY: reset
reset: $(RUNNABLE) ## Delete all telemetry, keep running; ROWS=1 rows of data sources too; asks first (FORCE=1 does not)
	@$(call confirm,Delete all telemetry $(if $(filter 1,$(ROWS)),and rows of data sources )in $${GLASSHOUSE_DATA_DIR:-./data}?); \
	$(GLASSHOUSE) reset --yes $(if $(filter 1,$(ROWS)),--data-sources)

.PHONY: clean
clean: ## Stop and remove the data directory; asks first (FORCE=1 does not)
	@dir="$${GLASSHOUSE_DATA_DIR:-./data}"; \
	case "$$dir" in /|.|./|..|../|"$$HOME"|"$$HOME"/) echo "cannot remove GLASSHOUSE_DATA_DIR=$$dir: it holds more than data" >&2; exit 2 ;; esac; \
	if [ -e "$$dir/.git" ]; then echo "cannot remove GLASSHOUSE_DATA_DIR=$$dir: it is a repository" >&2; exit 2; fi; \
	if [ ! -d "$$dir" ]; then echo "There is no $$dir."; exit 0; fi; \
	$(call confirm,Stop the server and remove $$dir with everything in it?); \
	if [ -f $(BUILT) ]; then $(GLASSHOUSE) stop || exit 1; fi; \
	rm -rf -- "$$dir" && echo "Removed $$dir."

##@ Develop

.PHONY: build
build: $(BUILT) ## Install what is missing and compile what has changed

.PHONY: check
check: $(INSTALLED) ## Format, types, lint, dead code, all tests (ALL=1 goes on after a failure)
	@npm run --silent check $(if $(ALL),-- --all)

.PHONY: bench
bench: $(BUILT) ## Measure ingest and queries on this machine
	@npm run --silent bench

.PHONY: help
help: ## List the verbs
	@awk 'BEGIN { FS = ":.*## "; print "make VERB" } \
	  /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' Makefile

$(INSTALLED): package-lock.json
	@echo 'Installing packages from package-lock.json …'
	@npm ci --no-audit --no-fund
	@touch $@

$(BUILT): $(INSTALLED) $(SOURCES)
	@echo 'Building …'
	@npm run --silent build
	@mkdir -p $(@D) && touch $@
