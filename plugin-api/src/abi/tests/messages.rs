//! Messages: decoding returns what was encoded, and no message makes a decoder panic.

use std::borrow::Cow;
use std::time::Duration;

use proptest::prelude::*;

use crate::abi::replies::{self, Description, Opened};
use crate::abi::requests;
use crate::abi::{
    ActorCall, ActorOperation, ConnectionRequest, ConnectorRequest, Malformed, Message, MessageRef,
    Operation, Record, RequestError, RowRef, RowWriter,
};
use crate::{
    Access, Actor, ActorType, ErrorKind, Field, FieldType, Host, Input, Lifetime, ListItem, Operator,
    Outcome, Parent, Restriction, Settings, State,
};

fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "\\PC{0,12}", Just("[I:1]\u{0}\u{1F980}\n".to_owned())]
}

fn actor() -> impl Strategy<Value = Actor> {
    let parent = (text(), text()).prop_map(|(actor_type, key)| Parent { actor_type, key });
    let fields = prop::collection::vec((text(), prop::option::of(text())), 0..5);
    (text(), text(), prop::option::of(text()), prop::option::of(parent), fields, texts()).prop_map(
        |(actor_type, key, last_modified, parent, fields, unchanged)| {
            let mut actor = Actor::new(actor_type, key);
            (actor.last_modified, actor.parent, actor.fields) = (last_modified, parent, fields);
            actor.unchanged = unchanged;
            actor
        },
    )
}

fn texts() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(text(), 0..4)
}

fn restriction() -> impl Strategy<Value = Restriction> {
    (text(), prop::sample::select(Operator::ALL), texts()).prop_map(|(field, operator, values)| Restriction {
        field,
        operator,
        values,
    })
}

fn settings() -> impl Strategy<Value = Settings> {
    let pairs = prop::collection::vec((text(), prop::option::of(text())), 0..4);
    (pairs, prop::option::of((text(), any::<u64>()))).prop_map(|(pairs, connection)| {
        let settings: Settings = pairs.into_iter().collect();
        match connection {
            Some((guid, revision)) => settings.of_connection(guid, revision),
            None => settings,
        }
    })
}

fn field() -> impl Strategy<Value = Field> {
    let texts = (text(), prop::option::of(text()), prop::option::of(text()), prop::option::of(text()));
    let names = (prop::sample::select(FieldType::ALL), prop::sample::select(Access::ALL));
    (texts, names, prop::option::of(text()), any::<i32>(), prop::option::of(any::<i32>())).prop_map(
        |((key, label, description, list), (field_type, access), default, max_length, rank)| {
            let mut field = Field::new(key, field_type);
            (field.label, field.description, field.list, field.default) = (label, description, list, default);
            (field.access, field.max_length, field.rank) = (access, max_length, rank);
            field
        },
    )
}

fn borrowed(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

fn check_connection_request(request: &ConnectionRequest<'_>) {
    // Compared as text, because the two have different lifetimes.
    let read = |message: &Message| {
        format!("{:?}", ConnectionRequest::decode(request.operation(), message.as_ref()).unwrap())
    };
    let mut message = request.encode();
    assert_eq!(read(&message), format!("{request:?}"));
    // A newer host may have written more to the end.
    message.put_text("something new");
    assert_eq!(read(&message), format!("{request:?}"));
}

proptest! {
    #[test]
    fn requests_that_are_answered_with_actors(
        (actor_type, word) in (text(), text()),
        selection in prop::option::of(texts()),
        keys in texts(),
        restrictions in prop::collection::vec(restriction(), 0..4),
        actors in prop::collection::vec(actor(), 1..4),
        has_word in any::<bool>(),
    ) {
        let keys = borrowed(&keys);
        let selection = selection.as_deref().map(borrowed);
        let parent = has_word.then(|| Cow::Owned(Parent { actor_type: word.clone(), key: word.clone() }));
        let operations = [
            ActorOperation::Get { keys: Cow::Borrowed(&keys) },
            ActorOperation::Search { restrictions: Cow::Borrowed(&restrictions) },
            ActorOperation::SearchText { text: &word, parent },
            ActorOperation::ChangedSince { stamp: has_word.then_some(word.as_str()) },
            ActorOperation::Create { actor: Cow::Borrowed(&actors[0]) },
        ];
        for operation in operations {
            let fields = selection.as_deref().map(Cow::Borrowed);
            check_connection_request(&ConnectionRequest::Actors(ActorCall {
                actor_type: &actor_type,
                fields,
                operation,
            }));
        }
        check_connection_request(&ConnectionRequest::Save { actors: Cow::Borrowed(&actors) });
    }

    #[test]
    fn other_requests(name in text(), keys in texts(), settings in settings()) {
        let keys = borrowed(&keys);
        for request in [
            ConnectionRequest::Test,
            ConnectionRequest::ActorTypes,
            ConnectionRequest::Fields { actor_type: &name },
            ConnectionRequest::SearchableFields { actor_type: &name },
            ConnectionRequest::List { name: &name },
            ConnectionRequest::ListItems { name: &name, keys: Cow::Borrowed(&keys) },
            ConnectionRequest::Refresh,
            ConnectionRequest::Close,
        ] {
            check_connection_request(&request);
        }
        for request in [
            ConnectorRequest::SettingsForm,
            ConnectorRequest::SetupList { name: &name },
            ConnectorRequest::TestSettings(Cow::Borrowed(&settings)),
            ConnectorRequest::ConnectionDeleted { guid: &name },
            ConnectorRequest::ConnectionFolders,
        ] {
            let message = request.encode();
            prop_assert_eq!(ConnectorRequest::decode(request.operation(), message.as_ref()), Ok(request));
        }
    }

    #[test]
    fn host_argument(version in text(), folder in "\\PC{0,12}", options in prop::collection::vec((text(), text()), 0..4)) {
        let host = Host { version, data_folder: folder.into(), options };
        let mut message = Message::new();
        requests::put_host(&mut message, &host).unwrap();
        let read = requests::host(&mut message.as_ref().reader()).unwrap();
        prop_assert_eq!(read.version(), host.version());
        prop_assert_eq!(read.data_folder(), host.data_folder());
        prop_assert_eq!(read.options, host.options);
    }

    #[test]
    fn replies(
        fields in prop::collection::vec(field(), 1..3),
        (key, label) in (text(), text()),
        (user, tech, code) in (prop::option::of(text()), prop::option::of(text()), prop::option::of(text())),
        (state, kind) in (prop::sample::select(State::ALL), prop::sample::select(ErrorKind::ALL)),
        actor_types in texts(),
        (is_raw, lifetime) in (any::<bool>(), any::<u32>()),
    ) {
        for field in fields {
            let mut message = Message::new();
            replies::put_field(&mut message, &field);
            prop_assert_eq!(replies::field(message.as_ref()), Ok(field));
        }
        let mut message = Message::new();
        let item = ListItem::new(key.clone(), label.clone());
        replies::put_list_item(&mut message, &item);
        prop_assert_eq!(replies::list_item(message.as_ref()), Ok(item));

        let mut message = Message::new();
        let outcome = Outcome { state, user, tech, code, kind };
        replies::put_outcome(&mut message, &outcome);
        prop_assert_eq!(replies::outcome(message.as_ref()), Ok(outcome.clone()));

        let mut message = Message::new();
        replies::put_not_saved(&mut message, 7, &outcome);
        let outcome = Outcome { state: State::Error, ..outcome };
        prop_assert_eq!(replies::not_saved(message.as_ref()), Ok((7, outcome)));

        let mut message = Message::new();
        let actor_type = ActorType { name: key.clone(), parents: actor_types.clone() };
        replies::put_actor_type(&mut message, &actor_type);
        prop_assert_eq!(replies::actor_type(message.as_ref()), Ok(actor_type));

        let mut message = Message::new();
        let description = Description { name: key, description: label, actor_types };
        description.encode(&mut message);
        prop_assert_eq!(Description::decode(message.as_ref()), Ok(description));

        let mut message = Message::new();
        let description_lifetime = Duration::from_millis(lifetime.into());
        let input = if is_raw { Input::Raw } else { Input::Checked };
        let time = description_lifetime.min(Duration::from_millis(u64::from(u32::MAX) - 1));
        let lifetime = Lifetime { idle: Some(time), age: None, refresh_every: is_raw.then_some(time) };
        let opened = Opened { input, description_lifetime, lifetime, saves_together: is_raw };
        opened.encode(&mut message);
        prop_assert_eq!(Opened::decode(message.as_ref()), Ok(opened));
    }

    #[test]
    fn rows(actors in prop::collection::vec(actor(), 0..5)) {
        let mut message = Message::new();
        for actor in &actors {
            RowWriter::new(&mut message).actor(actor);
        }
        let mut reader = message.as_ref().reader();
        let mut read = Vec::new();
        while !reader.is_empty() {
            read.push(RowRef::read(&mut reader).unwrap().to_actor());
        }
        prop_assert_eq!(read, actors);
    }

    #[test]
    fn saved_row(actor in actor(), position in 0..1000_usize) {
        let (mut row, mut message) = (Message::new(), Message::new());
        RowWriter::new(&mut row).actor(&actor);
        replies::put_saved(&mut message, position, row.as_ref());
        let (at, read) = replies::saved(message.as_ref()).unwrap();
        prop_assert_eq!((at, read.to_actor()), (position, actor));
        message.put_number(0);
        prop_assert_eq!(replies::saved(message.as_ref()).err(), Some(Malformed), "one row");
    }

    /// Any message is decoded to a value or an error.
    #[test]
    fn decoders_do_not_panic(
        operation in prop_oneof![0u32..50, any::<u32>()],
        text in text(),
        marks in prop::collection::vec(prop_oneof![0u32..6, any::<u32>(), Just(u32::MAX)], 0..24),
    ) {
        let message = MessageRef { text: &text, marks: &marks };
        let _ = ConnectionRequest::decode(Operation(operation), message);
        let _ = ConnectorRequest::decode(Operation(operation), message);
        let _ = Record::decode(message);
        let _ = replies::field(message);
        let _ = replies::outcome(message);
        let _ = replies::actor_type(message);
        let _ = replies::saved(message);
        let _ = replies::not_saved(message);
        let _ = requests::host(&mut message.reader());
        let _ = Description::decode(message);
        let _ = Opened::decode(message);
        let mut reader = message.reader();
        while let Ok(row) = RowRef::read(&mut reader) {
            let _ = row.to_actor();
        }
    }

    /// A message that is cut at any place is malformed.
    #[test]
    fn cut_messages_are_malformed(actor in actor(), keep in any::<prop::sample::Index>()) {
        let mut message = Message::new();
        RowWriter::new(&mut message).actor(&actor);
        let keep = keep.index(message.mark_count());
        let cut = MessageRef { marks: &message.as_ref().marks[..keep], ..message.as_ref() };
        prop_assert_eq!(RowRef::read(&mut cut.reader()).err(), Some(Malformed));
    }
}

#[test]
fn mark_inside_a_character_is_malformed() {
    let message = MessageRef { text: "é", marks: &[1] };
    assert_eq!(message.reader().text(), Err(Malformed));
}

#[test]
fn null_differs_from_the_empty_text() {
    let mut message = Message::new();
    message.put_optional(None);
    message.put_text("");
    let mut reader = message.as_ref().reader();
    assert_eq!((reader.optional(), reader.optional()), (Ok(None), Ok(Some(""))));
    assert_eq!(reader.optional(), Err(Malformed));
}

#[test]
fn unknown_operation_and_operator_are_named() {
    let nothing = Message::new();
    let error = ConnectionRequest::decode(Operation(4711), nothing.as_ref()).unwrap_err();
    assert_eq!(error, RequestError::Unknown(Operation(4711)));
    assert_eq!(error.to_string(), "not supported by this connector (API 2.0.0, operation 4711)");

    let mut message = Message::new();
    message.put_text("Customer");
    message.put_number(0);
    message.put_count(1);
    message.put_text("NAME");
    message.put_text("sounds like");
    message.put_count(0);
    let error = ConnectionRequest::decode(Operation::SEARCH, message.as_ref()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the operator \"sounds like\" is not supported by this connector (API 2.0.0)"
    );
}

#[test]
fn unknown_kind_of_a_newer_plugin_is_a_failure() {
    let mut message = Message::new();
    message.put_text("Error");
    (0..3).for_each(|_| message.put_optional(None));
    message.put_text("bankrupt");
    let outcome = replies::outcome(message.as_ref()).unwrap();
    assert_eq!((outcome.state, outcome.kind), (State::Error, ErrorKind::Failed));
}

/// A message may contain secrets.
#[test]
fn debug_of_a_message_shows_no_text() {
    let mut message = Message::new();
    message.put_text("hunter2");
    assert!(!format!("{message:?} {:?}", message.as_ref()).contains("hunter2"));
}
