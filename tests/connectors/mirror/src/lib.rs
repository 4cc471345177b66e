//! A connector for tests of SOAP clients: it keeps actors in memory and returns exactly what it was given, with null and
//! empty as different values, with text that needs every kind of escaping and a thousand projects.
//!
//! What a client finds:
//! - the setting `Greeting` must be filled in, and `fail` makes every test end with State=Error in two languages;
//! - customer `M1` has [`TRICKY`] in `NAME`, no value in `NULLED`, an empty one in `EMPTY`;
//! - projects `1` to `1000`;
//! - list `Colours` with a name that needs escaping and one that is empty.
#![forbid(unsafe_code)]

use std::sync::{Mutex, PoisonError};

use plugin_api::{Actor, ActorType, Connection, Connector, Context, Error, Field, Host, ListBased, ListItem};
use plugin_api::{Result, Rows, Saves, Settings, SettingsForm, Stamps, Value};

/// Text that goes wrong wherever somebody forgets to escape, or counts bytes where characters are meant.
pub const TRICKY: &str = "Æsop's \"R&D\" <b>søn</b> ]]> 漢字 😀";

/// What an administrator fills in for a connection.
#[derive(SettingsForm)]
struct Setup {
    /// Anything but `fail`.
    #[setting(label(us = "Greeting & <name>", no = "Hilsen"))]
    greeting: String,
}

/// The connector.
pub struct Mirror;

impl Connector for Mirror {
    const NAME: &'static str = "Mirror";
    const DESCRIPTION: &'static str = "Gives back exactly what it was given";
    type Connection = Reflection;

    fn new(_host: &Host) -> Result<Self> {
        Ok(Mirror)
    }

    fn settings(&self, _cx: &Context) -> Result<Vec<Field>> {
        let mut fields = Setup::fields();
        fields.push(Field::list("Colour", "Colours"));
        Ok(fields)
    }

    fn list(&self, _cx: &Context, name: &str) -> Result<Option<Vec<ListItem>>> {
        Ok(list(name))
    }

    fn connect(&self, _cx: &Context, settings: &Settings) -> Result<Reflection> {
        if Setup::read(settings)?.greeting == "fail" {
            return Err(Error::user("US:\"not <this> & not that\";NO:\"ikke <dette> & ikke det\""));
        }
        let stamps = Stamps::default();
        let mirrored = Actor::new("Customer", "M1")
            .with("NAME", TRICKY)
            .with("NULLED", Value::Null)
            .with("EMPTY", "")
            .stamped(stamps.next());
        let projects = (1..=1000).map(|number| {
            let name = format!("Project <{number}> & Söhne");
            Actor::new("Project", number.to_string()).with("NAME", name).stamped(stamps.next())
        });
        let actors = Mutex::new(std::iter::once(mirrored).chain(projects).collect());
        Ok(Reflection { stamps, actors })
    }
}

/// An open connection.
pub struct Reflection {
    stamps: Stamps,
    actors: Mutex<Vec<Actor>>,
}

impl Connection for Reflection {
    fn actor_types(&self, _cx: &Context) -> Result<Vec<ActorType>> {
        Ok(["Customer", "Person", "Project"].map(ActorType::new).into())
    }

    fn fields(&self, _cx: &Context, actor_type: &str) -> Result<Vec<Field>> {
        let name = Field::text("NAME").label("US:\"Name & <title>\";NO:\"Navn\"").mandatory();
        match actor_type {
            "Customer" => Ok(vec![
                name,
                Field::text("NULLED"),
                Field::text("EMPTY"),
                Field::list("CATEGORY", "Colours"),
                Field::double("CREDIT"),
            ]),
            "Person" | "Project" => Ok(vec![name]),
            other => Err(Error::user(format!("there is no actor type {other:?}"))),
        }
    }

    plugin_api::list_based!(get, search, search_text, changed_since);

    fn list(&self, _cx: &Context, name: &str) -> Result<Option<Vec<ListItem>>> {
        Ok(list(name))
    }

    fn create(&self, cx: &Context, actor: &Actor, rows: &mut Rows<'_>) -> Result<()> {
        self.fields(cx, &actor.actor_type)?;
        let mut actors = self.actors.lock().unwrap_or_else(PoisonError::into_inner);
        let key = format!("N{}", actors.len());
        let created = Actor { key, ..actor.clone() }.stamped(self.stamps.next());
        rows.push(&created)?;
        actors.push(created);
        Ok(())
    }

    fn save(&self, _cx: &Context, saves: &mut Saves<'_>) -> Result<()> {
        let mut actors = self.actors.lock().unwrap_or_else(PoisonError::into_inner);
        saves.each(|changes, rows| {
            let found = actors.iter_mut().find(|actor| actor.key == changes.key);
            let actor = found.ok_or_else(|| Error::user(format!("nobody has the key {:?}", changes.key)))?;
            actor.merge(changes);
            actor.last_modified = Some(self.stamps.next());
            rows.push(actor)
        })
    }
}

impl ListBased for Reflection {
    fn actors(&self, cx: &Context, actor_type: &str, rows: &mut Rows<'_>) -> Result<()> {
        self.fields(cx, actor_type)?;
        let actors = self.actors.lock().unwrap_or_else(PoisonError::into_inner);
        actors.iter().filter(|actor| actor.actor_type == actor_type).try_for_each(|actor| rows.push(actor))
    }
}

fn list(name: &str) -> Option<Vec<ListItem>> {
    (name == "Colours").then(|| vec![ListItem::new("R&D", "Rød <rosé>"), ListItem::new("none", "")])
}

plugin_api::export!(Mirror);
