//! The derived settings form, as an author uses it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that meets the unexpected fails"
)]

use std::path::PathBuf;

use plugin_api::{
    Access, DateTime, Field, FieldType, FieldValue, Result, Secret, Settings, SettingsForm, Value,
};

/// Everything that a form may hold.
#[derive(Debug, SettingsForm)]
struct Setup {
    /// Where the workbook is,
    /// with its folder.
    #[setting(
        key = "Filename",
        label(us = "File name", no = "Filnavn"),
        default = "erp.xlsx",
        max_length = 12
    )]
    file: PathBuf,
    #[setting(label = "Server", description(us = "Its address", no = "Adressen"))]
    server_name: String,
    note: Option<String>,
    #[setting(default = 8080)]
    port: u16,
    #[setting(default = -3)]
    offset: Option<i64>,
    #[setting(default = 2)]
    factor: f64,
    #[setting(default = true)]
    log_calls: bool,
    since: Option<DateTime>,
    #[setting(list = "Categories", rank = 90)]
    category: Option<String>,
    #[setting(list = "Modes", default = "fast")]
    mode: Option<Mode>,
    token: Secret,
    #[setting(password)]
    pin: Option<String>,
    #[setting(mandatory)]
    agreed: bool,
    #[setting(read_only, default = "1.0")]
    r#type: String,
}

/// A type of the author's own.
#[derive(Debug, PartialEq)]
enum Mode {
    Fast,
    Safe,
}

impl FieldValue for Mode {
    const FIELD_TYPE: FieldType = FieldType::List;
    const EXPECTED: &'static str = "fast or safe";

    fn parse(text: &str) -> Option<Self> {
        match text {
            "fast" => Some(Mode::Fast),
            "safe" => Some(Mode::Safe),
            _ => None,
        }
    }

    fn to_value(&self) -> Value<'_> {
        Value::from(match self {
            Mode::Fast => "fast",
            Mode::Safe => "safe",
        })
    }
}

/// No more than what must be there.
const LEAST: [(&str, &str); 3] = [("ServerName", "erp.local"), ("Token", "open sesame"), ("Agreed", "[I:1]")];

fn read(more: &[(&str, &str)]) -> Result<Setup> {
    // The first of a key counts, so what is given here comes before the rest.
    Setup::read(&more.iter().chain(&LEAST).map(|&(key, value)| (key, Some(value))).collect())
}

#[test]
fn fields_are_described() {
    let expected = [
        Field::text("Filename")
            .label("US:\"File name\";NO:\"Filnavn\"")
            .description("Where the workbook is, with its folder.")
            .default("erp.xlsx")
            .max_length(12)
            .mandatory(),
        Field::text("ServerName")
            .label("Server")
            .description("US:\"Its address\";NO:\"Adressen\"")
            .mandatory(),
        Field::text("Note"),
        Field::integer("Port").default(8080).mandatory(),
        Field::integer("Offset").default(-3),
        Field::double("Factor").default(2.0).mandatory(),
        Field::checkbox("LogCalls").default(true),
        Field::date_time("Since"),
        Field::list("Category", "Categories").rank(90),
        Field::list("Mode", "Modes").default("fast"),
        Field::password("Token").mandatory(),
        Field::password("Pin"),
        Field::checkbox("Agreed").mandatory(),
        Field::text("Type").default("1.0").read_only(),
    ];
    let fields = Setup::fields();
    assert_eq!(fields.len(), expected.len());
    for (field, expected) in fields.iter().zip(expected) {
        assert_eq!(*field, expected);
    }
    assert_eq!(fields[3].default.as_deref(), Some("[I:8080]"));
    assert_eq!(fields[5].default.as_deref(), Some("[F:2]"));
    assert_eq!(fields[12].access, Access::Mandatory);
}

#[test]
fn values_are_read_as_their_types() {
    let setup = read(&[
        ("Filename", "a b.xlsx"),
        ("Note", "x"),
        ("Port", "[I:1]"),
        ("Offset", "7"),
        ("Factor", "[F:0.5]"),
        ("LogCalls", "[I:0]"),
        ("Since", "[DT:12/31/2013 23:59:59.0000000]"),
        ("Category", "k1"),
        ("Mode", "safe"),
        ("Pin", "1234"),
        ("Type", "t"),
    ])
    .unwrap();
    assert_eq!(setup.file, PathBuf::from("a b.xlsx"));
    assert_eq!((setup.server_name.as_str(), setup.note.as_deref()), ("erp.local", Some("x")));
    assert_eq!((setup.port, setup.offset, setup.factor, setup.log_calls), (1, Some(7), 0.5, false));
    assert_eq!(setup.since.unwrap().to_sortable(), "2013-12-31T23:59:59.0000000");
    assert_eq!((setup.category.as_deref(), setup.mode), (Some("k1"), Some(Mode::Safe)));
    assert_eq!((setup.token.expose(), setup.pin.as_deref()), ("open sesame", Some("1234")));
    assert!(setup.agreed);
    assert_eq!(setup.r#type, "t");
}

#[test]
fn missing_settings_take_the_default_and_empty_ones_stay_empty() {
    let setup = read(&[]).unwrap();
    assert_eq!(setup.file, PathBuf::from("erp.xlsx"));
    assert_eq!((setup.port, setup.offset, setup.factor, setup.log_calls), (8080, Some(-3), 2.0, true));
    assert_eq!((setup.note, setup.since, setup.category), (None, None, None));
    assert_eq!(setup.mode, Some(Mode::Fast));
    let setup = read(&[("Offset", ""), ("LogCalls", ""), ("Note", " ")]).unwrap();
    assert_eq!((setup.offset, setup.log_calls, setup.note), (None, false, None));
}

#[test]
fn form_errors_have_the_label_and_never_the_value() {
    let wrong = "swordfish-swordfish";
    for (key, value, expected) in [
        ("Filename", "", "the setting File name is missing"),
        ("Filename", wrong, "the setting File name is too long, expected at most 12 characters"),
        ("ServerName", " ", "the setting Server is missing"),
        ("Port", wrong, "the setting Port is not valid, expected a whole number from 0 to 65535"),
        ("Port", "65536", "the setting Port is not valid, expected a whole number from 0 to 65535"),
        ("Port", "", "the setting Port is missing"),
        ("Offset", "1.5", "the setting Offset is not valid, expected a whole number"),
        ("Factor", wrong, "the setting Factor is not valid, expected a number like 1.5"),
        ("LogCalls", wrong, "the setting LogCalls is not valid, expected 1 or 0"),
        ("Since", wrong, "the setting Since is not valid, expected a date like"),
        ("Mode", wrong, "the setting Mode is not valid, expected fast or safe"),
        ("Token", "", "the setting Token is missing"),
        ("Agreed", "", "the setting Agreed is missing"),
    ] {
        let error = read(&[(key, value)]).unwrap_err();
        assert!(error.user_text().starts_with(expected), "{error}");
        assert!(!format!("{error:?} {}", error.tech_text()).contains(wrong), "{error}");
    }
    let error = Setup::read(&Settings::default()).unwrap_err();
    assert_eq!(error.user_text(), "the setting Server is missing, it must be filled in");
}

#[test]
fn maximum_length_counts_characters() {
    assert!(read(&[("Filename", "åååååååååååå")]).is_ok());
    assert!(read(&[("Filename", "ååååååååååååå")]).is_err());
}

#[test]
fn secrets_stay_out_of_debug() {
    let setup = read(&[("Pin", "1234")]).unwrap();
    assert!(format!("{:?}", setup.token).contains("Secret(..)"));
    assert!(!format!("{setup:?}").contains("sesame"));
    assert_eq!(setup.token, Secret::from("open sesame"));
}

/// A connector without settings has a form too.
#[derive(SettingsForm)]
struct Nothing {}

#[test]
fn form_without_settings() {
    assert!(Nothing::fields().is_empty());
    let Nothing {} = Nothing::read(&Settings::default()).unwrap();
}
