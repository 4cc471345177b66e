//! What a call into a plugin file costs: a small one, one with a thousand rows, and a log record that nobody wants.

use std::borrow::Cow;
use std::error::Error;
use std::hint::black_box;
use std::ops::ControlFlow;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use erp_host::plugins::Plugins;
use plugin_api::Settings;
use plugin_api::abi::client::ConnectionClient;
use plugin_api::abi::{ActorCall, ActorOperation};
use xtask::build::{self, Profile};

/// Loads the rogue connector from a real file, as the host does, and opens a connection of it.
fn open() -> Result<ConnectionClient, Box<dyn Error>> {
    const PLUGIN: &[&str] = &["rogue-connector"];
    let folder = tempfile::TempDir::new()?;
    build::install(&build::build(Profile::Release, PLUGIN)?, PLUGIN, folder.path())?;
    let plugins = Plugins::load(folder.path(), &folder.path().join("data"), &|_: &str| Vec::new())?;
    let connector = &plugins.connector(None)?.connector;
    let settings = Settings::from([("search", "huge:1000"), ("list_items", "log-nothing:1000")]);
    connector.connect(&settings).map_err(|outcome| format!("{outcome:?}").into())
}

#[allow(clippy::expect_used)] // Without a plugin there is nothing to measure.
fn boundary(c: &mut Criterion) {
    let connection = open().expect("the rogue connector loads");

    let mut group = c.benchmark_group("boundary");
    group.bench_function("small call", |b| b.iter(|| black_box(connection.test())));
    group.bench_function("get one actor", |b| {
        b.iter(|| {
            let operation = ActorOperation::Get { keys: Cow::Borrowed(&["4711"]) };
            let call = ActorCall { actor_type: "Customer", fields: None, operation };
            black_box(connection.actors(call, &mut |row| {
                black_box(row.key);
                ControlFlow::Continue(())
            }))
        });
    });
    group.bench_function("a thousand log records below the level", |b| {
        b.iter(|| black_box(connection.list_items("Told", &[])));
    });

    let rows = || {
        let mut bytes = 0;
        let operation = ActorOperation::Search { restrictions: Cow::Borrowed(&[]) };
        connection.actors(ActorCall { actor_type: "Customer", fields: None, operation }, &mut |row| {
            bytes += row.fields().map(|(key, value)| key.len() + value.map_or(0, str::len)).sum::<usize>();
            ControlFlow::Continue(())
        });
        bytes
    };
    group.throughput(Throughput::Bytes(rows() as u64));
    group.bench_function("1000 rows of 20 fields", |b| b.iter(|| black_box(rows())));
    group.finish();
}

criterion_group!(benches, boundary);
criterion_main!(benches);
