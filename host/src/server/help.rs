//! The help page: what a browser shows at the address of the service.

use std::fmt::Write;
use std::sync::{Arc, LazyLock};

use arc_swap::ArcSwap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::Response;
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, REFERRER_POLICY, X_FRAME_OPTIONS,
};
use sha2::{Digest, Sha256};

use contract::{Dialect, MemberOrder};

use super::query;
use super::reply_body::ReplyBody;
use erp_host_router::{NoticedOrder, ServedProfiles};

/// The connectors that the page shows at the moment. Clones share them.
#[derive(Debug, Clone)]
pub struct HelpPage(Arc<ArcSwap<Vec<ConnectorCard>>>);

impl HelpPage {
    pub(super) fn new(connectors: &[ConnectorCard]) -> Self {
        HelpPage(Arc::new(ArcSwap::from_pointee(connectors.to_vec())))
    }

    /// Shows these connectors from now on.
    pub fn show(&self, connectors: &[ConnectorCard]) {
        self.0.store(Arc::new(connectors.to_vec()));
    }

    /// The page for a caller that reached the service at `address`. A stranger gets no connectors, no versions and no files.
    pub(super) fn response(
        &self,
        address: &str,
        contract: &ContractInUse<'_>,
        shows_details: bool,
    ) -> Response<ReplyBody> {
        let connectors = self.0.load();
        let page = page(address, contract, shows_details.then_some(&**connectors));
        let mut response = Response::new(ReplyBody::whole(page));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(CONTENT_SECURITY_POLICY, POLICY.clone());
        headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        // It depends on the caller.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }

    /// The names of the connectors, for a text.
    pub(super) fn names(&self) -> String {
        let connectors = self.0.load();
        let names: Vec<_> = connectors.iter().map(|connector| connector.name.as_str()).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    }
}

/// The page needs nothing but its style, which is named by its hash: no script, no form, no frame.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy)
        .unwrap_or(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"))
});

/// A connector as the page shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectorCard {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// One line about it; may be empty.
    pub description: String,
    /// The actor types it is known to have; may be empty.
    pub actor_types: Vec<String>,
    /// Whether it serves the calls that name no connector.
    pub is_default: bool,
}

/// How messages are wrapped and ordered at the moment.
pub(super) struct ContractInUse<'a> {
    pub(super) profiles: &'a ServedProfiles,
    /// The order of members of replies to addresses whose requests have shown none.
    pub(super) reply_order: MemberOrder,
    pub(super) noticed: &'a [NoticedOrder],
}

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1d2733;--soft:#5b6b7c;--line:#d9e0e7;--paper:#fff;--wash:#f4f7f9;--accent:#0a5e7d}\
@media(prefers-color-scheme:dark){:root{--ink:#e4eaf0;--soft:#9aa9b8;--line:#334150;--paper:#17202a;--wash:#1e2935;\
--accent:#6fc3e0}}\
body{margin:0;background:var(--wash);color:var(--ink);font:16px/1.55 system-ui,-apple-system,'Segoe UI',sans-serif}\
main{max-width:46rem;margin:3rem auto;padding:2rem 2.25rem;background:var(--paper);border:1px solid var(--line);\
border-radius:10px}\
h1{font-size:1.5rem;margin:0 0 .25rem}h2{font-size:1.05rem;margin:2rem 0 .5rem}p{margin:.5rem 0}\
.soft{color:var(--soft)}a{color:var(--accent)}code{font:.9em ui-monospace,Consolas,monospace;background:var(--wash);\
padding:.1em .35em;border-radius:4px}\
table{border-collapse:collapse;width:100%}th{font-weight:600;color:var(--soft);font-size:.85rem}\
th,td{text-align:left;vertical-align:top;padding:.5rem .75rem .5rem 0;border-bottom:1px solid var(--line)}\
.tag{font-size:.75rem;border:1px solid var(--accent);color:var(--accent);border-radius:99px;padding:.05rem .5rem;\
white-space:nowrap}\
.address{user-select:all;overflow-wrap:anywhere}tr.more td{padding-left:1rem}";

/// The page; without `connectors` that of a stranger. It links relative to its own address, so it is right behind any proxy.
fn page(address: &str, contract: &ContractInUse<'_>, connectors: Option<&[ConnectorCard]>) -> String {
    let mut page = String::with_capacity(8 * 1024);
    page.push_str("<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">");
    page.push_str("<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">");
    page.push_str("<title>ERP Sync connector service</title><style>");
    page.push_str(STYLE);
    page.push_str("</style></head><body><main><h1>ERP Sync connector service</h1>");
    let version = match connectors {
        Some(_) => concat!("erp-host ", env!("CARGO_PKG_VERSION")),
        None => "erp-host",
    };
    put(
        &mut page,
        format_args!("<p class=\"soft\">{version}: SuperOffice ERP Sync connectors over SOAP.</p>"),
    );
    put(
        &mut page,
        format_args!(
            "<h2>Address</h2><p>SuperOffice is given this as the connector's URL; it takes <code>POST</code>.</p>\
             <p><code class=\"address\">{}</code></p>",
            Escaped(address)
        ),
    );
    page.push_str("<h2>Connectors</h2>");
    match connectors {
        None => page.push_str(
            "<p class=\"soft\">They are shown on the machine of this host, and to callers that its configuration allows \
             (<code>access.details_networks</code>).</p>",
        ),
        Some([]) => page.push_str(
            "<p>No connector is loaded. Put a plugin file into the plugins folder; \
             <code>erp-host plugins</code> lists what is there, or why it cannot be loaded.</p>",
        ),
        Some(connectors) => {
            page.push_str("<table><tr><th>Name</th><th>Version</th><th>Actor types</th></tr>");
            for connector in connectors {
                put_connector(&mut page, address, connector);
            }
            page.push_str("</table>");
        }
    }
    page.push_str(
        "<p class=\"soft\">Add <code>?ConnectorName=&lt;name&gt;</code> to the address to pick one; without it the default one \
         answers.</p>",
    );
    put_documents(&mut page, contract);
    if connectors.is_some() {
        put_contract(&mut page, contract);
    }
    page.push_str("</main></body></html>\n");
    page
}

/// The WSDL of each profile of the configuration, and of the dialects that clients are made for.
fn put_documents(page: &mut String, contract: &ContractInUse<'_>) {
    page.push_str(
        "<h2>Service description (WSDL)</h2><p>The same operations in several message forms; the host answers each caller in \
         its own.</p><table><tr><th>Form</th><th>Document</th></tr>",
    );
    let configured = contract.profiles.configured().iter().map(|configured| configured.profile.name());
    let dialects = [Dialect::Message, Dialect::Data, Dialect::Plain].map(Dialect::as_str);
    for (place, name) in configured.chain(dialects).enumerate() {
        let (tag, query) = match place {
            0 => (" <span class=\"tag\">default</span>", String::new()),
            _ => ("", format!("&dialect={}", query::encode(name))),
        };
        let (name, query) = (Escaped(name), Escaped(&query));
        put(
            page,
            format_args!(
                "<tr><td>{name}{tag}</td><td><a href=\"?singleWsdl{query}\">?singleWsdl{query}</a></td></tr>"
            ),
        );
    }
    page.push_str("</table>");
}

/// What an operator looks at when values are missing in SuperOffice.
fn put_contract(page: &mut String, contract: &ContractInUse<'_>) {
    page.push_str("<h2>Contract profiles</h2><table><tr><th>Profile</th><th>From</th></tr>");
    for configured in contract.profiles.configured() {
        let file = configured.file.file_name().unwrap_or_default().to_string_lossy();
        let (name, file) = (Escaped(configured.profile.name()), Escaped(&file));
        put(page, format_args!("<tr><td>{name}</td><td>the contract file <code>{file}</code></td></tr>"));
    }
    let builtin: Vec<_> = Dialect::ALL.iter().map(|dialect| dialect.as_str()).collect();
    put(page, format_args!("<tr><td>{}</td><td>built in</td></tr></table>", builtin.join(", ")));
    put(
        page,
        format_args!(
            "<p>A request in a built-in profile that does not show the order of its members is answered with them \
             {} (<code>contract.reply_order</code>), or as earlier requests to its address have shown:</p>\
             <table><tr><th>Address</th><th>Members</th></tr>",
            in_words(contract.reply_order)
        ),
    );
    for NoticedOrder { connector, order, is_mixed } in contract.noticed {
        page.push_str("<tr><td>");
        match connector.as_str() {
            "" => page.push_str("without ConnectorName"),
            name => put(page, format_args!("<code>ConnectorName={}</code>", Escaped(name))),
        }
        put(page, format_args!("</td><td>{}", in_words(*order)));
        if *is_mixed {
            page.push_str(" <span class=\"tag\">requests come in both orders</span>");
        }
        page.push_str("</td></tr>");
    }
    if contract.noticed.is_empty() {
        page.push_str("<tr><td class=\"soft\" colspan=\"2\">none has shown another order</td></tr>");
    }
    page.push_str("</table>");
}

const fn in_words(order: MemberOrder) -> &'static str {
    match order {
        MemberOrder::Name => "by name",
        MemberOrder::Declared => "as declared",
    }
}

fn put_connector(page: &mut String, address: &str, connector: &ConnectorCard) {
    let ConnectorCard { name, version, description, actor_types, is_default } = connector;
    put(page, format_args!("<tr><td><strong>{}</strong>", Escaped(name)));
    if *is_default {
        page.push_str(" <span class=\"tag\">default</span>");
    }
    if !description.is_empty() {
        put(page, format_args!("<br><span class=\"soft\">{}</span>", Escaped(description)));
    }
    put(page, format_args!("</td><td>{}</td><td>", Escaped(version)));
    if actor_types.is_empty() {
        page.push_str("<span class=\"soft\">as each connection says</span>");
    } else {
        put(page, format_args!("{}", Escaped(&actor_types.join(", "))));
    }
    // Encoded, a name is plain text in HTML.
    let query = format!("ConnectorName={}", query::encode(name));
    put(
        page,
        format_args!(
            "</td></tr><tr class=\"more\"><td colspan=\"3\"><code class=\"address\">{}?{query}</code> \
             <a href=\"?singleWsdl&amp;{query}\">WSDL</a></td></tr>",
            Escaped(address)
        ),
    );
}

fn put(page: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = page.write_fmt(text);
}

/// A text in HTML, between tags or in a quoted attribute.
struct Escaped<'a>(&'a str);

impl std::fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                // HTML has no form for it.
                c if c.is_control() => f.write_char(char::REPLACEMENT_CHARACTER)?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_page_escapes_texts_of_plugins() {
        let evil = "<script>\"&'".to_owned();
        let card = ConnectorCard {
            name: evil.clone(),
            version: evil.clone(),
            description: evil.clone(),
            actor_types: vec![evil.clone()],
            is_default: true,
        };
        let address = "http://a/\"><script>/p";
        let profiles = ServedProfiles::read(&[]).unwrap();
        let noticed = NoticedOrder { connector: evil, order: MemberOrder::Declared, is_mixed: false };
        let contract =
            ContractInUse { profiles: &profiles, reply_order: MemberOrder::Name, noticed: &[noticed] };
        let page = page(address, &contract, Some(&[card]));
        assert_eq!(page.matches("&lt;script&gt;&quot;&amp;&#39;").count(), 5);
        assert_eq!(page.matches("http://a/&quot;&gt;&lt;script&gt;/p").count(), 2);
        assert!(page.contains("ConnectorName=%3Cscript%3E%22%26%27"), "{page}");
        assert!(!page.contains("<script"));
        // The policy allows no style but that of the page.
        assert_eq!(page.matches("style=").count(), 0);
    }

    #[test]
    fn help_page_of_a_stranger_has_no_names_and_no_versions() {
        let profiles = ServedProfiles::read(&[]).unwrap();
        let contract = ContractInUse { profiles: &profiles, reply_order: MemberOrder::Name, noticed: &[] };
        let page = page("http://a/p", &contract, None);
        assert!(page.contains("http://a/p") && page.contains("?singleWsdl"));
        assert!(!page.contains(env!("CARGO_PKG_VERSION")) && !page.contains("reply_order"), "{page}");
    }
}
