//! A connector in memory that keeps all rules but one.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};

use crate::connector::search;
use crate::{
    Actor, Connection, Connector, DateTime, Error, Field, Host, ListItem, Matcher, Operator, Outcome, Parent,
    Restriction, Result, RowFilter, Rows, Settings, Stamps,
};

pub(super) const SETTINGS: [(&str, &str); 1] = [("Server", "test")];

/// The connector that breaks a rule.
pub(super) struct Broken {
    rule: u16,
    panics: bool,
    many: bool,
    opened: AtomicUsize,
    /// Actor type and name of everything that was created.
    created: Arc<Mutex<Vec<(String, String)>>>,
}

pub(super) struct Company {
    rule: u16,
    panics: bool,
    /// Which connection of its connector it is.
    number: usize,
    listings: AtomicUsize,
    home: ThreadId,
    stamps: Stamps,
    actors: Mutex<Vec<Actor>>,
    created: Arc<Mutex<Vec<(String, String)>>>,
}

impl Broken {
    /// The one that breaks this rule; none for 0.
    pub(super) fn rule(rule: u16) -> Self {
        let many = matches!(rule, 32 | 33);
        Broken { rule, panics: false, many, opened: AtomicUsize::new(0), created: Arc::default() }
    }

    /// One that breaks no rule, and has ten thousand actors.
    pub(super) fn with_many() -> Self {
        Broken { many: true, ..Broken::rule(0) }
    }

    /// One that panics when it is asked for list items.
    pub(super) fn panicking() -> Self {
        Broken { panics: true, ..Broken::rule(0) }
    }

    /// The actor type of everything that was created.
    pub(super) fn written(&self) -> Vec<String> {
        self.created.lock().unwrap().iter().map(|(actor_type, _)| actor_type.clone()).collect()
    }

    pub(super) fn created_names(&self) -> Vec<String> {
        self.created.lock().unwrap().iter().map(|(_, name)| name.clone()).collect()
    }

    fn breaks(&self, rule: u16) -> bool {
        self.rule == rule
    }
}

impl Connector for Broken {
    const NAME: &'static str = "Broken";
    type Connection = Company;

    fn new(_host: &Host) -> Result<Self> {
        Ok(Broken::rule(0))
    }

    fn settings(&self) -> Result<Vec<Field>> {
        let mut port = Field::integer("Port").default(80);
        if self.breaks(2) {
            port.default = Some("eighty".to_owned());
        }
        let list = if self.breaks(3) { "Nowhere" } else { "Companies" };
        let mut form = vec![Field::text("Server").mandatory(), port, Field::list("Company", list)];
        if self.breaks(1) {
            form.push(Field::text("Server"));
        }
        Ok(form)
    }

    fn list(&self, name: &str) -> Result<Option<Vec<ListItem>>> {
        Ok((name == "Companies").then(|| vec![ListItem::new("1", "One")]))
    }

    fn test(&self, settings: &Settings) -> Result<Outcome> {
        if self.breaks(4) {
            return Err(Error::user("the server does not answer"));
        }
        self.connect(settings)?.test()
    }

    fn connect(&self, settings: &Settings) -> Result<Company> {
        if !self.breaks(5) {
            settings.text("Server")?;
        }
        Ok(Company {
            rule: self.rule,
            panics: self.panics,
            number: self.opened.fetch_add(1, Ordering::Relaxed),
            listings: AtomicUsize::new(0),
            home: thread::current().id(),
            stamps: Stamps::default(),
            actors: Mutex::new(actors(self.rule, self.many)),
            created: Arc::clone(&self.created),
        })
    }
}

fn date(second: u8) -> DateTime {
    DateTime::from_date(2020, 1, 2).and_then(|day| day.at(10, 30, second, 0)).unwrap()
}

/// What the company has: also many actors, where that matters.
fn actors(rule: u16, many: bool) -> Vec<Actor> {
    let mut first = Actor::new("Customer", "C1")
        .with("NAME", "Fjord & Fjell")
        .with("NOTE", "Large")
        .with("CATEGORY", if rule == 29 { "Z" } else { "A" })
        .with("COUNT", 1)
        .with("ACTIVE", true)
        .with("SINCE", date(15));
    if rule == 13 {
        first.set("CREDIT", "n/a");
    } else {
        first.set("CREDIT", 100.0);
    }
    let mut actors = vec![
        first.stamped("2026-01-01T00:00:01"),
        Actor::new("Customer", "C2")
            .with("NAME", "Nordlys Møbler")
            .with("CATEGORY", "B")
            .with("CREDIT", 250.5)
            .with("COUNT", 5)
            .with("ACTIVE", false)
            .with("SINCE", date(45))
            .stamped("2026-01-01T00:00:02"),
        Actor::new("Customer", "C3").with("NAME", "fjellbygg"),
        Actor::new("Person", "P1")
            .with("NAME", "Kari")
            .below("Customer", "C1")
            .stamped("2026-01-01T00:00:03"),
        Actor::new("Person", "P2").with("NAME", "Ola").below("Customer", "C2").stamped("2026-01-01T00:00:04"),
    ];
    if rule == 11 {
        actors.push(actors[0].clone());
    }
    if many {
        let project = |number| Actor::new("Project", format!("J{number}")).stamped("2026-01-01T00:00:05");
        actors.extend((0..10_000).map(project));
    }
    actors
}

impl Company {
    fn breaks(&self, rule: u16) -> bool {
        self.rule == rule
    }

    fn find(&self, key: &str) -> Option<Actor> {
        self.actors.lock().unwrap().iter().find(|actor| actor.key == key).cloned()
    }
}

/// Actors whose stamp is later, or that the other rule allows.
struct Changed<'a>(&'a str, fn(Option<&str>, &str) -> bool);

impl RowFilter for Changed<'_> {
    fn needs(&self, _field: &str) -> bool {
        false
    }

    fn matches(&self, row: &crate::abi::RowRef<'_>) -> bool {
        (self.1)(row.last_modified, self.0)
    }
}

impl Connection for Company {
    fn actor_types(&self) -> Result<Vec<String>> {
        let mut types = vec!["Customer".to_owned(), "Person".to_owned(), "Project".to_owned()];
        if self.breaks(6) {
            types.push("Customer".to_owned());
        }
        Ok(types)
    }

    fn fields(&self, actor_type: &str) -> Result<Vec<Field>> {
        let name = Field::text("NAME").mandatory();
        let mut count = Field::integer("COUNT");
        if self.breaks(8) {
            count.default = Some("many".to_owned());
        }
        let note = if self.breaks(7) { format!("NOTE{}", self.number) } else { "NOTE".to_owned() };
        match actor_type {
            "Customer" => Ok(vec![
                name,
                Field::text(note).max_length(20),
                Field::list("CATEGORY", "Categories"),
                Field::double("CREDIT"),
                count,
                Field::checkbox("ACTIVE"),
                Field::date_time("SINCE"),
                Field::password("SECRET"),
                Field::text("OWNER").read_only(),
            ]),
            "Person" => Ok(vec![name]),
            "Project" => Ok(vec![Field::text("NAME")]),
            _ => Err(Error::user(format!("there is no actor type {actor_type:?}"))),
        }
    }

    fn searchable_fields(&self, actor_type: &str) -> Result<Vec<String>> {
        let mut keys = search::searchable(self.fields(actor_type)?)?;
        if self.breaks(9) {
            keys.push("NOWHERE".to_owned());
        }
        Ok(keys)
    }

    fn actors(&self, actor_type: &str, rows: &mut Rows<'_>) -> Result<Outcome> {
        if !self.breaks(10) {
            self.fields(actor_type)?;
        }
        let listing = self.listings.fetch_add(1, Ordering::Relaxed);
        for actor in self.actors.lock().unwrap().iter().filter(|actor| actor.actor_type == actor_type) {
            let mut actor = actor.clone();
            if self.breaks(12) {
                actor.key = format!("{}-{listing}", actor.key);
            }
            rows.push(&actor)?;
        }
        Ok(Outcome::ok())
    }

    fn get(&self, actor_type: &str, keys: &[&str], rows: &mut Rows<'_>) -> Result<Outcome> {
        self.fields(actor_type)?;
        if self.breaks(31) && thread::current().id() != self.home {
            return Ok(Outcome::ok());
        }
        if self.breaks(15) {
            for actor in keys.iter().filter_map(|key| self.find(key)) {
                rows.push(&actor)?;
            }
            return Ok(Outcome::ok());
        }
        if self.breaks(16) {
            let keys: BTreeSet<_> = keys.iter().collect();
            for mut actor in keys.into_iter().filter_map(|key| self.find(key)) {
                if !rows.wants("CREDIT") {
                    actor.fields.clear();
                }
                rows.push(&actor)?;
            }
            return Ok(Outcome::ok());
        }
        let few = if self.breaks(32) { &keys[..keys.len().min(1000)] } else { keys };
        search::by_keys(self, actor_type, few, rows)
    }

    fn search(&self, actor_type: &str, restrictions: &[Restriction], rows: &mut Rows<'_>) -> Result<Outcome> {
        let mut restrictions = restrictions.to_vec();
        for restriction in &mut restrictions {
            match (self.rule, restriction.operator) {
                (17, Operator::Begins) => restriction.operator = Operator::Contains,
                (18, Operator::GreaterOrEqual) => restriction.operator = Operator::Greater,
                (19, _) if restriction.field == "ACTIVE" => restriction.values = vec!["[I:1]".to_owned()],
                (20, Operator::NotOneOf) => restriction.operator = Operator::OneOf,
                _ => {}
            }
        }
        if self.breaks(21) {
            let fields = self.fields(actor_type)?;
            let matcher = Matcher::with_seconds(&restrictions, &fields)?;
            return self.actors(actor_type, &mut rows.filtered(&matcher)?);
        }
        if self.breaks(22) && restrictions.iter().all(|one| one.field != Restriction::PARENT_KEY) {
            restrictions.truncate(1);
        }
        if self.breaks(23) && restrictions.iter().any(|one| one.field.starts_with("no-such")) {
            return Ok(Outcome::ok());
        }
        if self.breaks(33) {
            let actors = self.actors.lock().unwrap();
            let matcher = Matcher::new(&restrictions, &self.fields(actor_type)?)?;
            let found = |actor: &&Actor| actor.actor_type == actor_type && matcher.matches(*actor);
            for actor in actors.iter().filter(found) {
                let _ = rows.push(actor);
            }
            return Ok(Outcome::ok());
        }
        search::by_restrictions(self, actor_type, &restrictions, rows)
    }

    fn search_text(
        &self,
        actor_type: &str,
        text: &str,
        parent: Option<&Parent>,
        rows: &mut Rows<'_>,
    ) -> Result<Outcome> {
        self.fields(actor_type)?;
        if self.breaks(24) && !text.is_empty() {
            let exactly = [Restriction::new("NAME", Operator::Equal, [text])];
            return search::by_restrictions(self, actor_type, &exactly, rows);
        }
        let parent = parent.filter(|_| !self.breaks(25));
        search::by_text(self, actor_type, text, parent, rows)
    }

    fn changed_since(&self, actor_type: &str, stamp: Option<&str>, rows: &mut Rows<'_>) -> Result<Outcome> {
        self.fields(actor_type)?;
        let changed = match (self.rule, stamp) {
            (14, None) => return Ok(Outcome::ok()),
            (26, Some(stamp)) => Changed(stamp, |own, stamp| own.is_none_or(|own| own > stamp)),
            (27, Some(stamp)) => Changed(stamp, |own, stamp| own.is_some_and(|own| own >= stamp)),
            _ => return search::by_stamp(self, actor_type, stamp, rows),
        };
        self.actors(actor_type, &mut rows.filtered(&changed)?)
    }

    fn create(&self, actor: &Actor, rows: &mut Rows<'_>) -> Result<Outcome> {
        self.fields(&actor.actor_type)?;
        let mut actors = self.actors.lock().unwrap();
        let mut created = Actor { key: format!("N{}", actors.len()), ..actor.clone() };
        created.last_modified = Some(self.stamps.next());
        if self.breaks(34) {
            created.fields.retain(|(key, _)| key != "CREDIT");
        }
        if self.breaks(35) {
            created.last_modified = Some("2000-01-01T00:00:00".to_owned());
        }
        if self.breaks(40) && thread::current().id() != self.home {
            created.key = "T".to_owned();
        }
        let name = created.text("NAME").to_owned();
        self.created.lock().unwrap().push((created.actor_type.clone(), name));
        rows.push(&created)?;
        actors.push(created);
        Ok(Outcome::ok())
    }

    fn save(&self, changed: &[Actor], rows: &mut Rows<'_>) -> Result<Outcome> {
        let mut actors = self.actors.lock().unwrap();
        for changes in changed {
            let Some(actor) = actors.iter_mut().find(|actor| actor.key == changes.key) else {
                if self.breaks(39) {
                    continue;
                }
                return Err(Error::user(format!("nobody has the key {:?}", changes.key)));
            };
            if self.breaks(36) {
                actor.fields.clear();
            }
            let mut changes = changes.clone();
            if self.breaks(38) {
                changes.fields.retain(|(_, value)| value.is_some());
            }
            actor.merge(&changes);
            if !self.breaks(37) {
                actor.last_modified = Some(self.stamps.next());
            }
            rows.push(actor)?;
        }
        Ok(Outcome::ok())
    }

    fn list(&self, name: &str) -> Result<Option<Vec<ListItem>>> {
        let last = if self.breaks(28) { "A" } else { "B" };
        Ok((name == "Categories").then(|| vec![ListItem::new("A", "Shop"), ListItem::new(last, "Bar")]))
    }

    fn list_items(&self, name: &str, keys: &[&str]) -> Result<Option<Vec<ListItem>>> {
        assert!(!self.panics, "no list items today");
        let wanted = |item: &ListItem| self.breaks(30) || keys.contains(&item.key.as_str());
        Ok(self.list(name)?.map(|items| items.into_iter().filter(wanted).collect()))
    }
}
