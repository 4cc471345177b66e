//! From columns to fields: which key, which type, and what the sheet `Fields` says otherwise.

use std::collections::{HashMap, HashSet};

use plugin_api::{Access, FieldType, actor_type};

use crate::cell::CellValue;
use crate::workbook::Styles;
use crate::workbook::found::cut;
use crate::workbook::grid::{Cell, Grid};

/// A name without case, spaces and punctuation: `E-mail` and `email` are one.
pub(crate) fn plain_name(name: &str) -> String {
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
    let name = plain_name(heading);
    let mut keys = tables.iter().flat_map(|table| table.iter());
    keys.find(|(_, names)| names.contains(&name.as_str())).map(|(key, _)| *key)
}

/// Whether SuperOffice takes a text for one of its own keys, so that a number in such a column is no number.
pub(crate) fn is_text_key(key: &str) -> bool {
    let mut known = [COMPANY, POSTAL, PERSON, PROJECT].into_iter().flatten();
    !DATES.contains(&key) && known.any(|(known, _)| *known == key)
}

/// The type of a column, from its cells and their number formats.
pub(crate) fn inferred_type<'c>(cells: impl Iterator<Item = &'c Cell>, styles: &Styles) -> FieldType {
    let mut values: Option<FieldType> = None;
    let mut formats: Option<FieldType> = None;
    for cell in cells {
        let format = styles.format(cell.style);
        let found = match &cell.value {
            CellValue::Error => continue,
            CellValue::Bool(_) => FieldType::Checkbox,
            CellValue::Date(_) => FieldType::Datetime,
            CellValue::Text(text) if text.is_empty() => continue,
            CellValue::Text(_) => FieldType::Text,
            CellValue::Number(_) if format.is_text || format.has_leading_zeros() => FieldType::Text,
            CellValue::Number(number) if format.has_decimals || !is_whole(*number) => FieldType::Double,
            CellValue::Number(_) => FieldType::Integer,
            CellValue::Empty if cell.is_formula => continue,
            CellValue::Empty => {
                let meant = if format.is_date {
                    FieldType::Datetime
                } else if format.has_decimals {
                    FieldType::Double
                } else {
                    FieldType::Text
                };
                formats = Some(formats.map_or(meant, |before| together(before, meant)));
                continue;
            }
        };
        values = Some(values.map_or(found, |before| together(before, found)));
    }
    values.or(formats).unwrap_or(FieldType::Text)
}

/// The type that holds values of both.
fn together(one: FieldType, other: FieldType) -> FieldType {
    match (one, other) {
        (one, other) if one == other => one,
        (FieldType::Integer, FieldType::Double) | (FieldType::Double, FieldType::Integer) => {
            FieldType::Double
        }
        _ => FieldType::Text,
    }
}

/// A whole number that a double holds exactly.
pub(crate) fn is_whole(number: f64) -> bool {
    number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_991.0
}

/// Problems of which only the first ones are shown: a warning must not grow with the workbook.
struct Limited<'p> {
    problems: &'p mut Vec<String>,
    count: usize,
}

impl<'p> Limited<'p> {
    const SHOWN: usize = 20;

    fn new(problems: &'p mut Vec<String>) -> Self {
        Limited { problems, count: 0 }
    }

    fn push(&mut self, text: impl FnOnce() -> String) {
        self.count += 1;
        match self.count {
            count if count <= Self::SHOWN => self.problems.push(text()),
            count if count == Self::SHOWN + 1 => {
                self.problems.push("more rows of the sheet Fields make no sense and are not used".to_owned());
            }
            _ => {}
        }
    }
}

/// What the sheet `Fields` says about columns.
#[derive(Debug, Default)]
pub(crate) struct Overrides {
    rows: Vec<Override>,
    /// The rows by the plain name of their column.
    by_column: HashMap<String, Vec<usize>>,
}

/// What a row of the sheet `Fields` says about a column. `None` where it says nothing.
#[derive(Debug, Default)]
pub(crate) struct Override {
    /// The row, counted from 1, for messages.
    pub(crate) row: u32,
    /// `None` for every actor type.
    actor_type: Option<String>,
    column: String,
    pub(crate) key: Option<String>,
    pub(crate) label: Option<String>,
    pub(crate) field_type: Option<FieldType>,
    pub(crate) list: Option<String>,
    pub(crate) access: Option<Access>,
    pub(crate) max_length: Option<i32>,
    pub(crate) rank: Option<i32>,
}

impl Overrides {
    /// Reads the sheet `Fields`; what makes no sense is told in `problems` and left out.
    pub(crate) fn read(grid: &Grid, styles: &Styles, problems: &mut Vec<String>) -> Self {
        const NAMES: [&str; 9] =
            ["actortype", "column", "fieldkey", "label", "type", "list", "access", "maxlength", "rank"];
        let headings = grid.headings(styles);
        let column =
            |name: &str| headings.iter().find(|(_, text)| plain_name(text) == name).map(|(at, _)| *at);
        let columns = NAMES.map(column);
        if columns[1].is_none() {
            problems.push("the sheet Fields has no column \"Column\": it is not used".to_owned());
            return Overrides::default();
        }
        let mut rows = Vec::new();
        let mut problems = Limited::new(problems);
        for (row, texts) in grid.text_rows(&columns, styles) {
            let row = row + 1;
            let mut texts = texts.into_iter();
            let mut next = || texts.next().flatten();
            let actor_type = next().filter(|name| name != "*");
            let Some(column) = next() else {
                problems.push(|| format!("row {row} of the sheet Fields names no column: it is not used"));
                continue;
            };
            let mut found =
                Override { row, actor_type, column, key: next(), label: next(), ..Override::default() };
            let mut wrong = |what: &str, text: &str, expected: &str| {
                problems.push(|| {
                    let text = cut(text);
                    format!(
                        "row {row} of the sheet Fields: {text:?} is no {what}, expected {expected}; it is not used"
                    )
                });
            };
            if let Some(text) = next() {
                found.field_type = field_type(&text);
                if found.field_type.is_none() {
                    wrong("type", &text, "Text, Integer, Double, Date, Checkbox or List");
                }
            }
            found.list = next();
            if let Some(text) = next() {
                found.access = Access::ALL
                    .iter()
                    .copied()
                    .find(|access| plain_name(access.as_str()) == plain_name(&text));
                if found.access.is_none() {
                    wrong("access", &text, "Normal, Mandatory or ReadOnly");
                }
            }
            if let Some(text) = next() {
                found.max_length = text.parse().ok().filter(|length| *length >= 0);
                if found.max_length.is_none() {
                    wrong("length", &text, "a whole number from 0");
                }
            }
            if let Some(text) = next() {
                found.rank = text.parse().ok();
                if found.rank.is_none() {
                    wrong("rank", &text, "a whole number");
                }
            }
            rows.push(found);
        }
        let mut by_column: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, row) in rows.iter().enumerate() {
            by_column.entry(plain_name(&row.column)).or_default().push(at);
        }
        Overrides { rows, by_column }
    }

    /// What is said about a column; a row for the actor type comes before one for all.
    pub(crate) fn find(&self, actor_type: &str, heading: &str) -> Option<&Override> {
        let named =
            || self.by_column.get(&plain_name(heading)).into_iter().flatten().map(|at| &self.rows[*at]);
        let own = |row: &&Override| {
            row.actor_type.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(actor_type))
        };
        named().find(own).or_else(|| named().find(|row| row.actor_type.is_none()))
    }

    /// The rows for an actor type whose column is not among these headings.
    pub(crate) fn without_column<'o>(
        &'o self,
        actor_type: &'o str,
        headings: &'o [(u32, String)],
    ) -> impl Iterator<Item = (u32, &'o str)> {
        let own = move |row: &&Override| {
            row.actor_type.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(actor_type))
        };
        let headings: HashSet<String> = headings.iter().map(|(_, text)| plain_name(text)).collect();
        let missing = move |row: &&Override| !headings.contains(&plain_name(&row.column));
        self.rows.iter().filter(own).filter(missing).map(|row| (row.row, row.column.as_str()))
    }

    /// The rows for an actor type that no sheet is there for.
    pub(crate) fn without_sheet<'o>(&'o self, sheets: &'o [&str]) -> impl Iterator<Item = (u32, &'o str)> {
        self.rows
            .iter()
            .filter_map(|row| Some((row.row, row.actor_type.as_deref()?)))
            .filter(|(_, name)| !sheets.iter().any(|sheet| sheet.eq_ignore_ascii_case(name)))
    }
}

fn field_type(name: &str) -> Option<FieldType> {
    Some(match plain_name(name).as_str() {
        "text" | "string" => FieldType::Text,
        "integer" | "int" => FieldType::Integer,
        "double" | "decimal" | "number" => FieldType::Double,
        "date" | "datetime" => FieldType::Datetime,
        "checkbox" | "bool" | "boolean" => FieldType::Checkbox,
        "list" => FieldType::List,
        _ => return None,
    })
}
