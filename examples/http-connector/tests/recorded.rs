//! The connector against recorded answers of the ERP system.
//!
//! To record them anew, run `cargo run --package demo-erp`, and then
//! `ERP_HOST_RECORD=http://127.0.0.1:8090/api cargo test --package http-connector --test recorded -- --test-threads 1`.

use erp_host_conformance::testing::{self, collect, save};
use http_connector::{Company, HttpConnector};
use plugin_api::{Actor, Connection, Parent, Result};
use plugin_http::test_support::Recorded;

fn recorded(name: &str) -> Result<(Recorded, Company)> {
    let erp = Recorded::open(format!("{}/tests/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR")))?;
    let address = erp.address();
    let settings = [("Address", address.as_str()), ("User", "ada"), ("Password", "wins/1 day")];
    let company = testing::connect::<HttpConnector>(settings)?;
    Ok((erp, company))
}

#[test]
fn persons_of_a_customer_are_found() -> Result<()> {
    let (erp, company) = recorded("search")?;
    let parent = Parent::new("Customer", "3");
    let found =
        collect("Person", None, |cx, rows| company.search_text(cx, "Person", "KARI", Some(&parent), rows))?;
    let expected = Actor::new("Person", "3").below("Customer", "3");
    let expected = expected.with("NAME", "Kari Nordmann 2").with("EMAIL", "kari2@example.com");
    assert_eq!(found, [expected.stamped(found[0].last_modified.as_deref().unwrap_or_default())]);
    company.close(&plugin_api::Context::default())?;
    erp.assert_all_asked();
    Ok(())
}

#[test]
fn customer_is_created_and_saved() -> Result<()> {
    let (erp, company) = recorded("save")?;
    let new = Actor::new("Customer", "").with("NAME", "Nye Venner").with("CREDIT", 1.5);
    let created = collect("Customer", None, |cx, rows| company.create(cx, &new, rows))?;
    let changes = Actor::new("Customer", &created[0].key).with("CREDIT", None::<f64>).with("BLOCKED", true);
    let saved = save(&company, &[changes]).actors;
    assert_eq!(saved[0].get::<String>("NAME")?, "Nye Venner");
    assert_eq!((saved[0].get::<Option<f64>>("CREDIT")?, saved[0].get::<bool>("BLOCKED")?), (None, true));
    assert!(created[0].last_modified < saved[0].last_modified);
    erp.assert_all_asked();
    Ok(())
}
