//! The envelope of a message: SOAP version, dialect and namespaces (contract page, section 3). The dialect of a request is
//! decided in `read::dialect`.

use std::borrow::Cow;

use crate::{Operation, namespace};

/// The version of SOAP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SoapVersion {
    /// SOAP 1.1, `text/xml`.
    #[default]
    V11,
    /// SOAP 1.2, `application/soap+xml`.
    V12,
}

impl SoapVersion {
    /// The namespace of the envelope.
    pub const fn namespace(self) -> &'static str {
        match self {
            SoapVersion::V11 => namespace::SOAP_11,
            SoapVersion::V12 => namespace::SOAP_12,
        }
    }

    /// The media type of a message, without its charset.
    pub const fn media_type(self) -> &'static str {
        match self {
            SoapVersion::V11 => "text/xml",
            SoapVersion::V12 => "application/soap+xml",
        }
    }
}

/// How requests and replies are wrapped. A client of one dialect cannot read a reply of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Dialect {
    /// The body element is the request class, the reply class in a reply; members stand directly in it.
    #[default]
    Message,
    /// The body element is the operation's name; members stand directly in it, ordered as in `Message`.
    MessageByOperation,
    /// The body element is the operation's name; members stand one level below, in the contract's namespace.
    Data,
    /// As `Data`, but the members stand in the namespace of a .NET class without a contract.
    Plain,
}

impl Dialect {
    /// Every dialect.
    pub const ALL: &'static [Dialect] =
        &[Dialect::Message, Dialect::MessageByOperation, Dialect::Data, Dialect::Plain];

    /// The name, for logs and options: `message`, `message-by-operation`, `data`, `plain`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Dialect::Message => "message",
            Dialect::MessageByOperation => "message-by-operation",
            Dialect::Data => "data",
            Dialect::Plain => "plain",
        }
    }

    /// Inherited members come first, as data contracts have it.
    pub(crate) const fn inherited_first(self) -> bool {
        matches!(self, Dialect::Data | Dialect::Plain)
    }
}

impl std::fmt::Display for Dialect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for Dialect {
    type Err = values::UnknownName;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        const KNOWN: &[&str] = &["message", "message-by-operation", "data", "plain"];
        let found = Dialect::ALL.iter().copied().find(|dialect| dialect.as_str() == name);
        found.ok_or_else(|| values::UnknownName { kind: "dialect", name: name.to_owned(), known: KNOWN })
    }
}

/// How a request was wrapped, and so how its reply is to be wrapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The version of SOAP.
    pub soap: SoapVersion,
    /// The dialect.
    pub dialect: Dialect,
    /// The contract's namespace: the caller's own, when it speaks another version of the contract.
    pub namespace: Cow<'static, str>,
    /// The members' namespace in the `plain` dialect, when it is not the one that the contract page names.
    pub plain_namespace: Option<Cow<'static, str>>,
}

/// [`Envelope::new`] in the default dialect. Not derived: an envelope without a namespace would be invalid.
impl Default for Envelope {
    fn default() -> Self {
        Envelope::new(Dialect::default())
    }
}

impl Envelope {
    /// A SOAP 1.1 envelope in the contract's own namespaces.
    pub const fn new(dialect: Dialect) -> Self {
        Envelope {
            soap: SoapVersion::V11,
            dialect,
            namespace: Cow::Borrowed(namespace::CONTRACT),
            plain_namespace: None,
        }
    }

    /// The namespace of the members of requests and replies.
    pub fn member_namespace(&self, operation: Operation) -> &str {
        match (self.dialect, operation) {
            (Dialect::Plain, _) if self.plain_namespace.is_some() => {
                self.plain_namespace.as_deref().unwrap_or("")
            }
            (Dialect::Plain, Operation::Authenticate) => namespace::PLAIN_AUTHENTICATION,
            (Dialect::Plain, _) => namespace::PLAIN,
            _ => &self.namespace,
        }
    }

    /// Keeps the members' namespace of the `plain` dialect, if it is not the one that is expected anyway.
    pub(crate) fn note_plain_namespace(&mut self, operation: Operation, found: Option<Cow<'static, str>>) {
        self.plain_namespace = None;
        self.plain_namespace = found.filter(|found| found.as_ref() != self.member_namespace(operation));
    }
}
