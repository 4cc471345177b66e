//! The subject that is checked: calls to it through its adapter, and what the rules so far found out about it.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use contract::{Guid, Operation, Request};
use plugin_api::{Actor, ActorType, Field, ListItem, Parent};

use crate::call_limits::{CallLimits, Ended};
use crate::clock::Clock;
use crate::erp_control::ErpControl;
use crate::in_process::Calls;
use crate::reply::Reply;
use crate::rule::Stop;
#[cfg(feature = "soap")]
use crate::soap::Soap;

/// A key and a name that nothing has.
pub(crate) const NOBODY: &str = "erp-host-verify-nobody";

/// Five letters by chance, which end where a number may follow.
fn token() -> String {
    // The standard library seeds each state with random numbers of the system.
    let mut random = RandomState::new().hash_one(());
    let letters = (0..5).map(|_| {
        let letter = b'a' + u8::try_from(random % 26).unwrap_or_default();
        random /= 26;
        char::from(letter)
    });
    letters.collect()
}

/// The way to the subject.
pub(crate) enum Adapter<'c> {
    InProcess(Box<dyn Calls + 'c>),
    #[cfg(feature = "soap")]
    Soap(Box<Soap>),
}

/// What may be written to.
#[derive(Debug, Clone)]
pub(crate) enum Writes {
    /// Nothing, and how to allow it.
    Nothing(&'static str),
    Everything,
    /// These actor types.
    Only(Vec<String>),
}

/// A service, or a connector in process. Rules are checked one after the other, and each may use what one before it found.
pub(crate) struct Subject<'c> {
    pub(crate) adapter: Adapter<'c>,
    /// Settings as they were given.
    pub(crate) given: Vec<(String, Option<String>)>,
    pub(crate) writes: Writes,
    /// The time of the calls.
    pub(crate) clock: Rc<Clock>,
    /// Actors to create instead of invented ones.
    pub(crate) examples: Vec<Actor>,
    /// Control of the ERP system, and how to give it.
    pub(crate) erp: Result<&'c dyn ErpControl, &'static str>,
    /// What happened while the ERP system was away, from the first rule of that.
    pub(crate) outage: OnceCell<Result<Outage, Stop>>,
    /// A stored connection, which is neither saved nor deleted.
    pub(crate) existing: Option<Guid>,
    /// The fields of the settings' form, from rule 401.
    pub(crate) form: OnceCell<Vec<Field>>,
    /// The reply to the test of the settings. They are tested once: see [`Subject::settings_fail`].
    pub(crate) tested: OnceCell<Result<Reply, Stop>>,
    /// The connection that everything is asked of, from rule 502.
    pub(crate) connection: OnceCell<Guid>,
    /// Connections that were saved and are still stored.
    pub(crate) saved: RefCell<Vec<Guid>>,
    /// Names of actor types, from rule 601.
    pub(crate) names: OnceCell<Vec<String>>,
    /// The same with the types of their parents, in process.
    pub(crate) actor_types: OnceCell<Vec<ActorType>>,
    /// Their fields, from rule 602.
    pub(crate) described: OnceCell<Vec<Described>>,
    /// Their actors, from rule 701.
    pub(crate) listed: OnceCell<Vec<Listed>>,
    /// Lists by name, from rule 901.
    pub(crate) lists: OnceCell<Vec<NamedList>>,
    /// What was created of each actor type, from rule 1101.
    pub(crate) created: RefCell<HashMap<String, Created>>,
    /// Part of the texts that are written, which no other run has.
    token: String,
    /// How many texts were written.
    texts: Cell<usize>,
    /// Rules that are broken so far.
    pub(crate) broken: RefCell<Vec<u16>>,
    /// What stays behind.
    pub(crate) left_behind: RefCell<Vec<String>>,
    /// How many actors of each type that are.
    pub(crate) created_count: RefCell<BTreeMap<String, usize>>,
}

/// A list's name and its items.
pub(crate) type NamedList = (String, Vec<ListItem>);

/// What was created of an actor type.
#[derive(Debug, Clone, Default)]
pub(crate) struct Created {
    /// The keys of actors that later rules may change.
    pub(crate) keys: Vec<String>,
    /// The parent that they need, if others of the type have none.
    pub(crate) parent: Option<Parent>,
    /// Why none can be created.
    pub(crate) refused: Option<String>,
}

/// What happened while the ERP system was away.
#[derive(Debug, Clone)]
pub(crate) struct Outage {
    /// Calls that read, with the keys that an answer must have.
    pub(crate) reads: Vec<(Operation, Vec<String>, Ended)>,
    /// How calls worked when the ERP system was back.
    pub(crate) back: Result<(), Stop>,
    /// Calls that change something.
    pub(crate) changes: Vec<Change>,
}

/// A call that changes something, and what came of it.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    /// Why the ERP system could not do it, such as `away`.
    pub(crate) erp_system: &'static str,
    pub(crate) operation: Operation,
    /// The actor as it was before; `None` when it was to be created.
    pub(crate) before: Option<Actor>,
    /// What was sent.
    pub(crate) sent: Actor,
    pub(crate) ended: Ended,
    /// What has come of it: the actor, or the new ones of its type.
    pub(crate) after: Vec<Actor>,
}

/// An actor type with its fields.
#[derive(Debug, Clone)]
pub(crate) struct Described {
    pub(crate) name: String,
    pub(crate) fields: Vec<Field>,
    /// The keys of the fields that can be searched, from rule 604.
    pub(crate) searchable: OnceCell<Vec<String>>,
}

/// An actor type with its actors.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    pub(crate) name: String,
    pub(crate) actors: Vec<Actor>,
}

impl Listed {
    /// The actors by their keys.
    pub(crate) fn by_key(&self) -> HashMap<&str, &Actor> {
        self.actors.iter().map(|actor| (actor.key.as_str(), actor)).collect()
    }
}

impl<'c> Subject<'c> {
    pub(crate) fn new(adapter: Adapter<'c>, given: Vec<(String, Option<String>)>, writes: Writes) -> Self {
        Subject {
            adapter,
            given,
            writes,
            clock: Rc::default(),
            examples: Vec::new(),
            erp: Err("the ERP system cannot be controlled"),
            outage: OnceCell::new(),
            existing: None,
            form: OnceCell::new(),
            tested: OnceCell::new(),
            connection: OnceCell::new(),
            saved: RefCell::default(),
            names: OnceCell::new(),
            actor_types: OnceCell::new(),
            described: OnceCell::new(),
            listed: OnceCell::new(),
            lists: OnceCell::new(),
            created: RefCell::default(),
            token: token(),
            texts: Cell::default(),
            broken: RefCell::default(),
            left_behind: RefCell::default(),
            created_count: RefCell::default(),
        }
    }

    /// The connector, if it is in this process: it is held to the promises of the plugin API, which are stricter than the
    /// contract.
    pub(crate) fn in_process(&self) -> Option<&(dyn Calls + 'c)> {
        match &self.adapter {
            Adapter::InProcess(calls) => Some(&**calls),
            #[cfg(feature = "soap")]
            Adapter::Soap(_) => None,
        }
    }

    pub(crate) fn is_in_process(&self) -> bool {
        self.in_process().is_some()
    }

    /// The service, for rules of services.
    #[cfg(feature = "soap")]
    pub(crate) fn soap(&self) -> Result<&Soap, Stop> {
        match &self.adapter {
            Adapter::InProcess(_) => Err(Stop::skip("it is a rule for services")),
            Adapter::Soap(soap) => Ok(soap),
        }
    }

    /// The connection.
    pub(crate) fn guid(&self) -> Result<Guid, Stop> {
        self.connection.get().copied().ok_or_else(|| Stop::after(502))
    }

    pub(crate) fn names(&self) -> Result<&[String], Stop> {
        self.names.get().map(Vec::as_slice).ok_or_else(|| Stop::after(601))
    }

    pub(crate) fn described(&self) -> Result<&[Described], Stop> {
        self.described.get().map(Vec::as_slice).ok_or_else(|| Stop::after(602))
    }

    pub(crate) fn listed(&self) -> Result<&[Listed], Stop> {
        self.listed.get().map(Vec::as_slice).ok_or_else(|| Stop::after(701))
    }

    /// The fields of an actor type.
    pub(crate) fn fields(&self, name: &str) -> &[Field] {
        let found = self.described.get().and_then(|all| all.iter().find(|one| one.name == name));
        found.map_or(&[], |one| &one.fields)
    }

    /// The types of the parents that actors of a type need, as the connector declares them; none over SOAP.
    pub(crate) fn parent_types(&self, name: &str) -> &[String] {
        let found = self.actor_types.get().and_then(|all| all.iter().find(|one| one.name == name));
        found.map_or(&[], |one| &one.parents)
    }

    /// An actor was created, and stays.
    pub(crate) fn leaves(&self, actor_type: &str, key: &str) {
        self.left_behind.borrow_mut().push(format!("{actor_type} {key:?}"));
        *self.created_count.borrow_mut().entry(actor_type.to_owned()).or_insert(0) += 1;
    }

    /// Whether the test of the settings failed. Then nothing more is tried with them: an ERP system may lock a user out after
    /// a few wrong passwords.
    pub(crate) fn settings_fail(&self) -> bool {
        match self.tested.get() {
            Some(Ok(reply)) => reply.is_error(),
            Some(Err(stop)) => matches!(stop, Stop::Failed(_)),
            None => false,
        }
    }

    /// Something to write in a text, which is in no other one: fields may have to be unique.
    pub(crate) fn unique(&self) -> String {
        self.texts.set(self.texts.get() + 1);
        format!("{}{}", self.token, self.texts.get())
    }

    /// Goes on only if these rules are not broken.
    pub(crate) fn needs(&self, rules: &[u16]) -> Result<(), Stop> {
        let broken = self.broken.borrow();
        rules.iter().find(|rule| broken.contains(rule)).map_or(Ok(()), |rule| Err(Stop::after(*rule)))
    }

    /// A call that must be answered by a reply of whatever state.
    pub(crate) async fn call(&self, guid: Guid, request: Request<'_>) -> Result<Reply, Stop> {
        match &self.adapter {
            Adapter::InProcess(calls) => self.timed(&request, || calls.call(guid, &request)),
            #[cfg(feature = "soap")]
            Adapter::Soap(soap) => {
                let guid = guid.to_string();
                // The operations of the settings' form are for no connection.
                let is_for_none = matches!(request, Request::GetConfigData | Request::TestConfigData { .. });
                let guid = Some(guid.as_str()).filter(|_| !is_for_none);
                soap.exchange(request.operation(), soap.request(guid, request)).await
            }
        }
    }

    /// A call in this process, which cannot be ended from outside.
    fn timed<T>(&self, request: &Request<'_>, call: impl FnOnce() -> Result<T, Stop>) -> Result<T, Stop> {
        let operation = request.operation();
        self.clock.left(operation)?;
        self.clock.count(1);
        let started = Instant::now();
        let reply = call();
        self.clock.measured(operation, started.elapsed());
        self.clock.left(operation)?;
        reply
    }

    /// A call without a connection that must be answered by a reply of whatever state.
    pub(crate) async fn setup(&self, request: Request<'_>) -> Result<Reply, Stop> {
        self.call(Guid::ZERO, request).await
    }

    /// A call of the connection that must be answered by a reply of whatever state.
    pub(crate) async fn ask(&self, request: Request<'_>) -> Result<Reply, Stop> {
        self.call(self.guid()?, request).await
    }

    /// A call of the connection that must succeed.
    pub(crate) async fn ok(&self, request: Request<'_>) -> Result<Reply, Stop> {
        self.ok_of(self.guid()?, request).await
    }

    /// A call of any connection that must succeed.
    pub(crate) async fn ok_of(&self, guid: Guid, request: Request<'_>) -> Result<Reply, Stop> {
        let operation = request.operation();
        let reply = self.call(guid, request).await?;
        self.must_succeed(operation, reply)
    }

    /// The reply of a call that must succeed.
    pub(crate) fn must_succeed(&self, operation: Operation, reply: Reply) -> Result<Reply, Stop> {
        if !reply.is_error() {
            return Ok(reply);
        }
        let text = format!("{operation} fails: {}; expected it to succeed", reply.explanation());
        Err(Stop::failed(text, &reply.shown_by))
    }

    /// Calls of the connection at the same time, within limits.
    pub(crate) async fn within(
        &self,
        requests: Vec<Request<'static>>,
        limits: CallLimits,
    ) -> Result<Vec<Ended>, Stop> {
        let guid = self.guid()?;
        match &self.adapter {
            Adapter::InProcess(calls) => {
                self.clock.count(requests.len());
                calls.within(guid, requests, limits)
            }
            #[cfg(feature = "soap")]
            Adapter::Soap(soap) => Ok(soap.within(&guid.to_string(), &requests, limits.wait).await),
        }
    }

    /// Waits.
    pub(crate) async fn pause(&self, time: Duration) {
        match &self.adapter {
            Adapter::InProcess(_) => thread::sleep(time),
            #[cfg(feature = "soap")]
            Adapter::Soap(_) => tokio::time::sleep(time).await,
        }
    }

    /// Calls of the connection at the same time. The replies come in the order of the requests.
    pub(crate) async fn at_once(&self, requests: &[Request<'_>]) -> Result<Vec<Result<Reply, Stop>>, Stop> {
        let guid = self.guid()?;
        Ok(match &self.adapter {
            Adapter::InProcess(calls) => {
                self.clock.count(requests.len().saturating_sub(1));
                let Some(first) = requests.first() else { return Ok(Vec::new()) };
                self.timed(first, || Ok(calls.at_once(guid, requests)))?
            }
            #[cfg(feature = "soap")]
            Adapter::Soap(soap) => soap.at_once(&guid.to_string(), requests).await,
        })
    }
}
