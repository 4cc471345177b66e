//! The smallest useful connector: customers and their people, kept in memory.
#![forbid(unsafe_code)]

use plugin_api::{Actor, ActorType, Connection, Connector, Context, Error, Field, Host, ListBased, ListItem};
use plugin_api::{Result, Rows, Saves, Settings, SettingsForm, Stamps, us};
use std::sync::{Mutex, PoisonError};

/// What an administrator fills in for a connection.
#[derive(SettingsForm)]
struct Setup {
    /// The keys of new customers and persons begin with this.
    #[setting(label(us = "Prefix", no = "Prefiks"), default = "N", max_length = 5)]
    prefix: String,
}

/// The connector.
pub struct HelloConnector;

impl Connector for HelloConnector {
    const NAME: &'static str = "Hello";
    type Connection = Company;

    fn new(_host: &Host) -> Result<Self> {
        Ok(HelloConnector)
    }

    fn settings(&self, _cx: &Context) -> Result<Vec<Field>> {
        Ok(Setup::fields())
    }

    fn connect(&self, _cx: &Context, settings: &Settings) -> Result<Company> {
        let (setup, stamps) = (Setup::read(settings)?, Stamps::default());
        let actors = [
            Actor::new("Customer", "C1").with("NAME", "Fjord & Fjell AS").with("CATEGORY", "A"),
            Actor::new("Customer", "C2").with("NAME", "Nordlys Møbler").with("CREDIT", 250.5),
            Actor::new("Person", "P1").with("NAME", "Kari Nordmann").below("Customer", "C1"),
        ];
        let actors = Mutex::new(actors.map(|actor| actor.stamped(stamps.next())).into());
        Ok(Company { setup, stamps, actors })
    }
}

/// An open connection. Many threads call it at once, so what changes stands behind a lock.
pub struct Company {
    setup: Setup,
    stamps: Stamps,
    actors: Mutex<Vec<Actor>>,
}

impl Connection for Company {
    fn actor_types(&self, _cx: &Context) -> Result<Vec<ActorType>> {
        Ok(vec![ActorType::new("Customer"), ActorType::new("Person").below("Customer")])
    }

    fn fields(&self, _cx: &Context, actor_type: &str) -> Result<Vec<Field>> {
        let name = Field::text("NAME").label(us("Name").no("Navn")).mandatory();
        match actor_type {
            "Customer" => Ok(vec![name, Field::list("CATEGORY", "Categories"), Field::double("CREDIT")]),
            "Person" => Ok(vec![name]),
            _ => Err(Error::user(format!("there is no actor type {actor_type:?}, only Customer and Person"))),
        }
    }

    plugin_api::list_based!(get, search, search_text, changed_since);

    fn list(&self, _cx: &Context, name: &str) -> Result<Option<Vec<ListItem>>> {
        Ok((name == "Categories").then(|| vec![ListItem::new("A", "Shop"), ListItem::new("B", "Restaurant")]))
    }

    fn create(&self, cx: &Context, actor: &Actor, rows: &mut Rows<'_>) -> Result<()> {
        self.fields(cx, &actor.actor_type)?;
        let mut actors = self.actors.lock().unwrap_or_else(PoisonError::into_inner);
        let key = format!("{}{}", self.setup.prefix, actors.len() + 1);
        let created = Actor { key, ..actor.clone() }.stamped(self.stamps.next());
        rows.push(&created)?;
        actors.push(created);
        Ok(())
    }

    fn save(&self, _cx: &Context, saves: &mut Saves<'_>) -> Result<()> {
        let mut actors = self.actors.lock().unwrap_or_else(PoisonError::into_inner);
        saves.each(|changes, rows| {
            let found = actors.iter_mut().find(|actor| actor.key == changes.key);
            let actor = found.ok_or_else(|| Error::not_found("there is no such actor"))?;
            actor.merge(changes);
            actor.last_modified = Some(self.stamps.next());
            rows.push(actor)
        })
    }
}

impl ListBased for Company {
    fn actors(&self, cx: &Context, actor_type: &str, rows: &mut Rows<'_>) -> Result<()> {
        self.fields(cx, actor_type)?;
        let actors = self.actors.lock().unwrap_or_else(PoisonError::into_inner);
        actors.iter().filter(|actor| actor.actor_type == actor_type).try_for_each(|actor| rows.push(actor))
    }
}

plugin_api::export!(HelloConnector);
