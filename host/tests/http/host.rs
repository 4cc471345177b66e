//! A host in this process, with the rogue connector's plugin file.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use contract::{Call, Dialect, Envelope, Request};
use erp_host::config::Config;
use erp_host::server::Server;
use erp_host_auth::Online;
use erp_host_files::hot_reload::{FileReloader, ReloadResult};
use erp_host_router::Caller;
use erp_host_router::{Router, SoapRequest};
use erp_host_runtime::Plugins;
use plugin_api::abi::client::ConnectorClient;
use tempfile::TempDir;
use test_support::build;
use test_support::http::{Connection, Response};
use test_support::soap::{self, Answer};
use tokio::runtime::Runtime;
use tokio::sync::Notify;

/// Long enough for every machine; nothing waits for it unless it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const GUID: &str = "3aef3af6-8642-4fc1-8dc9-4e08bd76a6bf";

pub(crate) struct Host {
    pub(crate) address: SocketAddr,
    pub(crate) router: Arc<Router>,
    pub(crate) data: PathBuf,
    stop: Arc<Notify>,
    finished: mpsc::Receiver<()>,
    runtime: Option<Runtime>,
    file_reloader: FileReloader,
    _folder: TempDir,
}

async fn router(config: &Config, clients: impl IntoIterator<Item = ConnectorClient>) -> Router {
    let online = Arc::new(Online::new(&config.online).unwrap());
    Router::new(&config.router, &config.data, None, online, clients).await.unwrap()
}

impl Host {
    pub(crate) fn start() -> Self {
        Host::configured("")
    }

    /// A host with this configuration file.
    pub(crate) fn configured(toml: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::parse(toml, Path::new("test.toml")).unwrap();
        config.data = folder.path().join("data");
        config.plugins = folder.path().join("plugins");
        config.server.listen = "127.0.0.1:0".to_owned();
        std::fs::create_dir_all(&config.data).unwrap();
        std::fs::create_dir_all(&config.plugins).unwrap();
        // Each host loads a copy of its own, so that what one test blocks another one does not release.
        let name = format!("{}rogue_connector{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
        let file = std::env::current_exe().unwrap().with_file_name(&name);
        build::not_for_others(&config.plugins).unwrap();
        build::copy_plugin(&file, &config.plugins.join(&name)).unwrap();
        let plugins = Plugins::load(&config.plugins, &config.data, &config.runtime).unwrap();
        let clients = plugins.connectors().into_iter().map(|plugin| plugin.connector.clone());

        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let router = Arc::new(runtime.block_on(router(&config, clients)));
        let server =
            runtime.block_on(Server::bind(&config.server, &config.access, Arc::clone(&router), &[])).unwrap();
        let address = server.url().split('/').nth(2).unwrap().parse().unwrap();
        let file_reloader = server.files().into_iter().chain(router.files()).collect();
        let stop = Arc::new(Notify::new());
        let (sender, finished) = mpsc::channel();
        let stopped = Arc::clone(&stop);
        runtime.spawn(async move {
            server.run(stopped.notified()).await.finish().await;
            sender.send(()).unwrap();
        });
        let (data, runtime) = (config.data, Some(runtime));
        Host { address, router, data, stop, finished, runtime, file_reloader, _folder: folder }
    }

    /// Why a server with this configuration does not start.
    pub(crate) fn refused(toml: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::parse(toml, Path::new("test.toml")).unwrap();
        config.data = folder.path().to_owned();
        config.server.listen = "127.0.0.1:0".to_owned();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let router = Arc::new(router(&config, []).await);
            Server::bind(&config.server, &config.access, router, &[]).await.err().unwrap().to_string()
        })
    }

    /// Why a router with this configuration cannot be made.
    pub(crate) fn not_started(toml: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let config = Config::parse(toml, Path::new("test.toml")).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let online = Arc::new(Online::new(&config.online).unwrap());
            let made = Router::new(&config.router, folder.path(), None, online, []).await;
            made.err().unwrap().to_string()
        })
    }

    /// Reloads certificate and contract files that have changed.
    pub(crate) fn reload_files(&self) -> Vec<ReloadResult> {
        self.file_reloader.reload(true)
    }

    /// Waits for what a client of this host does.
    pub(crate) fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.as_ref().unwrap().block_on(work)
    }

    /// Stops the server, as a signal does.
    pub(crate) fn stop(&self) {
        self.stop.notify_one();
    }

    /// Waits until every connection is closed.
    pub(crate) fn finish(&self) {
        self.finished.recv_timeout(PATIENCE).expect("every connection ends");
    }

    pub(crate) fn client(&self) -> Connection {
        Connection::open(self.address)
    }

    /// Sends a request on a connection of its own.
    pub(crate) fn exchange(&self, request: &[u8]) -> Response {
        let mut client = self.client();
        client.send(request);
        client.receive()
    }

    /// Posts a message with these header lines.
    pub(crate) fn post(&self, headers: &str, body: &[u8]) -> Response {
        self.exchange(&post("/Services/ErpConnectorWS.svc", headers, body))
    }

    /// Makes a call for the usual connection.
    pub(crate) fn call(&self, request: Request<'_>) -> Answer {
        self.call_in(Dialect::Message, Some(GUID), "", request)
    }

    pub(crate) fn call_in(
        &self,
        dialect: Dialect,
        guid: Option<&str>,
        query: &str,
        request: Request<'_>,
    ) -> Answer {
        let client = soap::Client::new(self.address, dialect).query(query);
        guid.map_or(client.clone(), |guid| client.connection(guid)).call(request)
    }

    /// Makes a call without the network.
    pub(crate) fn call_within(&self, guid: &str, request: Request<'_>) {
        let call = Call {
            envelope: Envelope::new(Dialect::Message),
            connection_guid: Some(guid.to_owned().into()),
            request,
        };
        let request = SoapRequest {
            body: message(&call).into(),
            charset: None,
            action: Some(call.soap_action()),
            connector: None,
            profile: None,
            caller: Caller::direct(self.address),
        };
        let runtime = self.runtime.as_ref().unwrap();
        let answer = runtime.block_on(self.router.answer(request)).unwrap();
        assert!(!answer.is_fault);
    }

    /// Saves a connection with faults of the rogue connector.
    pub(crate) fn save(&self, faults: &[(&str, &str)]) -> Answer {
        self.save_as(GUID, faults)
    }

    pub(crate) fn save_as(&self, guid: &str, faults: &[(&str, &str)]) -> Answer {
        let settings = [("Server", "somewhere")].iter().chain(faults).map(|&(key, value)| (key, Some(value)));
        let request = Request::SaveConnection { connection_info: Some(settings.collect()) };
        self.call_in(Dialect::Message, Some(guid), "", request)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // What a test left blocked in the connector stays there.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A POST as most clients send it.
pub(crate) fn post(path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut request =
        format!("POST {path} HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n{headers}\r\n", body.len())
            .into_bytes();
    request.extend_from_slice(body);
    request
}

pub(crate) fn soap_headers(call: &Call<'_>) -> String {
    format!("Content-Type: text/xml; charset=utf-8\r\nSOAPAction: \"{}\"\r\n", call.soap_action())
}

pub(crate) fn message(call: &Call<'_>) -> Vec<u8> {
    let mut body = Vec::new();
    contract::write_request(&mut body, call);
    body
}

/// A call for the connection [`GUID`].
pub(crate) fn call(request: Request<'static>) -> Call<'static> {
    Call { envelope: Envelope::new(Dialect::Message), connection_guid: Some(GUID.into()), request }
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
