//! Actors: the things that are synchronised, and their types.

use crate::{FieldValue, Result, Value, field_value};

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
    /// Field keys and their values in wire form; `None` is null, which is not the same as an empty text. Use
    /// [`get`](Actor::get), [`sent`](Actor::sent) and [`set`](Actor::set) for values as types.
    pub fields: Vec<(String, Option<String>)>,
    /// The keys of those fields that a caller has sent back as they are: see [`Actor::is_unchanged`].
    pub unchanged: Vec<String>,
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

    /// The actor with a field more.
    ///
    /// ```
    /// use plugin_api::Actor;
    ///
    /// let actor = Actor::new("Person", "7").with("NAME", "Ada").with("AGE", 36).below("Customer", "1");
    /// assert_eq!(actor.text("NAME"), "Ada");
    /// ```
    #[must_use]
    pub fn with<'v>(mut self, key: impl Into<String>, value: impl Into<Value<'v>>) -> Self {
        self.set(key, value);
        self
    }

    /// The actor as a child of another one.
    #[must_use]
    pub fn below(mut self, actor_type: impl Into<String>, key: impl Into<String>) -> Self {
        self.parent = Some(Parent::new(actor_type, key));
        self
    }

    /// The actor with the stamp of its last change.
    #[must_use]
    pub fn stamped(mut self, stamp: impl Into<String>) -> Self {
        self.last_modified = Some(stamp.into());
        self
    }

    /// Sets a field. A text is kept as it is, so a value in wire form may be passed on.
    pub fn set<'v>(&mut self, key: impl Into<String>, value: impl Into<Value<'v>>) {
        let key = key.into();
        let value = value.into().to_wire().map(std::borrow::Cow::into_owned);
        match self.fields.iter_mut().find(|(name, _)| *name == key) {
            Some((_, old)) => *old = value,
            None => self.fields.push((key, value)),
        }
    }

    /// Takes over what another actor was sent with: its fields, and its parent if it names one. Fields that it does
    /// not have stay as they are, which is what saving an actor means.
    pub fn merge(&mut self, changes: &Actor) {
        for (key, value) in &changes.fields {
            self.set(key, value.as_deref());
        }
        if changes.parent.is_some() {
            self.parent.clone_from(&changes.parent);
        }
    }

    /// The value of a field as a type of the author's. Null, and a field that was not sent, are the empty value: `None` of an
    /// `Option`, and an error for a type that must have a value.
    ///
    /// ```
    /// use plugin_api::Actor;
    ///
    /// let actor = Actor::new("Customer", "1").with("CREDIT", 1.5).with("PHONE", None::<&str>);
    /// assert_eq!(actor.get::<f64>("CREDIT")?, 1.5);
    /// assert_eq!(actor.get::<Option<String>>("PHONE")?, None);
    /// assert!(actor.get::<i64>("COUNT").is_err());
    /// # Ok::<(), plugin_api::Error>(())
    /// ```
    ///
    /// # Errors
    /// The value is missing, or is not one of this type. The text names the field.
    pub fn get<T: FieldValue>(&self, key: &str) -> Result<T> {
        field_value::read(self.field(key).flatten(), format_args!("the field {key}"))
    }

    /// The value of a field that may not have been sent, which means at a save that it stays as it is: `None` then.
    ///
    /// # Errors
    /// As for [`get`](Actor::get).
    pub fn sent<T: FieldValue>(&self, key: &str) -> Result<Option<T>> {
        self.field(key).map(|_| self.get(key)).transpose()
    }

    /// Whether a field was sent, also as null.
    pub fn has(&self, key: &str) -> bool {
        self.field(key).is_some()
    }

    /// The key as a type of the author's. For the derived [`ActorRow`](crate::ActorRow).
    #[doc(hidden)]
    pub fn key_as<T: FieldValue>(&self) -> Result<T> {
        field_value::read(Some(&self.key), "the key")
    }

    #[doc(hidden)]
    pub fn stamp_as<T: FieldValue>(&self) -> Result<T> {
        field_value::read(self.last_modified.as_deref(), "the stamp")
    }

    #[doc(hidden)]
    pub fn parent_key_as<T: FieldValue>(&self) -> Result<T> {
        field_value::read(self.parent.as_ref().map(|parent| parent.key.as_str()), "the key of the parent")
    }

    /// Keys and values of all fields, each with the type that its form shows: the key of a list item and a text are texts.
    pub fn values(&self) -> impl Iterator<Item = (&str, Value<'_>)> {
        let fields = self.fields.iter();
        fields.map(|(key, text)| (key.as_str(), text.as_deref().map_or(Value::Null, Value::from_wire)))
    }

    /// The value of a field in wire form: `None` when the field was not sent, `Some(None)` when it was sent as null. For
    /// connectors that pass values on as they are; others use [`get`](Actor::get).
    pub fn field(&self, key: &str) -> Option<Option<&str>> {
        self.fields.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_deref())
    }

    /// Whether the host has found that the caller sends this field back as it is, because it may not be changed: it is
    /// read-only, or its value would be refused if it was a new one. It then has the value that
    /// [`Connection::get`](crate::Connection::get) has answered just before, and need not be written.
    ///
    /// ```
    /// use plugin_api::Actor;
    ///
    /// let mut actor = Actor::new("Customer", "7").with("NAME", "Ada").with("BALANCE", 12.5);
    /// actor.unchanged.push("BALANCE".to_owned());
    /// assert!(actor.is_unchanged("BALANCE") && !actor.is_unchanged("NAME"));
    /// ```
    pub fn is_unchanged(&self, key: &str) -> bool {
        self.unchanged.iter().any(|unchanged| unchanged == key)
    }

    /// The text of a field of type Text; empty when it is null or was not sent.
    pub fn text(&self, key: &str) -> &str {
        self.field(key).flatten().unwrap_or_default()
    }
}

impl Parent {
    /// A parent.
    pub fn new(actor_type: impl Into<String>, key: impl Into<String>) -> Self {
        Parent { actor_type: actor_type.into(), key: key.into() }
    }

    /// Whether this is the actor with that type and key.
    pub(crate) fn is(&self, other: Option<(&str, &str)>) -> bool {
        other == Some((&self.actor_type, &self.key))
    }
}

/// An actor type of a connection, such as `Customer`, and the types that its parents may have.
///
/// ```
/// use plugin_api::ActorType;
///
/// let types = [ActorType::new("Customer"), ActorType::new("Person").below("Customer")];
/// assert_eq!(types[1].parents, ["Customer"]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct ActorType {
    /// The name: one of [`crate::actor_type`].
    pub name: String,
    /// The actor types that a parent may have; an actor of this type needs a parent unless it is empty.
    pub parents: Vec<String>,
}

impl ActorType {
    /// An actor type without parents.
    pub fn new(name: impl Into<String>) -> Self {
        ActorType { name: name.into(), parents: Vec::new() }
    }

    /// Its actors need a parent of this type. May be called several times, for several types.
    #[must_use]
    pub fn below(mut self, parent: impl Into<String>) -> Self {
        self.parents.push(parent.into());
        self
    }
}

impl<T: Into<String>> From<T> for ActorType {
    fn from(name: T) -> Self {
        ActorType::new(name)
    }
}
