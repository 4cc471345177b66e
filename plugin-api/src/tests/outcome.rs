//! Outcomes and errors: no text, code or cause gets lost.

use std::{fmt, io};

use crate::{Error, ErrorKind, Outcome, Result, ResultExt, State, error_code};

/// An error with a cause, as libraries make them.
#[derive(Debug)]
struct Failed(&'static str, io::Error);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Failed {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.1)
    }
}

fn failed() -> Failed {
    Failed("the query failed", io::Error::other("connection reset"))
}

#[test]
fn outcomes_carry_state_texts_and_code() {
    assert_eq!(Outcome::default(), Outcome::ok());
    let outcome = Outcome::warning("two were skipped").tech("rows 3 and 9").code("SKIPPED");
    assert_eq!(outcome.state, State::Warning);
    assert_eq!(outcome.user.as_deref(), Some("two were skipped"));
    assert_eq!(outcome.tech.as_deref(), Some("rows 3 and 9"));
    assert_eq!(outcome.code.as_deref(), Some("SKIPPED"));
    assert_eq!(Outcome::info("x").state, State::OkWithInfo);
    let ok = Outcome { state: State::Ok, user: None, tech: None, code: None, kind: ErrorKind::Failed };
    assert_eq!(Outcome::ok(), ok);
}

#[test]
fn any_error_converts_with_its_whole_chain() {
    fn query() -> Result<()> {
        Err(failed())?;
        Ok(())
    }
    let error = query().unwrap_err();
    assert_eq!(error.user_text(), "the query failed");
    assert_eq!(error.tech_text(), "the query failed: connection reset");
    assert_eq!(error.to_string(), "the query failed (the query failed: connection reset)");
    assert!(error.cause().unwrap().downcast_ref::<Failed>().is_some());
    assert_eq!(query().user("try again").unwrap_err().tech_text(), error.tech_text());
}

#[test]
fn error_becomes_an_outcome() {
    let error = Error::user("the customer is locked").tech("lock 7").code(error_code::UNKOWN_FIELDKEY);
    let reply = error.caused_by(failed()).to_outcome();
    assert_eq!(reply.state, State::Error);
    assert_eq!(reply.user.as_deref(), Some("the customer is locked"));
    assert_eq!(reply.tech.as_deref(), Some("lock 7: the query failed: connection reset"));
    assert_eq!(reply.code.as_deref(), Some("UNKOWN_FIELDKEY"));
    assert_eq!(Error::user("no").to_outcome().tech, None);
}

#[test]
fn user_texts_of_outer_errors_keep_inner_ones() {
    let error: Result<()> = Err(Error::user("inner").tech("first").caused_by(failed()));
    let error = error.user("middle").user("outer").unwrap_err();
    assert_eq!(error.user_text(), "outer");
    assert_eq!(error.tech_text(), "middle: inner: first: the query failed: connection reset");
}

#[test]
fn second_cause_does_not_replace_the_first() {
    let error = Error::user("no").caused_by(io::Error::other("first")).caused_by(io::Error::other("second"));
    assert_eq!(error.tech_text(), "first: second");
}

#[test]
fn tech_text_has_each_cause_once() {
    let error = Error::user("no").tech("the query failed: connection reset").caused_by(failed().1);
    assert_eq!(error.tech_text(), "the query failed: connection reset");
}

#[test]
fn user_text_falls_back_to_the_tech_text_or_the_cause() {
    let error = Error::from(io::Error::other("disk full"));
    assert_eq!((error.user_text().as_str(), error.to_string().as_str()), ("disk full", "disk full"));
    assert_eq!(format!("{error:?}"), "disk full");
}

#[test]
fn error_kind_reaches_the_outcome() {
    for (error, kind) in [
        (Error::user("x"), ErrorKind::Failed),
        (Error::settings("x"), ErrorKind::Settings),
        (Error::unavailable("x"), ErrorKind::Unavailable),
        (Error::conflict("x"), ErrorKind::Conflict),
        (Error::not_found("x"), ErrorKind::NotFound),
        (Error::unknown_outcome("x"), ErrorKind::UnknownOutcome),
        (Error::reopen("x"), ErrorKind::Reopen),
        (Error::user("x").of_kind(ErrorKind::Conflict), ErrorKind::Conflict),
    ] {
        assert_eq!((error.kind(), error.to_outcome().kind), (kind, kind));
        let outer: Result<()> = Err(error);
        assert_eq!(outer.user("outer").unwrap_err().kind(), kind, "a user text keeps the kind");
    }
}

#[test]
fn converted_errors_of_the_network_are_unavailable() {
    let kind = |kind: io::ErrorKind| Error::from(io::Error::from(kind)).kind();
    assert_eq!(kind(io::ErrorKind::ConnectionRefused), ErrorKind::Unavailable);
    assert_eq!(kind(io::ErrorKind::TimedOut), ErrorKind::Unavailable);
    assert_eq!(kind(io::ErrorKind::NotFound), ErrorKind::Failed);
    let inner = Failed("the query failed", io::ErrorKind::ConnectionReset.into());
    assert_eq!(Error::from(inner).kind(), ErrorKind::Unavailable, "as a cause");
}
