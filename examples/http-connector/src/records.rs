//! The records of the ERP system's API. Each struct is both: JSON for the ERP system, an actor for SuperOffice.

use plugin_api::ActorRow;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A record that is an actor.
pub(crate) trait Record: ActorRow + Serialize + DeserializeOwned {
    /// Where the ERP system has them.
    const PATH: &'static str;
}

#[derive(ActorRow, Serialize, Deserialize)]
pub(crate) struct Customer {
    #[actor(key)]
    id: Option<u32>,
    #[actor(stamp)]
    changed: Option<String>,
    #[field(label(us = "Name", no = "Navn"), max_length = 60)]
    name: String,
    #[field(list = "Categories")]
    category: Option<String>,
    /// What the customer may owe.
    credit: Option<f64>,
    /// Gets no deliveries.
    #[field(label(us = "Blocked", no = "Sperret"))]
    #[actor(default)]
    blocked: bool,
    /// What the customer owes.
    #[field(read_only)]
    balance: Option<f64>,
}

#[derive(ActorRow, Serialize, Deserialize)]
pub(crate) struct Person {
    #[actor(key)]
    id: Option<u32>,
    #[actor(stamp)]
    changed: Option<String>,
    #[actor(parent = "Customer")]
    customer: u32,
    #[field(label(us = "Name", no = "Navn"), max_length = 60)]
    name: String,
    #[field(max_length = 100)]
    email: Option<String>,
}

impl Record for Customer {
    const PATH: &'static str = "customers";
}

impl Record for Person {
    const PATH: &'static str = "persons";
}

/// An item of the list of categories.
#[derive(Deserialize)]
pub(crate) struct Category {
    pub(crate) id: String,
    pub(crate) text: String,
}

/// The answer to a login.
#[derive(Deserialize)]
pub(crate) struct LoggedIn {
    pub(crate) session: String,
    /// In seconds.
    pub(crate) expires_in: u64,
}
