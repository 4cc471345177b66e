//! Settings and stamps.

use crate::{Result, Settings, Stamps};

fn settings() -> Settings {
    [
        ("Server", Some("erp.local")),
        ("Blank", Some("  ")),
        ("Null", None),
        ("Port", Some("[I:8080]")),
        ("Factor", Some("1.5")),
        ("ReadOnly", Some("[I:1]")),
        ("Since", Some("[DT:12/31/2013 23:59:59.0000000]")),
        ("Wrong", Some("swordfish")),
        ("Server", Some("twice")),
    ]
    .into_iter()
    .collect()
}

#[test]
fn settings_are_read_by_type() -> Result<()> {
    let settings = settings();
    assert_eq!(settings.text("Server")?, "erp.local");
    assert_eq!(
        (settings.get("Null"), settings.get("Missing"), settings.get("Blank")),
        (None, None, Some("  "))
    );
    assert_eq!((settings.integer("Port")?, settings.integer("Missing")?), (Some(8080), None));
    assert_eq!((settings.double("Factor")?, settings.double("Null")?), (Some(1.5), None));
    assert_eq!((settings.checkbox("ReadOnly")?, settings.checkbox("Missing")?), (true, false));
    assert_eq!(settings.date_time("Since")?.unwrap().date(), (2013, 12, 31));
    assert_eq!(settings.iter().count(), 9);
    Ok(())
}

#[test]
fn setting_errors_name_the_setting_and_never_its_value() {
    let settings = settings();
    for (error, expected) in [
        (settings.text("Missing").unwrap_err(), "the setting Missing is missing"),
        (settings.text("Blank").unwrap_err(), "the setting Blank is missing"),
        (settings.integer("Wrong").unwrap_err(), "the setting Wrong is not a valid value of type Integer"),
        (settings.double("Wrong").unwrap_err(), "the setting Wrong is not a valid value of type Double"),
        (settings.checkbox("Wrong").unwrap_err(), "the setting Wrong is not a valid value of type Checkbox"),
        (settings.date_time("Wrong").unwrap_err(), "the setting Wrong is not a valid value of type Datetime"),
    ] {
        assert!(error.user_text().starts_with(expected), "{error}");
        assert!(!error.to_string().contains("swordfish"), "{error}");
    }
    assert!(!format!("{settings:?}").contains("swordfish"));
    assert!(format!("{settings:?}").contains("Wrong"));
}

#[test]
fn stamps_grow_when_the_clock_does_not() {
    let stamps = Stamps::after("2030-01-01T00:00:00.0000000");
    let past = std::time::UNIX_EPOCH;
    assert_eq!(stamps.next_at(past), "2030-01-01T00:00:00.0000001");
    assert_eq!(stamps.next_at(past), "2030-01-01T00:00:00.0000002");
    let future = past + std::time::Duration::from_secs(2_000_000_000);
    assert_eq!(stamps.next_at(future), "2033-05-18T03:33:20.0000000");
    assert_eq!(Stamps::after("no stamp").next_at(past), "1970-01-01T00:00:00.0000000");
}

#[test]
fn stamps_of_many_threads_differ() {
    let stamps = Stamps::default();
    let make = || (0..500).map(|_| stamps.next()).collect::<Vec<_>>();
    let mut all = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(make)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 2000);
}
