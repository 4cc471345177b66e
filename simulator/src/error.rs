//! Why a simulation failed.

use erp_host_client::CallError;
use erp_host_client::form::FormError;
use thiserror::Error;

use super::crm::CrmError;
use super::demo::DemoError;

/// Why a simulation failed. What goes wrong after the setup is an anomaly instead.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the message names each field")]
pub enum SimulateError {
    #[error("{step} does not work: {error}")]
    Service { step: &'static str, error: Box<CallError> },
    #[error(transparent)]
    Form(#[from] FormError),
    #[error("the connector supports no actor types, so there is nothing to synchronise")]
    NoActorTypes,
    #[error("the connector has no actor type {wanted:?}, only {known}")]
    NoSuchType { wanted: String, known: String },
    #[error(transparent)]
    Crm(#[from] CrmError),
    #[error("the system gives no random numbers: {0}")]
    Random(String),
    #[error(transparent)]
    Demo(#[from] DemoError),
    #[error("a connection of the simulation is lost: {0}")]
    Lost(String),
}
