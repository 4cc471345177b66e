//! Why a workbook's file cannot be read.

use std::fmt;

use plugin_api::Error;

const MIB: u64 = 1 << 20;

/// A limit of the operator's that a workbook is beyond.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LimitError {
    /// A part is too large once it is unpacked; bytes.
    Unpacked { part: String, limit: u64 },
    /// A part is packed too tightly.
    Ratio { part: String, limit: u64 },
    /// Reading the workbook takes more memory than there is for all; bytes.
    Memory { limit: u64 },
    /// Other workbooks use the memory; bytes.
    Busy { limit: u64 },
}

impl LimitError {
    fn remedy(&self) -> &'static str {
        match self {
            LimitError::Unpacked { .. } => "the option max_part_mb of the connector sets the limit",
            LimitError::Ratio { .. } => "the option max_ratio of the connector sets the limit",
            LimitError::Memory { .. } | LimitError::Busy { .. } => {
                "the option memory_mb of the connector sets the limit"
            }
        }
    }
}

impl fmt::Display for LimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LimitError::Unpacked { part, limit } => {
                write!(f, "the workbook is too large: {part} unpacks to more than {} MB", limit / MIB)
            }
            LimitError::Ratio { part, limit } => {
                write!(
                    f,
                    "the workbook is too large: {part} unpacks to more than {limit} times its packed size"
                )
            }
            LimitError::Memory { limit } => write!(
                f,
                "the workbook is too large: reading it takes more than the {} MB of memory for all workbooks",
                limit / MIB
            ),
            LimitError::Busy { limit } => write!(
                f,
                "too many large workbooks are being read at once, they share {} MB of memory: try again",
                limit / MIB
            ),
        }
    }
}

impl std::error::Error for LimitError {}

/// Why a workbook's file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum XlsxError {
    Limit(LimitError),
    /// A part is in an encoding that is not read.
    Encoding {
        part: String,
        why: String,
    },
    /// The archive or a part of it is damaged.
    Damaged(String),
}

impl XlsxError {
    /// What a failed read of a part means.
    pub(crate) fn from_read(part: &str, error: &std::io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<LimitError>()) {
            Some(limit) => XlsxError::Limit(limit.clone()),
            None if error.kind() == std::io::ErrorKind::InvalidData => {
                XlsxError::Encoding { part: part.to_owned(), why: error.to_string() }
            }
            None => XlsxError::Damaged(format!("{part}: {error}")),
        }
    }
}

impl From<LimitError> for XlsxError {
    fn from(limit: LimitError) -> Self {
        XlsxError::Limit(limit)
    }
}

impl fmt::Display for XlsxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            XlsxError::Limit(limit) => limit.fmt(f),
            XlsxError::Encoding { part, why } => write!(f, "the part {part}: {why}"),
            XlsxError::Damaged(why) => f.write_str(why),
        }
    }
}

impl From<XlsxError> for Error {
    fn from(error: XlsxError) -> Self {
        match &error {
            XlsxError::Limit(limit) => Error::user(limit.to_string()).tech(limit.remedy()),
            XlsxError::Encoding { .. } => Error::user(format!("the workbook cannot be read, {error}")),
            XlsxError::Damaged(why) => {
                Error::user("the file is no workbook, or it is damaged or only half written").tech(why)
            }
        }
    }
}
