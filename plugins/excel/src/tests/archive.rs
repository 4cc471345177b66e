//! Writing leaves everything else in the workbook as it was.

use std::collections::BTreeMap;
use std::io::{Cursor, Read, Write};

use rust_xlsxwriter::{Chart, ChartType, Format, Image};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::kit::*;

/// The archive with an entry's text changed.
pub(crate) fn with_entry(archive: &[u8], name: &str, change: impl FnOnce(String) -> String) -> Vec<u8> {
    let mut old = ZipArchive::new(Cursor::new(archive)).unwrap();
    let mut text = String::new();
    old.by_name(name).unwrap().read_to_string(&mut text).unwrap();
    let index = old.index_for_name(name).unwrap();
    crate::write::replace_entries(archive, &BTreeMap::from([(index, change(text).into_bytes())])).unwrap()
}

/// The archive with another entry at its end.
pub(crate) fn with_new_entry(archive: &[u8], name: &str, text: &str) -> Vec<u8> {
    let mut new = ZipWriter::new_append(Cursor::new(archive.to_vec())).unwrap();
    new.start_file(name, SimpleFileOptions::default()).unwrap();
    new.write_all(text.as_bytes()).unwrap();
    new.finish().unwrap().into_inner()
}

pub(crate) fn entry(archive: &[u8], name: &str) -> String {
    let mut archive = ZipArchive::new(Cursor::new(archive)).unwrap();
    let mut text = String::new();
    archive.by_name(name).unwrap().read_to_string(&mut text).unwrap();
    text
}

/// The metadata of all entries and their stored bytes, in the archive's order.
type Entries = Vec<(String, Vec<u8>, Vec<String>)>;

fn entries(archive: &[u8]) -> Entries {
    let mut archive = ZipArchive::new(Cursor::new(archive)).unwrap();
    (0..archive.len())
        .map(|index| {
            let mut entry = archive.by_index_raw(index).unwrap();
            let about = vec![
                format!("{:08x} {} {}", entry.crc32(), entry.compressed_size(), entry.size()),
                format!("{:?} {:?} {:?}", entry.compression(), entry.last_modified(), entry.unix_mode()),
                format!("{:?} {:?}", entry.comment(), entry.extra_data()),
            ];
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            (entry.name().unwrap().into_owned(), bytes, about)
        })
        .collect()
}

/// A workbook with a chart, a picture, conditional formats and merged cells, macros, printer settings, and unknown
/// parts.
fn rich_workbook() -> Vec<u8> {
    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\0\0\0\rIDATx\x9cc\xf8\xff\xff?\0\x05\xfe\x02\xfe\xa75\x81\x84\0\0\0\0IEND\xaeB`\x82";
    let mut workbook = make(&customers());
    let sheet = workbook.worksheet_from_name("Customer").unwrap();
    let mut chart = Chart::new(ChartType::Column);
    chart.add_series().set_values("Customer!$D$2:$D$4");
    sheet.insert_chart(6, 3, &chart).unwrap();
    sheet.insert_image(20, 1, &Image::new_from_buffer(PNG).unwrap()).unwrap();
    sheet.merge_range(30, 0, 30, 3, "merged", &Format::new()).unwrap();
    sheet.set_landscape();
    let plain = workbook.save_to_buffer().unwrap();

    let mut old = ZipArchive::new(Cursor::new(&plain)).unwrap();
    let mut new = ZipWriter::new(Cursor::new(Vec::new()));
    new.set_comment("made by hand").unwrap();
    let stored =
        SimpleFileOptions::default().compression_method(CompressionMethod::Stored).unix_permissions(0o640);
    new.start_file("customXml/æøå item.xml", stored).unwrap();
    new.write_all("<fremmed/>".as_bytes()).unwrap();
    for index in 0..old.len() {
        new.raw_copy_file(old.by_index_raw(index).unwrap()).unwrap();
    }
    for (name, options) in [
        ("xl/vbaProject.bin", SimpleFileOptions::default()),
        ("xl/printerSettings/printerSettings1.bin", stored),
        ("xl/foreign/part.dat", SimpleFileOptions::default()),
    ] {
        new.start_file(name, options).unwrap();
        new.write_all(&(0..20_000u32).flat_map(|n| (n * n).to_le_bytes()).collect::<Vec<_>>()).unwrap();
    }
    new.finish().unwrap().into_inner()
}

#[test]
fn everything_else_stays_byte_for_byte() {
    let place = WorkbookFolder::new();
    std::fs::write(place.path(), rich_workbook()).unwrap();
    let connection = place.connect();
    let before = entries(&std::fs::read(place.path()).unwrap());

    save(&connection, &[actor("Customer", "1002", &[("NAME", Some("Bêta & søn"))])]).unwrap();
    create(&connection, &actor("Customer", "", &[("NAME", Some("Delta"))])).unwrap();

    let written = std::fs::read(place.path()).unwrap();
    let after = entries(&written);
    assert_eq!(ZipArchive::new(Cursor::new(&written)).unwrap().comment(), b"made by hand");
    let names = |entries: &Entries| entries.iter().map(|(name, ..)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&before), names(&after));
    assert!(names(&after).len() > 15, "{:?}", names(&after));
    let mut changed = BTreeMap::new();
    for (old, new) in before.iter().zip(&after) {
        if old != new {
            changed.insert(old.0.clone(), ());
        }
    }
    assert_eq!(changed.into_keys().collect::<Vec<_>>(), ["xl/worksheets/sheet1.xml"]);
}

#[test]
fn within_the_sheet_only_the_cells_change() {
    let place = WorkbookFolder::new();
    std::fs::write(place.path(), rich_workbook()).unwrap();
    let before = entry(&std::fs::read(place.path()).unwrap(), "xl/worksheets/sheet1.xml");
    save(&place.connect(), &[actor("Customer", "1002", &[("NAME", Some("New"))])]).unwrap();
    let after = entry(&std::fs::read(place.path()).unwrap(), "xl/worksheets/sheet1.xml");
    let row = |xml: &str, number: u32| {
        let start = xml.find(&format!("<row r=\"{number}\"")).unwrap();
        let end = start + xml[start..].find("</row>").unwrap();
        (xml[..start].to_owned(), xml[start..end].to_owned(), xml[end..].to_owned())
    };
    let ((head, old, tail), (new_head, new, new_tail)) = (row(&before, 3), row(&after, 3));
    assert_eq!((head, tail), (new_head, new_tail));
    assert!(
        new.contains("<c r=\"B3\" t=\"inlineStr\"><is><t xml:space=\"preserve\">New</t></is></c>"),
        "{new}"
    );
    let cells = |row: &str| row.split("<c ").map(str::to_owned).collect::<Vec<_>>();
    let (old, new) = (cells(&old), cells(&new));
    assert_eq!(old.len(), new.len());
    let changed: Vec<_> =
        old.iter().zip(&new).filter(|(old, new)| old != new).map(|(old, _)| &old[..6]).collect();
    assert_eq!(changed, ["r=\"B3\"", "r=\"H3\""]);
}
