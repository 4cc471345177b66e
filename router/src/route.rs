//! Routing: finds the connection and the connector of a call, and applies the rules of connections (saved before used, owned
//! by one connector).

use std::sync::Arc;

use contract::{Call, Operation, Outcome, Request, State};
use plugin_api::{Access, ErrorKind, Field, FieldType, Settings};
use tokio::time::{Instant, timeout_at};
use tracing::{Instrument, Span, field};
use values::Guid;

use super::caller_presence::CallerPresence;
use super::connector::{CallError, Connector, LiveConnection, Place};
use super::connectors::Connectors;
use super::early_outcome::{self, EarlyOutcome, NotOpened};
use super::read::OwnedCall;
use super::reply::{self, WrittenReply};
use super::save_reply::SaveReply;
use super::share::Share;
use super::{Router, convert, other_settings, perform};
use crate::caller::Caller;
use crate::rejection::{self, Cause};
use erp_host_auth::{Authenticated, SignedApplicationToken};
use erp_host_runtime::LogContext;
use erp_host_store::audit::Origin;
use erp_host_store::{OpenConnection, StoreError, StoredConnection};

/// A call and what is found out about it on its way: its connection, its connector, its deadline.
pub(super) struct CallContext<'c> {
    pub(super) owned_call: &'c Arc<OwnedCall>,
    pub(super) caller: &'c Caller,
    /// Whether the caller still waits.
    pub(super) presence: &'c CallerPresence,
    /// The connector that the address names.
    pub(super) addressed_connector: Option<&'c str>,
    /// Whether the connection of the call is stored, and belongs to the connector of the address.
    pub(super) is_connection_stored: bool,
    /// When the request was received: deadlines count from here.
    pub(super) received: Instant,
    pub(super) log_context: LogContext,
}

impl<'c> CallContext<'c> {
    fn call(&self) -> &'c Call<'c> {
        self.owned_call.call()
    }

    /// Whether the call changes actors.
    fn is_change(&self) -> bool {
        matches!(self.call().request, Request::CreateActor { .. } | Request::SaveActors { .. })
    }

    /// The connection that the call names.
    fn guid(&mut self) -> Result<Guid, EarlyOutcome> {
        let guid = early_outcome::parse_guid(self.call())?;
        Span::current().record("connection", field::display(guid));
        self.log_context.connection = Some(guid);
        Ok(guid)
    }

    /// Records that the call goes to this connector, and returns its deadline there.
    fn assign(&mut self, connector: &Connector) -> Instant {
        self.record_connector(connector.name());
        self.received + connector.deadline()
    }

    /// Adds the connector to the log context.
    fn record_connector(&mut self, connector: &Arc<str>) {
        if self.log_context.connector.is_none() {
            Span::current().record("connector", &**connector);
            self.log_context.connector = Some(Arc::clone(connector));
        }
    }

    /// A connection belongs to one connector: fails if the address names another one.
    fn check_owner(&mut self, guid: Guid, owner: &Arc<str>) -> Result<(), EarlyOutcome> {
        self.record_connector(owner);
        match self.addressed_connector {
            Some(addressed) if !addressed.eq_ignore_ascii_case(owner) => {
                Err(early_outcome::other_connector(guid, owner, addressed))
            }
            _ => {
                self.is_connection_stored = true;
                Ok(())
            }
        }
    }
}

impl Router {
    /// Routes a call and carries it out. The futures of rare operations are boxed, which keeps the future of all others small.
    pub(super) async fn route(&self, context: &mut CallContext<'_>) -> Result<WrittenReply, EarlyOutcome> {
        let call = context.call();
        let (envelope, request) = (&call.envelope, &call.request);
        match request {
            Request::Authenticate { signed_token } => {
                let token = signed_token.as_ref().map_or("", |token| &token.0);
                let answer = Box::pin(self.authenticate(token, context)).await;
                Ok(reply::authentication(envelope, answer.as_ref().map(|answer| answer.0.as_str())))
            }
            Request::GetConfigData => self.in_setup(Share::SettingsForm, context).await,
            Request::TestConfigData { connection_info } => {
                let settings = convert::settings(connection_info.as_ref());
                self.test_settings(&settings, context).await
            }
            // A list of the settings form: the connection does not exist yet.
            Request::GetList { .. } if early_outcome::parse_guid(call).is_ok_and(Guid::is_zero) => {
                self.in_setup(Share::SettingsForm, context).await
            }
            Request::SaveConnection { connection_info } => {
                let guid = context.guid()?;
                let settings = convert::settings(connection_info.as_ref());
                let span = context.log_context.span();
                let outcome = Box::pin(self.save(guid, &settings, context).instrument(span)).await?;
                Ok(reply::outcome(envelope, Operation::SaveConnection, &outcome))
            }
            Request::DeleteConnection => {
                let guid = context.guid()?;
                let span = context.log_context.span();
                Box::pin(self.delete(guid, context).instrument(span)).await?;
                Ok(reply::outcome(envelope, Operation::DeleteConnection, &Outcome::ok()))
            }
            _ => {
                let guid = context.guid()?;
                self.in_connection(guid, context).await
            }
        }
    }

    /// Authenticate: for a connector, without a call of it.
    async fn authenticate(
        &self,
        token: &str,
        context: &mut CallContext<'_>,
    ) -> Option<SignedApplicationToken> {
        let caller = context.caller;
        let Ok(connector) = self.connectors.find(context.addressed_connector, context.caller) else {
            let name = context.addressed_connector.unwrap_or_default();
            let why = format_args!("the address names no connector that is here: {name:?}");
            rejection::log(Cause::NotAuthenticated, caller, why);
            return None;
        };
        context.record_connector(connector.name());
        match self.online.authenticate(token, connector.name()).await {
            Ok(Authenticated { client, context, answer }) => {
                tracing::info!(%caller, client, context, connector = %connector.name(), "authenticated");
                Some(answer)
            }
            Err(denied) => {
                rejection::log(Cause::NotAuthenticated, caller, denied);
                None
            }
        }
    }

    /// WSTestConnection: settings that a caller sends.
    async fn test_settings(
        &self,
        settings: &Settings,
        context: &mut CallContext<'_>,
    ) -> Result<WrittenReply, EarlyOutcome> {
        let connector = self.connectors.find(context.addressed_connector, context.caller)?;
        let tests = &connector.failed_tests;
        let settings = tests.hash(settings);
        if let Some((outcome, left)) = tests.held_back(settings) {
            context.record_connector(connector.name());
            return Err(early_outcome::test_held_back(&outcome, left));
        }
        let (connector, replied) = self.try_in_setup(Share::Tests, context).await?;
        replied.inspect(|reply| tests.add(settings, reply.error.as_ref(), reply.kind)).map_err(|why| {
            // It may have got as far as the ERP system, and count there.
            let was_tried = matches!(why, CallError::DeadlineExceeded(_) | CallError::Panicked);
            let outcome = early_outcome::no_result(why, &connector);
            if let (true, EarlyOutcome::Reply(error, kind)) = (was_tried, &outcome) {
                tests.add(settings, Some(error), *kind);
            }
            outcome
        })
    }

    /// Carries out an operation without a connection.
    async fn in_setup(
        &self,
        share: Share,
        context: &mut CallContext<'_>,
    ) -> Result<WrittenReply, EarlyOutcome> {
        let (connector, replied) = self.try_in_setup(share, context).await?;
        replied.map_err(|why| early_outcome::no_result(why, &connector))
    }

    /// As [`in_setup`](Self::in_setup), with the reason if the connector gave no result.
    async fn try_in_setup(
        &self,
        share: Share,
        context: &mut CallContext<'_>,
    ) -> Result<(Arc<Connector>, Result<WrittenReply, CallError>), EarlyOutcome> {
        let connector = self.connectors.find(context.addressed_connector, context.caller)?;
        let deadline = context.assign(&connector);
        let (call, worker) = (Arc::clone(context.owned_call), Arc::clone(&connector));
        let spool = self.spool.of_peer(context.caller.network());
        let operation = call.call().operation();
        if operation == Operation::GetConfigData && connector.known_settings_form().is_some() {
            return Ok((connector, Ok(perform::in_setup(call.call(), &worker, &spool))));
        }
        let work = move || perform::in_setup(call.call(), &worker, &spool);
        let place = Place { share, deadline, presence: context.presence };
        let replied = connector.call(place, context.log_context.clone(), Some(operation), work).await;
        Ok((connector, replied))
    }

    /// Carries out an operation of a connection; opens the connection if it is not open. If the connection has to be opened again,
    /// a call that only reads is repeated, once.
    async fn in_connection(
        &self,
        guid: Guid,
        context: &mut CallContext<'_>,
    ) -> Result<WrittenReply, EarlyOutcome> {
        let is_change = context.is_change();
        let mut may_repeat = !is_change;
        loop {
            let open = self.open_connection(guid, context).await?;
            let reply = self.in_open_connection(&open, context).await?;
            match (reply.kind, &reply.error) {
                (Some(ErrorKind::Reopen), _) if may_repeat => {
                    tracing::info!(connection = %guid, "closed: it has to be opened again");
                    self.connections.close(&open);
                    may_repeat = false;
                    continue;
                }
                (Some(ErrorKind::Reopen), _) if is_change => {
                    self.connections.close(&open);
                }
                // Opened again just now, or with the same settings, it would fail in the same way.
                (Some(kind @ (ErrorKind::Reopen | ErrorKind::Settings)), Some(outcome)) => {
                    self.connections.fail(&open, NotOpened::call_failed(outcome.clone(), kind));
                }
                _ => {}
            }
            return Ok(reply);
        }
    }

    /// The connection; opens it if it is not open.
    async fn open_connection(
        &self,
        guid: Guid,
        context: &mut CallContext<'_>,
    ) -> Result<Arc<OpenConnection<LiveConnection>>, EarlyOutcome> {
        match self.connections.get(guid) {
            Some(open) => {
                context.check_owner(guid, open.connection().connector.name())?;
                Ok(open)
            }
            None => {
                let span = context.log_context.span();
                Box::pin(self.open(guid, context).instrument(span)).await
            }
        }
    }

    /// Carries out an operation of an open connection.
    async fn in_open_connection(
        &self,
        open: &Arc<OpenConnection<LiveConnection>>,
        context: &mut CallContext<'_>,
    ) -> Result<WrittenReply, EarlyOutcome> {
        let connector = Arc::clone(&open.connection().connector);
        let deadline = context.assign(&connector);
        let (call, spool) = (Arc::clone(context.owned_call), self.spool.of_peer(context.caller.network()));
        let (operation, share) = (Some(call.call().operation()), Share::Connection(open.guid()));
        let open = Arc::clone(open);
        let is_change = context.is_change();
        let saves = Arc::new(SaveReply::default());
        let results = Arc::clone(&saves);
        let work = move || perform::in_connection(call.call(), open.connection(), &results, &spool);
        let place = Place { share, deadline, presence: context.presence };
        match connector.call(place, context.log_context.clone(), operation, work).await {
            Ok(reply) => Ok(reply),
            Err(why) => {
                let is_late = matches!(why, CallError::DeadlineExceeded(_));
                let early = early_outcome::no_result(why, &connector);
                match early {
                    EarlyOutcome::Reply(outcome, _) if is_late && is_change => {
                        let unknown = convert::unknown_outcome(&outcome);
                        let late = || early_outcome::connector_error(&unknown);
                        saves.finish_early(unknown.clone()).ok_or_else(late)
                    }
                    early => Err(early),
                }
            }
        }
    }

    /// Opens a stored connection, within the deadline of the call.
    async fn open(
        &self,
        guid: Guid,
        context: &mut CallContext<'_>,
    ) -> Result<Arc<OpenConnection<LiveConnection>>, EarlyOutcome> {
        // Before the opening, which is shared with other calls, whose addresses may name another connector.
        let owner = self.owner(guid, context).await?;
        let connector = self.connectors.get(&owner);
        let deadline = connector.map_or(self.deadline, |connector| connector.deadline());
        let (connectors, log_context) = (Arc::clone(&self.connectors), context.log_context.clone());
        let opening =
            self.connections.get_or_open(guid, move |stored| open_stored(connectors, stored, log_context));
        match timeout_at(context.received + deadline, opening).await {
            Ok(Ok(Some(open))) => Ok(open),
            Ok(Ok(None)) => Err(early_outcome::unknown_connection(guid)),
            Ok(Err(error)) => Err(early_outcome::not_opened(&error)),
            Err(_) => Err(early_outcome::deadline_exceeded(&owner, deadline, None)),
        }
    }

    /// The name of the connector that the connection belongs to; fails if the address names another one.
    async fn owner(&self, guid: Guid, context: &mut CallContext<'_>) -> Result<Arc<str>, EarlyOutcome> {
        let owner = self.connections.connector_of(guid).await?;
        let owner = owner.ok_or_else(|| early_outcome::unknown_connection(guid))?.into();
        context.check_owner(guid, &owner)?;
        Ok(owner)
    }

    /// WSSaveConnection. Two first saves of a connection may arrive at the same time for two connectors: the first one that
    /// is stored decides the owner, and the other one is tried again as a save of a connection with an owner.
    async fn save(
        &self,
        guid: Guid,
        settings: &Settings,
        context: &mut CallContext<'_>,
    ) -> Result<Outcome<'static>, EarlyOutcome> {
        loop {
            if let Some(outcome) = self.try_to_save(guid, settings, context).await? {
                return Ok(outcome);
            }
        }
    }

    /// Saves and opens a connection: the settings are durable before they are used. `None` when another connector has become
    /// its owner meanwhile.
    async fn try_to_save(
        &self,
        guid: Guid,
        settings: &Settings,
        context: &mut CallContext<'_>,
    ) -> Result<Option<Outcome<'static>>, EarlyOutcome> {
        if guid.is_zero() {
            return Err(early_outcome::zero_guid_saved());
        }
        let owner: Option<Arc<str>> = self.connections.connector_of(guid).await?.map(Arc::from);
        let connector = match &owner {
            Some(owner) => {
                context.check_owner(guid, owner)?;
                self.connectors.owner(owner)?
            }
            None => self.connectors.find(context.addressed_connector, context.caller)?,
        };
        let deadline = context.assign(&connector);
        let form = settings_form(&connector, context.log_context.clone(), deadline).await?;
        // A missing setting has its default: SuperOffice may send settings that it stored before an update of the connector
        // added this one.
        let is_empty = |field: &Field| {
            let text = settings.get(&field.key).or(field.default.as_deref());
            text.is_none_or(|text| text.trim().is_empty())
        };
        let missing = form
            .iter()
            .filter(|field| field.access == Access::Mandatory && field.field_type != FieldType::Label)
            .filter(|field| is_empty(field))
            .map(|field| field.key.as_str())
            .collect::<Vec<_>>();
        if !missing.is_empty() {
            return Err(early_outcome::missing_settings(&missing));
        }
        self.check_other_settings(guid, settings, &form, connector.name()).await?;
        let secrets: Vec<_> =
            settings.iter().map(|(key, _)| key).filter(|key| other_settings::is_secret(key, &form)).collect();
        let by = Origin::from(context.caller);
        match self.connections.save(guid, connector.name(), settings, &secrets, &by).await {
            Ok(_) => {}
            Err(StoreError::OtherConnector { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        }

        // Opened at once, so that the administrator sees now what is wrong with the settings. They stay stored even if the
        // opening fails: the ERP system may only be down for a while.
        Ok(Some(match self.open(guid, context).await {
            Ok(_) => Outcome::ok(),
            Err(EarlyOutcome::Reply(outcome, _) | EarlyOutcome::HeldBack(outcome)) => {
                let saved = "the settings are saved, but the connection could not be opened";
                let tech = match &outcome.tech_explanation {
                    Some(tech) => format!("{saved}: {tech}"),
                    None => saved.to_owned(),
                };
                Outcome { state: State::Warning, tech_explanation: Some(tech.into()), ..outcome }
            }
            Err(EarlyOutcome::Busy(why)) => Outcome {
                state: State::Warning,
                ..Outcome::error("the settings are saved, but the connector was too busy to try them")
                    .with_tech_explanation(why)
            },
        }))
    }

    /// Fails if there are more settings that the connector's form does not have than may be stored.
    async fn check_other_settings(
        &self,
        guid: Guid,
        settings: &Settings,
        form: &[Field],
        connector: &str,
    ) -> Result<(), EarlyOutcome> {
        let others = other_settings::beside(form, settings);
        if other_settings::may_be_stored(&others) {
            return Ok(());
        }
        // What the connection has already may stay: the form had it before an update of the connector.
        let stored = self.connections.setting_names(guid).await?;
        let new: Vec<_> =
            others.into_iter().filter(|(key, _)| !stored.iter().any(|(stored, _)| stored == key)).collect();
        if other_settings::may_be_stored(&new) {
            return Ok(());
        }
        let names: Vec<_> = new.into_iter().map(|(key, _)| key).collect();
        Err(early_outcome::unknown_settings(connector, &names, form))
    }

    /// WSDeleteConnection. Its connector need not be loaded.
    async fn delete(&self, guid: Guid, context: &mut CallContext<'_>) -> Result<(), EarlyOutcome> {
        let owner = self.owner(guid, context).await?;
        let by = Origin::from(context.caller);
        if self.connections.delete(guid, &by).await? {
            self.background.connection_deleted(&owner, guid);
            Ok(())
        } else {
            Err(early_outcome::unknown_connection(guid))
        }
    }
}

/// The settings that a connection of the connector needs.
async fn settings_form(
    connector: &Arc<Connector>,
    log_context: LogContext,
    deadline: Instant,
) -> Result<Arc<[Field]>, EarlyOutcome> {
    if let Some(form) = connector.known_settings_form() {
        return Ok(form);
    }
    let worker = Arc::clone(connector);
    let read = move || worker.settings_form();
    let place = Place { share: Share::SettingsForm, deadline, presence: &CallerPresence::default() };
    let form = connector.call(place, log_context, None, read).await;
    form.map_err(|why| early_outcome::no_result(why, connector))?
        .map_err(|outcome| early_outcome::connector_error(&outcome))
}

/// Opens a connection with its stored settings.
async fn open_stored(
    connectors: Arc<Connectors>,
    stored: StoredConnection,
    log_context: LogContext,
) -> Result<LiveConnection, NotOpened> {
    let connector = connectors.owner(&stored.connector).map_err(NotOpened::not_attempted)?;
    let worker = Arc::clone(&connector);
    let deadline = Instant::now() + connector.deadline();
    let settings = stored.settings.of_connection(stored.guid.to_string(), stored.revision.number());
    // Whoever waits for it may leave: others may have come.
    let presence = &CallerPresence::default();
    let place = Place { share: Share::Connection(stored.guid), deadline, presence };
    let (guid, in_use) = (stored.guid, connectors.in_use().enter(stored.guid).await);
    let opened = connector.call(place, log_context, None, move || worker.open(guid, &settings, in_use));
    let opened = opened.await.map_err(|why| NotOpened::no_result(why, &connector))?;
    opened.map_err(|outcome| NotOpened::connector_error(&outcome))
}
