//! Signed requests: JWS in flattened JSON form (RFC 7515 section 7.2.2) as RFC 8555 section 6.2 narrows it, and the keys
//! that sign them (RFC 7517, 7518, 8037). Strict: one form, no unprotected header, no unknown parameter that must be known.

use attest::base64;
use attest::crypto::{Algorithm, PublicKey, Scheme, sha256};
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

/// The largest request: evidence of any kind in base64, twice.
pub const MAX_SIZE: usize = 1024 * 1024;

/// The algorithms that are taken, as clients are told.
pub const ALGORITHMS: [&str; 4] = ["ES256", "ES384", "EdDSA", "RS256"];

/// A request whose form is right; its signature is verified by [`Jws::verify`].
#[derive(Clone, Debug)]
pub struct Jws {
    /// The protected header.
    pub header: Header,
    /// What was signed; empty in POST-as-GET.
    pub payload: Vec<u8>,
    signed: String,
    signature: Vec<u8>,
}

/// A protected header.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// How it is signed.
    pub alg: String,
    /// The anti-replay nonce.
    pub nonce: Option<String>,
    /// The address it was sent to.
    pub url: String,
    /// The key, of whom has no account yet.
    pub jwk: Option<Jwk>,
    /// The account.
    pub kid: Option<String>,
}

/// A public key. Members that say nothing of the key itself are left out (RFC 7517 section 4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kty")]
pub enum Jwk {
    /// A point of a curve.
    #[serde(rename = "EC")]
    Ec {
        /// The curve.
        crv: String,
        /// Its coordinates.
        x: String,
        /// Its coordinates.
        y: String,
    },
    /// An Ed25519 key.
    #[serde(rename = "OKP")]
    Okp {
        /// The curve.
        crv: String,
        /// The key.
        x: String,
    },
    /// An RSA key.
    #[serde(rename = "RSA")]
    Rsa {
        /// The modulus.
        n: String,
        /// The exponent.
        e: String,
    },
}

/// Why a request is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwsError {
    /// Not of the form.
    #[error("the request is no flattened JWS: {0}")]
    Form(String),
    /// An algorithm that is not taken.
    #[error("the algorithm `{0}` is not taken")]
    Algorithm(String),
    /// A key that is not taken.
    #[error("the key is not taken: {0}")]
    Key(&'static str),
    /// The signature is not by the key.
    #[error("the signature is not by the key over this request")]
    Signature,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Flattened {
    protected: String,
    payload: String,
    signature: String,
}

impl Jws {
    /// Decodes a request.
    pub fn decode(body: &[u8]) -> Result<Self, JwsError> {
        if body.len() > MAX_SIZE {
            return Err(JwsError::Form(format!("{} bytes are over the limit of {MAX_SIZE}", body.len())));
        }
        let parts: Flattened =
            serde_json::from_slice(body).map_err(|error| JwsError::Form(error.to_string()))?;
        Self::of(parts)
    }

    /// Decodes a request that is the payload or a member of another.
    pub fn decode_inner(value: &serde_json::Value) -> Result<Self, JwsError> {
        Self::of(Flattened::deserialize(value).map_err(|error| JwsError::Form(error.to_string()))?)
    }

    fn of(parts: Flattened) -> Result<Self, JwsError> {
        let header = serde_json::from_slice(&url_safe("protected", &parts.protected)?);
        let header: Header = header.map_err(|error| JwsError::Form(format!("protected: {error}")))?;
        let payload = url_safe("payload", &parts.payload)?;
        let signature = url_safe("signature", &parts.signature)?;
        Ok(Self { header, payload, signed: format!("{}.{}", parts.protected, parts.payload), signature })
    }

    /// Verifies the signature.
    pub fn verify(&self, key: &Jwk) -> Result<(), JwsError> {
        let (message, signature) = (self.signed.as_bytes(), self.signature.as_slice());
        let scheme = match (self.header.alg.as_str(), key) {
            ("ES256", Jwk::Ec { crv, .. }) if crv == "P-256" => Scheme::EcdsaP256Sha256,
            ("ES384", Jwk::Ec { crv, .. }) if crv == "P-384" => Scheme::EcdsaP384Sha384,
            ("RS256", Jwk::Rsa { .. }) => Scheme::RsaPkcs1Sha256,
            ("EdDSA", Jwk::Okp { .. }) => {
                let key = UnparsedPublicKey::new(&ED25519, key.ed25519()?);
                return key.verify(message, signature).map_err(|_| JwsError::Signature);
            }
            (alg, _) if ALGORITHMS.contains(&alg) => {
                return Err(JwsError::Key("it is of another kind than `alg`"));
            }
            (alg, _) => return Err(JwsError::Algorithm(alg.to_owned())),
        };
        key.public_key()?.verify(scheme, message, signature).map_err(|_| JwsError::Signature)
    }

    /// Verifies the message authentication code of an external account's key.
    pub fn verify_mac(&self, key: &[u8]) -> Result<(), JwsError> {
        if self.header.alg != "HS256" {
            return Err(JwsError::Algorithm(self.header.alg.clone()));
        }
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        hmac::verify(&key, self.signed.as_bytes(), &self.signature).map_err(|_| JwsError::Signature)
    }
}

impl Jwk {
    /// Whether it is a key that is taken.
    pub fn check(&self) -> Result<(), JwsError> {
        match self {
            Self::Okp { .. } => self.ed25519().map(|_| ()),
            _ => self.public_key().map(|_| ()),
        }
    }

    /// Its thumbprint in base64url (RFC 7638): the members that make the key, in the order of their names.
    pub fn thumbprint(&self) -> String {
        let members = match self {
            Self::Ec { crv, x, y } => format!(r#"{{"crv":"{crv}","kty":"EC","x":"{x}","y":"{y}"}}"#),
            Self::Okp { crv, x } => format!(r#"{{"crv":"{crv}","kty":"OKP","x":"{x}"}}"#),
            Self::Rsa { n, e } => format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#),
        };
        base64::encode_url(&sha256(members.as_bytes()))
    }

    /// The key, for what X.509 knows.
    pub fn public_key(&self) -> Result<PublicKey, JwsError> {
        let key = match self {
            Self::Ec { crv, x, y } => {
                let algorithm = match crv.as_str() {
                    "P-256" => Algorithm::P256,
                    "P-384" => Algorithm::P384,
                    _ => return Err(JwsError::Key("its curve is neither P-256 nor P-384")),
                };
                // Coordinates have their full length (RFC 7518 section 6.2.1.2).
                let (x, y) = (url_safe("x", x)?, url_safe("y", y)?);
                let whole = x.len() == y.len();
                PublicKey::new(algorithm, &[&[4], x.as_slice(), &y].concat()).filter(|_| whole)
            }
            Self::Rsa { n, e } => {
                let (n, e) = (url_safe("n", n)?, url_safe("e", e)?);
                let minimal = |number: &[u8]| number.first().is_some_and(|&first| first != 0);
                let fits = (256..=512).contains(&n.len()) && (1..=4).contains(&e.len());
                PublicKey::rsa(&n, &e).filter(|_| fits && minimal(&n) && minimal(&e))
            }
            Self::Okp { .. } => None,
        };
        key.ok_or(JwsError::Key("its numbers do not fit its kind"))
    }

    fn ed25519(&self) -> Result<Vec<u8>, JwsError> {
        match self {
            Self::Okp { crv, x } if crv == "Ed25519" => {
                let key = url_safe("x", x)?;
                if key.len() == 32 { Ok(key) } else { Err(JwsError::Key("it has not 32 octets")) }
            }
            _ => Err(JwsError::Key("its curve is not Ed25519")),
        }
    }
}

/// Base64url without padding, in its one form (RFC 8555 section 6.1).
pub fn url_safe(field: &'static str, text: &str) -> Result<Vec<u8>, JwsError> {
    let wrong = |problem: &dyn std::fmt::Display| JwsError::Form(format!("{field}: {problem}"));
    if text.bytes().any(|byte| b"+/=".contains(&byte)) {
        return Err(wrong(&"base64url without padding is expected"));
    }
    base64::decode(field, text.as_bytes()).map_err(|error| wrong(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7515 appendix A.3, with the header that is protected there.
    #[test]
    fn the_form_is_strict() {
        let encode = |text: &str| base64::encode_url(text.as_bytes());
        let body = |protected: &str, more: &str| {
            format!(r#"{{"protected":"{}","payload":"","signature":"AA"{more}}}"#, encode(protected))
        };
        let good = r#"{"alg":"ES256","nonce":"n","url":"u","kid":"k"}"#;
        assert!(Jws::decode(body(good, "").as_bytes()).is_ok());
        for (protected, more) in [
            (good, r#","header":{}"#),
            (r#"{"alg":"ES256","url":"u","kid":"k","crit":["x"]}"#, ""),
            (r#"{"alg":"ES256","kid":"k"}"#, ""),
            ("[]", ""),
        ] {
            let refused = Jws::decode(body(protected, more).as_bytes());
            assert!(matches!(refused, Err(JwsError::Form(_))), "{protected} {more}: {refused:?}");
        }
        assert!(Jws::decode(br#"{"protected":"e30=","payload":"","signature":""}"#).is_err(), "padding");
    }

    /// RFC 7638 section 3.1.
    #[test]
    fn thumbprints_are_those_of_the_standard() {
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMs\
                 tn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajr\
                 n1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
        let key: Jwk =
            serde_json::from_value(serde_json::json!({"kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256"}))
                .expect("a key");
        assert_eq!(key.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
        assert_eq!(key.check(), Ok(()));
    }

    #[test]
    fn every_changed_bit_of_a_request_is_found() {
        use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
        let pair = Ed25519KeyPair::generate().expect("a key");
        let x = base64::encode_url(pair.public_key().as_ref());
        let key = Jwk::Okp { crv: "Ed25519".into(), x };
        let header =
            r#"{"alg":"EdDSA","nonce":"n","url":"https://steward.example/acme/new-order","kid":"k"}"#;
        let signed = format!("{}.{}", base64::encode_url(header.as_bytes()), base64::encode_url(b"{}"));
        let signature = base64::encode_url(pair.sign(signed.as_bytes()).as_ref());
        let (protected, payload) = signed.split_once('.').expect("two parts");
        let body =
            format!(r#"{{"protected":"{protected}","payload":"{payload}","signature":"{signature}"}}"#);
        let holds = |body: &[u8]| Jws::decode(body).and_then(|jws| jws.verify(&key));
        assert_eq!(holds(body.as_bytes()), Ok(()));
        for at in 0..body.len() {
            for bit in 0..8 {
                let mut changed = body.clone().into_bytes();
                changed[at] ^= 1 << bit;
                assert!(holds(&changed).is_err(), "byte {at}, bit {bit}");
            }
        }
    }

    #[test]
    fn weak_and_strange_keys_are_refused() {
        let key = |value| serde_json::from_value::<Jwk>(value).map(|key| key.check());
        let short = base64::encode_url(&[0xFF; 128]);
        for value in [
            serde_json::json!({"kty": "RSA", "n": short, "e": "AQAB"}),
            serde_json::json!({"kty": "EC", "crv": "P-521", "x": "AA", "y": "AA"}),
            serde_json::json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}),
            serde_json::json!({"kty": "OKP", "crv": "Ed448", "x": "AA"}),
        ] {
            assert!(!matches!(key(value.clone()), Ok(Ok(()))), "{value}");
        }
        assert!(key(serde_json::json!({"kty": "oct", "k": "AA"})).is_err());
    }
}
