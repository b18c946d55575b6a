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

# Fuzz one reader for a while, from the corpus: `just fuzz csv` (needs cargo-fuzz; the gateway's own
# decoders need `--features gateway` as the third argument).
fuzz target seconds="60" features="":
    cd tests && mkdir -p fuzz/corpus/{{target}} && find corpus/{{target}} -type f ! -name '*.issues' -exec cp -n {} fuzz/corpus/{{target}}/ \; 2>/dev/null || true
    cd tests && RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir fuzz {{features}} {{target}} -- -max_total_time={{seconds}} -timeout=5
