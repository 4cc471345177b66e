//! Connector services that are broken in one way: a real host, and a proxy in front of it that changes one thing.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use contract::{Actor, Call, Dictionary, Fault, Operation, Outcome, Payload, Reply, Request, SoapVersion};
use test_support::exchange;
use test_support::http::Response;
use test_support::http::server::Received;
use test_support::proxy::{self, Proxy};

const XML: &str = "text/xml; charset=utf-8";

/// What is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Defect {
    /// Nothing: to show that the proxy itself does no harm.
    None,
    /// Every third WSSaveActors is answered as if it had been done, and is not.
    LosesSaves,
    /// WSGetActorsByTimestamp leaves out what has the very stamp that was asked for.
    ExclusiveStamps,
    /// WSSaveActors says that the stamp is an old one.
    OldStamps,
    /// WSGetActorsByTimestamp gives texts in capitals.
    ChangesTexts,
    /// A search gives the first actor twice.
    GivesTwice,
    /// WSCreateActor gives an actor without a key.
    CreatesWithoutKey,
    /// WSDeleteConnection is answered as if it had been done, and is not.
    KeepsConnections,
    /// WSGetActorsByTimestamp ends in a fault.
    Faults,
    /// WSGetActorsByTimestamp leaves out actors that were created.
    HidesCreated,
    /// The connection is unknown whenever changes are asked for, however often its settings come.
    ForgetsSettings,
    /// No defect of the service: every second WSCreateActor is carried out, and its answer is lost on the way.
    DropsAnswers,
}

/// A host with this defect: a proxy in front of a sound one.
pub(super) fn broken(host: SocketAddr, defect: Defect) -> Proxy {
    let calls = AtomicUsize::new(0);
    Proxy::in_front_of(host, move |received, host| respond(&received, host, defect, &calls))
}

fn respond(received: &Received, host: SocketAddr, defect: Defect, calls: &AtomicUsize) -> Option<Response> {
    let http = &received.request;
    if http.method == "GET" {
        return proxy::forward(http, host).ok();
    }
    let action = received.header("SOAPAction").map(|action| action.trim_matches('"'));
    let call = contract::read_call(&http.body, action).expect("the simulation sends what can be read");
    let reply = |reply: &Reply<'_>| {
        let mut body = Vec::new();
        contract::write_reply(&mut body, &call.envelope, call.operation(), reply);
        Some(Response::new(200, XML, body))
    };
    match (defect, &call.request) {
        (Defect::KeepsConnections, Request::DeleteConnection) => {
            return reply(&Reply::plain(Outcome::ok()));
        }
        (Defect::ForgetsSettings, Request::GetActorsByTimestamp { .. }) => {
            let unknown =
                Outcome::error("unknown").with_error_code(contract::error_code::UNKNOWN_CONNECTION_ID);
            return reply(&Reply::with(unknown, Payload::Actors(None)));
        }
        (Defect::Faults, Request::GetActorsByTimestamp { .. }) => {
            let mut body = Vec::new();
            contract::write_fault(&mut body, SoapVersion::V11, &Fault::server("out of order"));
            return Some(Response::new(500, XML, body));
        }
        (Defect::LosesSaves, Request::SaveActors { actors: Some(actors) })
            if calls.fetch_add(1, Ordering::Relaxed) % 3 == 2 =>
        {
            let echoed = echo(&call, actors, host, &http.target);
            return reply(&Reply::with(Outcome::ok(), Payload::Actors(Some(echoed))));
        }
        _ => {}
    }
    let response = proxy::forward(http, host).expect("the host answers");
    let is_creation = matches!(call.request, Request::CreateActor { .. });
    if defect == Defect::DropsAnswers
        && is_creation
        && calls.fetch_add(1, Ordering::Relaxed).is_multiple_of(2)
    {
        return None;
    }
    let Ok(answer) = contract::read_reply(&response.body, call.operation()) else { return Some(response) };
    let mut changed = answer.reply.into_owned();
    if let Reply::Result { payload, .. } = &mut changed {
        spoil(payload, &call.request, defect);
    }
    reply(&changed)
}

/// The actors as they would be after the save.
fn echo(call: &Call<'_>, changed: &[Actor<'_>], host: SocketAddr, target: &str) -> Vec<Actor<'static>> {
    let get = Call {
        request: Request::GetActors {
            actor_type: changed.first().and_then(|actor| actor.actor_type.clone()),
            erp_keys: Some(changed.iter().map(|actor| actor.erp_key.clone()).collect()),
            field_keys: None,
        },
        ..call.clone()
    };
    let response = exchange::exchange(host, target, &get).expect("the host answers").response;
    let answer =
        contract::read_reply(&response.body, Operation::GetActors).expect("a reply").reply.into_owned();
    let Reply::Result { payload: Payload::Actors(Some(mut actors)), .. } = answer else { return Vec::new() };
    for actor in &mut actors {
        let Some(change) = changed.iter().find(|change| change.erp_key == actor.erp_key) else { continue };
        let new = change.field_values.clone().unwrap_or_default();
        let fields = actor.field_values.get_or_insert_with(Dictionary::default);
        for (key, value) in &mut fields.entries {
            if let Some(text) = new.get(key) {
                *value = text.map(|text| text.to_owned().into());
            }
        }
        let stamp = actor.last_modified.take().unwrap_or_default();
        actor.last_modified = Some(format!("{stamp}9").into());
    }
    actors
}

fn spoil(payload: &mut Payload<'static>, request: &Request<'_>, defect: Defect) {
    match (defect, request, payload) {
        (
            Defect::ExclusiveStamps,
            Request::GetActorsByTimestamp { updated_on_or_after, .. },
            Payload::Actors(Some(actors)),
        ) => actors.retain(|actor| actor.last_modified.as_deref() != updated_on_or_after.as_deref()),
        (Defect::OldStamps, Request::SaveActors { .. }, Payload::Actors(Some(actors))) => {
            actors.iter_mut().for_each(|actor| actor.last_modified = Some("1999-01-01T00:00:00".into()));
        }
        (Defect::ChangesTexts, Request::GetActorsByTimestamp { .. }, Payload::Actors(Some(actors))) => {
            let fields = actors.iter_mut().filter_map(|actor| actor.field_values.as_mut());
            for (key, value) in fields.flat_map(|fields| &mut fields.entries) {
                if key == "NAME" {
                    *value = value.take().map(|value| value.to_uppercase().into());
                }
            }
        }
        (Defect::GivesTwice, Request::SearchActorsAdvanced { .. }, Payload::Actors(Some(actors))) => {
            actors.extend(actors.first().cloned());
        }
        (Defect::CreatesWithoutKey, Request::CreateActor { .. }, Payload::Actor(Some(actor))) => {
            actor.erp_key = None;
        }
        (Defect::HidesCreated, Request::GetActorsByTimestamp { .. }, Payload::Actors(Some(actors))) => {
            // Keys that the hello connector gives begin with an N.
            actors.retain(|actor| !actor.erp_key.as_deref().unwrap_or_default().starts_with('N'));
        }
        _ => {}
    }
}
