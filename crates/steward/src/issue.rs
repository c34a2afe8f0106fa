//! From what was proven to a certificate: the last step, pure.
//!
//! [`issue`] takes an [`AttestationResult`], which only the verifier makes, so that a certificate without appraisal does not
//! compile. Nothing of a request enters the certificate but its key, and what its evidence is bound to.

pub mod names;
pub mod serial;
pub mod template;

use attest::result::ear::{Ear, Verifier};
use attest::result::extension::ResultExtension;
use attest::result::{AttestationResult, TrustLevel};
use attest::time::{Time, Window};

use self::serial::Serial;
use self::template::Template;
use crate::ca::Authority;
use crate::ca::certificate::Contents;
use crate::refusal::Refusal;
use crate::request::Request;

/// What certificates of a profile are good for.
#[cfg_attr(not(target_os = "wasi"), derive(clap::ValueEnum))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grade {
    /// Genuine hardware that nobody looks into.
    Production,
    /// Anything: certificates say so, and come from another root.
    Lab,
}

/// How one kind of certificate is issued.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The name that requests ask for.
    pub name: String,
    /// What its certificates are good for.
    pub grade: Grade,
    /// The longest lifetime, in seconds.
    pub lifetime: u64,
    /// How many seconds before its issuance a certificate is valid, for peers whose clocks are behind.
    pub backdate: u64,
    /// What its certificates say.
    pub template: Template,
}

/// Everything that a certificate depends on.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// What was asked for.
    pub request: &'a Request,
    /// What was proven.
    pub result: &'a AttestationResult,
    /// How such certificates are issued.
    pub profile: &'a Profile,
    /// The clock.
    pub now: Time,
    /// The number that the certificate gets.
    pub serial: &'a Serial,
}

/// A certificate, and what the inventory keeps of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// The certificate, as DER.
    pub certificate: Vec<u8>,
    /// Its number.
    pub serial: Serial,
    /// When it is valid.
    pub validity: Window,
    /// The digest of the workload that it names.
    pub workload: Option<Vec<u8>>,
    /// The names that it has, for people.
    pub names: Vec<String>,
    /// The attestation result as the certificate's extension digests it: an EAR claims set, JSON.
    pub ear: Vec<u8>,
}

/// The lifetime of certificates, unless the profile says another.
pub const LIFETIME: u64 = 24 * 60 * 60;

/// How far certificates are backdated, unless the profile says otherwise.
pub const BACKDATE: u64 = 60;

/// The shortest certificate worth having, in seconds: less is a sign of endorsements about to expire.
const MIN_LIFETIME: u64 = 60;

/// What 32 bits of seconds hold ends on 2106-02-07; a clock beyond it has wrapped around, or was never set.
const MAX_CLOCK: Time = Time(u32::MAX as u64);

/// Issues a certificate.
pub fn issue(order: &Order<'_>, authority: &Authority) -> Result<Issued, Refusal> {
    let Order { request, result, profile, now, serial } = *order;
    check_clock(authority, now)?;
    if profile.grade == Grade::Production && result.trust() < TrustLevel::Tolerated {
        return Err(Refusal::LabOnly { trust: result.trust(), profile: profile.name.clone() });
    }
    let validity = validity(order, authority)?;
    let names = profile.template.names(request)?;
    let ear = Ear::new(result, verifier(), request.nonce().map(<[u8]>::to_vec)).to_json().into_bytes();
    let attested = ResultExtension::new(result, &ear).encode();
    let extensions =
        profile.template.extensions(profile.grade, request, &names, &attested, authority.key_id());
    let contents = Contents {
        serial,
        issuer: authority.issuing().subject(),
        validity,
        subject: profile.template.subject(),
        spki: request.spki(),
        extensions: extensions.map_err(|error| Refusal::Signing(error.into()))?,
    };
    Ok(Issued {
        certificate: contents.sign(authority.signer()).map_err(Refusal::Signing)?,
        serial: serial.clone(),
        validity,
        workload: request.workload().map(<[u8]>::to_vec),
        names: names.iter().map(names::Name::to_string).collect(),
        ear,
    })
}

/// Whether the authority may issue at this time.
pub fn check_clock(authority: &Authority, now: Time) -> Result<(), Refusal> {
    let Window { from, to } = authority.validity();
    match now {
        now if now > MAX_CLOCK => Err(Refusal::ClockAbsurd { now }),
        now if now < from => Err(Refusal::ClockEarly { now, from }),
        now if now > to => Err(Refusal::ClockLate { now, to }),
        _ => Ok(()),
    }
}

/// As long as asked for, as the profile allows, as the result holds, and as the authority lives.
fn validity(order: &Order<'_>, authority: &Authority) -> Result<Window, Refusal> {
    let Order { request, result, profile, now, .. } = *order;
    let seconds = request.lifetime().unwrap_or(u64::MAX).min(profile.lifetime);
    let holds = result.validity().map_or(Time(u64::MAX), |window| window.to);
    let to = Time(now.0.saturating_add(seconds)).min(holds).min(authority.validity().to);
    let from = Time(now.0.saturating_sub(profile.backdate)).max(authority.validity().from);
    match to.since(now) < MIN_LIFETIME.min(seconds) {
        true => Err(Refusal::NoTimeLeft { to }),
        false => Ok(Window { from, to }),
    }
}

/// Who judged.
fn verifier() -> Verifier {
    Verifier {
        developer: "https://enarx.dev".into(),
        build: concat!("steward ", env!("CARGO_PKG_VERSION")).into(),
    }
}
