//! The number formats of a workbook's styles.

use super::XlsxError;
use super::package::Package;
use super::xml::{Token, XmlReader};

/// The format code of each style, by the style's number, with the number of the format if it is a built-in one.
///
/// # Errors
/// The part cannot be read.
pub(crate) fn format_codes(
    package: &mut Package<'_>,
    part: &str,
) -> Result<Vec<(String, Option<u32>)>, XlsxError> {
    let mut xml = XmlReader::new(package.reader(part)?);
    let mut codes: Vec<(u32, String)> = Vec::new();
    let mut styles: Vec<u32> = Vec::new();
    let mut within_cell_styles = false;
    loop {
        let token = xml.next().map_err(|error| error.of(part))?;
        let opens = match token {
            Token::Start => xml.depth(),
            Token::Empty => xml.depth() + 1,
            Token::Eof => break,
            _ => continue,
        };
        let number = |name: &str| xml.attribute(name).and_then(|value| value.trim().parse::<u32>().ok());
        match (opens, xml.local_name()) {
            (2, name) => within_cell_styles = name == Some("cellXfs"),
            (3, Some("numFmt")) => {
                if let (Some(id), Some(code)) = (number("numFmtId"), xml.attribute("formatCode")) {
                    codes.push((id, code.into_owned()));
                }
            }
            (3, Some("xf")) if within_cell_styles => styles.push(number("numFmtId").unwrap_or(0)),
            _ => {}
        }
    }
    let code_of = |id: u32| match codes.iter().find(|(known, _)| *known == id) {
        Some((_, code)) => (code.clone(), None),
        None => (built_in(id).to_owned(), Some(id)),
    };
    Ok(styles.into_iter().map(code_of).collect())
}

/// The code of a built-in format (ECMA-376, part 1, 18.8.30). Those of East Asian dates depend on the language: their
/// numbers define them.
fn built_in(id: u32) -> &'static str {
    match id {
        1 => "0",
        2 => "0.00",
        3 => "#,##0",
        4 => "#,##0.00",
        5..=6 | 41..=42 => "#,##0",
        7..=8 | 43..=44 => "#,##0.00",
        9 => "0%",
        10 => "0.00%",
        11 => "0.00E+00",
        12 => "# ?/?",
        13 => "# ??/??",
        14 => "mm-dd-yy",
        15 => "d-mmm-yy",
        16 => "d-mmm",
        17 => "mmm-yy",
        18 => "h:mm AM/PM",
        19 => "h:mm:ss AM/PM",
        20 => "h:mm",
        21 => "h:mm:ss",
        22 => "m/d/yy h:mm",
        37..=38 => "#,##0",
        39..=40 => "#,##0.00",
        45 => "mm:ss",
        46 => "[h]:mm:ss",
        47 => "mmss.0",
        48 => "##0.0E+0",
        49 => "@",
        _ => "General",
    }
}
