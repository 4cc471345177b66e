use super::{Names, NewError};

#[test]
fn connector_is_called_after_the_crate() {
    for (crate_name, name) in [
        ("acme-connector", "Acme"),
        ("acme_connector", "Acme"),
        ("visma-global-connector", "VismaGlobal"),
        ("my-erp", "MyErp"),
        ("connector", "ConnectorErp"),
        ("erp2", "Erp2"),
        ("a--b", "AB"),
        ("company-connector", "CompanyErp"),
    ] {
        let names = Names::new(crate_name).unwrap();
        assert_eq!((names.crate_name.as_str(), names.name.as_str()), (crate_name, name));
        assert_eq!(names.ident, crate_name.replace('-', "_"));
    }
}

#[test]
fn names_that_cannot_be_are_refused() {
    for name in ["", "Acme", "2erp", "-x", "a b", "a/b", "..", "café", &"a".repeat(33)] {
        assert_eq!(Names::new(name), Err(NewError::Name(name.to_owned())));
    }
    for name in ["match", "test", "plugin-api", "std"] {
        assert_eq!(Names::new(name), Err(NewError::Reserved(name.to_owned())));
    }
    assert_eq!(Names::new("spool-connector"), Err(NewError::Connector("Spool".to_owned())));
}
