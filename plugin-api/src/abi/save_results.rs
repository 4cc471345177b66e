//! The results of a save on the host's side, and the outcome that they make together.

use std::fmt::Write;

use super::RowRef;
use crate::{Actor, ErrorKind, LocalizedText, Outcome, State, error_code};

/// Actors that an outcome names at most.
const MAX_NAMED: usize = 10;
/// Characters of a key, and of a reason, that an outcome has at most.
const MAX_KEY: usize = 60;
const MAX_REASON: usize = 400;

/// The result of one actor of a save, as a host receives it.
#[derive(Debug, Clone)]
pub enum SaveResult<'a> {
    /// It was saved, and is so now.
    Saved(RowRef<'a>),
    /// It was refused, or it is unknown whether it was saved: see [`ErrorKind::UnknownOutcome`].
    NotSaved(Outcome),
}

/// Collects the results of a save.
#[derive(Debug, Clone)]
pub struct SaveResults {
    names: Vec<ActorName>,
    results: Vec<Option<Result<(), Outcome>>>,
    is_together: bool,
}

/// Actor type and key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActorName {
    /// The actor type.
    pub actor_type: String,
    /// The key.
    pub key: String,
}

/// How a save ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaveReport {
    /// The outcome of the whole: Error when no actor was saved, Warning when some were not.
    pub outcome: Outcome,
    /// The actors that were refused, and those that may not have been saved.
    pub not_saved: Vec<NotSaved>,
}

/// An actor that was refused, or that may not have been saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotSaved {
    /// Its position among the actors of the save.
    pub position: usize,
    /// Its actor type and key.
    pub name: ActorName,
    /// The reason; of the kind [`ErrorKind::UnknownOutcome`] when it is unknown.
    pub why: Outcome,
}

impl SaveResults {
    /// For these actors, saved in one transaction or not.
    pub fn new(actors: &[Actor], is_together: bool) -> Self {
        let name = |actor: &Actor| ActorName { actor_type: actor.actor_type.clone(), key: actor.key.clone() };
        let names: Vec<_> = actors.iter().map(name).collect();
        SaveResults { results: vec![None; names.len()], names, is_together }
    }

    /// Sets the result of the actor at this position. Returns whether it is its first one: others do not count.
    pub fn set(&mut self, position: usize, result: Result<(), Outcome>) -> bool {
        match self.results.get_mut(position) {
            Some(empty @ None) => {
                *empty = Some(result);
                true
            }
            _ => false,
        }
    }

    /// Whether any actor has a result.
    pub fn has_any(&self) -> bool {
        self.results.iter().any(Option::is_some)
    }

    /// The report, with the outcome of the method. Actors without a result have its error; if there is none, it is unknown whether
    /// they were saved.
    pub fn report(self, end: Outcome) -> SaveReport {
        let has_saved = self.results.contains(&Some(Ok(())));
        let has_reason = self.results.iter().any(|result| matches!(result, Some(Err(_))));
        let is_complete = self.results.iter().all(Option::is_some);
        match (end.state.is_ok(), has_reason) {
            (true, false) if is_complete => SaveReport { outcome: end, not_saved: Vec::new() },
            (false, false) if self.is_together || !has_saved => {
                let names = self.names.into_iter().enumerate();
                let not_saved = names.map(|(position, name)| NotSaved { position, name, why: end.clone() });
                SaveReport { not_saved: not_saved.collect(), outcome: end }
            }
            // What failed after all were saved changes nothing about them.
            (false, false) if is_complete => {
                SaveReport { outcome: Outcome { state: State::Warning, ..end }, not_saved: Vec::new() }
            }
            _ if self.is_together => self.report_together(end),
            _ => self.report_each(end),
        }
    }

    /// The reason of an actor without a result.
    fn without_result(end: &Outcome) -> Outcome {
        if !end.state.is_ok() {
            return end.clone();
        }
        Outcome {
            state: State::Error,
            user: Some("the connector has not answered whether it was saved".to_owned()),
            tech: Some("its method save returned Ok, and gave no result of this actor".to_owned()),
            code: None,
            kind: ErrorKind::UnknownOutcome,
        }
    }

    /// Nothing is saved, because of one.
    fn report_together(self, end: Outcome) -> SaveReport {
        let reason = |(at, result): (usize, &Option<Result<(), Outcome>>)| match result {
            Some(Err(why)) => Some((at, why.clone())),
            _ => None,
        };
        let missing = || Some((self.results.iter().position(Option::is_none)?, Self::without_result(&end)));
        let cause = self.results.iter().enumerate().find_map(reason).or_else(missing);
        let Some((at, why)) = cause else { return SaveReport { outcome: end, not_saved: Vec::new() } };
        let name = self.names[at].to_string();
        let what = match why.kind {
            ErrorKind::UnknownOutcome => "it is unknown whether anything was saved",
            _ => "nothing was saved",
        };
        let reasons = [LocalizedText::parse(why.user.as_deref().unwrap_or_default())];
        let user = localized(&reasons, |language| {
            format!("{what}, because of {name}: {}", reasons[0].get(language))
        });
        let outcome = Outcome { user: Some(user), ..why.clone() };
        let other = Outcome { user: Some(format!("{what}, because of {name}")), ..why.clone() };
        let names = self.names.into_iter().enumerate();
        let not_saved = names.map(|(position, name)| {
            let why = if position == at { why.clone() } else { other.clone() };
            NotSaved { position, name, why }
        });
        SaveReport { outcome, not_saved: not_saved.collect() }
    }

    /// Some are saved, or each has a reason of its own.
    fn report_each(self, end: Outcome) -> SaveReport {
        let count = self.names.len();
        let results = self.names.into_iter().zip(self.results).enumerate();
        let not_saved: Vec<NotSaved> = results
            .filter_map(|(position, (name, result))| match result {
                Some(Ok(())) => None,
                Some(Err(why)) => Some(NotSaved { position, name, why }),
                None => Some(NotSaved { position, name, why: Self::without_result(&end) }),
            })
            .collect();
        let saved = count - not_saved.len();
        let reports = if end.state.is_ok() { end } else { Outcome::ok() };
        let all_have = |has: &dyn Fn(&Outcome) -> bool| not_saved.iter().all(|one| has(&one.why));
        let any_has = |kind: ErrorKind| not_saved.iter().any(|one| one.why.kind == kind);
        let code_of = |why: &Outcome| why.code.clone().or(why.kind.code().map(str::to_owned));
        let first = not_saved.first().map(|one| &one.why);
        let kind = match first {
            Some(first) if all_have(&|why| why.kind == first.kind) => first.kind,
            _ if any_has(ErrorKind::UnknownOutcome) => ErrorKind::UnknownOutcome,
            _ => ErrorKind::Failed,
        };
        let code =
            first.and_then(code_of).filter(|code| all_have(&|why| code_of(why).as_ref() == Some(code)));
        let (state, code, kind) = match saved {
            0 => (State::Error, code, kind),
            // The connection is opened again all the same.
            _ if any_has(ErrorKind::Reopen) => {
                (State::Warning, Some(error_code::PARTLY_SAVED.to_owned()), ErrorKind::Reopen)
            }
            _ => (State::Warning, Some(error_code::PARTLY_SAVED.to_owned()), ErrorKind::Failed),
        };
        let user = user_text(&not_saved, saved, count, reports.user.as_deref());
        // The reply has the kind of a single one anyway.
        let tech = match not_saved.as_slice() {
            [one] if count == 1 => one.why.tech.clone(),
            all => Some(tech_text(all, reports.tech.as_deref())),
        };
        SaveReport { outcome: Outcome { state, user: Some(user), tech, code, kind }, not_saved }
    }
}

/// For the user: a line for each actor, up to a number, in each language that there is a reason in.
fn user_text(not_saved: &[NotSaved], saved: usize, count: usize, report: Option<&str>) -> String {
    let named = &not_saved[..not_saved.len().min(MAX_NAMED)];
    let reasons: Vec<LocalizedText> = named
        .iter()
        .map(|one| one.why.user.as_deref().unwrap_or_default())
        .chain(report)
        .map(LocalizedText::parse)
        .collect();
    localized(&reasons, |language| {
        let mut lines = Vec::new();
        match saved {
            _ if count == 1 => {}
            0 => lines.push(format!("none of {count} actors was saved")),
            saved => lines.push(format!("{saved} of {count} actors were saved")),
        }
        for (NotSaved { name, why, .. }, reason) in named.iter().zip(&reasons) {
            let what = if why.kind == ErrorKind::UnknownOutcome {
                "may or may not be saved"
            } else {
                "is not saved"
            };
            lines.push(format!("{name} {what}: {}", shortened(reason.get(language), MAX_REASON)));
        }
        if not_saved.len() > named.len() {
            lines.push(format!("and {} more", not_saved.len() - named.len()));
        }
        lines.extend(report.and(reasons.last()).map(|report| report.get(language).to_owned()));
        lines.join("\n")
    })
}

/// For technicians: how many there are of each kind, then each with its kind.
fn tech_text(not_saved: &[NotSaved], report: Option<&str>) -> String {
    let of_kind = |kind: ErrorKind| not_saved.iter().filter(|one| one.why.kind == kind).count();
    let counts = ErrorKind::ALL.iter().map(|kind| (kind, of_kind(*kind))).filter(|(_, count)| *count > 0);
    let counts: Vec<String> = counts.map(|(kind, count)| format!("{count} {kind}")).collect();
    let mut text = format!("not saved: {}", counts.join(", "));
    for NotSaved { name, why, .. } in not_saved.iter().take(MAX_NAMED) {
        let _ = write!(text, "; {name}: {}", why.kind);
        if let Some(tech) = why.tech.as_deref().filter(|tech| !tech.is_empty()) {
            let _ = write!(text, ": {}", shortened(tech, MAX_REASON));
        }
    }
    if let Some(report) = report {
        let _ = write!(text, "; {report}");
    }
    text
}

/// A text in each language that one of the reasons is in; a plain text if none is in any.
fn localized(reasons: &[LocalizedText], text: impl Fn(&str) -> String) -> String {
    let mut languages: Vec<&str> = Vec::new();
    for (language, _) in reasons.iter().flat_map(LocalizedText::iter) {
        if !language.is_empty() && !languages.contains(&language) {
            languages.push(language);
        }
    }
    if languages.is_empty() {
        return text("US");
    }
    // A quote could end the text of a language.
    let of_language =
        |all: LocalizedText, language: &&str| all.with(*language, text(language).replace('"', "'"));
    languages.iter().fold(LocalizedText::default(), of_language).to_string()
}

fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}..", &text[..end]),
        None => text.to_owned(),
    }
}

impl std::fmt::Display for ActorName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?}", shortened(&self.actor_type, MAX_KEY), shortened(&self.key, MAX_KEY))
    }
}

#[cfg(test)]
mod tests;
