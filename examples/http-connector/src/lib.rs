//! A connector to an ERP system over HTTP: session, paging, push-down, retries, conflicts.
#![forbid(unsafe_code)]

mod records;

use std::path::PathBuf;
use std::time::Duration;

use plugin_api::{Actor, ActorRow, ActorType, Connection, Connector, Context, DateTime, Error, Field, Host};
use plugin_api::{LikeDialect, ListItem, Operator, Query, QueryBased, Restriction, Result, Rows, Saves};
use plugin_api::{Secret, Settings, SettingsForm};
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

    plugin_api::query_based!(get, search, search_text, changed_since);

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

impl QueryBased for Company {
    fn query(&self, cx: &Context, actor_type: &str, query: &Query<'_>, rows: &mut Rows<'_>) -> Result<()> {
        match actor_type {
            Customer::ACTOR_TYPE => self.read_records::<Customer>(cx, query, rows),
            Person::ACTOR_TYPE => self.read_records::<Person>(cx, query, rows),
            _ => Err(unknown(actor_type)),
        }
    }
}

impl Company {
    fn read_records<R: Record>(&self, cx: &Context, query: &Query<'_>, rows: &mut Rows<'_>) -> Result<()> {
        let Some(keys) = query.keys else { return self.read_pages::<R>(cx, &parameters(query)?, rows) };
        // A key that is no number of the ERP system's, in its form, does not exist.
        let is_key = |key: &&str| key.parse::<u32>().is_ok_and(|number| number.to_string() == *key);
        let mut keys: Vec<&str> = keys.iter().copied().filter(is_key).collect();
        keys.sort_unstable();
        keys.dedup();
        keys.chunks(KEYS).try_for_each(|keys| self.read_pages::<R>(cx, &[("id", keys.join(","))], rows))
    }

    fn read_pages<R: Record>(
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

/// The parameters of a request that finds all that a query finds, and perhaps more.
fn parameters(query: &Query<'_>) -> Result<Vec<(&'static str, String)>> {
    let mut parameters = Vec::new();
    if let Some(parent) = query.parent {
        parameters.push(("customer", parent.key.clone()));
    }
    for restriction in &query.restrictions {
        push_down(restriction, &mut parameters)?;
    }
    // The ERP system looks for a text in the fields that `any` names, and in the key.
    let text = query.any.first().and_then(|contains| contains.like(PATTERN));
    parameters.extend(text.map(|pattern| ("text", pattern)));
    if let Some(stamp) = query.changed_since {
        // What was changed before, and could not be read then, is sent again: that does no harm.
        let stamp = DateTime::parse_sortable(stamp.trim_end_matches('Z'));
        let since = stamp.map(|stamp| format!("{}Z", stamp.saturating_sub(MARGIN).to_sortable()));
        parameters.push(("changed_since", since.unwrap_or_default()));
    }
    Ok(parameters)
}

fn push_down(restriction: &Restriction, parameters: &mut Vec<(&'static str, String)>) -> Result<()> {
    // An empty key stands for no category.
    let has_keys = restriction.operator == Operator::OneOf && !restriction.values.contains(&String::new());
    match restriction.field.as_str() {
        "NAME" => parameters.extend(restriction.like(PATTERN).map(|pattern| ("name", pattern))),
        "EMAIL" => parameters.extend(restriction.like(PATTERN).map(|pattern| ("email", pattern))),
        "CREDIT" => {
            let (from, to) = restriction.range::<f64>()?;
            parameters.extend(from.map(|from| ("credit_from", from.to_string())));
            parameters.extend(to.map(|to| ("credit_to", to.to_string())));
        }
        "CATEGORY" if has_keys => parameters.push(("category", restriction.values.join(","))),
        _ => {}
    }
    Ok(())
}

fn unknown(actor_type: &str) -> Error {
    Error::user(format!("there is no actor type {actor_type:?}, only Customer and Person"))
}

plugin_api::export!(HttpConnector);
