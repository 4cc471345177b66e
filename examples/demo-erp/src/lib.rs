//! The demo ERP system: a small one over HTTP, in memory, with the faults of a real one on request.
//!
//! It has customers and persons in JSON, a login with sessions, pages, filters, versions of records (ETag), and idempotency keys.
//! `POST /control/FAULT` switches a fault:
//!
//! | fault | effect |
//! |---|---|
//! | `slow?seconds=5` | each answer takes so long |
//! | `busy?requests=3` | the next requests are refused with 429 |
//! | `lost?answers=1&method=PUT` | the next requests with this method are carried out, and the connection is closed without an answer |
//! | `end-sessions` | all sessions end |
//! | `password?value=new` | the password is another one, and all sessions end |
//! | `calm` | none of this |

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use plugin_api::Stamps;
use plugin_http::test_support::{Reply, ServedRequest, Server};
use serde_json::{Map, Value, json};

/// The user, and the password at the beginning.
pub const USER: &str = "ada";
/// See [`USER`].
pub const PASSWORD: &str = "wins/1 day";
/// A user is locked after so many wrong passwords.
const WRONG_PASSWORDS: u32 = 3;
/// Records of a page at most, whatever is asked for.
const PAGE_SIZE: usize = 20;
const CATEGORIES: &[(&str, &str)] = &[("A", "Shop"), ("B", "Restaurant"), ("C", "Öffentlich")];

/// A running demo ERP system. It ends when it is dropped.
pub struct DemoErp {
    server: Server,
    company: Arc<Mutex<Company>>,
}

type Record = Map<String, Value>;

#[derive(Default)]
struct Company {
    password: String,
    wrong_passwords: u32,
    sessions: Vec<String>,
    logins: u32,
    requests: Vec<String>,
    customers: BTreeMap<u64, Record>,
    persons: BTreeMap<u64, Record>,
    /// What was created for an idempotency key.
    created: BTreeMap<String, Reply>,
    stamps: Stamps,
    slow: Duration,
    busy: u32,
    lost: u32,
    /// The method whose answers are lost.
    lost_method: String,
}

impl DemoErp {
    /// At a free port.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start() -> io::Result<Self> {
        DemoErp::start_at("127.0.0.1:0")
    }

    /// At an address.
    ///
    /// # Errors
    /// It cannot be started: the port may be in use.
    pub fn start_at(address: &str) -> io::Result<Self> {
        let company = Arc::new(Mutex::new(Company::with_records()));
        let serving = Arc::clone(&company);
        let server = Server::start_at(address, move |request| serve(&serving, &request))?;
        Ok(DemoErp { server, company })
    }

    /// The address of its API.
    pub fn address(&self) -> String {
        format!("{}/api", self.server.address())
    }

    /// Switches a fault, as `POST /control/FAULT` does.
    ///
    /// # Panics
    /// There is no such fault.
    pub fn control(&self, fault: &str) {
        let request = ServedRequest {
            method: "POST".into(),
            target: format!("/control/{fault}"),
            headers: Vec::new(),
            body: Vec::new(),
        };
        assert_eq!(control(&mut lock(&self.company), &request).status, 204, "{fault}");
    }

    /// How often somebody logged in, or tried to.
    pub fn logins(&self) -> u32 {
        lock(&self.company).logins
    }

    /// Method and target of the requests since the last time.
    pub fn take_requests(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.company).requests)
    }
}

fn lock(company: &Mutex<Company>) -> MutexGuard<'_, Company> {
    company.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(company: &Mutex<Company>, request: &ServedRequest) -> Reply {
    if request.path().starts_with("/control/") {
        return control(&mut lock(company), request);
    }
    let slow = {
        let mut company = lock(company);
        company.requests.push(format!("{} {}", request.method, request.target));
        if company.busy > 0 {
            company.busy -= 1;
            return error(429, "too many requests").header("retry-after", "0");
        }
        company.slow
    };
    std::thread::sleep(slow);
    let mut company = lock(company);
    let reply = company.answer(request);
    if company.lost > 0 && company.lost_method == request.method {
        company.lost -= 1;
        return Reply::close();
    }
    reply
}

fn control(company: &mut Company, request: &ServedRequest) -> Reply {
    let number = |name: &str| request.query(name).and_then(|text| text.parse().ok()).unwrap_or(1);
    match request.path().trim_start_matches("/control/") {
        "slow" => company.slow = Duration::from_secs(number("seconds").into()),
        "busy" => company.busy = number("requests"),
        "lost" => {
            company.lost = number("answers");
            company.lost_method = request.query("method").unwrap_or_else(|| "GET".to_owned());
        }
        "end-sessions" => company.sessions.clear(),
        "password" => {
            company.password = request.query("value").unwrap_or_default();
            company.sessions.clear();
        }
        "calm" => (company.slow, company.busy, company.lost) = (Duration::ZERO, 0, 0),
        other => return error(404, &format!("there is no fault {other}")),
    }
    Reply::status(204)
}

fn error(status: u16, message: &str) -> Reply {
    Reply::json(status, &json!({ "error": { "message": message } }))
}

impl Company {
    fn with_records() -> Self {
        let mut company = Company { password: PASSWORD.to_owned(), ..Company::default() };
        let names = ["Fjord & Fjell AS", "Nordlys Møbler", "STRASSE GmbH", "Straße und Söhne", "Kilo*Kelvin"];
        for number in 0..25_u64 {
            let name = names.get(usize::try_from(number).unwrap_or(0)).copied();
            let mut customer = Record::new();
            customer
                .insert("name".into(), name.map_or_else(|| json!(format!("Kunde {number:02}")), Value::from));
            customer.insert(
                "category".into(),
                json!(["A", "B", "C"].get(usize::try_from(number % 4).unwrap_or(0))),
            );
            customer.insert("credit".into(), if number % 3 == 0 { Value::Null } else { json!(number * 500) });
            customer.insert("blocked".into(), json!(number % 5 == 1));
            let created = company.insert("customers", customer);
            if number < 6 {
                let mut person = Record::new();
                person.insert("customer".into(), created["id"].clone());
                person.insert("name".into(), json!(format!("Kari Nordmann {number}")));
                person
                    .insert("email".into(), json!((number > 1).then(|| format!("kari{number}@example.com"))));
                company.insert("persons", person);
            }
        }
        company
    }

    fn records(&mut self, kind: &str) -> &mut BTreeMap<u64, Record> {
        if kind == "customers" { &mut self.customers } else { &mut self.persons }
    }

    fn insert(&mut self, kind: &str, mut record: Record) -> Record {
        let id = self.records(kind).keys().last().map_or(1, |last| last + 1);
        record.insert("id".into(), json!(id));
        if kind == "customers" {
            record.insert("balance".into(), json!(f64::from(u32::try_from(id).unwrap_or(u32::MAX)) * 12.5));
        }
        self.put(kind, id, record)
    }

    fn put(&mut self, kind: &str, id: u64, mut record: Record) -> Record {
        record.insert("changed".into(), json!(format!("{}Z", self.stamps.next())));
        self.records(kind).insert(id, record.clone());
        record
    }

    fn answer(&mut self, request: &ServedRequest) -> Reply {
        let path = request.path().trim_start_matches("/api/");
        let parts: Vec<&str> = path.split('/').collect();
        if (request.method.as_str(), path) == ("POST", "login") {
            return self.log_in(request);
        }
        let session = request.header("x-session").unwrap_or_default().to_owned();
        if !self.sessions.contains(&session) {
            return error(401, "the session has ended");
        }
        match (request.method.as_str(), &parts[..]) {
            ("POST", ["logout"]) => {
                self.sessions.retain(|open| *open != session);
                Reply::status(204)
            }
            ("GET", ["categories"]) => {
                let items = CATEGORIES.iter().map(|(id, text)| json!({ "id": id, "text": text }));
                Reply::json(200, &items.collect::<Vec<_>>())
            }
            ("GET", [kind @ ("customers" | "persons")]) => self.list(kind, request),
            ("POST", [kind @ ("customers" | "persons")]) => {
                let key = request.header("idempotency-key").unwrap_or_default().to_owned();
                if let Some(reply) = self.created.get(&key) {
                    return reply.clone();
                }
                let reply = match self.checked(kind, request) {
                    Ok(record) => Reply::json(201, &self.insert(kind, record)),
                    Err(refused) => refused,
                };
                if !key.is_empty() {
                    self.created.insert(key, reply.clone());
                }
                reply
            }
            (method @ ("GET" | "PUT"), [kind @ ("customers" | "persons"), id]) => {
                let found = id.parse().ok().and_then(|id| Some((id, self.records(kind).get(&id)?.clone())));
                let Some((id, old)) = found else {
                    return error(404, &format!("there is no record {id} in {kind}"));
                };
                if method == "GET" {
                    return one(200, &old);
                }
                if request.header("if-match").is_some_and(|version| version != "*" && version != etag(&old)) {
                    return error(412, "somebody else has changed the record");
                }
                match self.checked(kind, request) {
                    Ok(mut record) => {
                        for kept in ["id", "balance"] {
                            record.extend(old.get(kept).map(|value| (kept.to_owned(), value.clone())));
                        }
                        one(200, &self.put(kind, id, record))
                    }
                    Err(refused) => refused,
                }
            }
            _ => error(404, "there is nothing at this address"),
        }
    }

    fn log_in(&mut self, request: &ServedRequest) -> Reply {
        self.logins += 1;
        let form = ServedRequest { target: format!("?{}", request.text()), ..request.clone() };
        if self.wrong_passwords >= WRONG_PASSWORDS {
            return error(403, "the user is locked");
        }
        if form.query("user").as_deref() != Some(USER)
            || form.query("password").as_ref() != Some(&self.password)
        {
            self.wrong_passwords += 1;
            return error(401, "user or password is wrong");
        }
        self.wrong_passwords = 0;
        let session = format!("session-{}-{}", self.logins, self.stamps.next());
        self.sessions.push(session.clone());
        Reply::json(200, &json!({ "session": session, "expires_in": 3600 }))
    }

    /// A record that is sent to be created or changed.
    fn checked(&self, kind: &str, request: &ServedRequest) -> Result<Record, Reply> {
        let Ok(Value::Object(mut record)) = serde_json::from_slice(&request.body) else {
            return Err(error(400, "the body is no record in JSON"));
        };
        let text = |name: &str| record.get(name).and_then(Value::as_str).unwrap_or_default();
        if text("name").trim().is_empty() {
            return Err(error(422, "the name is missing"));
        }
        if text("name").chars().count() > 60 {
            return Err(error(422, "the name is too long, 60 characters are possible"));
        }
        let category = text("category");
        if !category.is_empty() && !CATEGORIES.iter().any(|(id, _)| *id == category) {
            return Err(error(422, &format!("there is no category {category}")));
        }
        let customer = record.get("customer").and_then(Value::as_u64);
        if kind == "persons" && !customer.is_some_and(|id| self.customers.contains_key(&id)) {
            return Err(error(422, "the customer of the person does not exist"));
        }
        for own in ["id", "changed", "balance"] {
            record.remove(own);
        }
        Ok(record)
    }

    fn list(&mut self, kind: &str, request: &ServedRequest) -> Reply {
        let number = |name: &str| request.query(name).and_then(|text| text.parse::<f64>().ok());
        let one_of = |name: &str, value: &str| {
            request.query(name).is_none_or(|list| list.split(',').any(|item| item == value))
        };
        let like = |name: &str, values: &[&str]| {
            request.query(name).is_none_or(|pattern| values.iter().any(|value| is_like(&pattern, value)))
        };
        let fits = |record: &&Record| {
            let text = |name: &str| record.get(name).and_then(Value::as_str).unwrap_or_default();
            let shown = |name: &str| record.get(name).map(Value::to_string).unwrap_or_default();
            let credit = record.get("credit").and_then(Value::as_f64);
            let (id, name, email) = (shown("id"), text("name"), text("email"));
            one_of("id", &id)
                && one_of("customer", &shown("customer"))
                && one_of("category", text("category"))
                && like("name", &[name])
                && like("email", &[email])
                && like("text", &[name, email, &id])
                && number("credit_from").is_none_or(|from| credit.is_some_and(|credit| credit >= from))
                && number("credit_to").is_none_or(|to| credit.is_some_and(|credit| credit <= to))
                && request.query("changed_since").is_none_or(|since| text("changed") >= since.as_str())
        };
        let count = |name: &str| request.query(name).and_then(|text| text.parse::<usize>().ok());
        let page = count("page").unwrap_or(1).max(1);
        let size = count("size").unwrap_or(PAGE_SIZE).clamp(1, PAGE_SIZE);
        let found: Vec<&Record> =
            self.records(kind).values().filter(fits).skip((page - 1) * size).take(size).collect();
        Reply::json(200, &found)
    }
}

fn one(status: u16, record: &Record) -> Reply {
    Reply::json(status, record).header("etag", etag(record))
}

fn etag(record: &Record) -> String {
    record["changed"].to_string()
}

/// Whether a text fits a pattern: `*` is any text, `?` any character, and the case of ASCII letters is ignored.
fn is_like(pattern: &str, text: &str) -> bool {
    fn fits(pattern: &[char], text: &[char]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some(('*', rest)), _) => (0..=text.len()).any(|skipped| fits(rest, &text[skipped..])),
            (Some((wanted, rest)), Some((char, others))) => {
                (*wanted == '?' || wanted.eq_ignore_ascii_case(char)) && fits(rest, others)
            }
            _ => false,
        }
    }
    let chars = |text: &str| text.chars().collect::<Vec<_>>();
    fits(&chars(pattern), &chars(text))
}
