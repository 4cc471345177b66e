//! Tryton's protocol: JSON-RPC over HTTP, with a session of a user.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use plugin_api::{Context, DateTime, Error, Result, Secret};
use plugin_http::{Answer, Client, Login, Request, Session};
use serde_json::{Value, json};

/// Records in one request.
const PAGE: usize = 500;

/// A database of a Tryton server.
pub(crate) struct Tryton {
    http: Client,
}

/// Logs in with user and password.
struct User {
    name: String,
    password: Secret,
}

impl Tryton {
    /// A database of the server at this address, as a user sees it. The first request logs in.
    pub(crate) fn new(server: &str, database: &str, user: String, password: Secret) -> Result<Self> {
        let http = Client::builder(&format!("{}/{database}", server.trim_end_matches('/')))?
            .name("Tryton")
            .secret(&password)
            .login(User { name: user, password })
            .build()?;
        Ok(Tryton { http })
    }

    /// Calls a method of a model that reads.
    pub(crate) fn read(&self, cx: &Context, method: &str, params: Value) -> Result<Value> {
        result(rpc(&self.http, &format!("model.{method}"), params).reads().send(cx)?)
    }

    /// Calls a method of a model that writes.
    pub(crate) fn write(&self, cx: &Context, method: &str, params: Value) -> Result<Value> {
        result(rpc(&self.http, &format!("model.{method}"), params).send(cx)?)
    }

    /// Ends the session.
    pub(crate) fn log_out(&self, cx: &Context) -> Result<()> {
        self.http.log_out(cx)
    }

    /// The ID of the record with this name, which a setting has named.
    pub(crate) fn named(&self, cx: &Context, model: &str, name: &str) -> Result<i64> {
        let found =
            self.read(cx, &format!("{model}.search"), json!([[["name", "=", name]], 0, 1, null, {}]))?;
        found[0]
            .as_i64()
            .ok_or_else(|| Error::settings(format!("Tryton has no {model} with the name {name:?}")))
    }

    /// The records of a model in a domain, page after page, with these fields.
    pub(crate) fn records<'t>(
        &'t self,
        cx: &'t Context,
        model: &'t str,
        domain: Value,
        fields: &'t [&str],
    ) -> impl Iterator<Item = Result<Vec<Value>>> + 't {
        let mut last = Some(0);
        cx.pages(model, move |_| {
            let Some(after) = last else { return Ok(None) };
            // By ID and not by offset: what is created meanwhile moves nothing.
            let params = json!([[domain, ["id", ">", after]], 0, PAGE, [["id", "ASC"]], fields, {}]);
            let mut page = self.read(cx, &format!("{model}.search_read"), params)?;
            let page = page.as_array_mut().map(std::mem::take).unwrap_or_default();
            last = page.last().filter(|_| page.len() == PAGE).and_then(|record| record["id"].as_i64());
            Ok(Some(page))
        })
    }
}

impl Login for User {
    fn log_in(&self, cx: &Context, http: &Client) -> Result<Session> {
        let params = json!([self.name, {"password": self.password.expose()}, "en"]);
        let login = result(rpc(http, "common.db.login", params).send(cx)?)?;
        let (Some(id), Some(token)) = (login[0].as_i64(), login[1].as_str()) else {
            return Err(Error::user("Tryton has opened no session"));
        };
        let session = BASE64_STANDARD.encode(format!("{}:{id}:{token}", self.name));
        Ok(Session::header("authorization", format!("Session {session}")))
    }

    fn log_out(&self, cx: &Context, http: &Client, session: &Session) -> Result<()> {
        result(rpc(http, "common.db.logout", json!([])).in_session(session).send(cx)?).map(drop)
    }
}

fn rpc<'c>(http: &'c Client, method: &str, params: Value) -> Request<'c> {
    http.post("rpc/").json(&json!({"id": 0, "method": method, "params": params}))
}

/// The result of a call. Tryton answers a refusal with status 200, too: `[class, ..]`, or `[text, traceback]` of any other error.
fn result(answer: Answer) -> Result<Value> {
    let mut answer: Value = answer.json()?;
    let error = &answer["error"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match error[0].as_str() {
        None => Ok(answer["result"].take()),
        Some("ConcurrencyException") => {
            Err(Error::conflict("somebody else has changed this in Tryton meanwhile"))
        }
        Some("UserError") => Err(Error::user(text(&error[1][0])).tech(text(&error[1][1]))),
        Some("UserWarning") => Err(Error::user(text(&error[1][1])).tech(text(&error[1][2]))),
        Some(class) => Err(Error::user(format!("Tryton failed: {class}")).tech(text(&error[1]))),
    }
}

/// A date of Tryton, as JSON.
pub(crate) fn date(date: DateTime) -> Value {
    let ((year, month, day), (hour, minute, second, ticks)) = (date.date(), date.time());
    json!({"__class__": "datetime", "year": year, "month": month, "day": day,
           "hour": hour, "minute": minute, "second": second, "microsecond": ticks / 10})
}

/// A date of Tryton, read from JSON; `None` when it is null.
pub(crate) fn read_date(value: &Value) -> Option<DateTime> {
    let part = |name: &str| value[name].as_u64();
    let small = |name: &str| part(name).and_then(|number| u8::try_from(number).ok());
    let date = DateTime::from_date(u16::try_from(part("year")?).ok()?, small("month")?, small("day")?)?;
    let microsecond = u32::try_from(part("microsecond")?).ok()?;
    date.at(small("hour")?, small("minute")?, small("second")?, microsecond * 10)
}
