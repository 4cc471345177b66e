//! The sample workbook of the demos and the end-to-end tests: a small ERP system, the same every time it is made.

use std::path::Path;

use rust_xlsxwriter::{ExcelDateTime, Format, Workbook, Worksheet, XlsxError};

/// How many customers the sample has; the other types follow from it.
pub const CUSTOMERS: u32 = 120;
/// How many suppliers the sample has.
pub const SUPPLIERS: u32 = 30;
/// How many persons the sample has: two for each customer, one for each supplier.
pub const PERSONS: u32 = 2 * CUSTOMERS + SUPPLIERS;
/// How many projects the sample has.
pub const PROJECTS: u32 = 40;
/// The key of the first customer.
pub const FIRST_CUSTOMER: u32 = 1001;

const COMPANIES: [&str; 12] = [
    "Fjord Møbler",
    "Nordlys Energi",
    "Ærlig Kaffe",
    "Bølge & Sønn",
    "Šumava Sklo",
    "Łódź Tekstil",
    "Ångström Mätteknik",
    "Ελιά Import",
    "東京精機",
    "Café Zürich",
    "Straßenbau Köhler",
    "O'Brien & Daughters",
];
const SUFFIXES: [&str; 4] = ["AS", "ASA", "Holding", "Gruppen"];
const FIRST_NAMES: [&str; 10] =
    ["Åse", "Bjørn", "Chloé", "Dmitrij", "Élise", "Fatima", "Günther", "Håkon", "Ingrid", "José"];
const LAST_NAMES: [&str; 9] =
    ["Ødegård", "Hansen", "Nguyễn", "O'Connor", "Müller", "Kowalski", "Sørensen", "Ibáñez", "Lindström"];
const STREETS: [&str; 6] = ["Storgata", "Kirkeveien", "Havnegata", "Øvre Slottsgate", "Skolegata", "Bryggen"];
/// Zip codes with their cities; some begin with a zero, and are texts therefore.
const CITIES: [(&str, &str); 8] = [
    ("0150", "Oslo"),
    ("0010", "Oslo"),
    ("5003", "Bergen"),
    ("7013", "Trondheim"),
    ("9008", "Tromsø"),
    ("4006", "Stavanger"),
    ("6003", "Ålesund"),
    ("0580", "Oslo"),
];
const CATEGORIES: [(&str, &str); 4] =
    [("A", "US:\"Key account\";NO:\"Nøkkelkunde\""), ("B", "Standard"), ("C", "Small"), ("X", "Former")];
const TERMS: [(u32, &str); 3] = [(10, "10 days"), (30, "30 days"), (60, "60 days")];
const STATUS: [(&str, &str); 3] = [("OPEN", "Open"), ("HOLD", "On hold"), ("DONE", "Done")];

/// Writes the sample workbook: the sheets Customer, Supplier, Person and Project, the lists Category, PaymentTerms and
/// Status, and the sheet Fields. The folder must exist; a file that is there is replaced.
///
/// # Errors
/// The file cannot be written.
pub fn write_sample(path: &Path) -> Result<(), XlsxError> {
    let mut workbook = Workbook::new();
    // The same bytes every time.
    let created = ExcelDateTime::from_ymd(2026, 1, 2)?;
    workbook.set_properties(&rust_xlsxwriter::DocProperties::new().set_creation_datetime(&created));
    let formats = Formats::new();
    customers(workbook.add_worksheet(), &formats)?;
    suppliers(workbook.add_worksheet(), &formats)?;
    persons(workbook.add_worksheet(), &formats)?;
    projects(workbook.add_worksheet(), &formats)?;
    let categories = CATEGORIES.map(|(key, text)| (Cell::Text(key.to_owned()), text));
    list(workbook.add_worksheet(), "Category", &categories, &formats)?;
    let terms = TERMS.map(|(key, text)| (Cell::Number(f64::from(key)), text));
    list(workbook.add_worksheet(), "PaymentTerms", &terms, &formats)?;
    let status = STATUS.map(|(key, text)| (Cell::Text(key.to_owned()), text));
    list(workbook.add_worksheet(), "Status", &status, &formats)?;
    fields(workbook.add_worksheet(), &formats)?;
    workbook.save(path)
}

struct Formats {
    heading: Format,
    date: Format,
    moment: Format,
    money: Format,
}

impl Formats {
    fn new() -> Self {
        Formats {
            heading: Format::new().set_bold(),
            date: Format::new().set_num_format("yyyy-mm-dd"),
            moment: Format::new().set_num_format("yyyy-mm-dd hh:mm:ss"),
            money: Format::new().set_num_format("#,##0.00"),
        }
    }
}

enum Cell {
    Empty,
    Text(String),
    Number(f64),
    Money(f64),
    Bool(bool),
    /// Year, month, day.
    Date(u16, u8, u8),
    /// Minutes after the morning of 2026-01-05: a stamp.
    Stamp(u32),
}

fn headings(
    sheet: &mut Worksheet,
    name: &str,
    headings: &[&str],
    formats: &Formats,
) -> Result<(), XlsxError> {
    sheet.set_name(name)?;
    sheet.set_freeze_panes(1, 0)?;
    for (column, heading) in (0..).zip(headings) {
        sheet.write_string_with_format(0, column, *heading, &formats.heading)?;
        sheet.set_column_width(column, 16)?;
    }
    Ok(())
}

fn row(sheet: &mut Worksheet, row: u32, cells: &[Cell], formats: &Formats) -> Result<(), XlsxError> {
    for (column, cell) in (0..).zip(cells) {
        match cell {
            Cell::Empty => {}
            Cell::Text(text) => {
                sheet.write_string(row, column, text)?;
            }
            Cell::Number(number) => {
                sheet.write_number(row, column, *number)?;
            }
            Cell::Money(number) => {
                sheet.write_number_with_format(row, column, *number, &formats.money)?;
            }
            Cell::Bool(on) => {
                sheet.write_boolean(row, column, *on)?;
            }
            Cell::Date(year, month, day) => {
                let date = ExcelDateTime::from_ymd(*year, *month, *day)?;
                sheet.write_datetime_with_format(row, column, &date, &formats.date)?;
            }
            Cell::Stamp(minutes) => {
                let date = ExcelDateTime::from_serial_datetime(46_027.25 + f64::from(*minutes) / 1440.0)?;
                sheet.write_datetime_with_format(row, column, &date, &formats.moment)?;
            }
        }
    }
    Ok(())
}

fn customers(sheet: &mut Worksheet, formats: &Formats) -> Result<(), XlsxError> {
    const HEADINGS: [&str; 16] = [
        "ID",
        "Nm",
        "Ad1",
        "Ad2",
        "Zip",
        "City",
        "Phone",
        "E-mail",
        "WWW",
        "OrgNo",
        "Category",
        "CreditLimit",
        "Terms",
        "Since",
        "Active",
        "LastModified",
    ];
    headings(sheet, "Customer", &HEADINGS, formats)?;
    for number in 0..CUSTOMERS {
        let name = company(number);
        let (zip, city) = *pick(&CITIES, number);
        let cells = [
            Cell::Number(f64::from(FIRST_CUSTOMER + number)),
            Cell::Text(name),
            Cell::Text(format!("{} {}", pick(&STREETS, number), number % 90 + 1)),
            if number % 4 == 0 { Cell::Text(format!("Postboks {}", 100 + number)) } else { Cell::Empty },
            Cell::Text(zip.to_owned()),
            Cell::Text(city.to_owned()),
            Cell::Text(format!("+47 22 {:02} {:02} {:02}", number % 100, number * 7 % 100, number * 3 % 100)),
            Cell::Text(format!("post{}@kunde.example", FIRST_CUSTOMER + number)),
            Cell::Text(format!("https://www{}.kunde.example", FIRST_CUSTOMER + number)),
            Cell::Number(f64::from(910_000_000 + number * 7919)),
            Cell::Text(pick(&CATEGORIES, number).0.to_owned()),
            Cell::Money(f64::from(number * 1250) + 0.5 * f64::from(number % 2)),
            Cell::Number(f64::from(pick(&TERMS, number).0)),
            Cell::Date(year(number), month(number), day(number)),
            Cell::Bool(number % 5 != 4),
            Cell::Stamp(number),
        ];
        row(sheet, number + 1, &cells, formats)?;
    }
    Ok(())
}

fn suppliers(sheet: &mut Worksheet, formats: &Formats) -> Result<(), XlsxError> {
    // Another order, and keys with a text before the number.
    const HEADINGS: [&str; 7] = ["Name", "LastModified", "ID", "Address", "Zip", "City", "Rating"];
    headings(sheet, "Supplier", &HEADINGS, formats)?;
    for number in 0..SUPPLIERS {
        let (zip, city) = *pick(&CITIES, number + 3);
        let cells = [
            Cell::Text(format!("{} Levering", pick(&COMPANIES, number + 5))),
            Cell::Stamp(200 + number),
            Cell::Text(supplier_key(number)),
            Cell::Text(format!("{} {}", pick(&STREETS, number + 1), number + 1)),
            Cell::Text(zip.to_owned()),
            Cell::Text(city.to_owned()),
            Cell::Number(f64::from(number % 5 + 1)),
        ];
        row(sheet, number + 1, &cells, formats)?;
    }
    Ok(())
}

fn persons(sheet: &mut Worksheet, formats: &Formats) -> Result<(), XlsxError> {
    const HEADINGS: [&str; 10] = [
        "ID",
        "ParentType",
        "ParentID",
        "FirstName",
        "LastName",
        "E-mail",
        "Mobile",
        "Position",
        "Birthdate",
        "LastModified",
    ];
    headings(sheet, "Person", &HEADINGS, formats)?;
    for number in 0..PERSONS {
        let (parent_type, parent) = if number < 2 * CUSTOMERS {
            ("Customer", (FIRST_CUSTOMER + number / 2).to_string())
        } else {
            ("Supplier", supplier_key(number - 2 * CUSTOMERS))
        };
        let cells = [
            Cell::Number(f64::from(5001 + number)),
            Cell::Text(parent_type.to_owned()),
            Cell::Text(parent),
            Cell::Text((*pick(&FIRST_NAMES, number)).to_owned()),
            Cell::Text((*pick(&LAST_NAMES, number)).to_owned()),
            Cell::Text(format!("person{}@kunde.example", 5001 + number)),
            Cell::Text(format!("+47 9{:07}", number * 7919 % 10_000_000)),
            Cell::Text((*pick(&["CEO", "Buyer", "Accountant"], number)).to_owned()),
            if number % 3 == 0 {
                Cell::Empty
            } else {
                Cell::Date(1950 + year(number) % 50, month(number), day(number))
            },
            Cell::Stamp(300 + number),
        ];
        row(sheet, number + 1, &cells, formats)?;
    }
    Ok(())
}

fn projects(sheet: &mut Worksheet, formats: &Formats) -> Result<(), XlsxError> {
    // No column LastModified: the connector makes the stamps.
    const HEADINGS: [&str; 7] = ["ID", "Name", "Description", "Status", "EndDate", "Budget", "Hours"];
    headings(sheet, "Project", &HEADINGS, formats)?;
    for number in 0..PROJECTS {
        let cells = [
            Cell::Text(format!("P-{:03}", number + 1)),
            Cell::Text(format!("Prosjekt {} – {}", number + 1, pick(&COMPANIES, number))),
            Cell::Text(format!("First line of project {}\nsecond line", number + 1)),
            Cell::Text(pick(&STATUS, number).0.to_owned()),
            Cell::Date(2026 + u16::from(number % 2 == 0), month(number), day(number)),
            Cell::Money(f64::from(number) * 10_000.0),
            Cell::Number(f64::from(number) * 7.5),
        ];
        row(sheet, number + 1, &cells, formats)?;
    }
    Ok(())
}

fn list(
    sheet: &mut Worksheet,
    name: &str,
    items: &[(Cell, &str)],
    formats: &Formats,
) -> Result<(), XlsxError> {
    headings(sheet, name, &["ID", "Text"], formats)?;
    for (at, (key, text)) in (1..).zip(items) {
        row(sheet, at, std::slice::from_ref(key), formats)?;
        sheet.write_string(at, 1, *text)?;
    }
    Ok(())
}

fn fields(sheet: &mut Worksheet, formats: &Formats) -> Result<(), XlsxError> {
    const HEADINGS: [&str; 9] =
        ["ActorType", "Column", "FieldKey", "Label", "Type", "List", "Access", "MaxLength", "Rank"];
    const ROWS: [[&str; 9]; 7] = [
        ["Customer", "Nm", "NAME", "US:\"Name\";NO:\"Navn\"", "", "", "Mandatory", "100", "1"],
        [
            "Customer",
            "Terms",
            "PAYMENTTERMS",
            "US:\"Payment terms\";NO:\"Betalingsbetingelser\"",
            "List",
            "PaymentTerms",
            "",
            "",
            "2",
        ],
        [
            "Customer",
            "CreditLimit",
            "LIMIT",
            "US:\"Credit limit\";NO:\"Kredittgrense\"",
            "Double",
            "",
            "",
            "",
            "3",
        ],
        ["Customer", "Since", "SINCE", "US:\"Customer since\";NO:\"Kunde siden\"", "Date", "", "", "", "4"],
        ["Customer", "Active", "ACTIVE", "US:\"Active\";NO:\"Aktiv\"", "Checkbox", "", "", "", "5"],
        ["Supplier", "Rating", "RATING", "", "Integer", "", "ReadOnly", "", ""],
        ["*", "City", "", "US:\"City\";NO:\"Poststed\"", "", "", "", "50", ""],
    ];
    headings(sheet, "Fields", &HEADINGS, formats)?;
    for (at, texts) in (1..).zip(ROWS) {
        let cells = texts.map(|text| if text.is_empty() { Cell::Empty } else { Cell::Text(text.to_owned()) });
        row(sheet, at, &cells, formats)?;
    }
    Ok(())
}

fn company(number: u32) -> String {
    format!("{} {} {}", pick(&COMPANIES, number), pick(&SUFFIXES, number / 12), FIRST_CUSTOMER + number)
}

fn supplier_key(number: u32) -> String {
    format!("S-{:04}", number + 1)
}

/// An item of a list, in turn.
fn pick<T>(items: &[T], number: u32) -> &T {
    &items[usize::try_from(number).unwrap_or(0) % items.len()]
}

fn year(number: u32) -> u16 {
    1995 + small(number, 30)
}

fn month(number: u32) -> u8 {
    u8::try_from(small(number, 12)).unwrap_or(0) + 1
}

fn day(number: u32) -> u8 {
    u8::try_from(small(number, 28)).unwrap_or(0) + 1
}

fn small(number: u32, below: u32) -> u16 {
    u16::try_from(number % below).unwrap_or(0)
}

#[cfg(test)]
mod tests;
