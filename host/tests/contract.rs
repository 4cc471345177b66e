//! The `erp-host contract` commands, run as an operator runs them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

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
    let deep = format!("<wsdl:types>{}{}", "<x>".repeat(20_000), "</x>".repeat(20_000));
    file("deep.wsdl", &message.replacen("<wsdl:types>", &deep, 1));
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
        ("deep.wsdl", "deep.wsdl is inside more than 64 elements, which no WSDL needs"),
    ] {
        let (code, text) = run(folder.path(), &["learn", name, "--out", "contract.toml"]);
        assert_eq!((code, text.lines().count()), (1, 1), "{name}: {text}");
        assert!(text.contains(expected), "{name}: {text}");
    }
    assert!(!folder.path().join("contract.toml").exists());
}

#[test]
fn contract_command_takes_addresses_as_call_does_and_shows_no_password() {
    let folder = tempfile::tempdir().unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (code, text) = run(folder.path(), &["learn", &closed.to_string()]);
    assert_eq!(code, 1);
    assert!(text.contains(&format!("nobody listens at {closed}")), "{text}");

    for command in [
        "contract learn ola:s3cret@erp:8080",
        "call http://ola:s3cret@erp/ getlist",
        "verify http://ola:s3cret@erp",
    ] {
        let mut program = Command::new(env!("CARGO_BIN_EXE_erp-host"));
        let output = program.args(command.split(' ')).current_dir(folder.path()).output().unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(output.status.code(), Some(2), "{command}: {text}");
        assert!(text.contains("give them with --credentials FILE"), "{command}: {text}");
        assert!(!text.contains("s3cret"), "{command}: {text}");
    }
}

#[test]
fn contract_file_keeps_the_name_of_a_secret_parameter_without_its_value() {
    let folder = tempfile::tempdir().unwrap();
    let text = fixture("message");
    fs::write(folder.path().join("own.wsdl"), text).unwrap();
    let url = reqwest::Url::from_file_path(folder.path().canonicalize().unwrap().join("own.wsdl")).unwrap();
    let (code, text) = run(folder.path(), &["learn", &format!("{url}?api-key=s3cret"), "-o", "own.toml"]);
    assert_eq!(code, 0, "{text}");
    let written = fs::read_to_string(folder.path().join("own.toml")).unwrap();
    assert!(written.contains("?api-key=********") && !written.contains("s3cret"), "{written}");
}

#[test]
fn contract_that_no_host_could_read_is_not_written_and_long_lists_are_cut() {
    let folder = tempfile::tempdir().unwrap();
    let members: String = (0..100)
        .map(|number| format!("<xs:element minOccurs=\"0\" name=\"Own{number}\" type=\"xs:string\"/>"))
        .collect();
    let list_name = "<xs:element minOccurs=\"0\" name=\"ListName\"";
    let more = fixture("message").replacen(list_name, &format!("{members}{list_name}"), 1);
    fs::write(folder.path().join("more.wsdl"), &more).unwrap();
    let (code, text) = run(folder.path(), &["learn", "more.wsdl", "-o", "more.toml"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("  and 60 more\n") && !text.contains("Own70"), "{text}");

    // Each document is within its limit.
    let padding = |bytes: usize| format!("<!--{}-->", "x".repeat(bytes));
    let large = more.replacen("<wsdl:types>", &format!("{}<wsdl:types>", padding(7 << 20)), 1);
    fs::write(folder.path().join("a.wsdl"), large).unwrap();
    let importing = r#"<d:definitions xmlns:d="http://schemas.xmlsoap.org/wsdl/"><d:import location="a.wsdl"/></d:definitions>"#;
    fs::write(folder.path().join("large.wsdl"), format!("{importing}{}", padding(2 << 20))).unwrap();
    let (code, text) = run(folder.path(), &["learn", "large.wsdl", "-o", "large.toml"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("large.toml is not written: it would have "), "{text}");
    assert!(!folder.path().join("large.toml").exists());
}

#[test]
fn contract_is_named_after_its_file_as_far_as_a_name_may_be() {
    let folder = tempfile::tempdir().unwrap();
    let wsdl = format!("{FIXTURES}/message.wsdl");
    for (file, name) in [
        ("\u{c6}rlig kontrakt.toml", "rlig-kontrakt"),
        ("\u{5951}\u{7d04}.toml", "learned"),
        ("a\u{e5}.b.toml", "a-.b"),
        (&format!("{}.toml", "n".repeat(80)), &"n".repeat(64)),
    ] {
        let (code, text) = run(folder.path(), &["learn", &wsdl, "-o", file]);
        assert_eq!(code, 0, "{file}: {text}");
        let written = fs::read_to_string(folder.path().join(file)).unwrap();
        assert_eq!(ContractFile::parse(&written).unwrap().layout.name, name);
    }
}

#[test]
fn contract_commands_end_well_when_their_reader_goes_away() {
    let folder = tempfile::tempdir().unwrap();
    let wsdl = format!("{FIXTURES}/message.wsdl");
    for arguments in
        [&["learn", &wsdl, "-o", "own.toml"][..], &["check", "own.toml"], &["show", "message", "GetList"]]
    {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_erp-host"));
        let command = command.arg("contract").args(arguments).current_dir(folder.path());
        let output =
            command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), text.as_str()), (Some(0), ""), "{arguments:?}");
    }
    assert!(folder.path().join("own.toml").exists());
}

#[test]
fn contract_check_counts_one_operation_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut layout = Profile::builtin(Dialect::Data, MemberOrder::Name).layout().clone();
    layout.name = "own".to_owned();
    layout.operations.truncate(1);
    let file = ContractFile { layout, source: None, documents: Vec::new() };
    fs::write(folder.path().join("own.toml"), file.to_toml()).unwrap();
    let (_, text) = run(folder.path(), &["check", "own.toml"]);
    assert!(text.contains("the profile own has 1 operation\n"), "{text}");
}
