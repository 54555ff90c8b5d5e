# Two commands for a newcomer: `make demo` and `make test`. Both set everything up first; only Python 3.11 and make are needed.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-faults test-images soak simulate fuzz bench bench-accuracy check policies lint setup clean

demo: setup
	$(BIN)/andon demo

# Three processes also on two cores: most tests wait for servers. tests/scheduling.py says what runs side by side.
test: setup $(BIN)/helm
	$(BIN)/pytest -n 3 -m "not faults and not images"

# Needs a Kafka distribution (ANDON_KAFKA_HOME) and Java 17; prints how long the line took to get over each fault.
# Each line meets its fault twice: its cameras' pictures travel as JPEG (-k jpeg), or as the cameras' own video (-k auto).
test-faults: setup
	$(BIN)/pytest tests/faults -m faults

# Builds the images and runs compose.yaml with them: minutes, and gigabytes of disk. Needs podman and buildah.
test-images: setup
	@$(BIN)/python -m tests.images
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[images]'
	$(BIN)/pytest tests/images -m images

# Break the demo's line for MINUTES on the schedule of SEED; ANDON_KAFKA_HOME selects Apache Kafka, else the embedded broker runs.
# ENCODING: auto, or jpeg.
SEED ?= 1
MINUTES ?= 5
ENCODING ?= auto
soak: setup
	$(BIN)/python -m tests.soak --seed $(SEED) --minutes $(MINUTES) --encoding $(ENCODING)

check: lint $(BIN)/helm
	$(BIN)/pytest -n 3 tests/unit

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# More of what `make test` has: other seeds, each with its own schedule of faults, and each with its own damage.
simulate: setup
	$(BIN)/python -m tests.simulation --first 10000 --schedules 50000

fuzz: setup
	$(BIN)/python -m tests.fuzz

# A quarter of an hour on a machine that does nothing else; tables, bench/out/report.json and pictures. `python -m bench --resume` goes on
# where it failed, `python -m bench.docs` puts the figures into docs/performance.md.
bench: setup
	$(BIN)/python -m bench

# Lines that nobody has seen, at 30 to 240 parts a minute, beside their truth; tables and bench/out/accuracy.json. Run it before `make bench`,
# which shows its result beside the ratios.
bench-accuracy: setup
	$(BIN)/python -m bench.accuracy

setup: .venv/installed

# For the chart's tests; where it can't be had they are skipped and say so.
$(BIN)/helm: .venv/installed
	@$(BIN)/python -m tests.helm_binary $@ || echo "helm can't be downloaded: the tests of deploy/helm are skipped"

# Checks the chart's manifests against policies. checkov pins other versions than Andon, so it has a venv of its own.
policies: setup $(BIN)/helm .venv-checkov/bin/checkov
	$(BIN)/pytest tests/unit/deploy/helm/test_policies.py

.venv-checkov/bin/checkov:
	$(PYTHON) -m venv .venv-checkov
	.venv-checkov/bin/pip install --quiet "checkov==3.3.30"

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Andon needs Python 3.11 or newer: make PYTHON=python3.11 ..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "Python's venv module is not whole here: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[all,dev]'
	@$(BIN)/python -c 'import cv2' 2>/dev/null || { echo "opencv-python needs libraries of a desktop (Debian: libgl1 libglib2.0-0); opencv-python-headless takes its place"; \
	  $(BIN)/pip install --quiet --force-reinstall --no-deps "opencv-python-headless==$$(sed -n s/opencv-python==//p constraints.txt)"; }
	@touch $@

clean:
	rm -rf .venv .venv-checkov andon-data build *.egg-info
