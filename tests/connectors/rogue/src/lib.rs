//! A connector with faults on request, for tests of the host (fault injection).
//!
//! A method has the [`Fault`] that stands under its name: for `new`, `settings`, `list` and `drop` in the connector's
//! options, for `test`, `connect` and all methods of the connection in the connection's settings. So the settings
//! `[("fields", "panic")]` make a connection whose method `fields` panics, and whose other methods work. `("connect",
//! "only-once")` makes one that can be opened once, in whatever process. Without faults its answers repeat what it was asked.
//!
//! A list named `state COMMAND` reads or writes the state of the connection: see `state::run`.
//!
//! The settings `idle`, `age` and `refresh_every` are the [`Lifetime`] of a connection in milliseconds, `folder` a text that it keeps
//! in its folder. It logs when it is refreshed, closed and deleted.

mod fault;
mod process_state;
mod state;

use std::path::PathBuf;
use std::time::Duration;

use plugin_api::{
    Actor, ActorType, Connection, Connector, Context, Error, Field, Host, Input, Lifetime, ListItem, Outcome,
    Parent, Restriction, Result, Rows, Saves, Settings,
};

pub use fault::Fault;

plugin_api::export!(Rogue);

/// The connector.
pub struct Rogue {
    /// The options: faults by the name of the method.
    options: Settings,
    data_folder: PathBuf,
}

/// A connection.
pub struct RogueConnection {
    settings: Settings,
    /// What the connector got from the host, as the list `FromHost`.
    from_host: Vec<ListItem>,
}

impl Connector for Rogue {
    const NAME: &'static str = "Rogue";
    const DESCRIPTION: &'static str = "Has faults on request";
    const ACTOR_TYPES: &'static [&'static str] = &["Customer", "Person"];
    // A fault of one method is not to be met in another one.
    const INPUT: Input = Input::Raw;

    type Connection = RogueConnection;

    fn new(host: &Host) -> Result<Self> {
        let methods = ["new", "settings", "list", "drop", "connection_deleted", "greeting"];
        let option = |name: &'static str| (name, host.option(name).next().map(str::to_owned));
        let options: Settings = methods.into_iter().map(option).collect();
        inject(&options, "new")?;
        Ok(Rogue { options, data_folder: host.data_folder().to_owned() })
    }

    fn settings(&self, _cx: &Context) -> Result<Vec<Field>> {
        inject(&self.options, "settings")?;
        Ok(vec![
            Field::text("Server").label("US:\"Server\";NO:\"Tjener\"").mandatory().max_length(40).rank(7),
            Field::password("Password").description("never shown"),
            Field::list("Company", "Companies"),
            Field::integer("Port").default(443).mandatory(),
        ])
    }

    fn list(&self, _cx: &Context, name: &str) -> Result<Option<Vec<ListItem>>> {
        inject(&self.options, "list")?;
        Ok((name == "Companies")
            .then(|| vec![ListItem::new("A", "US:\"Company A\""), ListItem::new("B", "")]))
    }

    fn test(&self, cx: &Context, settings: &Settings) -> Result<()> {
        inject(settings, "test")?;
        cx.report(Outcome::info("it works").tech(settings.get("Server").unwrap_or_default()).code("TESTED"));
        Ok(())
    }

    fn connect(&self, cx: &Context, settings: &Settings) -> Result<RogueConnection> {
        if let Some(text) = settings.get("folder") {
            std::fs::write(cx.folder()?.join("kept"), text)?;
        }
        if settings.get("connect") == Some("only-once") {
            let marker = self.data_folder.join("connected");
            if marker.exists() {
                return Err(Error::user("rogue error").code("ROGUE"));
            }
            std::fs::create_dir_all(&self.data_folder)?;
            std::fs::write(marker, "")?;
        }
        inject(settings, "connect")?;
        let from_host = vec![
            ListItem::new("greeting", self.options.get("greeting").unwrap_or_default()),
            ListItem::new("data_folder", self.data_folder.display().to_string()),
        ];
        Ok(RogueConnection { settings: settings.clone(), from_host })
    }

    fn connection_deleted(&self, cx: &Context, guid: &str) -> Result<()> {
        let kept = std::fs::read_to_string(cx.folder()?.join("kept")).unwrap_or_default();
        tracing::info!("rogue deleted {guid} with <{kept}>");
        inject(&self.options, "connection_deleted")
    }
}

impl Connection for RogueConnection {
    fn test(&self, cx: &Context) -> Result<()> {
        inject(&self.settings, "test_connection")?;
        cx.warn("mind the step");
        Ok(())
    }

    fn lifetime(&self, _cx: &Context) -> Lifetime {
        let time =
            |key| self.settings.get(key).and_then(|text: &str| text.parse().ok()).map(Duration::from_millis);
        Lifetime { idle: time("idle"), age: time("age"), refresh_every: time("refresh_every") }
    }

    fn refresh(&self, _cx: &Context) -> Result<()> {
        tracing::info!("rogue refresh");
        inject(&self.settings, "refresh")
    }

    fn close(&self, _cx: &Context) -> Result<()> {
        tracing::info!("rogue close");
        inject(&self.settings, "close")
    }

    fn actor_types(&self, _cx: &Context) -> Result<Vec<ActorType>> {
        inject(&self.settings, "actor_types")?;
        Ok(Rogue::ACTOR_TYPES.iter().map(|&actor_type| actor_type.into()).collect())
    }

    fn fields(&self, _cx: &Context, actor_type: &str) -> Result<Vec<Field>> {
        inject(&self.settings, "fields")?;
        if !Rogue::ACTOR_TYPES.contains(&actor_type) {
            return Err(Error::user(format!("there is no actor type {actor_type}")));
        }
        Ok(vec![Field::text("NAME").mandatory(), Field::integer("NUMBER")])
    }

    fn searchable_fields(&self, cx: &Context, actor_type: &str) -> Result<Vec<String>> {
        inject(&self.settings, "searchable_fields")?;
        Ok(self.fields(cx, actor_type)?.into_iter().map(|field| field.key).collect())
    }

    fn get(&self, _cx: &Context, actor_type: &str, keys: &[&str], rows: &mut Rows<'_>) -> Result<()> {
        inject_with(&self.settings, "get", rows)?;
        for &key in keys {
            rows.push(&Actor::new(actor_type, key))?;
        }
        Ok(())
    }

    fn search(
        &self,
        _cx: &Context,
        _: &str,
        restrictions: &[Restriction],
        rows: &mut Rows<'_>,
    ) -> Result<()> {
        inject_with(&self.settings, "search", rows)?;
        for restriction in restrictions {
            let mut row = rows.row(&restriction.field);
            row.field("OPERATOR", restriction.operator.as_str());
            row.field("VALUES", restriction.values.join(",").as_str());
            row.end()?;
        }
        Ok(())
    }

    fn search_text(
        &self,
        _cx: &Context,
        actor_type: &str,
        text: &str,
        parent: Option<&Parent>,
        rows: &mut Rows<'_>,
    ) -> Result<()> {
        inject_with(&self.settings, "search_text", rows)?;
        rows.push(&Actor { parent: parent.cloned(), ..Actor::new(actor_type, text) })?;
        Ok(())
    }

    fn changed_since(
        &self,
        _cx: &Context,
        actor_type: &str,
        stamp: Option<&str>,
        rows: &mut Rows<'_>,
    ) -> Result<()> {
        inject_with(&self.settings, "changed_since", rows)?;
        rows.push(&Actor { last_modified: stamp.map(str::to_owned), ..Actor::new(actor_type, "1") })?;
        Ok(())
    }

    fn create(&self, _cx: &Context, actor: &Actor, rows: &mut Rows<'_>) -> Result<()> {
        inject_with(&self.settings, "create", rows)?;
        rows.push(&Actor { key: "new".to_owned(), ..actor.clone() })?;
        Ok(())
    }

    /// The actor with the key 7 has the fault `save_7`.
    fn save(&self, _cx: &Context, saves: &mut Saves<'_>) -> Result<()> {
        inject(&self.settings, "save")?;
        if self.settings.get("save_7") == Some("forgotten") {
            let others = saves.actors().iter().filter(|actor| actor.key != "7");
            return others.into_iter().try_for_each(|actor| saves.saved(actor, |rows| rows.push(actor)));
        }
        saves.each(|actor, rows| {
            let method = format!("save_{}", actor.key);
            inject_with(&self.settings, &method, rows)?;
            // A row with a NUL character is its row.
            if self.settings.get(&method) == Some("nul") { Ok(()) } else { rows.push(actor) }
        })
    }

    fn list(&self, cx: &Context, name: &str) -> Result<Option<Vec<ListItem>>> {
        inject(&self.settings, "connection_list")?;
        if let Some(command) = name.strip_prefix("state ") {
            return state::run(cx, command).map(Some);
        }
        Ok(match name {
            "FromHost" => Some(self.from_host.clone()),
            // What the host has stored, as it arrives here.
            "Settings" => {
                let items = self.settings.iter();
                Some(items.map(|(key, value)| ListItem::new(key, value.unwrap_or("null"))).collect())
            }
            _ => None,
        })
    }

    fn list_items(&self, _cx: &Context, name: &str, keys: &[&str]) -> Result<Option<Vec<ListItem>>> {
        inject(&self.settings, "list_items")?;
        let items = self.from_host.iter().filter(|item| keys.contains(&item.key.as_str()));
        Ok((name == "FromHost").then(|| items.cloned().collect()))
    }
}

impl Drop for Rogue {
    fn drop(&mut self) {
        // As for a connection.
        let _ = inject(&self.options, "drop");
    }
}

impl Drop for RogueConnection {
    fn drop(&mut self) {
        // An error has nowhere to go here; a panic has.
        let _ = inject(&self.settings, "drop");
    }
}

/// Has the fault that stands under the name of the method.
fn inject(faults: &Settings, method: &str) -> Result<()> {
    let Some(fault) = faults.get(method) else { return Ok(()) };
    if let Some(command) = fault.strip_prefix("sh:") {
        return run_command(command);
    }
    Fault::parse(fault).map_or(Ok(()), Fault::run)
}

/// The same in a method that answers with rows.
fn inject_with(faults: &Settings, method: &str, rows: &mut Rows<'_>) -> Result<()> {
    match faults.get(method).and_then(Fault::parse) {
        Some(fault) => fault.run_with(rows),
        None => inject(faults, method),
    }
}

/// The fault `sh:COMMAND`: runs a command of the shell as a child process, and returns what it prints as an error.
fn run_command(command: &str) -> Result<()> {
    let output = std::process::Command::new("sh").args(["-c", command]).output()?;
    let text = [output.stdout, output.stderr].concat();
    Err(Error::user(format!("{}: {}", output.status, String::from_utf8_lossy(&text))))
}
