//! The dialects: the names of the built-in profiles (contract page, section 3).

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
