//! Learning a profile from a WSDL.

use super::canonical::assert_same;
use super::recordings::{fixtures, recorded_call, recorded_reply, recordings};
use crate::learn::{Comparison, Learned, WsdlDocument, compare, learn};
use crate::profile::{ElementName, EntryLayout, Layout, MemberLayout, MessageLayout};
use crate::wsdl::LearnedWsdl;
use crate::*;

pub(super) const SERVICE: &str = "http://localhost/service.svc";

pub(super) fn document(text: impl Into<String>) -> WsdlDocument {
    WsdlDocument { url: format!("{SERVICE}?wsdl"), text: text.into() }
}

#[test]
fn recorded_wsdls_give_the_built_in_profiles() {
    for name in ["message", "data", "plain"] {
        let text = std::fs::read_to_string(fixtures().join(format!("wsdl/{name}.wsdl"))).unwrap();
        let learned = learn(name, &[document(text)]).unwrap();
        assert_eq!((learned.unknown, learned.missing), (vec![], vec![]), "{name}");
        assert_eq!(
            compare(&learned.layout),
            Comparison { builtin: name.to_owned(), differences: vec![] },
            "{name}"
        );
    }
}

#[test]
fn own_wsdls_give_the_profiles_that_they_describe() {
    for profile in Profile::all_builtin() {
        let order =
            if profile.name().ends_with("-declared") { MemberOrder::Declared } else { MemberOrder::Name };
        let text = wsdl(profile.dialect().unwrap(), order, "http://localhost/");
        let learned = learn(profile.name(), &[document(text)]).unwrap();
        assert_eq!(compare(&learned.layout).builtin, profile.name());
        assert_eq!(compare(&learned.layout).differences, Vec::<String>::new(), "{}", profile.name());
    }
}

/// Requests and replies are what was recorded, in the profile that was learned from the WSDL of the same service.
#[test]
fn recordings_pass_through_the_learned_profiles() {
    for recording in recordings() {
        let name = recording.dialect.as_str();
        let text = std::fs::read_to_string(fixtures().join(format!("wsdl/{name}.wsdl"))).unwrap();
        let learned = learn(&format!("learned-{name}"), &[document(text)]).unwrap();
        let profile = Profile::new(learned.layout).unwrap();
        let profiles = Profiles::new(vec![std::sync::Arc::clone(&profile)], MemberOrder::Name);
        let envelope = Envelope::from(profile);

        let options = ReadOptions { action: Some(&recording.action), ..ReadOptions::default() };
        let call = profiles.read_call(recording.request.as_bytes(), &options).unwrap();
        let wanted = Call { envelope: envelope.clone(), ..recorded_call(recording) };
        assert_eq!(call, wanted, "{}", recording.name);
        let mut out = Vec::new();
        write_request(&mut out, &call);
        assert_same(&out, &recording.request, &recording.name);

        if recording.json.get("fault").is_some() {
            continue;
        }
        let reply = recorded_reply(recording);
        let mut out = Vec::new();
        write_reply(&mut out, &envelope, recording.operation, &reply);
        assert_same(&out, &recording.response, &recording.name);
        let read = profiles.read_reply(recording.response.as_bytes(), recording.operation, None);
        assert_eq!(read, Ok(ReplyMessage { envelope, reply }), "{}", recording.name);
    }
}

/// The documents of a contract of `tests/fixtures/contracts`.
fn fixture(name: &str) -> Vec<WsdlDocument> {
    let folder = fixtures().join("contracts");
    let read = |file: String, query: &str| {
        let text = std::fs::read_to_string(folder.join(file)).unwrap();
        WsdlDocument {
            url: format!("{SERVICE}?{query}"),
            text: text.replace("http://localhost:8080/Services/ErpConnectorWS.svc", SERVICE),
        }
    };
    if folder.join(name).is_dir() {
        ["wsdl", "wsdl=wsdl0", "xsd=xsd0", "xsd=xsd1", "xsd=xsd2"]
            .map(|query| read(format!("{name}/{query}.xml"), query))
            .to_vec()
    } else {
        vec![read(format!("{name}.wsdl"), "wsdl")]
    }
}

fn learned(name: &str) -> Learned {
    learn(name, &fixture(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn names(members: &[MemberLayout]) -> Vec<&str> {
    members.iter().map(|member| member.element.local.as_ref()).collect()
}

/// The messages of both layouts, pairwise.
fn messages<'l>(one: &'l Layout, other: &'l Layout) -> impl Iterator<Item = [&'l MessageLayout; 2]> {
    one.operations.iter().zip(&other.operations).flat_map(|(one, other)| {
        assert_eq!((one.operation, &one.action), (other.operation, &other.action));
        [[&one.request, &other.request], [&one.reply, &other.reply]]
    })
}

#[test]
fn reversed_contract_has_every_member_in_the_reversed_order() {
    let Learned { layout, unknown, missing } = learned("reversed");
    assert_eq!((unknown, missing), (vec![], vec![]));
    let builtin = Profile::builtin(Dialect::Message, MemberOrder::Name).layout();
    assert_eq!(layout.operations.len(), Operation::ALL.len());
    let reversed = |members: &[MemberLayout]| members.iter().rev().cloned().collect::<Vec<_>>();
    for [message, by_name] in messages(&layout, builtin) {
        assert_eq!(message.wrappers, by_name.wrappers);
        assert_eq!(message.members, reversed(&by_name.members));
        assert_eq!(message.headers, []);
    }
    assert_eq!(layout.carriers.actor.members, reversed(&builtin.carriers.actor.members));
    assert_eq!(layout.carriers.field.members, reversed(&builtin.carriers.field.members));
    assert_eq!(layout.carriers.restriction.members, reversed(&builtin.carriers.restriction.members));
    assert_eq!(
        (&layout.carriers.text, &layout.carriers.entry),
        (&builtin.carriers.text, &builtin.carriers.entry)
    );
}

/// `name: wrapper/wrapper(members) headers(members)`, with the version in the namespace of each wrapper.
fn shown(layout: &Layout, message: &MessageLayout) -> String {
    let wrapper = |name: &ElementName| {
        let uri = &layout.namespaces[name.namespace].uri;
        format!("{}:{}", uri.rsplit('/').next().unwrap(), name.local)
    };
    let wrappers: Vec<_> = message.wrappers.iter().map(wrapper).collect();
    let (members, headers) = (names(&message.members).join(" "), names(&message.headers).join(" "));
    format!("{}({members}) headers({headers})", wrappers.join("/"))
}

#[test]
fn quote_style_contract_has_headers_a_second_namespace_and_mixed_orders() {
    let Learned { layout, unknown, missing } = learned("quote-style");
    assert_eq!(missing, [""; 0]);
    assert_eq!(
        unknown,
        ["requests: ApplicationToken, of the type string", "replies: ServerVersion, of the type string"]
    );
    let all: String = layout
        .operations
        .iter()
        .map(|one| format!("{}\n{}\n", shown(&layout, &one.request), shown(&layout, &one.reply)))
        .collect();
    assert_eq!(all, QUOTE_STYLE);
    for message in layout.operations.iter().flat_map(|one| [&one.request, &one.reply]) {
        for member in message.members.iter().chain(&message.headers) {
            assert_eq!(layout.namespaces[member.element.namespace].uri, namespace::CONTRACT);
        }
        // A header has no `minOccurs`.
        assert!(message.headers.iter().all(|header| header.nillable && !header.optional));
    }
    let item = |name: &ElementName| (layout.namespaces[name.namespace].uri.clone(), name.local.clone());
    let EntryLayout { entry, key, value } = &layout.carriers.entry;
    assert_eq!(
        [&layout.carriers.text, entry, key, value].map(item),
        ["Item", "Setting", "Name", "Text"].map(|name| (namespace::ARRAYS.into(), name.into()))
    );
    assert_eq!(
        names(&layout.carriers.actor.members),
        ["LastModified", "ParentActorType", "ParentErpKey", "ActorType", "ErpKey", "FieldValues"]
    );
}

const QUOTE_STYLE: &str = "\
1.0:WSGetConfigData() headers(ApplicationToken)
1.0:WSGetConfigDataResponse/1.0:Result(IsOk State ErrorCode FieldMetaDataObjects) headers(ServerVersion TechExplanation UserExplanation)
1.0:WSTestConfigData(ConnectionInfo) headers(ApplicationToken)
1.0:WSTestConfigDataResponse/1.0:Result(IsOk State ErrorCode) headers(ServerVersion TechExplanation UserExplanation)
1.0:WSSaveConnection(ConnectionInfo) headers(ApplicationToken ConnectionGuid)
1.0:WSSaveConnectionResponse/1.0:Result(IsOk State ErrorCode) headers(ServerVersion TechExplanation UserExplanation)
1.0:WSTestConnection() headers(ApplicationToken ConnectionGuid)
1.0:WSTestConnectionResponse/1.0:Result(IsOk State ErrorCode) headers(ServerVersion TechExplanation UserExplanation)
1.0:WSDeleteConnection() headers(ApplicationToken ConnectionGuid)
1.0:WSDeleteConnectionResponse/1.0:Result(IsOk State ErrorCode) headers(ServerVersion TechExplanation UserExplanation)
1.0:WSGetSupportedActorTypes() headers(ApplicationToken ConnectionGuid)
1.0:WSGetSupportedActorTypesResponse/1.0:Result(IsOk State ErrorCode Items) headers(ServerVersion TechExplanation UserExplanation)
1.0:WSGetSupportedActorTypeFields(ActorType) headers(ApplicationToken ConnectionGuid)
1.0:WSGetSupportedActorTypeFieldsResponse/1.0:Result(IsOk State ErrorCode FieldMetaDataObjects) headers(ServerVersion TechExplanation UserExplanation)
1.0:WSGetActors(ErpKeys FieldKeys ActorType) headers(ApplicationToken ConnectionGuid)
1.0:WSGetActorsResponse/1.0:Result(IsOk State ErrorCode Actors) headers(ServerVersion TechExplanation UserExplanation)
1.0:WSGetSearchableFields(ActorType) headers(ApplicationToken ConnectionGuid)
1.0:WSGetSearchableFieldsResponse/1.0:Result(IsOk State ErrorCode Items) headers(ServerVersion TechExplanation UserExplanation)
1.0:WSSearchActorsAdvanced(FieldKeys Restrictions ActorType) headers(ApplicationToken ConnectionGuid)
1.0:WSSearchActorsAdvancedResponse/1.0:Result(IsOk State ErrorCode Actors) headers(ServerVersion TechExplanation UserExplanation)
2.0:WSSearchActors(FieldKeys SearchText ActorType) headers(ApplicationToken ConnectionGuid)
1.0:WSSearchActorsResponse/1.0:Result(IsOk State ErrorCode Actors) headers(ServerVersion TechExplanation UserExplanation)
1.0:WSSearchActorByParent(ParentActorErpKey ParentActorType SearchText ActorType FieldKeys) headers(ApplicationToken ConnectionGuid)
1.0:WSSearchActorByParentResponse/1.0:Result(IsOk State ErrorCode Actors) headers(ServerVersion TechExplanation UserExplanation)
1.0:WSCreateActor(Actor) headers(ApplicationToken ConnectionGuid)
1.0:WSCreateActorResponse/1.0:Result(IsOk State ErrorCode Actor) headers(ServerVersion TechExplanation UserExplanation)
2.0:WSSaveActors(Actors) headers(ApplicationToken ConnectionGuid)
1.0:WSSaveActorsResponse/1.0:Result(IsOk State ErrorCode Actors) headers(ServerVersion TechExplanation UserExplanation)
1.0:WSGetList(ListName) headers(ApplicationToken ConnectionGuid)
1.0:WSGetListResponse/1.0:Result(IsOk State ErrorCode ListItems) headers(ServerVersion TechExplanation UserExplanation)
1.0:WSGetListItems(ListName ListItemKeys) headers(ApplicationToken ConnectionGuid)
2.0:WSGetListItemsResponse/1.0:Result(IsOk State ErrorCode ListItems) headers(ServerVersion TechExplanation UserExplanation)
1.0:WSGetActorsByTimestamp(FieldKeys UpdatedOnOrAfter ActorType) headers(ApplicationToken ConnectionGuid)
1.0:WSGetActorsByTimestampResponse/1.0:Result(IsOk State ErrorCode Actors) headers(ServerVersion TechExplanation UserExplanation)
1.0:Authenticate() headers(ApplicationToken SignedToken)
1.0:AuthenticateResponse/1.0:Result(SignedApplicationToken Succeeded Reason) headers(ServerVersion)
";

#[test]
fn split_contract_is_that_of_data_with_more_operations_and_members() {
    let Learned { layout, unknown, missing } = learned("split");
    assert_eq!(missing, [""; 0]);
    assert_eq!(
        unknown,
        [
            "replies of all operations but Authenticate: Served, of the type dateTime",
            "replies of all operations but Authenticate: Warnings, of the type ArrayOfWarningInfoWS",
            "requests of all operations but WSGetConfigData, WSTestConfigData, Authenticate: Client, of the type ClientInfoWS",
            "requests of all operations but WSGetConfigData, WSTestConfigData, Authenticate: Culture, of the type string",
            "requests of WSGetActors: Version, of the type int",
            "replies of Authenticate: Client, of the type ClientInfoWS",
            "ErpActorWS: Address, of the type AddressInfoWS",
            "ErpActorWS: Tags, of the type ArrayOfstring",
            "ErpActorWS: Version, of the type int",
            "FieldMetadataInfoWS: Number, of the type long",
            "the operation WSGetStatistics",
        ]
    );
    let builtin = Profile::builtin(Dialect::Data, MemberOrder::Name).layout();
    let known = |members: &[MemberLayout]| {
        members.iter().filter(|member| member.member().is_some()).cloned().collect::<Vec<_>>()
    };
    for [message, data] in messages(&layout, builtin) {
        assert_eq!(message.wrappers, data.wrappers);
        assert_eq!(known(&message.members), data.members);
        assert_eq!(message.headers, []);
    }
    let carriers = [
        [&layout.carriers.actor, &builtin.carriers.actor],
        [&layout.carriers.field, &builtin.carriers.field],
        [&layout.carriers.restriction, &builtin.carriers.restriction],
    ];
    for [carrier, data] in carriers {
        assert_eq!((&carrier.item, known(&carrier.members)), (&data.item, data.members.clone()));
    }
    let reply = &layout.operations[Operation::GetActors as usize].reply;
    assert_eq!(
        names(&reply.members),
        ["ErrorCode", "IsOk", "Served", "State", "TechExplanation", "UserExplanation", "Warnings", "Actors"]
    );
    let served = &reply.members[2];
    assert_eq!((served.nillable, served.optional, served.schema_type.as_ref()), (false, false, "dateTime"));
    assert_eq!(
        names(&layout.carriers.actor.members),
        [
            "ActorType",
            "Address",
            "ErpKey",
            "FieldValues",
            "LastModified",
            "ParentActorType",
            "ParentErpKey",
            "Tags",
            "Version"
        ]
    );
}

/// What is served of a learned WSDL gives the same profile.
#[test]
fn served_wsdl_of_a_learned_contract_gives_the_same_profile() {
    for name in ["reversed", "quote-style", "split"] {
        let documents = fixture(name);
        let address = "https://erp.example/Connector.svc";
        let served = LearnedWsdl::new(&documents).unwrap();
        let again = documents.iter().map(|document| {
            let query = document.url.split_once('?').unwrap().1;
            let part = query.split_once('=').map_or("", |(_, part)| part);
            let text = served.document(part, address).unwrap();
            assert!(!text.contains(SERVICE), "{name}: {query}");
            WsdlDocument { url: format!("{address}?{query}"), text }
        });
        let again: Vec<_> = again.collect();
        assert_eq!(learn(name, &again), learn(name, &documents), "{name}");
    }
}

/// Requests and replies are read as they were written, and a strict client loses nothing of a reply.
pub(super) fn assert_messages_hold_every_value(layout: Layout, name: &str) {
    let profile = Profile::new(layout).unwrap();
    let profiles = Profiles::new(vec![std::sync::Arc::clone(&profile)], MemberOrder::Name);
    let envelope = Envelope::from(profile);
    for &operation in Operation::ALL {
        let has_guid = !matches!(
            operation,
            Operation::GetConfigData | Operation::TestConfigData | Operation::Authenticate
        );
        let connection_guid = has_guid.then(|| sample::CONNECTION_GUID.into());
        let call = Call { envelope: envelope.clone(), connection_guid, request: sample::request(operation) };
        let mut out = Vec::new();
        write_request(&mut out, &call);
        let action = call.soap_action();
        let options = ReadOptions { action: Some(&action), ..ReadOptions::default() };
        assert_eq!(profiles.read_call(&out, &options).as_ref(), Ok(&call), "{name}");

        let reply = sample::reply(operation);
        let mut out = Vec::new();
        write_reply(&mut out, &envelope, operation, &reply);
        assert_eq!(losses(&out, operation, &envelope), [], "{name}: {operation}");
        let read = profiles.read_reply(&out, operation, None);
        assert_eq!(read, Ok(ReplyMessage { envelope: envelope.clone(), reply }), "{name}");
    }
}

#[test]
fn messages_of_learned_contracts_hold_every_value() {
    for name in ["reversed", "quote-style", "split"] {
        assert_messages_hold_every_value(learned(name).layout, name);
    }
}

/// gSOAP marks every header of a contract so.
#[test]
fn headers_of_a_learned_contract_are_understood() {
    let profile = Profile::new(learned("quote-style").layout).unwrap();
    let profiles = Profiles::new(vec![std::sync::Arc::clone(&profile)], MemberOrder::Name);
    let call = Call {
        envelope: Envelope::from(profile),
        connection_guid: Some(sample::CONNECTION_GUID.into()),
        request: Request::TestConnection,
    };
    let mut out = Vec::new();
    write_request(&mut out, &call);
    let text = String::from_utf8(out).unwrap();
    let marked = text.replace("<ApplicationToken", r#"<ApplicationToken s:mustUnderstand="1""#);
    assert_ne!(marked, text);
    let action = call.soap_action();
    let options = ReadOptions { action: Some(&action), ..ReadOptions::default() };
    assert_eq!(profiles.read_call(marked.as_bytes(), &options), Ok(call));
    let refused = Profiles::builtin().read_call(marked.as_bytes(), &options).unwrap_err();
    assert_eq!(refused.refusal, Refusal::MustUnderstand("ApplicationToken".to_owned()));
}
