//! Answering with actors, row by row.

use std::fmt::Display;

use crate::abi::{Message, MessageRef, RowRef, RowWriter};
use crate::{Actor, ActorRow, Context, Result, Value};

/// Text bytes after which a batch of rows is handed over.
const BATCH_BYTES: usize = 64 * 1024;
/// Text bytes, and marks, that a batch has room for before it grows: a row or two.
const ROOM_FOR_TEXT: usize = 1000;
const ROOM_FOR_MARKS: usize = 128;

/// Where a method pushes the actors that it answers with. Rows are handed to the host in batches while the method
/// runs, so the whole answer never stands in the connector's memory.
///
/// ```
/// # use plugin_api::{Result, Rows};
/// struct Customer { id: u32, name: String, limit: f64, changed: String }
///
/// fn list(customers: &[Customer], rows: &mut Rows<'_>) -> Result<()> {
///     for customer in customers {
///         rows.row(customer.id)
///             .last_modified(&customer.changed)
///             .field("NAME", &customer.name)
///             .field("LIMIT", customer.limit)
///             .end()?;
///     }
///     Ok(())
/// }
/// ```
pub struct Rows<'a> {
    actor_type: &'a str,
    /// The keys of the fields to send; `None` for all.
    selection: Option<&'a [&'a str]>,
    filters: Vec<&'a dyn RowFilter>,
    batch: Message,
    sink: &'a mut dyn RowSink,
    cx: Context,
    /// No more rows are wanted once the call is cancelled: it only reads.
    stops: bool,
}

/// Decides which rows of an answer are sent. See [`Rows::filtered`].
pub trait RowFilter {
    /// Whether the filter looks at this field: such a field is written even when the caller did not ask for it, and
    /// taken out again before the row is sent.
    fn needs(&self, field: &str) -> bool;

    /// Whether the row is sent.
    fn matches(&self, row: &RowRef<'_>) -> bool;
}

/// Takes the batches of rows of a [`Rows`].
pub trait RowSink {
    /// Takes a batch; fails when no more rows are wanted.
    fn push(&mut self, batch: MessageRef<'_>) -> Result<()>;
}

/// A row that is being written: see [`Rows::row`]. A row that is not ended is not sent.
pub struct Row<'r, 'a> {
    rows: &'r mut Rows<'a>,
    /// Where the row begins in the batch.
    start: (usize, usize),
    /// Whether a field was written that a filter needs but the caller did not ask for.
    has_extra: bool,
    ended: bool,
}

impl<'a> Rows<'a> {
    /// Rows of an actor type that go to this sink, with the selected fields; `None` for all. A host makes them, and so does
    /// a test: an author is given them.
    pub fn new(actor_type: &'a str, selection: Option<&'a [&'a str]>, sink: &'a mut dyn RowSink) -> Self {
        Rows {
            actor_type,
            selection,
            filters: Vec::new(),
            batch: Message::with_room(ROOM_FOR_TEXT, ROOM_FOR_MARKS),
            sink,
            cx: Context::default(),
            stops: false,
        }
    }

    /// The rows of a call. One that only reads takes no more rows once it is cancelled.
    pub(crate) fn set_call(&mut self, cx: &Context, only_reads: bool) {
        self.cx = cx.clone();
        self.stops = only_reads;
    }

    /// The rows of a call that reads.
    #[must_use]
    pub fn of_call(mut self, cx: &Context) -> Self {
        self.set_call(cx, true);
        self
    }

    /// The same rows behind a filter: a row that is pushed there is sent if the filter lets it pass.
    pub fn filtered<'f>(&'f mut self, filter: &'f dyn RowFilter) -> Result<Rows<'f>> {
        self.flush()?;
        let mut filters: Vec<&'f dyn RowFilter> = self.filters.clone();
        filters.push(filter);
        Ok(Rows {
            actor_type: self.actor_type,
            selection: self.selection,
            filters,
            batch: Message::with_room(ROOM_FOR_TEXT, ROOM_FOR_MARKS),
            sink: &mut *self.sink,
            cx: self.cx.clone(),
            stops: self.stops,
        })
    }

    /// Whether a field will be looked at. Use it to skip values that are expensive to make.
    pub fn wants(&self, field: &str) -> bool {
        self.selects(field) || self.is_filtered_by(field)
    }

    /// Begins a row of the actor type that was asked for.
    pub fn row(&mut self, key: impl Display) -> Row<'_, 'a> {
        let actor_type = self.actor_type;
        self.row_of(actor_type, key)
    }

    /// Begins a row of another actor type: a save may hold several.
    pub fn row_of(&mut self, actor_type: &str, key: impl Display) -> Row<'_, 'a> {
        let start = (self.batch.text_len(), self.batch.mark_count());
        RowWriter::new(&mut self.batch).begin(actor_type, key);
        Row { rows: self, start, has_extra: false, ended: false }
    }

    /// Pushes an actor.
    ///
    /// # Errors
    /// The host wants no more rows: return the error as it is.
    pub fn push(&mut self, actor: &Actor) -> Result<()> {
        let mut row = self.row_of(&actor.actor_type, &actor.key);
        if let Some(stamp) = &actor.last_modified {
            row.last_modified(stamp);
        }
        if let Some(parent) = &actor.parent {
            row.parent(&parent.actor_type, &parent.key);
        }
        for (key, value) in &actor.fields {
            row.field(key, value.as_deref());
        }
        row.end()
    }

    /// Pushes an actor that is a struct of the author's.
    ///
    /// # Errors
    /// The host wants no more rows: return the error as it is.
    pub fn push_row(&mut self, actor: &impl ActorRow) -> Result<()> {
        fn push<A: ActorRow>(rows: &mut Rows<'_>, actor: &A) -> Result<()> {
            let mut row = rows.row_of(A::ACTOR_TYPE, actor.key());
            actor.write(&mut row);
            row.end()
        }
        push(self, actor)
    }

    /// Hands over what is still in the batch. The caller of a method does it when the method has returned.
    pub(crate) fn flush(&mut self) -> Result<()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let pushed = self.sink.push(self.batch.as_ref());
        self.batch.clear();
        pushed
    }

    fn is_filtered_by(&self, field: &str) -> bool {
        self.filters.iter().any(|filter| filter.needs(field))
    }

    fn selects(&self, field: &str) -> bool {
        self.selection.is_none_or(|keys| keys.contains(&field))
    }
}

impl Drop for Rows<'_> {
    fn drop(&mut self) {
        // A filtered `Rows` ends where it was made; its last batch goes with it. A host that wants no more rows returns
        // the same error at the next batch, so it may be ignored here. After a panic the rows are not used.
        if !std::thread::panicking() {
            let _ = self.flush();
        }
    }
}

impl Row<'_, '_> {
    /// Sets the stamp of the last change; without one the actor has none.
    pub fn last_modified(&mut self, stamp: &str) -> &mut Self {
        if !self.ended {
            RowWriter::new(&mut self.rows.batch).last_modified(stamp);
        }
        self
    }

    /// Sets the actor that this one belongs to.
    pub fn parent(&mut self, actor_type: &str, key: &str) -> &mut Self {
        if !self.ended {
            RowWriter::new(&mut self.rows.batch).parent(actor_type, key);
        }
        self
    }

    /// Adds a field, if it was asked for. A text goes out as it is, so a value in wire form may be passed on.
    pub fn field<'v>(&mut self, key: &str, value: impl Into<Value<'v>>) -> &mut Self {
        let selected = self.rows.selects(key);
        if !self.ended && (selected || self.rows.is_filtered_by(key)) {
            self.has_extra |= !selected;
            RowWriter::new(&mut self.rows.batch).field(key, &value.into());
        }
        self
    }

    /// Ends the row and sends it, if the filters let it pass. What is done to the row afterwards has no effect.
    ///
    /// # Errors
    /// The host wants no more rows: return the error as it is.
    pub fn end(&mut self) -> Result<()> {
        if self.ended {
            return Ok(());
        }
        self.ended = true;
        RowWriter::new(&mut self.rows.batch).end();
        let wanted = if self.rows.stops { self.rows.cx.check() } else { Ok(()) };
        let passed = wanted.and_then(|()| self.filter());
        if !matches!(passed, Ok(true)) {
            self.rows.batch.truncate(self.start.0, self.start.1);
            return passed.map(drop);
        }
        if self.rows.batch.text_len() >= BATCH_BYTES { self.rows.flush() } else { Ok(()) }
    }

    /// Whether the filters let the row pass. Takes out what only they needed.
    fn filter(&mut self) -> Result<bool> {
        if self.rows.filters.is_empty() {
            return Ok(true);
        }
        let (text, marks) = self.start;
        let row = RowRef::read(&mut self.rows.batch.since(text, marks).reader())?;
        if !self.rows.filters.iter().all(|filter| filter.matches(&row)) {
            return Ok(false);
        }
        if self.has_extra {
            let selected = row.with_fields(|key| self.rows.selects(key));
            self.rows.batch.truncate(text, marks);
            self.rows.batch.put_message(selected.as_ref());
        }
        Ok(true)
    }
}

impl Drop for Row<'_, '_> {
    fn drop(&mut self) {
        if !self.ended {
            self.rows.batch.truncate(self.start.0, self.start.1);
        }
    }
}
