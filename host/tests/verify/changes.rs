//! Changes of requests and responses on their way, as a defect makes them.

use contract::{Fault, SoapVersion};
use test_support::http::Response;
use test_support::http::server::Received;

/// Reads and changes a request.
pub(crate) trait ChangeRequest {
    /// The operation of its SOAPAction; empty without one.
    fn operation(&self) -> String;
    /// Path and query.
    fn target(&self) -> (&str, &str);
    /// Replaces a text of the body. A body that is no text, such as gzip, stays as it is.
    fn replace(&mut self, from: &str, to: &str);
    /// The content of the first element of this name.
    fn content(&self, element: &str) -> Option<String>;
    /// Replaces the content of the first element of this name.
    fn put(&mut self, element: &str, content: &str);
    /// Replaces the operation by another one whose request has the same members, or some of them.
    fn change_operation(&mut self, from: &str, to: &str);
    /// Whether it names a connection in the usual form of a GUID.
    fn is_for_a_saved_connection(&self) -> bool;
}

/// Changes a response.
pub(crate) trait ChangeResponse {
    /// Replaces a text of the body.
    fn replace(&mut self, from: &str, to: &str);
    /// Makes it a plain HTTP error.
    fn refuse(&mut self, status: u16);
    /// Makes it a fault.
    fn fault(&mut self);
    /// Makes a good reply a bad one.
    fn fail(&mut self, why: &str);
    /// Makes a bad reply a good one.
    fn succeed(&mut self);
}

impl ChangeRequest for Received {
    fn operation(&self) -> String {
        let action = self.header("SOAPAction").or_else(|| self.header("Content-Type")).unwrap_or_default();
        action.trim_matches('"').rsplit('/').next().unwrap_or_default().to_owned()
    }

    fn target(&self) -> (&str, &str) {
        self.request.target.split_once('?').unwrap_or((&self.request.target, ""))
    }

    fn replace(&mut self, from: &str, to: &str) {
        if let Ok(text) = std::str::from_utf8(&self.request.body) {
            self.request.body = text.replace(from, to).into_bytes();
        }
    }

    fn content(&self, element: &str) -> Option<String> {
        between(&self.text(), element)
    }

    fn put(&mut self, element: &str, content: &str) {
        if let Some(old) = self.content(element) {
            self.replace(
                &format!("<{element}>{old}</{element}>"),
                &format!("<{element}>{content}</{element}>"),
            );
        }
    }

    fn change_operation(&mut self, from: &str, to: &str) {
        if let Some(action) = self.header("SOAPAction") {
            let action = action.replace(from, to);
            self.request.set_header("SOAPAction", &action);
        }
    }

    fn is_for_a_saved_connection(&self) -> bool {
        self.content("ConnectionGuid").is_some_and(|guid| guid.len() == 36)
    }
}

impl ChangeResponse for Response {
    fn replace(&mut self, from: &str, to: &str) {
        self.body = self.text().replace(from, to).into_bytes();
    }

    fn refuse(&mut self, status: u16) {
        *self = Response::new(status, "text/plain", "refused");
    }

    fn fault(&mut self) {
        let mut body = Vec::new();
        contract::write_fault(&mut body, SoapVersion::V11, &Fault::server("out of order"));
        *self = Response::new(500, "text/xml; charset=utf-8", body);
    }

    fn fail(&mut self, why: &str) {
        self.replace("<IsOk>true</IsOk><State>Ok</State>", "<IsOk>false</IsOk><State>Error</State>");
        self.replace(
            "<UserExplanation i:nil=\"true\"/>",
            &format!("<UserExplanation>{why}</UserExplanation>"),
        );
    }

    fn succeed(&mut self) {
        self.replace("<IsOk>false</IsOk><State>Error</State>", "<IsOk>true</IsOk><State>Ok</State>");
    }
}

/// The content of the first element of this name.
pub(crate) fn between(text: &str, element: &str) -> Option<String> {
    let start = text.find(&format!("<{element}>"))? + element.len() + 2;
    let end = start + text[start..].find(&format!("</{element}>"))?;
    Some(text[start..end].to_owned())
}
