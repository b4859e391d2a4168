# Everything happens in one .venv, filled from hash-pinned locks. Plain make (3.81 and later) and plain sh.

.SUFFIXES:
.DEFAULT_GOAL := help
.PHONY: help run test fuzz fuzz-properties fuzz-coverage usage-histories prove prove-gateway prove-breaks api-check focus-check faults gateway-faults soak erasure hostile check fmt lock catalogue clean clean-data
.PHONY: security-claims bench bench-console bench-full bench-gateway classifier classifier-check classifier-labels clients gateway-clients instructions plots observe console-pictures generate k8s-check image reporter sbom

VENV := .venv
BIN := $(VENV)/bin
DATA := .nocontent

# Wheels only: building from source would download build tools that no hash pins.
PIP_FLAGS := --quiet --require-hashes --only-binary :all:
PIP_INSTALL := $(BIN)/python -m pip install $(PIP_FLAGS)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# A peer that cannot be installed is skipped.
PEERS := .venv-bench/.done .venv-phoenix/.done .bench/node/.done
# Without a home pip's cache would land in /.cache.
ifeq ($(strip $(HOME)),)
export PIP_NO_CACHE_DIR := 1
endif

LOCK := $(BIN)/python -m uv --no-config pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --annotation-style line --custom-compile-command "make lock" \
	$(if $(UPGRADE),--upgrade)

help: ## show this list
	@if [ -t 1 ]; then bold=$$(printf '\033[1m') plain=$$(printf '\033[0m'); fi; \
	awk -v bold="$$bold" -v plain="$$plain" 'BEGIN { FS = ":.*## "; \
	    print "nocontent: telemetry for LLM proxies that cannot store a prompt\n" } \
	  /^[a-z0-9-]+:.*## / { printf "  %smake %-16s%s %s\n", bold, $$1, plain, $$2 } \
	  END { print "\nPython 3.11 or later is found by itself; PYTHON=/path/to/python3 names another." }' Makefile

run: $(VENV)/.run ## start it and send it events (ONCE=1: then stop; NOCONTENT_DSN=...: in your PostgreSQL)
	@$(BIN)/nocontent demo $(if $(ONCE),--once)

# Three at a time where there are two cores: a third of them waits. By file, since a file shares its server, and in the
# order of tests/conftest.py. With bytecode, whatever the environment says: the tests start hundreds of processes.
test: $(VENV)/.dev ## run the tests (ARGS="-k gate": some of them, one after another)
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest $(or $(ARGS),-n 3 --dist loadfile --no-loadscope-reorder)

security-claims: $(VENV)/.dev ## run the tests that the page /security names, and record each that passed, with the commit
	$(BIN)/python -m tests.legal $(ARGS)

fuzz: $(VENV)/.dev ## try to get text in with 200,000 generated bodies (ARGS="--bodies 1000 --seed 1": fewer, repeatable)
	$(BIN)/python -m tests.fuzz $(ARGS)

fuzz-properties: $(VENV)/.dev ## test the properties of the gates with a hundred times as many examples (half an hour)
	FUZZ_SCALE=100 $(BIN)/python -m pytest -v --timeout=1800 tests/properties/test_decode.py $(ARGS)

usage-histories: $(VENV)/.dev ## test that usage adds up through 12,000 steps of random histories (a quarter of an hour)
	FUZZ_SCALE=100 $(BIN)/python -m pytest -q tests/store/usage/test_histories.py $(ARGS)

fuzz-coverage: $(VENV)/.dev ## fuzz the decoder alone, guided by coverage (Linux; installs atheris)
	@$(PIP_INSTALL) -r tests/fuzz/requirements-fuzz.lock
	$(BIN)/python -m tests.fuzz.coverage $(ARGS)

prove: $(VENV)/.run ## try to get content in, in some 41,000 ways, and search for it everywhere (ARGS="--cases 500": fewer)
	$(BIN)/nocontent prove --local $(ARGS)

prove-gateway: $(VENV)/.run ## send content through a gateway in every way, end it in every way, and search for it everywhere (Linux)
	$(BIN)/nocontent prove --gateway $(ARGS)

prove-breaks: $(VENV)/.dev ## run the kit against copies of the service that lack a gate: it must notice each
	$(BIN)/python -m tests.prove.breaks $(ARGS)

api-check: $(VENV)/.dev .venv-api/.done ## have schemathesis generate requests from /openapi.json, and check each response by it
	$(BIN)/python -m tests.openapi $(ARGS)

focus-check: $(VENV)/.dev .venv-focus/.done ## have the FinOps Foundation's validator check a FOCUS file of ours, offline (needs Python 3.12)
	$(BIN)/python -m tests.focus $(ARGS)

faults: $(VENV)/.dev ## kill proxies, the service and PostgreSQL 200 times under load: nothing may be lost (KILLS=20: fewer)
	$(BIN)/python -m tests.faults --kills $(or $(KILLS),200) $(ARGS)

gateway-faults: $(VENV)/.dev ## kill a gateway, its companion, a provider and the service 200 times under load (KILLS=20: fewer)
	$(BIN)/python -m tests.gateway.faults --kills $(or $(KILLS),200) $(ARGS)

bench: $(VENV)/.run ## measure limits, ours and peers in turns, a quarter of an hour (ARGS="--rounds 1": sooner)
	-@$(MAKE) --no-print-directory --keep-going $(PEERS)
	$(BIN)/python -m bench $(ARGS)
	@$(MAKE) --no-print-directory plots

bench-full: $(VENV)/.run ## measure the whole matrix, growth, reads and each step: takes hours and 60 GB of disk
	-@$(MAKE) --no-print-directory --keep-going $(PEERS)
	$(BIN)/python -m bench --full --out matrix $(ARGS)
	$(BIN)/python -m bench.growth --rows 100000000
	$(BIN)/python -m bench.reads --rows 50000000
	$(BIN)/python -m bench.micro
	@$(MAKE) --no-print-directory plots

bench-gateway: $(VENV)/.dev ## measure the gateway beside LiteLLM's proxy and one of Starlette and httpx2, JSON, streams and memory (10 min)
	-@$(MAKE) --no-print-directory .venv-litellm/.done
	$(BIN)/python -m bench.gateway $(ARGS)
	@$(BIN)/python -m bench.report

bench-console: $(VENV)/.dev ## measure pages of the console with a year of rollups, and ingestion beside 50 viewers (10 min)
	$(BIN)/python -m bench.console $(ARGS)
	@$(BIN)/python -m bench.report

instructions: $(VENV)/.run ## count the instructions of the hot path (valgrind), and fail if a step grew by a tenth
	$(BIN)/python -m bench.instructions $(ARGS)

classifier: $(VENV)/.dev ## train the gateway's classifier, and write its weights (2 min)
	$(BIN)/python -m bench.classifier

classifier-check: $(VENV)/.dev ## evaluate the classifier, and fill docs/routing.md (2 min; ARGS="--public FOLDER": public sets too)
	$(BIN)/python -m bench.classifier.check $(ARGS)
	@$(BIN)/python -m bench.report

classifier-labels: $(VENV)/.dev ## evaluate routing on public labels (FOLDER=with CSVs in the layout of RouteLLM's evals)
	$(BIN)/python -m bench.classifier.labels $(FOLDER)
	@$(BIN)/python -m bench.report

plots: $(VENV)/.run .venv-bench/.done ## draw docs/img and fill pages of docs from bench/results
	@.venv-bench/bin/python -m bench.plots
	@$(BIN)/python -m bench.report

observe: $(VENV)/.dev .venv-bench/.done ## run the service under a real Prometheus, test the alerts and draw the dashboards (5 min)
	@$(BIN)/python -m tests.observe.install
	$(BIN)/python -m tests.observe $(ARGS)

console-pictures: $(VENV)/.dev ## draw the pictures of docs/console.md in a real Chromium (ARGS="overview": some of them)
	$(BIN)/python -m tests.browser $(ARGS)

generate: $(VENV)/.dev ## write the rules and dashboards of k8s/base again, from k8s/alerts.yml and k8s/generate/panels.py
	$(BIN)/python -m k8s.generate

clients: $(VENV)/.dev .venv-clients/.done .venv-clients-otlp/.done ## run real clients against a fake provider and this service, and write docs/clients.md (3 min)
	@if command -v npm >/dev/null; then \
	  mkdir -p .venv-clients-otlp/node && cp tests/clients/strangers/node/* .venv-clients-otlp/node && \
	  npm ci --prefix .venv-clients-otlp/node --ignore-scripts --no-audit --no-fund --silent; \
	else echo "no npm: the client of Node is left out"; fi
	$(BIN)/python -m tests.clients --write $(ARGS)

gateway-clients: $(VENV)/.dev .venv-clients/.done ## run Anthropic's SDK, LiteLLM and Claude Code through a gateway, and write docs/clients.md (1 min)
	@if command -v npm >/dev/null; then \
	  mkdir -p .venv-clients/claude-code && cp tests/clients/strangers/claude_code/* .venv-clients/claude-code && \
	  npm ci --prefix .venv-clients/claude-code --ignore-scripts --no-audit --no-fund --silent; \
	else echo "no npm: Claude Code is left out"; fi
	$(BIN)/python -m tests.clients.gateway --write $(ARGS)

soak: $(VENV)/.dev ## send 10 million events through one process, overload it, and take its database away (10 min)
	$(BIN)/python -m tests.soak events $(ARGS)
	$(BIN)/python -m tests.soak overload

erasure: $(VENV)/.dev ## erase one of 100 tenants with 20 million rows under load, and kill the job 20 times (15 min)
	$(BIN)/python -m bench.erasure $(ARGS)

hostile: $(VENV)/.dev ## run honest senders beside attacks: slow connections, bombs, bad tokens, costly refusals (15 min)
	$(BIN)/python -m tests.soak hostile $(ARGS)

k8s-check: $(VENV)/.dev .venv-k8s/.done .venv-image/.done ## check k8s/ and the Containerfile, then check that each of many breaks is found
	$(BIN)/python -m tests.k8s
	$(BIN)/python -m pytest -q tests/k8s/breaks.py $(ARGS)

image: ## build the image with podman, docker or buildah (IMAGE=registry/name:tag PUSH=1: push, and print its digest)
	@k8s/image.sh $(or $(IMAGE),localhost/nocontent:dev) $(if $(PUSH),push)

reporter: $(VENV)/.dev ## build the wheel of nocontent-reporter into dist/, with the contract of this checkout
	$(BIN)/python -m reporter.vendor
	$(BIN)/python -m uv build --quiet --offline --no-cache --wheel --out-dir dist reporter
	@echo "dist/$$(basename "$$(ls -t dist/nocontent_reporter-*.whl | head -n 1)")"

sbom: .venv-image/.done .venv-sbom/.done ## write build/sbom.json: CycloneDX of what the image installs
	@mkdir -p build
	@.venv-sbom/bin/cyclonedx-py environment --pyproject pyproject.toml --mc-type application --output-reproducible \
	  --output-format JSON --output-file build/sbom.json .venv-image/bin/python
	@echo "build/sbom.json"

check: $(VENV)/.dev ## check lint, formatting, types and imports between rooms
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/python -m mypy --python-version 3.10 reporter/src
	$(BIN)/lint-imports --no-logo
	cd reporter/src && ../../$(BIN)/lint-imports --no-logo --no-cache --config ../pyproject.toml

fmt: $(VENV)/.dev ## format, and fix what the linter can
	$(BIN)/python -m ruff check --fix-only --exit-zero .
	$(BIN)/python -m ruff format .

lock: $(VENV)/.dev ## pin the dependencies of pyproject.toml again (UPGRADE=1: the newest versions)
	$(LOCK) pyproject.toml --extra embedded --extra rights --extra console --extra mail --output-file requirements.lock
	$(LOCK) pyproject.toml --extra embedded --extra billing --extra rights --extra export --extra console --extra mail --extra dev --constraint requirements.lock --output-file requirements-dev.lock
	$(LOCK) pyproject.toml --extra rights --extra console --extra mail --constraint requirements.lock --output-file requirements-image.lock
	for name in k8s/requirements-sbom tests/clients/requirements-clients tests/clients/requirements-clients-otlp \
	  tests/fuzz/requirements-fuzz tests/k8s/requirements-k8s tests/openapi/requirements-api; do \
	  $(LOCK) $$name.in --output-file $$name.lock || exit 1; done
	$(subst 3.11,3.12,$(LOCK)) tests/focus/requirements-focus.in --output-file tests/focus/requirements-focus.lock
	$(LOCK) --no-strip-extras bench/requirements-bench.in --output-file bench/requirements-bench.lock
	$(LOCK) --no-strip-extras bench/requirements-litellm.in --output-file bench/requirements-litellm.lock
	$(LOCK) --no-strip-extras bench/requirements-phoenix.in --output-file bench/requirements-phoenix.lock

catalogue: $(VENV)/.dev ## add the model ids of the newest public price tables, and write the price book
	$(BIN)/python -m ingest.catalogue
	$(BIN)/python -m ingest.catalogue.prices

clean: ## remove .venv, caches and builds
	rm -rf $(VENV) .venv-api .venv-bench .venv-clients .venv-clients-otlp .venv-focus .venv-image .venv-k8s .venv-litellm .venv-phoenix .venv-sbom .bench .observe build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

clean-data: ## remove the database that `make run` keeps in .nocontent
	rm -rf $(DATA)

# The development lock holds the runtime lock's pins and more, so either one only adds to the other.
$(VENV)/.run: requirements.lock $(BIN)/python | $(BIN)/nocontent
	@echo "installing the pinned packages into $(VENV) ..."
	@$(PIP_INSTALL) -r requirements.lock
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(BIN)/python | $(BIN)/nocontent
	@echo "installing the pinned packages and the development tools into $(VENV) ..."
	@$(PIP_INSTALL) -r requirements-dev.lock
	@touch $(VENV)/.run $@

# Apart from ours: checkov brings a hundred packages, and the image's must lack what only a checkout has. The locks are
# complete, and before 23.3 pip's resolver takes `a[extra]==1` for no pin of `a`.
vpath requirements-%.lock bench k8s tests/clients tests/k8s tests/openapi
.venv-%/.done: requirements-%.lock $(BIN)/python
	@echo "installing requirements-$*.lock into .venv-$* ..."
	@$(BIN)/python -m venv --clear --without-pip .venv-$*
	@$(BIN)/python -m pip --python .venv-$*/bin/python install $(PIP_FLAGS) --no-deps -r $<
	@touch $@

# The validator needs 3.12, and its numpy has no wheel for 3.13. It and pandasql have no wheels: they are built with
# what the lock pins.
.venv-focus/.done: tests/focus/requirements-focus.lock $(BIN)/python
	@echo "installing requirements-focus.lock into .venv-focus ..."
	@$(or $(PYTHON312),python3.12) -m venv --clear --without-pip .venv-focus
	@awk '/^[^ ]/ { skip = /^(focus-validator|pandasql)==/ } !skip' $< > .venv-focus/others.txt
	@$(BIN)/python -m pip --python .venv-focus/bin/python install $(PIP_FLAGS) --no-deps -r .venv-focus/others.txt
	@$(BIN)/python -m pip --python .venv-focus/bin/python install $(PIP_FLAGS) --no-binary focus-validator,pandasql --no-build-isolation \
	  --no-deps -r $<
	@touch $@

.bench/node/.done: bench/peers/node/package.json bench/peers/node/package-lock.json bench/peers/node/server.js
	@echo "installing fastify and pg into .bench/node ..."
	@rm -rf $(@D) && mkdir -p $(@D) && cp $^ $(@D)
	@npm ci --prefix $(@D) --ignore-scripts --no-audit --no-fund --silent
	@touch $@

# The first Python that runs (a pyenv shim may not), is new enough and can make an environment (Debian's may not).
# The command `nocontent` finds the checkout by its own place, so nothing has to be installed.
$(BIN)/python:
	@old=; bare=; found=; \
	for python in $(if $(PYTHON),"$(PYTHON)",python3.13 python3.12 python3.11 python3 python3.14); do \
	  version=$$("$$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue; \
	  "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { old="$$python is $$version"; continue; }; \
	  "$$python" -c 'import ensurepip, venv' 2>/dev/null || { bare=$$version; continue; }; \
	  found=$$python; break; \
	done; \
	if [ -z "$$found" ] && [ -n "$$bare" ]; then \
	  echo "Python $$bare has no venv module. On Debian and Ubuntu: apt-get install python$$bare-venv" >&2; exit 1; \
	elif [ -z "$$found" ]; then \
	  echo "Python 3.11 or later was not found ($${old:-none runs}). Name one: make PYTHON=/path/to/python3" >&2; exit 1; \
	fi; \
	echo "making $(VENV) with Python $$version ..."; \
	"$$found" -m venv --clear $(VENV) || { rm -rf $(VENV); exit 1; }

# The command: through any link to it, whatever CDPATH says, and with nothing imported from the current folder.
$(BIN)/nocontent: Makefile $(BIN)/python
	@printf '%s\n' '#!/bin/sh' 'unset CDPATH PYTHONHOME PYTHONSTARTUP' 'self=$$0' \
	  'while [ -L "$$self" ]; do' '  link=$$(readlink "$$self")' \
	  '  case $$link in /*) self=$$link ;; *) self=$$(dirname "$$self")/$$link ;; esac' 'done' \
	  'here=$$(cd "$$(dirname "$$self")/../.." && pwd)' \
	  '[ -f "$$here/ingest/__main__.py" ] || here=$$(cd -P "$$(dirname "$$self")/.." && cd .. && pwd)' \
	  'PYTHONPATH=$$here PYTHONSAFEPATH=1 exec "$$here/$(BIN)/python" -P -m ingest "$$@"' > $@
	@chmod +x $@
