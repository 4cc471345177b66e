//! Unit tests of the configuration.

use std::time::Duration;

use clap::Parser;

use super::*;
use crate::logging::LogFormat;

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(text, Path::new("erp-host.toml")).map_err(|error| error.to_string())
}

#[derive(Debug, Parser)]
struct CommandLine {
    #[command(flatten)]
    flags: Flags,
}

fn flags(line: &[&str]) -> Flags {
    CommandLine::parse_from(std::iter::once(&"erp-host").chain(line)).flags
}

#[test]
fn config_of_an_empty_file_is_the_default() {
    let config = parse("").unwrap();
    assert_eq!(config.server.listen, "127.0.0.1:8080");
    assert_eq!(config.server.limits.body, 16 * 1024 * 1024);
    assert_eq!(config.router.call_deadline("Any"), Duration::from_secs(100));
    assert_eq!(config.router.concurrent_calls("Any"), 32);
}

#[test]
fn config_file_sets_every_part() {
    let config = parse(
        r#"
        listen = "0.0.0.0:80"
        plugins = "/opt/plugins"
        data = "/var/lib/erp-host"
        key_file = "/etc/erp-host.key"
        default_connector = "Excel"
        call_deadline = "2m"
        concurrent_calls = 4
        queued_calls = 0
        trusted_proxies = ["10.0.0.0/8", "127.0.0.1", "::1"]
        [log]
        level = "debug"
        format = "json"
        [contract]
        profiles = ["/etc/contract.toml"]
        reply_order = "declared"
        [limits]
        body = "1MiB"
        reply_in_memory = "64 KB"
        header_size = "16KiB"
        header_lines = 50
        connections = 10
        header_timeout = "5s"
        stall_timeout = "500ms"
        idle_timeout = "1h"
        [connectors.Excel]
        concurrent_calls = 2
        call_deadline = "10s"
        [connectors.Excel.options]
        roots = ["/srv/a", "/srv/b"]
        mode = "fast"
        [online]
        issuer = "A test"
        clock_skew = "5s"
        token_lifetime = "10m"
        [online.clients.one]
        certificates = ["/etc/superoffice.crt"]
        private_key = "/etc/app.xml"
        "#,
    )
    .unwrap();
    assert_eq!(config.server.listen, "0.0.0.0:80");
    assert_eq!(config.key_file.as_deref(), Some(Path::new("/etc/erp-host.key")));
    assert_eq!(config.server.trusted_proxies.len(), 3);
    assert_eq!(config.router.contract.profiles, [Path::new("/etc/contract.toml")]);
    assert_eq!(config.router.contract.reply_order, contract::MemberOrder::Declared);
    assert_eq!(config.log.format, LogFormat::Json);
    assert_eq!((config.server.limits.body, config.router.reply_in_memory), (1 << 20, 64_000));
    assert_eq!(config.server.limits.stall_timeout, Duration::from_millis(500));
    assert_eq!(
        (config.router.call_deadline("excel"), config.router.call_deadline("Other")),
        (Duration::from_secs(10), Duration::from_secs(120))
    );
    assert_eq!((config.router.concurrent_calls("Excel"), config.router.concurrent_calls("Other")), (2, 4));
    let online = &config.online;
    assert_eq!(
        (online.issuer.as_str(), online.clock_skew.as_secs(), online.token_lifetime.as_secs()),
        ("A test", 5, 600)
    );
    assert_eq!(online.clients["one"].private_key, Path::new("/etc/app.xml"));
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        config.runtime.options("Excel"),
        [pair("mode", "fast"), pair("roots", "/srv/a"), pair("roots", "/srv/b")]
    );
    assert!(config.runtime.options("Other").is_empty());
    assert!(!format!("{config:?}").contains("/srv/a"), "option values may be secrets");
}

#[test]
fn config_has_targets_and_shows_none_of_their_settings() {
    let text =
        "[targets.test]\nurl = \"erp\"\nsettings = { Password = \"hunter2\" }\ncredentials = \"secret\"";
    let mut config = parse(text).unwrap();
    config.make_paths_absolute().unwrap();
    let target = &config.targets["test"];
    assert_eq!(target.settings["Password"], "hunter2");
    assert!(target.credentials.as_ref().unwrap().is_absolute());
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn config_errors_name_the_line() {
    for (text, line, reason) in [
        ("\nlisten = \"x:1\"\nportt = 1\n", 3, "portt"),
        ("[log]\nlevell = \"info\"", 2, "levell"),
        ("[log]\nformat = \"xml\"", 2, "text"),
        ("[limits]\nbody = \"16 potatoes\"", 2, "16MiB"),
        ("[limits]\nbody = 16", 2, "expected a string"),
        ("[limits]\nbody = \"0B\"", 2, "16MiB"),
        ("call_deadline = \"100\"", 1, "100s"),
        ("call_deadline = \"99999999999999h\"", 1, "100s"),
        ("connection_idle_timeout = \"0\"", 1, "or never"),
        ("[connectors.Excel]\nconnection_max_age = \"always\"", 2, "or never"),
        ("concurrent_calls = 0", 1, "nonzero"),
        ("trusted_proxies = [\"localhost\"]", 1, "10.0.0.0/8"),
        ("[connectors.Excel]\n\n[connectors.Excel.options]\nroots = 1", 4, "a text or an array of texts"),
        ("[connectors.Excel]\nroots = \"x\"", 2, "roots"),
        ("[trust]\nsha256 = [\"12\"]", 2, "expected 64 hexadecimal digits"),
        ("[trust]\nsigners = [\"AAAA\"]", 2, "it is no ed25519 public key"),
        ("[trust]\nsigner = []", 2, "signers"),
        ("[online]\nclock_skew = \"5\"", 2, "500ms"),
        ("[online]\nclient = 1", 2, "client"),
        ("[online.clients.one]\nprivate_key = \"x\"\nkey = 1", 3, "key"),
        ("[tls]\ncertificate = \"x\"", 1, "missing field `key`"),
        ("[worker]\ntasks = 63", 2, "expected 64 or more"),
        ("[worker]\nread = [\"books\"]", 2, "books is no absolute path"),
        ("[connectors.Excel.worker]\nwrite = [\"./x\"]", 2, "./x is no absolute path"),
        ("[worker]\nsandbox = \"off\"", 2, "expected `best-effort` or `required`"),
        ("[contract]\nprofiles = \"contract.toml\"", 2, "expected a sequence"),
        ("[contract]\n\nreply_order = \"alphabet\"", 3, "expected one of name, declared"),
        ("[contract]\nprofile = []", 2, "profiles"),
        ("[targets.test]\nconnector = \"Visma\"", 1, "missing field `url`"),
        ("[targets.test]\nurl = \"x\"\nurls = 1", 3, "urls"),
        ("listen = ", 1, ""),
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.starts_with(&format!("erp-host.toml, line {line}: ")), "{text}: {error}");
        assert!(error.contains(reason), "{text}: {error}");
        assert!(!error.contains('\n'), "{text}: {error}");
    }
}

#[test]
fn config_has_lifetimes_of_connections_for_each_connector() {
    let config = parse(
        "connection_idle_timeout = \"10m\"\n[connectors.Excel]\nconnection_max_age = \"Never\"\n\
         [connectors.Visma]\nconnection_idle_timeout = \"1h\"",
    );
    let config = config.unwrap().router;
    let minutes = |name| {
        let lifetime = config.connection_lifetime(name);
        [lifetime.idle, lifetime.age].map(|time| (time != Duration::MAX).then_some(time.as_secs() / 60))
    };
    assert_eq!(minutes("excel"), [Some(10), None]);
    assert_eq!(minutes("Visma"), [Some(60), Some(12 * 60)]);
    assert_eq!(minutes("Other"), [Some(10), Some(12 * 60)]);
}

#[test]
fn config_refuses_limits_that_contradict_each_other() {
    for (text, reason) in [
        (
            "calls_per_connection = 33",
            "calls_per_connection = 33 is more than concurrent_calls = 32; give calls_per_connection a number from 1 to 32, \
             or leave it out",
        ),
        (
            "[limits]\nthreads = 100",
            "limits.threads = 100 is too few, expected 192 or more: 96 are for other work than calls",
        ),
        (
            "calls_per_connection = 9\n[connectors.Excel]\nconcurrent_calls = 8\ncalls_per_connection = 9",
            "calls_per_connection = 9 in [connectors.Excel] is more than concurrent_calls = 8;",
        ),
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.starts_with(&format!("erp-host.toml: {reason}")), "{error}");
    }
    let config = parse("calls_per_connection = 9\n[connectors.Excel]\nconcurrent_calls = 8").unwrap();
    assert_eq!(config.router.calls_per_connection("Other"), 9);
}

#[test]
fn renamed_keys_are_refused_with_their_new_name() {
    for (table, old, new) in [
        ("[limits]", "slowest", "min_bytes_per_second"),
        ("[limits]", "bodies", "total_body_memory"),
        ("[limits]", "head", "header_size"),
        ("[limits]", "headers", "header_lines"),
        ("[limits]", "head_timeout", "header_timeout"),
        ("[log]", "refusals_per_second", "rejection_lines_per_second"),
        ("[worker]", "crashes", "max_crashes_per_minute"),
        ("[worker]", "crash_pause", "crash_backoff"),
        ("[connectors.Excel.worker]", "crash_pause", "crash_backoff"),
        ("[connectors.Excel]", "late_calls", "max_timed_out_calls"),
        ("", "late_calls", "max_timed_out_calls"),
    ] {
        let error = parse(&format!("{table}\n\n{old} = 1")).unwrap_err();
        assert_eq!(error, format!("erp-host.toml, line 3: {old:?} is now {new:?}"));
        assert!(!parse(&format!("{table}\n\n{new} = 1")).is_err_and(|error| error.contains("unknown field")));
    }
    let elsewhere = parse("[access]\nheaders = 1").unwrap_err();
    assert!(elsewhere.contains("unknown field"), "{elsewhere}");
}

#[test]
fn flags_override_the_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "plugins = \"a\"\ndata = \"b\"\n[log]\nlevel = \"warn\"").unwrap();
    let path = file.path().to_str().unwrap();
    let config = Config::load(&flags(&["--config", path, "--plugins", "c", "--log-format", "json"])).unwrap();
    let here = std::env::current_dir().unwrap();
    assert_eq!((config.plugins, config.data), (here.join("c"), here.join("b")));
    assert_eq!((config.log.level.as_str(), config.log.format), ("warn", LogFormat::Json));
}

#[test]
fn flag_config_requires_the_file() {
    let error = Config::load(&flags(&["--config", "no-such-file.toml"])).unwrap_err();
    assert!(error.to_string().contains("no-such-file.toml"), "{error}");
}

/// Every key that is a path, as a relative one.
const RELATIVE_PATHS: &str = r#"
    plugins = "relative-1"
    data = "relative-2"
    key_file = "relative-3"
    [tls]
    certificate = "relative-4"
    key = "relative-5"
    client_ca = "relative-6"
    [online.clients.one]
    certificates = ["relative-7", "relative-8"]
    jwks = "relative-9"
    private_key = "relative-10"
    [online.clients.other]
    jwks = "https://relative-host/"
    private_key = "relative-11"
    [contract]
    profiles = ["relative-12", "relative-13"]
"#;

#[test]
fn config_makes_every_path_absolute() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), RELATIVE_PATHS).unwrap();
    let config = Config::load(&flags(&["--config", file.path().to_str().unwrap()])).unwrap();
    let shown = format!("{config:?}");
    let here = std::env::current_dir().unwrap();
    for number in 1..=13 {
        let absolute = format!("{:?}", here.join(format!("relative-{number}")));
        assert!(shown.contains(&absolute), "{absolute} is not in {shown}");
    }
    assert!(shown.contains("\"https://relative-host/\""), "{shown}");
    // What is not given has a relative default.
    let config = Config::load(&flags(&["--config", "/dev/null"])).unwrap();
    assert_eq!((config.plugins, config.data), (here.join("plugins"), here.join("data")));
    let flags = flags(&["--plugins", "p", "--data", "../d", "--key-file", "k", "--config", "/dev/null"]);
    let config = Config::load(&flags).unwrap();
    assert!(
        [Some(config.plugins), Some(config.data), config.key_file]
            .into_iter()
            .flatten()
            .all(|path| path.is_absolute())
    );
}

#[test]
fn windows_path_in_double_quotes_is_refused_with_the_way_to_write_it() {
    for value in [r#"data = "C:\data""#, r#"data = "c:\temp""#, r#"contract.profiles = ["D:\new.toml"]"#] {
        let error = parse(&format!("listen = \"localhost:0\"\n{value}\n")).unwrap_err();
        assert!(error.contains("line 2") && error.contains("single quotes"), "{value}: {error}");
    }
    for value in
        [r#"data = 'C:\data'"#, r#"data = "C:\\data""#, r#"data = "C:/data""#, r##"# data = "C:\data""##]
    {
        assert_eq!(parse(value).map(drop), Ok(()), "{value}");
    }
}
