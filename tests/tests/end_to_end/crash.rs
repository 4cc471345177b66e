//! The host is killed at random moments, again and again, while connections are saved and deleted, the key is rotated and
//! backups are made: after each start all that was acknowledged is there, and nothing is half done.
//!
//! The moments come from a seed, which is printed; `ERP_HOST_TEST_SEED` sets it.

use std::collections::BTreeMap;
use std::process::Child;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use contract::{Call, Dialect, Envelope, Request, read_reply};
use test_support::exchange;
use test_support::{ROGUE, Setup, TestHost};
use values::{Guid, State, error_code};

/// Hosts that are killed at the same time, each in folders of its own.
const HOSTS: u64 = 4;
/// How often each of them is killed.
const KILLS: u32 = 50;
/// Clients of each host, and the connections of each client.
const CLIENTS: u64 = 3;
const CONNECTIONS: u64 = 3;

/// SplitMix64: the same numbers for the same seed, everywhere.
#[derive(Debug, Clone)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^ (number >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// What a connection is known to be: the number that all its settings tell, or `None` when it is deleted.
type Number = Option<u64>;

/// What a client knows of a connection.
#[derive(Debug, Clone, Copy, Default)]
struct Known {
    /// What was acknowledged last.
    acknowledged: Number,
    /// What was asked for and not answered.
    asked: Option<Number>,
}

/// A client: its connections, and the number that the next save tells.
#[derive(Debug)]
struct Client {
    random: Random,
    connections: BTreeMap<Guid, Known>,
    next: u64,
    /// How many changes were acknowledged.
    changes: u64,
}

fn call(guid: Guid, request: Request<'_>) -> Call<'_> {
    Call {
        envelope: Envelope::new(Dialect::Message),
        connection_guid: Some(guid.to_string().into()),
        request,
    }
}

fn password(number: u64) -> String {
    format!("secret of save {number}")
}

impl Client {
    fn new(host: u64, client: u64, mut random: Random) -> Self {
        let guids = (0..CONNECTIONS).map(|number| u128::from((host << 32) | (client << 16) | (number + 1)));
        let connections = guids.map(|guid| (Guid::from_u128(guid), Known::default())).collect();
        Client { random: Random(random.next()), connections, next: 0, changes: 0 }
    }

    /// Saves and deletes until the host is gone.
    fn change(&mut self, address: std::net::SocketAddr, acknowledged: &AtomicU32) {
        loop {
            let place = self.random.below(CONNECTIONS) as usize;
            let is_save = self.random.below(4) > 0;
            let (&guid, known) = self.connections.iter_mut().nth(place).unwrap();
            if !is_save && known.acknowledged.is_none() {
                continue;
            }
            let wanted = is_save.then_some(self.next);
            let (text, secret) = (self.next.to_string(), password(self.next));
            self.next += 1;
            let settings = [("Server", Some(text.as_str())), ("Password", Some(&secret)), ("Z", Some(&text))];
            let request = match wanted {
                Some(_) => Request::SaveConnection { connection_info: Some(settings.into_iter().collect()) },
                None => Request::DeleteConnection,
            };
            let operation = request.operation();
            known.asked = Some(wanted);
            let Ok(exchange) = exchange::exchange(address, exchange::PATH, &call(guid, request)) else {
                return;
            };
            // A reply that was cut off acknowledges nothing.
            let Ok(answer) = read_reply(&exchange.response.body, operation) else { return };
            let outcome = answer.reply.outcome().expect("an outcome");
            assert_eq!(outcome.state, State::Ok, "{operation} of {guid}: {outcome:?}");
            *known = Known { acknowledged: wanted, asked: None };
            self.changes += 1;
            acknowledged.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// What the host has after a start is what was acknowledged, or what was asked for and not answered: whole, with a
    /// secret that opens.
    fn check(&mut self, host: &TestHost) {
        for (&guid, known) in &mut self.connections {
            let found = number(host, guid);
            let may_be = [Some(known.acknowledged), known.asked];
            assert!(may_be.contains(&Some(found)), "{guid} has {found:?}, and should have {known:?}");
            *known = Known { acknowledged: found, asked: None };
        }
    }
}

/// The number that the settings of a connection tell, as they reach the connector.
fn number(host: &TestHost, guid: Guid) -> Number {
    let list = Request::GetList { list_name: Some("Settings".into()) };
    let answer = host.client(Dialect::Message).connection(&guid.to_string()).call(list);
    if answer.code == error_code::UNKNOWN_CONNECTION_ID {
        return None;
    }
    assert_eq!(answer.state, State::Ok, "{guid}: {answer:?}");
    let number: u64 = answer.list[0].1.parse().expect("a number");
    let expected =
        [("Server", number.to_string()), ("Password", password(number)), ("Z", number.to_string())];
    let found: Vec<_> = answer.list.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
    assert_eq!(found, expected, "{guid} is whole");
    Some(number)
}

/// A host that is killed.
struct Victim {
    number: u64,
    host: TestHost,
    random: Random,
    clients: Vec<Client>,
    command: Option<Child>,
}

impl Victim {
    fn new(number: u64, seed: u64) -> Self {
        let mut random = Random(seed ^ (number << 56));
        let clients = (0..CLIENTS).map(|client| Client::new(number, client, Random(random.next()))).collect();
        Victim { number, host: Setup::new().plugin(ROGUE).prepare(), random, clients, command: None }
    }

    /// Starts the host, lets it work, kills it, starts it again; for so many times.
    fn run(&mut self) {
        for kill in 1..=KILLS {
            self.host.start();
            for client in &mut self.clients {
                client.check(&self.host);
            }
            self.work_until_killed();
            if kill % 10 == 0 {
                eprintln!("host {}: killed {kill} times", self.number);
            }
        }
        self.end();
    }

    fn work_until_killed(&mut self) {
        let address = self.host.address();
        let acknowledged = AtomicU32::new(0);
        let command_at = self.random.below(6) as u32;
        let kill_at = command_at + self.random.below(6) as u32;
        let rest = Duration::from_micros(self.random.below(15_000));
        let what = self.random.below(8);
        let kill_command = self.random.below(2) == 0;
        let (ended, end) = mpsc::channel::<()>();
        thread::scope(|scope| {
            for client in &mut self.clients {
                let (acknowledged, ended) = (&acknowledged, ended.clone());
                scope.spawn(move || {
                    client.change(address, acknowledged);
                    drop(ended);
                });
            }
            drop(ended);
            let wait_for = |count| {
                while acknowledged.load(Ordering::SeqCst) < count {
                    // A client that has failed ends before the host does.
                    assert_eq!(
                        end.recv_timeout(Duration::from_micros(200)),
                        Err(mpsc::RecvTimeoutError::Timeout)
                    );
                }
            };
            wait_for(command_at);
            let command: &[&str] = match what {
                0 => &["backup", "copy.sqlite", "--force"],
                1..=4 => &["connections", "rekey"],
                _ => &[],
            };
            if !command.is_empty() && self.command.is_none() {
                self.command = Some(self.host.spawn(command));
            }
            wait_for(kill_at);
            // The one wait that is meant: a moment that nobody knows.
            thread::sleep(rest);
            self.host.kill();
        });
        if let Some(mut command) = self.command.take() {
            if kill_command {
                let _ = command.kill();
                let _ = command.wait();
            } else if command.try_wait().expect("a process").is_none() {
                // It goes on while the host starts again.
                self.command = Some(command);
            }
        }
    }

    /// After the last kill: everything is there, a rotation that was interrupted is finished, the audit log is whole and
    /// has every change, and a copy passes SQLite's own check.
    fn end(&mut self) {
        if let Some(mut command) = self.command.take() {
            let _ = command.wait();
        }
        self.host.start();
        self.clients.iter_mut().for_each(|client| client.check(&self.host));
        let run = |arguments: &[&str]| {
            let output = self.host.command(arguments);
            let told = format!(
                "{}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
            assert!(output.status.success(), "{arguments:?}: {told}");
            told
        };
        run(&["connections", "rekey"]);
        run(&["backup", "last.sqlite"]);
        let verified = run(&["audit", "verify"]);
        let key = std::fs::read_to_string(self.host.data().join("erp-host.key")).unwrap();
        assert_eq!(key.lines().count(), 1, "one key is left");
        assert!(!self.host.data().join("erp-host.key.new").exists());
        self.clients.iter_mut().for_each(|client| client.check(&self.host));

        let records = run(&["audit", "show", "--json", "-n", "1000000"]);
        let is_change = |line: &&str| line.contains("\"event\":\"connection ");
        let recorded = records.lines().filter(is_change).count() as u64;
        let acknowledged: u64 = self.clients.iter().map(|client| client.changes).sum();
        let unanswered = u64::from(KILLS) * CLIENTS;
        assert!(
            (acknowledged..=acknowledged + unanswered).contains(&recorded),
            "{acknowledged} changes acknowledged, {recorded} recorded"
        );
        let rotations = records.matches("\"event\":\"key rotated\"").count();
        eprintln!(
            "host {}: {acknowledged} changes and {rotations} rotations; {}",
            self.number,
            verified.lines().next().unwrap_or_default()
        );
        assert!(rotations > 1, "keys were rotated under way");
    }
}

#[test]
fn a_host_that_is_killed_at_random_moments_loses_nothing() {
    let seed = match std::env::var("ERP_HOST_TEST_SEED") {
        Ok(seed) => seed.parse().expect("ERP_HOST_TEST_SEED is a number"),
        Err(_) => SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64,
    };
    println!("{} kills with ERP_HOST_TEST_SEED={seed}", HOSTS * u64::from(KILLS));
    thread::scope(|scope| {
        for number in 0..HOSTS {
            scope.spawn(move || Victim::new(number, seed).run());
        }
    });
}
