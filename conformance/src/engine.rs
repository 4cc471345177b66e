//! Checking the rules, one after the other.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;

use crate::rule::{Findings, Rule, Verdict};
use crate::rules::{rules, with_needed};
use crate::subject::Subject;

/// What happens while rules are checked.
#[derive(Debug, Clone, Copy)]
pub enum Progress<'p> {
    /// The check of a rule begins: which one of how many.
    Checking(&'p Rule, usize, usize),
    /// The check of a rule has ended.
    Checked(&'p Rule, &'p Verdict),
    /// Connections that were made are deleted, and closed.
    CleaningUp,
}

/// Checks these rules and those that they need; all if there are none. Ends early when `interrupted` is ready; then the second
/// value is true.
pub(crate) async fn check_all(
    subject: &Subject<'_>,
    only: &[u16],
    interrupted: impl Future<Output = ()>,
    progress: &mut dyn FnMut(Progress<'_>),
) -> (Vec<(Rule, Verdict)>, bool) {
    let mut interrupted = pin!(interrupted);
    let mut results = Vec::new();
    let mut rules = rules(subject.is_in_process());
    if !only.is_empty() {
        let chosen = with_needed(only);
        rules.retain(|(rule, _)| chosen.contains(&rule.number));
    }
    let count = rules.iter().filter(|(_, check)| check.is_some()).count();
    let mut at = 0;
    for (rule, check) in rules {
        let Some(check) = check else {
            results.push((rule, Verdict::NotApplicable));
            continue;
        };
        at += 1;
        progress(Progress::Checking(&rule, at, count));
        let mut findings = Findings::default();
        subject.clock.start_rule();
        let checked = unless(interrupted.as_mut(), check(subject, &mut findings)).await;
        let Some(checked) = checked else { return (results, true) };
        let verdict = findings.verdict(checked);
        if matches!(verdict, Verdict::Failed(_)) {
            subject.broken.borrow_mut().push(rule.number);
        }
        progress(Progress::Checked(&rule, &verdict));
        results.push((rule, verdict));
    }
    (results, false)
}

/// What a future comes to; `None` if the other one is ready before.
async fn unless<T>(
    mut interrupted: Pin<&mut impl Future<Output = ()>>,
    mut future: Pin<Box<dyn Future<Output = T> + '_>>,
) -> Option<T> {
    poll_fn(|context| match interrupted.as_mut().poll(context) {
        Poll::Ready(()) => Poll::Ready(None),
        Poll::Pending => future.as_mut().poll(context).map(Some),
    })
    .await
}
