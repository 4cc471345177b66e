use plugin_api::{Connector, FieldType, Host, LocalizedText, Settings};

use super::kit::*;
use crate::ExcelConnector;

#[test]
fn form_asks_for_a_file_name_and_whether_to_write() {
    let fields = WorkbookFolder::new().connector.settings(&Context::default()).unwrap();
    let form: Vec<_> = fields.iter().map(|field| (field.key.as_str(), field.field_type)).collect();
    assert_eq!(form, [("Filename", FieldType::Text), ("ReadOnly", FieldType::Checkbox)]);
    let label = LocalizedText::parse(fields[0].label.as_deref().unwrap());
    assert_eq!((label.get("US"), label.get("NO")), ("File name", "Filnavn"));
}

#[test]
fn only_workbooks_in_allowed_folders_are_opened() {
    let place = WorkbookFolder::with(&customers());
    let outside = tempfile::tempdir().unwrap();
    let allowed = tempfile::tempdir().unwrap();
    write(&outside.path().join("secret.xlsx"), &customers());
    write(&allowed.path().join("shared.xlsx"), &customers());
    std::fs::create_dir(place.folder.path().join("sub")).unwrap();
    std::fs::copy(place.path(), place.folder.path().join("sub/deep.XLSM")).unwrap();
    std::fs::write(place.folder.path().join("notes.txt"), "hello").unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(outside.path().join("secret.xlsx"), place.folder.path().join("link.xlsx"))
        .unwrap();

    let host = Host::for_test(place.folder.path()).with_option("roots", allowed.path().to_string_lossy());
    let connector = ExcelConnector::new(&host).unwrap();
    let open = |name: &str| {
        let result = connector.connect(&Context::default(), &Settings::from([("Filename", name)]));
        result.map(|_| ()).map_err(|error| error.user_text())
    };
    let absolute = |folder: &std::path::Path, name: &str| folder.join(name).to_string_lossy().into_owned();

    for name in ["book.xlsx", " book.xlsx ", "sub/deep.XLSM", "sub/../book.xlsx", "./book.xlsx"] {
        open(name).unwrap();
    }
    open(&absolute(allowed.path(), "shared.xlsx")).unwrap();
    open(&absolute(place.folder.path(), "book.xlsx")).unwrap();

    let outside_name = outside.path().file_name().unwrap().to_string_lossy().into_owned();
    for name in [
        absolute(outside.path(), "secret.xlsx"),
        // The error does not reveal whether it exists.
        absolute(outside.path(), "nothing.xlsx"),
        format!("../{outside_name}/secret.xlsx"),
        "sub/../../book.xlsx".to_owned(),
        format!("{}/../{outside_name}/secret.xlsx", allowed.path().display()),
        #[cfg(unix)]
        "link.xlsx".to_owned(),
    ] {
        let refusal = open(&name).unwrap_err();
        assert!(refusal.contains("is not allowed"), "{name}: {refusal}");
        assert!(refusal.contains(&*allowed.path().to_string_lossy()), "{name}: {refusal}");
    }
    for (name, part) in [
        ("missing.xlsx", "there is no such file"),
        ("notes.txt", "expected .xlsx or .xlsm"),
        ("old.xls", "expected .xlsx or .xlsm"),
        ("", "File"),
        ("sub", "expected .xlsx or .xlsm"),
    ] {
        let refusal = open(name).unwrap_err();
        assert!(refusal.contains(part), "{name}: {refusal}");
    }
}

#[test]
fn root_must_be_an_absolute_path() {
    let host = Host::for_test("/tmp").with_option("roots", "books");
    assert!(ExcelConnector::new(&host).err().unwrap().user_text().contains("\"books\" is no absolute path"));
}

#[test]
fn read_only_refuses_to_write() {
    let place = WorkbookFolder::with(&customers());
    let settings = Settings::from([("Filename", "book.xlsx"), ("ReadOnly", "[I:1]")]);
    let connection = place.connector.connect(&Context::default(), &settings).unwrap();
    let before = std::fs::read(place.path()).unwrap();
    let (text, _) = error_of(create(&connection, &actor("Customer", "", &[("NAME", Some("New"))])));
    assert!(text.contains("read only"), "{text}");
    assert!(save(&connection, &[actor("Customer", "1001", &[])]).is_err());
    assert_eq!(std::fs::read(place.path()).unwrap(), before);
}
