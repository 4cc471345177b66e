//! Saving actors: each gets a result of its own.

use crate::abi::{Message, MessageRef, RowRef, RowSink};
use crate::{Actor, Context, Error, ErrorKind, Outcome, Result, Rows};

/// The actors that [`Connection::save`](crate::Connection::save) has to save, and their results. An actor is *saved*, with a row
/// that shows it as it is now; *refused*, with a reason, and has not changed; or it is *unknown* whether it was saved.
///
/// [`each`](Saves::each) saves one actor after the other:
///
/// ```
/// use plugin_api::{Error, Result, Saves};
/// # use plugin_api::Actor;
/// # fn write(changes: &Actor) -> Result<Actor> { Ok(changes.clone()) }
///
/// fn save(saves: &mut Saves<'_>) -> Result<()> {
///     saves.each(|changes, rows| {
///         if changes.text("NAME").is_empty() {
///             return Err(Error::user("a customer needs a name"));
///         }
///         rows.push(&write(changes)?)
///     })
/// }
/// ```
///
/// A connection that saves several actors by one request to its ERP system gives each its result afterwards, by
/// [`saved`](Saves::saved), [`refused`](Saves::refused) and [`unknown`](Saves::unknown). When the method returns an error, the actors
/// that have a result keep it, and all others have that error. When it returns Ok, an actor without a result is a mistake of the
/// connector: it is unknown whether it was saved.
///
/// With [`SAVES_TOGETHER`](crate::Connection::SAVES_TOGETHER) all are saved or none: the first actor that is refused ends
/// [`each`](Saves::each) with an error, and so nothing may be changed.
pub struct Saves<'a> {
    actors: &'a [Actor],
    has_result: Vec<bool>,
    /// All actors before this position have a result.
    next: usize,
    is_together: bool,
    sink: &'a mut dyn SaveSink,
    cx: Context,
}

/// Takes the results of a [`Saves`]. Each is handed over at once: after a crash the host has those that were given before.
pub trait SaveSink {
    /// Takes the row of the actor at this position.
    ///
    /// # Errors
    /// Rows are not wanted any more.
    fn saved(&mut self, position: usize, row: MessageRef<'_>) -> Result<()>;

    /// Takes the reason why the actor at this position was not saved, or may not have been.
    ///
    /// # Errors
    /// Results are not wanted any more.
    fn not_saved(&mut self, position: usize, why: &Outcome) -> Result<()>;
}

impl<'a> Saves<'a> {
    /// Actors to be saved, in one transaction or not, whose results go to this sink. A host makes them, and so does a test: an
    /// author is given them.
    pub fn new(actors: &'a [Actor], is_together: bool, cx: &Context, sink: &'a mut dyn SaveSink) -> Self {
        let has_result = vec![false; actors.len()];
        Saves { actors, has_result, next: 0, is_together, sink, cx: cx.clone() }
    }

    /// The actors to be saved. Only the fields that came are to be changed, and none that
    /// [`is_unchanged`](Actor::is_unchanged).
    pub fn actors(&self) -> &'a [Actor] {
        self.actors
    }

    /// Saves one actor after the other, those that have no result yet. `save` saves the actor that it is given, and pushes it as
    /// it is now, with its new stamp; an error refuses this one, and the others are saved all the same.
    ///
    /// After an error that concerns all of them ([`Settings`](ErrorKind::Settings), [`Unavailable`](ErrorKind::Unavailable),
    /// [`Reopen`](ErrorKind::Reopen)) and once the call is cancelled, no further actor is tried.
    ///
    /// # Errors
    /// No further actor was tried, for this reason: return the error as it is.
    pub fn each(&mut self, mut save: impl FnMut(&'a Actor, &mut Rows<'_>) -> Result<()>) -> Result<()> {
        for (position, actor) in self.actors.iter().enumerate() {
            if self.has_result[position] {
                continue;
            }
            self.cx.check()?;
            match self.row(actor, |rows| save(actor, rows)) {
                Ok(row) => self.set_saved(position, &row)?,
                Err(error) if concerns_all(error.kind()) => return Err(error),
                Err(error) => self.set_refused(position, error)?,
            }
        }
        Ok(())
    }

    /// The actor was saved. `push` pushes it as it is now; if that fails it is unknown how it is.
    ///
    /// # Errors
    /// There is no such actor to be saved, or it has a result; results are not wanted any more; or nothing is saved because of it.
    pub fn saved(&mut self, actor: &Actor, push: impl FnOnce(&mut Rows<'_>) -> Result<()>) -> Result<()> {
        let position = self.position(actor)?;
        match self.row(actor, push) {
            Ok(row) => self.set_saved(position, &row),
            Err(error) => self.set_refused(position, error.of_kind(ErrorKind::UnknownOutcome)),
        }
    }

    /// The actor was not saved, and has not changed; with an error of the kind [`UnknownOutcome`](ErrorKind::UnknownOutcome) it may
    /// have.
    ///
    /// # Errors
    /// As for [`saved`](Saves::saved).
    pub fn refused(&mut self, actor: &Actor, why: impl Into<Error>) -> Result<()> {
        let position = self.position(actor)?;
        self.set_refused(position, why.into())
    }

    /// It is unknown whether the actor was saved.
    ///
    /// # Errors
    /// As for [`saved`](Saves::saved).
    pub fn unknown(&mut self, actor: &Actor, why: impl Into<Error>) -> Result<()> {
        self.refused(actor, why.into().of_kind(ErrorKind::UnknownOutcome))
    }

    fn set_saved(&mut self, position: usize, row: &Message) -> Result<()> {
        self.has_result[position] = true;
        self.sink.saved(position, row.as_ref())
    }

    fn set_refused(&mut self, position: usize, why: Error) -> Result<()> {
        self.has_result[position] = true;
        self.sink.not_saved(position, &why.to_outcome())?;
        if self.is_together { Err(why) } else { Ok(()) }
    }

    /// The first actor of this type and key that has no result.
    fn position(&mut self, actor: &Actor) -> Result<usize> {
        while self.has_result.get(self.next) == Some(&true) {
            self.next += 1;
        }
        let is_it = |position: &usize| {
            let sent = &self.actors[*position];
            !self.has_result[*position] && sent.actor_type == actor.actor_type && sent.key == actor.key
        };
        (self.next..self.actors.len()).find(is_it).ok_or_else(|| {
            let Actor { actor_type, key, .. } = actor;
            Error::unknown_outcome("the connector mixes up the actors that it saves").tech(format!(
                "it gives a result of {actor_type} {key:?}, which is not to be saved or has a result"
            ))
        })
    }

    /// The row that is pushed for an actor.
    fn row(&self, actor: &Actor, push: impl FnOnce(&mut Rows<'_>) -> Result<()>) -> Result<Message> {
        let mut pushed = PushedRows(Message::with_room(256, 32));
        let mut rows = Rows::new(&actor.actor_type, None, &mut pushed);
        rows.set_call(&self.cx, false);
        push(&mut rows)?;
        rows.flush()?;
        drop(rows);
        let (mut reader, mut count) = (pushed.0.as_ref().reader(), 0);
        while !reader.is_empty() {
            RowRef::read(&mut reader)?;
            count += 1;
        }
        if count == 1 {
            return Ok(pushed.0);
        }
        Err(Error::unknown_outcome("the connector does not show how the actor is after it was saved").tech(
            format!("its method save has to push one row for each actor, and pushed {count} for this one"),
        ))
    }
}

/// Whether no other actor can be saved either.
fn concerns_all(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Settings | ErrorKind::Unavailable | ErrorKind::Reopen)
}

/// Keeps the rows that are pushed.
struct PushedRows(Message);

impl RowSink for PushedRows {
    fn push(&mut self, batch: MessageRef<'_>) -> Result<()> {
        self.0.put_message(batch);
        Ok(())
    }
}
