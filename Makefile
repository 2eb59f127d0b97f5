PYTHON ?= python3
BIN := .venv/bin
# Modules are compiled when they are first imported: most never are.
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
PIP_INSTALL := $(PIP) install --no-compile --require-hashes
# program:package, or file:package, where the two names differ
TEST_PACKAGES := docker-registry skopeo curl jq busybox podman dockerd:docker.io \
	ctr:containerd \
	/usr/sbin/nginx:nginx-light /usr/sbin/pgbouncer:pgbouncer \
	/usr/lib/nginx/modules/ngx_http_lua_module.so:libnginx-mod-http-lua \
	chromium-headless-shell \
	/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf:fonts-dejavu-core
KUBERNETES_PACKAGES := docker-registry etcd:etcd-server containerd runc ip:iproute2 \
	/usr/lib/cni/ptp:containernetworking-plugins iptables buildah skopeo

# Languages in which `make clients` generates clients of the API
CLIENTS ?= python typescript go

# The settings require every secret. Commands that only read the code get placeholders,
# which connect to nothing and sign nothing.
PLACEHOLDERS := SECRET_KEY=x BERTH_ENCRYPTION_KEYS=x BERTH_HMAC_KEYS=x \
	BERTH_TOKEN_SIGNING_KEY=x BERTH_TOKEN_ROOTS=x \
	DATABASE_URL=postgresql://x@127.0.0.1/x REDIS_URL=redis://127.0.0.1

# Dozens of processes import the same packages: only the first one should compile them.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo guide test coverage mutants lint format openapi clients bench screenshots \
	chart-check chart-values image image-test clean demo-packages test-packages \
	kubernetes-packages kubernetes-test

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' Makefile

demo: demo-packages .venv/demo.stamp node_modules/stamp ## Run all of Berth on this machine: http://localhost:8000
	@exec $(BIN)/python -m deploy.local.demo

guide: .venv/guide.stamp ## Build the guide that the portal shows under Help
	$(BIN)/properdocs build --strict --config-file docs/guide-site/properdocs.yml

test: .venv/dev.stamp node_modules/stamp test-packages ## Run all tests
	$(BIN)/python -m pytest -n 4

kubernetes-test: .venv/dev.stamp kubernetes-packages ## Run Pods in a cluster, built from Go modules once
	$(BIN)/python -m tests.support.kubernetes.binaries
	$(PYTHON) -m deploy.image.build --builder buildah $(BUILD_OPTIONS)
	$(BIN)/python -m pytest tests/kubernetes

coverage: .venv/dev.stamp node_modules/stamp test-packages ## Measure what the tests run of each room
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n 4
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage json --quiet -o var/coverage.json
	$(BIN)/python -m tests.support.coverage var/coverage.json

mutants: .venv/dev.stamp ## Mutate the core and list what no test notices
	$(BIN)/python -m tests.support.mutants $(MODULES)

lint: .venv/dev.stamp ## Check style, sizes, types and imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/python .ci/house.py
	$(PLACEHOLDERS) $(BIN)/lint-imports
	$(PLACEHOLDERS) $(BIN)/mypy .

format: .venv/dev.stamp ## Format the code and apply automatic fixes
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

openapi: .venv/dev.stamp ## Write docs/api/openapi.yaml from the code
	@mkdir -p docs/api
	$(PLACEHOLDERS) $(BIN)/python manage.py spectacular --validate --fail-on-warn \
		--file docs/api/openapi.yaml

clients: .venv/dev.stamp node_modules/dev.stamp ## Generate clients of the API: Python, TypeScript, Go
	$(BIN)/python -m tests.support.clients.generated var/clients $(CLIENTS)

bench: .venv/dev.stamp node_modules/stamp ## Measure pulls, tokens and decisions on this machine
	$(BIN)/python -m bench

screenshots: .venv/dev.stamp node_modules/stamp test-packages ## Take pictures of all pages
	$(BIN)/python -m tests.support.browser.screenshots

chart-check: .venv/dev.stamp ## Render the Helm chart and check what comes out
	$(BIN)/python -m tests.support.chart.check

chart-values: .venv/dev.stamp ## Write the table of the chart's values into the docs
	$(BIN)/python -m deploy.chart_values

# Of `make image` and `make image-test`: docs/operations/image.md
BUILD_OPTIONS = $(if $(BASE),--base $(BASE)) $(if $(AUTHORITIES),--authorities $(AUTHORITIES))
IMAGE_OPTIONS = $(BUILD_OPTIONS) $(if $(REPOSITORY),--repository $(REPOSITORY)) \
	$(if $(TAG),--tag $(TAG)) $(if $(BUILDER),--builder $(BUILDER))

image: ## Build the container images
	$(PYTHON) -m deploy.image.build $(IMAGE_OPTIONS)

image-test: .venv/demo.stamp demo-packages ## Run the demo's story with the container image
	$(PYTHON) -m deploy.image.build berth $(IMAGE_OPTIONS)
	$(BIN)/python -m deploy.image.trial --again $(IMAGE_OPTIONS)

clean: ## Remove the virtual environment and caches; var/ with the demo's data stays
	rm -rf .venv node_modules .mypy_cache .ruff_cache .pytest_cache .import_linter_cache \
		.hypothesis mutants static-collected guide-built
	find . -path ./var -prune -o -name __pycache__ -type d -exec rm -rf {} +

# One stamp for each set, so that `make test` after `make demo` only adds packages.
.venv/demo.stamp: requirements-demo.txt | .venv/stamp
	@echo "Installing the Python packages of the demo …"
	@$(PIP_INSTALL) -r requirements-demo.txt
	@touch $@ .venv/guide.stamp

.venv/guide.stamp: requirements-guide.txt | .venv/stamp
	@echo "Installing what builds the guide …"
	@$(PIP_INSTALL) -r requirements-guide.txt
	@touch $@

.venv/dev.stamp: requirements-dev.txt | .venv/stamp
	@echo "Installing the Python packages of demo, tests and lint …"
	@$(PIP_INSTALL) -r requirements-dev.txt
	@touch $@ .venv/demo.stamp .venv/guide.stamp

.venv/stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Berth needs Python 3.11 or later; $(PYTHON) is older or missing."; \
		echo "Choose another one: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { \
		echo "$(PYTHON) cannot create virtual environments."; \
		echo "On Debian and Ubuntu: sudo apt-get install python3-venv"; exit 1; }
	@echo "Creating .venv …"
	@$(PYTHON) -m venv .venv
	@touch $@

# Without npm on this machine, one from PyPI is used once and removed.
node_modules/stamp: package-lock.json requirements-node.txt | .venv/stamp
	@echo "Fetching the style sheet from npm …"
	@command -v npm > /dev/null || \
		$(PIP_INSTALL) --target .venv/node -r requirements-node.txt
	@PATH="$$PATH:$(CURDIR)/.venv/node/bin" PYTHONPATH="$(CURDIR)/.venv/node" \
		npm ci --ignore-scripts --omit=dev --no-audit --no-fund --silent
	@rm -rf .venv/node
	@touch $@

# The generator and compiler for TypeScript are only for `make clients`.
node_modules/dev.stamp: package-lock.json
	@npm ci --ignore-scripts --no-audit --no-fund --silent
	@touch $@ node_modules/stamp

demo-packages: PACKAGES := docker-registry
test-packages: PACKAGES := $(TEST_PACKAGES)
kubernetes-packages: PACKAGES := $(KUBERNETES_PACKAGES)
demo-packages test-packages kubernetes-packages:
	@missing=; for item in $(PACKAGES); do \
		command -v $${item%%:*} > /dev/null || test -f $${item%%:*} \
			|| missing="$$missing $${item##*:}"; \
	done; \
	[ -z "$$missing" ] && exit 0; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
		echo "Installing Debian packages:$$missing …"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
		apt-get install -qq -y --no-install-recommends $$missing > /dev/null; \
	else \
		echo "These Debian or Ubuntu packages are missing:$$missing"; \
		echo "Install them: sudo apt-get install$$missing"; exit 1; \
	fi
