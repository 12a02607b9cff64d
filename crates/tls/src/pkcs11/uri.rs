//! `pkcs11:` URIs (RFC 7512).

use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The module that leads to every token that p11-kit knows of.
const P11_KIT: &str = "p11-kit-proxy.so";

/// Which object of which token. What is not named fits anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenUri {
    token: Option<String>,
    manufacturer: Option<String>,
    serial: Option<String>,
    model: Option<String>,
    slot: Option<u64>,
    object: Option<String>,
    id: Option<Vec<u8>>,
    module: Option<PathBuf>,
    pin_source: Option<PathBuf>,
}

/// Why a text is no such URI.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadUri {
    /// It begins with something else.
    #[error("a token's URI begins with pkcs11:")]
    NoScheme,
    /// An attribute is not known here, or stands there twice.
    #[error(
        "the attribute {0:?} of the URI is not known or is repeated: token, serial, model, manufacturer, slot-id, \
             object, id, type, module-path, module-name and pin-source are"
    )]
    Attribute(String),
    /// An attribute has a value that it cannot have.
    #[error("the attribute {0:?} of the URI has a value that it cannot have")]
    Value(String),
    /// The PIN stands in the URI, where every user of the machine can read it.
    #[error(
        "the PIN may not stand in the URI, which others on this machine can read: name a file with pin-source, \
             or give the PIN as the passphrase"
    )]
    PinValue,
}

impl TokenUri {
    /// The object's label.
    #[must_use]
    pub fn object(&self) -> Option<&str> {
        self.object.as_deref()
    }

    /// The object's id.
    #[must_use]
    pub fn id(&self) -> Option<&[u8]> {
        self.id.as_deref()
    }

    /// The file whose first line is the PIN.
    #[must_use]
    pub fn pin_source(&self) -> Option<&Path> {
        self.pin_source.as_deref()
    }

    /// The module to load: the named one, or p11-kit's.
    #[must_use]
    pub fn module(&self) -> PathBuf {
        self.module.clone().unwrap_or_else(|| P11_KIT.into())
    }

    /// Is this the token that is meant?
    pub(super) fn fits(&self, slot: u64, label: &str, serial: &str, model: &str, manufacturer: &str) -> bool {
        let fits = |wanted: &Option<String>, actual: &str| wanted.as_deref().is_none_or(|wanted| wanted == actual);
        self.slot.is_none_or(|wanted| wanted == slot)
            && fits(&self.token, label)
            && fits(&self.serial, serial)
            && fits(&self.model, model)
            && fits(&self.manufacturer, manufacturer)
    }
}

impl FromStr for TokenUri {
    type Err = BadUri;

    fn from_str(text: &str) -> Result<Self, BadUri> {
        let rest = text.strip_prefix("pkcs11:").ok_or(BadUri::NoScheme)?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let attributes = path.split(';').chain(query.split('&')).filter(|attribute| !attribute.is_empty());
        let mut uri = Self::default();
        for attribute in attributes {
            let (name, value) = attribute.split_once('=').ok_or_else(|| BadUri::Attribute(attribute.to_owned()))?;
            if name == "pin-value" {
                return Err(BadUri::PinValue);
            }
            let bad = || BadUri::Value(name.to_owned());
            let bytes = percent_decoded(value).ok_or_else(bad)?;
            let string = || String::from_utf8(bytes.clone()).map_err(|_| bad());
            let repeated = match name {
                "token" => uri.token.replace(string()?).is_some(),
                "manufacturer" => uri.manufacturer.replace(string()?).is_some(),
                "serial" => uri.serial.replace(string()?).is_some(),
                "model" => uri.model.replace(string()?).is_some(),
                "object" => uri.object.replace(string()?).is_some(),
                "slot-id" => uri.slot.replace(string()?.parse().map_err(|_| bad())?).is_some(),
                "id" => uri.id.replace(bytes).is_some(),
                // The key is looked for under every type, its certificate beside it.
                "type" => match string()?.as_str() {
                    "private" | "public" | "cert" => false,
                    _ => return Err(bad()),
                },
                "module-path" => uri.module.replace(string()?.into()).is_some(),
                "module-name" => uri.module.replace(module_name(&string()?).ok_or_else(bad)?).is_some(),
                "pin-source" => uri.pin_source.replace(file(&string()?).ok_or_else(bad)?).is_some(),
                _ => return Err(BadUri::Attribute(name.to_owned())),
            };
            if repeated {
                return Err(BadUri::Attribute(name.to_owned()));
            }
        }
        Ok(uri)
    }
}

fn module_name(name: &str) -> Option<PathBuf> {
    let plain =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    plain.then(|| format!("{name}.so").into())
}

/// A path or a `file:` URI; commands (`|…`) are not run.
fn file(text: &str) -> Option<PathBuf> {
    let path = text.strip_prefix("file:").map_or(text, |rest| rest.strip_prefix("//").unwrap_or(rest));
    (!path.is_empty() && !path.starts_with('|')).then(|| path.into())
}

fn percent_decoded(text: &str) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let value = digit(bytes.next())? * 16 + digit(bytes.next())?;
        decoded.push(u8::try_from(value).ok()?);
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_attributes_are_read() {
        let uri: TokenUri =
            "pkcs11:token=My%20token;object=dev;id=%01%ff;slot-id=7;type=private?module-path=/a/b.so&pin-source=file:/p"
                .parse()
                .unwrap();
        assert_eq!((uri.object(), uri.id()), (Some("dev"), Some(&[1, 0xff][..])));
        assert_eq!((uri.module(), uri.pin_source()), ("/a/b.so".into(), Some(Path::new("/p"))));
        assert!(uri.fits(7, "My token", "any", "any", "any"));
        assert!(!uri.fits(8, "My token", "any", "any", "any") && !uri.fits(7, "other", "any", "any", "any"));
        assert_eq!("pkcs11:".parse::<TokenUri>().unwrap().module(), PathBuf::from(P11_KIT));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (text, expected) in [
            ("http:token=a", BadUri::NoScheme),
            ("pkcs11:tokn=a", BadUri::Attribute("tokn".into())),
            ("pkcs11:token=a;token=b", BadUri::Attribute("token".into())),
            ("pkcs11:object", BadUri::Attribute("object".into())),
            ("pkcs11:id=%0", BadUri::Value("id".into())),
            ("pkcs11:slot-id=x", BadUri::Value("slot-id".into())),
            ("pkcs11:?pin-source=|cat", BadUri::Value("pin-source".into())),
            ("pkcs11:?module-name=../x", BadUri::Value("module-name".into())),
            ("pkcs11:token=a?pin-value=1234", BadUri::PinValue),
        ] {
            assert_eq!(text.parse::<TokenUri>(), Err(expected), "{text}");
        }
    }
}
