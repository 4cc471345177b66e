//! Unit tests of the parts. Whole simulations are end-to-end tests.

use std::collections::BTreeMap;

use values::FieldType;

use super::actor::ErpActor;
use super::crm::{Crm, Event};
use super::equality::is_equal;
use super::mapping;

#[test]
fn equality_compares_values_and_not_notation() {
    let equal = [
        (FieldType::Text, None, Some("")),
        (FieldType::Double, Some("[F:1.50]"), Some("[F:1.5]")),
        (FieldType::Double, Some("[F:0.1]"), Some("[F:0.10000000000000001]")),
        (FieldType::Integer, Some("[I:7]"), Some("7")),
        (FieldType::Checkbox, Some("[I:0]"), None),
        (FieldType::Checkbox, Some("true"), Some("[I:1]")),
        (FieldType::Datetime, Some("[DT:01/31/2026 00:00:00.0000000]"), Some("[DT:01/31/2026]")),
        (FieldType::List, Some("A"), Some("A")),
    ];
    for (field_type, one, other) in equal {
        assert!(is_equal(field_type, one, other) && is_equal(field_type, other, one), "{one:?} {other:?}");
    }
    let different = [
        (FieldType::Text, Some("a"), Some("A")),
        (FieldType::Text, Some("1"), Some("[I:1]")),
        (FieldType::Integer, Some("[I:0]"), None),
        (FieldType::Double, Some("[F:1.5]"), Some("[F:1.6]")),
        (FieldType::Checkbox, Some("[I:1]"), None),
        (FieldType::Datetime, Some("[DT:01/31/2026]"), Some("[DT:02/01/2026]")),
    ];
    for (field_type, one, other) in different {
        assert!(!is_equal(field_type, one, other) && !is_equal(field_type, other, one), "{one:?} {other:?}");
    }
}

#[test]
fn mapping_is_automatic_for_keys_of_superoffice() {
    let cases = [
        ("Customer", "NAME", "contact/name", true),
        ("Supplier", "NUMBER1", "contact/code", true),
        ("Customer", "POSTALAD1", "contact/postal/address1", true),
        ("Person", "POSTALAD1", "person/postal/address1", true),
        ("Person", "NAME", "person/extra/name", false),
        ("Project", "ENDDATE", "project/enddate", true),
        ("Customer", "LIMIT", "contact/extra/limit", false),
    ];
    for (actor_type, key, field, automatic) in cases {
        assert_eq!(mapping::crm_field(actor_type, key), (field.to_owned(), automatic), "{actor_type} {key}");
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

#[test]
fn crm_cards_hold_the_values_of_both_sides() {
    run(async {
        let crm = Crm::open(None).await.unwrap();
        let connection = crm.new_connection("guid", "http://x/", 7).await.unwrap();
        let actor = ErpActor {
            actor_type: "Customer".to_owned(),
            key: "C1".to_owned(),
            stamp: Some("s1".to_owned()),
            parent: None,
            fields: BTreeMap::from([("NAME".to_owned(), Some("Old".to_owned())), ("FAX".to_owned(), None)]),
        };
        let mut changes = crm.begin(connection).await.unwrap();
        changes.import("contact", &actor).await.unwrap();
        changes.newest_stamp("Customer", "s1").await.unwrap();
        changes.commit().await.unwrap();
        assert_eq!(crm.newest_stamp(connection, "Customer").await.unwrap().as_deref(), Some("s1"));
        assert_eq!(crm.keys_stamped(connection, "Customer", "s1").await.unwrap(), ["C1"]);
        assert!(crm.unsaved_cards(connection, "Customer").await.unwrap().is_empty());

        let card = crm.card_at(connection, "Customer", 0).await.unwrap().unwrap();
        let mut changes = crm.begin(connection).await.unwrap();
        changes.set_value(card.id, "NAME", Some("New"), Some("Old")).await.unwrap();
        changes.event(&Event { what: "edited", side: "crm", ..Event::default() }).await.unwrap();
        changes.commit().await.unwrap();
        let [unsaved] = &crm.unsaved_cards(connection, "Customer").await.unwrap()[..] else {
            panic!("one card")
        };
        assert_eq!(unsaved.values["NAME"].value.as_deref(), Some("New"));
        assert_eq!(unsaved.values["NAME"].erp_value.as_deref(), Some("Old"));

        // What is not committed has not happened.
        let mut changes = crm.begin(connection).await.unwrap();
        changes.remove(card.id).await.unwrap();
        drop(changes);
        assert_eq!(crm.count(connection, "Customer").await.unwrap(), 1);
    });
}

#[test]
fn crm_reopens_its_file_and_rejects_other_files() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let ours = folder.path().join("crm.db");
        for number in 1..=2 {
            let crm = Crm::open(Some(&ours)).await.unwrap();
            assert_eq!(crm.new_connection("guid", "http://x/", 0).await.unwrap(), number);
            crm.close().await;
        }
        let other = folder.path().join("other.db");
        std::fs::write(&other, "something else").unwrap();
        let error = Crm::open(Some(&other)).await.unwrap_err().to_string();
        assert!(error.contains("other.db") && error.contains("no CRM file"), "{error}");
        assert_eq!(std::fs::read(&other).unwrap(), b"something else");
    });
}
