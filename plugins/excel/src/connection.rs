//! An open connection: the workbook's actors and lists, for reading and writing.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use plugin_api::{
    Actor, ActorType, Connection, Context, Error, Field, ListItem, Matcher, Outcome, Parent, Restriction,
    Result, Rows, Saves, TextMatcher,
};

use crate::file::WorkbookFile;
use crate::reported_types::ReportedTypes;
use crate::typed_workbook::{TypedTable, TypedWorkbook};
use crate::write::plan::{Plan, Planner};

/// A connection to one workbook.
pub struct ExcelConnection {
    file: Arc<WorkbookFile>,
    read_only: bool,
    reported: ReportedTypes,
    /// The workbook of the last call.
    cached: Mutex<Option<Arc<TypedWorkbook>>>,
}

impl ExcelConnection {
    /// Opens the workbook and reads it.
    pub(crate) fn open(file: Arc<WorkbookFile>, read_only: bool, reported: ReportedTypes) -> Result<Self> {
        file.workbook()?;
        Ok(ExcelConnection { file, read_only, reported, cached: Mutex::default() })
    }

    #[cfg(test)]
    pub(crate) fn file(&self) -> &WorkbookFile {
        &self.file
    }

    /// The workbook as it is now.
    fn workbook(&self) -> Result<Arc<TypedWorkbook>> {
        let workbook = self.file.workbook()?;
        let mut cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cached) = cached.as_ref().filter(|cached| Arc::ptr_eq(&cached.workbook, &workbook)) {
            return Ok(Arc::clone(cached));
        }
        let typed = Arc::new(TypedWorkbook::new(workbook, &self.reported));
        *cached = Some(Arc::clone(&typed));
        Ok(typed)
    }

    fn write(&self, plan: impl Fn(Planner<'_>) -> Result<Plan>) -> Result<(TypedWorkbook, Plan)> {
        if self.read_only {
            return Err(Error::user("the connection is read only: nothing was written")
                .tech("the setting ReadOnly is on"));
        }
        let (workbook, plan) = self.file.write(&self.reported, plan)?;
        Ok((TypedWorkbook::new(workbook, &self.reported), plan))
    }

    /// Saves actors, those that can be saved, by writing the file once, and gives each its result.
    ///
    /// # Errors
    /// The file cannot be written: none is saved, and none has a result.
    fn save_by_one_write(&self, actors: &[&Actor], saves: &mut Saves<'_>) -> Result<()> {
        let (workbook, plan) = self.write(|planner| Ok(planner.save(actors)))?;
        let mut refused = plan.refused.into_iter().peekable();
        for (position, actor) in actors.iter().enumerate() {
            if let Some((_, why)) = refused.next_if(|(of, _)| *of == position) {
                saves.refused(actor, why)?;
                continue;
            }
            saves.saved(actor, |rows| {
                let table = workbook.table(&actor.actor_type)?;
                push(table, table.table.find(actor.key.trim()).into_iter(), rows)
            })?;
        }
        Ok(())
    }
}

impl Connection for ExcelConnection {
    fn test(&self, cx: &Context) -> Result<()> {
        let typed = self.workbook()?;
        let workbook = &typed.workbook;
        let tables = workbook.tables.iter().map(|table| format!("{} {}", table.len(), table.actor_type));
        let lists = workbook.lists.iter().map(|list| format!("list {} with {}", list.name, list.items.len()));
        let found: Vec<String> = tables.chain(lists).collect();
        let mut problems = workbook.problems.clone();
        problems.extend(typed.tables().flat_map(|table| table.misfits()));
        if !self.read_only {
            problems.extend(self.file.obstacles(workbook)?);
        }
        let outcome = match problems.as_slice() {
            [] => Outcome::ok(),
            problems => Outcome::warning(problems.join("; ")),
        };
        cx.report(outcome.tech(format!("found {}", found.join(", "))));
        Ok(())
    }

    fn actor_types(&self, _cx: &Context) -> Result<Vec<ActorType>> {
        Ok(self.workbook()?.tables().map(|table| ActorType::new(table.table.actor_type)).collect())
    }

    fn fields(&self, _cx: &Context, actor_type: &str) -> Result<Vec<Field>> {
        let workbook = self.workbook()?;
        let table = workbook.table(actor_type)?;
        let is_declared = |key: &str| table.find(key).is_some_and(|(column, _)| column.has_declared_type);
        self.reported.report(table.table.actor_type, table.fields(), is_declared);
        Ok(table.fields().to_vec())
    }

    fn get(&self, _cx: &Context, actor_type: &str, keys: &[&str], rows: &mut Rows<'_>) -> Result<()> {
        let workbook = self.workbook()?;
        let table = workbook.table(actor_type)?;
        let mut sent = HashSet::with_capacity(keys.len());
        let found = keys.iter().filter_map(|key| table.table.find(key)).filter(|number| sent.insert(*number));
        push(table, found, rows)
    }

    // Searches by listing would do as well. These see one state of the workbook from beginning to end, and no row
    // is written that is not sent.
    fn search(
        &self,
        _cx: &Context,
        actor_type: &str,
        restrictions: &[Restriction],
        rows: &mut Rows<'_>,
    ) -> Result<()> {
        let workbook = self.workbook()?;
        let table = workbook.table(actor_type)?;
        let matcher = Matcher::new(restrictions, table.fields())?;
        push(table, matcher.find_in(&table).into_iter(), rows)
    }

    fn search_text(
        &self,
        _cx: &Context,
        actor_type: &str,
        text: &str,
        parent: Option<&Parent>,
        rows: &mut Rows<'_>,
    ) -> Result<()> {
        let workbook = self.workbook()?;
        let table = workbook.table(actor_type)?;
        let matcher = TextMatcher::new(text, table.fields(), parent);
        let matches = |number: &usize| matcher.matches(&Candidate { table, number: *number });
        push(table, (0..table.table.len()).filter(matches), rows)
    }

    fn changed_since(
        &self,
        _cx: &Context,
        actor_type: &str,
        stamp: Option<&str>,
        rows: &mut Rows<'_>,
    ) -> Result<()> {
        let workbook = self.workbook()?;
        let table = workbook.table(actor_type)?;
        push(table, table.table.changed_since(stamp.unwrap_or_default()).iter().copied(), rows)
    }

    fn create(&self, _cx: &Context, actor: &Actor, rows: &mut Rows<'_>) -> Result<()> {
        let (workbook, plan) = self.write(|planner| planner.create(actor))?;
        for (actor_type, key) in &plan.touched {
            let table = workbook.table(actor_type)?;
            push(table, table.table.find(key).into_iter(), rows)?;
        }
        Ok(())
    }

    // A row that cannot be saved leaves the others as they are, and all of these are saved by writing the file once. Where
    // the file as a whole is refused, such as for a formula in one of its cells, each row is tried alone.
    fn save(&self, cx: &Context, saves: &mut Saves<'_>) -> Result<()> {
        let actors: Vec<&Actor> = saves.actors().iter().collect();
        match self.save_by_one_write(&actors, saves) {
            Err(_) if actors.len() > 1 && !self.read_only => {}
            ended => return ended,
        }
        for actor in actors {
            cx.check()?;
            if let Err(why) = self.save_by_one_write(&[actor], saves) {
                saves.refused(actor, why)?;
            }
        }
        Ok(())
    }

    fn list(&self, _cx: &Context, name: &str) -> Result<Option<Vec<ListItem>>> {
        let workbook = self.file.workbook()?;
        Ok(workbook.list(name).map(|list| list.items.clone()))
    }
}

/// An actor of a table, compared with restrictions without a copy.
struct Candidate<'t> {
    table: TypedTable<'t>,
    number: usize,
}

impl plugin_api::Candidate for Candidate<'_> {
    fn key(&self) -> &str {
        self.table.table.key(self.number)
    }

    fn parent(&self) -> Option<(&str, &str)> {
        self.table.table.parent(self.number)
    }

    fn value(&self, field: &str) -> Option<&str> {
        self.table.wire_value(field, self.number)
    }
}

/// Pushes actors of a table by their numbers.
fn push(table: TypedTable<'_>, actors: impl Iterator<Item = usize>, rows: &mut Rows<'_>) -> Result<()> {
    // Asked once, not for every row.
    let columns: Vec<_> = table.columns().filter(|(_, field)| rows.wants(&field.key)).collect();
    for number in actors {
        // Not the type that was asked for: a save may hold several.
        let mut row = rows.row_of(table.table.actor_type, table.table.key(number));
        row.last_modified(table.table.stamp(number));
        if let Some((actor_type, key)) = table.table.parent(number) {
            row.parent(actor_type, key);
        }
        for (column, field) in &columns {
            row.field(&field.key, table.value(column, field.field_type, number));
        }
        row.end()?;
    }
    Ok(())
}
