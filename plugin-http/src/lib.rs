//! HTTP for the author of a connector: what a connector over HTTP needs beside [`plugin_api`], in blocking calls.
//!
//! - A [`Client`] is made from the settings of a connection. Its requests run in the [`Context`](plugin_api::Context) of a call: with the time that is
//!   left as their timeout, and ended at once when the call is cancelled.
//! - Requests that **read** are repeated while the ERP system is away or busy (no connection, 429, 502, 503, 504), as long as there is time,
//!   with growing waits, jitter and `Retry-After`. What reads is declared, not guessed by the method: [`Request::reads`].
//!   A request that **writes** is sent once, unless it has an [idempotency key](Request::idempotency_key).
//! - A [`Login`] opens one [`Session`] for all calls. One that has ended is opened again, once for all threads. A wrong password is
//!   tried once.
//! - [`pages`] reads page after page.
//! - Secrets stay out of errors, logs and recordings.
//! - Tests run against recorded exchanges: the feature `test-support`.
//!
//! ```no_run
//! use plugin_api::{Context, Result, Rows, Secret};
//! use plugin_http::{Client, Session};
//!
//! #[derive(serde::Deserialize)]
//! struct Token { access_token: String }
//! #[derive(serde::Deserialize)]
//! struct Customer { id: u64, name: String }
//!
//! fn client(address: &str, user: String, password: Secret) -> Result<Client> {
//!     Client::builder(address)?
//!         .name("Demo ERP")
//!         .secret(&password)
//!         .error_text(|answer| answer.find("/error/message"))
//!         .login_with(move |cx, http| {
//!             let fields = [("user", user.as_str()), ("password", password.expose())];
//!             let token: Token = http.post("login").form(&fields).send(cx)?.json()?;
//!             Ok(Session::bearer(token.access_token))
//!         })
//!         .build()
//! }
//!
//! fn customer(http: &Client, cx: &Context, key: &str, rows: &mut Rows<'_>) -> Result<()> {
//!     if let Some(answer) = http.get("customers").segment(key).send_if_found(cx)? {
//!         let customer: Customer = answer.json()?;
//!         rows.row(customer.id).field("NAME", &customer.name).end()?;
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # Kinds of failure
//!
//! | what happened | [kind](plugin_api::ErrorKind) |
//! |---|---|
//! | no connection, no answer in time, a lost connection | unavailable |
//! | the same, after a request that writes has left | unknown outcome |
//! | status 401, 403: of a login, or of a client without sessions | settings |
//! | status 401 in a session | the login is repeated, and the request; after that failed |
//! | 404, 410 | not found |
//! | 409, 412 | conflict |
//! | 408, 425, 429, 503 | unavailable |
//! | 502, 504 | unavailable; unknown outcome for a request that writes |
//! | any other, 403 in a session too: the login is right, and the user may not do this one thing | failed |
//! | an answer that cannot be read | failed; unknown outcome for a request that writes |
//!
//! [`ClientBuilder::error_kind`] decides otherwise where the ERP system has its own meaning.
//!
//! Redirects are not followed: a write would be repeated, and credentials are for one server. The error shows the other address.
//!
//! # Threads
//!
//! Calls block, as all of the API does: from async code of your own, make them on a thread of their own. One thread of the plugin waits for
//! the sockets of all connections.
//!
//! # TLS and proxies
//!
//! TLS is that of rustls, with the certificates of the system and those of [`ClientBuilder::trusted_certificates`]. Proxies are those of the
//! environment (`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`).
#![forbid(unsafe_code)]

mod answer;
mod client;
mod failure;
mod paging;
mod redaction;
mod retry;
mod session;
#[cfg(feature = "test-support")]
pub mod test_support;
mod transport;

use plugin_api::Secret;

pub use answer::Answer;
pub use client::{Client, ClientBuilder, Login, Request};
pub use paging::{Page, Position, pages};
pub use session::Session;

/// The value of the header for Basic authentication.
fn basic_auth(user: &str, password: &Secret) -> Secret {
    use base64::Engine as _;
    let pair = format!("{user}:{}", password.expose());
    Secret::from(format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair)))
}
