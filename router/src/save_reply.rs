//! The reply to a save, and the results of its actors, shared by the thread that the connector runs on and the task that waits for
//! it: at the deadline the reply has what was saved until then.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Mutex, MutexGuard, PoisonError};

use plugin_api::abi::{self, SaveReport, SaveResult, SaveResults};
use plugin_api::{Actor, ErrorKind, LocalizedText, Outcome};

use super::reply::{ActorsReplyWriter, NotSaved, NotSavedReason, WrittenReply};
use erp_host_input_check::Refusal;

/// The reply to a save that runs. Empty before it begins, and after the reply was taken.
#[derive(Default)]
pub(super) struct SaveReply(Mutex<Option<Begun>>);

struct Begun {
    reply: ActorsReplyWriter,
    results: SaveResults,
    /// Why the host has refused actors, without values, by their places.
    refused: BTreeMap<usize, String>,
}

impl SaveReply {
    /// Begins the save of these actors, in one transaction or not.
    pub(super) fn begin(&self, actors: &[Actor], is_together: bool, reply: ActorsReplyWriter) {
        let results = SaveResults::new(actors, is_together);
        *self.lock() = Some(Begun { reply, results, refused: BTreeMap::new() });
    }

    /// The host refuses the actor at this place.
    pub(super) fn refuse(&self, place: usize, refusal: Refusal) {
        if let Some(begun) = self.lock().as_mut() {
            begun.results.set(place, Err(refusal.to_error().to_outcome()));
            begun.refused.insert(place, refusal.reason);
        }
    }

    /// Takes the connector's result of the actor at this place. `Break` when the reply cannot be kept, or was taken.
    pub(super) fn push(&self, place: usize, result: SaveResult<'_>) -> ControlFlow<()> {
        let mut begun = self.lock();
        let Some(begun) = begun.as_mut() else { return ControlFlow::Break(()) };
        match result {
            SaveResult::NotSaved(why) => {
                begun.results.set(place, Err(why));
                ControlFlow::Continue(())
            }
            SaveResult::Saved(row) if begun.results.set(place, Ok(())) => begun.reply.push(&row),
            SaveResult::Saved(_) => ControlFlow::Continue(()),
        }
    }

    /// The reply, with the outcome of the call; `None` when it was taken before.
    pub(super) fn finish(&self, end: Outcome) -> Option<WrittenReply> {
        let begun = self.lock().take();
        begun.map(|begun| begun.finish(end))
    }

    /// The reply to a save that still runs; `None` when no actor has a result yet.
    pub(super) fn finish_early(&self, end: Outcome) -> Option<WrittenReply> {
        let begun = self.lock().take();
        begun.filter(|begun| begun.results.has_any()).map(|begun| begun.finish(end))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Begun>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Begun {
    fn finish(self, end: Outcome) -> WrittenReply {
        let SaveReport { outcome, not_saved } = self.results.report(end);
        let reply = self.reply.finish(&outcome);
        let mut refused = self.refused;
        let first_refusal = refused.values().next().cloned();
        let not_saved = not_saved.into_iter().map(|abi::NotSaved { position, name, why }| {
            let reason = match refused.remove(&position) {
                Some(reason) => NotSavedReason::Host(reason),
                None => {
                    let user = LocalizedText::parse(why.user.as_deref().unwrap_or_default());
                    NotSavedReason::Connector(why.kind, user.get("US").to_owned())
                }
            };
            NotSaved { name, reason }
        });
        // A connection that has to be opened again is, also if some actors were saved.
        let reopens = (outcome.kind == ErrorKind::Reopen).then_some(ErrorKind::Reopen);
        let (not_saved, kind) = (not_saved.collect(), reply.kind.or(reopens));
        WrittenReply { not_saved, kind, refused: first_refusal, ..reply }
    }
}
