//! The certificate extension that says what was proven of its key's holder, 1.3.6.1.4.1.58270.2.4; not critical.
//!
//! ```text
//! AttestationResult ::= SEQUENCE {
//!     tee     UTF8String,                  -- as "snp"
//!     trust   UTF8String,                  -- as "affirming"
//!     tcb     [0] UTF8String OPTIONAL,     -- where the environment has levels
//!     policy  OCTET STRING (SIZE(48)),     -- SHA-384 of the policy
//!     result  OCTET STRING (SIZE(48)) }    -- SHA-384 of the whole result, as the issuer keeps it
//! ```
//!
//! It never carries evidence, and what it says is as good as the certificate's issuer.

use alloc::string::String;
use alloc::vec::Vec;

use super::AttestationResult;
use crate::crypto::sha384;
use crate::cursor::{self, Malformed, Problem};
use crate::der::{self, Reader, tag};

/// The extension's OID, encoded.
pub const OID: &[u8] = &[0x2B, 6, 1, 4, 1, 0x83, 0xC7, 0x1E, 2, 4];

/// The largest value.
const MAX_SIZE: usize = 512;

/// What the extension says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultExtension {
    /// The kind of environment.
    pub tee: String,
    /// How far it can be trusted.
    pub trust: String,
    /// Its security version.
    pub tcb: Option<String>,
    /// SHA-384 of the policy that accepted it.
    pub policy_digest: [u8; 48],
    /// SHA-384 of the whole result.
    pub result_digest: [u8; 48],
}

impl ResultExtension {
    /// The extension for a result, whose claims set the issuer keeps as `ear`.
    pub fn new(result: &AttestationResult, ear: &[u8]) -> Self {
        Self {
            tee: result.tee().id().into(),
            trust: result.trust().as_str().into(),
            tcb: result.tcb_level(),
            policy_digest: *result.policy_digest(),
            result_digest: sha384(ear),
        }
    }

    /// Encodes the value as DER.
    pub fn encode(&self) -> Vec<u8> {
        let text = |text: &str| der::element(tag::UTF8_STRING, text.as_bytes());
        let tcb = self.tcb.as_ref().map(|tcb| der::element(tag::context(0), &text(tcb)));
        der::sequence(&[
            &text(&self.tee),
            &text(&self.trust),
            &tcb.unwrap_or_default(),
            &der::element(tag::OCTET_STRING, &self.policy_digest),
            &der::element(tag::OCTET_STRING, &self.result_digest),
        ])
    }

    /// Decodes the value.
    pub fn decode(value: &[u8]) -> Result<Self, Malformed> {
        cursor::limit("result", value, MAX_SIZE)?;
        let mut item = Reader::new(value);
        let mut fields = item.sequence("result")?;
        item.finish("result")?;
        let tee = text(&mut fields, "result.tee")?;
        let trust = text(&mut fields, "result.trust")?;
        let tcb = match fields.optional("result.tcb", tag::context(0))? {
            Some(element) => {
                let mut inner = element.reader();
                let tcb = text(&mut inner, "result.tcb")?;
                inner.finish("result.tcb")?;
                Some(tcb)
            }
            None => None,
        };
        let policy_digest = digest(&mut fields, "result.policy")?;
        let result_digest = digest(&mut fields, "result.result")?;
        fields.finish("result")?;
        Ok(Self { tee, trust, tcb, policy_digest, result_digest })
    }
}

fn text(fields: &mut Reader<'_>, field: &'static str) -> Result<String, Malformed> {
    let at = *fields;
    let text = core::str::from_utf8(fields.expect(field, tag::UTF8_STRING)?.contents);
    text.map(String::from).map_err(|_| at.fail(field, Problem::NotCanonical("not UTF-8")))
}

fn digest(fields: &mut Reader<'_>, field: &'static str) -> Result<[u8; 48], Malformed> {
    let at = *fields;
    let digest = fields.octets(field)?.try_into();
    digest.map_err(|_| at.fail(field, Problem::NotCanonical("not 48 bytes")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carrier::ra_tls::OID_ENARX;

    #[test]
    fn extensions_survive_encoding_and_no_cut_is_one() {
        fn check(extension: ResultExtension) {
            let encoded = extension.encode();
            assert_eq!(ResultExtension::decode(&encoded), Ok(extension));
            for length in 0..encoded.len() {
                assert!(ResultExtension::decode(&encoded[..length]).is_err(), "cut at {length}");
            }
            assert!(ResultExtension::decode(&[encoded.as_slice(), &[0]].concat()).is_err());
        }
        let extension = ResultExtension {
            tee: "snp".into(),
            trust: "affirming".into(),
            tcb: Some("bootloader 3".into()),
            policy_digest: [1; 48],
            result_digest: [2; 48],
        };
        check(extension.clone());
        check(ResultExtension { tcb: None, ..extension });
        assert!(OID.starts_with(OID_ENARX));
    }
}
