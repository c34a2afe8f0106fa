//! Keys in tokens, through PKCS#11: they sign, and never leave.
//!
//! A token may vanish and come back: a network HSM is restarted, a card is pulled. A signature that fails is tried again on
//! a fresh session, then once more after the library was started anew; what fails after that is an error, soon.

mod address;
mod library;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use attest::crypto::{sha256, sha384};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use der::asn1::{BitStringRef, OctetStringRef, UintRef};
use der::oid::ObjectIdentifier;
use der::{Decode, Encode, Sequence};
use x509_cert::spki::{AlgorithmIdentifier, SubjectPublicKeyInfo};
use zeroize::Zeroizing;

pub use self::address::{Address, AddressError};
use self::library::Entered;
pub use self::library::{Libraries, Library};
use super::{Curve, Signer, SigningError};

/// A key in a token.
pub struct Token {
    library: Arc<Library>,
    address: Address,
    pin: AuthPin,
    curve: Curve,
    spki: Vec<u8>,
    idle: Mutex<Vec<Opened>>,
    /// A refused PIN is never tried again: a token locks itself after few of them.
    pin_refused: AtomicBool,
}

/// A session with the key found in it. It is of one start of the library, and worth nothing after the next.
struct Opened {
    session: Session,
    key: ObjectHandle,
    start: u64,
}

impl Token {
    /// Opens the key at an address.
    pub fn open(
        libraries: &Libraries,
        address: Address,
        pin: Zeroizing<String>,
    ) -> Result<Self, SigningError> {
        let library = libraries.get(&address.module)?;
        let pin = AuthPin::new(pin.as_str().into());
        let entered = library.enter()?;
        let session = log_in(&entered, &address, &pin).map_err(failed)?;
        let key = find(&session, ObjectClass::PRIVATE_KEY, &address)?;
        let (curve, spki) = public_key(&session, &address)?;
        let opened = Opened { session, key, start: entered.start() };
        drop(entered);
        let idle = Mutex::new(vec![opened]);
        Ok(Self { library, address, pin, curve, spki, idle, pin_refused: AtomicBool::new(false) })
    }

    /// Makes a key in the token, which cannot leave it; refused where the address leads to one already.
    pub fn generate(
        libraries: &Libraries,
        address: Address,
        pin: Zeroizing<String>,
        curve: Curve,
    ) -> Result<Self, SigningError> {
        let library = libraries.get(&address.module)?;
        let entered = library.enter()?;
        let auth = AuthPin::new(pin.as_str().into());
        let session = log_in(&entered, &address, &auth).map_err(failed)?;
        if !session.find_objects(&address.template(ObjectClass::PRIVATE_KEY)).map_err(failed)?.is_empty() {
            return Err(SigningError::Token(format!("there is a key at {address} already")));
        }
        let parameters = oid(curve).to_der()?;
        let named = address.named();
        let public = [named.clone(), vec![Attribute::Token(true), Attribute::EcParams(parameters)]].concat();
        let private = [
            named,
            vec![
                Attribute::Token(true),
                Attribute::Private(true),
                Attribute::Sensitive(true),
                Attribute::Extractable(false),
                Attribute::Sign(true),
            ],
        ];
        session.generate_key_pair(&Mechanism::EccKeyPairGen, &public, &private.concat()).map_err(failed)?;
        session.close().map_err(failed)?;
        drop(entered);
        Self::open(libraries, address, pin)
    }

    /// Signs with an idle session, or a fresh one. A session that failed is not used again.
    fn try_sign(&self, entered: &Entered<'_>, digest: &[u8]) -> Result<Vec<u8>, Error> {
        let opened = match self.take_idle(entered.start()) {
            Some(opened) => opened,
            None => self.reopen(entered)?,
        };
        match opened.session.sign(&Mechanism::Ecdsa, opened.key, digest) {
            Ok(signature) => {
                self.idle().push(opened);
                Ok(signature)
            }
            Err(error) => {
                // What cannot be closed is gone already.
                let _ = opened.session.close();
                Err(error)
            }
        }
    }

    fn reopen(&self, entered: &Entered<'_>) -> Result<Opened, Error> {
        if self.pin_refused.load(Ordering::Relaxed) {
            return Err(Error::PinNotSet);
        }
        let session = log_in(entered, &self.address, &self.pin).inspect_err(|error| {
            self.pin_refused.fetch_or(is_about_pin(error), Ordering::Relaxed);
        })?;
        let found = session.find_objects(&self.address.template(ObjectClass::PRIVATE_KEY))?;
        // Another key at the same place is not the authority's.
        let same = public_key(&session, &self.address).is_ok_and(|(_, spki)| spki == self.spki);
        match (found.as_slice(), same) {
            (&[key], true) => Ok(Opened { session, key, start: entered.start() }),
            _ => {
                session.close()?;
                Err(Error::InvalidValue)
            }
        }
    }

    /// An idle session of this start of the library. Those of earlier starts are forgotten, and not closed: their numbers
    /// may be others' by now.
    fn take_idle(&self, start: u64) -> Option<Opened> {
        let mut idle = self.idle();
        idle.retain(|opened| opened.start == start);
        idle.pop()
    }

    fn close_idle(&self, start: u64) {
        for opened in self.idle().drain(..).filter(|opened| opened.start == start) {
            let _ = opened.session.close();
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Opened>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Signer for Token {
    fn curve(&self) -> Curve {
        self.curve
    }

    fn spki(&self) -> &[u8] {
        &self.spki
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningError> {
        let digest = match self.curve {
            Curve::P256 => sha256(message).to_vec(),
            Curve::P384 => sha384(message).to_vec(),
        };
        let mut restarted = false;
        loop {
            let entered = self.library.enter()?;
            let start = entered.start();
            // Every idle session may be as dead as the first, so that the second try takes a fresh one.
            let tried = self.try_sign(&entered, &digest).or_else(|error| {
                self.close_idle(start);
                if is_about_pin(&error) { Err(error) } else { self.try_sign(&entered, &digest) }
            });
            drop(entered);
            match tried {
                Ok(raw) => return Ok(EcdsaSigValue::encode(&raw)?),
                Err(error) if restarted || is_about_pin(&error) => return Err(failed(error)),
                Err(_) => self.library.restart(start)?,
            }
            restarted = true;
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("address", &self.address)
            .field("curve", &self.curve)
            .finish_non_exhaustive()
    }
}

/// Opens a session with the token of the address. It does not close itself, see [`Token::take_idle`].
fn log_in(entered: &Entered<'_>, address: &Address, pin: &AuthPin) -> Result<Session, Error> {
    let context = entered.context();
    for slot in context.get_slots_with_initialized_token()? {
        let token = context.get_token_info(slot)?;
        if !address.is_of(token.label(), token.serial_number()) {
            continue;
        }
        let session = context.open_rw_session_no_drop(slot)?;
        return match session.login(UserType::User, Some(pin)) {
            // Logging in is of the whole application, not of the session (PKCS#11 version 3.0 section 5.6.8).
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(session),
            Err(error) => {
                session.close()?;
                Err(error)
            }
        };
    }
    Err(Error::Pkcs11(RvError::TokenNotPresent, cryptoki::context::Function::GetTokenInfo))
}

fn find(session: &Session, class: ObjectClass, address: &Address) -> Result<ObjectHandle, SigningError> {
    let found = session.find_objects(&address.template(class)).map_err(failed)?;
    match *found.as_slice() {
        [only] => Ok(only),
        ref several => {
            let count = several.len();
            Err(SigningError::Token(format!("{count} keys of class {class} at {address}, and not one")))
        }
    }
}

/// The public key that stands beside the private one.
fn public_key(session: &Session, address: &Address) -> Result<(Curve, Vec<u8>), SigningError> {
    let key = find(session, ObjectClass::PUBLIC_KEY, address)?;
    let wanted = [AttributeType::EcParams, AttributeType::EcPoint];
    let (mut parameters, mut point) = (None, None);
    for attribute in session.get_attributes(key, &wanted).map_err(failed)? {
        match attribute {
            Attribute::EcParams(bytes) => parameters = Some(bytes),
            Attribute::EcPoint(bytes) => point = Some(bytes),
            _ => {}
        }
    }
    let unknown = || SigningError::Token(format!("the key at {address} is not of P-256 or P-384"));
    let (parameters, point) = parameters.zip(point).ok_or_else(unknown)?;
    let parameters = ObjectIdentifier::from_der(&parameters).map_err(|_| unknown())?;
    let curve = [Curve::P256, Curve::P384].into_iter().find(|&curve| oid(curve) == parameters);
    // PKCS#11 wants the point inside an OCTET STRING; not every token knows.
    let point = <&OctetStringRef>::from_der(&point).map_or(point.as_slice(), OctetStringRef::as_bytes);
    let algorithm =
        AlgorithmIdentifier { oid: der::oid::db::rfc5912::ID_EC_PUBLIC_KEY, parameters: Some(parameters) };
    let subject_public_key = BitStringRef::from_bytes(point)?;
    let spki = SubjectPublicKeyInfo { algorithm, subject_public_key }.to_der()?;
    Ok((curve.ok_or_else(unknown)?, spki))
}

fn oid(curve: Curve) -> ObjectIdentifier {
    match curve {
        Curve::P256 => der::oid::db::rfc5912::SECP_256_R_1,
        Curve::P384 => der::oid::db::rfc5912::SECP_384_R_1,
    }
}

/// Whether trying again could lock the token.
fn is_about_pin(error: &Error) -> bool {
    use RvError::{PinExpired, PinIncorrect, PinInvalid, PinLenRange, PinLocked, UserPinNotInitialized};
    let refused = matches!(
        error,
        Error::Pkcs11(
            PinExpired | PinIncorrect | PinInvalid | PinLenRange | PinLocked | UserPinNotInitialized,
            _
        )
    );
    refused || matches!(error, Error::PinNotSet)
}

fn failed(error: Error) -> SigningError {
    SigningError::Token(match error {
        Error::PinNotSet => "its PIN was refused before, and is not tried again".into(),
        Error::InvalidValue => "another key stands where the authority's was".into(),
        other => other.to_string(),
    })
}

/// Ecdsa-Sig-Value (RFC 3279 section 2.2.3).
#[derive(Sequence)]
struct EcdsaSigValue<'a> {
    r: UintRef<'a>,
    s: UintRef<'a>,
}

impl EcdsaSigValue<'_> {
    /// From `r ‖ s`, as tokens answer.
    fn encode(raw: &[u8]) -> der::Result<Vec<u8>> {
        let (r, s) = raw.split_at(raw.len() / 2);
        EcdsaSigValue { r: UintRef::new(r)?, s: UintRef::new(s)? }.to_der()
    }
}

/// The type of a key object that is looked for.
const KEY_TYPE: KeyType = KeyType::EC;
