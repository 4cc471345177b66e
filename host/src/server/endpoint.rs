//! The endpoint: which resource an address names, admission control of calls, and what each resource answers.

use std::borrow::Cow;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use contract::{Profile, SoapVersion};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, VARY};
use hyper::header::{HeaderMap, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::body_spool::BodySpool;
use super::config::{Limits, ServerConfig};
use super::connection_info::ConnectionInfo;
use super::connection_limit::LimitReached;
use super::forwarded::{ProxyChain, TrustedProxies};
use super::help::{ContractInUse, HelpPage};
use super::public_url::{PublicUrl, public_url};
use super::query;
use super::readiness::{Readiness, Reason};
use super::rejection::{PLAIN_TEXT, Rejection, TRY_AGAIN_AFTER};
use super::reply_body::{ReplyBody, accepts_gzip};
use super::request_body::{self, BodyError};
use super::resource::{Resource, SERVICE_PATH};
use crate::access::{Access, AccessDenied};
use erp_host_client::ContentType;
use erp_host_router::Caller;
use erp_host_router::rejection::{self, Cause};
use erp_host_router::{OrderedProfiles, RejectedCall, Router, SoapRequest, SoapResponse};

/// The same from the root, relative so that it is right below any base path of a proxy.
const SERVICE_FROM_ROOT: HeaderValue = HeaderValue::from_static("Services/ErpConnectorWS.svc");

/// On every response: a browser must not find a script in it.
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const XML: HeaderValue = HeaderValue::from_static("text/xml; charset=utf-8");
const SOAP_12: HeaderValue = HeaderValue::from_static("application/soap+xml; charset=utf-8");
const SOAP_ACTION: HeaderName = HeaderName::from_static("soapaction");

/// Replies below this size are not compressed.
const MIN_GZIP: u64 = 1024;

/// Everything that is served.
pub(super) struct Endpoint {
    router: Arc<Router>,
    limits: Limits,
    /// Admission control: a permit for each call in progress, of `limits.calls`.
    calls: Semaphore,
    bodies: BodySpool,
    trusted_proxies: TrustedProxies,
    access: Access,
    help: HelpPage,
}

impl Endpoint {
    pub(super) fn new(config: &ServerConfig, access: Access, router: Arc<Router>, help: HelpPage) -> Self {
        Endpoint {
            limits: config.limits.clone(),
            calls: Semaphore::new(config.limits.calls.get() as usize),
            bodies: BodySpool::new(&config.limits, router.spool_folder()),
            trusted_proxies: TrustedProxies(config.trusted_proxies.clone()),
            access,
            help,
            router,
        }
    }

    /// The response to a request. Rejections are logged here, and nowhere else.
    pub(super) async fn respond(
        &self,
        request: Request<Incoming>,
        connection: &ConnectionInfo,
    ) -> Response<ReplyBody> {
        let (head, mut body) = request.into_parts();
        let mut caller = self.caller(&head.headers, connection);
        let mut response = match self.serve(&head, &mut body, &mut caller, connection).await {
            Ok(response) => response,
            Err(rejection) => {
                rejection.log_request(&caller, &head);
                if !rejection.is_timeout() {
                    request_body::linger(&head.headers, &mut body).await;
                }
                rejection.into_response()
            }
        };
        response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
        response
    }

    /// The response on a connection beyond the connection limit: only `/health` is served. The connection was logged.
    pub(super) fn respond_over_limit(&self, request: &Request<Incoming>) -> Response<ReplyBody> {
        if Resource::at(request.uri().path()) != Some(Resource::Health) {
            return Rejection::too_many_connections(LimitReached::Total).into_response();
        }
        let mut response = page(PLAIN_TEXT, "ok\n");
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        response
    }

    async fn serve(
        &self,
        head: &Parts,
        body: &mut Incoming,
        caller: &mut Caller,
        connection: &ConnectionInfo,
    ) -> Result<Response<ReplyBody>, Rejection> {
        let resource = Resource::at(head.uri.path());
        // First of all: a caller without access learns nothing about what is here.
        caller.name = self
            .admit(resource, head, caller, connection)
            .map_err(|denied| Rejection::access_denied(&denied))?;
        caller.sees_details = self.access.shows_details(caller, is_forwarded(&head.headers));
        let resource = resource.ok_or_else(Rejection::not_found)?;
        match (resource, &head.method) {
            (Resource::Service, &Method::POST) => self.call(head, body, caller, connection).await,
            (Resource::Service, &Method::GET | &Method::HEAD) => self.describe(head, connection, caller),
            (Resource::Root, &Method::GET | &Method::HEAD) => Ok(redirect_to_service()),
            (Resource::Health, &Method::GET | &Method::HEAD) => Ok(page(PLAIN_TEXT, "ok\n")),
            (Resource::Ready, &Method::GET | &Method::HEAD) => Ok(self.readiness()),
            (resource, method) => Err(Rejection::method_not_allowed(method, resource.methods())),
        }
    }

    fn admit(
        &self,
        resource: Option<Resource>,
        head: &Parts,
        caller: &Caller,
        connection: &ConnectionInfo,
    ) -> Result<Option<Arc<str>>, AccessDenied> {
        match resource {
            Some(Resource::Health | Resource::Ready) => self.access.admit_to_health(caller).map(|()| None),
            _ => self.access.admit(caller, &head.headers, connection.certificate.as_deref()),
        }
    }

    fn is_at_call_limit(&self) -> bool {
        self.calls.available_permits() == 0
    }

    fn readiness(&self) -> Response<ReplyBody> {
        let readiness = Readiness::new([
            (Reason::CallLimitReached, self.is_at_call_limit()),
            (Reason::BodyMemoryExhausted, self.bodies.is_exhausted()),
            (Reason::ThreadsExhausted, self.router.are_threads_exhausted()),
            (Reason::ConnectorThreadsExhausted, self.router.are_threads_of_a_connector_exhausted()),
            (Reason::NoConnectorLoaded, !self.router.has_connectors()),
            (Reason::StoreUnreachable, self.router.is_store_unreachable()),
            (Reason::ErpSystemUnavailable, self.router.is_erp_system_unavailable()),
            (Reason::DiskFull, self.router.is_disk_full()),
        ]);
        let mut response = page(JSON, readiness.to_json() + "\n");
        if !readiness.ready {
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            response.headers_mut().insert(RETRY_AFTER, TRY_AGAIN_AFTER);
        }
        response
    }

    /// GET: the help page or a WSDL.
    fn describe(
        &self,
        head: &Parts,
        connection: &ConnectionInfo,
        caller: &Caller,
    ) -> Result<Response<ReplyBody>, Rejection> {
        let query = head.uri.query().unwrap_or_default();
        let connector = connector(query);
        let parameters = ["wsdl", "singleWsdl", "xsd"].iter().find_map(|name| query::parameter(query, name));
        let Some(part) = parameters else {
            return match connector.filter(|name| !self.router.has_connector(name)) {
                Some(name) => {
                    let known = caller.sees_details.then(|| self.help.names());
                    Err(Rejection::unknown_connector(&name, known.as_deref()))
                }
                None => Ok(self.help_page(&self.public_url(head, connection), caller.sees_details)),
            };
        };
        let profiles = self.router.profiles();
        let in_order = profiles.in_order(self.router.member_order(connector.as_deref()));
        let profile = match profile_name(query) {
            Some(name) => named_profile(in_order, &name)?,
            None => in_order.default_profile(),
        };
        let configured = profiles.configured_as(profile);
        // A client that is generated from this WSDL calls the same connector, and names its profile where a request does not
        // show it. The documents that a learned WSDL imports are those of the same profile.
        let is_named = in_order.needs_name(profile)
            || configured.is_some() && !Arc::ptr_eq(profile, in_order.default_profile());
        let connector = connector.map(|name| ("ConnectorName", name));
        let named = is_named.then(|| ("dialect", Cow::Borrowed(profile.name())));
        let mut address = self.public_url(head, connection);
        for (first, (name, value)) in connector.into_iter().chain(named).enumerate() {
            address.push(if first == 0 { '?' } else { '&' });
            address += &format!("{name}={}", query::encode(&value));
        }
        let document = match (configured, profile.dialect()) {
            (Some(configured), _) => configured.wsdl(&part, &address),
            (None, Some(dialect)) if !part.starts_with("xsd") => {
                Some(contract::wsdl(dialect, profile.order().unwrap_or_default(), &address))
            }
            (None, _) => None,
        };
        document.map(|document| page(XML, document)).ok_or_else(|| Rejection::no_wsdl(profile.name(), &part))
    }

    fn help_page(&self, address: &str, shows_details: bool) -> Response<ReplyBody> {
        let profiles = self.router.profiles();
        let contract = ContractInUse {
            profiles: &profiles,
            reply_order: self.router.reply_order(),
            noticed: &self.router.noticed_orders(),
        };
        self.help.response(address, &contract, shows_details)
    }

    /// The profile that the address of a call names.
    fn profile(&self, query: &str, connector: Option<&str>) -> Result<Option<Arc<Profile>>, Rejection> {
        let Some(name) = profile_name(query) else { return Ok(None) };
        let profiles = self.router.profiles();
        named_profile(profiles.in_order(self.router.member_order(connector)), &name)
            .map(|found| Some(Arc::clone(found)))
    }

    /// The URL that the caller used, without its query.
    fn public_url(&self, head: &Parts, connection: &ConnectionInfo) -> String {
        let proxies = self.proxies(&head.headers, connection);
        let PublicUrl { url, ignored } = public_url(&head.headers, head.uri.path(), connection, &proxies);
        for header in ignored {
            rejection::log(Cause::ForwardedHeader, connection.peer.ip().to_canonical(), header);
        }
        url
    }

    fn proxies<'h>(&self, headers: &'h HeaderMap, connection: &ConnectionInfo) -> ProxyChain<'h> {
        ProxyChain::new(headers, connection.peer.ip(), &self.trusted_proxies)
    }

    fn caller(&self, headers: &HeaderMap, connection: &ConnectionInfo) -> Caller {
        let client = self.proxies(headers, connection).client;
        Caller { client, ..Caller::direct(connection.peer) }
    }

    /// POST: a call.
    async fn call(
        &self,
        head: &Parts,
        body: &mut Incoming,
        caller: &Caller,
        connection: &ConnectionInfo,
    ) -> Result<Response<ReplyBody>, Rejection> {
        let content_type = head
            .headers
            .get(CONTENT_TYPE)
            .ok_or_else(|| Rejection::unsupported_media_type("the request has no content type"))?;
        let content_type = header_text(content_type);
        let content_type = ContentType::parse(&content_type);
        if !content_type.is_soap() {
            let problem = format_args!("the content type {:?} is not served", content_type.media_type);
            return Err(Rejection::unsupported_media_type(problem));
        }
        let query = head.uri.query().unwrap_or_default();
        let connector = connector(query);
        let profile = self.profile(query, connector.as_deref())?;
        // Checked once before the body is read, so that an overloaded host does not read it.
        if self.is_at_call_limit() {
            return Err(Rejection::too_many_calls());
        }
        let peer = caller.network();
        let received = request_body::receive(&head.headers, body, &self.limits, &self.bodies, peer).await;
        let received = received.map_err(|error| self.reject_body(&error, connection))?;
        // Acquired only now: a slow sender does not occupy a permit.
        let _permit = self.calls.try_acquire().map_err(|_| Rejection::too_many_calls())?;
        let loaded = received.load(&self.limits, &self.bodies, peer).await;
        let body = loaded.map_err(|error| self.reject_body(&error, connection))?;
        let action = head.headers.get(SOAP_ACTION).map(header_text);
        let action = soap_action(action.as_deref(), || content_type.parameter("action"));
        let request = SoapRequest {
            body,
            charset: content_type.parameter("charset").map(str::to_owned),
            action: action.map(str::to_owned),
            connector: connector.map(Cow::into_owned),
            profile,
            caller: caller.clone(),
        };
        match self.router.answer(request).await {
            Ok(answer) => self.reply(answer, &head.headers, caller).await,
            Err(busy @ RejectedCall::Busy(_)) => Err(Rejection::connector_busy(&busy)),
            Err(RejectedCall::Charset(error)) => Err(Rejection::unsupported_charset(&error)),
        }
    }

    /// The response to a call, in the form that its client accepts. A fault goes out with 500, in every version of SOAP: with
    /// another status a WCF client loses its text (contract page, section 5).
    async fn reply(
        &self,
        answer: SoapResponse,
        headers: &HeaderMap,
        caller: &Caller,
    ) -> Result<Response<ReplyBody>, Rejection> {
        let SoapResponse { soap, is_fault, body } = answer;
        let (body, is_gzip) = if accepts_gzip(headers) && body.len() >= MIN_GZIP {
            let (router, caller) = (Arc::clone(&self.router), caller.clone());
            let packed = spawn_blocking(move || router.pack(body, &caller)).await;
            packed.map_err(io::Error::other).flatten().map_err(|error| {
                tracing::error!(%error, "a reply could not be packed");
                Rejection::reply_lost()
            })?
        } else {
            (body, false)
        };
        let mut response = Response::new(ReplyBody::new(body));
        if is_fault {
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        }
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, if soap == SoapVersion::V12 { SOAP_12 } else { XML });
        headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
        if is_gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        Ok(response)
    }

    fn reject_body(&self, error: &BodyError, connection: &ConnectionInfo) -> Rejection {
        if let BodyError::NoRoom(why) = error {
            self.bodies.refuse(why);
        }
        Rejection::body(error, connection.framing_error.get())
    }
}

/// Whether a proxy has written headers into the request.
fn is_forwarded(headers: &HeaderMap) -> bool {
    const WRITTEN_BY_PROXIES: [&str; 6] =
        ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"];
    WRITTEN_BY_PROXIES.iter().any(|name| headers.contains_key(*name))
}

fn redirect_to_service() -> Response<ReplyBody> {
    let mut response = page(PLAIN_TEXT, format!("the connector service is at {SERVICE_PATH}\n"));
    *response.status_mut() = StatusCode::FOUND;
    response.headers_mut().insert(LOCATION, SERVICE_FROM_ROOT);
    response
}

/// The connector that an address names.
fn connector(query: &str) -> Option<Cow<'_, str>> {
    query::parameter(query, "ConnectorName").filter(|name| !name.is_empty())
}

/// The name of the profile that an address names.
fn profile_name(query: &str) -> Option<Cow<'_, str>> {
    query::parameter(query, "dialect").filter(|name| !name.is_empty())
}

fn named_profile<'p>(profiles: &'p OrderedProfiles, name: &str) -> Result<&'p Arc<Profile>, Rejection> {
    let profiles = profiles.profiles();
    let known = || profiles.all().iter().map(|profile| profile.name()).collect::<Vec<_>>();
    profiles.find(name).ok_or_else(|| Rejection::unknown_dialect(name, &known()))
}

/// The action that a request names: in its header, or in its content type. The contract handles quotes and an empty action.
fn soap_action<'a>(header: Option<&'a str>, parameter: impl FnOnce() -> Option<&'a str>) -> Option<&'a str> {
    let is_empty = |action: &&str| action.trim().bytes().all(|byte| byte == b'"');
    header.filter(|action| !is_empty(action)).or_else(parameter)
}

fn header_text(header: &HeaderValue) -> Cow<'_, str> {
    header.to_str().map_or_else(|_| String::from_utf8_lossy(header.as_bytes()), Cow::Borrowed)
}

fn page(content_type: HeaderValue, body: impl Into<Bytes>) -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody::whole(body));
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}
