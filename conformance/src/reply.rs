//! Replies to calls, in the types of the plugin API, whichever way the call went.

use std::sync::Arc;

use contract::{Dictionary, Request, Text};
use plugin_api::{Actor, Field, ListItem, Outcome, Parent};

/// The request and the answer over HTTP that a finding was made in.
#[cfg(feature = "soap")]
pub type HttpExchange = erp_host_client::HttpExchange;

/// The request and the answer over HTTP that a finding was made in. There is none in process.
#[cfg(not(feature = "soap"))]
#[derive(Debug)]
pub enum HttpExchange {}

/// The exchange that shows a finding, if there was one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Evidence(pub(crate) Option<Arc<HttpExchange>>);

impl From<&Evidence> for Evidence {
    fn from(evidence: &Evidence) -> Self {
        evidence.clone()
    }
}

impl From<&Arc<HttpExchange>> for Evidence {
    fn from(exchange: &Arc<HttpExchange>) -> Self {
        Evidence(Some(Arc::clone(exchange)))
    }
}

/// A reply.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) outcome: Outcome,
    pub(crate) payload: Payload,
    pub(crate) shown_by: Evidence,
}

/// What a reply holds besides its outcome.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Payload {
    None,
    /// Descriptions of fields; `None` when they are null.
    Fields(Option<Vec<Field>>),
    Texts(Vec<String>),
    Actors(Vec<Actor>),
    /// The items of a list; `None` when it is null.
    List(Option<Vec<ListItem>>),
}

impl Reply {
    /// The explanation of an error.
    pub(crate) fn explanation(&self) -> String {
        let texts = [&self.outcome.user, &self.outcome.tech, &self.outcome.code];
        let texts: Vec<&str> =
            texts.iter().filter_map(|text| text.as_deref()).filter(|text| !text.is_empty()).collect();
        if texts.is_empty() { "no explanation".to_owned() } else { texts.join(", ") }
    }

    /// Whether a text says why it is an error.
    pub(crate) fn is_explained(&self) -> bool {
        let texts = [&self.outcome.user, &self.outcome.tech];
        texts.into_iter().flatten().any(|text| !text.trim().is_empty())
    }

    pub(crate) fn is_error(&self) -> bool {
        !self.outcome.state.is_ok()
    }

    pub(crate) fn error_code(&self) -> Option<&str> {
        self.outcome.code.as_deref()
    }

    /// Whether it is the error for a connection that does not exist.
    pub(crate) fn is_unknown_connection(&self) -> bool {
        self.is_error() && self.error_code() == Some(contract::error_code::UNKNOWN_CONNECTION_ID)
    }

    pub(crate) fn actors(&self) -> &[Actor] {
        match &self.payload {
            Payload::Actors(actors) => actors,
            _ => &[],
        }
    }

    /// The keys of the actors, sorted.
    pub(crate) fn keys(&self) -> Vec<String> {
        sorted_keys(self.actors())
    }

    pub(crate) fn texts(&self) -> &[String] {
        match &self.payload {
            Payload::Texts(texts) => texts,
            _ => &[],
        }
    }

    /// The items of a list; `None` when it is null.
    pub(crate) fn list(&self) -> Option<&[ListItem]> {
        match &self.payload {
            Payload::List(items) => items.as_deref(),
            _ => None,
        }
    }

    /// Descriptions of fields; `None` when they are null.
    pub(crate) fn fields(&self) -> Option<&[Field]> {
        match &self.payload {
            Payload::Fields(fields) => fields.as_deref(),
            _ => None,
        }
    }
}

/// The keys of actors, sorted.
pub(crate) fn sorted_keys<'a>(actors: impl IntoIterator<Item = &'a Actor>) -> Vec<String> {
    let mut keys: Vec<String> = actors.into_iter().map(|actor| actor.key.clone()).collect();
    keys.sort();
    keys
}

/// An actor of a message.
pub(crate) fn actor(actor: &contract::Actor<'_>) -> Actor {
    let parent = actor.parent_erp_key.as_deref().filter(|key| !key.is_empty());
    let parent =
        parent.map(|key| Parent { actor_type: owned(&actor.parent_actor_type), key: key.to_owned() });
    let fields = actor.field_values.iter().flat_map(Dictionary::iter);
    Actor {
        actor_type: owned(&actor.actor_type),
        key: owned(&actor.erp_key),
        last_modified: actor.last_modified.as_deref().map(str::to_owned),
        parent,
        fields: fields.map(|(key, value)| (key.to_owned(), value.map(str::to_owned))).collect(),
        ..Actor::default()
    }
}

pub(crate) fn owned(text: &Text<'_>) -> String {
    text.as_deref().unwrap_or_default().to_owned()
}

/// A text of a request.
pub(crate) fn text(text: &str) -> Text<'_> {
    Some(text.into())
}

/// An array of texts of a request.
pub(crate) fn texts<T: AsRef<str>>(all: &[T]) -> Option<Vec<Text<'_>>> {
    Some(all.iter().map(|one| text(one.as_ref())).collect())
}

/// The request that lists all actors of a type.
pub(crate) fn all_of(actor_type: &str) -> Request<'_> {
    Request::SearchActorsAdvanced {
        actor_type: text(actor_type),
        restrictions: Some(vec![]),
        field_keys: None,
    }
}

/// How two sorted lists of keys differ; `None` if they do not.
pub(crate) fn difference(came: &[String], expected: &[String]) -> Option<String> {
    if came == expected {
        return None;
    }
    let without = |these: &[String], those: &[String]| -> Vec<String> {
        these.iter().filter(|key| those.binary_search(key).is_err()).cloned().collect()
    };
    let (missing, extra) = (without(expected, came), without(came, expected));
    let shown = |keys: &[String]| {
        let some: Vec<String> = keys.iter().take(5).map(|key| format!("{key:?}")).collect();
        let more = keys.len().saturating_sub(5);
        if more > 0 { format!("{} and {more} more", some.join(", ")) } else { some.join(", ") }
    };
    Some(match (missing.is_empty(), extra.is_empty()) {
        (true, true) => "gives some more than once".to_owned(),
        (false, true) => format!("lacks {}", shown(&missing)),
        (true, false) => format!("gives {} besides", shown(&extra)),
        (false, false) => format!("lacks {} and gives {} besides", shown(&missing), shown(&extra)),
    })
}
