//! How long loading plugins takes: a figure for docs/performance.md.

use std::time::{Duration, Instant};

use test_support::{HELLO, Setup, TestHost, plugin_bytes};

/// How often each is measured.
const TIMES: usize = 7;

/// The plugin under another name, of the same length.
fn named(plugin: &[u8], number: usize) -> Vec<u8> {
    let (name, other) = (b"Hello", format!("H{number:04}"));
    let mut named = plugin.to_vec();
    let places: Vec<usize> =
        (0..plugin.len() - name.len()).filter(|&at| plugin[at..].starts_with(name)).collect();
    places.into_iter().for_each(|at| named[at..at + name.len()].copy_from_slice(other.as_bytes()));
    named
}

/// The middle one of several runs of `erp-host plugins`: its whole life, as nothing is served.
fn median(host: &TestHost, prepare: impl Fn()) -> Duration {
    let mut times: Vec<Duration> = (0..TIMES)
        .map(|_| {
            prepare();
            let begun = Instant::now();
            let listed = host.command(&["plugins"]);
            let time = begun.elapsed();
            assert_eq!(listed.status.code(), Some(0), "{}", String::from_utf8_lossy(&listed.stdout));
            time
        })
        .collect();
    times.sort();
    times[TIMES / 2]
}

#[test]
#[ignore = "measures"]
fn loading_time_is_measured() {
    let plugin = match std::env::var_os("PLUGIN") {
        Some(file) => std::fs::read(file).unwrap(),
        None => plugin_bytes(HELLO),
    };
    println!("a plugin file of {} KiB", plugin.len() / 1024);
    for count in [0, 1, 10, 50] {
        let mut setup = Setup::new();
        for number in 0..count {
            setup = setup.plugin_file(&format!("{number}.so"), named(&plugin, number));
        }
        let host = setup.prepare();
        let fresh = median(&host, || {
            let _ = std::fs::remove_dir_all(host.data());
            std::fs::create_dir(host.data()).unwrap();
        });
        let again = median(&host, || {});
        println!("{count} plugins: {fresh:.1?} the first time, {again:.1?} with the copies there");
    }
}
