# Developer tasks. Operator tasks are subcommands of the binary; repository rules are tests.

# Lists the recipes.
list:
    @just --list

# Formatting, lints, documentation.
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

# Every test; says plainly when PostgreSQL was not found.
test:
    cargo test --workspace --locked

# What has to pass before a change lands; installs what it needs.
ci:
    bash .ci/run

# The product in one command; Ctrl-C to stop.
demo *arguments:
    cargo run --locked -- demo {{arguments}}

# Durable accepts per second over mutual TLS, next to the bare insert rate of the same disk.
bench *arguments:
    cargo run --release --locked -- bench accept {{arguments}}

# Fuzz one reader for a while: `just fuzz csv` (needs cargo-fuzz and a nightly compiler).
fuzz target seconds="60":
    cd tests/fuzz && cargo +nightly fuzz run {{target}} -- -max_total_time={{seconds}}
