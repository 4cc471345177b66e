//! Workbooks as many programs lay them out: what the connector writes stands where it should, everything else is as it was,
//! and other programs open the result.
//!
//! Public workbooks can be tried too, a folder of them in `ERP_HOST_WORKBOOKS`: in each, the first sheet becomes `Customer` and
//! its first heading `ID`.

mod kept;
mod layouts;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use contract::{Actor, Dialect, Dictionary, Request};
use test_support::soap::{Answer, Client};
use test_support::{TestHost, tools};
use values::State;

use kept::{LocalName, Parts};

/// A host, and the folder that its workbooks lie in.
fn host() -> (TestHost, PathBuf) {
    let host = TestHost::with_excel();
    let folder = host.data().join("excel");
    (host, folder)
}

/// A connection to a workbook; the answer to its being saved.
fn connected(host: &TestHost, number: usize, file: &str) -> (Client, Answer) {
    let client = host.client(Dialect::Message).connection(&format!("eeeeeeee-0000-4000-8000-{number:012}"));
    let connection_info = Some(Dictionary::from_iter([("Filename", Some(file))]));
    let answer = client.call(Request::SaveConnection { connection_info });
    (client, answer)
}

fn actor<'a>(key: Option<&'a str>, fields: &'a [(&'a str, Option<&'a str>)]) -> Actor<'a> {
    Actor {
        actor_type: Some("Customer".into()),
        erp_key: key.map(Into::into),
        field_values: Some(fields.iter().copied().collect()),
        ..Actor::default()
    }
}

fn get(client: &Client, key: &str) -> Answer {
    client.ok(Request::GetActors {
        actor_type: Some("Customer".into()),
        erp_keys: Some(vec![Some(key.to_owned().into())]),
        field_keys: None,
    })
}

/// The part of a name, whatever its case.
fn part<'p>(parts: &'p Parts, name: &str) -> &'p [u8] {
    let found = parts.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.unwrap_or_else(|| panic!("no part {name}: {:?}", parts.keys())).1
}

fn strings(parts: &Parts) -> Vec<String> {
    let found = parts.keys().find(|name| name.eq_ignore_ascii_case("xl/sharedStrings.xml"));
    found.map(|name| kept::strings(&kept::text(&parts[name]))).unwrap_or_default()
}

/// Names of the parts that differ.
fn changed(before: &Parts, after: &Parts) -> BTreeSet<String> {
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    let differ = before.iter().filter(|(name, bytes)| after[*name] != **bytes);
    differ.map(|(name, _)| name.to_lowercase()).collect()
}

/// The elements of a part with their attributes, one a line.
fn elements(text: &str) -> Vec<String> {
    let document = roxmltree::Document::parse(text).expect("well-formed XML");
    let line = |node: roxmltree::Node<'_, '_>| {
        let attributes: Vec<_> =
            node.attributes().map(|found| format!("{}={}", found.name(), found.value())).collect();
        format!("{} {}", node.tag_name().name(), attributes.join(" "))
    };
    document.descendants().filter(|node| node.is_element()).map(line).collect()
}

#[test]
fn every_layout_is_read_and_written_without_harm() {
    let (host, folder) = host();
    for (number, layout) in layouts::ALL.iter().enumerate() {
        let name = layout.name;
        let file = format!("{name}.xlsx");
        std::fs::write(folder.join(&file), layout.workbook()).unwrap();
        let (client, answer) = connected(&host, number, &file);
        assert_eq!(answer.state, State::Ok, "{name}: {answer:?}");

        let created = [
            ("NAME", Some(" Ny & Rar <AS>\r\n_x0041_ 🦀 ")),
            ("EMAIL", Some("ny@example.org")),
            ("Credit", Some("[F:-0.25]")),
            ("Since", Some("[DT:11/21/2026 21:36:00.0000000]")),
            ("Active", Some("[I:1]")),
        ];
        let saved = [("NAME", Some("Endret")), ("EMAIL", Some("new@example.org")), ("Credit", None)];
        let before = kept::parts(&std::fs::read(folder.join(&file)).unwrap()).unwrap();
        let answer = client.ok(Request::CreateActor { actor: Some(actor(None, &created)) });
        assert_eq!(answer.keys(), ["C-004"], "{name}");
        client.ok(Request::SaveActors { actors: Some(vec![actor(Some("C-001"), &saved)]) });
        let after = kept::parts(&std::fs::read(folder.join(&file)).unwrap()).unwrap();

        for (key, fields) in [("C-004", &created[..]), ("C-001", &saved[..])] {
            let read = get(&client, key);
            for (field, value) in fields {
                assert_eq!(read.actors[0].field(field), value.unwrap_or_default(), "{name} {key} {field}");
            }
        }
        assert_eq!(get(&client, "C-002").actors[0].field("NAME"), "Bær & <Sønn> 2 日本", "{name}");
        unharmed(name, &before, &after, layout.has_table());
    }
}

/// The sheet holds what was written and everything else as before; other parts differ only where they must.
fn unharmed(name: &str, before: &Parts, after: &Parts, has_table: bool) {
    let sheet = "xl/worksheets/sheet1.xml";
    let (old, new) = (part(before, sheet), part(after, sheet));
    assert_eq!(kept::beginning(old), kept::beginning(new), "{name}: the encoding stays");
    let (strings, new_strings) = (strings(before), strings(after));
    let old = kept::cells(&kept::text(old), &strings).unwrap();
    let new = kept::cells(&kept::text(new), &new_strings).unwrap();
    let is_total = |row: u32| has_table && row == layouts::CUSTOMERS + 1 && old.contains_key(&(row, 0));
    for ((row, column), cell) in &old {
        // What was saved in the first customer, and totals that have moved down.
        if *row == 1 && [1, 2, 3].contains(column) {
            continue;
        }
        let place = if is_total(*row) { (*row + 1, *column) } else { (*row, *column) };
        assert_eq!(new.get(&place), Some(cell), "{name}: row {row} column {column}");
    }
    assert_eq!(new[&(1, 1)], "text|Endret||0", "{name}");
    assert_eq!(new[&(4, 0)], "text|C-004||0", "{name}");
    assert_eq!(new[&(4, 3)], "n|-0.25||2", "{name}");

    let mut expected = BTreeSet::from([sheet.to_owned(), "xl/worksheets/_rels/sheet1.xml.rels".to_owned()]);
    let calculates =
        |parts: &Parts| kept::text(part(parts, "xl/workbook.xml")).contains("fullCalcOnLoad=\"1\"");
    if !calculates(before) {
        expected.insert("xl/workbook.xml".to_owned());
    }
    if has_table {
        expected.insert("xl/tables/table1.xml".to_owned());
    }
    assert_eq!(changed(before, after), expected, "{name}");
    assert!(calculates(after), "{name}: the results of formulas are stale");
    for part_name in &expected {
        let (old, new) = (part(before, part_name), part(after, part_name));
        assert_eq!(kept::beginning(old), kept::beginning(new), "{name} {part_name}");
        if part_name == sheet {
            continue;
        }
        let (old, new) = (elements(&kept::text(old)), elements(&kept::text(new)));
        let differ: Vec<&String> = new.iter().filter(|line| !old.contains(line)).collect();
        for line in differ {
            let is_meant = match part_name.as_str() {
                "xl/workbook.xml" => line.starts_with("calcPr") && line.contains("fullCalcOnLoad=1"),
                "xl/tables/table1.xml" => {
                    line.contains(if is_total(4) { "ref=A1:G6" } else { "ref=A1:G5" })
                        || line == "autoFilter ref=A1:G5"
                }
                _ => line.contains("Target=mailto:new@example.org"),
            };
            assert!(is_meant, "{name} {part_name}: {line}");
        }
    }
}

#[test]
fn reported_types_survive_a_restart_until_the_connection_is_saved_again() {
    let (mut host, folder) = host();
    let workbook = folder.join("types.xlsx");
    std::fs::write(&workbook, layouts::ALL[0].workbook()).unwrap();
    let type_of_credit = |client: &Client| {
        let answer = client.ok(Request::GetSupportedActorTypeFields { actor_type: Some("Customer".into()) });
        answer.fields.into_iter().find(|field| field.key == "Credit").unwrap().field_type
    };
    let (client, _) = connected(&host, 0, "types.xlsx");
    assert_eq!(type_of_credit(&client), "Double");

    // A person types a remark into the column.
    let sheet = "xl/worksheets/sheet1.xml";
    let with_remark = |bytes: &[u8]| {
        let mut parts: Vec<(String, Vec<u8>)> = kept::parts(bytes).unwrap().into_iter().collect();
        for (_, text) in parts.iter_mut().filter(|(name, _)| name == sheet) {
            let number = "<c r=\"D3\" s=\"2\"><v>21</v></c>";
            let remark = "<c r=\"D3\" t=\"inlineStr\"><is><t>ask Kari</t></is></c>";
            let new = kept::text(text).replace(number, remark);
            assert!(new.contains("ask Kari"));
            *text = new.into_bytes();
        }
        packed(&parts)
    };
    std::fs::write(&workbook, with_remark(&std::fs::read(&workbook).unwrap())).unwrap();
    assert_eq!(type_of_credit(&client), "Double");
    host.stop();
    host.start();
    let client = host.client(Dialect::Message).connection("eeeeeeee-0000-4000-8000-000000000000");
    assert_eq!(type_of_credit(&client), "Double");
    let warning = client.call(Request::TestConnection);
    assert_eq!(warning.state, State::Warning);
    assert!(warning.user.contains("row 3 does not fit with \"ask Kari\""), "{warning:?}");
    client.ok(Request::SaveActors {
        actors: Some(vec![actor(Some("C-001"), &[("Credit", Some("[F:50.25]"))])]),
    });
    let parts = kept::parts(&std::fs::read(&workbook).unwrap()).unwrap();
    assert!(kept::text(part(&parts, sheet)).contains("<c r=\"D2\" s=\"2\"><v>50.25</v></c>"));

    let (client, _) = connected(&host, 0, "types.xlsx");
    assert_eq!(type_of_credit(&client), "Text", "saved again");
}

#[test]
fn openpyxl_and_libreoffice_open_what_was_written() {
    let (Some(python), Some(soffice)) = (tools::python_with_openpyxl(), tools::libreoffice()) else { return };
    let (host, folder) = host();
    let (originals, results) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut names = Vec::new();
    for (number, layout) in layouts::ALL.iter().enumerate() {
        let file = format!("{}.xlsx", layout.name);
        std::fs::write(folder.join(&file), layout.workbook()).unwrap();
        std::fs::copy(folder.join(&file), originals.path().join(&file)).unwrap();
        let (client, answer) = connected(&host, number, &file);
        assert_eq!(answer.state, State::Ok, "{file}: {answer:?}");
        let fields = [("NAME", Some("Ny kunde")), ("Credit", Some("[F:1.5]"))];
        client.ok(Request::CreateActor { actor: Some(actor(None, &fields)) });
        let saved = actor(Some("C-001"), &[("NAME", Some("Endret"))]);
        client.ok(Request::SaveActors { actors: Some(vec![saved]) });
        std::fs::copy(folder.join(&file), results.path().join(&file)).unwrap();
        names.push(file);
    }

    // What a program did not open before (backslashes in names, UTF-16 without a mark) it need not open afterwards.
    let script = "import sys, openpyxl\n\
                  before, after = sys.argv[1:3]\n\
                  for name in sys.argv[3:]:\n    \
                      try: openpyxl.load_workbook(before + '/' + name)\n    \
                      except KeyError: continue\n    \
                      rows = list(openpyxl.load_workbook(after + '/' + name)['Customer'].values)\n    \
                      created = next(row for row in rows if row[1] == 'Ny kunde')\n    \
                      assert created[0] == 'C-004' and created[3] == 1.5, (name, created)\n    \
                      assert rows[1][1] == 'Endret', (name, rows)\n    \
                      print(name)\n";
    let mut openpyxl = Command::new(python);
    openpyxl.args(["-c", script]).arg(originals.path()).arg(results.path()).args(&names);
    let output = openpyxl.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let opened = String::from_utf8_lossy(&output.stdout).lines().count();
    assert!(opened >= names.len() - 1, "openpyxl opened {opened} of {}", names.len());

    let (before, after) =
        (as_csv(&soffice, originals.path(), &names), as_csv(&soffice, results.path(), &names));
    assert!(before.len() >= names.len() - 2, "LibreOffice opened {:?}", before.keys());
    for name in before.keys() {
        let text = after.get(name).unwrap_or_else(|| panic!("LibreOffice does not open {name} any more"));
        assert!(text.contains("C-004,Ny kunde,") && text.contains("C-001,Endret,"), "{name}: {text}");
    }
}

/// The first sheets as LibreOffice reads them, without quotes, by the names of the files that it opens.
fn as_csv(soffice: &Path, folder: &Path, names: &[String]) -> BTreeMap<String, String> {
    let (profile, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut command = Command::new(soffice);
    command.arg(format!("-env:UserInstallation=file://{}", profile.path().display()));
    // Commas, double quotes, UTF-8.
    command.args(["--headless", "--convert-to", "csv:Text - txt - csv (StarCalc):44,34,76,1", "--outdir"]);
    command.arg(out.path()).args(names.iter().map(|name| folder.join(name)));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = |name: &String| {
        let text = std::fs::read_to_string(out.path().join(name).with_extension("csv")).ok()?;
        Some((name.clone(), text.replace('"', "")))
    };
    names.iter().filter_map(text).collect()
}

#[test]
fn public_workbooks_are_not_harmed() {
    let Some(folder) = std::env::var_os("ERP_HOST_WORKBOOKS") else { return };
    let (host, data) = host();
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("ERP_HOST_WORKBOOKS names no folder, {}: {error}", folder.display()))
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    let (mut tried, mut faults) = (0, Vec::new());
    for (number, file) in files.iter().enumerate() {
        let Some(workbook) = std::fs::read(file).ok().and_then(|bytes| as_customers(&bytes)) else {
            continue;
        };
        let name = format!("{number}.xlsx");
        std::fs::write(data.join(&name), &workbook).unwrap();
        let (client, answer) = connected(&host, 1000 + number, &name);
        if answer.state != State::Ok {
            println!("{}: {} {}", file.display(), answer.user, answer.tech);
            continue;
        }
        tried += 1;
        let before = kept::parts(&workbook).unwrap();
        let answer = client.call(Request::CreateActor { actor: Some(actor(Some("ny"), &[])) });
        println!("{}: {} {}", file.display(), answer.state, answer.user);
        let after = std::fs::read(data.join(&name)).unwrap();
        if answer.state != State::Ok {
            if after != workbook {
                faults.push(format!("{}: changed by a call that failed", file.display()));
            }
            continue;
        }
        let after = kept::parts(&after).unwrap();
        for name in changed(&before, &after) {
            let (old, new) = (kept::text(part(&before, &name)), kept::text(part(&after, &name)));
            if let Err(error) = roxmltree::Document::parse(&new) {
                faults.push(format!("{} {name}: {error}", file.display()));
                continue;
            }
            if !name.contains("/worksheets/") || name.ends_with(".rels") {
                continue;
            }
            let (old, new) = (kept::cells(&old, &strings(&before)), kept::cells(&new, &strings(&after)));
            let lost = old.and_then(|old| {
                let new = new?;
                let new_row = new.iter().find(|(_, cell)| cell.contains("|ny|")).map(|((row, _), _)| *row);
                let kept = |(at, cell): &(&(u32, u32), &String)| {
                    // The new row may use cells that are there and hold nothing.
                    let is_free = Some(at.0) == new_row && cell.split('|').skip(1).take(2).all(str::is_empty);
                    is_free || new.get(*at) == Some(*cell)
                };
                Ok(old.len() - old.iter().filter(kept).count())
            });
            match lost {
                Ok(0) => {}
                // They move down.
                Ok(_) if has_totals(&before) => {}
                Ok(lost) => faults.push(format!("{} {name}: {lost} cells are not as before", file.display())),
                Err(error) => faults.push(format!("{} {name}: {error}", file.display())),
            }
        }
        if get(&client, "ny").keys() != ["ny"] {
            faults.push(format!("{}: the new customer is not found", file.display()));
        }
    }
    println!("{tried} of {} files tried", files.len());
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn has_totals(parts: &Parts) -> bool {
    parts
        .iter()
        .any(|(name, bytes)| name.starts_with("xl/tables/") && kept::text(bytes).contains("totalsRowCount"))
}

/// A workbook with its first sheet renamed and its first heading changed to `ID`; `None` if it is none.
fn as_customers(workbook: &[u8]) -> Option<Vec<u8>> {
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(workbook)).ok()?;
    let mut entries: Vec<(String, Vec<u8>)> = Vec::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).ok()?;
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut bytes).ok()?;
        entries.push((entry.name().ok()?.into_owned(), bytes));
    }
    let entry = |name: &str| entries.iter().position(|(known, _)| known == name);
    let (book, rels) = (entry("xl/workbook.xml")?, entry("xl/_rels/workbook.xml.rels")?);
    let utf_8 = |at: usize| String::from_utf8(entries[at].1.clone()).ok();
    let (book_text, rels_text) = (utf_8(book)?, utf_8(rels)?);
    let plain = |text: &str| text.trim_start_matches('\u{feff}').to_owned();
    let (id, name_range) = {
        let text = plain(&book_text);
        let document = roxmltree::Document::parse(&text).ok()?;
        let sheet = document.descendants().find(|node| node.has_tag_name_of("sheet"))?;
        let id = sheet
            .attributes()
            .find(|attribute| attribute.name() == "id" && attribute.namespace().is_some())?;
        let name = sheet.attribute_node("name")?.range_value();
        let shift = book_text.len() - text.len();
        (id.value().to_owned(), name.start + shift..name.end + shift)
    };
    let rels_text = plain(&rels_text);
    let document = roxmltree::Document::parse(&rels_text).ok()?;
    let target =
        document.descendants().find(|node| node.attribute("Id") == Some(&id))?.attribute("Target")?;
    let target = target.strip_prefix('/').map_or_else(|| format!("xl/{target}"), str::to_owned);
    let sheet = entry(&target)?;
    let sheet_text = utf_8(sheet)?;
    let cell = {
        let text = plain(&sheet_text);
        let shift = sheet_text.len() - text.len();
        let document = roxmltree::Document::parse(&text).ok()?;
        let holds = |node: &roxmltree::Node<'_, '_>| {
            node.has_tag_name_of("c")
                && node.children().any(|child| child.has_tag_name_of("v") || child.has_tag_name_of("is"))
        };
        let cell = document.descendants().find(holds)?;
        let prefix = text[cell.range().start + 1..].split(['c', ' ']).next().unwrap_or_default().to_owned();
        let name = cell.attribute("r").map(|name| format!(" r=\"{name}\"")).unwrap_or_default();
        let new = format!(
            "<{prefix}c{name} t=\"inlineStr\"><{prefix}is><{prefix}t>ID</{prefix}t></{prefix}is></{prefix}c>"
        );
        (cell.range().start + shift..cell.range().end + shift, new)
    };
    let mut book_text = book_text;
    book_text.replace_range(name_range, "Customer");
    let mut sheet_text = sheet_text;
    sheet_text.replace_range(cell.0, &cell.1);
    entries[book].1 = book_text.into_bytes();
    entries[sheet].1 = sheet_text.into_bytes();
    Some(packed(&entries))
}

/// An archive of these entries.
fn packed(entries: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        std::io::Write::write_all(&mut archive, bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}
