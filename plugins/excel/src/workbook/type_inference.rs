//! Type inference: the type of a column, from its cells and their number formats.

use plugin_api::FieldType;

use crate::cell::CellValue;

use super::Styles;
use super::grid::Cell;

/// The type of a column, from its cells and their number formats.
pub(crate) fn inferred_type<'c>(cells: impl Iterator<Item = &'c Cell>, styles: &Styles) -> FieldType {
    let mut values: Option<FieldType> = None;
    let mut formats: Option<FieldType> = None;
    for cell in cells {
        let format = styles.format(cell.style);
        let found = match &cell.value {
            CellValue::Error => continue,
            CellValue::Bool(_) => FieldType::Checkbox,
            CellValue::Date(_) => FieldType::Datetime,
            CellValue::Text(text) if text.is_empty() => continue,
            CellValue::Text(_) => FieldType::Text,
            CellValue::Number(_) if format.is_text || format.has_leading_zeros() => FieldType::Text,
            CellValue::Number(number) if format.has_decimals || !is_whole(*number) => FieldType::Double,
            CellValue::Number(_) => FieldType::Integer,
            CellValue::Empty if cell.is_formula => continue,
            CellValue::Empty => {
                let meant = if format.is_date {
                    FieldType::Datetime
                } else if format.has_decimals {
                    FieldType::Double
                } else {
                    FieldType::Text
                };
                formats = Some(formats.map_or(meant, |before| common_type(before, meant)));
                continue;
            }
        };
        values = Some(values.map_or(found, |before| common_type(before, found)));
    }
    values.or(formats).unwrap_or(FieldType::Text)
}

/// The type that holds values of both.
fn common_type(one: FieldType, other: FieldType) -> FieldType {
    match (one, other) {
        (one, other) if one == other => one,
        (FieldType::Integer, FieldType::Double) | (FieldType::Double, FieldType::Integer) => {
            FieldType::Double
        }
        _ => FieldType::Text,
    }
}

/// A whole number that a double holds exactly.
pub(crate) fn is_whole(number: f64) -> bool {
    number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_991.0
}
