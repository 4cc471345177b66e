//! Where a service is, as the command line has it.

use std::str::FromStr;

use erp_host_client::ServiceAddress;

/// Where a service is: at an address, or where a target of the configuration says.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    Address(ServiceAddress),
    Target(String),
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix('@') {
            Some("") => Err("expected the name of a target, as in @test for [targets.test]".to_owned()),
            Some(name) => Ok(Place::Target(name.to_owned())),
            None => text.parse().map(Place::Address).map_err(|error| format!("{error}")),
        }
    }
}
