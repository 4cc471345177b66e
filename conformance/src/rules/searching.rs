//! Rules of searching: what is found is compared with what the operators mean for the actors of the subject itself.

use contract::{Operation, Request};
use plugin_api::{Actor, Field, FieldType, Matcher, Operator, Parent, Restriction, TextMatcher, error_code};

use super::fields::searchable_of;
use super::samples::{self, pieces, sample, shown, some_values};
use crate::reply::{Reply, difference, sorted_keys, text, texts};
use crate::rule::{Findings, Stop};
use crate::subject::{Described, Listed, NOBODY, Subject};

/// The actors of a type, and the fields to search them by.
pub(super) fn searched<'s>(subject: &'s Subject<'_>) -> Result<Vec<(&'s Listed, Vec<Field>)>, Stop> {
    subject.needs(&[701, 703])?;
    let described = subject.described()?;
    let listed = subject.listed()?.iter();
    listed
        .filter_map(|one| described.iter().find(|other| other.name == one.name).map(|fields| (one, fields)))
        .map(|(one, fields)| Ok((one, searchable_of(fields)?)))
        .collect()
}

pub(super) async fn texts_of(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    of_types(subject, findings, &[FieldType::Text]).await
}

pub(super) async fn numbers(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    of_types(subject, findings, &[FieldType::Integer, FieldType::Double]).await
}

pub(super) async fn checkboxes(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    of_types(subject, findings, &[FieldType::Checkbox]).await
}

pub(super) async fn lists(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    of_types(subject, findings, &[FieldType::List]).await
}

pub(super) async fn dates(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    of_types(subject, findings, &[FieldType::Datetime]).await
}

/// Tries every operator of these types, and every searchable field of theirs.
async fn of_types(subject: &Subject<'_>, findings: &mut Findings, types: &[FieldType]) -> Result<(), Stop> {
    let names: Vec<&str> = types.iter().map(|field_type| field_type.as_str()).collect();
    findings.needs(format!("no searchable field of type {} has values", names.join(" or ")));
    // A connector searches the fields of a type alike. So one field has every operand, the first one of each further actor type
    // each operator, and each other field one operator by turns, which shows that it is the right field.
    let mut whole = Vec::new();
    for (one, fields) in searched(subject)? {
        let (mut begun, mut turn) = (Vec::new(), 0);
        for field in fields.iter().filter(|field| types.contains(&field.field_type)) {
            let mut all = restrictions(subject, one, field);
            if all.is_empty() {
                continue;
            }
            let is_first = !begun.contains(&field.field_type);
            begun.push(field.field_type);
            if whole.contains(&field.field_type) {
                all.dedup_by_key(|restriction| restriction.operator);
                if !is_first {
                    turn += 1;
                    all = vec![all.swap_remove(turn % all.len())];
                }
            }
            whole.push(field.field_type);
            for restriction in all {
                expect_matches(subject, findings, one, &fields, &[restriction]).await;
            }
        }
    }
    Ok(())
}

/// The request for a search, without fields: they are known already.
fn by_restrictions<'r>(actor_type: &'r str, restrictions: &'r [Restriction]) -> Request<'r> {
    let restriction = |one: &'r Restriction| contract::Restriction {
        field_key: text(&one.field),
        operator: Some(one.operator.as_str().into()),
        scalar_value: None,
        values: texts(&one.values),
    };
    Request::SearchActorsAdvanced {
        actor_type: text(actor_type),
        restrictions: Some(restrictions.iter().map(restriction).collect()),
        field_keys: Some(vec![]),
    }
}

pub(super) async fn search(
    subject: &Subject<'_>,
    actor_type: &str,
    restrictions: &[Restriction],
) -> Result<Reply, Stop> {
    subject.ok(by_restrictions(actor_type, restrictions)).await
}

/// Expects what the operators mean. The contract leaves open what null and empty values are equal to, and the order of texts
/// beyond that of the bounds themselves; the plugin API defines both.
async fn expect_matches(
    subject: &Subject<'_>,
    findings: &mut Findings,
    one: &Listed,
    fields: &[Field],
    restrictions: &[Restriction],
) {
    let Ok(matcher) = Matcher::new(restrictions, fields) else { return };
    let names_nobody = restrictions.iter().any(|one| one.values.iter().any(|value| value == NOBODY));
    let is_refused =
        |reply: &Reply| names_nobody && reply.error_code() == Some(error_code::UNKOWN_LISTITEM_ID);
    let asked = subject.ask(by_restrictions(&one.name, restrictions)).await;
    let reply = match asked {
        // A host refuses the key of an item that is not in the list.
        Ok(reply) if reply.is_error() && is_refused(&reply) => return findings.expect_all(true, String::new),
        asked => asked.and_then(|reply| subject.must_succeed(Operation::SearchActorsAdvanced, reply)),
    };
    let Some(reply) = findings.take(reply) else { return };
    let is_clear = |actor: &&Actor| {
        subject.is_in_process()
            || restrictions.iter().all(|restriction| {
                let value = actor.field(&restriction.field).flatten().unwrap_or_default();
                let is_text = fields
                    .iter()
                    .any(|field| field.key == restriction.field && field.field_type == FieldType::Text);
                let is_bound =
                    restriction.values.iter().any(|bound| bound.to_lowercase() == value.to_lowercase());
                !value.is_empty() && (restriction.operator != Operator::Between || !is_text || is_bound)
            })
    };
    let clear: Vec<&Actor> = one.actors.iter().filter(is_clear).collect();
    let mut expected: Vec<String> =
        clear.iter().filter(|actor| matcher.matches(**actor)).map(|actor| actor.key.clone()).collect();
    expected.sort();
    // What is left open may be found or not.
    let mut open = one.by_key();
    open.retain(|_, actor| !is_clear(actor));
    let came: Vec<String> = reply.keys().into_iter().filter(|key| !open.contains_key(key.as_str())).collect();
    let differs = difference(&came, &expected);
    findings.expect(differs.is_none(), &reply.shown_by, || {
        format!("{}: {} {}", one.name, shown(restrictions), differs.unwrap_or_default())
    });
}

/// Restrictions of a field with each operator of its type, around values that occur.
fn restrictions(subject: &Subject<'_>, one: &Listed, field: &Field) -> Vec<Restriction> {
    let occurring = some_values(&one.actors, &field.key);
    if occurring.is_empty() && !subject.is_in_process() {
        return Vec::new();
    }
    let singles = samples::singles(field.field_type, &occurring);
    let mut all = Vec::new();
    for &operator in Restriction::operators(field.field_type) {
        let mut operands = samples::operands(operator, &occurring, &singles, NOBODY);
        // The plugin API defines what no value and an empty one mean.
        if subject.is_in_process() {
            match operator {
                Operator::OneOf | Operator::NotOneOf => operands.push(vec![]),
                Operator::Equal | Operator::NotEqual | Operator::IsNot => operands.push(vec![""]),
                _ => {}
            }
        }
        all.extend(operands.into_iter().map(|values| Restriction::new(&field.key, operator, values)));
    }
    all
}

pub(super) async fn together(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    subject.needs(&[801, 802, 803, 804, 805])?;
    findings.needs("no actor type has two restrictions to combine");
    for (one, fields) in searched(subject)? {
        let each: Vec<Restriction> =
            fields.iter().flat_map(|field| restrictions(subject, one, field)).collect();
        for pair in sample(&each, 6).windows(2) {
            expect_matches(subject, findings, one, &fields, &[pair[0].clone(), pair[1].clone()]).await;
        }
        let text_field = fields.iter().find(|field| field.field_type == FieldType::Text);
        if let (Some(field), Some(any)) = (text_field, each.first()) {
            let nobody = Restriction::new(&field.key, Operator::Equal, [NOBODY]);
            expect_matches(subject, findings, one, &fields, &[any.clone(), nobody.clone()]).await;
            expect_matches(subject, findings, one, &fields, &[nobody, any.clone()]).await;
        }
    }
    Ok(())
}

pub(super) async fn nonsense(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    for Described { name, .. } in subject.described()? {
        let restriction = |field: &'static str, operator: &'static str| contract::Restriction {
            field_key: text(field),
            operator: text(operator),
            scalar_value: None,
            values: texts(&["1"]),
        };
        for (what, one) in [
            ("an unknown field", restriction(NOBODY, "=")),
            ("an unknown operator", restriction("NAME", "looks like")),
            ("an empty field", restriction("", "=")),
        ] {
            let is_unknown_field = what == "an unknown field";
            let request = Request::SearchActorsAdvanced {
                actor_type: text(name),
                restrictions: Some(vec![one]),
                field_keys: Some(vec![]),
            };
            let Some(reply) = findings.take(subject.ask(request).await) else { continue };
            findings.expect(reply.is_error(), &reply.shown_by, || {
                format!(
                    "{name}: a search by {what} is answered by {} actors, expected State=Error",
                    reply.actors().len()
                )
            });
            let code = reply.error_code();
            let is_named = !is_unknown_field || code == Some(error_code::UNKOWN_FIELDKEY);
            findings.expect(!reply.is_error() || is_named, &reply.shown_by, || {
                format!(
                    "{name}: a search by {what} has the ErrorCode {code:?}, expected {}",
                    error_code::UNKOWN_FIELDKEY
                )
            });
        }
    }
    Ok(())
}

pub(super) async fn misfits(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    findings.needs("no field can be searched");
    for (one, fields) in searched(subject)? {
        let mut wrong = Vec::new();
        for field in &fields {
            let allowed = Restriction::operators(field.field_type);
            let stranger = Operator::ALL.iter().find(|operator| !allowed.contains(operator));
            wrong.extend(stranger.map(|operator| Restriction::new(&field.key, *operator, ["1"])));
            if matches!(field.field_type, FieldType::Integer | FieldType::Double | FieldType::Datetime) {
                wrong.push(Restriction::new(&field.key, Operator::Equal, [NOBODY]));
            }
        }
        for restriction in wrong {
            let restrictions = [restriction];
            let asked = subject.ask(by_restrictions(&one.name, &restrictions)).await;
            let Some(reply) = findings.take(asked) else { continue };
            findings.expect(reply.is_error(), &reply.shown_by, || {
                let (name, shown) = (&one.name, shown(&restrictions));
                format!("{name}: {shown} finds something, but does not suit the field's type: expected State=Error")
            });
        }
    }
    Ok(())
}

async fn search_text(subject: &Subject<'_>, actor_type: &str, wanted: &str) -> Result<Reply, Stop> {
    let request = Request::SearchActors {
        actor_type: text(actor_type),
        search_text: text(wanted),
        field_keys: Some(vec![]),
    };
    subject.ok(request).await
}

pub(super) async fn by_text(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    subject.needs(&[701])?;
    findings.needs("no actor has a NAME");
    for one in subject.listed()? {
        for actor in sample(&one.actors, 2) {
            let name = actor.text("NAME");
            if name.trim().is_empty() || name.trim() != name {
                continue;
            }
            for wanted in pieces(name).into_iter().filter(|piece| piece.chars().count() > 2) {
                let Some(reply) = findings.take(search_text(subject, &one.name, &wanted).await) else {
                    continue;
                };
                findings.expect(reply.keys().contains(&actor.key), &reply.shown_by, || {
                    format!(
                        "{}: a search for {wanted:?} does not find {:?} with the NAME {name:?}",
                        one.name, actor.key
                    )
                });
            }
        }
        let Some(reply) = findings.take(search_text(subject, &one.name, NOBODY).await) else { continue };
        findings.expect(reply.keys().is_empty(), &reply.shown_by, || {
            format!(
                "{}: a search for {NOBODY:?} finds {} actors, expected none",
                one.name,
                reply.keys().len()
            )
        });
    }
    Ok(())
}

pub(super) async fn exactly_by_text(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    subject.needs(&[809])?;
    findings.needs("there are no actors");
    for (one, searchable) in searched(subject)? {
        let mut wanted: Vec<String> = sample(&one.actors, 3).iter().map(|actor| actor.key.clone()).collect();
        if wanted.is_empty() {
            continue;
        }
        for field in subject.fields(&one.name) {
            let values = some_values(&one.actors, &field.key);
            let is_found =
                field.field_type == FieldType::Text && searchable.iter().any(|one| one.key == field.key);
            // A value of a field that is not searched must not be found.
            wanted.extend(match is_found {
                true => values.into_iter().flat_map(pieces).collect(),
                false => values.into_iter().take(1).map(str::to_owned).collect::<Vec<_>>(),
            });
        }
        for wanted in wanted.iter().filter(|wanted| !wanted.trim().is_empty()) {
            let Some(reply) = findings.take(search_text(subject, &one.name, wanted).await) else { continue };
            let matcher = TextMatcher::new(wanted, &searchable, None);
            let expected = sorted_keys(one.actors.iter().filter(|actor| matcher.matches(*actor)));
            let differs = difference(&reply.keys(), &expected);
            findings.expect(differs.is_none(), &reply.shown_by, || {
                format!("{}: a search for the text {wanted:?} {}", one.name, differs.unwrap_or_default())
            });
        }
    }
    Ok(())
}

/// Types with actors that have parents, and some of these.
fn with_parents<'s>(subject: &'s Subject<'_>) -> Result<Vec<(&'s Listed, Vec<Parent>)>, Stop> {
    subject.needs(&[701, 707])?;
    let mut all = Vec::new();
    for one in subject.listed()? {
        let mut parents: Vec<Parent> = one.actors.iter().filter_map(|actor| actor.parent.clone()).collect();
        parents.sort_unstable_by(|a, b| (&a.actor_type, &a.key).cmp(&(&b.actor_type, &b.key)));
        parents.dedup();
        let Some(first) = parents.first() else { continue };
        let nobody = Parent::new(first.actor_type.as_str(), NOBODY);
        let mut some: Vec<Parent> = sample(&parents, 3).into_iter().cloned().collect();
        some.push(nobody);
        all.push((one, some));
    }
    Ok(all)
}

fn children_of(one: &Listed, parent: &Parent) -> Vec<String> {
    sorted_keys(one.actors.iter().filter(|actor| actor.parent.as_ref() == Some(parent)))
}

pub(super) async fn below_by_restrictions(
    subject: &Subject<'_>,
    findings: &mut Findings,
) -> Result<(), Stop> {
    findings.needs("no actor has a parent");
    for (one, parents) in with_parents(subject)? {
        for parent in &parents {
            let below = [
                Restriction::new(Restriction::PARENT_TYPE, Operator::Equal, [parent.actor_type.as_str()]),
                Restriction::new(Restriction::PARENT_KEY, Operator::Equal, [parent.key.as_str()]),
            ];
            let Some(reply) = findings.take(search(subject, &one.name, &below).await) else { continue };
            let differs = difference(&reply.keys(), &children_of(one, parent));
            findings.expect(differs.is_none(), &reply.shown_by, || {
                format!(
                    "{}: below {} {:?}, the search {}",
                    one.name,
                    parent.actor_type,
                    parent.key,
                    differs.unwrap_or_default()
                )
            });
        }
    }
    Ok(())
}

pub(super) async fn below_by_text(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    findings.needs("no actor has a parent");
    for (one, parents) in with_parents(subject)? {
        for parent in &parents {
            let child = one.actors.iter().find(|actor| actor.parent.as_ref() == Some(parent));
            let name = child.map(|actor| actor.text("NAME")).filter(|name| name.trim() == *name);
            for wanted in [Some(""), name].into_iter().flatten() {
                let request = Request::SearchActorByParent {
                    actor_type: text(&one.name),
                    search_text: text(wanted),
                    parent_actor_type: text(&parent.actor_type),
                    parent_actor_erp_key: text(&parent.key),
                    field_keys: Some(vec![]),
                };
                let Some(reply) = findings.take(subject.ok(request).await) else { continue };
                let (came, children) = (reply.keys(), children_of(one, parent));
                let strangers: Vec<&String> = came.iter().filter(|key| !children.contains(key)).collect();
                let place = || {
                    format!(
                        "{}: a search for {wanted:?} below {} {:?}",
                        one.name, parent.actor_type, parent.key
                    )
                };
                findings.expect(strangers.is_empty(), &reply.shown_by, || {
                    format!("{} gives {strangers:?}, which are not below it", place())
                });
                let found =
                    child.filter(|_| !wanted.is_empty()).is_none_or(|actor| came.contains(&actor.key));
                findings.expect(found, &reply.shown_by, || {
                    format!("{} does not find the child of that name", place())
                });
            }
        }
    }
    Ok(())
}
