//! The connector keeps the rules that every connector must keep.

use demo_erp::{DemoErp, PASSWORD, USER};
use erp_host_conformance::Specification;
use http_connector::HttpConnector;
use plugin_api::{Connector, Host, Result};

#[test]
fn keeps_the_specification() -> Result<()> {
    let erp = DemoErp::start()?;
    let connector = HttpConnector::new(&Host::for_test(std::env::temp_dir()))?;
    let address = erp.address();
    let settings = [("Address", address.as_str()), ("User", USER), ("Password", PASSWORD)];
    Specification::new(&connector, settings).writes().run().assert();
    Ok(())
}
