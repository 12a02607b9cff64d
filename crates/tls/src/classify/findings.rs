//! What the bytes alone say, in the catalogue's terms.

use super::content::{Content, Encoding, KeyForm, Pkcs12Form};
use super::{Classified, Oddity};
use crate::catalogue::{Finding, Id, Severity};

impl Classified {
    /// The findings of the catalogue that the bytes show, about `about` (a file's path).
    ///
    /// Whether a certificate or a key was wanted is not known here: see
    /// [`IdentityError::finding`](crate::identity::IdentityError::finding) for what follows from that.
    #[must_use]
    pub fn findings(&self, about: &str) -> Vec<Finding> {
        let mut found: Vec<Finding> = self.oddities.iter().map(|oddity| oddity.finding(about)).collect();
        let useful = self.items.iter().any(|item| item.content.is_certificate() || item.content.is_key());
        let mut said: Vec<&Content> = Vec::new();
        let mut der = false;
        for item in &self.items {
            der |= item.encoding == Encoding::Der && !matches!(item.content, Content::Pkcs12(_) | Content::Der);
            // The same thing many times is one finding.
            if said.contains(&&item.content) {
                continue;
            }
            said.push(&item.content);
            // Nothing but the wrong dashes explains why there is nothing.
            let explained = !found.is_empty() && matches!(item.content, Content::Text | Content::Binary);
            if !explained {
                found.extend(item.content.finding(about, useful));
            }
        }
        if der {
            found.push(Finding::new(
                Id::A11,
                Severity::Info,
                about,
                "the file is DER, which is read here, while most programs ask for PEM",
                "for other programs convert it with `openssl x509 -inform DER` or `openssl pkey -inform DER`",
            ));
        }
        found
    }
}

impl Oddity {
    /// This oddity as a finding about `about`.
    #[must_use]
    pub fn finding(&self, about: &str) -> Finding {
        let (id, severity, why, fix) = match self {
            Self::ByteOrderMark => (
                Id::A06,
                Severity::Warning,
                "the file begins with a byte order mark, which is passed over here and stops many programs".to_owned(),
                "save it as ASCII, or as UTF-8 without the mark",
            ),
            Self::Utf16 { .. } => (
                Id::A07,
                Severity::Warning,
                "the file is saved as UTF-16, which is converted here and which other programs take for garbage"
                    .to_owned(),
                "save it as ASCII or UTF-8; in PowerShell write it with `Set-Content -Encoding ascii`",
            ),
            Self::WindowsLineEnds => (
                Id::A08,
                Severity::Info,
                "the lines end in CR LF, which every PEM reader takes".to_owned(),
                "nothing needs to be done",
            ),
            Self::CarriageReturnsOnly => (
                Id::A09,
                Severity::Warning,
                "the lines end in CR alone, so that OpenSSL sees a single line".to_owned(),
                "save it with LF or CR LF",
            ),
            Self::EscapedLineBreaks => (
                Id::A09,
                Severity::Warning,
                "the line breaks are written as a backslash and a letter, as in JSON or in an environment variable"
                    .to_owned(),
                "write real line breaks: a block with `|` in YAML, or base64 around the whole",
            ),
            Self::LostLineBreaks => (
                Id::A09,
                Severity::Warning,
                "a section stands on one line because its line breaks were lost, and other readers want them"
                    .to_owned(),
                "paste the text with its line breaks, or write it again with `openssl x509` or `openssl pkey`",
            ),
            Self::Indented { line } => (
                Id::A10,
                Severity::Warning,
                format!("line {line} begins with blanks before the PEM header, which other readers do not find then"),
                "remove the indentation",
            ),
            Self::WrongDashes { line, typographic } => (
                Id::A10,
                Severity::Error,
                if *typographic {
                    format!("line {line} has typographic dashes where a PEM header has hyphens, so it is no header")
                } else {
                    format!("line {line} looks like a PEM header and has other than five hyphens on each side")
                },
                "write -----BEGIN …----- with five hyphens before and after, or copy the text again",
            ),
            Self::HeaderMissing => (
                Id::A10,
                Severity::Warning,
                "the file holds base64 without the lines of PEM around it, which is read here and not elsewhere"
                    .to_owned(),
                "put -----BEGIN …----- and -----END …----- around it",
            ),
            Self::WrappedInBase64 => (
                Id::A10,
                Severity::Warning,
                "the whole PEM text is encoded in base64 once more, as in a Kubernetes secret".to_owned(),
                "decode it with `base64 -d`",
            ),
            Self::CutOff { label, line, last_line } => (
                Id::A05,
                Severity::Error,
                format!(
                    "the {label} section that begins on line {line} has no end: the file is cut off after line {last_line}"
                ),
                "copy the whole file again",
            ),
            Self::BadBase64 { label, line } => (
                Id::A05,
                Severity::Error,
                format!("the {label} section that begins on line {line} is damaged: its body is not base64"),
                "copy the whole file again",
            ),
            Self::DerCutOff => (
                Id::A05,
                Severity::Error,
                "the file begins as DER and has another length than it says: it is cut off or something is appended"
                    .to_owned(),
                "copy the whole file again, in binary mode",
            ),
            Self::NulBytes => (
                Id::A35,
                Severity::Warning,
                "there are NUL bytes in the text, as after a crash while it was written".to_owned(),
                "copy or write the file again",
            ),
        };
        Finding::new(id, severity, about, why, fix)
    }
}

impl Content {
    /// What is to be said of this content by itself; `useful` says that the file holds more than this.
    fn finding(&self, about: &str, useful: bool) -> Option<Finding> {
        let otherwise = if useful { Severity::Info } else { Severity::Error };
        let (id, severity, why, fix) = match self {
            Self::Empty => (Id::A04, Severity::Error, "the file is empty".to_owned(), self.cure()),
            Self::Certificate | Self::PrivateKey(KeyForm::Pkcs8) | Self::Pkcs7 | Self::Parameters => return None,
            Self::PrivateKey(form) => (
                Id::A23,
                Severity::Info,
                format!("the private key is in {form}, an older form that is read here and almost everywhere"),
                "where PKCS#8 is asked for, write it with `openssl pkey -in KEY -out NEW.key`",
            ),
            // Whether the passphrase is known, the loader says.
            Self::EncryptedKey => return None,
            Self::EncryptedTraditionalKey => {
                (Id::A20, Severity::Error, format!("it holds {self}, which is not read here"), self.cure())
            }
            Self::TrustedCertificate => (
                Id::A22,
                Severity::Info,
                "the certificate carries OpenSSL's trust settings, which are left aside here and unreadable elsewhere"
                    .to_owned(),
                "write it with `openssl x509 -in FILE -out CERT.pem`",
            ),
            Self::Pkcs12(Pkcs12Form::Legacy) => (
                Id::A24,
                Severity::Info,
                "the PKCS#12 file is encrypted with RC2 or triple DES, which OpenSSL 3 refuses without -legacy"
                    .to_owned(),
                "write it again: `openssl pkcs12 -legacy -in OLD -nodes | openssl pkcs12 -export -out NEW`",
            ),
            Self::Pkcs12(Pkcs12Form::Modern) => (
                Id::A25,
                Severity::Info,
                "the PKCS#12 file is encrypted with AES, which Windows before Server 2019 cannot read".to_owned(),
                "only for old Windows, write it with `gridmq certs convert --compat`",
            ),
            Self::Pkcs12(Pkcs12Form::Plain) => (
                Id::A12,
                Severity::Info,
                "the PKCS#12 file is not encrypted: whoever reads it has the key".to_owned(),
                "protect the file as you protect a private key",
            ),
            Self::OpenSshKey
            | Self::OpenSshPublicKey
            | Self::PuttyKey
            | Self::PublicKey
            | Self::SigningRequest
            | Self::RevocationList
            | Self::JavaKeyStore
            | Self::Other(_) => (
                Id::A22,
                otherwise,
                format!("it holds {self}, which is neither a certificate nor a TLS key"),
                self.cure(),
            ),
            Self::Html | Self::Json | Self::Archive | Self::Der | Self::Text | Self::Binary => {
                (Id::A35, otherwise, format!("it holds {self}"), self.cure())
            }
        };
        Some(Finding::new(id, severity, about, why, fix))
    }
}
