//! The JSON of Intel's collateral, strictly: one signed member, and the hexadecimal signature over its exact bytes.
//!
//! A document is read twice: once to refuse keys that stand twice at any depth, once into its type. Unknown keys are allowed,
//! since Intel adds members without a new version (`tdxModuleIdentities` came that way).

use alloc::collections::BTreeSet;
use alloc::string::String;
use core::fmt;

use serde::de::{DeserializeOwned, DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::crypto::{Scheme, sha256};
use crate::cursor::{Malformed, Problem};
use crate::memory::{self, Memory};
use crate::policy::hex::Hex;
use crate::x509::certificate::Certificate;

/// What is deeper is refused: TCB info has six levels.
const MAX_DEPTH: usize = 16;

/// A decoded document with the bytes that are signed.
#[derive(Clone, Debug)]
pub struct Signed<T> {
    /// What it says.
    pub content: T,
    body: String,
    digest: [u8; 32],
    /// What the memory knows the document by: the signed bytes, and the signature too, so that a damaged one is noticed.
    fact: [u8; 32],
    signature: [u8; 64],
}

impl<T: DeserializeOwned> Signed<T> {
    /// Decodes `{"<member>": { … }, "signature": "<r ‖ s>"}`.
    pub(super) fn decode(bytes: &[u8], member: &'static str) -> Result<Self, Malformed> {
        let text = core::str::from_utf8(bytes).map_err(|_| problem(member, "not UTF-8"))?;
        let wrong = |error: serde_json::Error| Malformed {
            field: member,
            offset: error.column(),
            problem: Problem::NotCanonical("not the document of this kind, as strict JSON"),
        };
        let mut unique = serde_json::Deserializer::from_str(text);
        Unique(MAX_DEPTH).deserialize(&mut unique).map_err(wrong)?;
        let outer: Outer<'_> = serde_json::from_str(text).map_err(wrong)?;
        let body = match (member, outer.tcb_info, outer.enclave_identity) {
            ("tcbInfo", Some(body), None) | ("enclaveIdentity", None, Some(body)) => body.get(),
            _ => return Err(problem(member, "not the document of this kind")),
        };
        let content = serde_json::from_str(body).map_err(wrong)?;
        let (digest, signature) = (sha256(body.as_bytes()), outer.signature.0);
        let fact = sha256(&[digest.as_slice(), &signature].concat());
        Ok(Self { content, body: body.into(), digest, fact, signature })
    }
}

impl<T> Signed<T> {
    /// SHA-256 of the signed bytes.
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// Whether the holder of the signer's key signed it: from memory, or by verification.
    pub fn is_signed_by(&self, signer: &Certificate, memory: &dyn Memory) -> bool {
        memory::verified(memory, signer.spki_digest(), &self.fact, || {
            signer.key().verify(Scheme::EcdsaP256Sha256, self.body.as_bytes(), &self.signature).is_ok()
        })
    }

    /// Whether the memory knows that it did.
    pub fn is_known_by(&self, signer: &Certificate, memory: &dyn Memory) -> bool {
        memory::verified(memory, signer.spki_digest(), &self.fact, || false)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Outer<'a> {
    #[serde(borrow)]
    tcb_info: Option<&'a RawValue>,
    #[serde(borrow)]
    enclave_identity: Option<&'a RawValue>,
    signature: Hex<64>,
}

fn problem(field: &'static str, problem: &'static str) -> Malformed {
    Malformed { field, offset: 0, problem: Problem::NotCanonical(problem) }
}

/// Walks a document that is at most this deep, and refuses objects that name a key twice.
struct Unique(usize);

impl<'de> DeserializeSeed<'de> for Unique {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.0 {
            0 => Err(D::Error::custom("too deep")),
            _ => deserializer.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for Unique {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut keys = BTreeSet::new();
        while let Some(key) = map.next_key::<String>()? {
            if !keys.insert(key) {
                return Err(A::Error::custom("a key stands twice"));
            }
            map.next_value_seed(Self(self.0 - 1))?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Self(self.0 - 1))?.is_some() {}
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}
