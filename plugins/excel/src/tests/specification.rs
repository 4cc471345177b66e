//! The connector passes the specification that every connector must pass.

use erp_host_conformance::{Report, Specification};

use super::kit::*;

fn skipped(report: &Report) -> Vec<u16> {
    report.skipped().into_iter().map(|(rule, _)| rule).collect()
}

#[test]
fn keeps_the_specification() {
    let mut sheets = customers();
    let people = vec![
        vec![T("ID"), T("First name"), T("Last name"), T("Birthdate"), T("Parent ID")],
        vec![N(1.0), T("Kari"), T("Nordmann"), D("1990-05-17"), N(1001.0)],
        vec![N(2.0), T("Ola"), T("Nordmann"), E, N(1002.0)],
        vec![N(3.0), T("Per"), E, E, E],
    ];
    sheets.push(("Person", people));
    let place = WorkbookFolder::with(&sheets);
    let report = Specification::new(&place.connector, [("Filename", "book.xlsx")]).writes().run();
    report.assert();
    // The form has no default and no list, there are not many rows (see below), and no ERP system that can be stopped.
    assert_eq!(skipped(&report), [403, 404, 1205, 1502, 1503, 1504, 1505], "{report}");
}

#[test]
fn keeps_the_specification_with_ten_thousand_rows() {
    let mut rows = vec![vec![T("ID"), T("Name")]];
    rows.extend((0..10_000).map(|number| vec![N(f64::from(number)), T("A project among many")]));
    let place = WorkbookFolder::with(&[("Project", rows)]);
    let settings = [("Filename", "book.xlsx"), ("ReadOnly", "1")];
    let report = Specification::new(&place.connector, settings).run();
    report.assert();
    assert!(!skipped(&report).iter().any(|rule| [1202, 1205].contains(rule)), "{report}");
}
