//! The envelope of a message: SOAP version, profile and namespaces (contract page, section 3). The profile of a request is
//! decided in `read::structure`.

use std::borrow::Cow;
use std::sync::Arc;

use crate::profile::plan::Plan;
use crate::profile::{Direction, Profile};
use crate::{Dialect, MemberOrder, Operation, SoapVersion};

/// How a request was wrapped, and so how its reply is to be wrapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The version of SOAP.
    pub soap: SoapVersion,
    profile: Arc<Profile>,
    /// The namespaces that the request has instead of some of the profile's.
    found: Vec<(usize, Cow<'static, str>)>,
}

/// [`Envelope::new`] in the default dialect.
impl Default for Envelope {
    fn default() -> Self {
        Envelope::new(Dialect::default())
    }
}

impl From<Arc<Profile>> for Envelope {
    fn from(profile: Arc<Profile>) -> Self {
        Envelope { soap: SoapVersion::V11, profile, found: Vec::new() }
    }
}

impl Envelope {
    /// A SOAP 1.1 envelope in the contract's own namespaces.
    pub fn new(dialect: Dialect) -> Self {
        Arc::clone(Profile::builtin(dialect, MemberOrder::Name)).into()
    }

    /// With another version of SOAP.
    #[must_use]
    pub fn with_soap(self, soap: SoapVersion) -> Self {
        Envelope { soap, ..self }
    }

    /// With another namespace of the contract, or of the members in `plain`, instead of the profile's. `place` is that
    /// in [`crate::profile::Layout::namespaces`].
    #[must_use]
    pub fn with_namespace(mut self, place: usize, uri: impl Into<Cow<'static, str>>) -> Self {
        let uri = uri.into();
        self.found.retain(|(other, _)| *other != place);
        if self.profile.layout().namespaces.get(place).is_some_and(|namespace| namespace.uri != uri) {
            self.found.push((place, uri));
        }
        self
    }

    /// How messages are wrapped.
    pub fn profile(&self) -> &Arc<Profile> {
        &self.profile
    }

    /// The contract's namespace in this message.
    pub fn contract_namespace(&self) -> &str {
        self.namespace(0)
    }

    /// A namespace of the profile, as this message has it.
    pub(crate) fn namespace(&self, place: usize) -> &str {
        let found = self.found.iter().find(|(other, _)| *other == place);
        found.map_or(&self.profile.layout().namespaces[place].uri, |(_, uri)| uri)
    }

    /// The SOAPAction of a request.
    pub fn action(&self, operation: Operation) -> String {
        match (self.found.iter().any(|(place, _)| *place == 0), self.profile.operation(operation)) {
            (false, Some(layout)) => layout.action.to_string(),
            _ => operation.action(self.contract_namespace()),
        }
    }

    pub(crate) fn plan(&self, operation: Operation, direction: Direction) -> Cow<'_, Plan> {
        if self.found.is_empty() {
            Cow::Borrowed(self.profile.plan(self.soap, operation, direction))
        } else {
            Cow::Owned(Plan::new(&self.profile, self.soap, operation, direction, &self.found))
        }
    }
}
