//! The `erp-host contract` commands, run as an operator runs them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::Path;
use std::process::Command;

use contract::{ContractFile, Dialect, MemberOrder, Profile};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/wsdl");

/// Runs a command in a folder: its exit code, and what it wrote to both outputs.
fn run(folder: &Path, arguments: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_erp-host"));
    let output = command.arg("contract").args(arguments).current_dir(folder).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

fn fixture(name: &str) -> String {
    fs::read_to_string(format!("{FIXTURES}/{name}.wsdl")).unwrap()
}

#[test]
fn contract_of_a_recorded_wsdl_is_a_built_in_profile() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["message", "data", "plain"] {
        let (code, text) = run(folder.path(), &["learn", &format!("{FIXTURES}/{name}.wsdl")]);
        assert_eq!(code, 0, "{text}");
        assert!(text.contains(&format!("equals the built-in profile {name}:")), "{text}");
        assert!(text.contains("nothing was written"), "{text}");
    }
    let declared = contract::wsdl(Dialect::Message, MemberOrder::Declared, "http://localhost/");
    fs::write(folder.path().join("declared.wsdl"), declared).unwrap();
    let (_, text) = run(folder.path(), &["learn", "declared.wsdl"]);
    assert!(text.contains("message-declared: the host serves it with reply_order = \"declared\""), "{text}");
}

#[test]
fn contract_file_is_written_once_and_checked_against_its_wsdl() {
    let folder = tempfile::tempdir().unwrap();
    let own = fixture("message").replacen("name=\"UserExplanation\"", "name=\"Explanation\"", 1);
    let own = own.replace("</wsdl:portType>", "<wsdl:operation name=\"WSPing\"/></wsdl:portType>");
    fs::write(folder.path().join("own.wsdl"), &own).unwrap();
    let path = folder.path().join("our service.toml");

    let (code, text) = run(folder.path(), &["learn", "own.wsdl", "--out", "our service.toml"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("most like the built-in profile message"), "{text}");
    assert!(text.contains("Explanation, of the type string"), "{text}");
    assert!(text.contains("the member UserExplanation"), "{text}");
    assert!(text.contains("profiles = [\"our service.toml\"]"), "{text}");
    let written = fs::read_to_string(&path).unwrap();
    assert_eq!(ContractFile::parse(&written).unwrap().layout.name, "our-service");

    // The same again changes nothing; something else needs --force.
    assert_eq!(run(folder.path(), &["learn", "own.wsdl", "-o", "our service.toml"]).0, 0);
    let other = ["learn", &format!("{FIXTURES}/data.wsdl"), "-o", "our service.toml"];
    let (code, text) = run(folder.path(), &other);
    assert_eq!((code, fs::read_to_string(&path).unwrap() == written), (1, true), "{text}");
    assert!(text.contains("our service.toml exists; --force replaces it"), "{text}");
    assert_eq!(run(folder.path(), &[&other[..], &["--force"]].concat()).0, 0);

    let state = "  { name = \"c:State\", type = \"ResponseStateWS\", optional = true },\n";
    let edited = written.replacen(state, "", 1);
    fs::write(&path, &edited).unwrap();
    let (code, text) = run(folder.path(), &["check", "our service.toml"]);
    assert_eq!(code, 0, "{text}");
    for expected in [
        "the profile our-service has 18 operations",
        "the reply of WSGetConfigData: the member State",
        "It was edited, and differs from the WSDL in it:",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }

    // The host refuses a WSDL that is none, and so does the check.
    fs::write(&path, edited.replacen("<wsdl:definitions", "<definitions", 1)).unwrap();
    let (code, text) = run(folder.path(), &["check", "our service.toml"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("its WSDL cannot be served"), "{text}");

    fs::write(&path, edited.replacen("[operations.WSGetList]", "[operations.GetList]", 1)).unwrap();
    let (code, text) = run(folder.path(), &["check", "our service.toml", "other.toml"]);
    assert_eq!(code, 1);
    assert!(
        text.contains("our service.toml, line ") && text.contains("\"GetList\" is no operation"),
        "{text}"
    );
    assert!(text.contains("other.toml: it cannot be read"), "{text}");
}

#[test]
fn contract_show_has_a_sample_of_each_message() {
    let folder = tempfile::tempdir().unwrap();
    let mut layout = Profile::builtin(Dialect::Data, MemberOrder::Name).layout().clone();
    layout.name = "own".to_owned();
    for operation in &mut layout.operations {
        operation.reply.members.reverse();
    }
    let file = ContractFile { layout, source: None, documents: Vec::new() };
    fs::write(folder.path().join("own.toml"), file.to_toml()).unwrap();
    for (profile, expected) in [
        ("message", ["<GetListRequestWS", "<ListItems>", "<UserExplanation"]),
        ("data", ["<WSGetList", "<UserExplanation", "<ListItems>"]),
        ("own.toml", ["<WSGetList", "<ListItems>", "<UserExplanation"]),
    ] {
        let (code, text) = run(folder.path(), &["show", profile, "getlist"]);
        assert_eq!(code, 0, "{text}");
        let places: Vec<_> = expected.iter().map(|element| text.find(element).unwrap()).collect();
        assert!(places.is_sorted(), "{profile}: {text}");
        assert!(text.contains("ErpConnectorWS/WSGetList\""), "{text}");
    }
    assert_eq!(run(folder.path(), &["show", "none.toml", "GetList"]).0, 1);
}

#[test]
fn contract_of_something_else_is_refused_in_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let message = fixture("message");
    let file = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    file("page.html", "<!DOCTYPE html><html><body>Log in</body></html>");
    file("text.wsdl", "not xml");
    file("other.wsdl", &message.replace("\"WS", "\"XX"));
    file("other-root.wsdl", "<a/>");
    file("missing.wsdl", &message.replace("name=\"ErpActorWS\"", "name=\"ErpActor\""));
    file("twice.wsdl", &message.replace("/WSGetActors\"", "/WSGetList\""));
    file(
        "elsewhere.wsdl",
        &message.replacen("<xs:import ", "<xs:import schemaLocation=\"http://127.0.0.1:1/x\" ", 1),
    );
    for (name, expected) in [
        ("page.html", "is an HTML page, perhaps for a login"),
        ("text.wsdl", "is no XML"),
        ("other.wsdl", "it is that of another service"),
        ("other-root.wsdl", "the root element of"),
        ("missing.wsdl", "is not in the WSDL or what it imports"),
        ("twice.wsdl", "have the same SOAPAction"),
        ("elsewhere.wsdl", "--follow-other-hosts"),
        ("none.wsdl", "cannot be read"),
    ] {
        let (code, text) = run(folder.path(), &["learn", name, "--out", "contract.toml"]);
        assert_eq!((code, text.lines().count()), (1, 1), "{name}: {text}");
        assert!(text.contains(expected), "{name}: {text}");
    }
    assert!(!folder.path().join("contract.toml").exists());
}
