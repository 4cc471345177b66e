//! The resources that are served, and their addresses.

/// Where the service is, below any base path and in any case (contract page, section 1).
pub(super) const SERVICE_PATH: &str = "/Services/ErpConnectorWS.svc";

/// What an address names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resource {
    Service,
    Root,
    /// Whether the host is alive: answered however busy it is.
    Health,
    /// Whether it takes calls at the moment.
    Ready,
}

impl Resource {
    pub(super) fn at(path: &str) -> Option<Self> {
        let service = path.strip_suffix('/').unwrap_or(path).as_bytes();
        let start = service.len().checked_sub(SERVICE_PATH.len());
        if start.is_some_and(|start| service[start..].eq_ignore_ascii_case(SERVICE_PATH.as_bytes())) {
            return Some(Resource::Service);
        }
        match path {
            "/" => Some(Resource::Root),
            _ if path.eq_ignore_ascii_case("/health") => Some(Resource::Health),
            _ if path.eq_ignore_ascii_case("/ready") => Some(Resource::Ready),
            _ => None,
        }
    }

    /// The methods that are served, for `Allow`.
    pub(super) fn methods(self) -> &'static str {
        if self == Resource::Service { "GET, HEAD, POST" } else { "GET, HEAD" }
    }
}
