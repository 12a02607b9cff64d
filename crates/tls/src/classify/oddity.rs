//! Unusual ways of writing the usual.

use std::fmt;

/// What is unusual about how something is written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Oddity {
    /// It begins with the byte order mark of UTF-8 (catalogue A06).
    ByteOrderMark,
    /// It is UTF-16 (catalogue A07).
    Utf16 {
        /// The more significant byte comes first.
        big_endian: bool,
    },
    /// Lines end in CR LF (catalogue A08).
    WindowsLineEnds,
    /// Lines end in CR alone (catalogue A09).
    CarriageReturnsOnly,
    /// Line breaks are written as a backslash and a letter (catalogue A09).
    EscapedLineBreaks,
    /// A PEM section stands on one line (catalogue A09).
    LostLineBreaks,
    /// PEM lines are indented (catalogue A10).
    Indented {
        /// The first such line, from 1.
        line: usize,
    },
    /// A line that was meant as a PEM header has the wrong dashes (catalogue A10).
    WrongDashes {
        /// The line, from 1.
        line: usize,
        /// Are they dashes of typography instead of hyphens?
        typographic: bool,
    },
    /// Base64 of DER without the lines of PEM around it (catalogue A10).
    HeaderMissing,
    /// A whole PEM text is encoded in base64 once more, as in a Kubernetes secret (catalogue A10).
    WrappedInBase64,
    /// A section begins and does not end (catalogue A05).
    CutOff {
        /// The section's label.
        label: String,
        /// The line of its BEGIN, from 1.
        line: usize,
        /// The last line of the text, from 1.
        last_line: usize,
    },
    /// A section's body is not base64 (catalogue A05).
    BadBase64 {
        /// The section's label.
        label: String,
        /// The line of its BEGIN, from 1.
        line: usize,
    },
    /// A DER value is shorter than it says, or something else follows it (catalogue A05).
    DerCutOff,
    /// There are NUL bytes in a text (catalogue A35).
    NulBytes,
}

impl fmt::Display for Oddity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ByteOrderMark => "a byte order mark",
            Self::Utf16 { big_endian: false } => "UTF-16, little-endian",
            Self::Utf16 { big_endian: true } => "UTF-16, big-endian",
            Self::WindowsLineEnds => "Windows line ends",
            Self::CarriageReturnsOnly => "line ends of CR alone",
            Self::EscapedLineBreaks => "escaped line breaks",
            Self::LostLineBreaks => "lost line breaks",
            Self::Indented { line } => return write!(f, "indented from line {line}"),
            Self::WrongDashes { line, typographic: true } => {
                return write!(f, "typographic dashes in line {line}");
            }
            Self::WrongDashes { line, .. } => return write!(f, "wrong dashes in line {line}"),
            Self::HeaderMissing => "no header",
            Self::WrappedInBase64 => "wrapped in base64 once more",
            Self::CutOff { label, line, .. } => return write!(f, "the {label} section of line {line} has no end"),
            Self::BadBase64 { label, line } => return write!(f, "the {label} section of line {line} is not base64"),
            Self::DerCutOff => "the DER value has another length than it says",
            Self::NulBytes => "NUL bytes",
        })
    }
}
