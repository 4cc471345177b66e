//! Why a caller was not authenticated: for the log only, the caller learns nothing.

/// Why a caller was not authenticated. Parts that came from the caller are short and printable.
#[allow(missing_docs, reason = "the message names each field")]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// No client ID is configured.
    #[error("online authentication is not configured, see [online]")]
    NotConfigured,
    /// No token.
    #[error("the request has no SignedToken")]
    NoToken,
    /// The token is larger than any valid one.
    #[error("the token has {0} bytes, at most {most} are read", most = super::token::MOST_BYTES)]
    Oversized(usize),
    /// Not three parts of Base64 with JSON in the first two, or a claim of another type.
    #[error("the token is malformed: {0}")]
    Malformed(&'static str),
    /// Another algorithm than RS256.
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
    /// From another issuer.
    #[error("client {client}: the token's iss is not the configured issuer")]
    Issuer { client: String },
    /// Signed with a key that is none of the configured ones, or changed on the way.
    #[error(
        "client {client}: no key fits the token's signature ({keys} tried; the token names the key {key:?})"
    )]
    Signature { client: String, keys: usize, key: Option<String> },
    /// Signed with the key of a certificate that is not valid now.
    #[error("client {client}: the token is signed with {key}, which is not valid now")]
    OutdatedKey { client: String, key: String },
    /// Too late.
    #[error("client {client}: the token has expired; is this machine's clock right?")]
    Expired { client: String },
    /// Too early.
    #[error("client {client}: the token is not valid yet; is this machine's clock right?")]
    NotYetValid { client: String },
    /// It is valid for longer than any token of SuperOffice.
    #[error(
        "client {client}: the token is valid for {seconds} seconds, which is longer than online.token_lifetime allows"
    )]
    Lifetime { client: String, seconds: String },
    /// A nonce that must not be signed: the reply could mean something else.
    #[error(
        "client {client}: the token's nonce is longer than 128 characters or has other ones than letters, digits and -_+/=:~{{}}"
    )]
    Nonce { client: String },
    /// No customer, or two.
    #[error(
        "client {client}: the token's ctx claim is empty, too long, no plain text, or not the same as its sub"
    )]
    Context { client: String },
    /// The client is not for the connector that was called.
    #[error(
        "client {client}: it does not serve the connector {connector:?} that the address names; see its connectors"
    )]
    Connector { client: String, connector: String },
    /// The host cannot sign its reply.
    #[error("client {client}: the reply cannot be signed")]
    NotSigned { client: String },
}
