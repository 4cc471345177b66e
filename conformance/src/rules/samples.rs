//! The values and restrictions that searching is tried with.

use plugin_api::{Actor, FieldType, Operator, Restriction, Value};

/// Some members spread over a slice: the first, the last, and what lies between.
pub(super) fn sample<T>(all: &[T], count: usize) -> Vec<&T> {
    if all.len() <= count {
        return all.iter().collect();
    }
    (0..count).filter_map(|index| all.get(index * (all.len() - 1) / (count - 1).max(1))).collect()
}

/// Whether a value is in the wire form of a type. An empty one is, for every type.
pub(super) fn is_of(value: &str, field_type: FieldType) -> bool {
    value.is_empty()
        || match field_type {
            FieldType::Checkbox => matches!(value, "[I:0]" | "[I:1]"),
            FieldType::Integer => matches!(Value::from_wire(value), Value::Integer(_)),
            FieldType::Double => matches!(Value::from_wire(value), Value::Double(_) | Value::Integer(_)),
            FieldType::Datetime => matches!(Value::from_wire(value), Value::DateTime(_)),
            _ => true,
        }
}

/// Values of a field that occur, two at most.
pub(super) fn some_values<'a>(actors: &'a [Actor], key: &str) -> Vec<&'a str> {
    let values = actors.iter().filter_map(|actor| actor.field(key).flatten());
    let mut values: Vec<&str> = values.filter(|value| !value.is_empty()).collect();
    values.sort_unstable();
    values.dedup();
    sample(&values, 2).into_iter().copied().collect()
}

/// A text in another case, and its halves. Pieces with spaces at the ends are left out: databases differ on them.
pub(super) fn pieces(text: &str) -> Vec<String> {
    let flipped: String = text
        .chars()
        .map(|c| {
            let mut other =
                if c.is_lowercase() { c.to_uppercase().to_string() } else { c.to_lowercase().to_string() };
            // `ß` and the like grow: they stay as they are.
            if other.chars().count() != 1 {
                other = c.to_string();
            }
            other
        })
        .collect();
    let middle = flipped.chars().count().div_ceil(2);
    let (head, tail) = (flipped.chars().take(middle).collect(), flipped.chars().skip(middle).collect());
    let usable = |piece: &String| !piece.is_empty() && piece.trim() == piece;
    [flipped, head, tail].into_iter().filter(usable).collect()
}

/// What an operator with a single operand is tried with on a field of this type, around values that occur.
pub(super) fn singles(field_type: FieldType, occurring: &[&str]) -> Vec<String> {
    let mut singles: Vec<String> = match field_type {
        FieldType::Text => occurring.iter().flat_map(|value| pieces(value)).collect(),
        FieldType::Checkbox => vec!["[I:1]".to_owned(), "[I:0]".to_owned()],
        _ => occurring.iter().map(|value| (*value).to_owned()).collect(),
    };
    singles.sort();
    singles.dedup();
    singles
}

/// The operands that an operator is tried with. `nobody` is a value that no actor has.
pub(super) fn operands<'v>(
    operator: Operator,
    occurring: &[&'v str],
    singles: &'v [String],
    nobody: &'v str,
) -> Vec<Vec<&'v str>> {
    match operator {
        Operator::Between => {
            occurring.iter().flat_map(|from| occurring.iter().map(|to| vec![*from, *to])).collect()
        }
        Operator::OneOf | Operator::NotOneOf => {
            let each = occurring.iter().map(|value| vec![*value]);
            each.chain([occurring.to_vec(), vec![nobody]]).collect()
        }
        _ => singles.iter().map(|value| vec![value.as_str()]).collect(),
    }
}

/// Restrictions as messages show them.
pub(super) fn shown(restrictions: &[Restriction]) -> String {
    let one = |restriction: &Restriction| {
        format!("{} {} {:?}", restriction.field, restriction.operator, restriction.values)
    };
    restrictions.iter().map(one).collect::<Vec<_>>().join(" and ")
}
