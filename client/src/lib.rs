//! The client side of the connector contract: a SOAP client that calls any connector service as SuperOffice does.
//!
//! ```no_run
//! use contract::{Guid, Request};
//! use erp_host_client::{Client, Options};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use erp_host_client::ProfileChoice;
//!
//! let client = Client::new("http://localhost:8080".parse()?, &Options::default())?;
//! // In the profile that the service's WSDL has.
//! let (client, _) = client.choose_and_try(ProfileChoice::Service).await?;
//! let connection: Guid = "3aef3af6-8642-4fc1-8dc9-4e08bd76a6bf".parse()?;
//! let exchange = client.call(Some(connection), Request::GetSupportedActorTypes).await?.succeeded()?;
//! println!("{:?} in {:?}", exchange.answer.reply, exchange.traffic.elapsed);
//! # Ok(())
//! # }
//! ```
//!
//! - [`Client`] makes calls, in the profile of the service's WSDL ([`ProfileChoice`]); [`Exchange`] is a call with its reply and the HTTP messages of both; [`CallError`] is one
//!   sentence for the user. [`Client::send`] sends any HTTP request, for tests of a service.
//! - [`call`] makes a call from command-line arguments and shows the reply.
//! - [`form`] fills in the settings form of a connection.
//! - [`wsdl`] fetches the WSDL of a service.
//! - [`register`] registers a connector with SuperOffice through NetServer.

mod address;
pub mod call;
mod client;
mod content_type;
mod error;
mod exchange;
pub mod form;
mod http_message;
mod options;
pub mod register;
mod transport;
pub mod wsdl;

#[cfg(test)]
mod tests;

pub use address::{AddressError, ServiceAddress};
pub use client::{Client, NoContract, ProfileChoice, ProfileSource, ServiceContract};
pub use content_type::ContentType;
pub use error::{CallError, CallErrorKind};
pub use exchange::Exchange;
pub use http_message::{BodyFraming, HttpExchange, HttpRequest, HttpResponse};
pub use options::{Credentials, Options};
pub use transport::SetupError;
