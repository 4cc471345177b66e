//! A connector to an ERP system over HTTP: session, paging, push-down, retries, conflicts.
#![forbid(unsafe_code)]

mod records;

use std::path::PathBuf;
use std::time::Duration;

use plugin_api::{Actor, ActorRow, ActorType, Connection, Connector, Context, DateTime, Error, Field, Host};
use plugin_api::{
    LikeDialect, ListItem, Matcher, Operator, Parent, Restriction, Result, Rows, Saves, Secret,
};
use plugin_api::{Settings, SettingsForm, TextMatcher};
use plugin_http::{Client, Login, Session, pages};

use records::{Category, Customer, LoggedIn, Person, Record};

/// The ERP system may answer with fewer.
const PAGE_SIZE: usize = 100;
/// Keys in one request: an address must not be too long.
const KEYS: usize = 50;
/// For so long a change in the ERP system may be under way before it can be read.
const MARGIN: Duration = Duration::from_secs(5);
/// How the ERP system compares texts: `*` stands for any text, and the case of ASCII letters is ignored.
const PATTERN: LikeDialect = LikeDialect::STAR.ascii_case();

/// What an administrator fills in for a connection.
#[derive(SettingsForm)]
struct Setup {
    /// Where the ERP system is, such as https://erp.example.com/api.
    #[setting(label(us = "Address", no = "Adresse"), max_length = 260)]
    address: String,
    #[setting(label(us = "User", no = "Bruker"))]
    user: String,
    #[setting(label(us = "Password", no = "Passord"))]
    password: Secret,
    /// A file of certificates (PEM), where the one of the ERP system is not from a public authority.
    #[setting(label(us = "Certificates", no = "Sertifikater"), max_length = 260)]
    certificates: Option<PathBuf>,
}

/// The connector.
pub struct HttpConnector;

impl Connector for HttpConnector {
    const NAME: &'static str = "DemoErp";
    const DESCRIPTION: &'static str = "Customers and persons of the demo ERP system";
    const ACTOR_TYPES: &'static [&'static str] = &["Customer", "Person"];
    type Connection = Company;

    fn new(_host: &Host) -> Result<Self> {
        Ok(HttpConnector)
    }

    fn settings(&self, _cx: &Context) -> Result<Vec<Field>> {
        Ok(Setup::fields())
    }

    fn connect(&self, cx: &Context, settings: &Settings) -> Result<Company> {
        let setup = Setup::read(settings)?;
        let mut http = Client::builder(&setup.address)?
            .name("Demo ERP")
            .secret(&setup.password)
            .error_text(|answer| answer.find("/error/message"));
        if let Some(file) = &setup.certificates {
            http = http.trusted_certificates(file)?;
        }
        let http = http.login(User { name: setup.user, password: setup.password }).build()?;
        // Logs in, so that a wrong password is found when the settings are saved.
        http.get("categories").send(cx)?;
        Ok(Company { http })
    }
}

/// Opens the session of a connection.
struct User {
    name: String,
    password: Secret,
}

impl Login for User {
    fn log_in(&self, cx: &Context, http: &Client) -> Result<Session> {
        let fields = [("user", self.name.as_str()), ("password", self.password.expose())];
        let LoggedIn { session, expires_in } = http.post("login").form(&fields).send(cx)?.json()?;
        Ok(Session::header("x-session", session).valid_for(Duration::from_secs(expires_in)))
    }

    fn log_out(&self, cx: &Context, http: &Client, session: &Session) -> Result<()> {
        http.post("logout").in_session(session).send(cx).map(drop)
    }
}

/// An open connection.
pub struct Company {
    http: Client,
}

impl Connection for Company {
    fn close(&self, cx: &Context) -> Result<()> {
        self.http.log_out(cx)
    }

    fn actor_types(&self, _cx: &Context) -> Result<Vec<ActorType>> {
        Ok(vec![ActorType::new("Customer"), ActorType::new("Person").below("Customer")])
    }

    fn fields(&self, _cx: &Context, actor_type: &str) -> Result<Vec<Field>> {
        match actor_type {
            Customer::ACTOR_TYPE => Ok(Customer::fields()),
            Person::ACTOR_TYPE => Ok(Person::fields()),
            _ => Err(unknown(actor_type)),
        }
    }

    fn list(&self, cx: &Context, name: &str) -> Result<Option<Vec<ListItem>>> {
        if name != "Categories" {
            return Ok(None);
        }
        let categories: Vec<Category> = self.http.get("categories").send(cx)?.json()?;
        Ok(Some(categories.into_iter().map(|category| ListItem::new(category.id, category.text)).collect()))
    }

    fn get(&self, cx: &Context, actor_type: &str, keys: &[&str], rows: &mut Rows<'_>) -> Result<()> {
        self.fields(cx, actor_type)?;
        // A key that is no number of the ERP system's, in its form, does not exist.
        let is_key = |key: &&str| key.parse::<u32>().is_ok_and(|number| number.to_string() == *key);
        let mut keys: Vec<&str> = keys.iter().copied().filter(is_key).collect();
        keys.sort_unstable();
        keys.dedup();
        keys.chunks(KEYS).try_for_each(|keys| self.read(cx, actor_type, &[("id", keys.join(","))], rows))
    }

    fn search(
        &self,
        cx: &Context,
        actor_type: &str,
        restrictions: &[Restriction],
        rows: &mut Rows<'_>,
    ) -> Result<()> {
        let matcher = Matcher::of(self, cx, actor_type, restrictions)?;
        let mut query = below(matcher.parent());
        for restriction in restrictions {
            push_down(restriction, &mut query)?;
        }
        self.read(cx, actor_type, &query, &mut rows.filtered(&matcher)?)
    }

    fn search_text(
        &self,
        cx: &Context,
        actor_type: &str,
        text: &str,
        parent: Option<&Parent>,
        rows: &mut Rows<'_>,
    ) -> Result<()> {
        let matcher = TextMatcher::new(text, &self.fields(cx, actor_type)?, parent);
        let mut query = below(parent);
        let contains = Restriction::new("NAME", Operator::Contains, [text.trim()]);
        query.extend(contains.like(PATTERN).map(|pattern| ("text", pattern)));
        self.read(cx, actor_type, &query, &mut rows.filtered(&matcher)?)
    }

    fn changed_since(
        &self,
        cx: &Context,
        actor_type: &str,
        stamp: Option<&str>,
        rows: &mut Rows<'_>,
    ) -> Result<()> {
        // What was changed before, and could not be read then, is sent again: that does no harm.
        let since = stamp.map(|stamp| ("changed_since", earlier(stamp)));
        self.read(cx, actor_type, since.as_slice(), rows)
    }

    fn create(&self, cx: &Context, actor: &Actor, rows: &mut Rows<'_>) -> Result<()> {
        match actor.actor_type.as_str() {
            Customer::ACTOR_TYPE => self.create_record::<Customer>(cx, actor, rows),
            Person::ACTOR_TYPE => self.create_record::<Person>(cx, actor, rows),
            other => Err(unknown(other)),
        }
    }

    fn save(&self, cx: &Context, saves: &mut Saves<'_>) -> Result<()> {
        saves.each(|actor, rows| match actor.actor_type.as_str() {
            Customer::ACTOR_TYPE => self.save_record::<Customer>(cx, actor, rows),
            Person::ACTOR_TYPE => self.save_record::<Person>(cx, actor, rows),
            other => Err(unknown(other)),
        })
    }
}

/// Parameters of a request that lists records.
type Query = Vec<(&'static str, String)>;

impl Company {
    fn read(
        &self,
        cx: &Context,
        actor_type: &str,
        query: &[(&str, String)],
        rows: &mut Rows<'_>,
    ) -> Result<()> {
        match actor_type {
            Customer::ACTOR_TYPE => self.read_records::<Customer>(cx, query, rows),
            Person::ACTOR_TYPE => self.read_records::<Person>(cx, query, rows),
            _ => Err(unknown(actor_type)),
        }
    }

    fn read_records<R: Record>(
        &self,
        cx: &Context,
        query: &[(&str, String)],
        rows: &mut Rows<'_>,
    ) -> Result<()> {
        let read = pages(cx, R::PATH, |at| {
            let request = self.http.get(R::PATH).query("page", at.number).query("size", PAGE_SIZE);
            let request = query.iter().fold(request, |request, (name, value)| request.query(name, value));
            let answer = request.send(cx)?;
            Ok(answer.page(answer.json::<Vec<R>>()?))
        });
        for page in read {
            page?.iter().try_for_each(|record| rows.push_row(record))?;
        }
        Ok(())
    }

    fn create_record<R: Record>(&self, cx: &Context, actor: &Actor, rows: &mut Rows<'_>) -> Result<()> {
        // With the key the request may be repeated: the ERP system creates one record only.
        let key = format!("{:032x}", fastrand::u128(..));
        let request = self.http.post(R::PATH).idempotency_key("idempotency-key", &key);
        let created: R = request.json(&R::read(actor)?).send(cx)?.json()?;
        rows.push_row(&created)
    }

    fn save_record<R: Record>(&self, cx: &Context, actor: &Actor, rows: &mut Rows<'_>) -> Result<()> {
        let answer = self.http.get(R::PATH).segment(&actor.key).send(cx)?;
        let mut record: R = answer.json()?;
        record.apply(actor)?;
        // Refused with 412, a conflict, if somebody else has changed the record meanwhile.
        let version = answer.header("etag").unwrap_or("*");
        let request = self.http.put(R::PATH).segment(&actor.key).header("if-match", version);
        let saved: R = request.json(&record).send(cx)?.json()?;
        rows.push_row(&saved)
    }
}

/// What the ERP system can search for, and perhaps more: a matcher decides about what it finds.
fn push_down(restriction: &Restriction, query: &mut Query) -> Result<()> {
    use Operator as Op;
    match (restriction.field.as_str(), restriction.operator) {
        ("NAME", _) => query.extend(restriction.like(PATTERN).map(|pattern| ("name", pattern))),
        ("EMAIL", _) => query.extend(restriction.like(PATTERN).map(|pattern| ("email", pattern))),
        ("CREDIT", Op::Between) => {
            let (from, to) = restriction.bounds::<f64>()?;
            query.extend([("credit_from", from.to_string()), ("credit_to", to.to_string())]);
        }
        ("CREDIT", Op::Greater | Op::GreaterOrEqual) => {
            query.push(("credit_from", restriction.value::<f64>()?.to_string()));
        }
        ("CREDIT", Op::Less | Op::LessOrEqual) => {
            query.push(("credit_to", restriction.value::<f64>()?.to_string()));
        }
        // An empty key stands for no category.
        ("CATEGORY", Op::OneOf) if restriction.values.iter().all(|key| !key.is_empty()) => {
            query.push(("category", restriction.values.join(",")));
        }
        _ => {}
    }
    Ok(())
}

/// Only the children of a parent.
fn below(parent: Option<&Parent>) -> Query {
    parent.into_iter().map(|parent| ("customer", parent.key.clone())).collect()
}

/// A stamp that is earlier by the margin.
fn earlier(stamp: &str) -> String {
    const TICKS_PER_SECOND: u64 = 10_000_000;
    let date = DateTime::parse_sortable(stamp.trim_end_matches('Z')).ok();
    let earlier = date.and_then(|date| {
        DateTime::from_ticks(date.ticks().saturating_sub(MARGIN.as_secs() * TICKS_PER_SECOND))
    });
    earlier.map_or_else(String::new, |date| format!("{}Z", date.to_sortable()))
}

fn unknown(actor_type: &str) -> Error {
    Error::user(format!("there is no actor type {actor_type:?}, only Customer and Person"))
}

plugin_api::export!(HttpConnector);
