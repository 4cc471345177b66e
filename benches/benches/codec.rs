//! The contract's reader and writer: throughput in bytes a second, and the cost of a small call.

use std::hint::black_box;
use std::sync::Arc;

use contract::profile::Accepts;
use contract::{
    ActorRow, Call, Dialect, Envelope, MemberOrder, Operation, Outcome, Profile, Profiles, ReadOptions,
    ReplyWriter, read_call, sample, write_fault, write_reply, write_request,
};
use contract::{Fault, Reply, SoapVersion};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const NS: &str = "http://www.superoffice.net/EIS/Connector/1.0";
const ARR: &str = "http://schemas.microsoft.com/2003/10/Serialization/Arrays";
const GUID: &str = "3aef3af6-8642-4fc1-8dc9-4e08bd76a6bf";

fn envelope(body: &str) -> Vec<u8> {
    format!(r#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>{body}</s:Body></s:Envelope>"#)
        .into_bytes()
}

fn get_actors(keys: usize) -> Vec<u8> {
    let keys: String = (0..keys).map(|key| format!("<a:string>{key}</a:string>")).collect();
    envelope(&format!(
        r#"<GetActorsRequestWS xmlns="{NS}"><ActorType>Customer</ActorType><ConnectionGuid>{GUID}</ConnectionGuid><ErpKeys xmlns:a="{ARR}">{keys}</ErpKeys></GetActorsRequestWS>"#
    ))
}

fn save_actors(actors: usize) -> Vec<u8> {
    let fields: String = (0..20)
        .map(|field| format!("<a:KeyValueOfstringstring><a:Key>TEXT{field}</a:Key><a:Value>Sales &amp; value {field}</a:Value></a:KeyValueOfstringstring>"))
        .collect();
    let actors: String = (0..actors)
        .map(|key| format!("<ErpActorWS><ActorType>Customer</ActorType><ErpKey>{key}</ErpKey><FieldValues>{fields}</FieldValues></ErpActorWS>"))
        .collect();
    envelope(&format!(
        r#"<SaveActorsRequestWS xmlns="{NS}" xmlns:a="{ARR}"><Actors>{actors}</Actors><ConnectionGuid>{GUID}</ConnectionGuid></SaveActorsRequestWS>"#
    ))
}

fn read(c: &mut Criterion) {
    let mut group = c.benchmark_group("read");
    let test = envelope(&format!(
        r#"<RequestBaseWS xmlns="{NS}"><ConnectionGuid>{GUID}</ConnectionGuid></RequestBaseWS>"#
    ));
    let action = Operation::TestConnection.action(NS);
    for (name, action, body) in [
        ("WSTestConnection", Some(action.as_str()), test),
        ("WSGetActors/100 keys", None, get_actors(100)),
        ("WSSaveActors/100 actors of 20 fields", None, save_actors(100)),
    ] {
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_with_input(BenchmarkId::from_parameter(name), &body, |b, body| {
            b.iter(|| read_call(black_box(body), action).map(|call| call.operation()).ok());
        });
    }
    group.finish();
}

fn write(c: &mut Criterion) {
    let mut group = c.benchmark_group("write");
    let fields: Vec<(String, String)> = (0..20)
        .map(|field| (format!("TEXT{field}"), format!("Value of text field {field} & more")))
        .collect();
    let fields = || fields.iter().map(|(key, value)| (key.as_str(), Some(value.as_str())));
    for dialect in [Dialect::Message, Dialect::Data, Dialect::Plain] {
        let writer = ReplyWriter::new(&Envelope::new(dialect), Operation::GetActorsByTimestamp);
        let mut out = Vec::new();
        let rows = |out: &mut Vec<u8>| {
            writer.head(out, &Outcome::ok());
            for _ in 0..1000 {
                let row = ActorRow {
                    actor_type: "Customer",
                    erp_key: "10001",
                    last_modified: Some("2026-01-02T12:00:00.0000000"),
                    parent: None,
                };
                writer.actor(out, &row, fields());
            }
            writer.tail(out, &Outcome::ok());
        };
        rows(&mut out);
        group.throughput(Throughput::Bytes(out.len() as u64));
        group.bench_function(format!("1000 actors of 20 fields/{dialect:?}"), |b| {
            b.iter(|| {
                out.clear();
                rows(black_box(&mut out));
            });
        });
    }
    let (envelope, mut out) = (Envelope::new(Dialect::Message), Vec::new());
    group.throughput(Throughput::Elements(1));
    group.bench_function("result", |b| {
        b.iter(|| {
            out.clear();
            write_reply(
                black_box(&mut out),
                &envelope,
                Operation::TestConnection,
                &Reply::plain(Outcome::ok()),
            );
        });
    });
    group.bench_function("fault", |b| {
        let fault = Fault::client("the body is no XML");
        b.iter(|| {
            out.clear();
            write_fault(black_box(&mut out), SoapVersion::V11, &fault);
        });
    });
    group.finish();
}

/// One call and its reply of ten rows, in a built-in profile and in one that was learned from a WSDL.
#[allow(clippy::expect_used)] // Without a profile there is nothing to measure.
fn profiles(c: &mut Criterion) {
    let mut group = c.benchmark_group("profile");
    let builtin = Profile::builtin(Dialect::Message, MemberOrder::Name);
    let mut layout = builtin.layout().clone();
    layout.name = "learned".to_owned();
    for namespace in &mut layout.namespaces {
        namespace.accepts = Accepts::Exact;
    }
    for operation in &mut layout.operations {
        operation.request.members.reverse();
        operation.reply.members.reverse();
    }
    let learned = Profile::new(layout).expect("the profile is valid");
    for (name, profile, set) in [
        ("built-in alone", builtin, Profiles::new(Vec::new(), MemberOrder::Name)),
        (
            "built-in beside a learned one",
            builtin,
            Profiles::new(vec![Arc::clone(&learned)], MemberOrder::Name),
        ),
        ("learned", &learned, Profiles::new(vec![Arc::clone(&learned)], MemberOrder::Name)),
    ] {
        let operation = Operation::SearchActors;
        let call = Call {
            envelope: Envelope::from(Arc::clone(profile)),
            connection_guid: Some(GUID.into()),
            request: sample::request(operation),
        };
        let (mut body, mut out) = (Vec::new(), Vec::new());
        write_request(&mut body, &call);
        let action = call.soap_action();
        let options = ReadOptions { action: Some(&action), ..ReadOptions::default() };
        group.bench_function(name, |b| {
            b.iter(|| {
                out.clear();
                let Ok(call) = set.read_call(black_box(&body), &options) else { return };
                let writer = ReplyWriter::new(&call.envelope, operation);
                writer.head(&mut out, &Outcome::ok());
                for _ in 0..10 {
                    let row = ActorRow {
                        actor_type: "Customer",
                        erp_key: "1001",
                        last_modified: None,
                        parent: None,
                    };
                    writer.actor(&mut out, &row, [("NAME", Some("Contoso")), ("CREDIT", Some("[F:1000]"))]);
                }
                writer.tail(&mut out, &Outcome::ok());
            });
        });
    }
    group.finish();
}

criterion_group!(benches, read, write, profiles);
criterion_main!(benches);
