# make demo       the main job with software keys; needs no hardware
# make test       everything that guards main (under 20 minutes on two cores)
# make test-long  the same tests with larger numbers
# make bench      what takes longest, as ratios against what it stands on
#
# Each does its own set-up: Debian packages that are missing are named, then installed
# with apt-get (with sudo where not root).

SHELL := /bin/sh
CARGO ?= cargo
# Tests interrupt what they start. Where this runs in the background, or under nohup, signals are
# ignored from the start, and would be by all that tests start.
TESTS := env --default-signal=HUP,INT,QUIT $(CARGO) test --workspace
DEMO := target/demo
# What judges the CloudFormation templates: a Python program, in an environment of its own.
CFN_LINT := target/cfn-lint
# What judges pages in a real browser: two npm packages, and Debian's Chromium.
BROWSER := target/browser
# What verifies logs without our code: a third Python program, written from docs/ alone.
VERIFIER := target/verifier
# What reads the calendars of the schedule: another Python program, in an environment of its own.
CALENDAR := target/calendar

# Where Node came with an npm of its own, Debian's can't be installed beside it.
BROWSER_PACKAGES = chromium fonts-liberation $(if $(shell command -v npm),,nodejs npm)
BUILD_PACKAGES := gcc libc6-dev libudev-dev pkg-config
TEST_PACKAGES := age busybox-static cpio faketime fido2-tools git oathtool openssh-client python3-venv qemu-system-x86 qrencode strace xz-utils

.PHONY: demo test test-long bench format lint templates calendar verifier browser binary unit docs setup-build setup-test setup-browser clean

demo: setup-build
	$(CARGO) build --quiet
	rm -rf $(DEMO)
	target/debug/keymuster demo $(DEMO)

test: setup-build setup-test format lint templates calendar verifier docs unit

test-long: setup-build setup-test format lint templates calendar verifier docs browser
	PROPTEST_CASES=5000 KEYMUSTER_TEST_LONG=1 $(TESTS)

bench: setup-build
	$(CARGO) bench

format:
	$(CARGO) fmt --all --check

lint:
	$(CARGO) clippy --workspace --all-targets --quiet -- -D warnings

templates: setup-test $(CFN_LINT)/ready
	$(CFN_LINT)/bin/cfn-lint --include-checks I -- runbooks/templates/*.yaml

$(CFN_LINT)/ready: tests/cfn-lint.txt
	rm -rf $(CFN_LINT)
	python3 -m venv $(CFN_LINT)
	$(CFN_LINT)/bin/pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

calendar: binary setup-test $(CALENDAR)/ready
	rm -rf $(CALENDAR)/demo
	target/debug/keymuster demo $(CALENDAR)/demo > $(CALENDAR)/demo.txt
	$(CALENDAR)/bin/python tests/calendar/judge.py target/debug/keymuster $(CALENDAR)/demo

$(CALENDAR)/ready: tests/calendar/requirements.txt
	rm -rf $(CALENDAR)
	python3 -m venv $(CALENDAR)
	$(CALENDAR)/bin/pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

verifier: binary setup-test $(VERIFIER)/ready
	rm -rf $(VERIFIER)/demo
	target/debug/keymuster demo $(VERIFIER)/demo > $(VERIFIER)/demo.txt
	tests/verifier/bundles target/debug/keymuster $(VERIFIER)/demo
	BUNDLES=$(VERIFIER)/demo $(VERIFIER)/bin/python tests/verifier/selftest.py --quiet

$(VERIFIER)/ready: tests/verifier/requirements.txt
	rm -rf $(VERIFIER)
	python3 -m venv $(VERIFIER)
	$(VERIFIER)/bin/pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

# The judge is judged first. Then the pages: reports of the demo and of a vault of 10,000 accounts.
browser: binary setup-test $(BROWSER)/ready
	node tests/browser/self-test.mjs
	rm -rf $(BROWSER)/demo $(BROWSER)/pages
	mkdir $(BROWSER)/pages
	target/debug/keymuster demo $(BROWSER)/demo > $(BROWSER)/demo.txt
	cp $(BROWSER)/demo/report/index.html $(BROWSER)/pages/report.html
	LARGE_PAGE=$(CURDIR)/$(BROWSER)/pages/large.html \
	  $(CARGO) test --workspace --quiet --lib a_page_of_ten_thousand
	node tests/browser/judge.mjs --patience 300 --pictures $(BROWSER)/pages $(BROWSER)/pages/*.html

$(BROWSER)/ready: tests/browser/package.json tests/browser/package-lock.json | setup-browser
	rm -rf $(BROWSER)
	mkdir -p $(BROWSER)
	cp $^ $(BROWSER)
	npm ci --prefix $(BROWSER) --loglevel=error --no-audit --no-fund --ignore-scripts
	touch $@

# With the tests: they ask for more features of some crates, so that by itself all would be built twice.
binary: setup-build
	$(CARGO) test --workspace --no-run --quiet

unit: $(VERIFIER)/ready
	$(TESTS)

docs:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps --quiet --document-private-items

setup-build:
	@tests/setup $(BUILD_PACKAGES)

setup-browser:
	@tests/setup $(BROWSER_PACKAGES)

setup-test:
	@tests/setup $(TEST_PACKAGES)

clean:
	$(CARGO) clean
