# Short names for the commands of CONTRIBUTING.md. VENV names another environment than .venv.
VENV ?= .venv
export VENV

.PHONY: test fast coverage lint docs bench

test:  ## every check: style, types, layers, all tests
	scripts/test

fast:  ## the same without slow tests, in about a minute
	scripts/test --fast

coverage:  ## lines and branches that the tests reach, in their processes too
	$(VENV)/bin/python -m coverage erase
	$(VENV)/bin/python -m coverage run -m pytest -n 2 --dist loadfile --no-loadscope-reorder
	$(VENV)/bin/python -m coverage combine --quiet
	$(VENV)/bin/python -m coverage report --skip-covered

lint:  ## style, types and layers only
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

docs:  ## the site in build/site; every command and link of README.md and of its pages
	$(VENV)/bin/python -m mkdocs build --strict
	$(VENV)/bin/python -m pytest tests/whole/test_docs.py tests/whole/test_site.py

bench:  ## the figures of docs/benchmarks.md, on an idle machine
	$(VENV)/bin/python scripts/bench
