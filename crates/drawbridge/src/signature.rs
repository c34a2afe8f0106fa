//! Signed tags: an entry as the payload of a JSON Web Signature (RFC 7515 section 7.2, general or flattened).
//!
//! A repository says who its signers are. Then a tag that none of them signed is neither accepted nor released; keys that
//! a signature brings along count for nothing.

use api::tree::{Entry, TreeError};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, UnparsedPublicKey, VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;

/// The media type of a signed tag.
pub const SIGNED_TYPE: &str = "application/jose+json";
/// Signatures of one tag.
const SIGNATURE_LIMIT: usize = 16;

/// A tag that somebody signed; whose signatures hold is another question.
#[derive(Debug)]
pub struct SignedTag {
    /// What was signed.
    pub entry: Entry,
    payload: String,
    signatures: Vec<Signature>,
}

/// Why a text is no signed tag.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    /// Not the JSON of RFC 7515.
    #[error("the signed tag is no JSON Web Signature: {0}")]
    Form(String),
    /// The payload is no entry.
    #[error("the signed tag's payload: {0}")]
    Payload(#[from] TreeError),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct General {
    payload: String,
    signatures: Vec<Signature>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Flattened {
    payload: String,
    protected: String,
    #[serde(default)]
    header: Option<serde_json::Value>,
    signature: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signature {
    protected: String,
    /// Not protected, so of no meaning.
    #[serde(default, rename = "header")]
    _header: Option<serde_json::Value>,
    signature: String,
}

/// What we read of a protected header.
#[derive(Deserialize)]
struct Header {
    alg: String,
    /// Extensions that must be understood (section 4.1.11); none is here.
    crit: Option<serde_json::Value>,
}

impl SignedTag {
    /// Reads the text.
    pub fn decode(text: &[u8]) -> Result<Self, SignatureError> {
        let form = |error: serde_json::Error| SignatureError::Form(error.to_string());
        let general = match serde_json::from_slice::<Flattened>(text) {
            Ok(Flattened { payload, protected, header, signature }) => {
                General { payload, signatures: vec![Signature { protected, _header: header, signature }] }
            }
            Err(_) => serde_json::from_slice(text).map_err(form)?,
        };
        if general.signatures.is_empty() || general.signatures.len() > SIGNATURE_LIMIT {
            return Err(SignatureError::Form(format!("expected 1 to {SIGNATURE_LIMIT} signatures")));
        }
        let payload = URL_SAFE_NO_PAD.decode(&general.payload);
        let payload = payload
            .map_err(|error| SignatureError::Form(format!("the payload is not base64url: {error}")))?;
        let entry = Entry::decode(&payload)?;
        Ok(Self { entry, payload: general.payload, signatures: general.signatures })
    }

    /// Whether one of these signed it; keys are PEM.
    pub fn is_signed_by(&self, signers: &[String]) -> bool {
        signers.iter().any(|signer| self.signatures.iter().any(|signature| self.holds(signature, signer)))
    }

    fn holds(&self, signature: &Signature, signer: &str) -> bool {
        let Ok(key) = SubjectPublicKeyInfoDer::from_pem_slice(signer.as_bytes()) else { return false };
        let Ok(header) = URL_SAFE_NO_PAD.decode(&signature.protected) else { return false };
        let Ok(header) = serde_json::from_slice::<Header>(&header) else { return false };
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(&signature.signature) else { return false };
        // The key decides what algorithm fits it; one that does not match fails.
        let algorithm: &'static dyn VerificationAlgorithm = match header.alg.as_str() {
            "ES256" => &ECDSA_P256_SHA256_FIXED,
            "ES384" => &ECDSA_P384_SHA384_FIXED,
            "EdDSA" | "Ed25519" => &ED25519,
            _ => return false,
        };
        let message = format!("{}.{}", signature.protected, self.payload);
        let key = UnparsedPublicKey::new(algorithm, key.as_ref());
        header.crit.is_none() && key.verify(message.as_bytes(), &bytes).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
    use rcgen::KeyPair;
    use serde_json::json;

    struct Signer(KeyPair);

    impl Signer {
        fn new() -> Self {
            Self(KeyPair::generate().expect("a key"))
        }

        fn pem(&self) -> String {
            self.0.public_key_pem()
        }

        fn sign(&self, header: serde_json::Value, payload: &str) -> serde_json::Value {
            let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &self.0.serialize_der())
                .expect("a key");
            let protected = URL_SAFE_NO_PAD.encode(header.to_string());
            let signature =
                key.sign(&SystemRandom::new(), format!("{protected}.{payload}").as_bytes()).expect("signed");
            json!({ "protected": protected, "signature": URL_SAFE_NO_PAD.encode(signature.as_ref()) })
        }
    }

    fn payload() -> String {
        URL_SAFE_NO_PAD.encode(Entry::new(b"root", "application/wasm").encode())
    }

    fn flattened(signer: &Signer, header: serde_json::Value) -> serde_json::Value {
        let mut signed = signer.sign(header, &payload());
        signed["payload"] = payload().into();
        signed
    }

    #[test]
    fn signatures_of_signers_count() {
        let (alice, bob) = (Signer::new(), Signer::new());
        let general = json!({ "payload": payload(), "signatures": [
            bob.sign(json!({ "alg": "ES256" }), &payload()), alice.sign(json!({ "alg": "ES256", "kid": "a" }), &payload())] });
        for text in [flattened(&alice, json!({ "alg": "ES256" })), general] {
            let tag = SignedTag::decode(text.to_string().as_bytes()).expect("a signed tag");
            assert_eq!(tag.entry, Entry::new(b"root", "application/wasm"));
            assert!(tag.is_signed_by(&[Signer::new().pem(), alice.pem()]));
            assert!(!tag.is_signed_by(&[Signer::new().pem()]));
            assert!(!tag.is_signed_by(&[]) && !tag.is_signed_by(&["nonsense".into()]));
        }
    }

    #[test]
    fn what_is_not_what_was_signed_does_not() {
        let alice = Signer::new();
        let good = flattened(&alice, json!({ "alg": "ES256" }));
        let check = |text: serde_json::Value| {
            SignedTag::decode(text.to_string().as_bytes()).is_ok_and(|tag| tag.is_signed_by(&[alice.pem()]))
        };
        assert!(check(good.clone()));
        for header in [
            json!({ "alg": "none" }),
            json!({ "alg": "ES384" }),
            json!({ "alg": "HS256" }),
            json!({}),
            json!({ "alg": "ES256", "crit": ["b64"], "b64": false }),
        ] {
            assert!(!check(flattened(&alice, header.clone())), "{header}");
        }
        let other = URL_SAFE_NO_PAD.encode(Entry::new(b"other", "application/wasm").encode());
        for (member, value) in [
            ("payload", other),
            ("signature", String::new()),
            ("signature", "!".into()),
            ("protected", "e30".into()),
            ("more", "x".into()),
        ] {
            let mut bad = good.clone();
            bad[member] = value.into();
            assert!(!check(bad), "{member}");
        }
    }

    #[test]
    fn other_text_is_refused() {
        for text in [
            json!({}),
            json!([]),
            json!({ "payload": payload(), "signatures": [] }),
            json!({ "protected": "e30", "signature": "" }),
            json!({ "payload": "e30", "protected": "e30", "signature": "" }),
            json!({ "payload": payload() + "=", "protected": "e30", "signature": "" }),
            json!({ "payload": payload(), "protected": null, "signature": "" }),
        ] {
            assert!(SignedTag::decode(text.to_string().as_bytes()).is_err(), "{text}");
        }
    }
}
