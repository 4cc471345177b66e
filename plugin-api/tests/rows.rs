//! Rows: what a connector writes is what the host reads.

#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

use proptest::prelude::*;

use erp_host_conformance::testing::collect;
use plugin_api::abi::{Message, MessageRef, RowRef, RowSink, RowWriter};
use plugin_api::{Actor, DateTime, Error, Result, RowFilter, Rows, Value};

/// Runs a method that answers with rows of the type `Customer`.
fn rows(selection: Option<&[&str]>, method: impl FnOnce(&mut Rows<'_>) -> Result<()>) -> Vec<Actor> {
    collect("Customer", selection, |_, rows| method(rows)).unwrap()
}

#[test]
fn rows_carry_every_kind_of_value() {
    let found = rows(None, |rows| {
        rows.row(7)
            .field("TEXT", "a")
            .field("NULL", Value::Null)
            .field("NONE", None::<i64>)
            .last_modified("s")
            .field("INTEGER", -5)
            .parent("Partner", "p")
            .field("DOUBLE", 1.5)
            .field("CHECKBOX", true)
            .field("DATE", DateTime::from_date(2026, 2, 3).unwrap())
            .field("WIRE", "[I:9]")
            .field("EMPTY", "")
            .end()
    });
    let expected = Actor::new("Customer", "7")
        .with("TEXT", "a")
        .with("NULL", None::<&str>)
        .with("NONE", None::<&str>)
        .with("INTEGER", "[I:-5]")
        .with("DOUBLE", "[F:1.5]")
        .with("CHECKBOX", "[I:1]")
        .with("DATE", "[DT:02/03/2026 00:00:00.0000000]")
        .with("WIRE", "[I:9]")
        .with("EMPTY", "")
        .below("Partner", "p")
        .stamped("s");
    assert_eq!(found, [expected]);
}

#[test]
fn actor_may_be_of_another_type_than_was_asked_for() {
    let person = Actor::new("Person", "1").with("NAME", "Ada");
    let found = rows(None, |rows| {
        rows.push(&person)?;
        rows.row_of("Person", 1).field("NAME", "Ada").end()
    });
    assert_eq!(found, [person.clone(), person]);
}

#[test]
fn row_that_is_not_ended_is_not_sent_and_a_row_ends_once() {
    let found = rows(None, |rows| {
        rows.row("begun").field("NAME", "x").last_modified("s");
        let mut row = rows.row("ended");
        row.end()?;
        row.field("NAME", "late").last_modified("late").parent("late", "late").end()?;
        drop(row);
        rows.row("begun").field("NAME", "x");
        rows.row("next").end()
    });
    assert_eq!(found, [Actor::new("Customer", "ended"), Actor::new("Customer", "next")]);
}

#[test]
fn only_the_fields_that_were_asked_for_are_sent() {
    for (selection, sent) in
        [(None, &["A", "B"][..]), (Some(&["B", "C"][..]), &["B"]), (Some(&["a"]), &[]), (Some(&[]), &[])]
    {
        let found = rows(selection, |rows| rows.row(1).field("A", 1).field("B", 2).end());
        let fields: Vec<_> = found[0].fields.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(fields, sent, "{selection:?}");
    }
}

/// Lets rows pass whose field holds the text.
struct Has(&'static str, &'static str);

impl RowFilter for Has {
    fn needs(&self, field: &str) -> bool {
        field == self.0
    }

    fn matches(&self, row: &RowRef<'_>) -> bool {
        row.field(self.0) == Some(Some(self.1))
    }
}

#[test]
fn filters_see_fields_that_were_not_asked_for() {
    let found = rows(Some(&["NAME"]), |rows| {
        assert!(rows.wants("NAME") && !rows.wants("CITY") && !rows.wants("KIND"));
        let in_oslo = Has("CITY", "Oslo");
        let mut rows = rows.filtered(&in_oslo)?;
        let shops = Has("KIND", "Shop");
        let mut rows = rows.filtered(&shops)?;
        assert!(rows.wants("NAME") && rows.wants("CITY") && rows.wants("KIND") && !rows.wants("ZIP"));
        rows.row(1).field("NAME", "a").field("CITY", "Oslo").field("KIND", "Shop").end()?;
        rows.row(2).field("NAME", "b").field("CITY", "Oslo").field("KIND", "Bank").end()?;
        rows.row(3).field("NAME", "c").field("CITY", "Bergen").field("KIND", "Shop").end()?;
        rows.row(4).field("CITY", "Oslo").last_modified("s").field("KIND", "Shop").field("NAME", "d").end()
    });
    let expected = [
        Actor::new("Customer", "1").with("NAME", "a"),
        Actor::new("Customer", "4").with("NAME", "d").stamped("s"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn rows_around_a_filtered_part_keep_their_order() {
    let found = rows(None, |rows| {
        rows.row("before").end()?;
        let filter = Has("CITY", "Oslo");
        let mut filtered = rows.filtered(&filter)?;
        filtered.row("in").field("CITY", "Oslo").end()?;
        filtered.row("out").field("CITY", "Bergen").end()?;
        drop(filtered);
        rows.row("after").end()
    });
    let keys: Vec<_> = found.iter().map(|actor| actor.key.as_str()).collect();
    assert_eq!(keys, ["before", "in", "after"]);
}

/// Counts batches, and takes no more after some.
struct Limited {
    batches: usize,
    most: usize,
    longest: usize,
}

impl RowSink for Limited {
    fn push(&mut self, batch: MessageRef<'_>) -> Result<()> {
        if self.batches == self.most {
            return Err(Error::user("no more rows are wanted"));
        }
        self.batches += 1;
        self.longest = self.longest.max(batch.text.len());
        Ok(())
    }
}

#[test]
fn rows_leave_in_batches_until_no_more_are_wanted() {
    let text = "x".repeat(1000);
    let mut sink = Limited { batches: 0, most: 3, longest: 0 };
    let mut rows = Rows::new("Customer", None, &mut sink);
    let mut pushed = 0;
    let error = loop {
        match rows.row(pushed).field("TEXT", &text).end() {
            Ok(()) => pushed += 1,
            Err(error) => break error,
        }
        assert!(pushed < 10_000, "the sink was never asked");
    };
    assert_eq!(error.user_text(), "no more rows are wanted");
    drop(rows);
    assert_eq!(sink.batches, 3);
    assert!(sink.longest >= 64 * 1024 && sink.longest < 66 * 1024, "{}", sink.longest);
}

/// Any text, with the ones that look like something else a little more often.
fn texts() -> impl Strategy<Value = String> {
    prop_oneof![4 => any::<String>(), 1 => "\\[(I|F|DT):.{0,12}\\]?", 1 => Just(String::new())]
}

fn actors() -> impl Strategy<Value = Actor> {
    let fields = prop::collection::vec((texts(), prop::option::of(texts())), 0..6);
    (texts(), texts(), prop::option::of(texts()), prop::option::of((texts(), texts())), fields).prop_map(
        |(actor_type, key, stamp, parent, fields)| Actor {
            actor_type,
            key,
            last_modified: stamp,
            parent: parent.map(|(actor_type, key)| plugin_api::Parent { actor_type, key }),
            fields,
            ..Actor::default()
        },
    )
}

proptest! {
    #[test]
    fn rows_round_trip_any_actors(sent in prop::collection::vec(actors(), 0..8)) {
        let push = |rows: &mut Rows<'_>| sent.iter().try_for_each(|actor| rows.push(actor));
        prop_assert_eq!(rows(None, push), sent);
    }

    #[test]
    fn rows_keep_the_rest_with_any_selection(actor in actors(), wanted in prop::collection::vec(texts(), 0..4)) {
        let mut message = Message::new();
        RowWriter::new(&mut message).actor(&actor);
        let row = RowRef::read(&mut message.as_ref().reader()).unwrap();
        let kept = row.with_fields(|key| wanted.iter().any(|wanted| wanted == key));
        let kept = RowRef::read(&mut kept.as_ref().reader()).unwrap();
        prop_assert_eq!((kept.actor_type, kept.key), (row.actor_type, row.key));
        let expected: Vec<_> = row.fields().filter(|(key, _)| wanted.iter().any(|wanted| wanted == key)).collect();
        prop_assert_eq!(kept.fields().collect::<Vec<_>>(), expected);
    }

    /// A row is read from whatever a broken plugin sends: it ends in an answer, never in a panic.
    #[test]
    fn reader_does_not_panic_on_any_message(text in any::<String>(), marks in prop::collection::vec(mark(), 0..24)) {
        let mut reader = MessageRef { text: &text, marks: &marks }.reader();
        while let Ok(row) = RowRef::read(&mut reader) {
            let fields = row.fields().count();
            prop_assert!(fields <= marks.len());
            row.with_fields(|_| true);
            row.field("NAME");
        }
    }

    /// Cutting a good message anywhere is noticed.
    #[test]
    fn truncated_message_is_malformed(actor in actors(), cut in any::<prop::sample::Index>()) {
        let mut message = Message::new();
        RowWriter::new(&mut message).actor(&actor);
        let whole = message.as_ref();
        let cut = MessageRef { text: whole.text, marks: &whole.marks[..cut.index(whole.marks.len())] };
        prop_assert!(RowRef::read(&mut cut.reader()).is_err());
    }
}

/// Marks that often mean something: tags, short lengths, null.
fn mark() -> impl Strategy<Value = u32> {
    prop_oneof![6 => 0..5u32, 1 => Just(u32::MAX), 1 => any::<u32>()]
}
