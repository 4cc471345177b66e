//! A connector in memory that keeps all conformance rules but one: an option of the host, or [`Broken::rule`], names that rule.

#![forbid(unsafe_code)]
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "it is for tests only")]

mod erp_system;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};

use plugin_api::abi::RowRef;
use plugin_api::{
    Actor, ActorType, Connection, Connector, Context, DateTime, Error, Field, Host, Input, ListBased,
    ListItem, Matcher, Operator, Parent, Restriction, Result, RowFilter, Rows, Saves, Settings, Stamps,
};

pub use erp_system::{ErpState, ErpSystem};

/// The settings that a connection needs.
pub const SETTINGS: [(&str, &str); 1] = [("Server", "test")];

/// A key and a name that nothing has: the one that the rules use.
const NOBODY: &str = "erp-host-verify-nobody";

/// The connector that breaks a rule.
pub struct Broken {
    rule: u16,
    panics: bool,
    many: bool,
    opened: AtomicUsize,
    erp: Arc<ErpSystem>,
    /// Everything that was created.
    created: Arc<Mutex<Vec<Actor>>>,
}

/// The same connector behind the check of a host.
pub struct Checked(pub Broken);

/// A connection that breaks a rule in what it reads and writes.
pub struct Company {
    data: Data,
    panics: bool,
    erp: Arc<ErpSystem>,
    home: ThreadId,
    stamps: Stamps,
    created: Arc<Mutex<Vec<Actor>>>,
}

/// What there is. It is searched by listing.
struct Data {
    rule: u16,
    /// Which connection of its connector it is.
    number: usize,
    listed: AtomicUsize,
    actors: Mutex<Vec<Actor>>,
}

impl Broken {
    /// The one that breaks this rule; none for 0.
    pub fn rule(rule: u16) -> Self {
        let many = matches!(rule, 1202 | 1205);
        let (opened, erp) = (AtomicUsize::new(0), Arc::new(ErpSystem::new(rule, None)));
        Broken { rule, panics: false, many, opened, erp, created: Arc::default() }
    }

    /// The ERP system behind it.
    pub fn erp(&self) -> &ErpSystem {
        &self.erp
    }

    /// One that breaks no rule, and has ten thousand actors.
    pub fn with_many() -> Self {
        Broken { many: true, ..Broken::rule(0) }
    }

    /// One that panics when it is asked for list items.
    pub fn panicking() -> Self {
        Broken { panics: true, ..Broken::rule(0) }
    }

    /// Everything that was created.
    pub fn created(&self) -> Vec<Actor> {
        self.created.lock().unwrap().clone()
    }

    fn breaks(&self, rule: u16) -> bool {
        self.rule == rule
    }
}

impl Connector for Broken {
    const NAME: &'static str = "Broken";
    // A host that checks would keep some of the rules in its place.
    const INPUT: Input = Input::Raw;
    type Connection = Company;

    /// In a host, the option `rule` says which rule to break, and `erp` names the file with the state of the ERP system.
    fn new(host: &Host) -> Result<Self> {
        let rule = host.option("rule").next().and_then(|rule| rule.parse().ok()).unwrap_or_default();
        let file = host.option("erp").next().map(PathBuf::from);
        Ok(Broken { erp: Arc::new(ErpSystem::new(rule, file)), ..Broken::rule(rule) })
    }

    fn settings(&self, _cx: &Context) -> Result<Vec<Field>> {
        if self.breaks(401) {
            return Err(Error::user("the form is out of order"));
        }
        let mut port = Field::integer("Port").default(80);
        if self.breaks(403) {
            port.default = Some("eighty".to_owned());
        }
        let list = if self.breaks(404) { "Nowhere" } else { "Companies" };
        let mut form = vec![Field::text("Server").mandatory(), port, Field::list("Company", list)];
        if self.breaks(402) {
            form.push(Field::text("Server"));
        }
        Ok(form)
    }

    fn list(&self, _cx: &Context, name: &str) -> Result<Option<Vec<ListItem>>> {
        Ok((name == "Companies").then(|| vec![ListItem::new("1", "One")]))
    }

    fn test(&self, cx: &Context, settings: &Settings) -> Result<()> {
        assert!(!self.breaks(407) || settings.iter().next().is_some(), "no settings");
        match self.rule {
            405 => Err(Error::user("the server does not answer")),
            502 => settings.text("Server").map(|_| ()),
            _ => self.connect(cx, settings)?.test(cx),
        }
    }

    fn connect(&self, _cx: &Context, settings: &Settings) -> Result<Company> {
        if self.breaks(502) {
            return Err(Error::user("the server is busy"));
        }
        if !self.breaks(406) {
            settings.text("Server")?;
        }
        let number = self.opened.fetch_add(1, Ordering::Relaxed);
        let actors = Mutex::new(actors(self.rule, self.many, number));
        Ok(Company {
            data: Data { rule: self.rule, number, listed: AtomicUsize::new(0), actors },
            panics: self.panics,
            erp: Arc::clone(&self.erp),
            home: thread::current().id(),
            stamps: Stamps::default(),
            created: Arc::clone(&self.created),
        })
    }
}

impl Connector for Checked {
    const NAME: &'static str = "Checked";
    type Connection = Company;

    fn new(host: &Host) -> Result<Self> {
        Broken::new(host).map(Checked)
    }

    fn settings(&self, cx: &Context) -> Result<Vec<Field>> {
        self.0.settings(cx)
    }

    fn list(&self, cx: &Context, name: &str) -> Result<Option<Vec<ListItem>>> {
        Connector::list(&self.0, cx, name)
    }

    fn test(&self, cx: &Context, settings: &Settings) -> Result<()> {
        Connector::test(&self.0, cx, settings)
    }

    fn connect(&self, cx: &Context, settings: &Settings) -> Result<Company> {
        self.0.connect(cx, settings)
    }
}

fn date(second: u8) -> DateTime {
    DateTime::from_date(2020, 1, 2).and_then(|day| day.at(10, 30, second, 0)).unwrap()
}

/// What the company has: also many actors, where that matters.
fn actors(rule: u16, many: bool, connection: usize) -> Vec<Actor> {
    let mut first = Actor::new("Customer", "C1")
        .with("NAME", "Fjord & Fjell")
        .with("NOTE", "Large")
        .with("CATEGORY", if rule == 902 { "Z" } else { "A" })
        .with("COUNT", 1)
        .with("ACTIVE", true)
        .with("SINCE", date(15));
    if rule == 703 {
        first.set("CREDIT", "n/a");
    } else {
        first.set("CREDIT", 100.0);
    }
    if rule == 607 {
        first.fields.retain(|(key, _)| key != "NOTE");
    }
    let mut third = Actor::new("Customer", "C3").with("NAME", "fjellbygg");
    if rule != 1002 && rule != 1003 {
        third.last_modified = Some("2026-01-01T00:00:00".to_owned());
    }
    let company = if rule == 707 { "C99" } else { "C1" };
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
        third,
        Actor::new("Person", "P1")
            .with("NAME", "Kari")
            .below("Customer", company)
            .stamped("2026-01-01T00:00:03"),
        Actor::new("Person", "P2").with("NAME", "Ola").below("Customer", "C2").stamped("2026-01-01T00:00:04"),
    ];
    if rule == 708 {
        for actor in &mut actors {
            actor.key.push_str(&format!("-{connection}"));
            if let Some(parent) = &mut actor.parent {
                parent.key.push_str(&format!("-{connection}"));
            }
        }
    }
    if many {
        let project = |number| {
            Actor::new("Project", format!("J{number}")).with("NAME", "Many").stamped("2026-01-01T00:00:05")
        };
        actors.extend((0..10_000).map(project));
    }
    actors
}

impl Data {
    fn breaks(&self, rule: u16) -> bool {
        self.rule == rule
    }

    fn find(&self, key: &str) -> Option<Actor> {
        self.actors.lock().unwrap().iter().find(|actor| actor.key == key).cloned()
    }
}

impl Connection for Data {
    fn actor_types(&self, _cx: &Context) -> Result<Vec<ActorType>> {
        let mut types = vec!["Customer".into(), ActorType::new("Person").below("Customer"), "Project".into()];
        if self.breaks(601) {
            types.push("Customer".into());
        }
        Ok(types)
    }

    fn fields(&self, _cx: &Context, actor_type: &str) -> Result<Vec<Field>> {
        assert!(!self.breaks(605) || !actor_type.is_empty(), "no actor type");
        let name = Field::text("NAME").mandatory();
        let mut count = Field::integer("COUNT");
        if self.breaks(603) {
            count.default = Some("many".to_owned());
        }
        let note = if self.breaks(607) { format!("NOTE{}", self.number) } else { "NOTE".to_owned() };
        match actor_type {
            "Customer" => Ok(vec![
                name,
                Field::text(note).max_length(60),
                Field::list("CATEGORY", "Categories"),
                Field::double("CREDIT"),
                count,
                Field::checkbox("ACTIVE"),
                Field::date_time("SINCE"),
                Field::password("SECRET"),
                Field::text("OWNER").read_only(),
            ]),
            "Person" => Ok(vec![name]),
            "Project" if self.breaks(602) => Ok(vec![]),
            "Project" => Ok(vec![Field::text("NAME")]),
            _ => Err(Error::user(format!("there is no actor type {actor_type:?}"))),
        }
    }

    plugin_api::list_based!(get, search, search_text, changed_since);

    fn list(&self, _cx: &Context, name: &str) -> Result<Option<Vec<ListItem>>> {
        let last = if self.breaks(901) { "A" } else { "B" };
        let items = || vec![ListItem::new("A", "Shop"), ListItem::new(last, "Bar")];
        Ok(match name {
            "Categories" => Some(items()),
            _ if self.breaks(904) => Some(Vec::new()),
            _ => None,
        })
    }
}

impl ListBased for Data {
    fn actors(&self, cx: &Context, actor_type: &str, rows: &mut Rows<'_>) -> Result<()> {
        if !self.breaks(606) {
            self.fields(cx, actor_type)?;
        }
        self.listed.fetch_add(1, Ordering::Relaxed);
        for actor in self.actors.lock().unwrap().iter().filter(|actor| actor.actor_type == actor_type) {
            let mut actor = actor.clone();
            if self.breaks(701) && actor.key == "P2" {
                actor.actor_type = "Partner".to_owned();
            }
            rows.push(&actor)?;
        }
        Ok(())
    }
}

/// Actors whose stamp is later, or that the other rule allows.
struct Changed<'a>(&'a str, fn(Option<&str>, &str) -> bool);

impl RowFilter for Changed<'_> {
    fn needs(&self, _field: &str) -> bool {
        false
    }

    fn matches(&self, row: &RowRef<'_>) -> bool {
        (self.1)(row.last_modified, self.0)
    }
}

impl Company {
    fn breaks(&self, rule: u16) -> bool {
        self.data.rule == rule
    }

    fn is_elsewhere(&self) -> bool {
        thread::current().id() != self.home
    }
}

impl Connection for Company {
    fn actor_types(&self, cx: &Context) -> Result<Vec<ActorType>> {
        self.data.actor_types(cx)
    }

    fn fields(&self, cx: &Context, actor_type: &str) -> Result<Vec<Field>> {
        self.data.fields(cx, actor_type)
    }

    fn searchable_fields(&self, cx: &Context, actor_type: &str) -> Result<Vec<String>> {
        let mut keys = self.data.searchable_fields(cx, actor_type)?;
        if self.breaks(604) {
            keys.push("SECRET".to_owned());
        }
        Ok(keys)
    }

    fn get(&self, cx: &Context, actor_type: &str, keys: &[&str], rows: &mut Rows<'_>) -> Result<()> {
        self.erp.reach(cx)?;
        self.fields(cx, actor_type)?;
        if self.breaks(1201) && self.is_elsewhere() {
            return Ok(());
        }
        match self.data.rule {
            704 => return self.data.get(cx, actor_type, &keys[..keys.len().saturating_sub(1)], rows),
            705 if keys.is_empty() => return self.data.actors(cx, actor_type, rows),
            706 => {
                let keys: BTreeSet<_> = keys.iter().collect();
                for mut actor in keys.into_iter().filter_map(|key| self.data.find(key)) {
                    if !rows.wants("CREDIT") {
                        actor.fields.clear();
                    }
                    rows.push(&actor)?;
                }
                return Ok(());
            }
            709 => {
                for actor in keys.iter().filter_map(|key| self.data.find(key)) {
                    rows.push(&actor)?;
                }
                return Ok(());
            }
            _ => {}
        }
        let few = if self.breaks(1202) { &keys[..keys.len().min(1000)] } else { keys };
        self.data.get(cx, actor_type, few, rows)
    }

    fn search(
        &self,
        cx: &Context,
        actor_type: &str,
        restrictions: &[Restriction],
        rows: &mut Rows<'_>,
    ) -> Result<()> {
        match self.erp.reach(cx) {
            Err(_) if self.breaks(1503) && self.erp.state() == ErpState::Away => return Ok(()),
            reached => reached?,
        }
        let mut restrictions = restrictions.to_vec();
        let is_below = restrictions.iter().any(|one| one.field == Restriction::PARENT_KEY);
        for restriction in &mut restrictions {
            match (self.data.rule, restriction.operator) {
                (801, Operator::Begins) => restriction.operator = Operator::Contains,
                (802, Operator::GreaterOrEqual) => restriction.operator = Operator::Greater,
                (803, _) if restriction.field == "ACTIVE" => restriction.values = vec!["[I:1]".to_owned()],
                (804, Operator::NotOneOf) => restriction.operator = Operator::OneOf,
                _ => {}
            }
        }
        match self.data.rule {
            805 => {
                let fields = self.fields(cx, actor_type)?;
                let matcher = Matcher::with_seconds(&restrictions, &fields)?;
                return self.data.actors(cx, actor_type, &mut rows.filtered(&matcher)?);
            }
            806 if !is_below => restrictions.truncate(1),
            808 if restrictions.iter().any(|one| one.field == NOBODY) => return Ok(()),
            810 if is_below => restrictions.clear(),
            812 if restrictions.iter().any(|one| one.field == "COUNT" && one.values == [NOBODY]) => {
                return Ok(());
            }
            1205 => {
                let actors = self.data.actors.lock().unwrap();
                let matcher = Matcher::new(&restrictions, &self.fields(cx, actor_type)?)?;
                let found = |actor: &&Actor| actor.actor_type == actor_type && matcher.matches(*actor);
                for actor in actors.iter().filter(found) {
                    let _ = rows.push(actor);
                }
                return Ok(());
            }
            _ => {}
        }
        self.data.search(cx, actor_type, &restrictions, rows)
    }

    fn search_text(
        &self,
        cx: &Context,
        actor_type: &str,
        text: &str,
        parent: Option<&Parent>,
        rows: &mut Rows<'_>,
    ) -> Result<()> {
        self.erp.reach(cx)?;
        self.fields(cx, actor_type)?;
        if self.breaks(809) && !text.is_empty() {
            let exactly = [Restriction::new("NAME", Operator::Equal, [text])];
            return self.data.search(cx, actor_type, &exactly, rows);
        }
        // A category is no text.
        if self.breaks(813) && text == "A" {
            return self.data.actors(cx, actor_type, rows);
        }
        let parent = parent.filter(|_| !self.breaks(811));
        self.data.search_text(cx, actor_type, text, parent, rows)
    }

    fn changed_since(
        &self,
        cx: &Context,
        actor_type: &str,
        stamp: Option<&str>,
        rows: &mut Rows<'_>,
    ) -> Result<()> {
        self.erp.reach(cx)?;
        if !self.breaks(606) {
            self.fields(cx, actor_type)?;
        }
        let changed = match (self.data.rule, stamp) {
            (702, None) => return Ok(()),
            (1001, Some(stamp)) => Changed(stamp, |own, stamp| own.is_none_or(|own| own > stamp)),
            (1002, Some(stamp)) => Changed(stamp, |own, stamp| own.is_some_and(|own| own >= stamp)),
            (1004, Some(stamp)) => {
                assert!(stamp.starts_with(char::is_numeric), "this is no stamp: {stamp}");
                return self.data.changed_since(cx, actor_type, Some(stamp), rows);
            }
            _ => return self.data.changed_since(cx, actor_type, stamp, rows),
        };
        self.data.actors(cx, actor_type, &mut rows.filtered(&changed)?)
    }

    fn create(&self, cx: &Context, actor: &Actor, rows: &mut Rows<'_>) -> Result<()> {
        let reached = self.erp.reach(cx);
        if !self.breaks(1505) {
            reached?;
        }
        self.fields(cx, &actor.actor_type)?;
        let mut actors = self.data.actors.lock().unwrap();
        let mut created = Actor { key: format!("N{}", actors.len()), ..actor.clone() };
        created.last_modified = Some(self.stamps.next());
        match self.data.rule {
            1101 => created.fields.retain(|(key, _)| key != "CREDIT"),
            1102 => created.last_modified = Some("2000-01-01T00:00:00".to_owned()),
            1109 if self.is_elsewhere() => created.key = "T".to_owned(),
            _ => {}
        }
        self.created.lock().unwrap().push(created.clone());
        rows.push(&created)?;
        actors.push(created);
        self.erp.reach(cx)
    }

    fn save(&self, cx: &Context, saves: &mut Saves<'_>) -> Result<()> {
        self.erp.reach(cx)?;
        let mut actors = self.data.actors.lock().unwrap();
        let has_strangers =
            saves.actors().iter().any(|changes| actors.iter().all(|actor| actor.key != changes.key));
        if self.breaks(1110) && has_strangers {
            // As a connector does that fails as a whole, after it has written.
            let known = |actor: &&mut Actor| saves.actors().iter().any(|changes| changes.key == actor.key);
            for actor in actors.iter_mut().filter(known) {
                actor.set("NAME", "half done");
            }
            return Err(Error::user("not all of them are here"));
        }
        saves.each(|changes, rows| {
            let Some(actor) = actors.iter_mut().find(|actor| actor.key == changes.key) else {
                if self.breaks(1107) {
                    return rows.push(changes);
                }
                return Err(Error::user(format!("nobody has the key {:?}", changes.key)));
            };
            let mut changes = changes.clone();
            match self.data.rule {
                1103 => actor.fields.clear(),
                1105 => {
                    for value in changes.fields.iter_mut().filter_map(|(_, value)| value.as_mut()) {
                        value.retain(|letter| letter.is_ascii());
                    }
                }
                1106 => changes.fields.retain(|(_, value)| value.is_some()),
                _ => {}
            }
            actor.merge(&changes);
            if !self.breaks(1104) {
                actor.last_modified = Some(self.stamps.next());
            }
            rows.push(actor)
        })
    }

    fn list(&self, cx: &Context, name: &str) -> Result<Option<Vec<ListItem>>> {
        self.data.list(cx, name)
    }

    fn list_items(&self, cx: &Context, name: &str, keys: &[&str]) -> Result<Option<Vec<ListItem>>> {
        assert!(!self.panics, "no list items today");
        let wanted = |item: &ListItem| self.breaks(903) || keys.contains(&item.key.as_str());
        Ok(self.list(cx, name)?.map(|items| items.into_iter().filter(wanted).collect()))
    }
}

plugin_api::export!(Broken);
