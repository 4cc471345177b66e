//! The connection store: the cost of opening it, of a durable save, and of a lookup. (A call on an open connection does not
//! use the store.)

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use erp_host_store::audit::Origin;
use erp_host_store::{ConnectionRepository, IfMissing};
use plugin_api::Settings;
use values::Guid;

#[allow(clippy::expect_used)] // Without a store there is nothing to measure.
fn store(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let open = || ConnectionRepository::open(folder.path(), None, IfMissing::Create);
    let stored = runtime.block_on(open()).expect("the store opens");
    let settings = Settings::from([("Server", "erp.example.org"), ("Password", "secret")]);
    let by = Origin::Host { host: "a bench" };
    let guid: Guid = "3aef3af6-8642-4fc1-8dc9-4e08bd76a6bf".parse().expect("a GUID");
    let save = || stored.save(guid, "Rows", &settings, &["Password"], &by);
    runtime.block_on(save()).expect("the connection is saved");

    let mut group = criterion.benchmark_group("store");
    group.sample_size(20);
    group.bench_function("open", |bencher| {
        bencher.iter(|| black_box(runtime.block_on(open()).is_ok()));
    });
    group.bench_function("save", |bencher| {
        bencher.iter(|| black_box(runtime.block_on(save()).is_ok()));
    });
    group.bench_function("find", |bencher| {
        bencher.iter(|| black_box(runtime.block_on(stored.find(guid)).is_ok()));
    });
    group.finish();
}

criterion_group!(benches, store);
criterion_main!(benches);
