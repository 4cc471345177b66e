//! The matcher: the cost of a search that compares all actors with restrictions.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use erp_host_conformance::testing;
use plugin_api::abi::{Message, RowRef, RowWriter};
use plugin_api::{
    ActorType, Connection, Context, Field, ListBased, Matcher, Operator, Restriction, Result, Rows, Value,
    actor_type,
};

const ROWS: usize = 1000;

/// A company with as many customers as [`ROWS`], each with eight fields.
struct Company;

fn name(number: usize) -> String {
    // Every fourth name is not ASCII, as in a Nordic customer list.
    if number.is_multiple_of(4) {
        format!("Sønner & Blåbær nr {number} AS")
    } else {
        format!("Customer number {number} Ltd")
    }
}

fn values(number: usize) -> [(&'static str, Value<'static>); 8] {
    [
        ("NAME", name(number).into()),
        ("NUMBER1", i64::try_from(number).unwrap_or_default().into()),
        ("POSTALAD1", "Storgata 1".into()),
        ("POSTALZIP", "0155".into()),
        ("POSTALCITY", "Oslo".into()),
        ("PHONE", "+47 22 33 44 55".into()),
        ("CATEGORY", ["1", "2", "3"][number % 3].into()),
        ("CREDIT", 1234.5.into()),
    ]
}

impl Connection for Company {
    fn actor_types(&self, _cx: &Context) -> Result<Vec<ActorType>> {
        Ok(vec![actor_type::CUSTOMER.into()])
    }

    fn fields(&self, _cx: &Context, _actor_type: &str) -> Result<Vec<Field>> {
        Ok(vec![
            Field::text("NAME"),
            Field::integer("NUMBER1"),
            Field::text("POSTALAD1"),
            Field::text("POSTALZIP"),
            Field::text("POSTALCITY"),
            Field::text("PHONE"),
            Field::list("CATEGORY", "Categories"),
            Field::double("CREDIT"),
        ])
    }

    plugin_api::list_based!(get, search, search_text, changed_since);
}

impl ListBased for Company {
    fn actors(&self, _cx: &Context, _actor_type: &str, rows: &mut Rows<'_>) -> Result<()> {
        for number in 0..ROWS {
            let mut row = rows.row(number);
            for (key, value) in values(number) {
                row.field(key, value);
            }
            row.end()?;
        }
        Ok(())
    }
}

fn restrictions() -> Vec<(&'static str, Vec<Restriction>)> {
    let contains = |text: &str| Restriction::new("NAME", Operator::Contains, [text]);
    vec![
        ("begins", vec![Restriction::new("NAME", Operator::Begins, ["customer number 99"])]),
        ("contains", vec![contains("er 99")]),
        ("contains, not ASCII", vec![contains("BLÅBÆR NR 99")]),
        ("number between", vec![Restriction::new("NUMBER1", Operator::Between, ["[I:100]", "[I:200]"])]),
        (
            "three conditions",
            vec![
                contains("er 9"),
                Restriction::new("NUMBER1", Operator::Between, ["[I:1]", "[I:2000]"]),
                Restriction::new("CATEGORY", Operator::OneOf, ["1", "2"]),
            ],
        ),
    ]
}

fn rows() -> Message {
    let mut message = Message::new();
    for number in 0..ROWS {
        let mut row = RowWriter::new(&mut message);
        row.begin(actor_type::CUSTOMER, number);
        for (key, value) in values(number) {
            row.field(key, &value);
        }
        row.end();
    }
    message
}

fn matching(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("matcher, a row");
    group.throughput(Throughput::Elements(ROWS as u64));
    let message = rows();
    let fields = Company.fields(&Context::default(), actor_type::CUSTOMER).unwrap_or_default();
    for (what, restrictions) in restrictions() {
        let Ok(matcher) = Matcher::new(&restrictions, &fields) else { continue };
        group.bench_function(what, |bencher| {
            bencher.iter(|| {
                let mut reader = message.as_ref().reader();
                let mut found = 0;
                while let Ok(row) = RowRef::read(&mut reader) {
                    found += usize::from(matcher.matches(&row));
                }
                black_box(found)
            });
        });
    }
    group.finish();
}

fn searching(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("default search, a row");
    group.throughput(Throughput::Elements(ROWS as u64));
    group.bench_function("all", |bencher| {
        bencher.iter(|| {
            testing::collect("Customer", Some(&["NAME"]), |cx, rows| Company.actors(cx, "Customer", rows))
        });
    });
    for (what, restrictions) in restrictions() {
        group.bench_function(what, |bencher| {
            bencher.iter_batched(
                || restrictions.clone(),
                |restrictions| {
                    testing::collect("Customer", Some(&["NAME"]), |cx, rows| {
                        Company.search(cx, "Customer", &restrictions, rows)
                    })
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.bench_function("text", |bencher| {
        bencher.iter(|| {
            testing::collect("Customer", Some(&["NAME"]), |cx, rows| {
                Company.search_text(cx, "Customer", "er 99", None, rows)
            })
        });
    });
    group.finish();
}

criterion_group!(benches, matching, searching);
criterion_main!(benches);
