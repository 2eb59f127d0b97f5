PYTHON ?= python3
BIN := .venv/bin
# For who has no npm; requirements-node.txt brings one.
NPM := $(shell command -v npm || echo $(BIN)/npm)
# program:package, or file:package, where the two are named differently
TEST_PACKAGES := docker-registry skopeo podman dockerd:docker.io ctr:containerd \
	/usr/sbin/nginx:nginx-light \
	chromium /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf:fonts-dejavu-core

# The settings insist on every secret. What only imports them, to read the code, gets
# words in their place; nothing is connected to or signed with these.
PLACEHOLDERS := SECRET_KEY=x BERTH_ENCRYPTION_KEYS=x BERTH_HMAC_KEYS=x \
	BERTH_TOKEN_SIGNING_KEY=x BERTH_TOKEN_ROOTS=x \
	DATABASE_URL=postgresql://x@127.0.0.1/x REDIS_URL=redis://127.0.0.1

.DEFAULT_GOAL := help
.PHONY: help demo test lint format openapi bench screenshots clean test-packages

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' Makefile

demo: .venv/stamp node_modules/stamp ## Run all of Berth on this machine: http://localhost:8000
	@exec $(BIN)/python -m deploy.local.demo

test: .venv/stamp node_modules/stamp test-packages ## Run all tests
	$(BIN)/python -m pytest -n 2

lint: .venv/stamp ## Check style, types and imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(PLACEHOLDERS) $(BIN)/lint-imports
	$(PLACEHOLDERS) $(BIN)/mypy .

format: .venv/stamp ## Format the code and fix what can be fixed by itself
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

openapi: .venv/stamp ## Write docs/api/openapi.yaml from the code
	@mkdir -p docs/api
	$(PLACEHOLDERS) $(BIN)/python manage.py spectacular --validate --fail-on-warn \
		--file docs/api/openapi.yaml

bench: .venv/stamp node_modules/stamp ## Measure pulls, tokens and decisions on this machine
	$(BIN)/python -m bench

screenshots: .venv/stamp node_modules/stamp test-packages ## Take pictures of all pages
	$(BIN)/python -m tests.support.browser.screenshots

clean: ## Remove the virtual environment and caches; var/ with the demo's data stays
	rm -rf .venv node_modules .mypy_cache .ruff_cache .pytest_cache .import_linter_cache \
		.hypothesis static-collected
	find . -path ./var -prune -o -name __pycache__ -type d -exec rm -rf {} +

.venv/stamp: requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Berth needs Python 3.11 or later, and $(PYTHON) is not that."; \
		echo "Name another one: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { \
		echo "$(PYTHON) cannot make virtual environments."; \
		echo "On Debian and Ubuntu: sudo apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes \
		-r requirements-dev.txt
	@touch $@

node_modules/stamp: package-lock.json .venv/stamp requirements-node.txt
	@test -x "$(NPM)" || $(BIN)/python -m pip install --quiet \
		--disable-pip-version-check --require-hashes -r requirements-node.txt
	PATH="$(CURDIR)/$(BIN):$$PATH" $(NPM) ci --ignore-scripts --omit=dev --no-audit \
		--no-fund --silent
	@touch $@

test-packages:
	@missing=; for each in $(TEST_PACKAGES); do \
		command -v $${each%%:*} > /dev/null || test -f $${each%%:*} \
			|| missing="$$missing $${each##*:}"; \
	done; \
	[ -z "$$missing" ] && exit 0; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
		apt-get install -qq -y --no-install-recommends $$missing; \
	else \
		echo "The tests need these Debian or Ubuntu packages:$$missing"; \
		echo "Install them: sudo apt-get install$$missing"; exit 1; \
	fi
