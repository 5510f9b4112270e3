# Everything here sets up what it needs in $(VENV); Python 3.11 or later is all it asks for.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
DEMO := demo
PHOTOS ?= photos

.PHONY: help demo test test-all pytest lint bench model open-model docs site clean

help:
	@echo "make demo   colour some photos, and train briefly"
	@echo "make test   linters, types and the tests that prove the product"
	@echo "make test-all  the slow journeys too: every documented command, many kills"
	@echo "make lint   linters alone"
	@echo "make bench  speed of training and colouring, as ratios to references"
	@echo "make model  the shipped model again, in hours; PHOTOS=folder has train/, val/, …-more/"
	@echo "make open-model  the same of openly licensed photos alone; PHOTOS/manifest.csv tells"
	@echo "make docs   the documentation as a site, in site/"
	@echo "make site   the page that colours inside the browser, in build/site/"
	@echo "make clean  remove what demo made"

$(READY): setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

demo: $(READY)
	rm -rf $(DEMO)
	$(BIN)/python assets/photos.py $(DEMO)/photos
	$(BIN)/pix2color colorize pix2color/samples --out $(DEMO)/colour --gallery
	$(BIN)/pix2color evaluate --data $(DEMO)/photos --no-critic --sheet $(DEMO)/contact-sheet.png
	$(BIN)/pix2color pretrain --config configs/tiny.yaml --data $(DEMO)/photos \
	    --max-minutes 1 --name pretrained --runs-dir $(DEMO)/runs
	$(BIN)/pix2color train-gan --config configs/tiny.yaml --data $(DEMO)/photos \
	    --init $(DEMO)/runs/pretrained --set critic_warmup_steps=50 \
	    --max-minutes 1 --name gan --runs-dir $(DEMO)/runs
	@echo
	@echo "Open $(DEMO)/colour/gallery.html: gray photographs before and after."
	@echo "Open $(DEMO)/contact-sheet.png: gray | ours | truth, of photos the model has not seen."
	@echo "Curves of the two short trainings: $(BIN)/tensorboard --logdir $(DEMO)/runs"

# A core to each process, and no more threads: two that share a core with two others wait. Tests
# of one group share costly fixtures; all others go to whoever is free.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadgroup

test: lint
	$(PYTEST) -m "not slow"

test-all: lint
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt 'ray[data]'
	$(PYTEST)

# What public hosting runs in shards: ARGS="-m slow tests/journeys"
pytest: $(READY)
	$(PYTEST) $(ARGS)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(READY)
	$(BIN)/python benchmarks/train_step.py
	$(BIN)/python benchmarks/colorize.py

VAL := --val $(PHOTOS)/val --val $(PHOTOS)/val-more
SETS := --data $(PHOTOS)/train --data $(PHOTOS)/train-more $(VAL)
OPEN := --data runs/open-photos $(VAL)

model: $(READY)
	$(BIN)/pix2color pretrain --config configs/default-l1.yaml $(SETS)
	$(BIN)/pix2color train-gan --config configs/default-gan.yaml --init runs/default-l1 --select \
	    $(SETS)
	$(BIN)/pix2color train-gan --config configs/default-longer.yaml --init runs/default-gan \
	    --select $(SETS)
	$(BIN)/pix2color pretrain --config configs/default-again.yaml --init runs/default-longer $(SETS)
	$(BIN)/python assets/mean_weights.py runs/default-again runs/default-longer \
	    --out runs/default-mean.safetensors
	$(BIN)/pix2color train-gan --config configs/default-last.yaml \
	    --init runs/default-mean.safetensors --select $(SETS)
	$(BIN)/pix2color train-doubt --config configs/default-doubt.yaml --init runs/default-last \
	    $(SETS)
	$(BIN)/python assets/ship.py default runs/default-doubt docs/model-card.md runs

open-model: $(READY)
	$(BIN)/pix2color prepare $(PHOTOS)/train $(PHOTOS)/train-more --out runs/open-photos \
	    --licences $(PHOTOS)/manifest.csv --only open=yes
	$(BIN)/pix2color pretrain --config configs/open-l1.yaml $(OPEN)
	$(BIN)/pix2color train-gan --config configs/open-gan.yaml --init runs/open-l1 --select $(OPEN)
	$(BIN)/pix2color train-doubt --config configs/open-doubt.yaml --init runs/open-gan $(OPEN)
	$(BIN)/python assets/ship.py open runs/open-doubt docs/model-card-open.md runs

docs: $(READY)
	$(BIN)/python docs/reference.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

site: $(READY)
	$(BIN)/python -m pix2color.web.site build/site

clean:
	rm -rf $(DEMO) site
