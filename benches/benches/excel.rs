//! A workbook of 10,000 customers: opening it, finding some of them once it is open, and saving one.

use std::error::Error;
use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use erp_host_conformance::testing;
use excel_connector::ExcelConnector;
use plugin_api::abi::client;
use plugin_api::{Actor, Connection, Connector, Context, Operator, Restriction, Settings, actor_type};
use rust_xlsxwriter::Workbook;

const ROWS: u32 = 10_000;

fn write(path: &Path) -> Result<(), Box<dyn Error>> {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet().set_name(actor_type::CUSTOMER)?;
    for (column, heading) in
        ["ID", "Name", "Address", "Zip", "City", "Email", "Phone", "Credit"].into_iter().enumerate()
    {
        sheet.write(0, u16::try_from(column)?, heading)?;
    }
    for row in 1..=ROWS {
        sheet.write(row, 0, format!("C{row}"))?;
        // Every fourth name is not ASCII, as in a Nordic customer list.
        let name = if row % 4 == 0 { "Sønner & Blåbær nr" } else { "Customer number" };
        sheet.write(row, 1, format!("{name} {row} AS"))?;
        sheet.write(row, 2, format!("Storgata {row}"))?;
        sheet.write(row, 3, format!("{:04}", row % 10_000))?;
        sheet.write(row, 4, ["Oslo", "Bergen", "Tromsø"][row as usize % 3])?;
        sheet.write(row, 5, format!("post{row}@example.org"))?;
        sheet.write(row, 6, format!("+47 22 {row}"))?;
        sheet.write(row, 7, f64::from(row))?;
    }
    workbook.save(path)?;
    Ok(())
}

fn searches() -> Vec<(&'static str, Restriction)> {
    vec![
        ("search =", Restriction::new("NAME", Operator::Equal, ["customer number 9001 as"])),
        ("search contains", Restriction::new("NAME", Operator::Contains, ["BÆR NR 9004"])),
        ("search begins", Restriction::new("NAME", Operator::Begins, ["customer number 9001"])),
        ("search number", Restriction::new("Credit", Operator::Equal, ["[F:9001]"])),
    ]
}

#[allow(clippy::expect_used)] // Without a workbook there is nothing to measure.
fn excel(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("large.xlsx");
    write(&file).expect("the workbook is written");
    let settings = Settings::from([("Filename", file.to_str().unwrap_or_default())]);
    // A connector keeps what it has read: only another one opens the workbook anew.
    let options = || vec![("roots".to_owned(), folder.path().display().to_string())];
    let host = || client::host("0.0.0", folder.path(), options());
    let open = || {
        ExcelConnector::new(&host()).and_then(|connector| connector.connect(&Context::default(), &settings))
    };

    let mut group = criterion.benchmark_group("excel, 10000 rows");
    group.sample_size(10);
    group.bench_function("open", |bencher| bencher.iter(|| black_box(open().is_ok())));
    let connection = open().expect("the workbook opens");
    let customer = actor_type::CUSTOMER;
    let mut turn = 0;
    group.bench_function("save", |bencher| {
        bencher.iter(|| {
            turn += 1;
            let mut actor = Actor::new(customer, "C5000");
            actor.fields = vec![("NAME".to_owned(), Some(format!("Saved {turn} times")))];
            assert_eq!(testing::save(&connection, &[actor]).actors.len(), 1);
        });
    });
    group.sample_size(50);
    group.bench_function("get by key", |bencher| {
        bencher.iter(|| {
            let found =
                testing::collect(customer, None, |cx, rows| connection.get(cx, customer, &["C9001"], rows));
            assert_eq!(found.map(|actors| actors.len()).ok(), Some(1));
        });
    });
    for (name, restriction) in searches() {
        let restrictions = [restriction];
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let found = testing::collect(customer, None, |cx, rows| {
                    connection.search(cx, customer, &restrictions, rows)
                });
                assert_eq!(found.map(|actors| actors.len()).ok(), Some(1));
            });
        });
    }
    group.finish();
}

criterion_group!(benches, excel);
criterion_main!(benches);
