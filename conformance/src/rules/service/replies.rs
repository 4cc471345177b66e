//! Rules of every reply: what a WCF client reads of it. They are checked at the end, on all replies of the run.

use contract::LossKind;

use crate::rule::{Finding, Findings, Stop};
use crate::subject::Subject;

fn report(subject: &Subject<'_>, findings: &mut Findings, found: Vec<Finding>) -> Result<(), Stop> {
    if subject.soap()?.replies.get() == 0 {
        return Err(Stop::skip("no call was answered by a reply"));
    }
    findings.expect_all(true, String::new);
    for finding in found {
        findings.add(finding.text, finding.shown_by);
    }
    Ok(())
}

fn of_kind(subject: &Subject<'_>, kind: LossKind) -> Result<Vec<Finding>, Stop> {
    let lost = subject.soap()?.lost.borrow();
    Ok(lost.iter().filter(|(found, _)| *found == kind).map(|(_, finding)| finding.clone()).collect())
}

macro_rules! losses_of {
    ($($name:ident: $kind:ident;)+) => {
        $(pub(in crate::rules) async fn $name(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
            report(subject, findings, of_kind(subject, LossKind::$kind)?)
        })+
    };
}

losses_of! {
    wrapping: Wrapping;
    namespaces: Namespace;
    order: Order;
    twice: Twice;
    missing: Missing;
    values: Value;
    envelope: Envelope;
}

pub(in crate::rules) async fn http(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    report(subject, findings, subject.soap()?.http.borrow().clone())
}

pub(in crate::rules) async fn states(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    report(subject, findings, subject.soap()?.states.borrow().clone())
}

pub(in crate::rules) async fn explained(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    report(subject, findings, subject.soap()?.unexplained.borrow().clone())
}
