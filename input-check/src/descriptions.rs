//! What a connection has described: its actor types, their fields, and lists. Kept for a time that the connector sets, and until
//! the connection is closed.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use plugin_api::abi::client::ConnectionClient;
use plugin_api::abi::{ActorCall, ActorOperation};
use plugin_api::{Actor, ActorType, Field, ListItem, Outcome};

/// Where descriptions come from, and the actors that values are compared with. An error is the outcome of the call.
pub trait Source {
    /// The actor types.
    ///
    /// # Errors
    /// They cannot be read.
    fn actor_types(&self) -> Result<Vec<ActorType>, Outcome>;

    /// The fields of an actor type.
    ///
    /// # Errors
    /// They cannot be read.
    fn fields(&self, actor_type: &str) -> Result<Vec<Field>, Outcome>;

    /// A list; `None` when there is none of that name.
    ///
    /// # Errors
    /// It cannot be read.
    fn list(&self, name: &str) -> Result<Option<Vec<ListItem>>, Outcome>;

    /// The actors with these keys, with these fields.
    ///
    /// # Errors
    /// They cannot be read.
    fn get(&self, actor_type: &str, keys: &[&str], fields: &[&str]) -> Result<Vec<Actor>, Outcome>;
}

impl Source for ConnectionClient {
    fn actor_types(&self) -> Result<Vec<ActorType>, Outcome> {
        self.actor_types()
    }

    fn fields(&self, actor_type: &str) -> Result<Vec<Field>, Outcome> {
        self.fields(actor_type)
    }

    fn list(&self, name: &str) -> Result<Option<Vec<ListItem>>, Outcome> {
        self.list(name)
    }

    fn get(&self, actor_type: &str, keys: &[&str], fields: &[&str]) -> Result<Vec<Actor>, Outcome> {
        let mut actors = Vec::with_capacity(keys.len());
        let operation = ActorOperation::Get { keys: keys.into() };
        let call = ActorCall { actor_type, fields: Some(fields.into()), operation };
        let outcome = self.actors(call, &mut |row| {
            actors.push(row.to_actor());
            std::ops::ControlFlow::Continue(())
        });
        if outcome.state.is_ok() { Ok(actors) } else { Err(outcome) }
    }
}

/// The fields of an actor type.
#[derive(Debug)]
pub(crate) struct Fields {
    all: Vec<Field>,
    positions: HashMap<String, usize>,
}

impl Fields {
    fn new(all: Vec<Field>) -> Self {
        let positions = all.iter().enumerate().map(|(at, field)| (field.key.clone(), at)).collect();
        Fields { all, positions }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Field> {
        self.positions.get(key).and_then(|at| self.all.get(*at))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Field> {
        self.all.iter()
    }
}

/// The keys of a list.
pub(crate) type ListKeys = HashSet<String>;

/// The descriptions of one open connection.
#[derive(Debug)]
pub struct Descriptions {
    lifetime: Duration,
    cached: RwLock<Cached>,
}

#[derive(Debug, Default)]
struct Cached {
    actor_types: Option<Read<Arc<[ActorType]>>>,
    fields: HashMap<String, Read<Arc<Fields>>>,
    /// `None`: there is no list of that name.
    lists: HashMap<String, Read<Option<Arc<ListKeys>>>>,
}

/// Something that was read, and when: before the connector was asked.
#[derive(Debug, Clone)]
struct Read<T> {
    value: T,
    at: Instant,
}

impl Descriptions {
    /// None yet. What is read is used for this long.
    pub fn new(lifetime: Duration) -> Self {
        Descriptions { lifetime, cached: RwLock::default() }
    }
}

/// The descriptions for one call, read from the connector where they are too old.
pub(crate) struct Lookup<'c> {
    descriptions: &'c Descriptions,
    source: &'c dyn Source,
    /// What was read since then is used in any case.
    begun: Instant,
    /// What is this much older, too.
    lifetime: Duration,
    has_used_older: Cell<bool>,
}

impl<'c> Lookup<'c> {
    pub(crate) fn new(descriptions: &'c Descriptions, source: &'c dyn Source) -> Self {
        let (begun, lifetime) = (Instant::now(), descriptions.lifetime);
        Lookup { descriptions, source, begun, lifetime, has_used_older: Cell::new(false) }
    }

    /// The same, and nothing that was read before is used.
    pub(crate) fn afresh(&self) -> Self {
        let Lookup { descriptions, source, .. } = *self;
        let (begun, lifetime) = (Instant::now(), Duration::ZERO);
        Lookup { descriptions, source, begun, lifetime, has_used_older: Cell::new(false) }
    }

    /// Whether it has used anything that was read before.
    pub(crate) fn has_used_older(&self) -> bool {
        self.has_used_older.get()
    }

    pub(crate) fn source(&self) -> &'c dyn Source {
        self.source
    }

    pub(crate) fn actor_types(&self) -> Result<Arc<[ActorType]>, Outcome> {
        let value = |cached: &Cached| self.usable(cached.actor_types.as_ref());
        if let Some(actor_types) = self.read(value) {
            return Ok(actor_types);
        }
        let (at, value) = (Instant::now(), Arc::<[ActorType]>::from(self.source.actor_types()?));
        self.write(|cached| {
            cached.fields.retain(|name, _| value.iter().any(|actor_type| actor_type.name == *name));
            cached.actor_types = Some(Read { value: Arc::clone(&value), at });
        });
        Ok(value)
    }

    pub(crate) fn fields(&self, actor_type: &str) -> Result<Arc<Fields>, Outcome> {
        if let Some(fields) = self.read(|cached| self.usable(cached.fields.get(actor_type))) {
            return Ok(fields);
        }
        let (at, value) = (Instant::now(), Arc::new(Fields::new(self.source.fields(actor_type)?)));
        let read = Read { value: Arc::clone(&value), at };
        self.write(|cached| drop(cached.fields.insert(actor_type.to_owned(), read)));
        Ok(value)
    }

    pub(crate) fn list(&self, name: &str) -> Result<Option<Arc<ListKeys>>, Outcome> {
        if let Some(list) = self.read(|cached| self.usable(cached.lists.get(name))) {
            return Ok(list);
        }
        let at = Instant::now();
        let keys = |items: Vec<ListItem>| Arc::new(items.into_iter().map(|item| item.key).collect());
        let value: Option<Arc<ListKeys>> = self.source.list(name)?.map(keys);
        let read = Read { value: value.clone(), at };
        self.write(|cached| {
            // Names of lists that no field has any more go with their time.
            cached.lists.retain(|_, list| self.is_usable(list.at));
            cached.lists.insert(name.to_owned(), read);
        });
        Ok(value)
    }

    fn usable<T: Clone>(&self, read: Option<&Read<T>>) -> Option<T> {
        let read = read.filter(|read| self.is_usable(read.at))?;
        if read.at < self.begun {
            self.has_used_older.set(true);
        }
        Some(read.value.clone())
    }

    fn is_usable(&self, at: Instant) -> bool {
        at >= self.begun || self.begun.duration_since(at) < self.lifetime
    }

    fn read<T>(&self, read: impl FnOnce(&Cached) -> Option<T>) -> Option<T> {
        read(&self.descriptions.cached.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, write: impl FnOnce(&mut Cached)) {
        write(&mut self.descriptions.cached.write().unwrap_or_else(PoisonError::into_inner));
    }
}
