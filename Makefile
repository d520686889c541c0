# Two commands for a fresh machine: `make run` does the main job on real pictures, `make test` passes every test.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
FAISS := $(shell nvidia-smi -L >/dev/null 2>&1 && echo gpu || echo cpu)
RTSP_SERVER := python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-rtsp \
	gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad
FAULTS ?= 30
SEED ?= 1
APT := $(shell [ "$$(id -u)" = 0 ] && command -v apt-get)

.PHONY: help run test check bench bench-latency chaos soak pictures clean
help:  ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(VENV)/ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[$(FAISS)]'
	@touch $@

$(VENV)/dev-ready: $(VENV)/ready
	$(BIN)/python -m pip install --quiet --editable '.[$(FAISS),dev]'
	@touch $@

# What the browser, compose and camera tests use; without it they skip and say why.
.PHONY: test-tools
test-tools:
	@if [ -n "$(APT)" ] && ! { command -v chromium && command -v docker-compose && ls /usr/lib/postgresql && command -v promtool; } >/dev/null 2>&1; then \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium docker-compose postgresql prometheus >/dev/null || true; fi
	@if [ -n "$(APT)" ] && ! /usr/bin/python3 -c "import gi; gi.require_version('GstRtspServer', '1.0')" >/dev/null 2>&1; then \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends $(RTSP_SERVER) >/dev/null || true; fi
	@if command -v npm >/dev/null 2>&1 && [ ! -f .cache/node_modules/axe-core/axe.min.js ]; then \
		npm install --silent --no-save --prefix .cache axe-core@4 >/dev/null || true; fi

run: $(VENV)/ready  ## Install, then watch the demo footage; the page is at http://127.0.0.1:8080
	$(BIN)/crewsight up --demo

check: $(VENV)/dev-ready  ## Style, types and the direction of every import
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: $(VENV)/dev-ready test-tools  ## Every test
	$(BIN)/python -m pytest --numprocesses 3 --dist loadgroup

bench: $(VENV)/dev-ready  ## Measure throughput, side by side in one run
	$(BIN)/python -m tests.bench
	$(BIN)/python -m tests.bench_alerts
	$(BIN)/python -m tests.bench_search --picture docs/images/search-growth.png
	$(BIN)/python -m tests.bench_search_http
	$(BIN)/python -m tests.bench_scaling

bench-latency: $(VENV)/dev-ready  ## Measure how long an alert takes, from the frame to the desk and to a channel
	$(BIN)/python -m tests.bench_latency

chaos: $(VENV)/dev-ready test-tools  ## Break every process and what it stands on, 30 times by a seed; count what is lost
	$(BIN)/python -m tests.chaos --s3 --faults $(FAULTS) --seed $(SEED) --report .cache/reliability.md

soak: $(VENV)/dev-ready test-tools  ## The long runs: memory over 20 passes and 20 cameras, then 200 faults
	$(BIN)/python -m tests.soak
	$(BIN)/python -m tests.soak_cameras
	$(BIN)/python -m tests.chaos --s3 --faults 200 --seed 2026 --left-alone 10 --report docs/reliability.md

pictures: $(VENV)/dev-ready test-tools  ## Make the README's pictures again
	CREWSIGHT_UPDATE_PICTURES=1 $(BIN)/python -m pytest tests/browser

clean:  ## Remove what was installed and cached, never footage or results
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache artefacts
