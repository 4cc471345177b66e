//! Tests of the contract, through its public surface.

mod accepted;
mod canonical;
mod contract_file;
mod learn;
mod learn_forms;
mod losses;
mod profiles;
mod public_types;
mod recordings;
mod refused;
mod robustness;
mod round_trip;
mod sample;
mod strategies;
mod streaming;
mod wsdl;

use std::sync::Arc;

use crate::{Call, Dialect, MemberOrder, Profile, Profiles, ReadError, ReadOptions};

/// Reads a call in a built-in profile; where it fits several, this one counts.
fn read_call_preferring<'a>(
    profile: &Arc<Profile>,
    body: &'a [u8],
    action: Option<&str>,
) -> Result<Call<'a>, ReadError> {
    let options = ReadOptions { action, preferred: Some(profile), ..ReadOptions::default() };
    Profiles::builtin().read_call(body, &options)
}

/// Reads a call; where it fits several profiles, that of this dialect counts.
fn read_call_in<'a>(dialect: Dialect, body: &'a [u8], action: Option<&str>) -> Result<Call<'a>, ReadError> {
    read_call_preferring(Profile::builtin(dialect, MemberOrder::Name), body, action)
}
