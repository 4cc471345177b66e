//! Rules of every reply: what a WCF client would make of it. They are judged at the end, by all replies of the run.

use contract::LossKind;

use super::rule::{Finding, Findings, Stop};
use super::subject::Subject;

fn judge(subject: &Subject, findings: &mut Findings, found: Vec<Finding>) -> Result<(), Stop> {
    if subject.replies.get() == 0 {
        return Err(Stop::skip("no call was answered by a reply"));
    }
    findings.expect_all(true, String::new);
    for finding in found {
        findings.add(finding.text, finding.shown_by);
    }
    Ok(())
}

fn of_kind(subject: &Subject, kind: LossKind) -> Vec<Finding> {
    let lost = subject.lost.borrow();
    lost.iter().filter(|(found, _)| *found == kind).map(|(_, finding)| finding.clone()).collect()
}

macro_rules! losses_of {
    ($($name:ident: $kind:ident;)+) => {
        $(pub(super) async fn $name(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
            judge(subject, findings, of_kind(subject, LossKind::$kind))
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

pub(super) async fn http(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    judge(subject, findings, subject.http.borrow().clone())
}

pub(super) async fn states(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    judge(subject, findings, subject.states.borrow().clone())
}

pub(super) async fn explained(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    judge(subject, findings, subject.unexplained.borrow().clone())
}
