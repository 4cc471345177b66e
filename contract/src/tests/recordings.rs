//! The recorded exchanges, both ways and on both sides (contract page, section 7).

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use serde_json::Value as Json;

use super::canonical::assert_same;
use crate::*;

/// A recorded exchange.
pub(super) struct Recording {
    pub(super) name: String,
    pub(super) dialect: Dialect,
    pub(super) operation: Operation,
    pub(super) action: String,
    pub(super) request: String,
    pub(super) response: String,
    /// The recorded values.
    pub(super) json: Json,
}

pub(super) fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures")
}

/// Every recording, read once.
pub(super) fn recordings() -> &'static [Recording] {
    static RECORDINGS: LazyLock<Vec<Recording>> = LazyLock::new(read_recordings);
    &RECORDINGS
}

fn read_recordings() -> Vec<Recording> {
    let mut recordings = Vec::new();
    for dialect in [Dialect::Message, Dialect::Data, Dialect::Plain] {
        let folder = fixtures().join("recordings").join(dialect.as_str());
        let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        for file in files.iter().filter(|file| file.extension().is_some_and(|e| e == "json")) {
            let json: Json = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
            let text = |name: &str| json[name].as_str().unwrap();
            recordings.push(Recording {
                name: format!("{dialect}/{}", text("case")),
                dialect,
                operation: Operation::from_name(text("operation")).unwrap(),
                action: text("soap_action").to_owned(),
                request: fs::read_to_string(file.with_extension("request.xml")).unwrap(),
                response: fs::read_to_string(file.with_extension("response.xml")).unwrap(),
                json,
            });
        }
    }
    assert_eq!(recordings.len(), 3 * 33, "every recording is there");
    recordings
}

#[test]
fn recorded_requests_decode_to_the_recorded_values() {
    for recording in recordings() {
        let call =
            super::read_call_in(recording.dialect, recording.request.as_bytes(), Some(&recording.action))
                .unwrap();
        assert_eq!(call, recorded_call(recording), "{}", recording.name);
    }
}

#[test]
fn recorded_requests_without_an_action_are_recognised_by_their_body() {
    for recording in recordings() {
        let class_is_shared = recording.operation.request_class() == Some("RequestBaseWS");
        let call = super::read_call_in(recording.dialect, recording.request.as_bytes(), None);
        match (recording.dialect, recording.operation) {
            (Dialect::Message, Operation::GetConfigData) => {
                assert_eq!(call.unwrap_err().refusal, Refusal::NoOperation);
            }
            (Dialect::Message, _) if class_is_shared => {
                assert_eq!(
                    call.unwrap_err().refusal,
                    Refusal::AmbiguousBodyElement("RequestBaseWS".to_owned())
                );
            }
            _ => assert_eq!(call.unwrap(), recorded_call(recording), "{}", recording.name),
        }
    }
}

#[test]
fn recorded_request_values_encode_to_the_recorded_request() {
    for recording in recordings() {
        let call = recorded_call(recording);
        let mut out = Vec::new();
        write_request(&mut out, &call);
        assert_same(&out, &recording.request, &recording.name);
        assert_eq!(call.soap_action(), recording.action);
    }
}

#[test]
fn recorded_reply_values_encode_to_the_recorded_reply() {
    for recording in recordings().iter().filter(|recording| recording.json.get("fault").is_none()) {
        let mut out = Vec::new();
        write_reply(
            &mut out,
            &Envelope::new(recording.dialect),
            recording.operation,
            &recorded_reply(recording),
        );
        assert_same(&out, &recording.response, &recording.name);
    }
}

#[test]
fn recorded_actors_written_row_by_row_give_the_recorded_reply() {
    let mut count = 0;
    for recording in recordings() {
        let payload = recording.operation.payload();
        let Some(actors) = recording.json["response"]["Actors"].as_array() else { continue };
        assert_eq!(payload, PayloadKind::Actors);
        count += 1;
        let (writer, mut out) =
            (ReplyWriter::new(&Envelope::new(recording.dialect), recording.operation), Vec::new());
        writer.head(&mut out, &Outcome::ok());
        for actor in actors {
            let parent = actor["ParentActorType"].as_str().zip(actor["ParentErpKey"].as_str());
            let row = ActorRow {
                actor_type: actor["ActorType"].as_str().unwrap(),
                erp_key: actor["ErpKey"].as_str().unwrap(),
                last_modified: actor["LastModified"].as_str(),
                parent,
            };
            let fields = actor["FieldValues"].as_object().unwrap();
            writer.actor(&mut out, &row, fields.iter().map(|(key, value)| (key.as_str(), value.as_str())));
        }
        writer.tail(&mut out, &Outcome::ok());
        assert_same(&out, &recording.response, &recording.name);
    }
    assert_eq!(count, 3 * 9);
}

#[test]
fn recorded_replies_decode_to_the_recorded_values() {
    for recording in recordings() {
        let answer = read_reply(recording.response.as_bytes(), recording.operation);
        if let Some(fault) = recording.json.get("fault") {
            let text = fault["reason"].as_str().unwrap().to_owned();
            let code = FaultCode::Other(fault["code"].as_str().unwrap().to_owned());
            assert_eq!(answer, Err(ReplyError::Fault(Fault { code, text })));
            continue;
        }
        let envelope = Envelope::new(recording.dialect);
        let wanted = ReplyMessage { envelope, reply: recorded_reply(recording) };
        assert_eq!(answer.unwrap(), wanted, "{}", recording.name);
        assert_eq!(
            recording.json["response"]["IsOk"].as_bool(),
            wanted.reply.outcome().map(|outcome| outcome.state.is_ok()),
            "{}",
            recording.name
        );
    }
}

pub(super) fn recorded_call(recording: &Recording) -> Call<'_> {
    let json = &recording.json["request"];
    let actor_type = text(&json["ActorType"]);
    let field_keys = texts(&json["FieldKeys"]);
    let list_name = text(&json["ListName"]);
    let connection_info = dictionary(&json["ConnectionInfo"]);
    let request = match recording.operation {
        Operation::GetConfigData => Request::GetConfigData,
        Operation::TestConfigData => Request::TestConfigData { connection_info },
        Operation::SaveConnection => Request::SaveConnection { connection_info },
        Operation::TestConnection => Request::TestConnection,
        Operation::DeleteConnection => Request::DeleteConnection,
        Operation::GetSupportedActorTypes => Request::GetSupportedActorTypes,
        Operation::GetSupportedActorTypeFields => Request::GetSupportedActorTypeFields { actor_type },
        Operation::GetActors => {
            Request::GetActors { actor_type, erp_keys: texts(&json["ErpKeys"]), field_keys }
        }
        Operation::GetSearchableFields => Request::GetSearchableFields { actor_type },
        Operation::SearchActorsAdvanced => Request::SearchActorsAdvanced {
            actor_type,
            restrictions: list(&json["Restrictions"], |json| Restriction {
                field_key: text(&json["FieldKey"]),
                operator: text(&json["Operator"]),
                scalar_value: text(&json["ScalarValue"]),
                values: texts(&json["Values"]),
            }),
            field_keys,
        },
        Operation::SearchActors => {
            Request::SearchActors { actor_type, search_text: text(&json["SearchText"]), field_keys }
        }
        Operation::CreateActor => Request::CreateActor { actor: actor(&json["Actor"]) },
        Operation::SaveActors => {
            Request::SaveActors { actors: list(&json["Actors"], |json| actor(json).unwrap()) }
        }
        Operation::GetList => Request::GetList { list_name },
        Operation::GetActorsByTimestamp => Request::GetActorsByTimestamp {
            updated_on_or_after: text(&json["UpdatedOnOrAfter"]),
            actor_type,
            field_keys,
        },
        Operation::Authenticate => {
            Request::Authenticate { signed_token: text(&json["SignedToken"]).map(Token) }
        }
        other => panic!("{other} is not recorded"),
    };
    Call {
        envelope: Envelope::new(recording.dialect),
        connection_guid: text(&json["ConnectionGuid"]),
        request,
    }
}

pub(super) fn recorded_reply(recording: &Recording) -> Reply<'_> {
    let json = &recording.json["response"];
    let payload = match recording.operation.payload() {
        PayloadKind::Authentication => {
            return Reply::Authentication(Authentication {
                reason: text(&json["Reason"]),
                signed_application_token: text(&json["SignedApplicationToken"]).map(Token),
                succeeded: json["Succeeded"].as_bool().unwrap(),
            });
        }
        PayloadKind::None => Payload::None,
        PayloadKind::Fields => Payload::Fields(list(&json["FieldMetaDataObjects"], |json| Field {
            access: json["Access"].as_str().unwrap().parse().unwrap(),
            default_value: text(&json["DefaultValue"]),
            display_description: text(&json["DisplayDescription"]),
            display_name: text(&json["DisplayName"]),
            field_key: text(&json["FieldKey"]),
            field_type: json["FieldType"].as_str().unwrap().parse().unwrap(),
            list_name: text(&json["ListName"]),
            max_length: i32::try_from(json["MaxLength"].as_i64().unwrap()).unwrap(),
            rank: i32::try_from(json["Rank"].as_i64().unwrap()).unwrap(),
        })),
        PayloadKind::Items => Payload::Items(texts(&json["Items"])),
        PayloadKind::Actors => Payload::Actors(list(&json["Actors"], |json| actor(json).unwrap())),
        PayloadKind::Actor => Payload::Actor(actor(&json["Actor"])),
        PayloadKind::ListItems => Payload::ListItems(dictionary(&json["ListItems"])),
    };
    let outcome = Outcome {
        state: json["State"].as_str().unwrap().parse().unwrap(),
        user_explanation: text(&json["UserExplanation"]),
        tech_explanation: text(&json["TechExplanation"]),
        error_code: text(&json["ErrorCode"]),
    };
    Reply::with(outcome, payload)
}

fn text(json: &Json) -> Text<'_> {
    json.as_str().map(Into::into)
}

fn list<'a, T>(json: &'a Json, read: impl Fn(&'a Json) -> T) -> Option<Vec<T>> {
    Some(json.as_array()?.iter().map(read).collect())
}

fn texts(json: &Json) -> Option<Texts<'_>> {
    list(json, text)
}

fn dictionary(json: &Json) -> Option<Dictionary<'_>> {
    Some(json.as_object()?.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect())
}

fn actor(json: &Json) -> Option<Actor<'_>> {
    json.as_object()?;
    Some(Actor {
        actor_type: text(&json["ActorType"]),
        erp_key: text(&json["ErpKey"]),
        field_values: dictionary(&json["FieldValues"]),
        last_modified: text(&json["LastModified"]),
        parent_actor_type: text(&json["ParentActorType"]),
        parent_erp_key: text(&json["ParentErpKey"]),
    })
}
