//! Keys that stay in a token: a smart card, a security module, a TPM behind PKCS#11.
//!
//! A token's module is a library of its maker that is loaded into this process, by the path that the
//! `pkcs11:` URI gives or by p11-kit. Signing calls into it and blocks for as long as the token takes:
//! some milliseconds in software, up to seconds on a card. ECDSA on P-256 and P-384 and RSA (PSS and
//! PKCS#1) are used; keys that want the PIN for every signature are not.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use rustls::sign::SigningKey;

use crate::certificate::{Certificate, hex};
use crate::file::Origin;
use crate::identity::IdentityError;
use crate::passphrase::{Passphrase, PassphraseSource};

mod signer;
mod uri;

pub use uri::{BadUri, TokenUri};

/// The most objects of a token that are looked at.
const MAX_OBJECTS: usize = 64;

/// A key in a token, and the certificates that go with it.
pub(crate) struct Opened {
    pub(crate) key: Arc<dyn SigningKey>,
    pub(crate) certificates: Vec<Certificate>,
    /// Which certificate belongs to the key.
    pub(crate) leaf: usize,
}

/// Gives the PIN, told what it is for.
pub(crate) type AskPin<'a> = dyn Fn(&str) -> Result<Option<Passphrase>, IdentityError> + 'a;

/// Finds the key that a URI names. Its certificate is one of `given`, or one of the token's where none is given.
pub(crate) fn open(uri: &str, given: Vec<Certificate>, pin: &AskPin<'_>) -> Result<Opened, IdentityError> {
    let parsed: TokenUri = uri.parse().map_err(|error: BadUri| failed(uri, error.to_string(), Vec::new()))?;
    let token = Token::open(uri, &parsed, pin)?;
    let handle = token.private_key(&parsed)?;
    let certificates = if given.is_empty() { token.certificates()? } else { given };
    if certificates.is_empty() {
        return Err(token.failed("the token holds no certificate: give the certificate's file beside the key's URI"));
    }
    let session = Arc::new(Mutex::new(token.session));
    let found = signer::TokenKey::matching(&session, handle, &certificates);
    match found {
        Ok((key, leaf)) => Ok(Opened { key: Arc::new(key), certificates, leaf }),
        Err(detail) => Err(failed(
            uri,
            detail,
            certificates.iter().map(|certificate| format!("certificate {}", certificate.subject())).collect(),
        )),
    }
}

fn failed(uri: &str, detail: impl Into<String>, seen: Vec<String>) -> IdentityError {
    IdentityError::Token { origin: Origin::token(uri), detail: detail.into(), seen }
}

/// A session with the token that was meant.
struct Token<'a> {
    uri: &'a str,
    label: String,
    session: Session,
    logged_in: bool,
}

impl<'a> Token<'a> {
    fn open(uri: &'a str, wanted: &TokenUri, pin: &AskPin<'_>) -> Result<Self, IdentityError> {
        let module = wanted.module();
        let context = load(&module).map_err(|error| {
            let cure = "install p11-kit, or name the token's own with ?module-path=FILE in the URI";
            failed(uri, format!("the module {} cannot be used ({error}): {cure}", module.display()), Vec::new())
        })?;
        let broken = |error: Error| failed(uri, format!("the token's module answers: {error}"), Vec::new());
        let mut seen = Vec::new();
        let mut fitting: Vec<(Slot, String)> = Vec::new();
        for slot in context.get_slots_with_initialized_token().map_err(broken)? {
            let Ok(info) = context.get_token_info(slot) else { continue };
            seen.push(format!("token {:?} in slot {}", info.label(), slot.id()));
            if wanted.fits(slot.id(), info.label(), info.serial_number(), info.model(), info.manufacturer_id()) {
                fitting.push((slot, info.label().to_owned()));
            }
        }
        let mut fitting = fitting.into_iter();
        let (slot, label) = match (fitting.next(), fitting.next()) {
            (Some(only), None) => only,
            (None, _) if seen.is_empty() => {
                return Err(failed(uri, "there is no token: insert or initialise one", seen));
            }
            (None, _) => return Err(failed(uri, "no token is the one that the URI names", seen)),
            (Some(_), Some(_)) => {
                return Err(failed(uri, "several tokens fit the URI: name one with token= or slot-id=", seen));
            }
        };
        let info = context.get_token_info(slot).map_err(broken)?;
        let session = context.open_ro_session(slot).map_err(broken)?;
        let mut token = Self { uri, label, session, logged_in: !info.login_required() };
        if info.login_required() {
            let source = wanted.pin_source().map(PassphraseSource::file);
            let purpose = format!("the PIN of the token {}", token.label);
            let given = match &source {
                Some(source) => source
                    .read(&purpose)
                    .map_err(|source| IdentityError::Passphrase { origin: Origin::token(uri), source })?,
                None => pin(&purpose)?,
            };
            if let Some(given) = given {
                token.log_in(&given, info.user_pin_final_try())?;
            }
        }
        Ok(token)
    }

    /// Tries the PIN once: tokens lock themselves after a few wrong ones.
    fn log_in(&mut self, pin: &Passphrase, last_try: bool) -> Result<(), IdentityError> {
        if last_try {
            return Err(self.failed(
                "one more wrong PIN locks the token, so it is not tried here: log in once with the token's own program",
            ));
        }
        match self.session.login(UserType::User, Some(&AuthPin::from(pin.expose().to_owned()))) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {
                self.logged_in = true;
                Ok(())
            }
            Err(Error::Pkcs11(RvError::PinIncorrect | RvError::PinLenRange | RvError::PinInvalid, _)) => {
                Err(self.failed(format!("the PIN of the token {:?} is wrong", self.label)))
            }
            Err(Error::Pkcs11(RvError::PinLocked, _)) => {
                Err(self.failed(format!("the PIN of the token {:?} is locked", self.label)))
            }
            Err(error) => Err(self.failed(format!("the token {:?} refuses the login ({error})", self.label))),
        }
    }

    fn private_key(&self, wanted: &TokenUri) -> Result<ObjectHandle, IdentityError> {
        let mut template = vec![Attribute::Class(ObjectClass::PRIVATE_KEY)];
        template.extend(wanted.object().map(|label| Attribute::Label(label.as_bytes().to_vec())));
        template.extend(wanted.id().map(|id| Attribute::Id(id.to_vec())));
        let found = self.session.find_objects(&template).map_err(|error| self.failed(error.to_string()))?;
        match found.as_slice() {
            [only] => Ok(*only),
            [] if !self.logged_in => Err(self.failed(format!(
                "the token {:?} shows no such private key without its PIN: give the PIN as the passphrase",
                self.label
            ))),
            [] => Err(self.failed(format!("the token {:?} has no private key that the URI names", self.label))),
            _ => Err(self.failed("several private keys fit the URI: name one with object= or id=")),
        }
    }

    /// Every certificate of the token that can be parsed.
    fn certificates(&self) -> Result<Vec<Certificate>, IdentityError> {
        let found = self
            .session
            .find_objects(&[Attribute::Class(ObjectClass::CERTIFICATE)])
            .map_err(|error| self.failed(error.to_string()))?;
        let mut certificates = Vec::new();
        for handle in found.into_iter().take(MAX_OBJECTS) {
            let values = self.session.get_attributes(handle, &[AttributeType::Value]).unwrap_or_default();
            for value in values {
                if let Attribute::Value(der) = value
                    && let Ok(certificate) = Certificate::from_der(&der)
                {
                    certificates.push(certificate);
                }
            }
        }
        Ok(certificates)
    }

    /// A failure with what the token holds.
    fn failed(&self, detail: impl Into<String>) -> IdentityError {
        let mut seen = vec![format!("token {:?}", self.label)];
        for (class, name) in [(ObjectClass::PRIVATE_KEY, "private key"), (ObjectClass::CERTIFICATE, "certificate")] {
            let found = self.session.find_objects(&[Attribute::Class(class)]).unwrap_or_default();
            for handle in found.into_iter().take(MAX_OBJECTS) {
                let values = self.session.get_attributes(handle, &[AttributeType::Label, AttributeType::Id]);
                let mut text = name.to_owned();
                for value in values.unwrap_or_default() {
                    match value {
                        Attribute::Label(label) => {
                            text.push_str(&format!(" object={:?}", String::from_utf8_lossy(&label)))
                        }
                        Attribute::Id(id) => text.push_str(&format!(" id={}", hex(&id))),
                        _ => {}
                    }
                }
                seen.push(text);
            }
        }
        failed(self.uri, detail, seen)
    }
}

/// Modules stay loaded: C_Initialize may be called once for each, and keys in use depend on it.
fn load(module: &Path) -> Result<Pkcs11, Error> {
    static LOADED: LazyLock<Mutex<BTreeMap<PathBuf, Pkcs11>>> = LazyLock::new(Mutex::default);
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(context) = loaded.get(module) {
        return Ok(context.clone());
    }
    let context = Pkcs11::new(module)?;
    match context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
        Err(error) => return Err(error),
    }
    loaded.insert(module.to_owned(), context.clone());
    Ok(context)
}
