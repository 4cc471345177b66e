//! Proptest strategies for every value of the contract.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::*;

/// Texts that have gone wrong somewhere before.
const AWKWARD: &[&str] = &[
    "",
    " ",
    "\r\n",
    "  two  spaces\t",
    "<a>&amp;</a>",
    "]]>",
    "\u{1}",
    "\0",
    "\u{FFFE}",
    "\u{FEFF}",
    "😀",
    "[I:1]",
    "[DT:12/31/2013 23:59:59.0000000]",
    "US:\"a\";NO:\"b\"",
    "i:nil=\"true\"",
];

pub(super) fn string() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => vec(any::<char>(), 0..8).prop_map(|characters| characters.into_iter().collect()),
        1 => select(AWKWARD).prop_map(str::to_owned),
    ]
}

fn text() -> impl Strategy<Value = Text<'static>> {
    option::of(string().prop_map(Into::into))
}

fn texts() -> impl Strategy<Value = Option<Texts<'static>>> {
    option::of(vec(text(), 0..4))
}

fn dictionary() -> impl Strategy<Value = Option<Dictionary<'static>>> {
    option::of(vec((string(), option::of(string())), 0..4).prop_map(|entries| entries.into_iter().collect()))
}

fn actor() -> impl Strategy<Value = Actor<'static>> {
    (text(), text(), dictionary(), text(), text(), text()).prop_map(
        |(actor_type, erp_key, field_values, last_modified, parent_actor_type, parent_erp_key)| Actor {
            actor_type,
            erp_key,
            field_values,
            last_modified,
            parent_actor_type,
            parent_erp_key,
        },
    )
}

fn actors() -> impl Strategy<Value = Option<Vec<Actor<'static>>>> {
    option::of(vec(actor(), 0..3))
}

fn restrictions() -> impl Strategy<Value = Option<Vec<Restriction<'static>>>> {
    let restriction =
        (text(), text(), text(), texts()).prop_map(|(field_key, operator, scalar_value, values)| {
            Restriction { field_key, operator, scalar_value, values }
        });
    option::of(vec(restriction, 0..3))
}

fn fields() -> impl Strategy<Value = Option<Vec<Field<'static>>>> {
    let names = (select(Access::ALL), select(FieldType::ALL), any::<i32>(), any::<i32>());
    let field = (names, [text(), text(), text(), text(), text()]).prop_map(
        |((access, field_type, max_length, rank), texts)| {
            let [default_value, display_description, display_name, field_key, list_name] = texts;
            Field {
                access,
                default_value,
                display_description,
                display_name,
                field_key,
                field_type,
                list_name,
                max_length,
                rank,
            }
        },
    );
    option::of(vec(field, 0..3))
}

pub(super) fn envelope() -> impl Strategy<Value = Envelope> {
    let soap = select(&[SoapVersion::V11, SoapVersion::V12][..]);
    let namespaces =
        select(&["http://www.superoffice.net/EIS/Connector/1.0", "urn:another/\"version\"&<2>"][..]);
    let plain = select(&[None, Some("http://schemas.datacontract.org/2004/07/Another.Name")][..]);
    (soap, select(Profile::all_builtin()), namespaces, plain).prop_map(|(soap, profile, namespace, plain)| {
        let is_plain = profile.layout().namespaces.len() > 2;
        let envelope = Envelope::from(profile).with_soap(soap).with_namespace(0, namespace);
        match plain.filter(|_| is_plain) {
            Some(plain) => envelope.with_namespace(2, plain).with_namespace(3, plain),
            None => envelope,
        }
    })
}

/// What a message of this operation shows of an envelope: the namespace of members that it has, and no other.
pub(super) fn shown(envelope: Envelope, operation: Operation, has_members: bool) -> Envelope {
    let is_authentication = operation == Operation::Authenticate;
    let envelope = if has_members && !is_authentication {
        envelope
    } else {
        envelope.with_namespace(2, namespace::PLAIN)
    };
    if is_authentication { envelope } else { envelope.with_namespace(3, namespace::PLAIN_AUTHENTICATION) }
}

pub(super) fn request(operation: Operation) -> BoxedStrategy<Request<'static>> {
    match operation {
        Operation::GetConfigData => Just(Request::GetConfigData).boxed(),
        Operation::TestConfigData => {
            dictionary().prop_map(|connection_info| Request::TestConfigData { connection_info }).boxed()
        }
        Operation::SaveConnection => {
            dictionary().prop_map(|connection_info| Request::SaveConnection { connection_info }).boxed()
        }
        Operation::TestConnection => Just(Request::TestConnection).boxed(),
        Operation::DeleteConnection => Just(Request::DeleteConnection).boxed(),
        Operation::GetSupportedActorTypes => Just(Request::GetSupportedActorTypes).boxed(),
        Operation::GetSupportedActorTypeFields => {
            text().prop_map(|actor_type| Request::GetSupportedActorTypeFields { actor_type }).boxed()
        }
        Operation::GetActors => (text(), texts(), texts())
            .prop_map(|(actor_type, erp_keys, field_keys)| Request::GetActors {
                actor_type,
                erp_keys,
                field_keys,
            })
            .boxed(),
        Operation::GetSearchableFields => {
            text().prop_map(|actor_type| Request::GetSearchableFields { actor_type }).boxed()
        }
        Operation::SearchActorsAdvanced => (text(), restrictions(), texts())
            .prop_map(|(actor_type, restrictions, field_keys)| Request::SearchActorsAdvanced {
                actor_type,
                restrictions,
                field_keys,
            })
            .boxed(),
        Operation::SearchActors => (text(), text(), texts())
            .prop_map(|(actor_type, search_text, field_keys)| Request::SearchActors {
                actor_type,
                search_text,
                field_keys,
            })
            .boxed(),
        Operation::SearchActorByParent => ([text(), text(), text(), text()], texts())
            .prop_map(|(texts, field_keys)| {
                let [actor_type, search_text, parent_actor_type, parent_actor_erp_key] = texts;
                Request::SearchActorByParent {
                    actor_type,
                    search_text,
                    parent_actor_type,
                    parent_actor_erp_key,
                    field_keys,
                }
            })
            .boxed(),
        Operation::CreateActor => {
            option::of(actor()).prop_map(|actor| Request::CreateActor { actor }).boxed()
        }
        Operation::SaveActors => actors().prop_map(|actors| Request::SaveActors { actors }).boxed(),
        Operation::GetList => text().prop_map(|list_name| Request::GetList { list_name }).boxed(),
        Operation::GetListItems => (text(), texts())
            .prop_map(|(list_name, list_item_keys)| Request::GetListItems { list_name, list_item_keys })
            .boxed(),
        Operation::GetActorsByTimestamp => (text(), text(), texts())
            .prop_map(|(updated_on_or_after, actor_type, field_keys)| Request::GetActorsByTimestamp {
                updated_on_or_after,
                actor_type,
                field_keys,
            })
            .boxed(),
        Operation::Authenticate => {
            text().prop_map(|token| Request::Authenticate { signed_token: token.map(Token) }).boxed()
        }
    }
}

pub(super) fn call() -> impl Strategy<Value = Call<'static>> {
    let requests = select(Operation::ALL).prop_flat_map(request);
    (envelope(), text(), requests).prop_map(|(envelope, connection_guid, request)| {
        let operation = request.operation();
        let envelope = shown(envelope, operation, request != Request::GetConfigData);
        // These two have no ConnectionGuid (contract page, section 2), nor has Authenticate.
        let has_guid = !matches!(
            request,
            Request::GetConfigData | Request::TestConfigData { .. } | Request::Authenticate { .. }
        );
        Call { envelope, connection_guid: connection_guid.filter(|_| has_guid), request }
    })
}

pub(super) fn outcome() -> impl Strategy<Value = Outcome<'static>> {
    (select(State::ALL), text(), text(), text()).prop_map(
        |(state, user_explanation, tech_explanation, error_code)| Outcome {
            state,
            user_explanation,
            tech_explanation,
            error_code,
        },
    )
}

pub(super) fn reply(operation: Operation) -> BoxedStrategy<Reply<'static>> {
    let payload = match operation.payload() {
        PayloadKind::None => Just(Payload::None).boxed(),
        PayloadKind::Fields => fields().prop_map(Payload::Fields).boxed(),
        PayloadKind::Items => texts().prop_map(Payload::Items).boxed(),
        PayloadKind::Actors => actors().prop_map(Payload::Actors).boxed(),
        PayloadKind::Actor => option::of(actor()).prop_map(Payload::Actor).boxed(),
        PayloadKind::ListItems => dictionary().prop_map(Payload::ListItems).boxed(),
        PayloadKind::Authentication => {
            let authentication = (text(), text(), any::<bool>());
            return authentication
                .prop_map(|(reason, token, succeeded)| {
                    let signed_application_token = token.map(Token);
                    Reply::Authentication(Authentication { reason, signed_application_token, succeeded })
                })
                .boxed();
        }
    };
    (outcome(), payload).prop_map(|(outcome, payload)| Reply::with(outcome, payload)).boxed()
}

pub(super) fn operation() -> impl Strategy<Value = Operation> {
    select(Operation::ALL)
}
