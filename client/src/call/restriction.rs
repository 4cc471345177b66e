//! Search restrictions as text: `NAME begins Acme`, `CREDIT between [F:1] and [F:2]`.

use contract::{Operator, Restriction};

/// Parses a restriction: a field, an operator and its values.
///
/// # Errors
/// The operator is unknown, or a part is missing.
pub fn parse(text: &str) -> Result<Restriction<'static>, String> {
    let (field, rest) = word(text);
    let (operator, rest) = word(rest);
    if field.is_empty() || operator.is_empty() {
        return Err("expected a field, an operator and its values, such as 'NAME begins Acme'".to_owned());
    }
    let found = Operator::ALL.iter().copied().find(|known| known.as_str().eq_ignore_ascii_case(operator));
    let operator = found.ok_or_else(|| {
        let known: Vec<&str> = Operator::ALL.iter().map(|operator| operator.as_str()).collect();
        format!("unknown operator {operator:?}, expected one of {}", known.join(" "))
    })?;
    let values: Vec<&str> = match operator {
        Operator::Between => match rest.split_once(" and ") {
            Some((from, to)) => vec![from.trim(), to.trim()],
            None => return Err(format!("expected two values with 'and' between them, not {rest:?}")),
        },
        Operator::OneOf | Operator::NotOneOf => {
            rest.split(',').map(str::trim).filter(|key| !key.is_empty()).collect()
        }
        _ => vec![rest],
    };
    Ok(new(field, operator, &values))
}

/// A restriction with these values.
pub(super) fn new(field: &str, operator: Operator, values: &[&str]) -> Restriction<'static> {
    Restriction {
        field_key: Some(field.to_owned().into()),
        operator: Some(operator.as_str().into()),
        scalar_value: None,
        values: Some(values.iter().map(|value| Some((*value).to_owned().into())).collect()),
    }
}

/// Splits off the first word.
fn word(text: &str) -> (&str, &str) {
    let text = text.trim();
    text.split_once(char::is_whitespace).map_or((text, ""), |(word, rest)| (word, rest.trim_start()))
}
