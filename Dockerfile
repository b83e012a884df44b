# syntax=docker/dockerfile:1
# The image: one static program and nothing else. `docker build -t ippool-webhook:0.1.0 .`
# Without an engine, `make image` writes the same image; see deploy/image/layout.

# Alpine's Rust builds for musl and links statically.
FROM rust:1.95-alpine AS build
# crt1.o and the headers that ring's C code needs.
RUN apk add --no-cache musl-dev
WORKDIR /src
COPY . .
# Cache mounts keep what Cargo fetched and compiled for the next build. They are not part of a layer.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked && \
    cp target/release/ippool-webhook /ippool-webhook

# No shell, no libc, no package to patch.
FROM scratch
COPY --from=build --chown=0:0 --chmod=0755 /ippool-webhook /ippool-webhook
# A number: there is no /etc/passwd, and the kubelet can check only a number against runAsNonRoot.
USER 65532:65532
# HTTPS for the apiserver; plain HTTP for probes and metrics.
EXPOSE 8443/tcp 8080/tcp
ENTRYPOINT ["/ippool-webhook"]
