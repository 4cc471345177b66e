//! What the connector answers, without a host.

use erp_host_conformance::testing::{collect, connect, save};
use hello_connector::HelloConnector;
use plugin_api::{Actor, Connection, Operator, Parent, Restriction, Result};

fn keys(found: &[Actor]) -> Vec<&str> {
    found.iter().map(|actor| actor.key.as_str()).collect()
}

#[test]
fn searches_work_by_listing() -> Result<()> {
    let company = connect::<HelloConnector>([])?;
    for (field, operator, value, found) in [
        ("NAME", Operator::Contains, "MØBLER", ["C2"]),
        ("CREDIT", Operator::Greater, "[F:100]", ["C2"]),
        ("CATEGORY", Operator::OneOf, "A", ["C1"]),
    ] {
        let restrictions = [Restriction::new(field, operator, [value])];
        let actors =
            collect("Customer", None, |cx, rows| company.search(cx, "Customer", &restrictions, rows))?;
        assert_eq!(keys(&actors), found, "{field} {operator} {value}");
    }

    let fjord = Parent::new("Customer", "C1");
    let found =
        collect("Person", None, |cx, rows| company.search_text(cx, "Person", "KARI", Some(&fjord), rows))?;
    assert_eq!(keys(&found), ["P1"]);
    Ok(())
}

#[test]
fn created_actor_is_found_and_can_be_saved() -> Result<()> {
    let company = connect::<HelloConnector>([("Prefix", "NO-")])?;
    let fields = Some(&["NAME"][..]);
    let new = Actor::new("Customer", "").with("NAME", "Nye Venner").with("CREDIT", 1.5);
    let created = collect("Customer", fields, |cx, rows| company.create(cx, &new, rows))?;
    assert_eq!(keys(&created), ["NO-4"]);

    let changes = Actor::new("Customer", "NO-4").with("NAME", "Gamle Venner");
    let saved = save(&company, &[Actor::new("Customer", "C9"), changes]);
    assert_eq!(saved.not_saved[0].name.key, "C9");
    let saved = saved.actors;
    assert_eq!((saved[0].text("NAME"), saved[0].text("CREDIT")), ("Gamle Venner", "[F:1.5]"));

    let stamp = created[0].last_modified.as_deref();
    let changed = collect("Customer", fields, |cx, rows| company.changed_since(cx, "Customer", stamp, rows))?;
    assert_eq!(
        changed,
        [Actor::new("Customer", "NO-4")
            .with("NAME", "Gamle Venner")
            .stamped(saved[0].last_modified.as_deref().unwrap_or_default())]
    );
    Ok(())
}

#[test]
fn errors_explain_what_is_wrong() -> Result<()> {
    let error = connect::<HelloConnector>([("Prefix", "too long")]).err().unwrap();
    assert_eq!(error.user_text(), "the setting Prefix is too long, expected at most 5 characters");

    let company = connect::<HelloConnector>([])?;
    let error = collect("Ship", None, |cx, rows| company.search(cx, "Ship", &[], rows)).unwrap_err();
    assert_eq!(error.user_text(), "there is no actor type \"Ship\", only Customer and Person");

    let nobody = Actor::new("Customer", "C9");
    let why = save(&company, &[nobody]).outcome.user;
    assert_eq!(why.as_deref(), Some("Customer \"C9\" is not saved: there is no such actor"));
    Ok(())
}
