# All commands for people and CI: `make` lists the targets, `make ci` is what CI runs.
CARGO ?= cargo
TARGET_DIR = $${CARGO_TARGET_DIR:-target}
# The architectures of the image; `rustup` and, for another machine, Debian have what it takes to build for them.
ARCHITECTURES ?= x86_64 aarch64
# Builds as a release is built, for this machine. Measurements use it too, so that what is measured is what is installed.
RELEASE = deploy/image/cargo $(shell uname -m)-unknown-linux-gnu

.DEFAULT_GOAL := help
.PHONY: help ci fmt lint core test cluster cluster-versions faults browser fuzz demo image dist reproduce bench count load footprint compare audit-bench soak deny advisories actionlint docs limits rules outcomes

# One version, since what it checks and how deny.toml is read differ between versions.
CARGO_DENY_VERSION = 0.18.9
CARGO_DENY = target/tools/cargo-deny-$(CARGO_DENY_VERSION)/bin/cargo-deny
CARGO_CYCLONEDX_VERSION = 0.5.9
CARGO_CYCLONEDX = target/tools/cargo-cyclonedx-$(CARGO_CYCLONEDX_VERSION)/bin/cargo-cyclonedx
ACTIONLINT = github.com/rhysd/actionlint/cmd/actionlint@v1.7.12

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

ci: fmt lint core docs deny test cluster browser count ## everything that CI runs
	MINUTES=2 $(MAKE) fuzz
	SOAK_SECONDS=120 $(MAKE) soak

fmt: ## check the format of the code
	$(CARGO) fmt --all --check
	$(CARGO) fmt --check --manifest-path fuzz/Cargo.toml

lint: ## check for warnings of the compiler and of clippy
	$(CARGO) clippy --all-targets --features cluster --locked -- -D warnings

core: ## build and test the core without tokio, axum, rustls and kube
	@! $(CARGO) tree --locked --package ippool-webhook --no-default-features --edges normal --prefix none \
		| grep -E '^(tokio|axum|hyper|rustls|kube|clap)[ -]' \
		|| { echo 'the core must not depend on these'; exit 1; }
	$(CARGO) test --no-default-features --locked

test: ## run all tests that need no cluster
	$(CARGO) test --locked

# Runs the tests of the control plane with these arguments, and prints the numbers that they recorded.
define cluster_tests
@tests/cluster/tools/build >/dev/null
@numbers=$$(mktemp); trap 'rm -f "$$numbers"' EXIT; \
	CLUSTER_NUMBERS=$$numbers $(CARGO) test --locked --features cluster $(1) \
	&& awk -F ': ' '!($$1 in sum) { name[++n] = $$1 } { sum[$$1] += $$2 } \
		END { for (i = 1; i <= n; i++) print name[i] ": " sum[name[i]] }' "$$numbers" | sort
endef

cluster: ## test against kube-apiserver, etcd, kubectl, helm, whereabouts and promtool, and against kubectl's YAML reader (needs Go; twenty minutes the first time)
	@tests/cluster/tools/build helm promtool prometheus-operator >/dev/null
	$(call cluster_tests,--test yaml --test cluster)

faults: export FAULTS = long
faults: ## kill, restart, hang and starve replicas while pools are written; prints how many writes failed (five minutes)
	$(call cluster_tests,--test cluster faults::)

cluster-versions: ## run parts of it on older releases of Kubernetes and whereabouts; prints a table (needs Go; half an hour); ARGS=--write puts it into docs
	@tests/cluster/versions $(ARGS)

browser: ## test the HTML report in Chromium (installs it and Node.js on Debian if they are missing); SCREENSHOT=docs/audit.png draws that of the README
	$(CARGO) build --locked
	@tests/browser/run $(TARGET_DIR)/debug/ippool-webhook $(SCREENSHOT)

fuzz: ## fuzz the core, for MINUTES in all (4); TARGETS=http fuzzes the server (needs rustup and a C++ compiler)
	@fuzz/run $(or $(MINUTES),4) $(TARGETS)

demo: ## show with kubectl, on a control plane, what the CRD lets through and what the webhook says
	$(CARGO) build --locked
	@tests/cluster/demo $${CARGO_TARGET_DIR:-target}/debug/ippool-webhook

image: $(ARCHITECTURES:%=release-%) ## write the container image of both architectures to target/image, without an engine
	deploy/image/layout target/image $(ARCHITECTURES:%=$(TARGET_DIR)/%-unknown-linux-gnu/release/ippool-webhook)
	IPPOOL_WEBHOOK_IMAGE=target/image $(CARGO) test --locked --test image

release-%: ## build the program of an architecture as a release is built: release-x86_64, release-aarch64
	deploy/image/prepare $*
	deploy/image/cargo $*-unknown-linux-gnu build

dist: $(ARCHITECTURES:%=release-%) $(CARGO_CYCLONEDX) ## write what a release holds to target/dist; IMAGE is the name that the image will have (installs cargo-cyclonedx; needs Go)
	PATH="$(CURDIR)/$(dir $(CARGO_CYCLONEDX)):$$PATH" deploy/release/dist target/dist $(ARCHITECTURES)
	$(CARGO) test --locked --test image -- --ignored dist::

reproduce: $(ARCHITECTURES:%=release-%) ## build the programs a second time in another folder, and compare the bytes
	deploy/release/reproduce $(ARCHITECTURES)

bench: ## measure decoding and reviewing, beside other decoders
	$(CARGO) bench --features bench --locked --bench review

count: ## count the instructions of the core, and compare them with benches/instructions.txt and with a scan that only skips (needs valgrind)
	@benches/instructions

load: ## measure whole requests over TLS, beside the same server with a constant response
	$(RELEASE) bench --features bench --bench throughput

footprint: ## measure size, time to ready and memory of the release, and compare them with their bounds
	$(RELEASE) bench --features bench --bench footprint

compare: ## measure a PATCH in a real control plane, beside a webhook in Go and a policy in CEL (needs Go); ARGS=--write draws the plot
	@tests/cluster/tools/build >/dev/null
	$(RELEASE) bench --features bench --bench compare_webhooks -- $(ARGS)

audit-bench: ## measure audit with ARGS=dump, ARGS=cluster or both; SCALE=10 for a tenth of the objects (needs Go, 5 GB of disk and 16 GiB of memory; an hour)
	@tests/cluster/tools/build >/dev/null
	$(RELEASE) bench --features bench --bench audit -- $(ARGS)

soak: ## send mixed reviews at saturation, with stalling callers and new certificates, for SOAK_SECONDS (1800)
	$(RELEASE) bench --features bench --bench soak

$(CARGO_CYCLONEDX):
	$(CARGO) install cargo-cyclonedx --version $(CARGO_CYCLONEDX_VERSION) --locked --debug --root $(@:/bin/cargo-cyclonedx=)

$(CARGO_DENY):
	$(CARGO) install cargo-deny --version $(CARGO_DENY_VERSION) --locked --debug --root $(@:/bin/cargo-deny=)

deny: $(CARGO_DENY) ## check licenses, sources and duplicates of the dependencies (installs cargo-deny)
	$(CARGO_DENY) --locked check bans licenses sources

advisories: $(CARGO_DENY) ## check the dependencies for published vulnerabilities (needs the network)
	$(CARGO_DENY) --locked check advisories

actionlint: ## check the workflows in .github (needs Go)
	go run $(ACTIONLINT)

docs: ## build the documentation of the library
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps --locked --package ippool-webhook

limits: ## attack the server, and rewrite the figures and bounds of docs/limits.md
	UPDATE_LIMITS=1 $(CARGO) test --release --locked --test limits --test server_attacks --test server_attacks_connections -- --test-threads 1

rules: ## rewrite every copy of the list of rules: the table of the README, the expected outputs
	UPDATE_EXPECTED=1 $(CARGO) test --locked --test architecture --test cli_rules

outcomes: ## rewrite the stated outcomes of the recorded reviews; read the difference before committing
	UPDATE_OUTCOMES=1 $(CARGO) test --locked --test recorded_reviews -- --exact every_recorded_review_has_its_stated_outcome
	git diff --stat -- tests/fixtures/outcomes.json
