# Everything happens in .venv, made on first use and again when the recipe changes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT := build/demo

.PHONY: demo test lint fuzz bench docs presets clean

demo: $(VENV)/run.stamp
	@mkdir -p $(OUT)
	$(BIN)/npukit run portrait_matting --set view=side_by_side \
	    --display $(OUT)/portrait_matting.mp4 --report $(OUT)/report.html
	@echo "video:  $(CURDIR)/$(OUT)/portrait_matting.mp4"
	@echo "report: $(CURDIR)/$(OUT)/report.html"

test: lint
	$(BIN)/python -m pytest

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/vermin --quiet --no-tips --target=3.7- --violations \
	    sdk/npukit tools/npukit_cli/hilens_compat tools/npukit_cli/deploy/onboard \
	    converters/npukit_convert/execute/_bvlc_worker.py \
	    converters/npukit_convert/compilers/_run_job.py

# Every truncation of the offline models in the tests, and 20,000 mutants of each: some minutes.
fuzz: $(VENV)/dev.stamp
	NPUKIT_FUZZ=all $(BIN)/python -m pytest tests/sdk/om/test_robustness.py

bench: $(VENV)/dev.stamp
	$(BIN)/python -m benchmarks

docs: $(VENV)/dev.stamp
	$(BIN)/python docs/generate.py

presets: $(VENV)/run.stamp
	$(BIN)/python -m npukit.aipp

clean:
	rm -rf $(VENV) build dist sdk/*.egg-info *.egg-info

$(VENV)/run.stamp: setup.py pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "npukit needs Python 3.11 or later: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

# torch comes first and by its exact version: a CPU build where the index has one.
$(VENV)/dev.stamp: $(VENV)/run.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "torch>=2.13,<2.14"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	@touch $@
