//! Why a caller was not authenticated. For the log only: the caller learns nothing.

/// Why a caller was not authenticated. What came from the caller is short and printable where it stands in the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// No client ID is configured.
    #[error("online authentication is not configured, see [online]")]
    NotConfigured,
    /// No token.
    #[error("the request has no SignedToken")]
    NoToken,
    /// A token of a size that no honest one has.
    #[error("the token has {0} bytes, at most {most} are read", most = super::token::MOST_BYTES)]
    Oversized(usize),
    /// Not three parts of Base64 with JSON in the first two, or a claim of another type.
    #[error("the token is malformed: {0}")]
    Malformed(&'static str),
    /// Signed, or said to be signed, in another way.
    #[error("the token's alg is {0:?}, only \"RS256\" is accepted")]
    Algorithm(String),
    /// It asks for an extension that must be understood.
    #[error("the token's header has a crit member, and no extension is understood")]
    Critical,
    /// A claim that must be there.
    #[error("the token has no claim {0}")]
    MissingClaim(&'static str),
    /// For none of the configured clients.
    #[error("the token's aud is {0:?}, expected spn: and a client ID of [online.clients]")]
    Audience(String),
    /// From somebody else.
    #[error("client {client}: the token's iss is not the configured issuer")]
    Issuer {
        /// The client ID.
        client: String,
    },
    /// Signed with a key that is none of the configured ones, or changed on the way.
    #[error(
        "client {client}: no key fits the token's signature ({keys} tried; the token names the key {key:?})"
    )]
    Signature {
        /// The client ID.
        client: String,
        /// How many keys there are.
        keys: usize,
        /// The key that the token names.
        key: Option<String>,
    },
    /// Signed with the key of a certificate that is not valid now.
    #[error("client {client}: the token is signed with {key}, which is not valid now")]
    OutdatedKey {
        /// The client ID.
        client: String,
        /// The certificate, and when it is valid.
        key: String,
    },
    /// Too late.
    #[error("client {client}: the token has expired; is this machine's clock right?")]
    Expired {
        /// The client ID.
        client: String,
    },
    /// Too early.
    #[error("client {client}: the token is not valid yet; is this machine's clock right?")]
    NotYetValid {
        /// The client ID.
        client: String,
    },
    /// A nonce that must not be signed: it might be taken for something else.
    #[error(
        "client {client}: the token's nonce is longer than 128 characters or has other ones than letters, digits and -_+/=:~{{}}"
    )]
    Nonce {
        /// The client ID.
        client: String,
    },
    /// No customer, or two.
    #[error(
        "client {client}: the token's ctx claim is empty, too long, no plain text, or not the same as its sub"
    )]
    Context {
        /// The client ID.
        client: String,
    },
    /// The client is not for the connector that was called.
    #[error(
        "client {client}: it does not serve the connector {connector:?} that the address names; see its connectors"
    )]
    Connector {
        /// The client ID.
        client: String,
        /// The connector that the call names, or the default one.
        connector: String,
    },
    /// The host's own trouble.
    #[error("client {client}: the reply cannot be signed")]
    NotSigned {
        /// The client ID.
        client: String,
    },
}
