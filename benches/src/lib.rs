//! Benchmarks: see `benches/benches`. The peers of `cargo xtask compare` are in `benches/peers`.
