//! Recording exchanges with an ERP system, and answering as it did.
#![allow(clippy::unwrap_used, reason = "what panics fails a test")]

use std::path::Path;

use plugin_api::{Context, Result};
use plugin_http::test_support::{Recorded, Reply, Server};
use plugin_http::{Client, Session};
use serde_json::{Value, json};

/// An ERP system with a login, and pages with links.
fn erp() -> Server {
    Server::start(|request| {
        let origin = format!("http://{}", request.header("host").unwrap());
        match (request.method.as_str(), request.target.as_str()) {
            ("POST", "/api/login") => Reply::json(200, &json!({ "token": "t0ken", "user": "wins/1" }))
                .header("set-cookie", "sid=c00kie; Path=/"),
            _ if request.header("cookie") == Some("sid=c00kie")
                || request.header("cookie") == Some("(redacted)") =>
            {
                Reply::json(200, &json!({ "next": format!("{origin}/api/page?number=2") }))
            }
            _ => Reply::status(401),
        }
    })
    .unwrap()
}

/// Logs in and follows the link to the next page.
fn converse(recorded: &Recorded, password: &'static str) -> Result<String> {
    let cx = Context::default();
    let http = Client::builder(&recorded.address())?
        .login(move |cx: &Context, http: &Client| {
            let fields = [("password", password), ("note", password)];
            Session::cookies(&http.post("login").form(&fields).send(cx)?)
        })
        .build()?;
    let page: Value = http.get("page").send(&cx)?.json()?;
    let next: Value = http.get(page["next"].as_str().unwrap()).send(&cx)?.json()?;
    Ok(next["next"].as_str().unwrap().replace(&recorded.address(), "ERP"))
}

fn recording(file: &Path) {
    let erp = erp();
    let recorded = Recorded::record(file, &format!("{}/api", erp.address()), &["wins/1"]).unwrap();
    assert_eq!(converse(&recorded, "wins/1").unwrap(), "ERP/page?number=2");
    recorded.assert_all_asked();
}

#[test]
fn recording_has_no_secrets_and_is_answered_from() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("fixtures").join("pages.json");
    recording(&file);
    let text = std::fs::read_to_string(&file).unwrap();
    for secret in ["wins", "t0ken", "c00kie", "127.0.0.1"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    let replayed = Recorded::replay(&file, &["other pass"]).unwrap();
    assert_eq!(converse(&replayed, "other pass").unwrap(), "ERP/page?number=2");
    replayed.assert_all_asked();
}

#[test]
fn recording_refuses_what_was_not_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pages.json");
    recording(&file);
    let panics = |ask: fn(&Client)| {
        let replayed = Recorded::replay(&file, &[]).unwrap();
        ask(&Client::builder(&replayed.address()).unwrap().build().unwrap());
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| replayed.assert_all_asked()));
        *ended.unwrap_err().downcast::<String>().unwrap()
    };
    assert!(panics(|_| {}).contains("did not come: [\n    \"POST /api/login"));
    let text = panics(|http| {
        let error = http.get("other").send(&Context::default()).unwrap_err();
        assert!(
            error.tech_text().contains("this request was not recorded, or came more often: GET /api/other")
        );
    });
    assert!(text.contains("not recorded: [\n    \"GET /api/other\""), "{text}");
}
