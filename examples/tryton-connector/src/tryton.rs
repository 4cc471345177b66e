//! Tryton's protocol: JSON-RPC over HTTP, in the session of a user.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use plugin_api::{Context, DateTime, Error, Result, Secret};
use plugin_http::{Answer, Client, Login, Request, Session};
use serde_json::{Value as Json, json};

/// Records in one request.
const PAGE: usize = 500;

/// The user of a connection, who logs in.
struct User {
    name: String,
    password: Secret,
}

impl Login for User {
    fn log_in(&self, cx: &Context, http: &Client) -> Result<Session> {
        let params = json!([self.name, {"password": self.password.expose()}, "en"]);
        let login = result(rpc(http, "common.db.login", params).send(cx)?)?;
        let session = format!("{}:{}:{}", self.name, login[0], login[1].as_str().unwrap_or_default());
        Ok(Session::header("authorization", format!("Session {}", BASE64_STANDARD.encode(session))))
    }

    /// Tryton looks at all sessions of the user, and fails if another one ends meanwhile: before it does anything.
    fn is_ended(&self, answer: &Answer) -> bool {
        answer.status() == 401 || answer.text().contains("of \\\"Session\\\" that don't exist")
    }

    fn log_out(&self, cx: &Context, http: &Client, session: &Session) -> Result<()> {
        result(rpc(http, "common.db.logout", json!([])).in_session(session).send(cx)?).map(drop)
    }
}

/// A client of a database of this server.
pub(crate) fn client(server: &str, database: &str, user: String, password: Secret) -> Result<Client> {
    let client = Client::builder(&format!("{}/{database}", server.trim_end_matches('/')))?;
    client.name("Tryton").secret(&password).login(User { name: user, password }).build()
}

/// Calls a method of a model. One that only reads is repeated while Tryton is away.
pub(crate) fn call(http: &Client, cx: &Context, method: &str, params: Json) -> Result<Json> {
    let request = rpc(http, &format!("model.{method}"), params);
    let is_write = method.ends_with(".create") || method.ends_with(".write");
    result(if is_write { request } else { request.reads() }.send(cx)?)
}

/// The records of a model in a domain, also inactive ones, page after page: by ID and not by offset, for records are created meanwhile.
pub(crate) fn records<'c>(
    http: &'c Client,
    cx: &'c Context,
    model: &'c str,
    domain: Json,
    fields: &'c [&str],
) -> impl Iterator<Item = Result<Vec<Json>>> + 'c {
    let mut last = Some(0);
    cx.pages(model, move |_| {
        let Some(after) = last else { return Ok(None) };
        let params =
            json!([[domain, ["id", ">", after]], 0, PAGE, [["id", "ASC"]], fields, {"active_test": false}]);
        let found = call(http, cx, &format!("{model}.search_read"), params)?;
        let page = found.as_array().cloned().unwrap_or_default();
        last = page.last().filter(|_| page.len() == PAGE).and_then(|record| record["id"].as_i64());
        Ok(Some(page))
    })
}

fn rpc<'c>(http: &'c Client, method: &str, params: Json) -> Request<'c> {
    http.post("rpc/").json(&json!({"id": 0, "method": method, "params": params}))
}

/// The result of a call. Tryton answers a refusal with status 200, too.
fn result(answer: Answer) -> Result<Json> {
    let mut answer: Json = answer.json()?;
    let error = &answer["error"];
    let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
    Err(match error[0].as_str() {
        None => return Ok(answer["result"].take()),
        Some("ConcurrencyException") => Error::conflict("somebody else has changed this in Tryton meanwhile"),
        Some("UserError") => Error::user(text(&error[1][0])).tech(text(&error[1][1])),
        Some("UserWarning") => Error::user(text(&error[1][1])).tech(text(&error[1][2])),
        Some(class) => Error::user(format!("Tryton failed: {class}")).tech(text(&error[1])),
    })
}

/// A date as Tryton has it in JSON.
pub(crate) fn date(date: DateTime) -> Json {
    let ((year, month, day), (hour, minute, second, ticks)) = (date.date(), date.time());
    json!({"__class__": "datetime", "year": year, "month": month, "day": day,
           "hour": hour, "minute": minute, "second": second, "microsecond": ticks / 10})
}

/// A date out of such JSON; `None` when it is null.
pub(crate) fn read_date(json: &Json) -> Option<DateTime> {
    let part = |name: &str| json[name].as_u64().and_then(|part| u32::try_from(part).ok());
    let small = |name: &str| part(name).and_then(|part| u8::try_from(part).ok());
    let date = DateTime::from_date(u16::try_from(part("year")?).ok()?, small("month")?, small("day")?)?;
    date.at(small("hour")?, small("minute")?, small("second")?, part("microsecond")? * 10)
}
