//! From a command line to a request.

use clap::Parser;
use contract::{Actor, Dictionary};

use super::*;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    args: Args,
}

/// The arguments of `call http://erp ..`.
fn parse(line: &[&str]) -> Result<Args, String> {
    let whole = ["call", "http://erp"].iter().chain(line);
    Cli::try_parse_from(whole).map(|cli| cli.args).map_err(|error| error.to_string())
}

fn request(line: &[&str]) -> Result<Request<'static>, String> {
    let args = parse(line)?;
    let called = || {
        check(args.operation, &args.arguments.given())?;
        args.arguments.call(args.operation, &Service::new(&args.service, &args.profile)?)
    };
    called().map(|(_, request)| request).map_err(|error: Box<dyn Error>| error.to_string())
}

#[test]
fn argument_flags_become_members_of_the_request() {
    let connection = ["-c", "3aef3af6-8642-4fc1-8dc9-4e08bd76a6bf"];
    let some = |text: &'static str| Some(text.into());
    let with = |line: &[&'static str]| request(&[line, connection.as_slice()].concat()).unwrap();
    assert_eq!(
        with(&["getactors", "--type", "Customer", "-k", "1", "-k", "2", "--fields", "NAME, CITY"]),
        Request::GetActors {
            actor_type: some("Customer"),
            erp_keys: Some(vec![some("1"), some("2")]),
            field_keys: Some(vec![some("NAME"), some("CITY")]),
        }
    );
    let Request::GetActors { field_keys, .. } = with(&["getactors", "-t", "P", "-k", "1", "-f", ""]) else {
        panic!()
    };
    assert_eq!(field_keys, Some(vec![]));
    let Request::SearchActorsAdvanced { restrictions, .. } = with(&[
        "searchactorsadvanced",
        "-t",
        "Person",
        "--where",
        "NAME begins Fjord & Fjell",
        "-w",
        "AGE BETWEEN [I:1] and [I:2]",
        "-w",
        "CATEGORY oneof A, B",
        "--parent",
        "Customer:C:1",
    ]) else {
        panic!()
    };
    let shown: Vec<String> = restrictions
        .unwrap()
        .iter()
        .map(|one| {
            let values: Vec<&str> =
                one.effective_values().iter().map(|value| value.as_deref().unwrap()).collect();
            format!("{} {} {values:?}", one.field_key.as_deref().unwrap(), one.operator.as_deref().unwrap())
        })
        .collect();
    assert_eq!(
        shown,
        [
            "NAME begins [\"Fjord & Fjell\"]",
            "AGE between [\"[I:1]\", \"[I:2]\"]",
            "CATEGORY oneof [\"A\", \"B\"]",
            "ParentActorType = [\"Customer\"]",
            "ParentErpKey = [\"C:1\"]",
        ]
    );
    let fields: Dictionary<'_> = [("NAME", Some("Acme = 1")), ("CITY", None)].into_iter().collect();
    assert_eq!(
        with(&["saveactors", "-t", "Customer", "-k", "7", "--set", "NAME=Acme = 1", "--null", "CITY"]),
        Request::SaveActors {
            actors: Some(vec![Actor {
                actor_type: some("Customer"),
                erp_key: some("7"),
                field_values: Some(fields),
                ..Actor::default()
            }])
        }
    );
}

#[test]
fn get_list_without_a_connection_uses_the_all_zero_guid() {
    let connection = |line: &[&str]| {
        let args = parse(line).unwrap();
        let service = Service::new(&args.service, &args.profile).unwrap();
        args.arguments.call(args.operation, &service).unwrap().0
    };
    assert_eq!(connection(&["getlist", "-l", "A"]).unwrap(), "00000000-0000-0000-0000-000000000000");
    assert_eq!(connection(&["getlist", "-l", "A", "-c", "{B}"]).unwrap(), "{B}");
    assert_eq!(connection(&["getconfigdata"]), None);
}

#[test]
fn usage_errors_name_what_is_expected() {
    for (line, expected) in [
        (vec!["getactors", "-t", "Customer", "-k", "1"], "WSGetActors needs --connection"),
        (vec!["getactors", "-c", "1", "-t", "Customer"], "WSGetActors needs --key"),
        (
            vec!["testconnection", "-c", "1", "--list", "A"],
            "WSTestConnection does not take --list, only --connection",
        ),
        (
            vec!["getconfigdata", "--set", "A=1"],
            "does not take --set, --set-file, --ask or --null, only nothing",
        ),
        (vec!["createactor", "-c", "1"], "needs --type and --set, or --actors"),
        (vec!["saveactors", "-c", "1", "-t", "Person"], "needs one --key"),
        (vec!["searchactorsadvanced", "-w", "NAME"], "expected a field, an operator and its values"),
        (vec!["searchactorsadvanced", "-w", "NAME like A"], "unknown operator \"like\", expected one of = "),
        (vec!["searchactorsadvanced", "-w", "A between 1"], "expected two values with 'and' between them"),
        (vec!["searchactorbyparent", "-p", "Customer"], "expected TYPE:KEY"),
        (vec!["saveconnection", "--set", "Password"], "expected KEY=VALUE"),
        (vec!["getconfigdata", "--timeout", "0"], "expected a number of seconds greater than 0"),
        (
            vec!["getconfigdata", "--dialect", "wcf"],
            "expected one of message, message-by-operation, data, plain, auto",
        ),
        (vec!["getconfigdata", "--json", "--xml"], "cannot be used with"),
    ] {
        let error = request(&line).unwrap_err();
        assert!(error.contains(expected), "{line:?}: {error}");
    }
}

#[test]
fn actors_come_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("actors.json");
    std::fs::write(&path, r#"{"Actors": [{"ErpKey": "1"}, {"ErpKey": "2"}]}"#).unwrap();
    let line = |path: &str| request(&["saveactors", "-c", "1", "--actors", path]);
    let Request::SaveActors { actors: Some(actors) } = line(path.to_str().unwrap()).unwrap() else {
        panic!()
    };
    assert_eq!(
        actors.iter().map(|actor| actor.erp_key.as_deref()).collect::<Vec<_>>(),
        [Some("1"), Some("2")]
    );

    std::fs::write(&path, r#"[{"ErpKeys": "1"}]"#).unwrap();
    let error = line(path.to_str().unwrap()).unwrap_err();
    assert!(error.contains("actors.json: an actor has no member \"ErpKeys\""), "{error}");
    assert!(line("/nowhere.json").unwrap_err().contains("/nowhere.json: it cannot be read"));
}

#[test]
fn set_file_values_are_overridden_by_set() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings");
    std::fs::write(&path, "# secrets\nPassword=a=b \n\nUser=me\n").unwrap();
    let line = ["testconfigdata", "--set-file", path.to_str().unwrap(), "--set", "User=you"];
    let Request::TestConfigData { connection_info } = request(&line).unwrap() else { panic!() };
    let expected: Dictionary<'_> = [("Password", Some("a=b ")), ("User", Some("you"))].into_iter().collect();
    assert_eq!(connection_info, Some(expected));
    std::fs::write(&path, "hunter2\n").unwrap();
    let error = request(&line).unwrap_err();
    assert!(error.contains("line 1: expected KEY=VALUE") && !error.contains("hunter2"), "{error}");
}
