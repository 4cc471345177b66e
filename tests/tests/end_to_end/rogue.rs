//! Requests for the rogue connector, which has faults on request.

use contract::Request;

/// Saves a connection: each of these methods has this fault from now on.
pub(crate) fn save<'a>(faults: &[(&'a str, &'a str)]) -> Request<'a> {
    let server = [("Server", "erp")];
    let settings = server.iter().chain(faults).map(|(method, fault)| (*method, Some(*fault)));
    Request::SaveConnection { connection_info: Some(settings.collect()) }
}

/// A customer by its key: the method `get`.
pub(crate) fn get() -> Request<'static> {
    Request::GetActors {
        actor_type: Some("Customer".into()),
        erp_keys: Some(vec![Some("1".into())]),
        field_keys: None,
    }
}
