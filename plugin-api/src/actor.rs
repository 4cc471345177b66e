//! Actors: the things that are synchronised.

/// A customer, supplier, partner, person or project, as SuperOffice sends it to be created or saved, and as a
/// connector may answer with it (`ErpActorWS` of the contract).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Actor {
    /// The actor type, such as `Customer`.
    pub actor_type: String,
    /// The key in the ERP system; empty for an actor that is to be created.
    pub key: String,
    /// The connector's own stamp of the last change: any text, but comparable with every other stamp of the
    /// connection. `None` when unknown.
    pub last_modified: Option<String>,
    /// The actor this one belongs to, such as a person's company.
    pub parent: Option<Parent>,
    /// Field keys and their values in wire form ([`crate::Value`] reads and writes it). `None` is null, which is not
    /// the same as an empty text.
    pub fields: Vec<(String, Option<String>)>,
}

/// The actor that another one belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parent {
    /// Its actor type.
    pub actor_type: String,
    /// Its key in the ERP system.
    pub key: String,
}

impl Actor {
    /// An actor without fields.
    pub fn new(actor_type: impl Into<String>, key: impl Into<String>) -> Self {
        Actor { actor_type: actor_type.into(), key: key.into(), ..Actor::default() }
    }

    /// The value of a field in wire form: `None` when the field was not sent, `Some(None)` when it was sent as null.
    pub fn field(&self, key: &str) -> Option<Option<&str>> {
        self.fields.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_deref())
    }
}
