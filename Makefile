# What a developer runs. Everything needs the environment of `pip install -e '.[dev]'` on the path.
.DEFAULT_GOAL := check
.PHONY: check lint types imports unit test coverage docs fix

check: lint types imports unit  ## before every commit: some 60 s of processor time, most of it in two workers

lint:
	ruff format --check .
	ruff check .

types:
	mypy maskcheck

imports:
	lint-imports --no-logo

unit:
	pytest -n 2 tests/unit tests/test_architecture.py

test:  ## every test; takes long
	pytest -n 2

coverage:  ## of maskcheck/ by the unit tests alone
	pytest -n 2 tests/unit --cov --cov-report=term:skip-covered --cov-report=html

docs:
	mkdocs build --strict

fix:
	ruff check --fix .
	ruff format .
