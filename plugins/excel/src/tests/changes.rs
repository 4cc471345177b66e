//! Concurrency and time: the file changes, writers compete, clocks go back.

use std::collections::BTreeSet;
use std::sync::Arc;

use plugin_api::{Connection, DateTime};

use super::archive::with_entry;
use super::kit::*;

fn rename(place: &WorkbookFolder, from: &'static str, to: &'static str) {
    // In place, as some programs do.
    let bytes = std::fs::read(place.path()).unwrap();
    let bytes = with_entry(&bytes, "xl/sharedStrings.xml", |xml| {
        assert!(xml.contains(from), "{xml}");
        xml.replace(&format!(">{from}<"), &format!(">{to}<"))
    });
    std::fs::write(place.path(), bytes).unwrap();
}

#[test]
fn changed_file_is_read_again() {
    let place = WorkbookFolder::with(&customers());
    let connection = place.connect();
    rename(&place, "Alfa", "Omega");
    assert_eq!(get(&connection, "Customer", "1001").field("NAME"), Some(Some("Omega")));
    // Replaced by another file.
    let other = place.folder.path().join("other.xlsx");
    let mut sheets = customers();
    sheets[0].1.pop();
    write(&other, &sheets);
    std::fs::rename(other, place.path()).unwrap();
    assert_eq!(actors(&connection, "Customer").len(), 2);
    let loads = connection.file().loads();
    assert_eq!(loads, 3);
    // Touched, but the same.
    let bytes = std::fs::read(place.path()).unwrap();
    std::fs::write(place.path(), bytes).unwrap();
    assert_eq!(actors(&connection, "Customer").len(), 2);
    assert_eq!(connection.file().loads(), loads);
}

#[test]
fn damaged_file_is_an_error_until_it_is_repaired() {
    let place = WorkbookFolder::with(&customers());
    let connection = place.connect();
    let whole = std::fs::read(place.path()).unwrap();
    std::fs::write(place.path(), &whole[..whole.len() / 2]).unwrap();
    let error = connection.test(&Context::default()).unwrap_err().user_text();
    assert!(error.contains("damaged or only half written"), "{error}");
    let half = std::fs::read(place.path()).unwrap();
    assert!(save(&connection, &[actor("Customer", "1001", &[("NAME", Some("x"))])]).is_err());
    assert_eq!(std::fs::read(place.path()).unwrap(), half);
    std::fs::remove_file(place.path()).unwrap();
    let error = connection.test(&Context::default()).unwrap_err().user_text();
    assert!(error.contains("there is no workbook \"book.xlsx\""), "{error}");
    std::fs::write(place.path(), &whole).unwrap();
    assert_eq!(get(&connection, "Customer", "1001").field("NAME"), Some(Some("Alfa")));
}

#[test]
fn save_keeps_what_another_program_wrote() {
    let place = WorkbookFolder::with(&customers());
    let connection = place.connect();
    rename(&place, "Beta", "By hand");
    save(&connection, &[actor("Customer", "1001", &[("NAME", Some("By us"))])]).unwrap();
    let reopened = place.connect_at(0);
    assert_eq!(get(&reopened, "Customer", "1001").field("NAME"), Some(Some("By us")));
    assert_eq!(get(&reopened, "Customer", "1002").field("NAME"), Some(Some("By hand")));
}

#[test]
fn change_during_the_write_is_not_lost() {
    let place = Arc::new(WorkbookFolder::with(&customers()));
    let connection = place.connect();
    let (inner, mut left) = (Arc::clone(&place), 1);
    *connection.file().before_replacing.lock().unwrap() = Some(Box::new(move || {
        if left > 0 {
            left -= 1;
            rename(&inner, "Beta", "Meanwhile");
        }
    }));
    save(&connection, &[actor("Customer", "1001", &[("NAME", Some("By us"))])]).unwrap();
    let reopened = place.connect_at(0);
    assert_eq!(get(&reopened, "Customer", "1001").field("NAME"), Some(Some("By us")));
    assert_eq!(get(&reopened, "Customer", "1002").field("NAME"), Some(Some("Meanwhile")));

    // Somebody who never stops wins.
    let inner = Arc::clone(&place);
    *connection.file().before_replacing.lock().unwrap() = Some(Box::new(move || {
        let bytes = std::fs::read(inner.path()).unwrap();
        std::fs::remove_file(inner.path()).unwrap();
        std::fs::write(inner.path(), bytes).unwrap();
    }));
    let before = std::fs::read(place.path()).unwrap();
    let (text, _) = error_of(save(&connection, &[actor("Customer", "1001", &[("NAME", Some("Again"))])]));
    assert!(text.contains("again and again"), "{text}");
    assert_eq!(std::fs::read(place.path()).unwrap(), before);
}

#[test]
fn workbook_that_is_open_elsewhere_is_not_written() {
    for (owner, program) in [("~$book.xlsx", "Excel"), (".~lock.book.xlsx#", "LibreOffice")] {
        let place = WorkbookFolder::with(&customers());
        let connection = place.connect();
        let before = std::fs::read(place.path()).unwrap();
        std::fs::write(place.folder.path().join(owner), "Anna").unwrap();
        let (text, _) = error_of(create(&connection, &actor("Customer", "", &[])));
        assert!(text.contains(&format!("is open in {program}")), "{text}");
        assert_eq!(std::fs::read(place.path()).unwrap(), before);
        // Reading goes on.
        assert_eq!(actors(&connection, "Customer").len(), 3);
        std::fs::remove_file(place.folder.path().join(owner)).unwrap();
        create(&connection, &actor("Customer", "", &[])).unwrap();
    }
}

#[test]
fn concurrent_writers_lose_nothing() {
    let place = WorkbookFolder::with(&customers());
    // Two connections that share the file in memory, and one that shares only the disk with them, like another process.
    let connections = [place.connect(), place.connect(), place.connect_at(7)];
    let created: Vec<_> = std::thread::scope(|scope| {
        let writers: Vec<_> = connections
            .iter()
            .enumerate()
            .map(|(writer, connection)| {
                scope.spawn(move || {
                    let mut done = Vec::new();
                    for turn in 0..8 {
                        let name = format!("{writer}-{turn}");
                        let new = actor("Customer", "", &[("NAME", Some(&name))]);
                        done.push(create(connection, &new).unwrap());
                        let key = ["1001", "1002", "1003"][turn % 3];
                        done.extend(
                            save(connection, &[actor("Customer", key, &[("NAME", Some(&name))])]).unwrap(),
                        );
                        assert!(actors(connection, "Customer").len() >= 3 + turn);
                    }
                    done
                })
            })
            .collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    for done in &created {
        assert!(done.windows(2).all(|pair| stamp(&pair[0]) < stamp(&pair[1])), "stamps grow");
    }
    let new: Vec<_> = created
        .iter()
        .flatten()
        .filter(|actor| !actor.key.starts_with("100") || actor.key.as_str() > "1003")
        .collect();
    let keys: BTreeSet<_> = new.iter().map(|actor| actor.key.clone()).collect();
    assert_eq!(keys.len(), 24, "every key is given once");
    let stamps: BTreeSet<_> = created.iter().flatten().map(|actor| actor.last_modified.clone()).collect();
    assert_eq!(stamps.len(), 48, "every stamp is given once");
    let reopened = place.connect_at(0);
    assert_eq!(actors(&reopened, "Customer").len(), 27);
    for actor in new {
        assert_eq!(get(&reopened, "Customer", &actor.key), *actor);
    }
}

#[test]
fn stamps_grow_when_the_clock_stands_still_or_goes_back() {
    let place = WorkbookFolder::with(&customers());
    let connection = place.connect_at(86_400);
    let mut last = get(&connection, "Customer", "1003");
    for turn in 0..5 {
        let name = turn.to_string();
        let saved =
            save(&connection, &[actor("Customer", "1001", &[("NAME", Some(&name))])]).unwrap().remove(0);
        assert!(stamp(&saved) > stamp(&last), "{saved:?} {last:?}");
        last = saved;
    }
    assert_eq!(last.last_modified.as_deref(), Some("2026-01-02T00:00:00.0040000"));
    // A day earlier, in another process.
    let earlier = place.connect_at(0);
    assert_eq!(get(&earlier, "Customer", "1001"), last);
    let saved = save(&earlier, &[actor("Customer", "1001", &[("NAME", Some("Back"))])]).unwrap().remove(0);
    assert!(stamp(&saved) > stamp(&last));
    assert_eq!(changed_since(&earlier, "Customer", saved.last_modified.as_deref().unwrap()), ["1001"]);
}

#[test]
fn stamps_grow_after_one_from_the_future() {
    let mut sheets = customers();
    sheets[0].1[2][7] = D("2099-12-31T23:59:59");
    let place = WorkbookFolder::with(&sheets);
    let saved = save(&place.connect(), &[actor("Customer", "1001", &[])]).unwrap().remove(0);
    assert_eq!(saved.last_modified.as_deref(), Some("2099-12-31T23:59:59.0010000"));
    assert_eq!(get(&place.connect_at(0), "Customer", "1001"), saved);
}

#[test]
fn stamps_are_texts_where_the_column_holds_texts() {
    let mut sheets = customers();
    for (row, text) in [(1, "2026-01-01T12:00:00"), (2, "2026-01-01 12:00"), (3, "last week")] {
        sheets[0].1[row][7] = T(text);
    }
    let place = WorkbookFolder::with(&sheets);
    let connection = place.connect_at(86_400);
    assert_eq!(
        get(&connection, "Customer", "1002").last_modified.as_deref(),
        Some("2026-01-01T12:00:00.0000000")
    );
    // The time of the change is unknown: the row gets the newest stamp.
    assert_eq!(
        get(&connection, "Customer", "1003").last_modified.as_deref(),
        Some("2026-01-02T00:00:00.0000000")
    );
    let saved = save(&connection, &[actor("Customer", "1001", &[("NAME", Some("x"))])]).unwrap().remove(0);
    let bytes = std::fs::read(place.path()).unwrap();
    let sheet = super::archive::entry(&bytes, "xl/worksheets/sheet1.xml");
    assert!(sheet.contains(saved.last_modified.as_deref().unwrap()), "{sheet}");
    assert_eq!(get(&place.connect_at(0), "Customer", "1001"), saved);
}

fn stamps(connection: &crate::ExcelConnection) -> Vec<DateTime> {
    actors(connection, "Customer").iter().map(stamp).collect()
}

#[test]
fn change_by_hand_gets_a_stamp_without_last_modified() {
    let place = WorkbookFolder::with(&customers());
    let connection = place.connect_at(86_400);
    let before = stamps(&connection);
    rename(&place, "Beta", "By hand");
    let newest = "2026-01-01T12:02:00.0010000";
    assert_eq!(changed_since(&connection, "Customer", newest), ["1002"]);
    let after = stamps(&connection);
    assert_eq!((after[0], after[2]), (before[0], before[2]));
    // After a restart it still has that stamp, and a change made meanwhile is seen too.
    rename(&place, "Gamma", "While we were away");
    let restarted = place.connect_at(2 * 86_400);
    assert_eq!(stamps(&restarted)[..2], after[..2]);
    let newest = before.iter().chain(&after).max().unwrap();
    assert_eq!(changed_since(&restarted, "Customer", &newest.to_sortable()), ["1002", "1003"]);
    assert!(stamps(&restarted)[2] > *newest);
}

#[test]
fn sheet_without_last_modified_gets_stamps_for_every_change() {
    let mut sheets = customers();
    for row in &mut sheets[0].1 {
        row.pop();
    }
    let place = WorkbookFolder::with(&sheets);
    let connection = place.connect_at(0);
    let first = stamps(&connection);
    assert!(first.iter().all(|stamp| *stamp == first[0]));
    // Ours.
    let saved = save(&connection, &[actor("Customer", "1003", &[("NAME", Some("Ours"))])]).unwrap().remove(0);
    assert!(stamp(&saved) > first[0]);
    assert_eq!(changed_since(&connection, "Customer", saved.last_modified.as_deref().unwrap()), ["1003"]);
    let created = create(&connection, &actor("Customer", "", &[])).unwrap();
    // By hand.
    rename(&place, "Alfa", "Theirs");
    let after = stamps(&connection);
    assert_eq!(after[1], first[1]);
    assert!(after[0] > stamp(&created) && stamp(&created) > stamp(&saved));
    assert_eq!((after[2], after[3]), (stamp(&saved), stamp(&created)));
    // A restart forgets nothing.
    assert_eq!(stamps(&place.connect_at(10)), after);
    // With the ledger lost, everything is as new as now: sent once more, nothing missed.
    std::fs::remove_dir_all(place.folder.path().join(".stamps")).unwrap();
    let lost = stamps(&place.connect_at(20));
    assert!(lost.iter().all(|stamp| *stamp > *after.iter().max().unwrap()), "{lost:?}");
}

#[test]
fn damaged_ledger_is_replaced() {
    let place = WorkbookFolder::with(&customers());
    let before = stamps(&place.connect_at(0));
    let folder = place.folder.path().join(".stamps");
    let ledger = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&ledger).unwrap();
    for length in [0, 7, bytes.len() - 1] {
        std::fs::write(&ledger, &bytes[..length]).unwrap();
        assert_eq!(stamps(&place.connect_at(0)), before);
    }
    bytes[20] ^= 1;
    std::fs::write(&ledger, &bytes).unwrap();
    assert_eq!(stamps(&place.connect_at(0)), before);
}

#[test]
fn column_last_modified_of_formulas_is_not_used() {
    let mut sheets = customers();
    for row in 1..=3 {
        sheets[0].1[row][7] = X("=NOW()", "46000");
    }
    let place = WorkbookFolder::with(&sheets);
    let connection = place.connect_at(0);
    let text = outcome_of_test(&connection).user.unwrap();
    assert!(text.contains("LastModified of the sheet Customer holds formulas"), "{text}");
    let saved = save(&connection, &[actor("Customer", "1001", &[("NAME", Some("x"))])]).unwrap().remove(0);
    assert_eq!(changed_since(&connection, "Customer", saved.last_modified.as_deref().unwrap()), ["1001"]);
}

#[test]
fn sheet_that_comes_back_hides_no_change() {
    let place = WorkbookFolder::with(&customers());
    let connection = place.connect_at(0);
    let first = get(&connection, "Customer", "1002");
    rename(&place, "Beta", "Changed");
    let second = get(&connection, "Customer", "1002");
    assert!(stamp(&second) > stamp(&first));
    let with_sheet = std::fs::read(place.path()).unwrap();
    write(&place.path(), &[("Project", vec![vec![T("ID")], vec![N(1.0)]])]);
    assert_eq!(actor_types(&connection), ["Project"]);
    std::fs::write(place.path(), with_sheet).unwrap();
    rename(&place, "Changed", "Beta");
    let third = get(&connection, "Customer", "1002");
    assert_eq!(third.field("NAME"), first.field("NAME"));
    assert!(stamp(&third) > stamp(&second), "{third:?} {second:?}");
}

#[test]
fn written_workbook_is_cached() {
    let place = WorkbookFolder::with(&customers());
    let connection = place.connect();
    for turn in 0..3 {
        let name = turn.to_string();
        create(&connection, &actor("Customer", "", &[("NAME", Some(&name))])).unwrap();
        assert_eq!(actors(&connection, "Customer").len(), 4 + turn);
        // Read from the disk it is the same.
        assert_eq!(actors(&connection, "Customer"), actors(&place.connect_at(0), "Customer"));
    }
    assert_eq!(connection.file().loads(), 1);
    // Somebody who changes it in the same moment is seen all the same.
    save(&connection, &[actor("Customer", "1001", &[("NAME", Some("Ours"))])]).unwrap();
    rename(&place, "Beta", "Beth");
    assert_eq!(get(&connection, "Customer", "1002").field("NAME"), Some(Some("Beth")));
}
