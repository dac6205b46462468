# Lists the recipes.
default:
    @just --list

# A deployment of this tree under target/dev, with every process and merged logs; Ctrl-C stops it.
dev:
    cargo run -- init --dir target/dev --workspace target/dev-workspace
    cargo run -- up --dir target/dev

# Format and lints, in seconds.
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    cargo clippy --workspace --test containers --test tailnet -- -D warnings

# All tests, or those whose path contains the name.
test name='':
    cargo test --workspace {{name}}

# Writes the golden files of the wire contract again; the difference is the review.
golden:
    GOLDEN=write cargo test --workspace -- golden permissions

# One benchmark: gated-action, growth, decide, cold-start or rebuild; options such as `always --readers 20`.
bench name *options:
    cargo run --release -p benches -- {{name}} {{options}}

# The checks that every change must pass, as the pipeline runs them.
ci:
    bash .ci/run

# Slow checks that rarely fail: profiles of system calls, 300 kills, growth, 100,000 attacks, 10,000 calls, a real Vault. They need root, Go and 6 GB of disk space, and take 40 minutes.
long:
    bash .ci/run long
