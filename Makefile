# The one door for people and CI: `make` lists the verbs, `make ci` is what CI runs.
CARGO ?= cargo

.DEFAULT_GOAL := help
.PHONY: help ci fmt lint core test bench deny docs outcomes

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

ci: fmt lint core test ## everything CI asks for

fmt: ## the code is formatted
	$(CARGO) fmt --check

lint: ## no warning of the compiler or of clippy
	$(CARGO) clippy --all-targets --locked -- -D warnings

core: ## the core builds and passes its tests without tokio, axum, rustls and kube
	@! $(CARGO) tree --locked --no-default-features --edges normal --prefix none \
		| grep -E '^(tokio|axum|hyper|rustls|kube|clap)[ -]' \
		|| { echo 'the core must not depend on these'; exit 1; }
	$(CARGO) test --no-default-features --locked

test: ## all tests that need no cluster
	$(CARGO) test --locked

bench: ## reading and reviewing, beside what others take just to read
	$(CARGO) bench --features bench --locked

deny: ## licences, sources and duplicates of the dependencies (needs cargo-deny; advisories need the network)
	$(CARGO) deny --locked check bans licenses sources

docs: ## the documentation of the library
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps --locked

outcomes: ## write the stated outcomes of the recorded reviews anew; read the difference before committing
	UPDATE_OUTCOMES=1 $(CARGO) test --locked --test outcomes -- --exact every_recorded_review_has_its_stated_outcome
	git diff --stat -- tests/fixtures/outcomes.json
