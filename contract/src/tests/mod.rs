//! Tests of the contract, through its public surface.

mod accepted;
mod canonical;
mod losses;
mod public_types;
mod recordings;
mod refused;
mod robustness;
mod round_trip;
mod strategies;
mod streaming;
mod wsdl;
