//! The mapping of ERP fields to fields of the CRM.
//!
//! SuperOffice maps some field keys automatically. An administrator maps the others by hand; here each of them gets an
//! extra field.

use values::actor_type;

/// The CRM's entity for an actor type.
pub(super) fn entity(actor_type: &str) -> &'static str {
    match actor_type {
        actor_type::PERSON => "person",
        actor_type::PROJECT => "project",
        _ => "contact",
    }
}

/// Field keys of companies that are mapped automatically.
const CONTACT: &[(&str, &str)] = &[
    ("NAME", "name"),
    ("NUMBER1", "code"),
    ("NUMBER2", "number"),
    ("DEPARTMENT", "department"),
    ("PHONE", "phone"),
    ("FAX", "fax"),
    ("EMAIL", "email"),
    ("URL", "webaddress"),
    ("STREETAD1", "street/address1"),
    ("STREETAD2", "street/address2"),
    ("STREETAD3", "street/address3"),
    ("STREETZIP", "street/zip"),
    ("STREETCITY", "street/city"),
    ("STREETCOUNTY", "street/county"),
    ("STREETSTATE", "street/state"),
    ("COUNTRY", "country"),
    ("VATNO", "vatno"),
];

/// Field keys of companies and persons.
const POSTAL: &[(&str, &str)] = &[
    ("POSTALAD1", "postal/address1"),
    ("POSTALAD2", "postal/address2"),
    ("POSTALAD3", "postal/address3"),
    ("POSTALZIP", "postal/zip"),
    ("POSTALCITY", "postal/city"),
    ("POSTALCOUNTY", "postal/county"),
    ("POSTALSTATE", "postal/state"),
];

const PERSON: &[(&str, &str)] = &[
    ("FIRSTNAME", "firstname"),
    ("MIDDLENAME", "middlename"),
    ("LASTNAME", "lastname"),
    ("TITLE", "title"),
    ("NUMBER", "number"),
    ("PHONE_DIRECT", "phone/direct"),
    ("PHONE_PRIVATE", "phone/private"),
    ("PHONE_MOBILE", "phone/mobile"),
    ("PHONE_OTHER", "phone/other"),
    ("EMAIL", "email"),
    ("POSITION", "position"),
    ("BIRTHDATE", "birthdate"),
    ("URL", "webaddress"),
    ("POSTALCOUNTRY", "postal/country"),
];

const PROJECT: &[(&str, &str)] = &[
    ("NAME", "name"),
    ("TEXT", "text"),
    ("NUMBER", "number"),
    ("URL", "webaddress"),
    ("ENDDATE", "enddate"),
];

/// The CRM field that SuperOffice maps a key to automatically.
pub(super) fn automatic(actor_type: &str, field_key: &str) -> Option<&'static str> {
    let tables: &[&[(&str, &str)]] = match actor_type {
        actor_type::PERSON => &[PERSON, POSTAL],
        actor_type::PROJECT => &[PROJECT],
        _ => &[CONTACT, POSTAL],
    };
    let mut pairs = tables.iter().flat_map(|table| table.iter());
    pairs.find(|(key, _)| *key == field_key).map(|(_, field)| *field)
}

/// The CRM field for a key, and whether it is mapped automatically.
pub(super) fn crm_field(actor_type: &str, field_key: &str) -> (String, bool) {
    let entity = entity(actor_type);
    match automatic(actor_type, field_key) {
        Some(field) => (format!("{entity}/{field}"), true),
        None => (format!("{entity}/extra/{}", field_key.to_lowercase()), false),
    }
}
