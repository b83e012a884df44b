# The one door for people and CI: `make` lists the verbs, `make ci` is what CI runs.
CARGO ?= cargo
# What the image is built for; `rustup target add` brings it once.
TARGET ?= $(shell uname -m)-unknown-linux-musl

.DEFAULT_GOAL := help
.PHONY: help ci fmt lint core test cluster cluster-versions faults fuzz demo image bench count load footprint compare soak deny docs limits outcomes

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

ci: fmt lint core docs test cluster count ## everything CI asks for
	MINUTES=2 $(MAKE) fuzz
	SOAK_SECONDS=120 $(MAKE) soak

fmt: ## the code is formatted
	$(CARGO) fmt --all --check
	$(CARGO) fmt --check --manifest-path fuzz/Cargo.toml

lint: ## no warning of the compiler or of clippy
	$(CARGO) clippy --all-targets --features cluster --locked -- -D warnings

core: ## the core builds and passes its tests without tokio, axum, rustls and kube
	@! $(CARGO) tree --locked --no-default-features --edges normal --prefix none \
		| grep -E '^(tokio|axum|hyper|rustls|kube|clap)[ -]' \
		|| { echo 'the core must not depend on these'; exit 1; }
	$(CARGO) test --no-default-features --locked

test: ## all tests that need no cluster
	$(CARGO) test --locked

# Runs the tests of the control plane with these arguments, and prints the numbers they recorded.
define cluster_tests
@tests/cluster/tools/build >/dev/null
@numbers=$$(mktemp); trap 'rm -f "$$numbers"' EXIT; \
	CLUSTER_NUMBERS=$$numbers $(CARGO) test --locked --features cluster $(1) \
	&& awk -F ': ' '!($$1 in sum) { name[++n] = $$1 } { sum[$$1] += $$2 } \
		END { for (i = 1; i <= n; i++) print name[i] ": " sum[name[i]] }' "$$numbers" | sort
endef

cluster: ## against kube-apiserver, etcd, kubectl and whereabouts, and kubectl's reader of YAML (needs Go; ten minutes the first time)
	$(call cluster_tests,--test yaml --test cluster)

faults: export FAULTS = long
faults: ## replicas killed, restarted, hung and out of files while pools are written, and the figures of it (five minutes)
	$(call cluster_tests,--test cluster faults::)

cluster-versions: ## parts of it on older releases of Kubernetes and whereabouts; prints a table (needs Go; half an hour); ARGS=--write puts it into docs
	@tests/cluster/versions $(ARGS)

fuzz: ## the core against arbitrary input, for MINUTES in all (4); TARGETS=http is the server (needs rustup and a C++ compiler)
	@fuzz/run $(or $(MINUTES),4) $(TARGETS)

demo: ## a tour with kubectl through a control plane: what the CRD lets through, what the webhook says
	$(CARGO) build --locked
	@tests/cluster/demo $${CARGO_TARGET_DIR:-target}/debug/ippool-webhook

image: ## the container image as an OCI layout in target/image, without an engine (needs Rust's musl target)
	CC_$(subst -,_,$(TARGET))=$$(command -v musl-gcc || echo cc) $(CARGO) build --release --locked --target $(TARGET)
	deploy/image/layout $${CARGO_TARGET_DIR:-target}/$(TARGET)/release/ippool-webhook target/image
	IPPOOL_WEBHOOK_IMAGE=target/image $(CARGO) test --locked --test image

bench: ## reading and reviewing, beside what others take just to read
	$(CARGO) bench --features bench --locked --bench review

count: ## instructions of the core, against benches/instructions.txt and a scan that only skips (needs valgrind)
	@benches/instructions

load: ## whole requests over TLS, beside the same server with a constant answer
	$(CARGO) bench --features bench --locked --bench throughput

footprint: ## size, time to ready and memory of the release, against what is asked for
	$(CARGO) bench --features bench --locked --bench footprint

compare: ## a PATCH in a real control plane, beside a webhook in Go and a policy in CEL (needs Go); ARGS=--write draws the plot
	@tests/cluster/tools/build >/dev/null
	$(CARGO) bench --features bench --locked --bench compare_webhooks -- $(ARGS)

soak: ## mixed reviews at saturation, stalling callers and new certificates, for SOAK_SECONDS (1800)
	$(CARGO) bench --features bench --locked --bench soak

deny: ## licences, sources and duplicates of the dependencies (needs cargo-deny; advisories need the network)
	$(CARGO) deny --locked check bans licenses sources

docs: ## the documentation of the library
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps --locked

limits: ## attack the server, and write the figures and bounds of docs/limits.md anew
	UPDATE_LIMITS=1 $(CARGO) test --release --locked --test limits --test server_attacks --test server_attacks_connections -- --test-threads 1

outcomes: ## write the stated outcomes of the recorded reviews anew; read the difference before committing
	UPDATE_OUTCOMES=1 $(CARGO) test --locked --test outcomes -- --exact every_recorded_review_has_its_stated_outcome
	git diff --stat -- tests/fixtures/outcomes.json
