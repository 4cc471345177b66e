//! Rules of searching: what comes is compared with what the matcher finds in a listing of all actors.

use super::report::{Findings, Stop};
use super::subject::{Listed, NOBODY, Subject, difference};
use crate::folded::Folded;
use crate::testing::collect;
use crate::testing::trial::{self, pieces, sample, shown, some_values};
use crate::{
    Actor, Connection, Connector, Field, FieldType, Matcher, Operator, Parent, Restriction, error_code,
};

pub(super) fn texts<C: Connector>(subject: &Subject<'_, C>, findings: &mut Findings) -> Result<(), Stop> {
    of_types(subject, findings, &[FieldType::Text])
}

pub(super) fn numbers<C: Connector>(subject: &Subject<'_, C>, findings: &mut Findings) -> Result<(), Stop> {
    of_types(subject, findings, &[FieldType::Integer, FieldType::Double])
}

pub(super) fn checkboxes<C: Connector>(
    subject: &Subject<'_, C>,
    findings: &mut Findings,
) -> Result<(), Stop> {
    of_types(subject, findings, &[FieldType::Checkbox])
}

pub(super) fn lists<C: Connector>(subject: &Subject<'_, C>, findings: &mut Findings) -> Result<(), Stop> {
    of_types(subject, findings, &[FieldType::List])
}

pub(super) fn dates<C: Connector>(subject: &Subject<'_, C>, findings: &mut Findings) -> Result<(), Stop> {
    of_types(subject, findings, &[FieldType::Datetime])
}

/// Tries every operator of these types on every searchable field of theirs.
fn of_types<C: Connector>(
    subject: &Subject<'_, C>,
    findings: &mut Findings,
    types: &[FieldType],
) -> Result<(), Stop> {
    let names: Vec<&str> = types.iter().map(|field_type| field_type.as_str()).collect();
    findings.needs(format!("no searchable field is of type {}", names.join(" or ")));
    for one in subject.stable()? {
        for field in one.searchable.iter().filter(|field| types.contains(&field.field_type)) {
            for restriction in restrictions(&one, field) {
                expect_matches(subject, findings, &one, &[restriction])?;
            }
        }
    }
    Ok(())
}

/// Expects what the matcher finds.
fn expect_matches<C: Connector>(
    subject: &Subject<'_, C>,
    findings: &mut Findings,
    one: &Listed<'_>,
    restrictions: &[Restriction],
) -> Result<(), Stop> {
    let Ok(matcher) = Matcher::new(restrictions, &one.searchable) else { return Ok(()) };
    let expected = keys_of(one, |actor| matcher.matches(actor));
    let differs = difference(&subject.search(one.name, restrictions)?, &expected);
    findings.expect(differs.is_none(), || {
        format!("{}: {} {}", one.name, shown(restrictions), differs.unwrap_or_default())
    });
    Ok(())
}

/// The keys of the actors for which something holds, sorted.
fn keys_of(one: &Listed<'_>, holds: impl Fn(&Actor) -> bool) -> Vec<String> {
    let mut keys: Vec<_> =
        one.actors.iter().filter(|actor| holds(actor)).map(|actor| actor.key.clone()).collect();
    keys.sort();
    keys
}

/// Restrictions of a field with each operator of its type, around values that occur.
fn restrictions(one: &Listed<'_>, field: &Field) -> Vec<Restriction> {
    let occurring = some_values(one.actors, &field.key);
    let singles = trial::singles(field.field_type, &occurring, pieces);
    let mut all = Vec::new();
    for &operator in Restriction::operators(field.field_type) {
        let mut with = |values: Vec<&str>| all.push(Restriction::new(&field.key, operator, values));
        trial::operands(operator, &occurring, &singles, NOBODY).into_iter().for_each(&mut with);
        if matches!(operator, Operator::OneOf | Operator::NotOneOf) {
            with(vec![]);
        }
        // What is not filled in.
        if matches!(operator, Operator::Equal | Operator::NotEqual | Operator::IsNot) {
            with(vec![""]);
        }
    }
    all
}

pub(super) fn together<C: Connector>(subject: &Subject<'_, C>, findings: &mut Findings) -> Result<(), Stop> {
    subject.after(&[17, 18, 19, 20, 21])?;
    findings.needs("no actor type has two restrictions to combine");
    for one in subject.stable()? {
        let each: Vec<Restriction> =
            one.searchable.iter().flat_map(|field| restrictions(&one, field)).collect();
        let first = sample(&each, 6);
        for pair in first.windows(2) {
            expect_matches(subject, findings, &one, &[pair[0].clone(), pair[1].clone()])?;
        }
        // One that holds for many and one that holds for nobody.
        if let (Some(field), Some(any)) =
            (one.searchable.iter().find(|field| field.field_type == FieldType::Text), each.first())
        {
            let nobody = Restriction::new(&field.key, Operator::Equal, [NOBODY]);
            expect_matches(subject, findings, &one, &[any.clone(), nobody.clone()])?;
            expect_matches(subject, findings, &one, &[nobody, any.clone()])?;
        }
    }
    Ok(())
}

pub(super) fn nonsense<C: Connector>(subject: &Subject<'_, C>, findings: &mut Findings) -> Result<(), Stop> {
    let connection = subject.connection()?;
    for one in subject.stable()? {
        let name = one.name;
        let search = |restriction: Restriction| {
            collect(name, None, |rows| connection.search(name, &[restriction], rows)).map(drop)
        };
        let unknown = search(Restriction::new(NOBODY, Operator::Equal, ["1"]));
        let code = unknown.as_ref().err().and_then(|error| error.error_code());
        findings.expect(code == Some(error_code::UNKOWN_FIELDKEY), || match &unknown {
            Ok(()) => format!("{name}: a search for the field {NOBODY:?} finds something, expected an error"),
            Err(error) => format!(
                "{name}: a search for the field {NOBODY:?} fails with the code {:?}, expected {}",
                error.error_code(),
                error_code::UNKOWN_FIELDKEY
            ),
        });
        for field in &one.searchable {
            let allowed = Restriction::operators(field.field_type);
            if let Some(operator) = Operator::ALL.iter().find(|operator| !allowed.contains(operator)) {
                let restriction = Restriction::new(&field.key, *operator, ["1"]);
                let what = shown(std::slice::from_ref(&restriction));
                findings.expect(search(restriction).is_err(), || {
                    format!("{name}: {what} finds something, but {operator} is no operator of its type: expected an error")
                });
            }
            if matches!(field.field_type, FieldType::Integer | FieldType::Double | FieldType::Datetime) {
                let restriction = Restriction::new(&field.key, Operator::Equal, [NOBODY]);
                findings.expect(search(restriction).is_err(), || {
                    let (key, field_type) = (&field.key, field.field_type);
                    format!("{name}: {key} = {NOBODY:?} finds something, but is no {field_type}: expected an error")
                });
            }
        }
    }
    Ok(())
}

pub(super) fn text_search<C: Connector>(
    subject: &Subject<'_, C>,
    findings: &mut Findings,
) -> Result<(), Stop> {
    findings.needs("there are no actors");
    for one in subject.stable()? {
        let fields: Vec<&Field> =
            one.searchable.iter().filter(|field| field.field_type == FieldType::Text).collect();
        let mut texts: Vec<String> = sample(one.actors, 3).iter().map(|actor| actor.key.clone()).collect();
        if texts.is_empty() {
            continue;
        }
        texts.push(NOBODY.to_owned());
        for field in &fields {
            texts.extend(some_values(one.actors, &field.key).into_iter().flat_map(pieces));
        }
        // What stands in other fields is not looked at.
        for field in one.fields.iter().filter(|field| !fields.iter().any(|text| text.key == field.key)) {
            texts.extend(some_values(one.actors, &field.key).into_iter().take(1).map(str::to_owned));
        }
        texts.retain(|text| !text.trim().is_empty());
        for text in texts {
            let wanted = Folded::new(text.trim());
            let has = |value: Option<&str>| value.is_some_and(|value| wanted.is_in(value));
            let expected = keys_of(&one, |actor| {
                wanted.is(&actor.key) || fields.iter().any(|field| has(actor.field(&field.key).flatten()))
            });
            let differs = difference(&subject.search_text(one.name, &text, None)?, &expected);
            findings.expect(differs.is_none(), || {
                format!("{}: a search for the text {text:?} {}", one.name, differs.unwrap_or_default())
            });
        }
    }
    Ok(())
}

pub(super) fn parents<C: Connector>(subject: &Subject<'_, C>, findings: &mut Findings) -> Result<(), Stop> {
    findings.needs("no actor has a parent");
    for one in subject.stable()? {
        let mut parents: Vec<&Parent> = one.actors.iter().filter_map(|actor| actor.parent.as_ref()).collect();
        parents.sort_unstable_by(|a, b| (&a.actor_type, &a.key).cmp(&(&b.actor_type, &b.key)));
        parents.dedup();
        let Some(first) = parents.first() else { continue };
        let nobody = Parent::new(first.actor_type.as_str(), NOBODY);
        for parent in sample(&parents, 3).into_iter().copied().chain([&nobody]) {
            let expected = keys_of(&one, |actor| actor.parent.as_ref() == Some(parent));
            let below = [
                Restriction::new(Restriction::PARENT_TYPE, Operator::Equal, [parent.actor_type.as_str()]),
                Restriction::new(Restriction::PARENT_KEY, Operator::Equal, [parent.key.as_str()]),
            ];
            let by_restrictions = subject.search(one.name, &below)?;
            let by_text = subject.search_text(one.name, "", Some(parent))?;
            for (what, found) in [("restrictions", by_restrictions), ("search_text", by_text)] {
                let differs = difference(&found, &expected);
                findings.expect(differs.is_none(), || {
                    let (name, differs) = (one.name, differs.unwrap_or_default());
                    format!("{name}: below {} {:?}, {what} {differs}", parent.actor_type, parent.key)
                });
            }
        }
    }
    Ok(())
}
