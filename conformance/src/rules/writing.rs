//! Rules of creating and saving actors. Only actors that were created here are ever saved: so nothing is saved in a
//! service that gives created actors the keys of others (rule 1101).

use std::cell::RefMut;
use std::collections::HashSet;

use contract::{Dictionary, Request};
use plugin_api::{Access, Actor, Field, FieldType, Parent, State, Value, actor_type};

use super::actors::same;
use crate::reply::{Reply, all_of, text, texts};
use crate::rule::{Findings, Stop};
use crate::subject::{Created, Listed, NOBODY, Subject, Writes};

/// What the texts of created actors begin with, so that people find them.
const TEXT: &str = "erp-host verify";

/// Actors that are created at the same time.
const AT_ONCE: usize = 8;

/// Levels of parents that are looked at, for types may declare each other.
const MOST_LEVELS: usize = 4;

/// The actor types that may be written to, with what every rule of writing goes by.
fn writable<'s>(subject: &'s Subject<'_>, findings: &mut Findings) -> Result<Vec<&'s Listed>, Stop> {
    let may_write = |name: &String| match &subject.writes {
        Writes::Nothing(_) => false,
        Writes::Everything => true,
        Writes::Only(names) => names.contains(name),
    };
    if let Writes::Nothing(why) = subject.writes {
        return Err(Stop::skip(why));
    }
    findings.needs("no actor type lets actors be created");
    subject.needs(&[701, 703, 704])?;
    let mut types: Vec<&Listed> = subject.listed()?.iter().filter(|one| may_write(&one.name)).collect();
    // Parents first, so that the actors below have one that was created here.
    types.sort_by_key(|one| depth(subject, &one.name, MOST_LEVELS));
    Ok(types)
}

/// A value that suits a field; the second one differs from the first.
fn value_for(subject: &Subject<'_>, field: &Field, second: bool) -> Option<String> {
    Some(match field.field_type {
        FieldType::Text => {
            let longest = usize::try_from(field.max_length).ok().filter(|longest| *longest > 0);
            let unique = subject.unique();
            let all = if second { format!("changed by {TEXT} {unique}") } else { format!("{TEXT} {unique}") };
            match longest {
                // The end is what no other text has.
                Some(longest) if all.chars().count() > longest => {
                    all.chars().skip(all.chars().count() - longest).collect::<String>().trim().to_owned()
                }
                _ => all,
            }
        }
        FieldType::Integer => if second { "[I:8]" } else { "[I:7]" }.to_owned(),
        FieldType::Double => if second { "[F:3.5]" } else { "[F:2.5]" }.to_owned(),
        FieldType::Checkbox => if second { "[I:0]" } else { "[I:1]" }.to_owned(),
        FieldType::Datetime => {
            let day = if second { "03/01/2024" } else { "02/29/2024" };
            format!("[DT:{day} 12:30:00.0000000]")
        }
        FieldType::List => {
            let lists = subject.lists.get()?;
            let (_, items) = lists.iter().find(|(name, _)| Some(name) == field.list.as_ref())?;
            let item = if second { items.last() } else { items.first() };
            item?.key.clone()
        }
        _ => return None,
    })
}

/// An actor to be created: the example for its type, or a value for every field that may be written, below a parent if it
/// needs one, or others have one.
pub(super) fn new_actor(subject: &Subject<'_>, one: &Listed) -> Actor {
    let parent = || match subject.parent_types(&one.name) {
        [] => {
            let needed =
                || subject.created.borrow().get(&one.name).and_then(|created| created.parent.clone());
            one.actors.iter().find_map(|actor| actor.parent.clone()).or_else(needed)
        }
        declared => declared.iter().find_map(|name| some_actor(subject, name)),
    };
    if let Some(example) = subject.examples.iter().find(|example| example.actor_type == one.name) {
        return Actor { parent: example.parent.clone().or_else(parent), ..example.clone() };
    }
    let mut actor = Actor::new(one.name.as_str(), "");
    actor.parent = parent();
    for field in subject.fields(&one.name).iter().filter(|field| field.access != Access::ReadOnly) {
        if let Some(value) = value_for(subject, field, false) {
            actor.set(field.key.as_str(), value.as_str());
        }
    }
    actor
}

pub(super) fn carrier(actor: &Actor) -> contract::Actor<'_> {
    let fields: Dictionary<'_> =
        actor.fields.iter().map(|(key, value)| (key.as_str(), value.as_deref())).collect();
    contract::Actor {
        actor_type: text(&actor.actor_type),
        erp_key: Some(actor.key.as_str().into()).filter(|_| !actor.key.is_empty()),
        field_values: Some(fields),
        last_modified: None,
        parent_actor_type: actor.parent.as_ref().map(|parent| parent.actor_type.as_str().into()),
        parent_erp_key: actor.parent.as_ref().map(|parent| parent.key.as_str().into()),
    }
}

/// Creates an actor. A service may have types that cannot be written to; the author of a connector says which can.
async fn create(
    subject: &Subject<'_>,
    findings: &mut Findings,
    actor: &Actor,
) -> Result<Option<(Actor, Reply)>, Stop> {
    if let Some(why) = refusal(subject, &actor.actor_type) {
        findings.needs(why);
        return Ok(None);
    }
    let mut reply = subject.ask(Request::CreateActor { actor: Some(carrier(actor)) }).await?;
    // The contract does not have which types need a parent; a connector declares it.
    if reply.is_error()
        && !subject.is_in_process()
        && actor.parent.is_none()
        && let Some(parent) = parent_for(subject, &actor.actor_type)
    {
        let below = Actor { parent: Some(parent.clone()), ..actor.clone() };
        let again = subject.ask(Request::CreateActor { actor: Some(carrier(&below)) }).await?;
        if !again.is_error() {
            made(subject, &actor.actor_type).parent = Some(parent);
            reply = again;
        }
    }
    if reply.is_error() && subject.is_in_process() {
        let text = format!(
            "{}: WSCreateActor fails: {}; expected it to succeed (see Specification::writes_to and example, and \
             ActorType::below for a type that needs a parent)",
            actor.actor_type,
            reply.explanation()
        );
        return Err(Stop::failed(text, &reply.shown_by));
    }
    if reply.is_error() {
        let why = format!("{} cannot be created: {}", actor.actor_type, reply.explanation());
        made(subject, &actor.actor_type).refused = Some(why.clone());
        findings.needs(why);
        return Ok(None);
    }
    let Some(created) = reply.actors().first().cloned() else {
        return Err(Stop::failed(
            format!("{}: WSCreateActor gives no Actor, expected the created one", actor.actor_type),
            &reply.shown_by,
        ));
    };
    subject.leaves(&actor.actor_type, &created.key);
    Ok(Some((created, reply)))
}

/// What was created of a type.
pub(super) fn made<'s>(subject: &'s Subject<'_>, name: &str) -> RefMut<'s, Created> {
    RefMut::map(subject.created.borrow_mut(), |created| created.entry(name.to_owned()).or_default())
}

/// Why no actor of a type can be created, once that has been tried.
fn refusal(subject: &Subject<'_>, name: &str) -> Option<String> {
    subject.created.borrow().get(name).and_then(|created| created.refused.clone())
}

/// A parent for an actor of a type where none has one: one that was created here, or any.
fn parent_for(subject: &Subject<'_>, name: &str) -> Option<Parent> {
    let types = [actor_type::CUSTOMER, actor_type::SUPPLIER, actor_type::PARTNER];
    types.into_iter().filter(|parent| *parent != name).find_map(|parent| some_actor(subject, parent))
}

/// An actor of a type as a parent: one that was created here, or any.
fn some_actor(subject: &Subject<'_>, name: &str) -> Option<Parent> {
    let created = subject.created.borrow().get(name).and_then(|created| created.keys.first().cloned());
    let listed = subject.listed().ok()?.iter().find(|one| one.name == name);
    let key = created.or_else(|| listed?.actors.first().map(|actor| actor.key.clone()))?;
    Some(Parent::new(name, key))
}

/// How many types stand above a type, and no more than so many.
fn depth(subject: &Subject<'_>, name: &str, most: usize) -> usize {
    let parents = subject.parent_types(name).iter().filter(|parent| parent.as_str() != name);
    match most {
        0 => 0,
        most => parents.map(|parent| 1 + depth(subject, parent, most - 1)).max().unwrap_or(0),
    }
}

/// The keys of actors that were created here, which a rule may change: those of rules before, and as many more as it needs.
async fn some_created(
    subject: &Subject<'_>,
    findings: &mut Findings,
    one: &Listed,
    count: usize,
) -> Result<Option<Vec<String>>, Stop> {
    loop {
        let keys = made(subject, &one.name).keys.clone();
        if keys.len() >= count {
            return Ok(Some(keys));
        }
        if create_for_all(subject, findings, &new_actor(subject, one)).await?.is_none() {
            return Ok(None);
        }
    }
}

/// Creates an actor that later rules may change, too.
async fn create_for_all(
    subject: &Subject<'_>,
    findings: &mut Findings,
    actor: &Actor,
) -> Result<Option<(Actor, Reply)>, Stop> {
    let created = create(subject, findings, actor).await?;
    if let Some((created, _)) = &created {
        made(subject, &actor.actor_type).keys.push(created.key.clone());
    }
    Ok(created)
}

pub(super) async fn get_one(subject: &Subject<'_>, name: &str, key: &str) -> Result<(Actor, Reply), Stop> {
    let keys = [key];
    let request = Request::GetActors { actor_type: text(name), erp_keys: texts(&keys), field_keys: None };
    let reply = subject.ok(request).await?;
    match reply.actors().first().cloned() {
        Some(actor) => Ok((actor, reply)),
        None => Err(Stop::failed(
            format!("{name}: {key:?}, which was written, is not found by its key"),
            &reply.shown_by,
        )),
    }
}

async fn save(subject: &Subject<'_>, actors: &[Actor]) -> Result<Reply, Stop> {
    subject.ok(Request::SaveActors { actors: Some(actors.iter().map(carrier).collect()) }).await
}

/// The greatest stamp of all actors of a type: EIS remembers one for each type.
async fn newest_stamp(subject: &Subject<'_>, name: &str) -> Result<Option<String>, Stop> {
    let reply = subject.ok(all_of(name)).await?;
    Ok(reply.actors().iter().filter_map(|actor| actor.last_modified.clone()).max())
}

/// Expects an actor to hold what was written, compared as values of the fields' types.
pub(super) fn expect_written(
    subject: &Subject<'_>,
    findings: &mut Findings,
    what: &str,
    (actor, reply): &(Actor, Reply),
    written: &Actor,
) {
    let name = &written.actor_type;
    for (key, value) in &written.fields {
        let field = subject.fields(name).iter().find(|field| field.key == *key);
        let read = |text: Option<&str>| match (text, field) {
            (Some(text), Some(field)) => {
                Value::parse(text, field.field_type).unwrap_or(Value::Null).to_string()
            }
            (text, _) => text.unwrap_or_default().to_owned(),
        };
        let (came, expected) = (actor.field(key).flatten(), value.as_deref());
        findings.expect(read(came) == read(expected), &reply.shown_by, || {
            format!("{name}: {what} has {came:?} in {key}, expected {expected:?}")
        });
    }
    findings.expect(written.parent.is_none() || actor.parent == written.parent, &reply.shown_by, || {
        format!("{name}: {what} has the parent {:?}, expected {:?}", actor.parent, written.parent)
    });
}

pub(super) async fn created(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    for one in writable(subject, findings)? {
        let mut new = new_actor(subject, one);
        let Some(created) = create_for_all(subject, findings, &new).await? else { continue };
        new.parent = new.parent.or_else(|| made(subject, &one.name).parent.clone());
        let (actor, reply) = &created;
        let (name, key) = (&one.name, &actor.key);
        findings
            .expect(!key.is_empty(), &reply.shown_by, || format!("{name}: the created actor has no ErpKey"));
        findings.expect(one.actors.iter().all(|actor| actor.key != *key), &reply.shown_by, || {
            format!("{name}: the created actor has the ErpKey {key:?} of another one")
        });
        findings.expect(actor.actor_type == *name, &reply.shown_by, || {
            format!("{name}: the created actor is of type {:?}", actor.actor_type)
        });
        expect_written(subject, findings, "the created actor", &created, &new);
        let Some(found) = findings.take(get_one(subject, name, key).await) else { continue };
        expect_written(subject, findings, "the created actor, read again,", &found, &new);
        let all = subject.ok(all_of(name)).await?;
        findings.expect(all.keys().contains(key), &all.shown_by, || {
            format!("{name}: a search without restrictions does not find the created {key:?}")
        });
    }
    Ok(())
}

/// Expects an actor that was just written among the changes since the newest stamp before.
async fn expect_stamp(
    subject: &Subject<'_>,
    findings: &mut Findings,
    name: &str,
    key: &str,
    before: Option<&str>,
) -> Result<(), Stop> {
    let request = Request::GetActorsByTimestamp {
        updated_on_or_after: before.map(Into::into),
        actor_type: text(name),
        field_keys: Some(vec![]),
    };
    let since = subject.ok(request).await?;
    findings.expect(since.keys().iter().any(|found| found == key), &since.shown_by, || {
        format!("{name}: what changed since {before:?}, the newest stamp before, lacks {key:?}, which changed just now")
    });
    Ok(())
}

pub(super) async fn created_stamp(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    subject.needs(&[1001, 1101])?;
    for one in writable(subject, findings)? {
        if let Some(why) = refusal(subject, &one.name) {
            findings.needs(why);
            continue;
        }
        let before = newest_stamp(subject, &one.name).await?;
        let created = create_for_all(subject, findings, &new_actor(subject, one)).await?;
        let Some((created, _)) = created else { continue };
        expect_stamp(subject, findings, &one.name, &created.key, before.as_deref()).await?;
    }
    Ok(())
}

/// A change of one field of an actor: of its NAME or another text, if there is one.
pub(super) fn change(subject: &Subject<'_>, actor: &Actor) -> Option<Actor> {
    let fields = subject.fields(&actor.actor_type).iter();
    let mut fields: Vec<&Field> = fields.filter(|field| field.access != Access::ReadOnly).collect();
    fields.sort_by_key(|field| (field.key != "NAME", field.field_type != FieldType::Text));
    fields.into_iter().find_map(|field| {
        let (key, value) = (field.key.as_str(), value_for(subject, field, true)?);
        let differs = actor.text(key) != value;
        differs.then(|| Actor::new(actor.actor_type.as_str(), actor.key.as_str()).with(key, value))
    })
}

/// Two created actors of a type, and a change of each; `None` if there are none.
async fn two_changes(
    subject: &Subject<'_>,
    findings: &mut Findings,
    one: &Listed,
) -> Result<Option<([Actor; 2], [Actor; 2])>, Stop> {
    let Some(keys) = some_created(subject, findings, one, 2).await? else { return Ok(None) };
    let first = get_one(subject, &one.name, &keys[0]).await?.0;
    let second = get_one(subject, &one.name, &keys[1]).await?.0;
    let changes = change(subject, &first).zip(change(subject, &second));
    Ok(changes.map(|(of_first, of_second)| ([first, second], [of_first, of_second])))
}

pub(super) async fn saved(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    subject.needs(&[1101])?;
    for one in writable(subject, findings)? {
        let name = &one.name;
        let Some(([first, second], changes)) = two_changes(subject, findings, one).await? else { continue };
        let pushed = save(subject, &changes).await?;
        let mut keys = [first.key.clone(), second.key.clone()];
        keys.sort();
        findings.expect(pushed.keys() == keys, &pushed.shown_by, || {
            format!("{name}: WSSaveActors of {keys:?} gives {:?}, expected these", pushed.keys())
        });
        for (before, change) in [&first, &second].into_iter().zip(&changes) {
            let mut expected = before.clone();
            expected.merge(change);
            let (found, reply) = get_one(subject, name, &before.key).await?;
            // The plugin API promises that the saved actors come back as they are then.
            let pushed = pushed.actors().iter().find(|actor| actor.key == found.key);
            let came_back = pushed.is_some_and(|pushed| same(pushed, &found));
            findings.expect(came_back || !subject.is_in_process(), &reply.shown_by, || {
                format!("{name}: WSSaveActors gives {pushed:?}, but the actor read again is {found:?}")
            });
            expected.last_modified.clone_from(&found.last_modified);
            findings.expect(same(&found, &expected), &reply.shown_by, || {
                format!(
                    "{name}: after saving {:?} of {:?} it is {found:?}, expected {expected:?}",
                    change.fields, before.key
                )
            });
        }
    }
    Ok(())
}

pub(super) async fn saved_stamp(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    subject.needs(&[1101, 1102, 1103])?;
    for one in writable(subject, findings)? {
        let Some((created, _)) = create(subject, findings, &new_actor(subject, one)).await? else { continue };
        let Some(change) = change(subject, &created) else { continue };
        // A later change of another actor: the stamp of the saved one must be newer than that.
        create(subject, findings, &new_actor(subject, one)).await?;
        let before = newest_stamp(subject, &one.name).await?;
        save(subject, &[change]).await?;
        expect_stamp(subject, findings, &one.name, &created.key, before.as_deref()).await?;
    }
    Ok(())
}

/// A field for a text of several lines: none that holds a name, if there is another.
fn for_lines<'s>(subject: &'s Subject<'_>, name: &str, free: &'s Field) -> &'s Field {
    let longest = |field: &&Field| if field.max_length <= 0 { i32::MAX } else { field.max_length };
    let is_text = |field: &&Field| field.access != Access::ReadOnly && field.field_type == FieldType::Text;
    let others = subject.fields(name).iter().filter(is_text).filter(|field| field.key != "NAME");
    others.max_by_key(longest).filter(|field| longest(field) >= 40).unwrap_or(free)
}

/// A field that takes any text.
fn free_text<'s>(subject: &'s Subject<'_>, name: &str) -> Option<&'s Field> {
    let long_enough = |field: &Field| field.max_length <= 0 || field.max_length >= 40;
    let is_free = |field: &&Field| {
        field.access != Access::ReadOnly && field.field_type == FieldType::Text && long_enough(field)
    };
    subject.fields(name).iter().find(is_free)
}

pub(super) async fn escaped(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    subject.needs(&[1101, 1103])?;
    for one in writable(subject, findings)? {
        let Some(field) = free_text(subject, &one.name) else { continue };
        let Some(created) = some_created(subject, findings, one, 1).await? else { continue };
        let created = &created[0];
        for (field, value, may_be_refused) in [
            (field, "<a href=\"x\">&amp; 'b'</a> ]]>", false),
            (field, "Ærlig & Sønner, Łódź, 北京, \u{1f600}", false),
            // A name has one line. A refusal that says why loses nothing.
            (for_lines(subject, &one.name, field), "one\ttab, a line\nand another", true),
        ] {
            let key = field.key.as_str();
            let change = Actor::new(one.name.as_str(), created.as_str()).with(key, value);
            let request = Request::SaveActors { actors: Some(vec![carrier(&change)]) };
            let Some(saved) = findings.take(subject.ask(request).await) else { continue };
            if saved.is_error() {
                findings.expect(may_be_refused && saved.is_explained(), &saved.shown_by, || {
                    let explanation = saved.explanation();
                    format!(
                        "{}: saving {value:?} in {key} fails: {explanation}; expected it to succeed",
                        one.name
                    )
                });
                continue;
            }
            let (found, reply) = get_one(subject, &one.name, created).await?;
            let came = found.text(key).replace("\r\n", "\n");
            findings.expect(came == value, &reply.shown_by, || {
                format!("{}: {value:?} saved in {key} is read as {came:?}", one.name)
            });
        }
    }
    Ok(())
}

pub(super) async fn emptied(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    subject.needs(&[1101, 1103])?;
    findings.needs("no text field may be left empty");
    for one in writable(subject, findings)? {
        let is_free = |field: &&Field| field.access == Access::Normal && field.field_type == FieldType::Text;
        let Some(field) = subject.fields(&one.name).iter().find(is_free) else {
            findings.needs("no text field may be left empty");
            continue;
        };
        let key = field.key.as_str();
        let Some(created) = some_created(subject, findings, one, 1).await? else { continue };
        let created = &created[0];
        let mut read = Vec::new();
        for value in [None, Some("")] {
            let actor = || Actor::new(one.name.as_str(), created.as_str());
            let Some(_) = findings.take(save(subject, &[actor().with(key, "x")]).await) else {
                continue;
            };
            let Some(_) = findings.take(save(subject, &[actor().with(key, value)]).await) else {
                continue;
            };
            let (found, reply) = get_one(subject, &one.name, created).await?;
            findings.expect(found.text(key).is_empty(), &reply.shown_by, || {
                format!("{}: {key} was saved as {value:?} and is still {:?}", one.name, found.text(key))
            });
            read.push(found.field(key).flatten().map(str::to_owned));
        }
        // Kept apart, or both read as the same; not the other way round.
        let is_swapped = read.len() == 2 && read[0].is_some() && read[1].is_none();
        findings.expect_all(!is_swapped, || {
            format!("{}: {key} saved as null is read as empty, and saved as empty as null", one.name)
        });
    }
    Ok(())
}

pub(super) async fn refused(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    let listed = writable(subject, findings)?;
    subject.needs(&[1101])?;
    for one in listed {
        let name = &one.name;
        let before = subject.ok(all_of(name)).await?;
        let mut stranger = new_actor(subject, one);
        NOBODY.clone_into(&mut stranger.key);
        let saved = subject.ask(Request::SaveActors { actors: Some(vec![carrier(&stranger)]) }).await?;
        let is_ignored = !subject.is_in_process() && saved.keys().iter().all(|key| key != NOBODY);
        findings.expect(saved.is_error() || is_ignored, &saved.shown_by, || {
            format!("{name}: WSSaveActors takes an actor with the ErpKey {NOBODY:?}, which nobody has")
        });
        let typeless = Actor { actor_type: NOBODY.to_owned(), ..new_actor(subject, one) };
        let created = subject.ask(Request::CreateActor { actor: Some(carrier(&typeless)) }).await?;
        let is_ignored = !subject.is_in_process() && created.actors().is_empty();
        findings.expect(created.is_error() || is_ignored, &created.shown_by, || {
            format!("WSCreateActor makes an actor of the type {NOBODY:?}")
        });
        let after = subject.ok(all_of(name)).await?;
        findings.expect(after.keys() == before.keys(), &after.shown_by, || {
            format!("{name}: after calls that make no sense there are other actors than before")
        });
    }
    Ok(())
}

/// Saves two actors and, between them, one that nobody has: every actor is saved or not, as the reply says.
pub(super) async fn partly_saved(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    subject.needs(&[1101, 1103, 1107])?;
    for one in writable(subject, findings)? {
        let name = &one.name;
        let Some(([first, second], [one_change, other_change])) = two_changes(subject, findings, one).await?
        else {
            continue;
        };
        let mut stranger = one_change.clone();
        NOBODY.clone_into(&mut stranger.key);
        let sent = [&one_change, &stranger, &other_change];
        let actors = Some(sent.map(carrier).to_vec());
        let saved = subject.ask(Request::SaveActors { actors }).await?;
        let (shown_by, came_back) = (&saved.shown_by, saved.keys());
        findings.expect(!came_back.iter().any(|key| key == NOBODY), shown_by, || {
            format!("{name}: WSSaveActors gives an actor with the ErpKey {NOBODY:?}, which nobody has")
        });
        let is_reported = saved.outcome.state != State::Ok || !subject.is_in_process();
        findings.expect(is_reported, shown_by, || {
            format!("{name}: WSSaveActors of three actors, one of which nobody has, is Ok, expected a warning or an error")
        });
        for (before, change) in [(&first, &one_change), (&second, &other_change)] {
            let is_saved = !saved.is_error() && came_back.contains(&before.key);
            let mut expected = before.clone();
            if is_saved {
                expected.merge(change);
            }
            let (found, reply) = get_one(subject, name, &before.key).await?;
            expected.last_modified.clone_from(&found.last_modified);
            findings.expect(same(&found, &expected), &reply.shown_by, || {
                let what = if is_saved { "has it among the saved actors" } else { "does not have it" };
                format!(
                    "{name}: the reply to a save of which one actor is refused {what}, and {:?} is {found:?} now, expected \
                     {expected:?}",
                    before.key
                )
            });
        }
    }
    Ok(())
}

pub(super) async fn at_once(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    let listed = writable(subject, findings)?;
    subject.needs(&[1101])?;
    for one in listed {
        let name = &one.name;
        // A type that cannot be written to is no broken rule.
        let Some(_) = some_created(subject, findings, one, 1).await? else { continue };
        let new: Vec<Actor> = (0..AT_ONCE).map(|_| new_actor(subject, one)).collect();
        let requests: Vec<Request<'_>> =
            new.iter().map(|actor| Request::CreateActor { actor: Some(carrier(actor)) }).collect();
        let mut keys = HashSet::new();
        for created in subject.at_once(&requests).await? {
            let Some(reply) = findings.take(created) else { continue };
            findings.expect(!reply.is_error(), &reply.shown_by, || {
                format!("{name}: one of {AT_ONCE} WSCreateActor at once fails: {}", reply.explanation())
            });
            keys.extend(reply.keys());
        }
        keys.iter().for_each(|key| subject.leaves(name, key));
        let all = subject.ok(all_of(name)).await?;
        findings.expect(keys.len() == AT_ONCE, &all.shown_by, || {
            format!("{name}: {AT_ONCE} actors created at once have {} keys, expected one each", keys.len())
        });
        let known = all.keys();
        findings.expect(keys.iter().all(|key| known.contains(key)), &all.shown_by, || {
            format!("{name}: not all of {AT_ONCE} actors that were created at once are found again")
        });
    }
    Ok(())
}
