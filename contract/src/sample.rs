//! Sample messages: what a request and a reply of an operation look like in a profile, with every member filled in.

use std::borrow::Cow;

use values::{Access, FieldType};

use crate::carriers::{Actor, Dictionary, Field, Restriction};
use crate::{Authentication, Operation, Outcome, Payload, PayloadKind, Reply, Request};

/// The ConnectionGuid of samples.
pub const CONNECTION_GUID: &str = "3aef3af6-8642-4fc1-8dc9-4e08bd76a6bf";

const STAMP: &str = "2026-01-31T12:00:00";

/// A text, as a member has it.
const fn text(text: &'static str) -> Option<Cow<'static, str>> {
    Some(Cow::Borrowed(text))
}

fn settings() -> Option<Dictionary<'static>> {
    Some(Dictionary::from_iter([("Server", Some("erp.example")), ("Company", Some("1"))]))
}

fn actor() -> Actor<'static> {
    let fields = [("NAME", Some("Contoso")), ("CREDIT", Some("[F:1000]")), ("PHONE", None)];
    Actor {
        actor_type: text("Person"),
        erp_key: text("1001"),
        field_values: Some(Dictionary::from_iter(fields)),
        last_modified: text(STAMP),
        parent_actor_type: text("Customer"),
        parent_erp_key: text("1000"),
    }
}

/// A sample request of an operation.
pub fn request(operation: Operation) -> Request<'static> {
    let actor_type = text("Customer");
    let field_keys = Some(vec![text("NAME"), text("CREDIT")]);
    let search_text = text("contoso");
    match operation {
        Operation::GetConfigData => Request::GetConfigData,
        Operation::TestConfigData => Request::TestConfigData { connection_info: settings() },
        Operation::SaveConnection => Request::SaveConnection { connection_info: settings() },
        Operation::TestConnection => Request::TestConnection,
        Operation::DeleteConnection => Request::DeleteConnection,
        Operation::GetSupportedActorTypes => Request::GetSupportedActorTypes,
        Operation::GetSupportedActorTypeFields => Request::GetSupportedActorTypeFields { actor_type },
        Operation::GetActors => {
            Request::GetActors { actor_type, erp_keys: Some(vec![text("1001"), text("1002")]), field_keys }
        }
        Operation::GetSearchableFields => Request::GetSearchableFields { actor_type },
        Operation::SearchActorsAdvanced => {
            let restriction = Restriction {
                field_key: text("CREDIT"),
                operator: text("between"),
                scalar_value: text("[F:0]"),
                values: Some(vec![text("[F:0]"), text("[F:1000]")]),
            };
            Request::SearchActorsAdvanced { actor_type, restrictions: Some(vec![restriction]), field_keys }
        }
        Operation::SearchActors => Request::SearchActors { actor_type, search_text, field_keys },
        Operation::SearchActorByParent => Request::SearchActorByParent {
            actor_type: text("Person"),
            search_text,
            parent_actor_type: actor_type,
            parent_actor_erp_key: text("1000"),
            field_keys,
        },
        Operation::CreateActor => Request::CreateActor { actor: Some(actor()) },
        Operation::SaveActors => Request::SaveActors { actors: Some(vec![actor()]) },
        Operation::GetList => Request::GetList { list_name: text("Category") },
        Operation::GetListItems => {
            Request::GetListItems { list_name: text("Category"), list_item_keys: Some(vec![text("1")]) }
        }
        Operation::GetActorsByTimestamp => {
            Request::GetActorsByTimestamp { updated_on_or_after: text(STAMP), actor_type, field_keys }
        }
        Operation::Authenticate => {
            Request::Authenticate { signed_token: text("header.claims.signature").map(Into::into) }
        }
    }
}

/// A sample reply of an operation.
pub fn reply(operation: Operation) -> Reply<'static> {
    let payload = match operation.payload() {
        PayloadKind::None => Payload::None,
        PayloadKind::Fields => Payload::Fields(Some(vec![Field {
            access: Access::Mandatory,
            default_value: text("erp.example"),
            display_description: text("The ERP server"),
            display_name: text("Server"),
            field_key: text("Server"),
            field_type: FieldType::Text,
            list_name: None,
            max_length: 100,
            rank: 1,
        }])),
        PayloadKind::Items => Payload::Items(Some(vec![text("Customer"), text("Person")])),
        PayloadKind::Actors => Payload::Actors(Some(vec![actor()])),
        PayloadKind::Actor => Payload::Actor(Some(actor())),
        PayloadKind::ListItems => {
            Payload::ListItems(Some(Dictionary::from_iter([("1", Some("Retail")), ("2", Some("Wholesale"))])))
        }
        PayloadKind::Authentication => {
            return Reply::Authentication(Authentication {
                reason: None,
                signed_application_token: text("nonce.202601311200.signature").map(Into::into),
                succeeded: true,
            });
        }
    };
    Reply::with(Outcome::ok(), payload)
}

/// A message that was written by this crate, with a line for each element.
pub fn indented(message: &str) -> String {
    let mut out = String::with_capacity(message.len() * 2);
    let mut depth = 0;
    // Between two tags there is no text that counts: elements hold either text or elements.
    for line in message.replace("><", ">\n<").lines() {
        let closes_one = line.starts_with("</");
        if closes_one {
            depth -= 1;
        }
        out.push_str(&"  ".repeat(depth));
        out.push_str(line);
        out.push('\n');
        let is_open = !closes_one && !line.ends_with("/>") && !line.contains("</") && !line.starts_with("<?");
        if is_open {
            depth += 1;
        }
    }
    out
}
