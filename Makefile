# `make help` lists the targets. Every target builds what it needs; JOBS limits the compilers.
.DEFAULT_GOAL := help
SHELL := /bin/bash -o pipefail
JOBS ?= $(shell nproc)
PYTHONS ?= 3.10 3.14
CPP = git ls-files 'kernels/*.h' 'kernels/*.cpp'
UV := uv run --no-sync
# Where the system has no cmake or ninja, PyPI's are used.
FROM_PYPI := $(if $(and $(shell command -v cmake),$(shell command -v ninja)),,--with cmake --with ninja)
BUILD_UV := $(UV) $(FROM_PYPI)
BUILD := kernels/build
IN_PLACE = $(BUILD)/$(shell $(UV) python -c "import sysconfig as s; print(s.get_config_var('SOABI'))")
CMAKE_TESTS = $(BUILD_UV) cmake -S kernels -G Ninja -DMLX_BUILD_PYTHON_BINDINGS=OFF
OPENBLAS = -DMLX_OPENBLAS=$$(echo $(CURDIR)/.venv/lib/python*/site-packages/scipy_openblas64)
CTEST = $(BUILD_UV) ctest --output-on-failure --no-tests=error -j $(JOBS) --test-dir

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z][a-z0-9-]*:.*## ' $(MAKEFILE_LIST) | sort | \
	  awk -F ':.*## ' '{printf "%-14s %s\n", $$1, $$2}'

.venv/pyvenv.cfg:
	uv sync

.PHONY: install
install: ## Create .venv and build everything into it
	uv sync

.PHONY: build
build: .venv/pyvenv.cfg ## Compile what changed, in place (seconds)
	@$(BUILD_UV) python kernels/hatch_build.py

.PHONY: format
format: .venv/pyvenv.cfg ## Format Python and C++, apply ruff's safe fixes
	$(UV) ruff check --fix --exit-zero .
	$(UV) ruff format .
	$(CPP) | xargs $(UV) clang-format -i

.PHONY: lint
lint: .venv/pyvenv.cfg ## Check style, formatting and file sizes
	$(UV) ruff check .
	$(UV) ruff format --check .
	$(UV) python tools/size.py

.PHONY: types
types: .venv/pyvenv.cfg ## Check types with pyright
	$(UV) pyright

.PHONY: layers
layers: .venv/pyvenv.cfg ## Check who imports whom
	$(UV) python tools/layers.py

.PHONY: test
test: ## Run the Python tests
	uv run pytest

.PHONY: fuzz
fuzz: .venv/pyvenv.cfg ## Throw random arguments at every public name for MINUTES=60
	FUZZ_MINUTES=$(or $(MINUTES),60) $(UV) pytest -q -s packages/core/tests/fuzz

.PHONY: test-large
test-large: .venv/pyvenv.cfg ## Run the tests of more than 2^31 elements (12 GB of memory)
	$(UV) pytest -q -m large packages/core/tests/test_large.py

.PHONY: test-cpp
test-cpp: .venv/pyvenv.cfg ## Build and run the C++ tests
	@$(BUILD_UV) python kernels/hatch_build.py cpp_tests
	$(CTEST) $(IN_PLACE)

.PHONY: test-floats
test-floats: .venv/pyvenv.cfg ## Measure the functions of one float32 over all 2^32 inputs (half an hour on two cores)
	@$(BUILD_UV) python kernels/hatch_build.py test_scalar
	$(IN_PLACE)/test_scalar --all

.PHONY: test-pythons
test-pythons: ## Run the Python tests on each of PYTHONS (3.10 and 3.14)
	for python in $(PYTHONS); do \
	  UV_PROJECT_ENVIRONMENT=build/venv-$$python uv run --python $$python pytest || exit 1; \
	done

.PHONY: test-arm64
test-arm64: ## Cross-compile the C++ tests for arm64 and run them under qemu-user
	uv pip install --python .venv --quiet --target $(BUILD)/arm64-site --no-deps \
	  --python-platform aarch64-manylinux_2_28 "scipy-openblas64>=0.3.30,<0.4"
	$(CMAKE_TESTS) -B $(BUILD)/arm64 -DCMAKE_TOOLCHAIN_FILE=cmake/aarch64.cmake \
	  -DMLX_OPENBLAS=$(CURDIR)/$(BUILD)/arm64-site/scipy_openblas64
	$(BUILD_UV) ninja -C $(BUILD)/arm64 -j $(JOBS) cpp_tests
	$(CTEST) $(BUILD)/arm64

.PHONY: test-v4
test-v4: .venv/pyvenv.cfg ## Run the C++ tests of the AVX-512 kernels on a CPU with AVX2
	$(CMAKE_TESTS) -B $(BUILD)/v4 $(OPENBLAS) -DMLXK_EMULATE_V4=ON -DMLXK_ISAS=v4
	$(BUILD_UV) ninja -C $(BUILD)/v4 -j $(JOBS) cpp_tests
	$(CTEST) $(BUILD)/v4

.PHONY: test-asan test-ubsan test-tsan
test-asan: SANITIZER := asan
test-asan: sanitize ## Run the C++ tests under the address sanitizer
test-ubsan: SANITIZER := ubsan
test-ubsan: sanitize ## Run the C++ tests under the undefined behaviour sanitizer
test-tsan: SANITIZER := tsan
test-tsan: sanitize ## Run the C++ tests under the thread sanitizer

.PHONY: sanitize
sanitize: .venv/pyvenv.cfg
	$(CMAKE_TESTS) -B $(BUILD)/$(SANITIZER) $(OPENBLAS) \
	  -DUSE_$(shell echo $(SANITIZER) | tr a-z A-Z)=ON
	$(BUILD_UV) ninja -C $(BUILD)/$(SANITIZER) -j $(JOBS) cpp_tests
	$(CTEST) $(BUILD)/$(SANITIZER)

.PHONY: symbols
symbols: .venv/pyvenv.cfg ## Check that no weak symbol leaves an instruction set's namespace
	@$(BUILD_UV) python kernels/hatch_build.py mlxk
	$(UV) python tools/symbols.py $(IN_PLACE)

.PHONY: peers
peers: .venv/pyvenv.cfg ## Compare with PyTorch, exchange arrays with PyTorch and JAX; KEEP=1 keeps
	$(UV) python tools/peers.py $(if $(KEEP),--keep)

.PHONY: wheels
wheels: ## Build wheels and sdists of all distributions into dist/
	uv build --all-packages --out-dir dist

.PHONY: docs
docs: ## Build the documentation site into site/
	uv run --group docs zensical build --clean --strict

.PHONY: clean
clean: ## Remove everything that was built
	rm -rf build kernels/build dist site .venv
	find kernels/src -name '*.so' -delete

BENCH := build/bench
.PHONY: bench-environments
bench-environments: ## Create the environments of the libraries that bench compares with
	for peer in "mlx mlx[cpu]==0.32.4" "torch torch==2.13.0 setuptools" "jax jax" "numpy scipy"; do \
	  set -- $$peer; name=$$1; shift; \
	  test -d $(BENCH)/$$name || python3 -m venv $(BENCH)/$$name || exit 1; \
	  $(BENCH)/$$name/bin/python -m pip install --quiet numpy "$$@" || exit 1; \
	done

.PHONY: bench
bench: .venv/pyvenv.cfg ## Compare with other libraries: ONE=word picks cases, ROUNDS=5
	$(UV) python benchmarks/run.py --one "$(ONE)" --rounds $(or $(ROUNDS),5)
