//! An open connection: the workbook's actors and lists, for reading and writing.

use std::collections::HashSet;
use std::sync::Arc;

use plugin_api::{
    Actor, Connection, Error, Field, FieldType, ListItem, Matcher, Operator, Outcome, Parent, Restriction,
    Result, Rows, Value,
};

use crate::file::WorkbookFile;
use crate::workbook::Table;
use crate::write::plan::{Plan, Planner};

/// A connection to one workbook.
pub struct ExcelConnection {
    file: Arc<WorkbookFile>,
    read_only: bool,
}

impl ExcelConnection {
    /// Opens the workbook and reads it.
    pub(crate) fn open(file: Arc<WorkbookFile>, read_only: bool) -> Result<Self> {
        file.workbook()?;
        Ok(ExcelConnection { file, read_only })
    }

    #[cfg(test)]
    pub(crate) fn file(&self) -> &WorkbookFile {
        &self.file
    }

    fn write(&self, plan: impl Fn(Planner<'_>) -> Result<Plan>, rows: &mut Rows<'_>) -> Result<Outcome> {
        if self.read_only {
            return Err(Error::user("the connection is read only: nothing was written")
                .tech("the setting ReadOnly is on"));
        }
        let (workbook, plan) = self.file.write(plan)?;
        for (actor_type, key) in &plan.touched {
            let table = workbook.table(actor_type)?;
            if let Some(number) = table.find(key) {
                rows.push(&actor(table, number, rows))?;
            }
        }
        Ok(Outcome::ok())
    }
}

impl Connection for ExcelConnection {
    fn test(&self) -> Result<Outcome> {
        let workbook = self.file.workbook()?;
        let tables = workbook.tables.iter().map(|table| format!("{} {}", table.len(), table.actor_type));
        let lists = workbook.lists.iter().map(|list| format!("list {} with {}", list.name, list.items.len()));
        let found: Vec<String> = tables.chain(lists).collect();
        let outcome = match workbook.problems.as_slice() {
            [] => Outcome::ok(),
            problems => Outcome::warning(problems.join("; ")),
        };
        Ok(outcome.tech(format!("found {}", found.join(", "))))
    }

    fn actor_types(&self) -> Result<Vec<String>> {
        Ok(self.file.workbook()?.tables.iter().map(|table| table.actor_type.to_owned()).collect())
    }

    fn fields(&self, actor_type: &str) -> Result<Vec<Field>> {
        Ok(self.file.workbook()?.table(actor_type)?.fields())
    }

    fn actors(&self, actor_type: &str, rows: &mut Rows<'_>) -> Result<Outcome> {
        let workbook = self.file.workbook()?;
        let table = workbook.table(actor_type)?;
        push(table, 0..table.len(), rows)
    }

    fn get(&self, actor_type: &str, keys: &[&str], rows: &mut Rows<'_>) -> Result<Outcome> {
        let workbook = self.file.workbook()?;
        let table = workbook.table(actor_type)?;
        let mut sent = HashSet::with_capacity(keys.len());
        let found = keys.iter().filter_map(|key| table.find(key)).filter(|number| sent.insert(*number));
        push(table, found, rows)
    }

    // The searches could be left to the trait. Here they see one state of the workbook from beginning to end, and no row
    // is written that is not sent.
    fn search(&self, actor_type: &str, restrictions: &[Restriction], rows: &mut Rows<'_>) -> Result<Outcome> {
        let workbook = self.file.workbook()?;
        let table = workbook.table(actor_type)?;
        let matcher = Matcher::new(restrictions, &table.fields())?;
        push(table, (0..table.len()).filter(|number| matcher.matches(&Candidate::new(table, *number))), rows)
    }

    fn search_text(
        &self,
        actor_type: &str,
        text: &str,
        parent: Option<&Parent>,
        rows: &mut Rows<'_>,
    ) -> Result<Outcome> {
        let workbook = self.file.workbook()?;
        let table = workbook.table(actor_type)?;
        let matchers = text_matchers(table, text.trim(), parent)?;
        let has_text = |number: &usize| {
            let candidate = Candidate::new(table, *number);
            matchers.iter().any(|matcher| matcher.matches(&candidate))
        };
        push(table, (0..table.len()).filter(has_text), rows)
    }

    fn changed_since(&self, actor_type: &str, stamp: Option<&str>, rows: &mut Rows<'_>) -> Result<Outcome> {
        let workbook = self.file.workbook()?;
        let table = workbook.table(actor_type)?;
        push(table, table.changed_since(stamp.unwrap_or_default()).iter().copied(), rows)
    }

    fn create(&self, actor: &Actor, rows: &mut Rows<'_>) -> Result<Outcome> {
        self.write(|planner| planner.create(actor), rows)
    }

    fn save(&self, actors: &[Actor], rows: &mut Rows<'_>) -> Result<Outcome> {
        self.write(|planner| planner.save(actors), rows)
    }

    fn list(&self, name: &str) -> Result<Option<Vec<ListItem>>> {
        let workbook = self.file.workbook()?;
        Ok(workbook.list(name).map(|list| list.items.clone()))
    }
}

/// The field that stands for the key of an actor in a text search. No column has such a name.
const KEY: &str = "\u{0}key";

/// One matcher for each place where the text may stand: a text field, or the key as a whole.
fn text_matchers(table: &Table, text: &str, parent: Option<&Parent>) -> Result<Vec<Matcher>> {
    let below = parent.into_iter().flat_map(|parent| {
        [(Restriction::PARENT_TYPE, &parent.actor_type), (Restriction::PARENT_KEY, &parent.key)]
    });
    let below: Vec<_> =
        below.map(|(field, value)| Restriction::new(field, Operator::Equal, [value.as_str()])).collect();
    if text.is_empty() {
        return Ok(vec![Matcher::new(&below, &[])?]);
    }
    let texts = table.columns.iter().map(|column| &column.field);
    let texts = texts.filter(|field| field.field_type == FieldType::Text);
    let places =
        texts.map(|field| (field.clone(), Operator::Contains)).chain([(Field::text(KEY), Operator::Equal)]);
    places
        .map(|(field, operator)| {
            let mut restrictions = below.clone();
            restrictions.push(Restriction::new(field.key.as_str(), operator, [text]));
            Matcher::new(&restrictions, &[field])
        })
        .collect()
}

/// An actor of a table, held against restrictions where it stands.
struct Candidate<'t> {
    table: &'t Table,
    number: usize,
}

impl<'t> Candidate<'t> {
    fn new(table: &'t Table, number: usize) -> Self {
        Candidate { table, number }
    }
}

impl plugin_api::Candidate for Candidate<'_> {
    fn parent(&self) -> Option<(&str, &str)> {
        self.table.parent(self.number)
    }

    fn value(&self, field: &str) -> Option<&str> {
        if field == KEY {
            return Some(self.table.key(self.number));
        }
        self.table.columns.iter().find(|column| column.field.key == field)?.value(self.number)
    }
}

/// Pushes actors of a table by their numbers.
fn push(table: &Table, actors: impl Iterator<Item = usize>, rows: &mut Rows<'_>) -> Result<Outcome> {
    // Asked once, not for every row.
    let columns: Vec<_> = table.columns.iter().filter(|column| rows.wants(&column.field.key)).collect();
    for number in actors {
        let mut row = rows.row(table.key(number));
        row.last_modified(table.stamp(number));
        if let Some((actor_type, key)) = table.parent(number) {
            row.parent(actor_type, key);
        }
        for column in &columns {
            row.field(&column.field.key, column.value(number));
        }
        row.end()?;
    }
    Ok(Outcome::ok())
}

/// An actor of its own: a save may hold several types.
fn actor(table: &Table, number: usize, rows: &Rows<'_>) -> Actor {
    let columns = table.columns.iter().filter(|column| rows.wants(&column.field.key));
    let fields = columns.map(|column| {
        let value: Value<'_> = column.value(number).into();
        (column.field.key.clone(), value.to_wire().map(std::borrow::Cow::into_owned))
    });
    Actor {
        actor_type: table.actor_type.to_owned(),
        key: table.key(number).to_owned(),
        last_modified: Some(table.stamp(number).to_owned()),
        parent: table
            .parent(number)
            .map(|(actor_type, key)| Parent { actor_type: actor_type.to_owned(), key: key.to_owned() }),
        fields: fields.collect(),
    }
}
