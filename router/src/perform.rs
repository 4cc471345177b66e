//! Carries out the operations: calls the connector, and writes the reply. Everything here blocks.

use std::ops::ControlFlow;

use contract::{Call, Outcome, Payload, Request, Text, Texts};
use erp_host_input_check::NotPassed;
use plugin_api::abi::client::ConnectionClient;
use plugin_api::abi::{ActorCall, ActorOperation};
use plugin_api::{Actor, ActorType, Field, ListItem, Parent};

use super::connector::{Connector, LiveConnection};
use super::convert;
use super::reply::{self, ActorsReplyWriter, WrittenReply};
use super::save_reply::SaveReply;
use super::spool::PeerSpools;

/// Why an operation ended before the connector was called for it.
enum Failed {
    /// The request cannot be carried out.
    Request(Outcome<'static>),
    /// It was not passed on.
    Input(NotPassed),
}

/// Carries out an operation of a connector, without a connection: its settings form, a test of settings.
pub(super) fn in_setup(call: &Call<'_>, connector: &Connector, spool: &PeerSpools) -> WrittenReply {
    let reply = ReplyBuilder { call, spool };
    match &call.request {
        Request::GetConfigData => match connector.settings_form() {
            Ok(form) => reply.fields(Ok(form.to_vec())),
            Err(outcome) => reply.outcome(&outcome),
        },
        Request::TestConfigData { connection_info } => {
            let settings = convert::settings(connection_info.as_ref());
            reply.outcome(&connector.client().test_settings(&settings))
        }
        Request::GetList { list_name } => match name_of_list(list_name) {
            Ok(name) => reply.list(connector.client().setup_list(name)),
            Err(outcome) => reply.failed(&outcome),
        },
        _ => reply.misrouted(),
    }
}

/// Carries out an operation of a connection. A save has its results in `saves` while it runs.
pub(super) fn in_connection(
    call: &Call<'_>,
    connection: &LiveConnection,
    saves: &SaveReply,
    spool: &PeerSpools,
) -> WrittenReply {
    perform(call, connection, saves, spool).unwrap_or_else(|failed| {
        let reply = ReplyBuilder { call, spool };
        match failed {
            Failed::Request(outcome) => reply.failed(&outcome),
            Failed::Input(NotPassed::NotDescribed(outcome)) => reply.outcome(&outcome),
            Failed::Input(NotPassed::Refused(refusal)) => {
                let outcome = refusal.to_error().to_outcome();
                WrittenReply { refused: Some(refusal.reason), ..reply.failed(&convert::outcome(&outcome)) }
            }
        }
    })
}

fn perform(
    call: &Call<'_>,
    live: &LiveConnection,
    saves: &SaveReply,
    spool: &PeerSpools,
) -> Result<WrittenReply, Failed> {
    let (connection, check) = (live.client(), live.input_check());
    let reply = ReplyBuilder { call, spool };
    let actors = Actors { call, connection, spool };
    let known_type = |actor_type| -> Result<&str, Failed> {
        let actor_type = type_of(actor_type)?;
        check.actor_type(actor_type)?;
        Ok(actor_type)
    };
    Ok(match &call.request {
        Request::TestConnection => reply.outcome(&connection.test()),
        Request::GetSupportedActorTypes => {
            let names = |types: Vec<ActorType>| types.into_iter().map(|actor_type| actor_type.name).collect();
            reply.items(connection.actor_types().map(names))
        }
        Request::GetSupportedActorTypeFields { actor_type } => {
            reply.fields(connection.fields(known_type(actor_type)?))
        }
        Request::GetSearchableFields { actor_type } => {
            reply.items(connection.searchable_fields(known_type(actor_type)?))
        }
        Request::GetActors { actor_type, erp_keys, field_keys } => {
            let keys = convert::texts(erp_keys.as_ref()).into();
            actors.reply(known_type(actor_type)?, field_keys, ActorOperation::Get { keys })
        }
        Request::SearchActorsAdvanced { actor_type, restrictions, field_keys } => {
            let actor_type = type_of(actor_type)?;
            let mut restrictions = convert::restrictions(restrictions.as_ref())?;
            check.search(actor_type, &mut restrictions)?;
            let restrictions = restrictions.into();
            actors.reply(actor_type, field_keys, ActorOperation::Search { restrictions })
        }
        Request::SearchActors { actor_type, search_text, field_keys } => {
            let text = search_text.as_deref().unwrap_or_default();
            actors.reply(
                known_type(actor_type)?,
                field_keys,
                ActorOperation::SearchText { text, parent: None },
            )
        }
        Request::SearchActorByParent {
            actor_type,
            search_text,
            parent_actor_type,
            parent_actor_erp_key,
            field_keys,
        } => {
            let text = search_text.as_deref().unwrap_or_default();
            let parent = Parent {
                actor_type: convert::required(parent_actor_type, "ParentActorType", "Customer")?.to_owned(),
                key: convert::required(parent_actor_erp_key, "ParentActorErpKey", "1001")?.to_owned(),
            };
            let parent = Some(std::borrow::Cow::Owned(parent));
            actors.reply(known_type(actor_type)?, field_keys, ActorOperation::SearchText { text, parent })
        }
        Request::GetActorsByTimestamp { updated_on_or_after, actor_type, field_keys } => {
            let stamp = updated_on_or_after.as_deref().filter(|stamp| !stamp.is_empty());
            actors.reply(known_type(actor_type)?, field_keys, ActorOperation::ChangedSince { stamp })
        }
        Request::CreateActor { actor } => {
            let actor = actor.as_ref().ok_or_else(|| {
                Outcome::error("Actor is missing from the request, expected the actor to create")
            })?;
            let mut actor = convert::actor(actor)?;
            check.create(&mut actor)?;
            reply.create(&actor, connection)
        }
        Request::SaveActors { actors: changed } => {
            let mut changed: Vec<_> =
                changed.iter().flatten().map(convert::actor).collect::<Result<_, Outcome<'static>>>()?;
            let is_together = connection.opened().saves_together;
            saves.begin(&changed, is_together, reply.actors());
            let refused = check.save(&mut changed)?;
            // The actors that are passed on, and their places among all.
            let numbered = changed.into_iter().enumerate();
            let (places, passed): (Vec<usize>, Vec<Actor>) =
                numbered.filter(|(number, _)| !refused.contains_key(number)).unzip();
            let is_refused = is_together && !refused.is_empty();
            refused.into_iter().for_each(|(number, refusal)| saves.refuse(number, refusal));
            let end = if is_refused || places.is_empty() {
                plugin_api::Outcome::ok()
            } else {
                connection.save(&passed, &mut |position, result| match places.get(position) {
                    Some(place) => saves.push(*place, result),
                    None => ControlFlow::Continue(()),
                })
            };
            // It has the reply already when the deadline has passed.
            saves.finish(end).unwrap_or_else(|| reply.actors().finish(&plugin_api::Outcome::ok()))
        }
        Request::GetList { list_name } => reply.list(connection.list(name_of_list(list_name)?)),
        Request::GetListItems { list_name, list_item_keys } => {
            let keys = convert::texts(list_item_keys.as_ref());
            reply.list(connection.list_items(name_of_list(list_name)?, &keys))
        }
        Request::GetConfigData
        | Request::TestConfigData { .. }
        | Request::SaveConnection { .. }
        | Request::DeleteConnection
        | Request::Authenticate { .. } => reply.misrouted(),
    })
}

fn type_of<'c>(actor_type: &'c Text<'_>) -> Result<&'c str, Outcome<'static>> {
    convert::required(actor_type, "ActorType", "Customer")
}

fn name_of_list<'c>(name: &'c Text<'_>) -> Result<&'c str, Outcome<'static>> {
    convert::required(name, "ListName", "CustomerCategory")
}

/// Replies to a call with the actors that a connection pushes.
struct Actors<'p> {
    call: &'p Call<'p>,
    connection: &'p ConnectionClient,
    spool: &'p PeerSpools,
}

impl Actors<'_> {
    fn reply<'a>(
        &self,
        actor_type: &'a str,
        fields: &'a Option<Texts<'_>>,
        operation: ActorOperation<'a>,
    ) -> WrittenReply {
        // Null means all fields, and an empty array none.
        let fields = fields.as_ref().map(|fields| convert::texts(Some(fields)).into());
        let mut reply = ActorsReplyWriter::new(&self.call.envelope, self.call.operation(), self.spool);
        let call = ActorCall { actor_type, fields, operation };
        let outcome = self.connection.actors(call, &mut |row| reply.push(row));
        reply.finish(&outcome)
    }
}

/// Builds the reply to a call.
struct ReplyBuilder<'c> {
    call: &'c Call<'c>,
    spool: &'c PeerSpools,
}

impl ReplyBuilder<'_> {
    fn actors(&self) -> ActorsReplyWriter {
        ActorsReplyWriter::new(&self.call.envelope, self.call.operation(), self.spool)
    }

    fn payload(&self, payload: Payload<'_>, rows: usize) -> WrittenReply {
        reply::payload(&self.call.envelope, self.call.operation(), &Outcome::ok(), payload, rows, self.spool)
    }

    fn outcome(&self, outcome: &plugin_api::Outcome) -> WrittenReply {
        reply::of_connector(&self.call.envelope, self.call.operation(), outcome)
    }

    fn failed(&self, outcome: &Outcome<'_>) -> WrittenReply {
        reply::outcome(&self.call.envelope, self.call.operation(), outcome)
    }

    fn misrouted(&self) -> WrittenReply {
        self.failed(&Outcome::error(format!("the host does not serve {} here", self.call.operation())))
    }

    fn fields(&self, fields: Result<Vec<Field>, plugin_api::Outcome>) -> WrittenReply {
        match fields {
            Ok(fields) => self.payload(Payload::Fields(Some(convert::fields(&fields))), fields.len()),
            Err(outcome) => self.outcome(&outcome),
        }
    }

    fn items(&self, items: Result<Vec<String>, plugin_api::Outcome>) -> WrittenReply {
        match items {
            Ok(items) => {
                let texts = items.iter().map(|item| Some(item.as_str().into())).collect();
                self.payload(Payload::Items(Some(texts)), items.len())
            }
            Err(outcome) => self.outcome(&outcome),
        }
    }

    /// A list that does not exist is null, not an error.
    fn list(&self, items: Result<Option<Vec<ListItem>>, plugin_api::Outcome>) -> WrittenReply {
        match items {
            Ok(items) => {
                let payload = items.as_deref().map(convert::list_items);
                self.payload(Payload::ListItems(payload), items.as_ref().map_or(0, Vec::len))
            }
            Err(outcome) => self.outcome(&outcome),
        }
    }

    fn create(&self, actor: &plugin_api::Actor, connection: &ConnectionClient) -> WrittenReply {
        let mut created = None;
        let call = ActorCall {
            actor_type: &actor.actor_type,
            fields: None,
            operation: ActorOperation::Create { actor: std::borrow::Cow::Borrowed(actor) },
        };
        let outcome = connection.actors(call, &mut |row| {
            created.get_or_insert_with(|| convert::actor_of(row));
            ControlFlow::Continue(())
        });
        match created {
            _ if !outcome.state.is_ok() => self.outcome(&outcome),
            Some(actor) => {
                let outcome = convert::outcome(&outcome);
                let payload = Payload::Actor(Some(actor));
                reply::payload(&self.call.envelope, self.call.operation(), &outcome, payload, 1, self.spool)
            }
            None => self.failed(
                &Outcome::error("the connector does not say which actor it created").with_tech_explanation(
                    "its method create returned without an error, and without pushing the actor",
                ),
            ),
        }
    }
}

impl From<Outcome<'static>> for Failed {
    fn from(outcome: Outcome<'static>) -> Self {
        Failed::Request(outcome)
    }
}

impl From<NotPassed> for Failed {
    fn from(not_passed: NotPassed) -> Self {
        Failed::Input(not_passed)
    }
}
