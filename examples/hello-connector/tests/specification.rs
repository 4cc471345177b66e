//! The connector keeps the rules that every connector must keep.

use erp_host_conformance::Specification;
use hello_connector::HelloConnector;
use plugin_api::{Connector, Host, Result};

#[test]
fn keeps_the_specification() -> Result<()> {
    let connector = HelloConnector::new(&Host::for_test(std::env::temp_dir()))?;
    Specification::new(&connector, [("Prefix", "N")]).writes().run().assert();
    Ok(())
}
