//! The plugin boundary: the cost of a call, in the host's process and in a worker process: a small one, one with a
//! thousand rows, and a log record below the level. And the memory of an idle worker.

use std::borrow::Cow;
use std::error::Error;
use std::hint::black_box;
use std::ops::ControlFlow;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use erp_host_runtime::{Isolation, Plugins, RuntimeConfig};
use plugin_api::Settings;
use plugin_api::abi::client::ConnectionClient;
use plugin_api::abi::{ActorCall, ActorOperation};
use test_support::build::{self, Profile};

/// Loads the rogue connector from a real file, as the host does, and opens a connection of it.
fn open(isolation: Isolation) -> Result<ConnectionClient, Box<dyn Error>> {
    const PLUGIN: &[&str] = &["rogue-connector"];
    let folder = tempfile::TempDir::new()?;
    let built = build::build(Profile::Release, PLUGIN)?;
    build::install(&built, PLUGIN, folder.path())?;
    let mut config = RuntimeConfig { isolation, ..RuntimeConfig::default() };
    config.worker.program = Some(built.host.clone());
    let plugins = Plugins::load(folder.path(), &folder.path().join("data"), &config)?;
    let connector = &plugins.connector(None)?.connector;
    let settings = Settings::from([("search", "huge:1000"), ("list_items", "log-nothing:1000")]);
    connector.connect(&settings).map_err(|outcome| format!("{outcome:?}").into())
}

#[allow(clippy::expect_used)] // Without a plugin there is nothing to measure.
fn boundary(c: &mut Criterion) {
    for (name, isolation) in [("boundary", Isolation::InProcess), ("worker", Isolation::Process)] {
        if isolation == Isolation::Process && !cfg!(unix) {
            continue;
        }
        let connection = open(isolation).expect("the rogue connector loads");
        if isolation == Isolation::Process {
            print_worker_memory();
        }
        calls(c, name, &connection);
    }
}

fn calls(c: &mut Criterion, name: &str, connection: &ConnectionClient) {
    let mut group = c.benchmark_group(name);
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
        b.iter(|| black_box(connection.list_items("FromHost", &[])));
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

/// Prints the memory of this process's workers: all of it, and the part that is not shared with other processes.
fn print_worker_memory() {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return };
    let children =
        tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    for child in children.collect::<Vec<_>>().join(" ").split_whitespace() {
        let rollup = std::fs::read_to_string(format!("/proc/{child}/smaps_rollup")).unwrap_or_default();
        let is_wanted = |line: &&str| ["Rss", "Private", "Pss:"].iter().any(|name| line.starts_with(name));
        let lines: Vec<_> = rollup.lines().filter(is_wanted).collect();
        println!(
            "worker {child}, idle: {}",
            lines.join(", ").split_whitespace().collect::<Vec<_>>().join(" ")
        );
    }
}

criterion_group!(benches, boundary);
criterion_main!(benches);
