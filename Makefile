# `make serve` starts the site, `make test` runs the tests; each does all it needs by itself.

# A shim may stand in PATH for a version that is not there, so each candidate is asked, not only looked for.
PYTHON ?= $(shell for python in "$$(cat .python-version 2>/dev/null | sed 's/^/python/')" python3.14 python3.13 python3.12 python3 \
	$$HOME/.pyenv/versions/3.1[2-9]*/bin/python; do \
	"$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 12))' >/dev/null 2>&1 && { echo "$$python"; break; }; done)

VENV := .venv
# Tests wait for servers and browsers: one more at a time than there are cores keeps these busy.
PYTEST_ARGS ?= -n $$(($$(nproc 2>/dev/null || echo 2) + 1)) --dist worksteal
BIN := $(VENV)/bin
# PostgreSQL, Redis and an S3-compatible store need more packages. The environment or .env names them.
NEEDS_MORE := $(shell { env; cat .env 2>/dev/null; } | grep -Eq '^(export +)?(DATABASE_URL *= *.?(postgres|psql|pgsql)|REDIS_URL *= *.?[a-z]|UPLOADS_URL *= *.?s3)' && echo yes)

# For machines that reach no package index, `make wheelhouse` collects the packages and puts them into an archive.
WHEELHOUSE := $(if $(wildcard wheelhouse/*.whl),--no-index --find-links wheelhouse)

# Where tests change most of the rows. `make test-all` runs all tests that use the database on PostgreSQL.
ON_POSTGRES := $(addprefix tests/,accounts conversations/uploads conversations/upkeep conversations/verbs errors ledger \
	test_lease.py test_lookups.py test_passing_faults.py test_searching.py test_sql.py)

.PHONY: serve test test-postgres test-all lint wheelhouse programs clean

serve: $(VENV)/.installed $(if $(NEEDS_MORE),$(VENV)/.installed-scale)
	@$(BIN)/python manage.py serve

test: $(VENV)/.installed-dev programs
	@$(BIN)/python -m pytest -m "not rare" $(PYTEST_ARGS)

test-postgres: $(VENV)/.installed-dev
	@$(BIN)/python -m tests.postgres $(BIN)/python -m pytest -m "database and not rare" $(PYTEST_ARGS) $(ON_POSTGRES)

test-all: $(VENV)/.installed-dev programs
	@$(BIN)/python -m pytest $(PYTEST_ARGS)
	@$(BIN)/python -m tests.postgres $(BIN)/python -m pytest -m database $(PYTEST_ARGS)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/djangofmt --check templates
	$(BIN)/djangofmt check templates
	@# djangofmt breaks lines between elements and attributes only; a longer line belongs in a partial.
	@! LC_ALL=C.UTF-8 grep -rnE '^.{121}' templates
	$(BIN)/hadolint Containerfile
	$(BIN)/python manage.py makemigrations --check --dry-run
	DEBUG=false SECRET_KEY=checked-not-served-0123456789-abcdefghijklmnopqrstuvwxyz ALLOWED_HOSTS=chat.example HTTPS=true \
		$(BIN)/python manage.py check --deploy --fail-level WARNING

# WHEELS_FOR="--platform manylinux_2_28_aarch64 --python-version 3.12" collects those of another machine.
wheelhouse: | $(BIN)/python
	@rm -rf wheelhouse dist && mkdir wheelhouse dist
	$(BIN)/python -m pip download --quiet --disable-pip-version-check --only-binary :all: $(WHEELS_FOR) --require-hashes -r requirements-scale.txt --dest wheelhouse
	@git archive --output dist/chatsite.tar.gz --prefix chatsite/wheelhouse/ $$(printf -- '--add-file %s ' wheelhouse/*) --prefix chatsite/ HEAD
	@echo "dist/chatsite.tar.gz has the site of the last commit and its packages. Unpack it on the other machine, and run make serve there."

programs: $(VENV)/.installed-dev
	@.ci/programs $(BIN)/python

$(BIN)/python:
	@[ -n "$(PYTHON)" ] || { echo "chatsite needs Python 3.12 or newer, with venv; none was found. Install it, or name it: make PYTHON=/path/to/python3.13" >&2; exit 1; }
	@echo "Creating $(VENV) with $(PYTHON)"
	@"$(PYTHON)" -m venv $(VENV)

DOWNLOADED := . The first time, they are downloaded, which takes about a minute.
UNFITTING := Does wheelhouse/ belong to another version or machine? Make it again, or delete it to download the packages.

# A pipe ends with the status of its last command, so the file tells whether pip succeeded.
define install
	@echo "Installing the packages of $<$(if $1, from wheelhouse/.,$(DOWNLOADED))"
	@rm -f $@
	@{ $(BIN)/python -m pip install --disable-pip-version-check $1 --require-hashes -r $< && touch $@; } | \
		while read -r word name rest; do case "$$word" in \
			Collecting) echo "  $$name";; \
			Installing) echo "Unpacking the packages";; \
		esac; done
	@[ -e $@ ] || { $(if $1,echo "$(UNFITTING)" >&2;) exit 1; }
endef

$(VENV)/.installed: requirements.txt | $(BIN)/python
	$(call install,$(WHEELHOUSE))

$(VENV)/.installed-scale: requirements-scale.txt $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(WHEELHOUSE) --require-hashes -r requirements-scale.txt
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	$(call install)

clean:
	rm -rf $(VENV)
