//! Messages on a socket: a head of six numbers, the marks, the text, and up to three bytes that make it a multiple of
//! four. So marks and text are read where they arrived, without a copy.

use std::io::{self, ErrorKind, IoSlice, Read, Write};

use plugin_api::abi::MessageRef;

use super::protocol::NO_LIMIT;

/// Numbers of a head.
const HEAD: usize = 6;
const HEAD_BYTES: usize = HEAD * WORD;
const WORD: usize = size_of::<u32>();
/// Larger frames than this are written as they are, without a copy; smaller ones are gathered.
const GATHERED: usize = 16 * 1024;
/// What is read at once: a few batches of rows.
const BUFFER: usize = 256 * 1024;
/// The largest frame: what the other side says beyond it is not believed. A batch of rows is far smaller, but one value
/// may be large.
const MOST: usize = 256 << 20;

/// What a frame is, and what it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// What the frame is: see [`super::protocol`].
    pub(super) what: u32,
    /// An operation, or the kind of a reply.
    pub(super) detail: u32,
    /// The connection that it is about.
    pub(super) connection: u32,
    /// For how many milliseconds somebody will wait.
    pub(super) time: u32,
}

/// A frame that was read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame<'b> {
    pub(super) head: Head,
    pub(super) message: MessageRef<'b>,
}

impl Head {
    pub(super) fn new(what: u32) -> Self {
        Head { what, detail: 0, connection: 0, time: NO_LIMIT }
    }

    pub(super) fn with_detail(self, detail: u32) -> Self {
        Head { detail, ..self }
    }

    pub(super) fn about(self, connection: u32) -> Self {
        Head { connection, ..self }
    }
}

/// Reads frames, into memory that it keeps.
#[derive(Debug, Default)]
pub(super) struct FrameReader {
    buffer: Vec<u32>,
    /// The bytes that were read and not yet taken: from a multiple of four on.
    start: usize,
    end: usize,
    /// The length of the frame that was given out last.
    given: usize,
}

impl FrameReader {
    /// The next frame; `None` at the end. A time-out loses nothing: the next call goes on where this one was.
    ///
    /// # Errors
    /// The socket fails or ends within a frame, or what comes is no frame.
    pub(super) fn read(&mut self, source: &mut impl Read) -> io::Result<Option<Frame<'_>>> {
        self.start += std::mem::take(&mut self.given);
        if !self.fill(source, HEAD_BYTES)? {
            return Ok(None);
        }
        let first = self.start / WORD;
        let (marks, text) = (self.buffer[first + 4] as usize, self.buffer[first + 5] as usize);
        let length = HEAD_BYTES + marks * WORD + text.next_multiple_of(WORD);
        if length > MOST {
            return Err(io::Error::new(ErrorKind::InvalidData, format!("a frame of {length} bytes")));
        }
        if !self.fill(source, length)? {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.given = length;
        let first = self.start / WORD;
        let (head, rest) = self.buffer[first..].split_at(HEAD);
        let (marks, rest) = rest.split_at(marks);
        let text = str::from_utf8(&bytemuck::cast_slice(rest)[..text])
            .map_err(|_| io::Error::new(ErrorKind::InvalidData, "a text that is not UTF-8"))?;
        let head = Head { what: head[0], detail: head[1], connection: head[2], time: head[3] };
        Ok(Some(Frame { head, message: MessageRef { text, marks } }))
    }

    /// Gives back what memory a large frame took, when nothing is under way.
    pub(super) fn shrink(&mut self) {
        if self.start + self.given == self.end && self.buffer.len() * WORD > 4 * BUFFER {
            *self = FrameReader::default();
        }
    }

    /// Reads until there are so many bytes; false if the end comes first, and nothing before it.
    fn fill(&mut self, source: &mut impl Read, length: usize) -> io::Result<bool> {
        while self.end - self.start < length {
            if self.start == self.end {
                (self.start, self.end) = (0, 0);
            }
            if self.start + length > self.buffer.len() * WORD {
                if self.start > 0 {
                    let bytes = bytemuck::cast_slice_mut::<u32, u8>(&mut self.buffer);
                    bytes.copy_within(self.start..self.end, 0);
                    (self.start, self.end) = (0, self.end - self.start);
                }
                self.grow(length);
            }
            let space = &mut bytemuck::cast_slice_mut::<u32, u8>(&mut self.buffer)[self.end..];
            match source.read(space) {
                Ok(0) if self.start == self.end => return Ok(false),
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(read) => self.end += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Makes room for so many bytes. What a broken head asks for is not taken at once: memory grows with what has come.
    fn grow(&mut self, length: usize) {
        let enough = length.min((self.end * 2).max(BUFFER)).max(HEAD_BYTES);
        let words = enough.div_ceil(WORD);
        if self.buffer.len() < words {
            self.buffer.resize(words, 0);
        }
    }
}

/// Writes frames: small ones are gathered until there are enough of them or until [`FrameWriter::flush`].
#[derive(Debug, Default)]
pub(super) struct FrameWriter {
    gathered: Vec<u8>,
}

impl FrameWriter {
    /// Writes a frame.
    ///
    /// # Errors
    /// The socket fails, or the message is too large for a frame.
    pub(super) fn write(
        &mut self,
        target: &mut impl Write,
        head: Head,
        message: MessageRef<'_>,
    ) -> io::Result<()> {
        let MessageRef { text, marks } = message;
        let padding = text.len().next_multiple_of(WORD) - text.len();
        let length = HEAD_BYTES + size_of_val(marks) + text.len() + padding;
        let (Ok(count), Ok(text_length)) = (u32::try_from(marks.len()), u32::try_from(text.len())) else {
            return Err(io::Error::new(ErrorKind::InvalidInput, format!("a frame of {length} bytes")));
        };
        if length > MOST {
            return Err(io::Error::new(ErrorKind::InvalidInput, format!("a frame of {length} bytes")));
        }
        let head = [head.what, head.detail, head.connection, head.time, count, text_length];
        let head: &[u8] = bytemuck::cast_slice(&head);
        let parts = [head, bytemuck::cast_slice(marks), text.as_bytes(), &[0; WORD][..padding]];
        if length <= GATHERED {
            parts.iter().for_each(|part| self.gathered.extend_from_slice(part));
            return if self.gathered.len() > GATHERED { self.flush(target) } else { Ok(()) };
        }
        let [head, marks, text, padding] = parts.map(IoSlice::new);
        write_all(target, &mut [IoSlice::new(&self.gathered), head, marks, text, padding])?;
        self.gathered.clear();
        Ok(())
    }

    /// Writes what has been gathered.
    ///
    /// # Errors
    /// The socket fails.
    pub(super) fn flush(&mut self, target: &mut impl Write) -> io::Result<()> {
        target.write_all(&self.gathered)?;
        self.gathered.clear();
        Ok(())
    }
}

fn write_all(target: &mut impl Write, mut parts: &mut [IoSlice<'_>]) -> io::Result<()> {
    IoSlice::advance_slices(&mut parts, 0);
    while !parts.is_empty() {
        match target.write_vectored(parts) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut parts, written),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use plugin_api::abi::Message;

    use super::*;

    /// Gives a few bytes at a time, as a socket may.
    struct Trickle<'b>(&'b [u8], usize);

    impl Read for Trickle<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(self.0.len()).min(buffer.len());
            let (now, later) = self.0.split_at(count);
            buffer[..count].copy_from_slice(now);
            self.0 = later;
            Ok(count)
        }
    }

    fn messages() -> Vec<Message> {
        let lengths = [0, 1, 2, 3, 4, 5, 100, GATHERED, 3 * BUFFER + 1, 7, 2 * GATHERED + 3];
        let message = |(number, length): (u32, usize)| {
            let mut message = Message::new();
            message.put_text(&"é".repeat(length));
            message.put_number(number);
            message
        };
        (0..).zip(lengths).map(message).collect()
    }

    fn written(messages: &[Message]) -> Vec<u8> {
        let (mut bytes, mut writer) = (Vec::new(), FrameWriter::default());
        for (number, message) in (0..).zip(messages) {
            let head = Head::new(number).with_detail(number + 1).about(number + 2);
            writer.write(&mut bytes, head, message.as_ref()).unwrap();
        }
        writer.flush(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn what_is_written_is_read_however_it_arrives() {
        let messages = messages();
        let bytes = written(&messages);
        for step in [1, 3, 4099, 1 << 20] {
            let (mut reader, mut source) = (FrameReader::default(), Trickle(&bytes, step));
            for (number, expected) in (0..).zip(&messages) {
                let frame = reader.read(&mut source).unwrap().unwrap();
                assert_eq!(frame.head, Head::new(number).with_detail(number + 1).about(number + 2));
                let expected = expected.as_ref();
                assert!(
                    frame.message.text == expected.text && frame.message.marks == expected.marks,
                    "{number}"
                );
                reader.shrink();
            }
            assert!(reader.read(&mut source).unwrap().is_none());
        }
    }

    #[test]
    fn what_is_no_frame_is_an_error_and_no_more() {
        let bytes = written(&messages()[..7]);
        for length in 1..HEAD_BYTES {
            let error = FrameReader::default().read(&mut &bytes[..length]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{length}");
        }
        let head =
            |marks: u32, text: u32| -> Vec<u8> { bytemuck::cast_slice(&[1, 0, 0, 0, marks, text]).to_vec() };
        // A frame of gigabytes is not believed, and no memory is taken for it.
        let kind = |bytes: &[u8]| FrameReader::default().read(&mut &*bytes).unwrap_err().kind();
        assert_eq!(kind(&head(u32::MAX, u32::MAX)), ErrorKind::InvalidData);
        assert_eq!(kind(&head(0, 100 << 20)), ErrorKind::UnexpectedEof);
        let mut not_text = head(0, 4);
        not_text.extend([0xFF; 4]);
        assert_eq!(kind(&not_text), ErrorKind::InvalidData);
    }
}
