//! A connector service that is broken in one way: a real host, and in front of it a proxy that spoils one thing.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::exchange;
use crate::http;
use contract::{Actor, Call, Dictionary, Fault, Operation, Outcome, Payload, Reply, Request, SoapVersion};

/// What is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
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
    /// An actor that was created is not told as a change.
    HidesCreated,
    /// The connection is unknown whenever changes are asked for, however often its settings come.
    ForgetsSettings,
    /// No defect of the service: every second WSCreateActor is carried out, and its answer is lost on the way.
    DropsAnswers,
}

/// The proxy. It ends with the test's process.
#[derive(Debug)]
pub struct Tampering {
    address: SocketAddr,
}

impl Tampering {
    /// Stands in front of a host.
    pub fn before(host: SocketAddr, defect: Defect) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let calls = Arc::new(AtomicUsize::new(0));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let calls = Arc::clone(&calls);
                std::thread::spawn(move || {
                    // A client that goes away is its own affair.
                    let _ = serve(&stream, host, defect, &calls);
                });
            }
        });
        Tampering { address }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

fn serve(stream: &TcpStream, host: SocketAddr, defect: Defect, calls: &AtomicUsize) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut target = String::new();
        let (mut action, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let line = line.trim_end();
            match line.split_once(": ") {
                _ if line.is_empty() => break,
                _ if target.is_empty() => target = line.split(' ').nth(1).unwrap_or_default().to_owned(),
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.parse().unwrap_or(0);
                }
                Some((name, value)) if name.eq_ignore_ascii_case("soapaction") => {
                    action = value.trim_matches('"').to_owned();
                }
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let call = contract::read_call(&body, Some(&action)).expect("the simulation sends what can be read");
        let (status, answer) = answer(&call, host, &target, defect, calls)?;
        let is_creation = matches!(call.request, Request::CreateActor { .. });
        if defect == Defect::DropsAnswers
            && is_creation
            && calls.fetch_add(1, Ordering::Relaxed).is_multiple_of(2)
        {
            return Ok(());
        }
        let mut out = stream;
        write!(
            out,
            "HTTP/1.1 {status} X\r\nContent-Type: text/xml; charset=utf-8\r\nContent-Length: {}\r\n\r\n",
            answer.len()
        )?;
        out.write_all(&answer)?;
    }
}

fn answer(
    call: &Call<'_>,
    host: SocketAddr,
    target: &str,
    defect: Defect,
    calls: &AtomicUsize,
) -> std::io::Result<(u16, Vec<u8>)> {
    let operation = call.operation();
    let written = |reply: &Reply<'_>| {
        let mut out = Vec::new();
        contract::write_reply(&mut out, &call.envelope, operation, reply);
        (200, out)
    };
    match (defect, &call.request) {
        (Defect::KeepsConnections, Request::DeleteConnection) => {
            return Ok(written(&Reply::plain(Outcome::ok())));
        }
        (Defect::ForgetsSettings, Request::GetActorsByTimestamp { .. }) => {
            let unknown =
                Outcome::error("unknown").with_error_code(contract::error_code::UNKNOWN_CONNECTION_ID);
            return Ok(written(&Reply::with(unknown, Payload::Actors(None))));
        }
        (Defect::Faults, Request::GetActorsByTimestamp { .. }) => {
            let mut out = Vec::new();
            contract::write_fault(&mut out, SoapVersion::V11, &Fault::server("out of order"));
            return Ok((500, out));
        }
        (Defect::LosesSaves, Request::SaveActors { actors: Some(actors) })
            if calls.fetch_add(1, Ordering::Relaxed) % 3 == 2 =>
        {
            let echoed = echo(call, actors, host, target)?;
            return Ok(written(&Reply::with(Outcome::ok(), Payload::Actors(Some(echoed)))));
        }
        _ => {}
    }
    let response = forward(call, host, target)?;
    let Ok(answer) = contract::read_reply(&response.body, operation) else {
        return Ok((response.status, response.body));
    };
    let mut reply = answer.reply.into_owned();
    if let Reply::Result { payload, .. } = &mut reply {
        spoil(payload, &call.request, defect);
    }
    Ok(written(&reply))
}

fn forward(call: &Call<'_>, host: SocketAddr, target: &str) -> std::io::Result<http::Response> {
    Ok(exchange::exchange(host, target, call)?.response)
}

/// The actors as they would be after the save.
fn echo(
    call: &Call<'_>,
    changed: &[Actor<'_>],
    host: SocketAddr,
    target: &str,
) -> std::io::Result<Vec<Actor<'static>>> {
    let get = Call {
        request: Request::GetActors {
            actor_type: changed.first().and_then(|actor| actor.actor_type.clone()),
            erp_keys: Some(changed.iter().map(|actor| actor.erp_key.clone()).collect()),
            field_keys: None,
        },
        ..call.clone()
    };
    let response = forward(&get, host, target)?;
    let answer =
        contract::read_reply(&response.body, Operation::GetActors).expect("a reply").reply.into_owned();
    let Reply::Result { payload: Payload::Actors(Some(mut actors)), .. } = answer else {
        return Ok(Vec::new());
    };
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
    Ok(actors)
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
