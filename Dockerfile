# syntax=docker/dockerfile:1
# The image: one static program and nothing else. `docker build -t ippool-webhook:0.1.0 .`, or for both architectures
# `docker buildx build --platform linux/amd64,linux/arm64 .`
# Without an engine, `make image` writes the same image; see deploy/image/layout.

# The compiler runs on the machine that builds, and cross-compiles for another.
FROM --platform=$BUILDPLATFORM rust:1.95.0-bookworm AS build
ARG TARGETARCH
WORKDIR /src
COPY . .
# Cache mounts keep what Cargo fetched and compiled for the next build. They are not part of a layer.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    case $TARGETARCH in amd64) machine=x86_64 ;; arm64) machine=aarch64 ;; \
    *) echo "there is no image for $TARGETARCH, only for amd64 and arm64" >&2; exit 1 ;; esac && \
    deploy/image/prepare $machine && \
    deploy/image/cargo $machine-unknown-linux-gnu build && \
    cp target/$machine-unknown-linux-gnu/release/ippool-webhook /ippool-webhook

# No shell, no libc, no package to patch.
FROM scratch
COPY --from=build --chown=0:0 --chmod=0755 /ippool-webhook /ippool-webhook
# A number: there is no /etc/passwd, and the kubelet can check only a number against runAsNonRoot.
USER 65532:65532
# HTTPS for the apiserver; plain HTTP for probes and metrics.
EXPOSE 8443/tcp 8080/tcp
ENTRYPOINT ["/ippool-webhook"]
