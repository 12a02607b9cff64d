//! Repaired copies of certificate and key files: in PEM, in order, without what does not belong there.
//!
//! Nothing is written here: [`repair`] reads, and gives what is to be written beside the originals.

use std::fmt;
use std::path::Path;

use gridmq_tls::classify::{Content, Encoding};
use gridmq_tls::convert::{Contents, ReadError, key_to_pem, order, public_key_of};
use gridmq_tls::source::Source;
use gridmq_tls::{Certificate, Finding, pem};
use zeroize::Zeroizing;

use crate::files::{FilesInput, bytes};

/// Why a file cannot be repaired.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FixError {
    /// It cannot be read.
    #[error("{}: {}; {}", .0.about, .0.why, .0.fix)]
    Unreadable(Box<Finding>),
    /// Its content is damaged or closed.
    #[error("{file} cannot be repaired: {source}")]
    Content {
        /// The file.
        file: String,
        /// What is wrong with it.
        source: ReadError,
    },
}

/// A repaired copy.
#[derive(Clone)]
#[non_exhaustive]
pub struct Repaired {
    /// A file name without a directory.
    pub name: String,
    /// What is to be written.
    pub content: Zeroizing<Vec<u8>>,
    /// It is a private key: nobody else may read it.
    pub secret: bool,
    /// What was done to it, each in a few words.
    pub done: Vec<String>,
}

impl fmt::Debug for Repaired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Repaired").field("name", &self.name).field("done", &self.done).finish_non_exhaustive()
    }
}

/// One file, read.
struct Part {
    name: String,
    source: String,
    bytes: Zeroizing<Vec<u8>>,
    contents: Contents,
}

impl Part {
    fn read(source: &Source, input: &FilesInput) -> Result<Option<Self>, FixError> {
        let bytes = match bytes(source) {
            None => return Ok(None),
            Some(bytes) => bytes.map_err(|finding| FixError::Unreadable(Box::new(finding)))?,
        };
        let contents = Contents::read(&bytes, input.passphrase.as_ref())
            .map_err(|error| FixError::Content { file: source.to_string(), source: error })?;
        let name = source
            .path()
            .as_deref()
            .and_then(Path::file_stem)
            .map_or_else(|| "client".to_owned(), |stem| stem.to_string_lossy().into_owned());
        Ok(Some(Self { name, source: source.to_string(), bytes, contents }))
    }

    /// What the bytes needed before they were plain PEM.
    fn converted(&self) -> Vec<String> {
        let classified = &self.contents.classified;
        let mut done: Vec<String> = classified.oddities.iter().map(|oddity| format!("put right: {oddity}")).collect();
        let from = classified.items.iter().find_map(|item| match (&item.content, item.encoding) {
            (Content::Pkcs12(_) | Content::Pkcs7 | Content::TrustedCertificate, _) => Some(item.content.to_string()),
            (_, Encoding::Der) => Some("DER".to_owned()),
            _ => None,
        });
        done.extend(from.map(|from| format!("converted from {from} to PEM")));
        done
    }

    fn is_encrypted(&self) -> bool {
        self.contents.classified.items.iter().any(|item| matches!(item.content, Content::EncryptedKey))
    }
}

/// Reads what `input` names and gives repaired copies of what needs it; none where everything is as it should be.
///
/// A key under a passphrase is left as it is: a copy of it would be without.
///
/// # Errors
/// When a file cannot be read, or its content is beyond repair.
pub fn repair(input: &FilesInput) -> Result<Vec<Repaired>, FixError> {
    let mut parts = Vec::new();
    for source in [&input.cert, &input.pkcs12, &input.key].into_iter().flatten() {
        parts.extend(Part::read(source, input)?);
    }
    let mut repaired = Vec::new();
    let key = parts.iter().find_map(|part| part.contents.keys.first().map(|key| (part, key)));
    let public = key.and_then(|(_, key)| public_key_of(key.pkcs8()));
    if let Some(part) = parts.iter().find(|part| !part.contents.certificates.is_empty()) {
        repaired.extend(chain(part, public.as_deref()));
    }
    if let Some((part, key)) = key
        && !part.is_encrypted()
    {
        let mut done = part.converted();
        if !part.contents.certificates.is_empty() {
            done.push(format!("taken out of {}", part.source));
        }
        if !done.is_empty() {
            let content = Zeroizing::new(key_to_pem(key.pkcs8()).as_bytes().to_vec());
            repaired.push(Repaired { name: format!("{}.key", part.name), content, secret: true, done });
        }
    }
    for path in &input.cafile {
        let Some(part) = Part::read(&Source::File(path.clone()), input)? else { continue };
        let done = part.converted();
        if !done.is_empty() && !part.contents.certificates.is_empty() {
            let content = Zeroizing::new(pem::encode(&part.contents.certificates).into_bytes());
            repaired.push(Repaired { name: format!("{}.pem", part.name), content, secret: false, done });
        }
    }
    Ok(repaired)
}

/// The chain in order, if that or anything else about the file is not as it should be.
fn chain(part: &Part, public: Option<&[u8]>) -> Option<Repaired> {
    let certificates = &part.contents.certificates;
    let mut done = part.converted();
    let chain = match order(certificates, public, false) {
        Ok(ordered) => {
            let kept: Vec<&Certificate> = certificates.iter().filter(|one| ordered.chain.contains(one)).collect();
            if kept.iter().zip(&ordered.chain).any(|(was, is)| *was != is) {
                done.push("put in order: the leaf, then each one's issuer".to_owned());
            }
            if ordered.duplicates > 0 {
                done.push(format!("left out {} that were there twice", ordered.duplicates));
            }
            done.extend(ordered.root.iter().map(|root| format!("left out the root {}", root.subject())));
            done.extend(ordered.unrelated.iter().map(|one| format!("left out {} of another chain", one.subject())));
            ordered.chain
        }
        // No leaf, or another's: what is there is kept as it stands.
        Err(_) => certificates.clone(),
    };
    let content = Zeroizing::new(pem::encode(&chain).into_bytes());
    let same = *content == *part.bytes;
    (!done.is_empty() && !same).then(|| Repaired { name: format!("{}.pem", part.name), content, secret: false, done })
}

#[cfg(test)]
mod tests;
