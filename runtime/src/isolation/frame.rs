//! Framing: messages on a socket. A frame is a header of six 32-bit numbers, the marks, the text, and padding to a multiple
//! of four bytes, so that marks and text are read from the receive buffer without a copy.

use std::io::{self, ErrorKind, IoSlice, Read, Write};

use plugin_api::abi::{MessageRef, Operation};

use super::protocol::{CONNECTION_CALL, NO_LIMIT};

/// Bytes of one number.
const WORD: usize = size_of::<u32>();
/// Numbers of a header.
const HEADER: usize = 6;
const HEADER_BYTES: usize = HEADER * WORD;
/// Smaller frames than this are collected in a write buffer; larger ones are written directly, without a copy.
const WRITE_BUFFER: usize = 16 * 1024;
/// The size of the receive buffer: a few batches of rows.
const READ_BUFFER: usize = 256 * 1024;
/// The largest frame that is accepted. A batch of rows is far smaller, but one value may be large.
const MAX_FRAME: usize = 256 << 20;

/// The header of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FrameHeader {
    /// One of the constants of the protocol.
    pub(super) frame_type: u32,
    /// An operation, or the kind of a reply.
    pub(super) detail: u32,
    /// The number of the connection; 0 for none.
    pub(super) connection: u32,
    /// The time that the call has left, in milliseconds.
    pub(super) time_left: u32,
}

/// A frame in the receive buffer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame<'b> {
    pub(super) header: FrameHeader,
    pub(super) message: MessageRef<'b>,
}

impl FrameHeader {
    pub(super) fn new(frame_type: u32) -> Self {
        FrameHeader { frame_type, detail: 0, connection: 0, time_left: NO_LIMIT }
    }

    /// Whether it is a call that changes something in the ERP system.
    pub(super) fn changes_something(self) -> bool {
        self.frame_type == CONNECTION_CALL && Operation(self.detail).is_change()
    }

    pub(super) fn with_detail(self, detail: u32) -> Self {
        FrameHeader { detail, ..self }
    }

    pub(super) fn about(self, connection: u32) -> Self {
        FrameHeader { connection, ..self }
    }
}

/// Reads frames into a buffer that it reuses.
#[derive(Debug, Default)]
pub(super) struct FrameReader {
    buffer: Vec<u32>,
    /// The unread bytes of the buffer; `start` is a multiple of four.
    start: usize,
    end: usize,
    /// The length of the frame that was returned last.
    returned: usize,
}

impl FrameReader {
    /// The next frame; `None` at the end of the stream. After a time-out nothing is lost: the next call continues.
    ///
    /// # Errors
    /// The socket fails or ends within a frame, or the frame is invalid.
    pub(super) fn read(&mut self, source: &mut impl Read) -> io::Result<Option<Frame<'_>>> {
        self.start += std::mem::take(&mut self.returned);
        if !self.fill(source, HEADER_BYTES)? {
            return Ok(None);
        }
        let first = self.start / WORD;
        let (marks, text) = (self.buffer[first + 4] as usize, self.buffer[first + 5] as usize);
        let length = HEADER_BYTES + marks * WORD + text.next_multiple_of(WORD);
        if length > MAX_FRAME {
            return Err(io::Error::new(ErrorKind::InvalidData, format!("a frame of {length} bytes")));
        }
        if !self.fill(source, length)? {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.returned = length;
        let first = self.start / WORD;
        let (header, rest) = self.buffer[first..].split_at(HEADER);
        let (marks, rest) = rest.split_at(marks);
        let text = str::from_utf8(&bytemuck::cast_slice(rest)[..text])
            .map_err(|_| io::Error::new(ErrorKind::InvalidData, "a text that is not UTF-8"))?;
        let header = FrameHeader {
            frame_type: header[0],
            detail: header[1],
            connection: header[2],
            time_left: header[3],
        };
        Ok(Some(Frame { header, message: MessageRef { text, marks } }))
    }

    /// Frees the buffer if a large frame has made it large and nothing in it is unread.
    pub(super) fn shrink(&mut self) {
        if self.start + self.returned == self.end && self.buffer.len() * WORD > 4 * READ_BUFFER {
            *self = FrameReader::default();
        }
    }

    /// Reads until the buffer has this many unread bytes. False: the stream ended, and there are none.
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

    /// Makes room for this many bytes. The buffer grows with the bytes that have arrived, so an invalid header cannot make
    /// it allocate much at once.
    fn grow(&mut self, length: usize) {
        let enough = length.min((self.end * 2).max(READ_BUFFER)).max(HEADER_BYTES);
        let words = enough.div_ceil(WORD);
        if self.buffer.len() < words {
            self.buffer.resize(words, 0);
        }
    }
}

/// Writes frames. Small ones are buffered until the buffer is full or [`FrameWriter::flush`] is called.
#[derive(Debug, Default)]
pub(super) struct FrameWriter {
    buffer: Vec<u8>,
}

impl FrameWriter {
    /// Writes a frame.
    ///
    /// # Errors
    /// The socket fails, or the message is too large for a frame.
    pub(super) fn write(
        &mut self,
        target: &mut impl Write,
        header: FrameHeader,
        message: MessageRef<'_>,
    ) -> io::Result<()> {
        let MessageRef { text, marks } = message;
        let padding = text.len().next_multiple_of(WORD) - text.len();
        let length = HEADER_BYTES + size_of_val(marks) + text.len() + padding;
        let (Ok(count), Ok(text_length)) = (u32::try_from(marks.len()), u32::try_from(text.len())) else {
            return Err(io::Error::new(ErrorKind::InvalidInput, format!("a frame of {length} bytes")));
        };
        if length > MAX_FRAME {
            return Err(io::Error::new(ErrorKind::InvalidInput, format!("a frame of {length} bytes")));
        }
        let FrameHeader { frame_type, detail, connection, time_left } = header;
        let header = [frame_type, detail, connection, time_left, count, text_length];
        let header: &[u8] = bytemuck::cast_slice(&header);
        let parts = [header, bytemuck::cast_slice(marks), text.as_bytes(), &[0; WORD][..padding]];
        if length <= WRITE_BUFFER {
            parts.iter().for_each(|part| self.buffer.extend_from_slice(part));
            return if self.buffer.len() > WRITE_BUFFER { self.flush(target) } else { Ok(()) };
        }
        let [header, marks, text, padding] = parts.map(IoSlice::new);
        write_all(target, &mut [IoSlice::new(&self.buffer), header, marks, text, padding])?;
        self.buffer.clear();
        Ok(())
    }

    /// Writes the buffered frames.
    ///
    /// # Errors
    /// The socket fails.
    pub(super) fn flush(&mut self, target: &mut impl Write) -> io::Result<()> {
        target.write_all(&self.buffer)?;
        self.buffer.clear();
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

    /// Returns a few bytes at a time, as a socket may.
    struct SlowSource<'b>(&'b [u8], usize);

    impl Read for SlowSource<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(self.0.len()).min(buffer.len());
            let (now, later) = self.0.split_at(count);
            buffer[..count].copy_from_slice(now);
            self.0 = later;
            Ok(count)
        }
    }

    fn messages() -> Vec<Message> {
        let lengths = [0, 1, 2, 3, 4, 5, 100, WRITE_BUFFER, 3 * READ_BUFFER + 1, 7, 2 * WRITE_BUFFER + 3];
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
            let header = FrameHeader::new(number).with_detail(number + 1).about(number + 2);
            writer.write(&mut bytes, header, message.as_ref()).unwrap();
        }
        writer.flush(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn frames_are_read_back_in_pieces_of_any_size() {
        let messages = messages();
        let bytes = written(&messages);
        for step in [1, 3, 4099, 1 << 20] {
            let (mut reader, mut source) = (FrameReader::default(), SlowSource(&bytes, step));
            for (number, expected) in (0..).zip(&messages) {
                let frame = reader.read(&mut source).unwrap().unwrap();
                assert_eq!(frame.header, FrameHeader::new(number).with_detail(number + 1).about(number + 2));
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
    fn invalid_frames_are_errors() {
        let bytes = written(&messages()[..7]);
        for length in 1..HEADER_BYTES {
            let error = FrameReader::default().read(&mut &bytes[..length]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{length}");
        }
        let header =
            |marks: u32, text: u32| -> Vec<u8> { bytemuck::cast_slice(&[1, 0, 0, 0, marks, text]).to_vec() };
        // The sizes are of gigabytes and of 100 MiB that never arrive: neither is allocated.
        let kind = |bytes: &[u8]| FrameReader::default().read(&mut &*bytes).unwrap_err().kind();
        assert_eq!(kind(&header(u32::MAX, u32::MAX)), ErrorKind::InvalidData);
        assert_eq!(kind(&header(0, 100 << 20)), ErrorKind::UnexpectedEof);
        let mut not_text = header(0, 4);
        not_text.extend([0xFF; 4]);
        assert_eq!(kind(&not_text), ErrorKind::InvalidData);
    }
}
