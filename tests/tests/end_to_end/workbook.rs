//! What a call changes lands in the workbook, and nothing else in it changes.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use calamine::{DataType, Reader, Xlsx, open_workbook};
use contract::{Dialect, Request};
use test_support::soap::Client;
use test_support::{TestHost, WORKBOOK};

use crate::operations::{customer, settings};

const GUID: &str = "aaaaaaaa-0000-4000-8000-000000000001";

fn connected(host: &TestHost) -> Client {
    let client = host.client(Dialect::Message).connection(GUID);
    client.ok(Request::SaveConnection { connection_info: settings(WORKBOOK) });
    client
}

/// The row of a sheet whose ID is `key`, by the names of its columns.
fn row(workbook: &Path, sheet: &str, key: &str) -> BTreeMap<String, String> {
    let mut workbook: Xlsx<_> = open_workbook(workbook).expect("the workbook can be read");
    let range = workbook.worksheet_range(sheet).expect("the sheet is there");
    let text = |cell: &calamine::Data| cell.as_string().unwrap_or_else(|| cell.to_string());
    let mut rows = range.rows();
    let names: Vec<String> = rows.next().expect("column names").iter().map(text).collect();
    let id = names.iter().position(|name| name.eq_ignore_ascii_case("ID")).expect("an ID column");
    let found = rows.find(|row| text(&row[id]) == key).unwrap_or_else(|| panic!("no row {key} in {sheet}"));
    names.into_iter().zip(found.iter().map(text)).collect()
}

/// Every entry of a workbook, byte for byte.
fn entries(workbook: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut archive = zip::ZipArchive::new(std::fs::File::open(workbook).unwrap()).expect("a zip archive");
    (0..archive.len())
        .map(|index| {
            let mut entry = archive.by_index(index).unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            (entry.name().expect("a name").into_owned(), content)
        })
        .collect()
}

#[test]
fn changes_land_in_the_workbook_and_nowhere_else() {
    let host = TestHost::with_excel();
    let client = connected(&host);
    let before = entries(&host.workbook());

    let created =
        client.ok(Request::CreateActor { actor: Some(customer(None, &[("NAME", "Ny & Rar <AS>")])) });
    let key = created.actors[0].key.clone();
    client
        .ok(Request::SaveActors { actors: Some(vec![customer(Some(&key), &[("POSTALCITY", "Ålesund")])]) });

    let row = row(&host.workbook(), "Customer", &key);
    let values: Vec<&str> = row.values().map(String::as_str).collect();
    assert!(values.contains(&"Ny & Rar <AS>") && values.contains(&"Ålesund"), "{row:?}");

    let after = entries(&host.workbook());
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>(), "the same entries");
    let changed: Vec<_> = before.iter().filter(|(name, content)| after[*name] != **content).collect();
    assert_eq!(changed.len(), 1, "one sheet: {:?}", changed.iter().map(|(name, _)| name).collect::<Vec<_>>());
    assert!(changed[0].0.starts_with("xl/worksheets/"), "{}", changed[0].0);
}

#[test]
fn replaced_workbook_is_read_again() {
    let host = TestHost::with_excel();
    let client = connected(&host);
    let get = |key: &str| {
        client.ok(Request::GetActors {
            actor_type: Some("Customer".into()),
            erp_keys: Some(vec![Some(key.to_owned().into())]),
            field_keys: None,
        })
    };
    let original = std::fs::read(host.workbook()).unwrap();
    let created = client.ok(Request::CreateActor { actor: Some(customer(None, &[("NAME", "Gone soon")])) });
    let key = created.actors[0].key.clone();
    assert_eq!(get(&key).actors.len(), 1);

    std::fs::write(host.workbook(), original).unwrap();
    assert!(get(&key).actors.is_empty(), "the row is gone with the old file");
}

#[test]
fn concurrent_writers_lose_nothing() {
    let host = TestHost::with_excel();
    let client = connected(&host);
    let keys: Vec<String> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let client = client.clone();
                scope.spawn(move || {
                    let create = |number| {
                        let name = format!("Writer {writer} number {number}");
                        let actor = customer(None, &[("NAME", &name)]);
                        client.ok(Request::CreateActor { actor: Some(actor) }).actors[0].key.clone()
                    };
                    (0..5).map(create).collect::<Vec<_>>()
                })
            })
            .collect();
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
    });
    let unique: std::collections::BTreeSet<_> = keys.iter().collect();
    assert_eq!(unique.len(), 20, "every actor has a key of its own");
    for key in &keys {
        row(&host.workbook(), "Customer", key);
    }
}

/// In a worker process: workbooks in the data folder, and in a folder that both the connector's option and the worker's files
/// name.
#[cfg(unix)]
#[test]
fn workbooks_are_used_in_a_worker_process_where_its_files_allow_it() {
    let roots = tempfile::tempdir().unwrap();
    let [listed, not_listed] = ["listed", "not-listed"].map(|name| roots.path().join(name));
    let configuration = format!(
        "isolation = \"process\"\n[connectors.Excel.options]\nroots = [{listed:?}, {not_listed:?}]\n\
         [connectors.Excel.worker]\nwrite = [{listed:?}]\n"
    );
    for folder in [&listed, &not_listed] {
        std::fs::create_dir(folder).unwrap();
        sample_workbook::write_sample(&folder.join(WORKBOOK)).unwrap();
    }
    let host = test_support::Setup::new().plugin(test_support::EXCEL).configuration(&configuration).start();
    let listed = listed.join(WORKBOOK);
    for (file, workbook) in [(WORKBOOK, host.workbook()), (listed.to_str().unwrap(), listed.clone())] {
        let client = host.client(Dialect::Message).connection(GUID);
        let filename = [("Filename", Some(file))].into_iter().collect();
        client.ok(Request::SaveConnection { connection_info: Some(filename) });
        let created =
            client.ok(Request::CreateActor { actor: Some(customer(None, &[("NAME", "Isolated")])) });
        let key = created.actors[0].key.clone();
        assert!(row(&workbook, "Customer", &key).values().any(|value| value == "Isolated"));
    }
    let file = not_listed.join(WORKBOOK);
    let client = host.client(Dialect::Message).connection(GUID);
    let filename = [("Filename", file.to_str())].into_iter().collect();
    let answer = client.call(Request::SaveConnection { connection_info: Some(filename) });
    let answer =
        if answer.state == values::State::Error { answer } else { client.call(Request::TestConnection) };
    assert!(answer.user.contains("[connectors.Excel.worker] write"), "{answer:?}");
}
