//! The encoding of a part: UTF-8 and UTF-16, each with or without a byte order mark, are read and written back; every
//! other encoding is refused by its name.

use std::io::{self, BufRead, Read};

use encoding_rs::{Decoder, DecoderResult};

/// How the text of a part stands in its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Encoding {
    form: Form,
    /// The bytes begin with a byte order mark.
    has_mark: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Utf8,
    Utf16Le,
    Utf16Be,
}

/// As many bytes as are looked at for the XML declaration.
const HEAD: usize = 1024;
/// As many bytes as are decoded at a time.
const BLOCK: usize = 16 * 1024;

impl Encoding {
    /// Finds the encoding from the first bytes; gives the length of the byte order mark too.
    fn detect(head: &[u8]) -> Result<Self, String> {
        let refused = |name: &str| Err(format!("it is in the encoding {name}, expected UTF-8 or UTF-16"));
        // UTF-32 first: its little-endian mark begins like that of UTF-16.
        let (form, has_mark) = match head {
            [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] | [0, 0, 0, b'<', ..] | [b'<', 0, 0, 0, ..] => {
                return refused("UTF-32");
            }
            [0x4c, 0x6f, 0xa7, 0x94, ..] => return refused("EBCDIC"),
            [b'+', b'/', b'v', ..] => return refused("UTF-7"),
            [0xef, 0xbb, 0xbf, ..] => (Form::Utf8, true),
            [0xff, 0xfe, ..] => (Form::Utf16Le, true),
            [0xfe, 0xff, ..] => (Form::Utf16Be, true),
            [b'<', 0, ..] => (Form::Utf16Le, false),
            [0, b'<', ..] => (Form::Utf16Be, false),
            _ => (Form::Utf8, false),
        };
        let encoding = Encoding { form, has_mark };
        let body = &head[encoding.mark().len()..];
        let start: String = match form {
            Form::Utf8 => String::from_utf8_lossy(body).into_owned(),
            Form::Utf16Le | Form::Utf16Be => {
                let unit = |pair: &[u8; 2]| match form {
                    Form::Utf16Be => u16::from_be_bytes(*pair),
                    _ => u16::from_le_bytes(*pair),
                };
                String::from_utf16_lossy(&body.as_chunks::<2>().0.iter().map(unit).collect::<Vec<_>>())
            }
        };
        if start.starts_with('\u{feff}') {
            return Err("it has two byte order marks".to_owned());
        }
        match declared(&start) {
            Some(name) if !form.is_named(name) => match form {
                _ if !is_utf(name) => refused(name),
                _ => Err(format!(
                    "its XML declaration says {name}, but its bytes are {}: expected one encoding",
                    form.name()
                )),
            },
            _ => Ok(encoding),
        }
    }

    fn mark(self) -> &'static [u8] {
        match self.form {
            _ if !self.has_mark => &[],
            Form::Utf8 => &[0xef, 0xbb, 0xbf],
            Form::Utf16Le => &[0xff, 0xfe],
            Form::Utf16Be => &[0xfe, 0xff],
        }
    }

    /// The bytes of a text in this encoding.
    pub(crate) fn encode(self, text: &str) -> Vec<u8> {
        let mut bytes = self.mark().to_vec();
        match self.form {
            Form::Utf8 => bytes.extend_from_slice(text.as_bytes()),
            Form::Utf16Le => bytes.extend(text.encode_utf16().flat_map(u16::to_le_bytes)),
            Form::Utf16Be => bytes.extend(text.encode_utf16().flat_map(u16::to_be_bytes)),
        }
        bytes
    }
}

impl Form {
    fn name(self) -> &'static str {
        match self {
            Form::Utf8 => "UTF-8",
            Form::Utf16Le | Form::Utf16Be => "UTF-16",
        }
    }

    /// Whether an XML declaration may call it so.
    fn is_named(self, name: &str) -> bool {
        let names: &[&str] = match self {
            Form::Utf8 => &["utf-8", "utf8"],
            Form::Utf16Le => &["utf-16", "utf-16le"],
            Form::Utf16Be => &["utf-16", "utf-16be"],
        };
        names.iter().any(|known| name.eq_ignore_ascii_case(known))
    }
}

fn is_utf(name: &str) -> bool {
    name.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("utf"))
        && (name.ends_with('8') || name.contains("16"))
}

/// The encoding that an XML declaration names.
fn declared(start: &str) -> Option<&str> {
    let declaration = start.strip_prefix("<?xml")?;
    let declaration = &declaration[..declaration.find("?>")?];
    let value = declaration[declaration.find("encoding")? + "encoding".len()..].trim_start();
    let value = value.strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|sign| matches!(sign, '"' | '\''))?;
    value[1..].split(quote).next()
}

/// The text of a part, decoded while it is read, without its byte order mark.
pub(crate) struct TextReader<R> {
    inner: R,
    encoding: Encoding,
    /// What was read of `inner`, and how much of that is decoded.
    raw: Vec<u8>,
    taken: usize,
    at_end: bool,
    decoder: Option<Decoder>,
    /// The decoded text, and how much of it is given out.
    text: Vec<u8>,
    given: usize,
}

impl<R: Read> TextReader<R> {
    /// # Errors
    /// `inner` cannot be read, or its encoding is none that is read: the error names it.
    pub(crate) fn new(mut inner: R) -> io::Result<Self> {
        let mut raw = Vec::with_capacity(BLOCK);
        inner.by_ref().take(HEAD as u64).read_to_end(&mut raw)?;
        let encoding =
            Encoding::detect(&raw).map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why))?;
        let decoder = match encoding.form {
            Form::Utf8 => encoding_rs::UTF_8,
            Form::Utf16Le => encoding_rs::UTF_16LE,
            Form::Utf16Be => encoding_rs::UTF_16BE,
        };
        Ok(TextReader {
            inner,
            encoding,
            taken: encoding.mark().len(),
            at_end: raw.len() < HEAD,
            raw,
            decoder: Some(decoder.new_decoder_without_bom_handling()),
            text: Vec::new(),
            given: 0,
        })
    }

    pub(crate) fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Decodes the next block; the text stays empty at the end.
    fn decode(&mut self) -> io::Result<()> {
        let wrong = |name: &str| {
            io::Error::new(io::ErrorKind::InvalidData, format!("its bytes are not valid {name}"))
        };
        self.given = 0;
        self.text.clear();
        while self.text.is_empty() {
            if self.taken == self.raw.len() && !self.at_end {
                self.raw.resize(BLOCK, 0);
                let read = self.inner.read(&mut self.raw)?;
                self.raw.truncate(read);
                (self.taken, self.at_end) = (0, read == 0);
            }
            let Some(decoder) = self.decoder.as_mut() else { return Ok(()) };
            let rest = &self.raw[self.taken..];
            let room = decoder.max_utf8_buffer_length_without_replacement(rest.len()).unwrap_or(BLOCK * 4);
            self.text.resize(room, 0);
            let (result, read, written) =
                decoder.decode_to_utf8_without_replacement(rest, &mut self.text, self.at_end);
            self.taken += read;
            self.text.truncate(written);
            match result {
                DecoderResult::Malformed(..) => return Err(wrong(self.encoding.form.name())),
                DecoderResult::InputEmpty if self.at_end => self.decoder = None,
                DecoderResult::InputEmpty | DecoderResult::OutputFull => {}
            }
        }
        Ok(())
    }
}

impl<R: Read> BufRead for TextReader<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.given == self.text.len() {
            self.decode()?;
        }
        Ok(&self.text[self.given..])
    }

    fn consume(&mut self, amount: usize) {
        self.given += amount;
    }
}

impl<R: Read> Read for TextReader<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buf)?;
        self.consume(read);
        Ok(read)
    }
}

#[cfg(test)]
mod tests;
