# Lists the recipes.
default:
    @just --list

# A deployment of this tree under target/dev, with every process and merged logs; Ctrl-C stops it.
dev:
    cargo run -- init --dir target/dev --workspace target/dev-workspace
    cargo run -- up --dir target/dev

# What takes seconds: format and lints.
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings

# All tests, or those whose path contains the name.
test name='':
    cargo test --workspace {{name}}

# Writes the checked-in pictures of the wire contract anew; the difference is the review.
golden:
    GOLDEN=write cargo test --workspace -- golden permissions

# One benchmark: gated-action, growth, decide, cold-start or rebuild; options such as `always --readers 20`.
bench name *options:
    cargo run --release -p benches -- {{name}} {{options}}

# Everything that must hold before a change is taken, as the pipeline runs it.
ci:
    bash .ci/run
