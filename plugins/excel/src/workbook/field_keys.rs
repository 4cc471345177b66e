//! Field keys: which of SuperOffice's own keys the heading of a column stands for.

use plugin_api::actor_type;
use plugin_api::field_key::{company, person, project};

/// A name for comparison, without case, spaces and punctuation: `E-mail` and `email` are equal.
pub(crate) fn normalized_name(name: &str) -> String {
    name.chars().filter(|sign| sign.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The keys that SuperOffice maps by itself for companies, and the plain column names that stand for each.
const COMPANY: &[(&str, &[&str])] = &[
    (company::NAME, &["nm", "name", "company", "companyname", "navn", "firmanavn"]),
    (company::NUMBER1, &["number1", "code", "kode"]),
    (
        company::NUMBER2,
        &["number2", "number", "customerno", "customernumber", "supplierno", "suppliernumber"],
    ),
    (company::DEPARTMENT, &["department", "dept", "avdeling"]),
    (company::PHONE, &["phone", "phone1", "telephone", "tel", "telefon"]),
    (company::FAX, &["fax", "telefax"]),
    (company::EMAIL, &["email", "email1", "mail", "emailaddress", "epost"]),
    (company::URL, &["url", "www", "web", "website", "homepage", "hjemmeside"]),
    (company::STREETCOUNTY, &["streetcounty"]),
    (company::STREETSTATE, &["streetstate"]),
    (company::STREETAD1, &["streetad1", "street", "streetaddress", "streetaddress1", "visitaddress"]),
    (company::STREETAD2, &["streetad2", "streetaddress2"]),
    (company::STREETAD3, &["streetad3", "streetaddress3"]),
    (company::STREETZIP, &["streetzip", "streetzipcode", "streetpostcode"]),
    (company::STREETCITY, &["streetcity"]),
    (company::COUNTRY, &["country", "land"]),
    (
        company::VATNO,
        &[
            "vatno",
            "vat",
            "vatnumber",
            "orgno",
            "orgnr",
            "orgnumber",
            "organizationnumber",
            "organisationnumber",
            "organisasjonsnummer",
        ],
    ),
];

/// The postal address, of companies and persons alike.
const POSTAL: &[(&str, &[&str])] = &[
    (
        company::POSTALAD1,
        &["postalad1", "ad1", "address", "address1", "addr1", "addressline1", "postaladdress", "adresse"],
    ),
    (company::POSTALAD2, &["postalad2", "ad2", "address2", "addr2", "addressline2"]),
    (company::POSTALAD3, &["postalad3", "ad3", "address3", "addr3", "addressline3"]),
    (company::POSTALZIP, &["postalzip", "zip", "zipcode", "postalcode", "postcode", "postnr", "postnummer"]),
    (company::POSTALCITY, &["postalcity", "city", "town", "poststed"]),
    (company::POSTALCOUNTY, &["postalcounty", "county"]),
    (company::POSTALSTATE, &["postalstate", "state"]),
];

const PERSON: &[(&str, &[&str])] = &[
    (person::FIRSTNAME, &["firstname", "givenname", "fornavn"]),
    (person::MIDDLENAME, &["middlename", "mellomnavn"]),
    (person::LASTNAME, &["lastname", "surname", "familyname", "etternavn"]),
    // SuperOffice does not map it.
    ("NAME", &["name", "nm"]),
    (person::TITLE, &["title", "tittel"]),
    (person::NUMBER, &["number", "personno", "personnumber", "employeeno"]),
    (person::PHONE_DIRECT, &["phonedirect", "directphone", "phone", "telephone", "tel", "telefon"]),
    (person::PHONE_PRIVATE, &["phoneprivate", "privatephone", "homephone"]),
    (person::PHONE_MOBILE, &["phonemobile", "mobilephone", "mobile", "mobil", "cell", "cellphone"]),
    (person::PHONE_OTHER, &["phoneother", "otherphone"]),
    (person::EMAIL, &["email", "email1", "mail", "emailaddress", "epost"]),
    (person::POSITION, &["position", "stilling"]),
    (person::BIRTHDATE, &["birthdate", "birthday", "dateofbirth"]),
    (person::URL, &["url", "www", "web", "website", "homepage"]),
    (person::POSTALCOUNTRY, &["postalcountry", "country", "land"]),
];

const PROJECT: &[(&str, &[&str])] = &[
    (project::NAME, &["name", "nm", "projectname", "navn"]),
    (project::TEXT, &["text", "description", "beskrivelse"]),
    (project::NUMBER, &["number", "projectno", "projectnumber"]),
    (project::URL, &["url", "www", "web", "website"]),
    (project::ENDDATE, &["enddate", "deadline", "duedate"]),
];

/// The keys that SuperOffice takes dates for; it takes texts for the others.
const DATES: &[&str] = &[person::BIRTHDATE, project::ENDDATE];

/// The key that SuperOffice maps by itself for a column with this heading.
pub(crate) fn superoffice_key(actor_type: &str, heading: &str) -> Option<&'static str> {
    let tables: &[&[(&str, &[&str])]] = match actor_type {
        actor_type::PERSON => &[PERSON, POSTAL],
        actor_type::PROJECT => &[PROJECT],
        _ => &[COMPANY, POSTAL],
    };
    let name = normalized_name(heading);
    let mut keys = tables.iter().flat_map(|table| table.iter());
    keys.find(|(_, names)| names.contains(&name.as_str())).map(|(key, _)| *key)
}

/// Whether SuperOffice takes a text for one of its own keys, so that a number in such a column is no number.
pub(crate) fn is_text_key(key: &str) -> bool {
    let mut known = [COMPANY, POSTAL, PERSON, PROJECT].into_iter().flatten();
    !DATES.contains(&key) && known.any(|(known, _)| *known == key)
}
