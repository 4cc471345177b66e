//! The rules of connections: which connector a call goes to, and what becomes of it on the way.

use std::sync::Arc;

use contract::{Operation, Outcome, Request, State};
use plugin_api::{Access, Field, FieldType, Settings};
use tokio::time::{Instant, timeout_at};
use tracing::{Instrument, Span, field};
use values::Guid;

use super::connector::{Connector, Open};
use super::connectors::Connectors;
use super::read::ReadCall;
use super::reply::{self, Replied};
use super::stop::{self, Stop};
use super::{Router, convert, perform};
use crate::auth::{Authenticated, SignedApplicationToken};
use crate::caller::Caller;
use crate::logging::rejection::{self, Cause};
use erp_host_runtime::OnCall;
use erp_host_store::audit::Origin;
use erp_host_store::{OpenConnection, StoreError, StoredConnection};

/// A call on its way.
pub(super) struct Errand<'c> {
    pub(super) call: &'c Arc<ReadCall>,
    /// Who makes it.
    pub(super) caller: &'c Caller,
    /// The connector that the address names.
    pub(super) named: Option<&'c str>,
    pub(super) started: Instant,
    /// What the log tells of its way.
    pub(super) told: OnCall,
}

impl Errand<'_> {
    /// The connection that the call names.
    fn connection(&mut self) -> Result<Guid, Stop> {
        let guid = stop::connection_of(self.call.call())?;
        Span::current().record("connection", field::display(guid));
        self.told.connection = Some(guid);
        Ok(guid)
    }

    /// Goes to this connector; returns until when.
    fn go_to(&mut self, connector: &Connector) -> Instant {
        self.tell(connector.name());
        self.started + connector.deadline()
    }

    /// Tells the log of the connector that it is about.
    fn tell(&mut self, connector: &Arc<str>) {
        if self.told.connector.is_none() {
            Span::current().record("connector", &**connector);
            self.told.connector = Some(Arc::clone(connector));
        }
    }

    /// A connection belongs to one connector, and calls that name another one went astray.
    fn check_name(&mut self, guid: Guid, own: &Arc<str>) -> Result<(), Stop> {
        self.tell(own);
        match self.named {
            Some(named) if !named.eq_ignore_ascii_case(own) => Err(stop::other_connector(guid, own, named)),
            _ => Ok(()),
        }
    }
}

impl Router {
    /// Does what a call asks for. What few calls do is boxed: the others need not carry the room that it takes.
    pub(super) async fn route(&self, errand: &mut Errand<'_>) -> Result<Replied, Stop> {
        let call = errand.call.call();
        let (envelope, request) = (&call.envelope, &call.request);
        match request {
            Request::Authenticate { signed_token } => {
                let token = signed_token.as_ref().map_or("", |token| &token.0);
                let answer = Box::pin(self.authenticate(token, errand)).await;
                Ok(reply::authentication(envelope, answer.as_ref().map(|answer| answer.0.as_str())))
            }
            Request::GetConfigData | Request::TestConfigData { .. } => self.in_setup(errand).await,
            // A list that a setting takes its values from, while there is no connection yet.
            Request::GetList { .. } if stop::connection_of(call).is_ok_and(Guid::is_zero) => {
                self.in_setup(errand).await
            }
            Request::SaveConnection { connection_info } => {
                let guid = errand.connection()?;
                let settings = convert::settings(connection_info.as_ref());
                let span = errand.told.span();
                let outcome = Box::pin(self.save(guid, &settings, errand).instrument(span)).await?;
                Ok(reply::outcome(envelope, Operation::SaveConnection, &outcome))
            }
            Request::DeleteConnection => {
                let guid = errand.connection()?;
                let span = errand.told.span();
                Box::pin(self.delete(guid, errand).instrument(span)).await?;
                Ok(reply::outcome(envelope, Operation::DeleteConnection, &Outcome::ok()))
            }
            _ => {
                let guid = errand.connection()?;
                self.in_connection(guid, errand).await
            }
        }
    }

    /// Authenticate. It belongs to a connector, and does not call it.
    async fn authenticate(&self, token: &str, errand: &mut Errand<'_>) -> Option<SignedApplicationToken> {
        let caller = errand.caller;
        let Ok(connector) = self.connectors.find(errand.named) else {
            rejection::log(Cause::NotAuthenticated, caller, "the address names no connector that is here");
            return None;
        };
        errand.tell(connector.name());
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

    /// A call that belongs to no connection.
    async fn in_setup(&self, errand: &mut Errand<'_>) -> Result<Replied, Stop> {
        let connector = self.connectors.find(errand.named)?;
        let deadline = errand.go_to(&connector);
        let (call, worker) = (Arc::clone(errand.call), Arc::clone(&connector));
        let work = move || perform::in_setup(call.call(), &worker);
        let replied = connector.work(errand.told.clone(), deadline, work).await;
        replied.map_err(|why| stop::interrupted(why, &connector))
    }

    /// A call that belongs to a connection.
    async fn in_connection(&self, guid: Guid, errand: &mut Errand<'_>) -> Result<Replied, Stop> {
        let open = match self.connections.get(guid) {
            Some(open) => {
                errand.check_name(guid, open.connection().connector.name())?;
                open
            }
            None => {
                let span = errand.told.span();
                Box::pin(self.open(guid, errand).instrument(span)).await?
            }
        };
        let connector = Arc::clone(&open.connection().connector);
        let deadline = errand.go_to(&connector);
        let (call, spool) = (Arc::clone(errand.call), Arc::clone(&self.spool));
        let work = move || perform::in_connection(call.call(), &open.connection().client, &spool);
        let replied = connector.work(errand.told.clone(), deadline, work).await;
        replied.map_err(|why| stop::interrupted(why, &connector))
    }

    /// A connection that was not open.
    async fn open(&self, guid: Guid, errand: &mut Errand<'_>) -> Result<Arc<OpenConnection<Open>>, Stop> {
        // Not in one step with the opening: that is shared with others, who may have named another connector.
        let own = self.own_connector(guid, errand).await?;
        let connector = self.connectors.get(&own);
        let deadline = connector.map_or(self.deadline, |connector| connector.deadline());
        let (connectors, call) = (Arc::clone(&self.connectors), errand.told.clone());
        let opening = self.connections.get_or_open(guid, move |stored| open_stored(connectors, stored, call));
        match timeout_at(errand.started + deadline, opening).await {
            Ok(Ok(Some(open))) => Ok(open),
            Ok(Ok(None)) => Err(stop::unknown_connection(guid)),
            Ok(Err(error)) => Err(stop::not_opened(&error)),
            Err(_) => Err(Stop::Outcome(stop::late(&own, deadline, None))),
        }
    }

    /// The name of the connector that the connection belongs to, and that the call may have named.
    async fn own_connector(&self, guid: Guid, errand: &mut Errand<'_>) -> Result<Arc<str>, Stop> {
        let own = self.connections.connector_of(guid).await?.ok_or_else(|| stop::unknown_connection(guid))?;
        let own = own.into();
        errand.check_name(guid, &own)?;
        Ok(own)
    }

    /// WSSaveConnection. Of two first saves of a connection at the same time, for two connectors, one makes the connection
    /// its connector's; the other one is then a save of a connection that belongs to that one.
    async fn save(
        &self,
        guid: Guid,
        settings: &Settings,
        errand: &mut Errand<'_>,
    ) -> Result<Outcome<'static>, Stop> {
        loop {
            if let Some(outcome) = self.try_to_save(guid, settings, errand).await? {
                return Ok(outcome);
            }
        }
    }

    /// Saves and opens a connection: the settings are durable before anything else is done with them. `None` when it has
    /// become another connector's meanwhile.
    async fn try_to_save(
        &self,
        guid: Guid,
        settings: &Settings,
        errand: &mut Errand<'_>,
    ) -> Result<Option<Outcome<'static>>, Stop> {
        if guid.is_zero() {
            let why = "the all-zero ConnectionGuid cannot be saved: it stands for a connection that is being set up";
            return Err(Stop::Outcome(Outcome::error(why)));
        }
        let own: Option<Arc<str>> = self.connections.connector_of(guid).await?.map(Arc::from);
        let connector = match &own {
            Some(own) => {
                errand.check_name(guid, own)?;
                self.connectors.get(own).ok_or_else(|| Stop::Outcome(self.connectors.not_loaded(own)))?
            }
            None => self.connectors.find(errand.named)?,
        };
        let deadline = errand.go_to(&connector);
        let worker = Arc::clone(&connector);
        let form = connector.work(errand.told.clone(), deadline, move || worker.settings_form()).await;
        let form = form
            .map_err(|why| stop::interrupted(why, &connector))?
            .map_err(|outcome| Stop::Outcome(stop::owned(&outcome)))?;
        // A setting that does not come at all is its default: SuperOffice may send what it stored before an update of the
        // connector brought the setting along.
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
            let why = format!("these settings must be filled in: {}", missing.join(", "));
            return Err(Stop::Outcome(Outcome::error(why)));
        }
        let secrets = form.iter().filter(|field| field.field_type == FieldType::Password);
        let secrets: Vec<_> = secrets.map(|field| field.key.as_str()).collect();
        let by = Origin::from(errand.caller);
        match self.connections.save(guid, connector.name(), settings, &secrets, &by).await {
            Ok(_) => {}
            Err(StoreError::OtherConnector { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        }

        // Opened at once, so that the administrator learns now what is wrong with the settings. They stay stored
        // whatever comes of it: an ERP system that is down tonight is up tomorrow.
        Ok(Some(match self.open(guid, errand).await {
            Ok(_) => Outcome::ok(),
            Err(Stop::Outcome(outcome)) => {
                let saved = "the settings are saved, but the connection could not be opened";
                let tech = match &outcome.tech_explanation {
                    Some(tech) => format!("{saved}: {tech}"),
                    None => saved.to_owned(),
                };
                Outcome { state: State::Warning, tech_explanation: Some(tech.into()), ..outcome }
            }
            Err(Stop::Busy) => Outcome {
                state: State::Warning,
                ..Outcome::error("the settings are saved, but the connector was too busy to try them")
            },
        }))
    }

    /// WSDeleteConnection. The connector need not be here any more.
    async fn delete(&self, guid: Guid, errand: &mut Errand<'_>) -> Result<(), Stop> {
        self.own_connector(guid, errand).await?;
        let by = Origin::from(errand.caller);
        if self.connections.delete(guid, &by).await? { Ok(()) } else { Err(stop::unknown_connection(guid)) }
    }
}

/// Opens a connection with its stored settings.
async fn open_stored(
    connectors: Arc<Connectors>,
    stored: StoredConnection,
    call: OnCall,
) -> Result<Open, Stop> {
    let connector = connectors.get(&stored.connector);
    let connector = connector.ok_or_else(|| Stop::Outcome(connectors.not_loaded(&stored.connector)))?;
    let worker = Arc::clone(&connector);
    let deadline = Instant::now() + connector.deadline();
    let settings = stored.settings.of_connection(stored.guid.to_string(), stored.revision.number());
    let opened = connector.work(call, deadline, move || worker.open(&settings));
    let opened = opened.await.map_err(|why| stop::interrupted(why, &connector))?;
    opened.map_err(|outcome| Stop::Outcome(stop::owned(&outcome)))
}
