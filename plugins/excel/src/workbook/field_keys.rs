//! Field keys: which of SuperOffice's own keys the heading of a column stands for.

use plugin_api::actor_type;

/// A name for comparison, without case, spaces and punctuation: `E-mail` and `email` are equal.
pub(crate) fn normalized_name(name: &str) -> String {
    name.chars().filter(|sign| sign.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The keys that SuperOffice maps by itself for companies, and the plain column names that stand for each.
const COMPANY: &[(&str, &[&str])] = &[
    ("NAME", &["nm", "name", "company", "companyname", "navn", "firmanavn"]),
    ("NUMBER1", &["number1", "code", "kode"]),
    ("NUMBER2", &["number2", "number", "customerno", "customernumber", "supplierno", "suppliernumber"]),
    ("DEPARTMENT", &["department", "dept", "avdeling"]),
    ("PHONE", &["phone", "phone1", "telephone", "tel", "telefon"]),
    ("FAX", &["fax", "telefax"]),
    ("EMAIL", &["email", "email1", "mail", "emailaddress", "epost"]),
    ("URL", &["url", "www", "web", "website", "homepage", "hjemmeside"]),
    ("STREETCOUNTY", &["streetcounty"]),
    ("STREETSTATE", &["streetstate"]),
    ("STREETAD1", &["streetad1", "street", "streetaddress", "streetaddress1", "visitaddress"]),
    ("STREETAD2", &["streetad2", "streetaddress2"]),
    ("STREETAD3", &["streetad3", "streetaddress3"]),
    ("STREETZIP", &["streetzip", "streetzipcode", "streetpostcode"]),
    ("STREETCITY", &["streetcity"]),
    ("COUNTRY", &["country", "land"]),
    (
        "VATNO",
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
        "POSTALAD1",
        &["postalad1", "ad1", "address", "address1", "addr1", "addressline1", "postaladdress", "adresse"],
    ),
    ("POSTALAD2", &["postalad2", "ad2", "address2", "addr2", "addressline2"]),
    ("POSTALAD3", &["postalad3", "ad3", "address3", "addr3", "addressline3"]),
    ("POSTALZIP", &["postalzip", "zip", "zipcode", "postalcode", "postcode", "postnr", "postnummer"]),
    ("POSTALCITY", &["postalcity", "city", "town", "poststed"]),
    ("POSTALCOUNTY", &["postalcounty", "county"]),
    ("POSTALSTATE", &["postalstate", "state"]),
];

const PERSON: &[(&str, &[&str])] = &[
    ("FIRSTNAME", &["firstname", "givenname", "fornavn"]),
    ("MIDDLENAME", &["middlename", "mellomnavn"]),
    ("LASTNAME", &["lastname", "surname", "familyname", "etternavn"]),
    ("NAME", &["name", "nm"]),
    ("TITLE", &["title", "tittel"]),
    ("NUMBER", &["number", "personno", "personnumber", "employeeno"]),
    ("PHONE_DIRECT", &["phonedirect", "directphone", "phone", "telephone", "tel", "telefon"]),
    ("PHONE_PRIVATE", &["phoneprivate", "privatephone", "homephone"]),
    ("PHONE_MOBILE", &["phonemobile", "mobilephone", "mobile", "mobil", "cell", "cellphone"]),
    ("PHONE_OTHER", &["phoneother", "otherphone"]),
    ("EMAIL", &["email", "email1", "mail", "emailaddress", "epost"]),
    ("POSITION", &["position", "stilling"]),
    ("BIRTHDATE", &["birthdate", "birthday", "dateofbirth"]),
    ("URL", &["url", "www", "web", "website", "homepage"]),
    ("POSTALCOUNTRY", &["postalcountry", "country", "land"]),
];

const PROJECT: &[(&str, &[&str])] = &[
    ("NAME", &["name", "nm", "projectname", "navn"]),
    ("TEXT", &["text", "description", "beskrivelse"]),
    ("NUMBER", &["number", "projectno", "projectnumber"]),
    ("URL", &["url", "www", "web", "website"]),
    ("ENDDATE", &["enddate", "deadline", "duedate"]),
];

/// The keys that SuperOffice takes dates for; it takes texts for the others.
const DATES: &[&str] = &["BIRTHDATE", "ENDDATE"];

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
