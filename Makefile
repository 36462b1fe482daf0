# Every target is one line that calls one thing. `make` alone lists them.
PYTHON ?= python3
VENV ?= .venv
PROFILE ?= paper
PORT ?= 8000
PY := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed-$(shell cat requirements.lock | cksum | tr ' ' '-')
# An environment whose Python is gone, or that has no pip, is made again.
ifneq ($(wildcard $(VENV)/pyvenv.cfg),)
BROKEN := $(shell $(PY) -c 'import pip' >/dev/null 2>&1 || echo broken)
endif
export OMP_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.PHONY: help book page serve links pdf test lint lock pairs results release verify bench clean broken

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1|\2/' | column -t -s '|' 2>/dev/null || grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST)

book: $(INSTALLED) ## execute the notebooks and build the book in _build/html (PROFILE=smoke computes everything small)
	$(PY) -m book.press.build --profile $(PROFILE)

serve: $(INSTALLED) ## build the book and serve it at http://127.0.0.1:8000 (PORT=...)
	$(PY) -m book.press.build --profile $(PROFILE) --serve $(PORT)

page: $(INSTALLED) ## execute one page from the stored records and check it (PAGE=notebooks/images)
	$(PY) -m book.press.build --profile $(PROFILE) --only $(or $(PAGE),$(error PAGE is missing: make page PAGE=notebooks/images))

links: $(INSTALLED) ## build the book and look up the addresses of other sites in it
	$(PY) -m book.press.build --profile $(PROFILE) --links

pdf: book ## the book as one PDF, _build/html/companion.pdf (needs Chromium and pdfunite)
	$(PY) -m book.press.pdf

test: $(INSTALLED) ## run all tests, every notebook in profile smoke included (ARGS=... for pytest; LONG=1 adds long campaigns)
	$(PY) -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: $(INSTALLED) ## check the style of the code
	$(PY) -m ruff check . && $(PY) -m ruff format --check --quiet .

lock: $(INSTALLED) ## after a change of requirements.txt: pin everything below it, with hashes, in requirements.lock
	$(PY) -m pip install --quiet --disable-pip-version-check uv==0.13.9
	$(PY) -m uv --quiet pip compile requirements.txt --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --custom-compile-command 'make lock' --output-file requirements.lock

pairs: $(INSTALLED) ## generate each notebook from its script, and bring the repository's address (_config.yml) everywhere
	$(PY) -m book.press.pairs

results: $(INSTALLED) ## compute the missing full-scale records of a section (SECTION=images, ...; DRY=1 prints what they cost; SCHEDULER=tcp://... uses a Dask cluster)
	$(PY) -m notebooks.paper $(or $(SECTION),$(error SECTION is missing: make results SECTION=images)) $(if $(DRY),--dry) $(if $(SCHEDULER),--scheduler $(SCHEDULER)) $(ARGS)

release: $(INSTALLED) ## after new records: pack them, enter their datasets in the manifest, export the learned activations, and bring the README's picture and claims up to date
	$(PY) -m notebooks.paper pack && $(PY) -m book.press.release && $(PY) -m book.press.readme

verify: $(INSTALLED) ## recompute a random sample of the records and compare (ALL=1: also those of earlier code, at their own commits)
	$(PY) -m notebooks.paper verify $(if $(ALL),--all) $(ARGS)

bench: $(INSTALLED) ## measure the speed against other implementations
	$(PY) -m pip install --quiet --disable-pip-version-check -r requirements-bench.txt && $(PY) -m benchmarks $(ARGS)

clean: ## remove what was built (not the results, not the environment)
	rm -rf _build .pytest_cache .ruff_cache .hypothesis && find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

$(INSTALLED): requirements.lock $(BROKEN)
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed and $(PYTHON) is " + sys.version.split()[0] + "; say which one to use: make PYTHON=/path/to/python3.11")'
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@echo "Installing the packages of requirements.lock into $(VENV), once; PyTorch is large"
	$(PY) -m pip install --disable-pip-version-check --quiet --require-hashes -r requirements.lock
	@rm -f $(VENV)/.installed-* && touch $@

broken:
	@echo "$(VENV) has no Python that works, or no pip: it is made again"
	@$(PYTHON) -m venv --clear $(VENV)
