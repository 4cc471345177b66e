//! Messages: the encoding in which all values cross the boundary.

use std::fmt;

use zeroize::Zeroize;

/// The mark of a null text.
const NULL: u32 = u32::MAX;

/// A sequence of texts and numbers. All texts are in one buffer, and each value has a mark: a text's length in bytes
/// (`u32::MAX` for null), or the number itself. Writing copies each text once; reading borrows. `Debug` shows no text,
/// because it may be a secret.
#[derive(Clone, Default)]
pub struct Message {
    text: String,
    marks: Vec<u32>,
}

/// A borrowed [`Message`].
#[derive(Clone, Copy)]
pub struct MessageRef<'a> {
    /// All texts, without separators.
    pub text: &'a str,
    /// A mark for each value.
    pub marks: &'a [u32],
}

/// Reads the values of a message, in the order in which they were written.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    text: &'a str,
    marks: &'a [u32],
}

/// A message does not have the expected content: one of the two sides has a defect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

impl Message {
    /// An empty message.
    pub fn new() -> Self {
        Message::default()
    }

    /// An empty message with capacity for this many bytes of text and this many marks. For small messages, growing the
    /// buffers step by step would cost more than writing the values.
    pub fn with_room(text: usize, marks: usize) -> Self {
        Message { text: String::with_capacity(text), marks: Vec::with_capacity(marks) }
    }

    /// Reserves this many bytes of text. Without it, a secret could be left behind in a buffer that was too small.
    pub fn reserve_text(&mut self, bytes: usize) {
        self.text.reserve_exact(bytes);
    }

    /// Removes everything, and overwrites it in memory.
    pub fn wipe(&mut self) {
        self.text.zeroize();
        self.marks.clear();
    }

    /// Writes a text.
    pub fn put_text(&mut self, text: &str) {
        self.text.push_str(text);
        self.mark_since(self.text.len() - text.len());
    }

    /// Writes a text or null.
    pub fn put_optional(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.put_text(text),
            None => self.marks.push(NULL),
        }
    }

    /// Writes a value's `Display` as a text, without an allocation.
    pub fn put_display(&mut self, value: impl fmt::Display) {
        let start = self.text.len();
        // Writing to a String cannot fail. If a `Display` returns an error, the text ends there.
        let _ = fmt::Write::write_fmt(&mut self.text, format_args!("{value}"));
        self.mark_since(start);
    }

    /// Writes a number.
    pub fn put_number(&mut self, number: u32) {
        self.marks.push(number);
    }

    /// Writes a count of items. It fits into 32 bits, because every item has at least one mark.
    pub fn put_count(&mut self, count: usize) {
        self.marks.push(u32::try_from(count).unwrap_or(NULL));
    }

    /// Bytes of text so far.
    pub fn text_len(&self) -> usize {
        self.text.len()
    }

    /// Marks so far.
    pub fn mark_count(&self) -> usize {
        self.marks.len()
    }

    /// Writes all values of another message.
    pub fn put_message(&mut self, other: MessageRef<'_>) {
        self.text.push_str(other.text);
        self.marks.extend_from_slice(other.marks);
    }

    /// Removes everything from these positions on ([`Message::text_len`], [`Message::mark_count`]).
    pub fn truncate(&mut self, text_len: usize, mark_count: usize) {
        self.text.truncate(text_len);
        self.marks.truncate(mark_count);
    }

    /// Removes everything, and keeps the memory.
    pub fn clear(&mut self) {
        self.truncate(0, 0);
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// The message, borrowed.
    pub fn as_ref(&self) -> MessageRef<'_> {
        MessageRef { text: &self.text, marks: &self.marks }
    }

    /// The part of the message from these positions on; empty when there is no such part.
    pub fn since(&self, text_len: usize, mark_count: usize) -> MessageRef<'_> {
        MessageRef {
            text: self.text.get(text_len..).unwrap_or_default(),
            marks: self.marks.get(mark_count..).unwrap_or_default(),
        }
    }

    fn mark_since(&mut self, start: usize) {
        match u32::try_from(self.text.len() - start) {
            Ok(length) if length != NULL => self.marks.push(length),
            // 4 GiB in one value, which no host accepts. With null the message stays readable.
            _ => {
                self.text.truncate(start);
                self.marks.push(NULL);
            }
        }
    }
}

impl<'a> MessageRef<'a> {
    /// Reads the message from its beginning.
    pub fn reader(self) -> Reader<'a> {
        Reader { text: self.text, marks: self.marks }
    }
}

impl<'a> Reader<'a> {
    /// The next value, a text.
    ///
    /// # Errors
    /// There is none, or it is null.
    pub fn text(&mut self) -> Result<&'a str, Malformed> {
        self.optional()?.ok_or(Malformed)
    }

    /// The next value, a text or null.
    ///
    /// # Errors
    /// There is none.
    pub fn optional(&mut self) -> Result<Option<&'a str>, Malformed> {
        let length = self.number()?;
        if length == NULL {
            return Ok(None);
        }
        let (text, rest) = self.text.split_at_checked(length as usize).ok_or(Malformed)?;
        self.text = rest;
        Ok(Some(text))
    }

    /// The next value, a number.
    ///
    /// # Errors
    /// There is none.
    pub fn number(&mut self) -> Result<u32, Malformed> {
        let (&number, rest) = self.marks.split_first().ok_or(Malformed)?;
        self.marks = rest;
        Ok(number)
    }

    /// The next value, a count of the items that follow. Each item has at least one mark.
    ///
    /// # Errors
    /// There is none, or the message is too short for so many items.
    pub fn count(&mut self) -> Result<usize, Malformed> {
        let count = self.number()? as usize;
        if count > self.marks.len() { Err(Malformed) } else { Ok(count) }
    }

    /// Whether everything was read.
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_ref().fmt(f)
    }
}

impl fmt::Debug for MessageRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "message of {} values, {} bytes of text", self.marks.len(), self.text.len())
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message across the plugin boundary does not hold what was expected")
    }
}

impl std::error::Error for Malformed {}
