# Groupwise: needs Python 3.11 or later (with venv and pip), git and make; everything else is
# installed in .venv: from requirements.lock, and from requirements-test.lock for tests and style.
# `make help` lists the targets.

PYTHON ?= python3
CORES ?= all
PROFILE ?= none

# Relative paths only: this works in a directory whose name has spaces.
# (VENV=/opt/groupwise/.venv, with -o $(STAMP), is for a container's environment: containers/run.sh.)
VENV = .venv
# A study of its own folder (make new) is reported on there, with the tool from here: make report STUDY=../mystudy
HERE = $(if $(STUDY),$(CURDIR),$$PWD)
TOOL = $(if $(STUDY),$(CURDIR)/)
IN_STUDY = $(if $(STUDY),cd "$(STUDY)" &&)
BIN = $(if $(filter /%,$(VENV)),$(VENV),$(HERE)/$(VENV))/bin
IN_ENV = PATH="$(BIN):$$PATH" QUARTO_PYTHON="$(BIN)/python"
STAMP = .venv/.lock-stamp
TEST_STAMP = .venv/.test-stamp
# profiles/NAME or a path, with a number of cores of its own; else Snakemake's profile of that name.
OWN_PROFILE = $(firstword $(wildcard profiles/$(PROFILE)/config.yaml $(PROFILE)/config.yaml))
PROFILE_PATH = $(if $(OWN_PROFILE),$(TOOL)$(OWN_PROFILE:/config.yaml=),$(PROFILE))
WITH_CORES = $(if $(OWN_PROFILE),$(if $(filter file,$(origin CORES)),,--cores $(CORES)),--cores $(CORES))
SNAKEFILES = Snakefile workflow/rules
EXAMPLES = $(sort $(wildcard examples/*.yaml))

.DEFAULT_GOAL := help
.PHONY: help env quarto report new docs examples study describe archive verify validator test test-long test-all bench \
	cost scaling stability screenshots lint format lock clean FORCE

help: ## List the targets (this list)
	@echo "make TARGET, where TARGET is one of"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-11s %s\n", $$1, $$2}' Makefile
	@echo "Variables: PYTHON=python3.12 makes .venv with another Python; CORES=4; CONFIG=my.yaml is"
	@echo "added to config.yaml; ARGS='...' goes to Snakemake (report), pytest (test), bench or uv (lock);"
	@echo "PROFILE=slurm runs on a cluster, as profiles/slurm says; GROUPWISE_QUARTO=off: no Quarto;"
	@echo "STUDY=../mystudy: the folder of a study (new, report, describe)."

env: $(STAMP) ## Make .venv with what reports need (test, lint and format add what they need)

# A .venv whose Python is gone (upgraded, removed) is made anew.
ifeq ($(wildcard .venv/bin/python),)
$(STAMP): FORCE
endif
$(STAMP): requirements.lock
	@sh tools/setup/make_env.sh "$(PYTHON)"

# To the environment of a container, which has what reports need, nothing is added.
ifeq ($(VENV),.venv)
$(TEST_STAMP): $(STAMP) requirements-test.lock
	@sh tools/setup/make_env.sh "$(PYTHON)" test
else
$(TEST_STAMP): FORCE
	@echo "$(VENV) has what reports need, and no tools for tests or style:" \
		"run this outside of the container." >&2; exit 1
endif

quarto: $(STAMP) ## Say which Quarto there is; where there is none, try to install it
	@$(IN_ENV) python tools/setup/install_quarto.py

# The default profile's settings are repeated here because Snakemake announces a profile it reads.
report: $(STAMP) ## Make every report that is not up to date: reports/rendered/index.html
	@$(IN_ENV) python tools/setup/install_quarto.py --once
	@$(IN_STUDY) $(IN_ENV) python "$(TOOL)tools/console/run_snakemake.py" --workflow-profile "$(PROFILE_PATH)" \
		--keep-going --rerun-incomplete --logger groupwise \
		$(if $(CONFIG),--configfile "$(CONFIG)") $(WITH_CORES) $(ARGS)

new: $(STAMP) ## Write the folder of a new study, which uses this tool: STUDY=../mystudy
	@$(IN_ENV) python tools/setup/new_study.py "$$STUDY"

# Each examples/NAME.yaml describes the dataset NAME. Their reports are asked for by name, so that the
# index page and its datasets stay as they are.
examples: $(STAMP) ## Make the reports of examples/*.yaml: reports/rendered/NAME.html, .json
	@$(IN_ENV) python tools/setup/install_quarto.py --once
	@$(IN_ENV) python tools/console/run_snakemake.py --workflow-profile "$(PROFILE_PATH)" \
		--keep-going --rerun-incomplete --logger groupwise $(WITH_CORES) \
		--configfile $(EXAMPLES) $(ARGS) -- \
		$(EXAMPLES:examples/%.yaml=reports/rendered/%.html) \
		$(EXAMPLES:examples/%.yaml=reports/rendered/%.json)

# A profile may bring its own study.yaml (profiles/full does): CONFIG is added to it.
study: $(STAMP) ## Simulate all methods over many designs: reports/rendered/study.html
	@$(IN_ENV) python tools/setup/install_quarto.py --once
	@$(IN_ENV) python tools/console/run_snakemake.py --workflow-profile "$(PROFILE)" \
		--keep-going --rerun-incomplete --logger groupwise --cores $(CORES) \
		$(if $(CONFIG),--configfile $(wildcard $(PROFILE)/study.yaml) "$(CONFIG)") $(ARGS) -- study

# FILE and FORMAT come through the environment, as they are.
describe: $(STAMP) ## Say what stands in FILE=data/raw/clinics.csv, and draft its block of config.yaml
	@$(IN_STUDY) $(IN_ENV) python "$(TOOL)workflow/scripts/describe_file.py" "$$FILE" "$$FORMAT"

docs: $(STAMP) ## Render the pages of docs/ as a website: docs/_site/index.html
	@$(IN_ENV) python tools/setup/render_docs.py

# An archive of a checkout that was changed since its commit has to be asked for: DIRTY=1.
archive: $(STAMP) ## Bring every report up to date, and put all of it in one file to deposit: archive/
	@$(IN_ENV) python tools/setup/install_quarto.py --once
	@$(IN_ENV) PYTHONPATH=tools:workflow/scripts python -m archive make --cores $(CORES) \
		$(if $(DIRTY),--dirty) $(if $(CONFIG),--configfile "$(CONFIG)")

# ENV=here takes the present environment; DATA names a folder with data that are not shared;
# KEEP names a folder to unpack in, which is kept.
verify: $(STAMP) ## Prove ARCHIVE=archive/groupwise-....zip: sums, crate, and the same numbers again
	@$(IN_ENV) PYTHONPATH=tools:workflow/scripts python -m archive verify "$$ARCHIVE" --cores $(CORES) \
		--python "$(PYTHON)" $(if $(filter here,$(ENV)),--here) \
		$(if $(DATA),--data "$$DATA") $(if $(KEEP),--keep "$$KEEP")

validator: $(STAMP) ## Install roc-validator and cyclonedx-py in .venv/crate, for archive, verify and the tests
	@.venv/bin/python -m venv --clear .venv/crate
	@.venv/crate/bin/python -m pip install -qq --no-input --disable-pip-version-check \
		--require-hashes -r requirements-crate.txt

# A file's tests run in one process, in the order of tests/conftest.py: files that take long first.
PYTEST = $(IN_ENV) python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test: $(TEST_STAMP) ## Run the tests, but for those that take long
	@$(PYTEST) -m "not slow" $(ARGS)

test-long: $(TEST_STAMP) ## Run the tests that take long: archives, Slurm, browser, lint, simulations
	@$(PYTEST) -m slow $(ARGS)

test-all: $(TEST_STAMP) ## Run all tests, which takes less than one after the other
	@$(PYTEST) $(ARGS)

bench: $(STAMP) ## Time everything beside R and others (ARGS=--quick: small sizes; --write: into docs/)
	@$(IN_ENV) python benchmarks/run.py $(ARGS)

# BASE names another checkout, whose costs stand beside.
cost: $(STAMP) ## Measure what a report costs, rule by rule (BASE=path; ARGS=--write: into docs/)
	@$(IN_ENV) python benchmarks/report_cost.py $(if $(BASE),--base "$(BASE)") $(ARGS)

scaling: $(STAMP) ## Measure how cost grows with rows and replicates (an hour; ARGS=--write: into docs/)
	@$(IN_ENV) python benchmarks/scaling.py $(ARGS)

stability: $(STAMP) ## Count how often verdicts depend on the seed (an hour; ARGS=--write: into docs/)
	@$(IN_ENV) python benchmarks/stability.py $(ARGS)

screenshots: $(STAMP) ## Show every page at three widths, light and dark: reports/rendered/screenshots/
	@$(IN_ENV) python tests/browser/screenshots.py

lint: $(TEST_STAMP) ## Check style, types and workflow; change nothing
	@$(IN_ENV) python -m ruff check .
	@$(IN_ENV) python -m ruff format --check .
	@$(IN_ENV) python -m mypy
	@$(IN_ENV) python -m snakefmt --check $(SNAKEFILES)
	@$(IN_ENV) python -m snakemake --workflow-profile none --lint

format: $(TEST_STAMP) ## Put the code in the common style
	@$(IN_ENV) python -m ruff check --quiet --fix-only .
	@$(IN_ENV) python -m ruff format .
	@$(IN_ENV) python -m snakefmt $(SNAKEFILES)

COMPILE = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--fork-strategy fewest --custom-compile-command "make lock"

lock: ## Resolve requirements*.in into requirements*.lock (needs uv; ARGS=--upgrade takes newer versions)
	@command -v uv >/dev/null || { echo "make lock needs uv: pip install uv" >&2; exit 1; }
	@$(COMPILE) --output-file requirements.lock $(ARGS) requirements.in
	@$(COMPILE) --output-file requirements-test.lock $(ARGS) --constraints requirements.lock \
		requirements-test.in

clean: ## Remove what is generated, and nothing else; .venv stays
	@rm -rf results data/processed reports/rendered reports/.quarto logs benchmarks/jobs
	@rm -rf docs/_site docs/.quarto
	@rm -rf .snakemake .pytest_cache .hypothesis .mypy_cache .ruff_cache
	@find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +
