//! The incoming token (JWT): parsing and verification.

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Validation, decode};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::denied::Denied;
use super::verification_key::VerificationKey;

/// The largest token that is read. Valid ones have one or two thousand bytes.
pub(super) const MOST_BYTES: usize = 16 * 1024;
/// The most characters of a text from a token in the log or in a reply.
const MOST_CHARS: usize = 128;
/// What stands before the client ID in `aud`.
const AUDIENCE: &str = "spn:";
const CONTEXT: &str = "http://schemes.superoffice.net/identity/ctx";

/// A token that was parsed, but not verified.
pub(super) struct Unverified {
    token: String,
    /// The key that it says to be signed with.
    pub(super) key: Option<String>,
    audiences: Vec<String>,
}

/// The claims of a verified token.
#[derive(Debug)]
pub(super) struct Verified {
    /// The reply signs it.
    pub(super) nonce: String,
    /// The customer.
    pub(super) context: String,
}

/// What is expected of the token of a client.
#[derive(Debug)]
pub(super) struct Expected<'c> {
    pub(super) client: &'c str,
    pub(super) issuer: &'c str,
    pub(super) clock_skew: Duration,
    /// The longest that it may be valid.
    pub(super) lifetime: Duration,
    pub(super) now: SystemTime,
}

#[derive(Deserialize)]
struct Header {
    alg: Option<String>,
    kid: Option<String>,
    crit: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Audience {
    aud: Option<OneOrMore>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

#[derive(Deserialize)]
struct Claims {
    // Of another type they count as missing.
    exp: Option<serde_json::Value>,
    nbf: Option<serde_json::Value>,
    iat: Option<f64>,
    nonce: Option<String>,
    sub: Option<String>,
    #[serde(rename = "http://schemes.superoffice.net/identity/ctx")]
    context: Option<String>,
}

impl Unverified {
    pub(super) fn parse(token: &str) -> Result<Self, Denied> {
        let token = token.trim();
        if token.is_empty() {
            return Err(Denied::NoToken);
        }
        if token.len() > MOST_BYTES {
            return Err(Denied::Oversized(token.len()));
        }
        let mut parts = token.split('.');
        let (Some(header), Some(claims), Some(_), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Denied::Malformed("it has not three parts"));
        };
        let header: Header = json(header).ok_or(Denied::Malformed("its header cannot be read"))?;
        // Before any key is used: a public key must never become the secret of an HMAC.
        if header.alg.as_deref() != Some("RS256") {
            return Err(Denied::Algorithm(printable(header.alg.as_deref().unwrap_or_default())));
        }
        if header.crit.is_some() {
            return Err(Denied::Critical);
        }
        let claims: Audience = json(claims).ok_or(Denied::Malformed("its claims cannot be read"))?;
        let audiences = match claims.aud {
            Some(OneOrMore::One(audience)) => vec![audience],
            Some(OneOrMore::More(audiences)) => audiences,
            None => return Err(Denied::MissingClaim("aud")),
        };
        Ok(Unverified { token: token.to_owned(), key: header.kid.as_deref().map(printable), audiences })
    }

    /// Whether it is for this client. Case does not count (contract page, section 6).
    pub(super) fn is_for(&self, client: &str) -> bool {
        self.audiences.iter().any(|audience| {
            let prefix = audience.get(..AUDIENCE.len());
            prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case(AUDIENCE))
                && audience[AUDIENCE.len()..].eq_ignore_ascii_case(client)
        })
    }

    /// The audience, for the log.
    pub(super) fn printable_audience(&self) -> String {
        printable(self.audiences.first().map_or("", String::as_str))
    }

    /// Verifies the signature with each of these keys until one fits, then the claims.
    pub(super) fn verify<'k>(
        &self,
        keys: impl Iterator<Item = &'k VerificationKey>,
        expected: &Expected<'_>,
    ) -> Result<Verified, Denied> {
        let client = || expected.client.to_owned();
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.set_issuer(&[expected.issuer]);
        validation.leeway = expected.clock_skew.as_secs();
        validation.validate_nbf = true;
        // `is_for` has compared it, without regard to case.
        validation.validate_aud = false;

        let mut tried = 0;
        for key in keys {
            tried += 1;
            let decoded = match decode::<Claims>(&self.token, &key.key, &validation) {
                Err(error) if matches!(error.kind(), ErrorKind::InvalidSignature) => continue,
                decoded => decoded,
            };
            // The signature fits: the claims are SuperOffice's.
            if !key.is_valid(expected.now, expected.clock_skew) {
                return Err(Denied::OutdatedKey { client: client(), key: key.label.clone() });
            }
            let claims = decoded.map_err(|error| denied(error.kind(), expected.client))?.claims;
            return claims.check(expected);
        }
        Err(Denied::Signature { client: client(), keys: tried, key: self.key.clone() })
    }
}

impl Claims {
    fn check(self, expected: &Expected<'_>) -> Result<Verified, Denied> {
        let client = || expected.client.to_owned();
        let latest = (expected.now + expected.clock_skew).duration_since(SystemTime::UNIX_EPOCH);
        if self.iat.is_some_and(|issued| latest.as_ref().is_ok_and(|latest| issued > latest.as_secs_f64())) {
            return Err(Denied::NotYetValid { client: client() });
        }
        self.check_lifetime(expected)?;
        let nonce = self.nonce.ok_or(Denied::MissingClaim("nonce"))?;
        // It becomes a part of a text that this host signs, whose parts are separated by dots.
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_+/=:~{}".contains(&byte);
        if nonce.is_empty() || nonce.len() > MOST_CHARS || !nonce.bytes().all(is_plain) {
            return Err(Denied::Nonce { client: client() });
        }
        let context = self.context.ok_or(Denied::MissingClaim(CONTEXT))?;
        let is_plain = !context.is_empty() && printable(&context) == context;
        let is_same = self.sub.is_none_or(|sub| sub.eq_ignore_ascii_case(&context));
        if !is_plain || !is_same {
            return Err(Denied::Context { client: client() });
        }
        Ok(Verified { nonce, context })
    }
}

impl Claims {
    /// A token that is stolen is of use as long as it is valid.
    fn check_lifetime(&self, expected: &Expected<'_>) -> Result<(), Denied> {
        let number = |claim: &Option<serde_json::Value>| claim.as_ref().and_then(serde_json::Value::as_f64);
        let exp = number(&self.exp).ok_or(Denied::MissingClaim("exp"))?;
        let lifetime = expected.lifetime.as_secs_f64();
        let now = expected.now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let left = exp - now - expected.clock_skew.as_secs_f64();
        let whole = self.iat.into_iter().chain(number(&self.nbf)).map(|begin| exp - begin);
        let longest = whole.chain([left]).fold(f64::NEG_INFINITY, f64::max);
        if longest <= lifetime {
            return Ok(());
        }
        Err(Denied::Lifetime { client: expected.client.to_owned(), seconds: format!("{longest:.0}") })
    }
}

fn denied(error: &ErrorKind, client: &str) -> Denied {
    let client = client.to_owned();
    match error {
        ErrorKind::ExpiredSignature => Denied::Expired { client },
        ErrorKind::ImmatureSignature => Denied::NotYetValid { client },
        ErrorKind::InvalidIssuer => Denied::Issuer { client },
        ErrorKind::MissingRequiredClaim(claim) => match claim.as_str() {
            "exp" => Denied::MissingClaim("exp"),
            "iss" => Denied::MissingClaim("iss"),
            _ => Denied::MissingClaim("aud"),
        },
        ErrorKind::InvalidClaimFormat(_) => Denied::Malformed("its times are no numbers"),
        ErrorKind::Json(_) => {
            Denied::Malformed("a claim or a member of its header has another type than it must have")
        }
        ErrorKind::Base64(_) | ErrorKind::Utf8(_) => Denied::Malformed("it is not in base64url"),
        _ => Denied::Malformed("it cannot be read"),
    }
}

/// JSON in base64url.
fn json<T: DeserializeOwned>(part: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

/// The part of a text that is safe in a log line.
fn printable(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(MOST_CHARS).collect()
}
