# syntax=docker/dockerfile:1

FROM rust:1-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --package herd && \
    install -D target/release/herd /out/herd

FROM debian:bookworm-slim
RUN apt-get update && \
    apt-get install -y --no-install-recommends ca-certificates && \
    rm -rf /var/lib/apt/lists/* && \
    useradd --system --home-dir /var/lib/herd --create-home herd
COPY --from=build /out/herd /usr/local/bin/herd
USER herd
VOLUME /var/lib/herd
EXPOSE 6432 8432
STOPSIGNAL SIGTERM
ENTRYPOINT ["herd"]
CMD ["serve", "--config", "/etc/herd/proxy.toml"]
