# ditta_ros for people without a ROS workspace: everything is installed into .venv, nothing
# system-wide.  `make help` lists the targets.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check
SHELL := /bin/bash

# Left by another environment with ROS wheels, it would keep this one from finding its libraries.
unexport _ROS_WHEELS_BOOTSTRAP_COMPLETE
# SAM 2's optional CUDA extension only fills holes in masks and needs a CUDA compiler.
export SAM2_BUILD_CUDA := 0

# A sourced ROS 2 distribution brings rclpy and the messages; without one they come as wheels.
HAS_ROS := $(if $(ROS_DISTRO),$(shell $(PYTHON) -c 'import rclpy' 2>/dev/null && echo yes))
ifeq ($(HAS_ROS),yes)
KIND := $(ROS_DISTRO)
RCLPY := the sourced ROS 2 $(ROS_DISTRO)
VENV_FLAGS := --system-site-packages
EXTRAS := test,export,ray
else
KIND := wheels
RCLPY := wheels$(if $(ROS_DISTRO), as $(PYTHON) cannot import the rclpy of $(ROS_DISTRO))
VENV_FLAGS :=
EXTRAS := ros,test,export,ray
endif

define CHECK_PYTHON
import importlib.util, platform, sys
name = f'{platform.python_implementation()} {platform.python_version()}'
if sys.version_info < (3, 10):
    sys.exit(f'ditta_ros needs Python 3.10 or later, got {name}: make PYTHON=python3.11')
if not importlib.util.find_spec('ensurepip'):
    sys.exit(f'{sys.executable} cannot make environments: sudo apt install python3-venv')
libc, version = platform.libc_ver()
glibc = tuple(int(part) for part in version.split('.')) if libc == 'glibc' else (0,)
machine = f'{platform.system()} {platform.machine()}'
if '$(KIND)' == 'wheels' and not (
        platform.python_implementation() == 'CPython' and sys.version_info < (3, 15)
        and machine == 'Linux x86_64' and glibc >= (2, 28)):
    sys.exit('without a ROS 2 distribution rclpy comes as a wheel, which exists for CPython '
             f'3.10-3.14 on Linux x86_64 with glibc >= 2.28, got {name}, {machine}, '
             f'{libc or "no glibc"} {version}: source /opt/ros/<distribution>/setup.bash first')
endef
export CHECK_PYTHON

.DEFAULT_GOAL := help
.PHONY: help demo bench soak test lint colcon clean
.SUFFIXES:

help:  ## this list
	@echo 'make TARGET; the first one installs into $(VENV) (several GB, mostly torch)'
	@awk -F ':.*##' '/^[a-z]+:.*##/ {printf "  %-8s%s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo 'PYTHON=python3.12 chooses another Python; variables of pip work too, such as'
	@echo 'PIP_EXTRA_INDEX_URL=URL for an index with CPU builds of torch.'

demo: $(VENV)/installed  ## the node on a bag of the demo world; SOURCE=video, bag or folder
	$(PY) -m ditta_ros.demo $(if $(SOURCE),--source "$$SOURCE")

bench: $(VENV)/installed  ## costs beside the plain ways, measured here; ARGS='--device cuda'
	$(PY) -m ditta_ros.bench $(ARGS)

soak: $(VENV)/installed  ## hours of frames, warm-ups, broken inputs, kills, faults; ARGS=--quick
	$(PY) -m ditta_ros.soak $(ARGS)

# What talks over DDS mostly waits, one test at a time; what does not is run in the meantime on all
# cores, one thread each, and only where nothing else wants them (nice), as a camera keeps time.
# Its output comes last, when all of it is known.
test: $(VENV)/installed  ## all tests, linters among them
	@said=$$(mktemp); trap 'kill $$others 2> /dev/null; rm -f "$$said"' EXIT; \
	trap 'exit 130' INT TERM; \
	OMP_NUM_THREADS=1 nice -n 19 $(PY) -m pytest -m 'not dds' \
		--numprocesses logical --maxprocesses 8 --dist worksteal > "$$said" 2>&1 & others=$$!; \
	failed=; \
	$(PY) -m pytest -m dds || failed=1; \
	echo 'what needs no DDS:'; wait $$others || failed=1; \
	cat "$$said"; \
	test -z "$$failed"

lint: $(VENV)/installed  ## ruff and mypy alone
	$(PY) -m ruff check .
	$(PY) -m mypy

colcon: $(VENV)/installed  ## colcon build into .colcon; then: source .colcon/install/setup.bash
	$(PY) -c 'import sys, colcon_core.command; sys.exit(colcon_core.command.main())' \
	    --log-base .colcon/log build --paths . \
	    --build-base .colcon/build --install-base .colcon/install

clean:  ## removes the environment and everything built
	rm -rf $(VENV) .colcon build install log *.egg-info .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Made anew when a distribution has been sourced since, or is no longer; a half-finished
# environment of the same kind is kept, so that an interrupted installation goes on.
$(VENV)/made-for-$(KIND):
	@$(PYTHON) -c "$$CHECK_PYTHON"
	$(if $(wildcard $(VENV)/made-for-*),rm -rf $(VENV))
	@echo '[1/3] making $(VENV) for rclpy from $(RCLPY)'
	$(PYTHON) -m venv $(VENV_FLAGS) $(VENV)
	@touch $@

# SAM 2 is built from source and asks for torch in its build environment: without isolation
# it is built in this environment, and torch is not downloaded twice.
# torch needs setuptools >= 77.0.3, colcon needs < 80.
$(VENV)/installed: setup.py Makefile $(VENV)/made-for-$(KIND)
	@echo '[2/3] installing the tools that build'
	$(PIP) install 'pip>=24' 'setuptools>=77.0.3,<80' wheel
	@echo '[3/3] installing ditta_ros and what it needs (torch is large)'
	$(PIP) install --no-build-isolation --editable '.[$(EXTRAS)]'
	@touch $@
