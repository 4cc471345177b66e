//! A host in this process, with the hello connector's plugin file.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use erp_host::auth::Online;
use erp_host::config::Config;
use erp_host::router::Router;
use erp_host::server::Server;
use erp_host_runtime::Plugins;
use erp_host_store::STORE_FILE;
use plugin_api::abi::client::ConnectorClient;
use tempfile::TempDir;
use tokio::runtime::Runtime;

pub(crate) struct Host {
    pub(crate) address: SocketAddr,
    pub(crate) runtime: Runtime,
    data: PathBuf,
    _folder: TempDir,
}

async fn router(config: &Config, clients: impl IntoIterator<Item = ConnectorClient>) -> Router {
    let online = Arc::new(Online::new(&config.online).unwrap());
    Router::new(&config.router, &config.data, None, online, clients).await.unwrap()
}

impl Host {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::parse("", Path::new("test.toml")).unwrap();
        config.data = folder.path().join("data");
        config.plugins = folder.path().join("plugins");
        config.server.listen = "127.0.0.1:0".to_owned();
        std::fs::create_dir_all(&config.data).unwrap();
        std::fs::create_dir_all(&config.plugins).unwrap();
        let name = format!("{}hello_connector{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
        let file = std::env::current_exe().unwrap().with_file_name(&name);
        std::fs::copy(&file, config.plugins.join(&name)).unwrap();
        let plugins = Plugins::load(&config.plugins, &config.data, &config.runtime).unwrap();
        let clients = plugins.connectors().into_iter().map(|plugin| plugin.connector.clone());
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let router = Arc::new(runtime.block_on(router(&config, clients)));
        let server = runtime.block_on(Server::bind(&config.server, &config.access, router, &[])).unwrap();
        let address = server.url()["http://".len()..].split('/').next().unwrap().parse().unwrap();
        runtime.spawn(async move {
            server.run(std::future::pending()).await.finish().await;
        });
        Host { address, runtime, data: config.data, _folder: folder }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/Services/ErpConnectorWS.svc", self.address)
    }

    /// How many connections are stored.
    pub(crate) fn connections(&self) -> usize {
        use erp_host_store::{ConnectionStore, IfMissing, SqliteStore};
        let path = self.data.join(STORE_FILE);
        self.runtime.block_on(async {
            SqliteStore::open(&path, IfMissing::Refuse).await.unwrap().list().await.unwrap().len()
        })
    }
}
