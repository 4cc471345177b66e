//! A client library that knows nothing of us (zeep, Python) consumes the WSDL and makes every call.

use std::process::Command;

use end_to_end::{TestHost, WORKBOOK, tools};
use xtask::build::workspace;

fn consume(dialect: &str, guid: &str) {
    let Some(python) = tools::zeep() else { return };
    let host = TestHost::with_excel();
    let output = Command::new(python)
        .arg(workspace().join("tests/zeep/consume.py"))
        .args([&host.wsdl_url(dialect), dialect, guid, WORKBOOK])
        .output()
        .expect("python runs");
    assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stderr), host.log());
}

#[test]
fn zeep_speaks_message() {
    consume("message", "11111111-0000-4000-8000-000000000001");
}

#[test]
fn zeep_speaks_data() {
    consume("data", "11111111-0000-4000-8000-000000000002");
}

#[test]
fn zeep_speaks_plain() {
    consume("plain", "11111111-0000-4000-8000-000000000003");
}
