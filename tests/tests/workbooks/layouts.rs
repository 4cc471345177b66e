//! Workbooks of the same contents, laid out as the programs lay them out that write them: made part by part, since no
//! library writes the awkward ones.

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// How a program lays out a workbook.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout {
    pub(crate) name: &'static str,
    /// The prefix of all elements of a sheet, with its colon.
    prefix: &'static str,
    declaration: &'static str,
    encoding: Encoding,
    /// Sheets and relationships begin with a byte order mark.
    mark: bool,
    /// So do the workbook part and its relationships.
    mark_everywhere: bool,
    /// Texts are shared, not in the cells.
    shares_texts: bool,
    /// Rows and cells say their names.
    names: bool,
    spans: bool,
    /// Elements stand on lines of their own.
    indents: bool,
    /// Rows stand from the last to the first, cells too.
    reversed: bool,
    /// `t="n"` stands with numbers.
    says_number: bool,
    /// Targets of relationships begin at the root.
    absolute: bool,
    /// What the archive does to the names of its entries.
    entry_name: fn(&str) -> String,
    compression: CompressionMethod,
    /// Sizes stand behind each entry, as a stream is written.
    streams: bool,
    calculation: &'static str,
    /// An Excel table around the customers: `None`, or with how many rows of totals.
    table: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Utf8,
    Utf16Le,
    Utf16Be,
}

const EXCEL: Layout = Layout {
    name: "excel",
    prefix: "",
    declaration: "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\r\n",
    encoding: Encoding::Utf8,
    mark: false,
    mark_everywhere: false,
    shares_texts: true,
    names: true,
    spans: true,
    indents: false,
    reversed: false,
    says_number: false,
    absolute: false,
    entry_name: str::to_owned,
    compression: CompressionMethod::Deflated,
    streams: false,
    calculation: "<{p}calcPr calcId=\"191029\"/>",
    table: Some(0),
};

const PLAIN: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>";

/// The layouts of the programs that write most workbooks, and of some that write them badly.
pub(crate) const ALL: [Layout; 14] = [
    EXCEL,
    Layout { name: "excel-totals", table: Some(1), ..EXCEL },
    // Marks in sheets and package relationships, a prefix, targets from the root.
    Layout {
        name: "closedxml",
        prefix: "x:",
        declaration: PLAIN,
        mark: true,
        absolute: true,
        calculation: "<{p}calcPr calcId=\"125725\"/>",
        ..EXCEL
    },
    Layout {
        name: "open-xml-sdk",
        prefix: "x:",
        declaration: PLAIN,
        mark: true,
        shares_texts: false,
        names: false,
        spans: false,
        calculation: "",
        table: None,
        ..EXCEL
    },
    Layout { name: "epplus", declaration: PLAIN, spans: false, absolute: true, table: Some(1), ..EXCEL },
    Layout {
        name: "openpyxl",
        declaration: "",
        spans: false,
        says_number: true,
        absolute: true,
        calculation: "<{p}calcPr calcId=\"124519\" fullCalcOnLoad=\"1\"/>",
        table: None,
        ..EXCEL
    },
    Layout {
        name: "libreoffice",
        spans: false,
        says_number: true,
        calculation: "<{p}calcPr iterateCount=\"100\" refMode=\"A1\" iterate=\"false\" iterateDelta=\"0.001\"/>",
        table: None,
        ..EXCEL
    },
    Layout { name: "google-sheets", spans: false, streams: true, calculation: "", table: None, ..EXCEL },
    Layout {
        name: "spreadsheetgear",
        declaration: "<?xml version=\"1.0\" encoding=\"utf-8\" standalone=\"yes\"?>\n",
        indents: true,
        table: None,
        ..EXCEL
    },
    Layout { name: "marks-everywhere", mark: true, mark_everywhere: true, ..EXCEL },
    Layout {
        name: "utf-16",
        declaration: "<?xml version=\"1.0\" encoding=\"utf-16\"?>",
        encoding: Encoding::Utf16Le,
        mark: true,
        mark_everywhere: true,
        ..EXCEL
    },
    Layout { name: "utf-16-big-endian-without-mark", declaration: "", encoding: Encoding::Utf16Be, ..EXCEL },
    Layout { name: "out-of-order", reversed: true, spans: false, table: None, ..EXCEL },
    Layout {
        name: "windows-names",
        entry_name: |name| name.replace('/', "\\").replace("sheet1", "Sheet1"),
        compression: CompressionMethod::Stored,
        ..EXCEL
    },
];

/// The headings, and the customers below them.
pub(crate) const HEADINGS: [&str; 7] = ["ID", "Name", "Email", "Credit", "Since", "Active", "Double"];
pub(crate) const CUSTOMERS: u32 = 3;

/// What a cell holds.
enum Cell {
    Text(String),
    Number(f64),
    Date(f64),
    Bool(bool),
    Formula(String, f64),
    Empty,
}

fn contents() -> Vec<Vec<Cell>> {
    let mut rows =
        vec![HEADINGS.map(|heading| Cell::Text(heading.to_owned())).into_iter().collect::<Vec<_>>()];
    for number in 1..=CUSTOMERS {
        let credit = f64::from(number) * 10.5;
        let row = number + 1;
        rows.push(vec![
            Cell::Text(format!("C-{number:03}")),
            Cell::Text(format!("Bær & <Sønn> {number} 日本")),
            if number == 3 { Cell::Empty } else { Cell::Text(format!("post{number}@example.org")) },
            Cell::Number(credit),
            Cell::Date(45_000.5 + f64::from(number)),
            Cell::Bool(number % 2 == 0),
            Cell::Formula(format!("D{row}*2"), credit * 2.0),
        ]);
    }
    rows
}

impl Layout {
    pub(crate) fn has_table(&self) -> bool {
        self.table.is_some()
    }

    /// The workbook.
    pub(crate) fn workbook(&self) -> Vec<u8> {
        let mut rows = contents();
        if self.table == Some(1) {
            let total = Cell::Formula("SUBTOTAL(109,Table1[Credit])".to_owned(), 63.0);
            let mut totals = vec![Cell::Text("Total".to_owned()), Cell::Empty, Cell::Empty, total];
            totals.extend([Cell::Empty, Cell::Empty, Cell::Empty]);
            rows.push(totals);
        }
        let mut texts = Vec::new();
        let customer = self.sheet(&rows, &mut texts, true);
        let other = self.sheet(&contents()[..2], &mut texts, false);
        let strings: String = texts
            .iter()
            .map(|text| format!("<si><t xml:space=\"preserve\">{}</t></si>", escaped(text)))
            .collect();
        let table = self.table.map(|totals| {
            let last = CUSTOMERS + 1;
            let columns: String = (1..)
                .zip(HEADINGS)
                .map(|(id, name)| format!("<tableColumn id=\"{id}\" name=\"{name}\"/>"))
                .collect();
            let count = if totals > 0 { format!(" totalsRowCount=\"{totals}\"") } else { " totalsRowShown=\"0\"".to_owned() };
            format!(
                "{}<table xmlns=\"{MAIN}\" id=\"1\" name=\"Table1\" displayName=\"Table1\" ref=\"A1:G{}\"{count}><autoFilter \
                 ref=\"A1:G{last}\"/><tableColumns count=\"7\">{columns}</tableColumns></table>",
                self.declaration,
                last + totals
            )
        });
        let root = if self.absolute { "/xl/" } else { "" };
        let up = if self.absolute { "/xl/" } else { "../" };
        let mut shared =
            format!("<Relationship Id=\"rId3\" Type=\"{OFFICE}/styles\" Target=\"{root}styles.xml\"/>");
        if self.shares_texts {
            shared += &format!(
                "<Relationship Id=\"rId4\" Type=\"{OFFICE}/sharedStrings\" Target=\"{root}sharedStrings.xml\"/>"
            );
        }
        let table_relationship = match self.table {
            Some(_) => format!(
                "<Relationship Id=\"rId8\" Type=\"{OFFICE}/table\" Target=\"{up}tables/table1.xml\"/>"
            ),
            None => String::new(),
        };
        let p = self.prefix;
        let xmlns = self.xmlns();
        let relationships = |inner: &str| {
            format!(
                "{}<Relationships xmlns=\"{PACKAGE}/relationships\">{inner}</Relationships>",
                self.declaration
            )
        };
        let mut parts: Vec<(&str, String, bool)> = vec![
            ("[Content_Types].xml", self.content_types(), false),
            (
                "_rels/.rels",
                relationships(&format!(
                    "<Relationship Id=\"rId1\" Type=\"{OFFICE}/officeDocument\" Target=\"{}xl/workbook.xml\"/>",
                    if self.absolute { "/" } else { "" }
                )),
                self.mark,
            ),
            (
                "xl/workbook.xml",
                format!(
                    "{}<{p}workbook {xmlns}><{p}sheets><{p}sheet name=\"Customer\" sheetId=\"1\" r:id=\"rId1\"/><{p}sheet name=\"Other\" \
                     sheetId=\"2\" r:id=\"rId2\"/></{p}sheets><{p}definedNames><{p}definedName name=\"Rate\">Other!$D$2</{p}definedName>\
                     </{p}definedNames>{}</{p}workbook>",
                    self.declaration,
                    self.calculation.replace("{p}", p)
                ),
                self.mark_everywhere,
            ),
            (
                "xl/_rels/workbook.xml.rels",
                relationships(&format!(
                    "<Relationship Id=\"rId1\" Type=\"{OFFICE}/worksheet\" Target=\"{root}worksheets/sheet1.xml\"/><Relationship Id=\"rId2\" \
                     Type=\"{OFFICE}/worksheet\" Target=\"{root}worksheets/sheet2.xml\"/>{shared}"
                )),
                self.mark_everywhere,
            ),
            ("xl/worksheets/sheet1.xml", customer, self.mark),
            (
                "xl/worksheets/_rels/sheet1.xml.rels",
                relationships(&format!(
                    "<Relationship Id=\"rId7\" Type=\"{OFFICE}/hyperlink\" Target=\"mailto:post1@example.org\" TargetMode=\"External\"/>{table_relationship}"
                )),
                self.mark,
            ),
            ("xl/worksheets/sheet2.xml", other, self.mark),
            ("xl/styles.xml", format!("{}{STYLES}", self.declaration), self.mark_everywhere),
        ];
        if self.shares_texts {
            let strings = format!(
                "{}<sst xmlns=\"{MAIN}\" count=\"{n}\" uniqueCount=\"{n}\">{strings}</sst>",
                self.declaration,
                n = texts.len()
            );
            parts.push(("xl/sharedStrings.xml", strings, self.mark_everywhere));
        }
        parts.extend(table.map(|table| ("xl/tables/table1.xml", table, self.mark)));
        self.archive(&parts)
    }

    fn xmlns(&self) -> String {
        let main = if self.prefix.is_empty() { "xmlns" } else { "xmlns:x" };
        format!("{main}=\"{MAIN}\" xmlns:r=\"{OFFICE}\"")
    }

    fn sheet(&self, rows: &[Vec<Cell>], texts: &mut Vec<String>, is_customer: bool) -> String {
        let (p, line) = (self.prefix, if self.indents { "\n  " } else { "" });
        let mut lines: Vec<String> =
            (1..).zip(rows).map(|(row, cells)| self.row(row, cells, texts)).collect();
        if self.reversed {
            lines.reverse();
        }
        let tail = match (is_customer, self.table) {
            (false, _) => String::new(),
            (true, table) => {
                let display = if self.indents { " display=\"post1@example.org\"" } else { "" };
                let table = match table {
                    Some(_) => {
                        format!("<{p}tableParts count=\"1\"><{p}tablePart r:id=\"rId8\"/></{p}tableParts>")
                    }
                    None => String::new(),
                };
                format!(
                    "<{p}hyperlinks><{p}hyperlink ref=\"C2\" r:id=\"rId7\"{display}/></{p}hyperlinks><{p}pageMargins left=\"0.7\" \
                     right=\"0.7\" top=\"0.75\" bottom=\"0.75\" header=\"0.3\" footer=\"0.3\"/>{table}"
                )
            }
        };
        format!(
            "{}<{p}worksheet {}>{line}<{p}dimension ref=\"A1:G{}\"/><{p}sheetViews><{p}sheetView workbookViewId=\"0\"/></{p}sheetViews>{line}\
             <{p}sheetData>{}{line}</{p}sheetData>{line}{tail}</{p}worksheet>",
            self.declaration,
            self.xmlns(),
            rows.len(),
            lines.concat()
        )
    }

    fn row(&self, row: usize, cells: &[Cell], texts: &mut Vec<String>) -> String {
        let (p, line) = (self.prefix, if self.indents { "\n    " } else { "" });
        let mut written: Vec<String> = (b'A'..)
            .zip(cells)
            .map(|(column, cell)| self.cell(char::from(column), row, cell, texts))
            .collect();
        if self.reversed {
            written.reverse();
        }
        let name = if self.names { format!(" r=\"{row}\"") } else { String::new() };
        let spans = if self.spans { " spans=\"1:7\"" } else { "" };
        format!("{line}<{p}row{name}{spans}>{}{line}</{p}row>", written.concat())
    }

    fn cell(&self, column: char, row: usize, cell: &Cell, texts: &mut Vec<String>) -> String {
        let (p, line) = (self.prefix, if self.indents { "\n      " } else { "" });
        let name = if self.names { format!(" r=\"{column}{row}\"") } else { String::new() };
        let number = if self.says_number { " t=\"n\"" } else { "" };
        let value = |text: &str| format!("{line}<{p}v>{line}{text}{line}</{p}v>{line}");
        match cell {
            Cell::Text(text) if self.shares_texts => {
                let index = texts.iter().position(|known| known == text).unwrap_or_else(|| {
                    texts.push(text.clone());
                    texts.len() - 1
                });
                format!("{line}<{p}c{name} t=\"s\">{}</{p}c>", value(&index.to_string()))
            }
            Cell::Text(text) => {
                format!(
                    "{line}<{p}c{name} t=\"inlineStr\"><{p}is><{p}t>{}</{p}t></{p}is></{p}c>",
                    escaped(text)
                )
            }
            Cell::Number(number_value) => {
                format!("{line}<{p}c{name} s=\"2\"{number}>{}</{p}c>", value(&number_value.to_string()))
            }
            Cell::Date(days) => {
                format!("{line}<{p}c{name} s=\"1\"{number}>{}</{p}c>", value(&days.to_string()))
            }
            Cell::Bool(on) => {
                format!("{line}<{p}c{name} t=\"b\">{}</{p}c>", value(if *on { "1" } else { "0" }))
            }
            Cell::Formula(formula, result) => {
                format!("{line}<{p}c{name}><{p}f>{formula}</{p}f>{}</{p}c>", value(&result.to_string()))
            }
            // Without its name a cell that is left out would move the others.
            Cell::Empty if self.names => String::new(),
            Cell::Empty => format!("{line}<{p}c/>"),
        }
    }

    fn content_types(&self) -> String {
        let sheet = format!("{TYPES}.spreadsheetml");
        let mut overrides = vec![
            ("workbook.xml", "sheet.main"),
            ("worksheets/sheet1.xml", "worksheet"),
            ("worksheets/sheet2.xml", "worksheet"),
            ("styles.xml", "styles"),
        ];
        if self.shares_texts {
            overrides.push(("sharedStrings.xml", "sharedStrings"));
        }
        if self.table.is_some() {
            overrides.push(("tables/table1.xml", "table"));
        }
        let overrides: String = overrides
            .iter()
            .map(|(part, kind)| {
                format!("<Override PartName=\"/xl/{part}\" ContentType=\"{sheet}.{kind}+xml\"/>")
            })
            .collect();
        // Always in UTF-8, as a part that no connector reads.
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Types xmlns=\"{PACKAGE}/content-types\"><Default Extension=\"rels\" \
             ContentType=\"application/vnd.openxmlformats-package.relationships+xml\"/><Default Extension=\"xml\" \
             ContentType=\"application/xml\"/>{overrides}</Types>"
        )
    }

    fn archive(&self, parts: &[(&str, String, bool)]) -> Vec<u8> {
        let options = SimpleFileOptions::default().compression_method(self.compression);
        let write = |writer: &mut dyn FnMut(&str, &[u8])| {
            for (name, text, mark) in parts {
                let is_utf_8 = self.encoding == Encoding::Utf8 || name.starts_with('[');
                let mark: &[u8] = match self.encoding {
                    _ if !mark => &[],
                    Encoding::Utf8 => b"\xef\xbb\xbf",
                    Encoding::Utf16Le => b"\xff\xfe",
                    Encoding::Utf16Be => b"\xfe\xff",
                };
                let text: Vec<u8> = match self.encoding {
                    _ if is_utf_8 => text.as_bytes().to_vec(),
                    Encoding::Utf16Be => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
                    _ => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
                };
                writer(&(self.entry_name)(name), &[mark, &text].concat());
            }
        };
        if self.streams {
            let mut archive = ZipWriter::new_stream(Vec::new());
            write(&mut |name, bytes| {
                archive.start_file(name, options).unwrap();
                archive.write_all(bytes).unwrap();
            });
            return archive.finish().unwrap().into_inner();
        }
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        write(&mut |name, bytes| {
            archive.start_file(name, options).unwrap();
            archive.write_all(bytes).unwrap();
        });
        archive.finish().unwrap().into_inner()
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
const OFFICE: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const PACKAGE: &str = "http://schemas.openxmlformats.org/package/2006";
const TYPES: &str = "application/vnd.openxmlformats-officedocument";
/// The styles General, a date, and a number with two decimals.
const STYLES: &str = "<styleSheet xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\"><fonts count=\"1\"><font><sz \
                      val=\"11\"/><name val=\"Calibri\"/></font></fonts><fills count=\"2\"><fill><patternFill patternType=\"none\"/></fill><fill>\
                      <patternFill patternType=\"gray125\"/></fill></fills><borders count=\"1\"><border><left/><right/><top/><bottom/>\
                      <diagonal/></border></borders><cellStyleXfs count=\"1\"><xf numFmtId=\"0\" fontId=\"0\" fillId=\"0\" borderId=\"0\"/>\
                      </cellStyleXfs><cellXfs count=\"3\"><xf numFmtId=\"0\" fontId=\"0\" fillId=\"0\" borderId=\"0\" xfId=\"0\"/><xf \
                      numFmtId=\"22\" fontId=\"0\" fillId=\"0\" borderId=\"0\" xfId=\"0\" applyNumberFormat=\"1\"/><xf numFmtId=\"4\" \
                      fontId=\"0\" fillId=\"0\" borderId=\"0\" xfId=\"0\" applyNumberFormat=\"1\"/></cellXfs><cellStyles count=\"1\"><cellStyle \
                      name=\"Normal\" xfId=\"0\" builtinId=\"0\"/></cellStyles></styleSheet>";
