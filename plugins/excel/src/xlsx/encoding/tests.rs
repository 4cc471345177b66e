use super::*;

fn read(bytes: &[u8]) -> Result<(String, Encoding), String> {
    let mut reader = TextReader::new(bytes).map_err(|error| error.to_string())?;
    let mut text = String::new();
    reader.read_to_string(&mut text).map_err(|error| error.to_string())?;
    Ok((text, reader.encoding()))
}

#[test]
fn utf_8_and_utf_16_are_read_and_written_back() {
    // Longer than a block, with signs of one to four bytes at every place.
    let text = format!("<a>{}</a>", "aø日🦀".repeat(BLOCK / 3));
    let units = |order: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(order).collect::<Vec<u8>>();
    for (mark, bytes) in [
        (&b""[..], text.as_bytes().to_vec()),
        (b"\xef\xbb\xbf", text.as_bytes().to_vec()),
        (b"", units(u16::to_le_bytes)),
        (b"\xff\xfe", units(u16::to_le_bytes)),
        (b"", units(u16::to_be_bytes)),
        (b"\xfe\xff", units(u16::to_be_bytes)),
    ] {
        let bytes = [mark, &bytes].concat();
        let (read, encoding) = read(&bytes).unwrap();
        assert_eq!(read, text, "{encoding:?}");
        assert_eq!(encoding.encode(&read), bytes, "{encoding:?}");
    }
}

#[test]
fn other_encodings_are_refused_by_name() {
    let utf_16 = |text: &str| {
        [&b"\xff\xfe"[..], &text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>()].concat()
    };
    for (bytes, part) in [
        (b"<?xml version='1.0' encoding='ISO-8859-1'?><a>\xf8</a>".to_vec(), "the encoding ISO-8859-1"),
        (b"<?xml version=\"1.0\" encoding=\"windows-1252\"?><a/>".to_vec(), "the encoding windows-1252"),
        (b"<?xml version=\"1.0\" encoding=\"US-ASCII\"?><a/>".to_vec(), "the encoding US-ASCII"),
        (b"<?xml version=\"1.0\" encoding=\"UTF-16\"?><a/>".to_vec(), "says UTF-16, but its bytes are UTF-8"),
        (utf_16("<?xml version=\"1.0\" encoding=\"utf-8\"?><a/>"), "says utf-8, but its bytes are UTF-16"),
        (b"\xff\xfe\0\0<\0\0\0a\0\0\0".to_vec(), "the encoding UTF-32"),
        (b"\x4c\x6f\xa7\x94".to_vec(), "the encoding EBCDIC"),
        (b"<a>\xf8</a>".to_vec(), "not valid UTF-8"),
        (b"\xff\xfe<\0a\0/\0>\0\0\xd8".to_vec(), "not valid UTF-16"),
        (b"\xff\xfe<\0a\0/\0>\0\0".to_vec(), "not valid UTF-16"),
        (b"\xef\xbb\xbf\xef\xbb\xbf<a/>".to_vec(), "two byte order marks"),
    ] {
        let refusal = read(&bytes).unwrap_err();
        assert!(refusal.contains(part), "{part}: {refusal}");
    }
}
