//! The adapter for a connector in this process: requests become calls of the plugin API's traits, as in a host.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Instant;

use contract::{Dictionary, Guid, Request, Text, Texts};
use erp_host_input_check::{Descriptions, InputCheck, NotPassed, Source};
use plugin_api::abi::{CallWatch, MessageRef, RowSink};
use plugin_api::{
    Actor, ActorType, Connection, Connector, Context, Error, ErrorKind, Field, ListItem, MemoryState,
    Outcome, Parent, Restriction, Result, Rows, Settings,
};

use crate::call_limits::{CallLimits, Ended};
use crate::reply::{self, Evidence, Payload, Reply, owned};
use crate::rule::Stop;
use crate::testing::{self, Saved, collect_in};

/// A connector in this process, with the connections that were opened.
pub(crate) struct InProcess<'c, C: Connector> {
    connector: &'c C,
    connections: RefCell<Vec<Opened<C::Connection>>>,
}

/// An open connection, with the settings that it is opened with again.
struct Opened<C> {
    guid: Guid,
    settings: Settings,
    live: Live<C>,
}

/// A connection with what it has described.
struct Live<C> {
    connection: Arc<C>,
    descriptions: Arc<Descriptions>,
    /// Its state, which a host would store.
    state: MemoryState,
}

impl<C> Clone for Live<C> {
    fn clone(&self) -> Self {
        Live {
            connection: Arc::clone(&self.connection),
            descriptions: Arc::clone(&self.descriptions),
            state: self.state.clone(),
        }
    }
}

impl<C: Connection> Live<C> {
    fn new(cx: &Context, connection: C, state: &MemoryState) -> Self {
        let descriptions = Arc::new(Descriptions::new(connection.description_lifetime(cx)));
        Live { connection: Arc::new(connection), descriptions, state: state.clone() }
    }

    /// Closes it, unless a call that was not waited for still runs in it.
    fn close(self, cx: &Context) -> Result<()> {
        Arc::into_inner(self.connection).map_or(Ok(()), |connection| connection.close(cx))
    }
}

/// The descriptions of a connection, for the check of what is sent.
struct Described<'c, C>(&'c C, &'c Context);

impl<C: Connection> Source for Described<'_, C> {
    fn actor_types(&self) -> Result<Vec<ActorType>, Outcome> {
        self.0.actor_types(self.1).map_err(|error| error.to_outcome())
    }

    fn fields(&self, actor_type: &str) -> Result<Vec<Field>, Outcome> {
        self.0.fields(self.1, actor_type).map_err(|error| error.to_outcome())
    }

    fn list(&self, name: &str) -> Result<Option<Vec<ListItem>>, Outcome> {
        self.0.list(self.1, name).map_err(|error| error.to_outcome())
    }

    fn get(&self, actor_type: &str, keys: &[&str], fields: &[&str]) -> Result<Vec<Actor>, Outcome> {
        let Described(connection, cx) = self;
        let read =
            collect_in(cx, actor_type, Some(fields), |rows| connection.get(cx, actor_type, keys, rows));
        read.map_err(|error| error.to_outcome())
    }
}

/// The calls to a connector, whatever its type.
pub(crate) trait Calls {
    /// Makes a call. A panic of the connector fails the rule that is checked.
    fn call(&self, guid: Guid, request: &Request<'_>) -> Result<Reply, Stop>;

    /// Makes calls of a connection at the same time, each in a thread of its own.
    fn at_once(&self, guid: Guid, requests: &[Request<'_>]) -> Vec<Result<Reply, Stop>>;

    /// Makes calls of a connection at the same time, and waits no longer than the limits have it: a call that has not ended
    /// then is left to its thread.
    fn within(
        &self,
        guid: Guid,
        requests: Vec<Request<'static>>,
        limits: CallLimits,
    ) -> Result<Vec<Ended>, Stop>;

    /// Searches for all actors of a type while no rows are wanted.
    fn refuse_rows(&self, guid: Guid, actor_type: &str) -> Result<RefusedRows, Stop>;

    /// The actor types of a connection, with those of their parents.
    fn actor_types(&self, guid: Guid) -> Result<Vec<ActorType>, Stop>;

    /// The actor types that the connector declares; none when it leaves that open.
    fn declared_actor_types(&self) -> &'static [&'static str];
}

/// How a search ended that could not hand over its rows.
pub(crate) struct RefusedRows {
    /// How often it tried.
    pub(crate) batches: usize,
    /// Whether it reported an error.
    pub(crate) failed: bool,
}

impl<'c, C: Connector> InProcess<'c, C> {
    pub(crate) fn new(connector: &'c C) -> Self {
        InProcess { connector, connections: RefCell::default() }
    }

    /// A connection.
    fn opened(&self, guid: Guid) -> Result<Live<C::Connection>, Stop> {
        let connections = self.connections.borrow();
        let known = connections.iter().find(|known| known.guid == guid);
        let known = known.ok_or_else(|| Stop::skip("the connection is not open"))?;
        Ok(known.live.clone())
    }

    /// A call of a connection. As in a host the connection is opened again where an error asks for it, and a call that only
    /// reads is repeated then, once.
    fn of_connection(&self, guid: Guid, request: &Request<'_>) -> Result<Reply, Stop> {
        let call = || answer::<C>(&self.opened(guid)?, with, request);
        let first = call()?;
        if !asks_to_reopen(&first) {
            return Ok(first);
        }
        let opened = self.reopen(guid)?;
        match request {
            _ if opened.is_error() => Ok(opened),
            Request::CreateActor { .. } | Request::SaveActors { .. } => Ok(first),
            _ => call(),
        }
    }

    /// Opens a connection again with its settings. The old one stays if that fails.
    fn reopen(&self, guid: Guid) -> Result<Reply, Stop> {
        let settings =
            self.connections.borrow().iter().find(|known| known.guid == guid).map(|it| it.settings.clone());
        let settings = settings.ok_or_else(|| Stop::skip("the connection is not open"))?;
        let state = self.opened(guid)?.state;
        reply_in(&with(&state), |cx| {
            let live = Live::new(cx, self.connector.connect(cx, &settings)?, &state);
            let mut connections = self.connections.borrow_mut();
            let known = connections.iter_mut().find(|known| known.guid == guid);
            let closed = known.map(|known| std::mem::replace(&mut known.live, live));
            closed.map_or(Ok(()), |closed| closed.close(cx))?;
            Ok(Payload::None)
        })
    }
}

fn asks_to_reopen(reply: &Reply) -> bool {
    reply.is_error() && reply.outcome.kind == ErrorKind::Reopen
}

impl<C: Connector> Calls for InProcess<'_, C> {
    fn call(&self, guid: Guid, request: &Request<'_>) -> Result<Reply, Stop> {
        let connector = self.connector;
        let settings =
            |info: &Option<Dictionary<'_>>| -> Settings { info.iter().flat_map(Dictionary::iter).collect() };
        match request {
            Request::GetConfigData => reply(|cx| Ok(Payload::Fields(Some(connector.settings(cx)?)))),
            Request::TestConfigData { connection_info } => {
                reply(|cx| connector.test(cx, &settings(connection_info)).map(|()| Payload::None))
            }
            Request::SaveConnection { connection_info } => {
                let state = self.opened(guid).map_or_else(|_| MemoryState::default(), |live| live.state);
                reply_in(&with(&state), |cx| {
                    let settings = settings(connection_info);
                    let live = Live::new(cx, connector.connect(cx, &settings)?, &state);
                    self.connections.borrow_mut().push(Opened { guid, settings, live });
                    Ok(Payload::None)
                })
            }
            Request::DeleteConnection => {
                let mut connections = self.connections.borrow_mut();
                let at = connections.iter().position(|known| known.guid == guid);
                let Some(Opened { live, .. }) = at.map(|at| connections.swap_remove(at)) else {
                    return reply(|_| Ok(Payload::None));
                };
                reply_in(&with(&live.state.clone()), |cx| live.close(cx).map(|()| Payload::None))
            }
            Request::GetList { list_name } if guid == Guid::ZERO => {
                reply(|cx| Ok(Payload::List(connector.list(cx, &owned(list_name))?)))
            }
            _ => self.of_connection(guid, request),
        }
    }

    fn at_once(&self, guid: Guid, requests: &[Request<'_>]) -> Vec<Result<Reply, Stop>> {
        let live = match self.opened(guid) {
            Ok(live) => live,
            Err(stop) => return vec![Err(stop)],
        };
        thread::scope(|scope| {
            let live = &live;
            let one = |request| scope.spawn(move || answer::<C>(live, with, request));
            let threads: Vec<_> = requests.iter().map(one).collect();
            let ended = threads.into_iter().map(thread::ScopedJoinHandle::join);
            ended.map(|ended| ended.unwrap_or_else(|panic| Err(panicked(&*panic)))).collect()
        })
    }

    fn within(
        &self,
        guid: Guid,
        requests: Vec<Request<'static>>,
        limits: CallLimits,
    ) -> Result<Vec<Ended>, Stop> {
        let live = self.opened(guid)?;
        let started = Instant::now();
        let call = CallWatch::new(limits.deadline.and_then(|deadline| started.checked_add(deadline)));
        if limits.cancelled_after.is_some_and(|after| after.is_zero()) {
            call.cancel();
        }
        let (send, replies) = mpsc::channel();
        let mut ended: Vec<Ended> = requests.iter().map(|_| Ended::none(limits.wait)).collect();
        let mut open = requests.len();
        for (at, request) in requests.into_iter().enumerate() {
            let (live, call, send) = (live.clone(), call.clone(), send.clone());
            thread::spawn(move || {
                let reply =
                    call.call(|cx| answer::<C>(&live, |state| cx.clone().with_state(state), &request));
                // Nobody waits for it any more if it is late.
                let _ = send.send((at, Ended { took: started.elapsed(), reply: Some(reply) }));
            });
        }
        for until in [limits.cancelled_after, Some(limits.wait)].into_iter().flatten() {
            while open > 0
                && let Ok((at, one)) = replies.recv_timeout(until.saturating_sub(started.elapsed()))
            {
                ended[at] = one;
                open -= 1;
            }
            if Some(until) == limits.cancelled_after {
                call.cancel();
            }
        }
        let wants_reopening = |one: &Ended| matches!(&one.reply, Some(Ok(reply)) if asks_to_reopen(reply));
        if ended.iter().any(wants_reopening) {
            let opened = self.reopen(guid)?;
            if opened.is_error() {
                for one in ended.iter_mut().filter(|one| wants_reopening(one)) {
                    one.reply = Some(Ok(opened.clone()));
                }
            }
        }
        Ok(ended)
    }

    fn refuse_rows(&self, guid: Guid, actor_type: &str) -> Result<RefusedRows, Stop> {
        let Live { connection, state, .. } = self.opened(guid)?;
        let mut refusing = Refusing(0);
        let cx = with(&state);
        let search =
            || connection.search(&cx, actor_type, &[], &mut Rows::new(actor_type, None, &mut refusing));
        let failed = guarded(search)?.is_err();
        Ok(RefusedRows { batches: refusing.0, failed })
    }

    fn actor_types(&self, guid: Guid) -> Result<Vec<ActorType>, Stop> {
        let live = self.opened(guid)?;
        let called = guarded(|| live.connection.actor_types(&with(&live.state)))?;
        called.map_err(|error| Stop::skip(error.user_text()))
    }

    fn declared_actor_types(&self) -> &'static [&'static str] {
        C::ACTOR_TYPES
    }
}

/// The reply to a call of a connection, in the context that its state is in.
fn answer<C: Connector>(
    live: &Live<C::Connection>,
    context: impl FnOnce(&MemoryState) -> Context,
    request: &Request<'_>,
) -> Result<Reply, Stop> {
    let cx = context(&live.state);
    match request {
        Request::SaveActors { actors: Some(changed) } if !changed.is_empty() => {
            let mut changes: Vec<Actor> = changed.iter().map(reply::actor).collect();
            let connection = &*live.connection;
            let described = Described(connection, &cx);
            let check = InputCheck::new(C::INPUT, &live.descriptions, &described);
            let saved = match guarded(|| check.save(&mut changes))? {
                Ok(refused) => guarded(|| testing::save_checked(&cx, connection, &changes, &refused))?,
                Err(why) => return reply_in(&cx, |_| Err(not_passed(why))),
            };
            let Saved { actors, outcome, not_saved: _ } = saved;
            Ok(Reply { outcome, payload: Payload::Actors(actors), shown_by: Evidence::default() })
        }
        _ => reply_in(&cx, |cx| perform::<C>(live, cx, request)),
    }
}

/// Calls the method of a connection that an operation is for, if what is sent fits what the connection has described: as in a
/// host.
fn perform<C: Connector>(live: &Live<C::Connection>, cx: &Context, request: &Request<'_>) -> Result<Payload> {
    let connection = &*live.connection;
    let described = Described(connection, cx);
    let check = InputCheck::new(C::INPUT, &live.descriptions, &described);
    let known_type = |actor_type: &Text<'_>| -> Result<String> {
        let actor_type = owned(actor_type);
        check.actor_type(&actor_type).map_err(not_passed)?;
        Ok(actor_type)
    };
    Ok(match request {
        Request::TestConnection => connection.test(cx).map(|()| Payload::None)?,
        Request::GetSupportedActorTypes => {
            let types = connection.actor_types(cx)?;
            Payload::Texts(types.into_iter().map(|actor_type| actor_type.name).collect())
        }
        Request::GetSupportedActorTypeFields { actor_type } => {
            Payload::Fields(Some(connection.fields(cx, &known_type(actor_type)?)?))
        }
        Request::GetSearchableFields { actor_type } => {
            Payload::Texts(connection.searchable_fields(cx, &known_type(actor_type)?)?)
        }
        Request::GetActors { actor_type, erp_keys, field_keys } => {
            let (name, keys) = (known_type(actor_type)?, strs(erp_keys.as_ref()));
            actors(cx, &name, field_keys, |rows| connection.get(cx, &name, &keys, rows))?
        }
        Request::SearchActorsAdvanced { actor_type, restrictions, field_keys } => {
            let name = owned(actor_type);
            let restrictions = restrictions.iter().flatten().map(restriction);
            let mut restrictions = restrictions.collect::<Result<Vec<_>>>()?;
            check.search(&name, &mut restrictions).map_err(not_passed)?;
            actors(cx, &name, field_keys, |rows| connection.search(cx, &name, &restrictions, rows))?
        }
        Request::SearchActors { actor_type, search_text, field_keys } => {
            let (name, text) = (known_type(actor_type)?, owned(search_text));
            actors(cx, &name, field_keys, |rows| connection.search_text(cx, &name, &text, None, rows))?
        }
        Request::SearchActorByParent {
            actor_type,
            search_text,
            parent_actor_type,
            parent_actor_erp_key,
            field_keys,
        } => {
            let (name, text) = (known_type(actor_type)?, owned(search_text));
            let parent = Parent::new(owned(parent_actor_type), owned(parent_actor_erp_key));
            actors(cx, &name, field_keys, |rows| {
                connection.search_text(cx, &name, &text, Some(&parent), rows)
            })?
        }
        Request::GetActorsByTimestamp { updated_on_or_after, actor_type, field_keys } => {
            let name = known_type(actor_type)?;
            let stamp = updated_on_or_after.as_deref().filter(|stamp| !stamp.is_empty());
            actors(cx, &name, field_keys, |rows| connection.changed_since(cx, &name, stamp, rows))?
        }
        Request::CreateActor { actor: Some(actor) } => {
            let mut new = reply::actor(actor);
            check.create(&mut new).map_err(not_passed)?;
            actors(cx, &new.actor_type, &None, |rows| connection.create(cx, &new, rows))?
        }
        Request::GetList { list_name } => Payload::List(connection.list(cx, &owned(list_name))?),
        Request::GetListItems { list_name, list_item_keys } => {
            Payload::List(connection.list_items(cx, &owned(list_name), &strs(list_item_keys.as_ref()))?)
        }
        other => return Err(Error::user(format!("{} does not reach a connector so", other.operation()))),
    })
}

/// The context of a call of a connection with this state.
fn with(state: &MemoryState) -> Context {
    Context::default().with_state(state)
}

/// The error of a call that is not passed on to the connector.
fn not_passed(why: NotPassed) -> Error {
    let outcome = match why {
        NotPassed::Refused(refusal) => return refusal.to_error(),
        NotPassed::NotDescribed(outcome) => outcome,
    };
    let mut error = Error::new(outcome.kind, outcome.user.unwrap_or_default());
    if let Some(tech) = outcome.tech {
        error = error.tech(tech);
    }
    match outcome.code {
        Some(code) => error.code(code),
        None => error,
    }
}

/// The reply to a call. An error of the connector is one too.
fn reply(call: impl FnOnce(&Context) -> Result<Payload>) -> Result<Reply, Stop> {
    reply_in(&Context::default(), call)
}

/// As [`reply`], in a context.
fn reply_in(cx: &Context, call: impl FnOnce(&Context) -> Result<Payload>) -> Result<Reply, Stop> {
    let (outcome, payload) = match guarded(|| call(cx))? {
        Ok(payload) => (cx.outcome(), payload),
        Err(error) => (error.to_outcome(), Payload::None),
    };
    Ok(Reply { outcome, payload, shown_by: Evidence::default() })
}

/// Makes a call whose panic fails the rule.
fn guarded<T>(call: impl FnOnce() -> T) -> Result<T, Stop> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| panicked(&*panic))
}

fn panicked(panic: &(dyn Any + Send)) -> Stop {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Stop::failed(
        format!("the connector panicked: {}", text.unwrap_or("without a message")),
        Evidence::default(),
    )
}

fn actors(
    cx: &Context,
    actor_type: &str,
    field_keys: &Option<Texts<'_>>,
    method: impl FnOnce(&mut Rows<'_>) -> Result<()>,
) -> Result<Payload> {
    let selection = field_keys.as_ref().map(|keys| strs(Some(keys)));
    Ok(Payload::Actors(collect_in(cx, actor_type, selection.as_deref(), method)?))
}

/// The texts of an array that are not null.
fn strs<'t>(texts: Option<&'t Texts<'_>>) -> Vec<&'t str> {
    texts.into_iter().flatten().filter_map(|text| text.as_deref()).collect()
}

/// A restriction; fails on an operator that does not exist.
fn restriction(restriction: &contract::Restriction<'_>) -> Result<Restriction> {
    let field = owned(&restriction.field_key);
    if field.is_empty() {
        return Err(Error::user("FieldKey of a restriction is missing"));
    }
    let operator = restriction.operator.as_deref().unwrap_or_default().parse()?;
    let values = restriction.effective_values().iter().map(owned);
    Ok(Restriction::new(field, operator, values))
}

/// Takes no rows at all; counts the batches that were tried.
struct Refusing(usize);

impl RowSink for Refusing {
    fn push(&mut self, _batch: MessageRef<'_>) -> Result<()> {
        self.0 += 1;
        Err(Error::user("no more rows are wanted"))
    }
}
