//! The connector keeps the rules that every connector must keep, with a real Tryton.

use erp_host_conformance::Specification;
use plugin_api::{Connector, Host, Result};
use test_support::tryton::{self, Tryton};
use tryton_connector::TrytonConnector;

#[test]
fn keeps_the_specification() -> Result<()> {
    let Some(tryton) = Tryton::start() else { return Ok(()) };
    let connector = TrytonConnector::new(&Host::for_test(std::env::temp_dir()))?;
    let server = format!("http://{}", tryton.address());
    let settings = [
        ("Server", server.as_str()),
        ("Database", tryton::DATABASE),
        ("User", tryton::USER),
        ("Password", tryton::PASSWORD),
    ];
    Specification::new(&connector, settings).writes().run().assert();
    Ok(())
}
