use super::*;
use proptest::prelude::*;

#[test]
fn number_formats_tell_types() {
    for (code, is_date, is_text, has_decimals, zeros) in [
        ("General", false, false, false, false),
        ("0", false, false, false, false),
        ("0.00", false, false, true, false),
        ("#,##0", false, false, false, false),
        ("0%", false, false, true, false),
        ("0.00E+00", false, false, true, false),
        ("@", false, true, false, false),
        ("0000", false, false, false, true),
        ("dd.mm.yyyy", true, false, false, false),
        ("[h]:mm", false, false, true, false),
        ("[$-414]d. mmmm yyyy", true, false, false, false),
        ("[Red]0", false, false, false, false),
        ("\"days\" 0", false, false, false, false),
        ("0;[Red]\"sold\"", false, false, false, false),
    ] {
        let format = NumberFormat::parse(code, None);
        assert_eq!(
            (format.is_date, format.is_text, format.has_decimals, format.has_leading_zeros()),
            (is_date, is_text, has_decimals, zeros),
            "{code}"
        );
    }
    assert!(NumberFormat::parse("General", Some(14)).is_date);
}

#[test]
fn numbers_are_shown_as_the_cell_shows_them() {
    for (code, number, shown) in [
        ("General", 1001.0, "1001"),
        ("General", -0.0, "0"),
        ("General", 0.1 + 0.2, "0.3"),
        ("General", 1e15, "1000000000000000"),
        ("0000", 150.0, "0150"),
        ("0000", -7.0, "-0007"),
        ("0.00", 2.5, "2.50"),
        ("#,##0.00", 1234.5, "1234.50"),
        ("000.0", 2.5, "002.5"),
        ("0%", 0.25, "0.25"),
    ] {
        assert_eq!(NumberFormat::parse(code, None).shown(number), shown, "{code} {number}");
    }
}

#[test]
fn serial_numbers_are_days_of_both_date_systems() {
    let date = |text| DateTime::parse_sortable(text).unwrap();
    for (system, serial, text) in [
        (DateSystem::From1900, 1.0, "1900-01-01"),
        (DateSystem::From1900, 59.0, "1900-02-28"),
        (DateSystem::From1900, 61.0, "1900-03-01"),
        (DateSystem::From1900, 45_943.5, "2025-10-13T12:00"),
        (DateSystem::From1900, 2_958_465.0, "9999-12-31"),
        (DateSystem::From1904, 0.0, "1904-01-01"),
        (DateSystem::From1904, 44_481.5, "2025-10-13T12:00"),
    ] {
        assert_eq!(system.date(serial), Some(date(text)), "{text}");
        assert_eq!(system.serial(date(text)), Some(serial), "{text}");
    }
    assert_eq!(DateSystem::From1900.serial(date("1899-12-31")), None);
    assert_eq!(DateSystem::From1904.serial(date("1903-12-31T23:59")), None);
    assert_eq!(DateSystem::From1900.date(-1.0), None);
    assert_eq!(DateSystem::From1900.date(f64::NAN), None);
    assert_eq!(DateSystem::From1900.date(2_958_466.0), None);
}

#[test]
fn times_of_day_have_no_day() {
    let date = |text| DateTime::parse_sortable(text).unwrap();
    for (system, text) in [
        (DateSystem::From1900, "1899-12-31T06:00"),
        (DateSystem::From1900, "1899-12-30T06:00"),
        (DateSystem::From1904, "1904-01-01T06:00"),
        (DateSystem::From1904, "0001-01-01T06:00"),
    ] {
        assert_eq!(system.time_serial(date(text)), Some(0.25), "{text}");
    }
    assert_eq!(DateSystem::From1900.time_serial(date("1899-12-31")), Some(0.0));
    assert_eq!(DateSystem::From1900.time_serial(date("1899-12-29T06:00")), None);
    assert_eq!(DateSystem::From1900.time_serial(date("2026-01-01T06:00")), None);
    assert_eq!(DateSystem::From1900.date(0.25), Some(date("1899-12-31T06:00")));
}

#[test]
fn durations_are_no_dates() {
    for (code, days, shown) in [
        ("[h]:mm", 1.5625, "37:30"),
        ("[hh]:mm:ss", 1.5625, "37:30:00"),
        ("[h]:mm;@", -0.25, "-6:00"),
        ("[mm]:ss", 0.001, "1:26"),
        ("[m]", 0.5, "720"),
        ("[s]", 0.5, "43200"),
    ] {
        let format = NumberFormat::parse(code, None);
        assert!(!format.is_date && format.has_decimals, "{code}");
        assert_eq!(format.shown(days), shown, "{code}");
    }
    for (code, is_time) in [
        ("h:mm", true),
        ("h:mm AM/PM", true),
        ("mm:ss.0", true),
        ("[Red]hh:mm", true),
        ("[$-414]hh:mm", true),
        ("dd hh:mm", false),
        ("yyyy-mm-dd hh:mm", false),
        ("mmm", false),
    ] {
        let format = NumberFormat::parse(code, None);
        assert!(format.is_date, "{code}");
        assert_eq!(format.is_time, is_time, "{code}");
    }
}

proptest! {
    #[test]
    fn millisecond_survives_a_date_cell(ms in 0u64..3_000_000_000_000) {
        let first = DateTime::from_date(1904, 1, 2).unwrap();
        let date = DateTime::from_ticks(first.ticks() + ms * 10_000).unwrap();
        for system in [DateSystem::From1900, DateSystem::From1904] {
            let serial = system.serial(date).unwrap();
            prop_assert_eq!(system.date(serial), Some(date));
            // Excel writes 15 digits when it saves the workbook.
            let saved: f64 = format!("{serial:.14e}").parse().unwrap();
            prop_assert_eq!(system.date(saved), Some(date));
        }
    }
}
