//! Rules of creating and saving actors. Only actors that were created here are ever saved: so nothing is saved in a
//! service that gives created actors the keys of others (rule 1101).

use contract::{Access, Dictionary, Field, FieldType, Request};
use plugin_api::{Actor, Value};

use super::actors::same;
use super::fields::all_of;
use super::rule::{Findings, Stop};
use super::subject::{Listed, NOBODY, Reply, Subject, owned, text, texts};

/// What the texts of created actors begin with, so that people find them.
const TEXT: &str = "erp-host verify";

/// Whether writing may be tried, with what every rule of writing goes by.
fn writable<'s>(subject: &'s Subject, findings: &mut Findings) -> Result<&'s [Listed], Stop> {
    if subject.read_only {
        return Err(Stop::skip("nothing may be written: --read-only"));
    }
    findings.needs("no actor type lets actors be created");
    subject.needs(&[701, 703, 704])?;
    subject.listed()
}

/// A value that suits a field; the second one differs from the first.
fn value_for(subject: &Subject, field: &Field<'_>, second: bool) -> Option<String> {
    Some(match field.field_type {
        FieldType::Text => {
            let longest = usize::try_from(field.max_length).ok().filter(|longest| *longest > 0);
            let all = if second { format!("changed by {TEXT}") } else { TEXT.to_owned() };
            all.chars().take(longest.unwrap_or(usize::MAX)).collect()
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
            let (_, items) =
                lists.iter().find(|(name, _)| Some(name.as_str()) == field.list_name.as_deref())?;
            let item = if second { items.last() } else { items.first() };
            item?.0.clone()
        }
        _ => return None,
    })
}

/// An actor to be created: a value for every field that may be written, below a parent if others are.
fn new_actor(subject: &Subject, one: &Listed) -> Actor {
    let mut actor = Actor::new(one.name.as_str(), "");
    actor.parent = one.actors.iter().find_map(|actor| actor.parent.clone());
    for field in subject.fields(&one.name).iter().filter(|field| field.access != Access::ReadOnly) {
        if let Some(value) = value_for(subject, field, false) {
            actor.set(owned(&field.field_key), value.as_str());
        }
    }
    actor
}

fn carrier(actor: &Actor) -> contract::Actor<'_> {
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

/// Creates an actor. A type that cannot be written to is no broken rule.
async fn create(
    subject: &Subject,
    findings: &mut Findings,
    actor: &Actor,
) -> Result<Option<(Actor, Reply)>, Stop> {
    let reply = subject.ask(Request::CreateActor { actor: Some(carrier(actor)) }).await?;
    if reply.is_error() {
        findings.needs(format!("{} cannot be created: {}", actor.actor_type, reply.said()));
        return Ok(None);
    }
    let Some(created) = reply.actors().pop() else {
        return Err(Stop::failed(
            format!("{}: WSCreateActor gives no Actor, expected the created one", actor.actor_type),
            &reply.traffic,
        ));
    };
    subject.left_behind.borrow_mut().push(format!("{} {:?}", actor.actor_type, created.key));
    Ok(Some((created, reply)))
}

async fn get_one(subject: &Subject, name: &str, key: &str) -> Result<(Actor, Reply), Stop> {
    let keys = [key];
    let request = Request::GetActors { actor_type: text(name), erp_keys: texts(&keys), field_keys: None };
    let reply = subject.ok(request).await?;
    match reply.actors().pop() {
        Some(actor) => Ok((actor, reply)),
        None => Err(Stop::failed(
            format!("{name}: {key:?}, which was written, is not found by its key"),
            &reply.traffic,
        )),
    }
}

async fn save(subject: &Subject, actors: &[Actor]) -> Result<Reply, Stop> {
    subject.ok(Request::SaveActors { actors: Some(actors.iter().map(carrier).collect()) }).await
}

/// The greatest stamp of all actors of the connection.
async fn newest_stamp(subject: &Subject) -> Result<Option<String>, Stop> {
    let mut newest = None;
    for one in subject.listed()? {
        let actors = subject.ok(all_of(&one.name)).await?.actors();
        newest = newest.max(actors.into_iter().filter_map(|actor| actor.last_modified).max());
    }
    Ok(newest)
}

/// Expects an actor to hold what was written, compared as values of the fields' types.
fn expect_written(
    subject: &Subject,
    findings: &mut Findings,
    what: &str,
    (actor, reply): &(Actor, Reply),
    written: &Actor,
) {
    let name = &written.actor_type;
    for (key, value) in &written.fields {
        let field = subject.fields(name).iter().find(|field| field.field_key.as_deref() == Some(key));
        let read = |text: Option<&str>| match (text, field) {
            (Some(text), Some(field)) => {
                Value::parse(text, field.field_type).unwrap_or(Value::Null).to_string()
            }
            (text, _) => text.unwrap_or_default().to_owned(),
        };
        let (came, expected) = (actor.field(key).flatten(), value.as_deref());
        findings.expect(read(came) == read(expected), &reply.traffic, || {
            format!("{name}: {what} has {came:?} in {key}, expected {expected:?}")
        });
    }
    findings.expect(written.parent.is_none() || actor.parent == written.parent, &reply.traffic, || {
        format!("{name}: {what} has the parent {:?}, expected {:?}", actor.parent, written.parent)
    });
}

pub(super) async fn created(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    for one in writable(subject, findings)? {
        let new = new_actor(subject, one);
        let Some(created) = create(subject, findings, &new).await? else { continue };
        let (actor, reply) = &created;
        let (name, key) = (&one.name, &actor.key);
        findings
            .expect(!key.is_empty(), &reply.traffic, || format!("{name}: the created actor has no ErpKey"));
        findings.expect(one.actors.iter().all(|actor| actor.key != *key), &reply.traffic, || {
            format!("{name}: the created actor has the ErpKey {key:?} of another one")
        });
        findings.expect(actor.actor_type == *name, &reply.traffic, || {
            format!("{name}: the created actor is of type {:?}", actor.actor_type)
        });
        expect_written(subject, findings, "the created actor", &created, &new);
        let Some(found) = findings.take(get_one(subject, name, key).await) else { continue };
        expect_written(subject, findings, "the created actor, read again,", &found, &new);
        let all = subject.ok(all_of(name)).await?;
        findings.expect(all.keys().contains(key), &all.traffic, || {
            format!("{name}: a search without restrictions does not find the created {key:?}")
        });
    }
    Ok(())
}

/// Expects a stamp that no one who asks for changes misses.
async fn expect_stamp(
    subject: &Subject,
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
    findings.expect(since.keys().iter().any(|found| found == key), &since.traffic, || {
        format!("{name}: what changed since {before:?}, the newest stamp before, lacks {key:?}, which changed just now")
    });
    Ok(())
}

pub(super) async fn created_stamp(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    subject.needs(&[1001, 1101])?;
    for one in writable(subject, findings)? {
        let before = newest_stamp(subject).await?;
        let Some((created, _)) = create(subject, findings, &new_actor(subject, one)).await? else { continue };
        expect_stamp(subject, findings, &one.name, &created.key, before.as_deref()).await?;
    }
    Ok(())
}

/// A change of one field of an actor: of its NAME or another text, if there is one.
fn change(subject: &Subject, actor: &Actor) -> Option<Actor> {
    let fields = subject.fields(&actor.actor_type).iter();
    let mut fields: Vec<&Field<'_>> = fields.filter(|field| field.access != Access::ReadOnly).collect();
    fields.sort_by_key(|field| {
        (field.field_key.as_deref() != Some("NAME"), field.field_type != FieldType::Text)
    });
    fields.into_iter().find_map(|field| {
        let (key, value) = (owned(&field.field_key), value_for(subject, field, true)?);
        let differs = actor.text(&key) != value;
        differs.then(|| Actor::new(actor.actor_type.as_str(), actor.key.as_str()).with(key, value))
    })
}

pub(super) async fn saved(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    subject.needs(&[1101])?;
    for one in writable(subject, findings)? {
        let (name, new) = (&one.name, new_actor(subject, one));
        let Some((first, _)) = create(subject, findings, &new).await? else { continue };
        let Some((second, _)) = create(subject, findings, &new).await? else { continue };
        let (first, second) =
            (get_one(subject, name, &first.key).await?.0, get_one(subject, name, &second.key).await?.0);
        let (Some(one_change), Some(other_change)) = (change(subject, &first), change(subject, &second))
        else {
            continue;
        };
        let changes = [one_change, other_change];
        let reply = save(subject, &changes).await?;
        let mut keys = [first.key.clone(), second.key.clone()];
        keys.sort();
        findings.expect(reply.keys() == keys, &reply.traffic, || {
            format!("{name}: WSSaveActors of {keys:?} gives {:?}, expected these", reply.keys())
        });
        for (before, change) in [&first, &second].into_iter().zip(&changes) {
            let mut expected = before.clone();
            expected.merge(change);
            let (found, reply) = get_one(subject, name, &before.key).await?;
            expected.last_modified.clone_from(&found.last_modified);
            findings.expect(same(&found, &expected), &reply.traffic, || {
                format!(
                    "{name}: after saving {:?} of {:?} it is {found:?}, expected {expected:?}",
                    change.fields, before.key
                )
            });
        }
    }
    Ok(())
}

pub(super) async fn saved_stamp(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    subject.needs(&[1101, 1102, 1103])?;
    for one in writable(subject, findings)? {
        let Some((created, _)) = create(subject, findings, &new_actor(subject, one)).await? else { continue };
        let Some(change) = change(subject, &created) else { continue };
        let before = newest_stamp(subject).await?;
        save(subject, &[change]).await?;
        expect_stamp(subject, findings, &one.name, &created.key, before.as_deref()).await?;
    }
    Ok(())
}

/// A field that takes any text.
fn free_text<'s>(subject: &'s Subject, name: &str) -> Option<&'s Field<'static>> {
    let long_enough = |field: &Field<'_>| field.max_length <= 0 || field.max_length >= 40;
    let is_free = |field: &&Field<'_>| {
        field.access != Access::ReadOnly && field.field_type == FieldType::Text && long_enough(field)
    };
    subject.fields(name).iter().find(is_free)
}

pub(super) async fn escaped(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    subject.needs(&[1101, 1103])?;
    for one in writable(subject, findings)? {
        let Some(field) = free_text(subject, &one.name) else { continue };
        let key = owned(&field.field_key);
        let Some((created, _)) = create(subject, findings, &new_actor(subject, one)).await? else { continue };
        for value in [
            "<a href=\"x\">&amp; 'b'</a> ]]>",
            "Ærlig & Sønner, Łódź, 北京, \u{1f600}",
            "one\ttab, a line\nand another",
        ] {
            let change = Actor::new(one.name.as_str(), created.key.as_str()).with(key.as_str(), value);
            let Some(_) = findings.take(save(subject, &[change]).await) else { continue };
            let (found, reply) = get_one(subject, &one.name, &created.key).await?;
            let came = found.text(&key).replace("\r\n", "\n");
            findings.expect(came == value, &reply.traffic, || {
                format!("{}: {value:?} saved in {key} is read as {came:?}", one.name)
            });
        }
    }
    Ok(())
}

pub(super) async fn emptied(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    subject.needs(&[1101, 1103])?;
    findings.needs("no text field may be left empty");
    for one in writable(subject, findings)? {
        let is_free =
            |field: &&Field<'_>| field.access == Access::Normal && field.field_type == FieldType::Text;
        let Some(field) = subject.fields(&one.name).iter().find(is_free) else {
            findings.needs("no text field may be left empty");
            continue;
        };
        let key = owned(&field.field_key);
        let Some((created, _)) = create(subject, findings, &new_actor(subject, one)).await? else { continue };
        for value in [None, Some("")] {
            let actor = || Actor::new(one.name.as_str(), created.key.as_str());
            let Some(_) = findings.take(save(subject, &[actor().with(key.as_str(), "x")]).await) else {
                continue;
            };
            let Some(_) = findings.take(save(subject, &[actor().with(key.as_str(), value)]).await) else {
                continue;
            };
            let (found, reply) = get_one(subject, &one.name, &created.key).await?;
            findings.expect(found.text(&key).is_empty(), &reply.traffic, || {
                format!("{}: {key} was saved as {value:?} and is still {:?}", one.name, found.text(&key))
            });
        }
    }
    Ok(())
}

pub(super) async fn refused(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    let listed = writable(subject, findings)?;
    subject.needs(&[1101])?;
    for one in listed {
        let name = &one.name;
        let before = subject.ok(all_of(name)).await?;
        let mut stranger = new_actor(subject, one);
        NOBODY.clone_into(&mut stranger.key);
        let saved = subject.ask(Request::SaveActors { actors: Some(vec![carrier(&stranger)]) }).await?;
        let gives = saved.keys().iter().any(|key| key == NOBODY);
        findings.expect(saved.is_error() || !gives, &saved.traffic, || {
            format!("{name}: WSSaveActors takes an actor with the ErpKey {NOBODY:?}, which nobody has")
        });
        let typeless = Actor { actor_type: NOBODY.to_owned(), ..new_actor(subject, one) };
        let created = subject.ask(Request::CreateActor { actor: Some(carrier(&typeless)) }).await?;
        findings.expect(created.is_error() || created.actors().is_empty(), &created.traffic, || {
            format!("WSCreateActor makes an actor of the type {NOBODY:?}")
        });
        let after = subject.ok(all_of(name)).await?;
        findings.expect(after.keys() == before.keys(), &after.traffic, || {
            format!("{name}: after calls that make no sense there are other actors than before")
        });
    }
    Ok(())
}

pub(super) async fn nothing(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    if subject.read_only {
        return Err(Stop::skip("nothing may be written: --read-only"));
    }
    subject.guid()?;
    for request in [
        Request::CreateActor { actor: None },
        Request::SaveActors { actors: None },
        Request::SaveActors { actors: Some(vec![]) },
    ] {
        if findings.take(subject.ask(request).await).is_some() {
            findings.expect_all(true, String::new);
        }
    }
    Ok(())
}
