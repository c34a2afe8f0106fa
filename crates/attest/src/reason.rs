//! Why evidence is refused: stable codes, and the record of every check made.
//!
//! A [`Reason`] names one rule. Its id is a promise to operators, logs and tests: ids are added, never changed or reused.
//! [`Checks`] collects the outcome of every rule, whether it held or not; nothing stops at the first failure, so that a
//! [`Rejection`] lists everything that is wrong.

use alloc::vec::Vec;
use core::fmt;

use crate::cursor::Malformed;
use crate::value::Value;

/// What kind of failure a reason is; a program's exit code depends on it alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// The bytes are not what they claim to be.
    Malformed,
    /// A signature, a certificate chain or a binding between signed parts does not hold.
    Signature,
    /// Something that the chain depends on was revoked.
    Revoked,
    /// The platform's security version is too low, or an advisory applies.
    Tcb,
    /// An endorsement is missing, outdated or not yet valid.
    Stale,
    /// The environment can be looked into, or is not genuine hardware.
    Debug,
    /// The workload is not the expected one.
    Measurement,
    /// Another rule of the policy.
    Policy,
}

macro_rules! reasons {
    ($($name:ident $class:ident $id:literal $meaning:literal;)*) => {
        /// One rule, by name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $(#[doc = $meaning] $name,)*
        }

        impl Reason {
            /// Every reason.
            pub const ALL: &'static [Reason] = &[$(Reason::$name),*];

            /// The stable id.
            pub fn id(self) -> &'static str {
                match self { $(Reason::$name => $id),* }
            }

            /// What kind of failure it is.
            pub fn class(self) -> Class {
                match self { $(Reason::$name => Class::$class),* }
            }

            /// The rule, in one sentence.
            pub fn meaning(self) -> &'static str {
                match self { $(Reason::$name => $meaning),* }
            }
        }
    };
}

reasons! {
    EvidenceMalformed Malformed "evidence.malformed" "The evidence decodes as its kind, without a tail.";
    EvidenceUnknown Malformed "evidence.unknown" "The evidence is of a kind that is known.";
    EvidenceUnsupported Malformed "evidence.unsupported" "The kind and version of the evidence can be verified.";
    EndorsementMalformed Malformed "endorsement.malformed" "Endorsements decode as their kind, without a tail.";

    CarrierMalformed Malformed "carrier.malformed" "What carries the evidence decodes as its kind, within the limits.";
    CarrierEmpty Malformed "carrier.empty" "The carrier holds evidence.";
    CarrierSignature Signature "carrier.signature" "The carrier is signed by the key that it names.";
    CarrierKey Signature "carrier.key" "The key is of the kind that the evidence demands, and the one that its claims name.";

    ChainAnchor Signature "chain.anchor" "The certificate chain ends in a pinned trust anchor.";
    ChainSignature Signature "chain.signature" "Every certificate is signed by its issuer.";
    ChainConstraints Signature "chain.constraints" "Every issuer is a CA that may sign certificates at its depth.";
    ChainValidity Stale "chain.validity" "Every certificate is valid at the time of judgement.";
    ChainBudget Malformed "chain.budget" "The chain is found within the budget of signatures.";
    CrlMissing Stale "crl.missing" "A revocation list is given for every issuer that publishes one.";
    CrlSignature Signature "crl.signature" "The revocation list is signed by the issuer it names.";
    CrlStale Stale "crl.stale" "The revocation list covers the time of judgement.";
    CrlAge Stale "crl.age" "The revocation list is no older than the policy allows.";
    CrlNumber Stale "crl.number" "The revocation list's number reaches the policy's minimum.";
    CrlRevoked Revoked "crl.revoked" "No certificate of the chain is revoked.";

    BindingMismatch Signature "binding.mismatch" "The evidence is bound to the expected key and claims.";
    BindingMissing Policy "binding.missing" "A binding is expected and was given to compare with.";
    BindingLegacy Policy "binding.legacy" "The policy accepts evidence that is bound to a key alone.";
    NonceMissing Policy "nonce.missing" "The evidence answers a nonce of the verifier.";

    TeeRefused Policy "tee.refused" "The policy accepts this kind of environment.";
    TrustUnattested Debug "trust.unattested" "The policy names unattested keeps as acceptable.";
    TrustSimulated Debug "trust.simulated" "The policy names the development root as acceptable.";
    DebugEnabled Debug "debug.enabled" "The host cannot look into the environment.";
    MeasurementUnknown Measurement "measurement.unknown" "The launch measurement is one of the reference values.";
    MeasurementDenied Measurement "measurement.denied" "The launch measurement is not on the deny list.";
    WorkloadMismatch Measurement "workload.mismatch" "The launch-time workload field holds the expected digest.";

    SnpReportSignature Signature "snp.report.signature" "The report is signed by the VEK.";
    SnpReportReserved Malformed "snp.report.reserved" "Reserved fields of the report are zero.";
    SnpSigningKey Signature "snp.signing-key" "SIGNING_KEY, the certificate's name and its issuer agree.";
    SnpProduct Signature "snp.product" "CPUID, issuer and product name are of one product line.";
    SnpVekMissing Stale "snp.vek.missing" "A VCEK or VLEK is given with the report.";
    SnpVekExtensions Signature "snp.vek.extensions" "The VEK carries exactly the extensions of its structure version.";
    SnpVekTcb Signature "snp.vek.tcb" "The VEK was issued for REPORTED_TCB.";
    SnpVekHwid Signature "snp.vek.hwid" "The VCEK was issued for CHIP_ID.";
    SnpChipMasked Policy "snp.chip.masked" "The report names its chip.";
    SnpTcbOrder Tcb "snp.tcb.order" "COMMITTED and REPORTED are not above CURRENT.";
    SnpTcbMinimum Tcb "snp.tcb.minimum" "Reported, committed and launch TCB reach the policy's minimum.";
    SnpTcbSettled Tcb "snp.tcb.settled" "Committed, reported and launch TCB are the same.";
    SnpFirmware Tcb "snp.firmware" "The committed firmware version reaches the policy's minimum.";
    SnpGuestSvn Tcb "snp.guest-svn" "GUEST_SVN reaches the policy's minimum.";
    SnpMitigation Tcb "snp.mitigation" "The mitigation vectors have every bit that the policy demands.";
    SnpGuestPolicy Policy "snp.guest-policy" "Every bit of the guest policy is as demanded.";
    SnpPlatform Policy "snp.platform" "Every bit of PLATFORM_INFO is as demanded.";
    SnpVmpl Policy "snp.vmpl" "The report was made at an accepted VMPL.";
    SnpAbi Policy "snp.abi" "The guest policy demands an accepted ABI version, and the firmware has it.";
    SnpMigrationAgent Policy "snp.migration-agent" "No migration agent is associated.";
    SnpAuthorKey Measurement "snp.author-key" "The author key is an accepted signer.";
    SnpIdKey Measurement "snp.id-key" "The ID key is an accepted one.";
    SnpLaunchIds Measurement "snp.launch-ids" "FAMILY_ID, IMAGE_ID and HOST_DATA are accepted ones.";
    SnpChip Policy "snp.chip" "The chip is on the allow list and on no deny list.";
    SnpCsp Policy "snp.csp" "The VLEK belongs to an accepted cloud provider.";
    SnpLine Policy "snp.line" "The product line is accepted.";

    IntelQuoteSignature Signature "intel.quote.signature" "The quote is signed by its attestation key.";
    IntelQeSignature Signature "intel.qe.signature" "The QE report is signed by the PCK.";
    IntelQeBinding Signature "intel.qe.binding" "The QE report names the attestation key.";
    IntelQeIdentity Signature "intel.qe.identity" "The quoting enclave is Intel's.";
    IntelPck Signature "intel.pck" "The PCK chain has Intel's shape and extensions.";
    IntelCollateralMissing Stale "intel.collateral.missing" "TCB info and QE identity are given.";
    IntelCollateralSignature Signature "intel.collateral.signature" "TCB info and QE identity are signed by Intel.";
    IntelCollateralStale Stale "intel.collateral.stale" "TCB info and QE identity cover the time of judgement.";
    IntelCollateralAge Stale "intel.collateral.age" "TCB info and QE identity are no older than the policy allows.";
    IntelCollateralMatch Signature "intel.collateral.match" "TCB info is for the platform's FMSPC and PCE.";
    IntelTcbUnsupported Tcb "intel.tcb.unsupported" "A TCB level of the collateral matches the platform.";
    IntelTcbRevoked Revoked "intel.tcb.revoked" "The platform's TCB level is not revoked.";
    IntelTcbStatus Tcb "intel.tcb.status" "The policy accepts the platform's TCB status.";
    IntelTcbAdvisory Tcb "intel.tcb.advisory" "The policy accepts every advisory that applies.";
    IntelTcbEvaluation Tcb "intel.tcb.evaluation" "The TCB evaluation number reaches the policy's minimum.";
    IntelPlatform Policy "intel.platform" "The platform instance and its flags are accepted.";
    SgxSigner Measurement "sgx.signer" "MRSIGNER is accepted.";
    SgxAttributes Policy "sgx.attributes" "Attributes and MISCSELECT are as demanded.";
    SgxProduct Measurement "sgx.product" "ISVPRODID is accepted.";
    SgxVersion Tcb "sgx.version" "ISVSVN reaches the policy's minimum.";
    SgxConfiguration Measurement "sgx.configuration" "CONFIGID, CONFIGSVN and the other ids of KSS are as demanded.";
    TdxModule Signature "tdx.module" "The TDX module is Intel's.";
    TdxAttributes Policy "tdx.attributes" "TD attributes and XFAM are as demanded.";
    TdxServiceTd Policy "tdx.service-td" "No service TD is bound, or the policy allows it.";
    TdxRegisters Measurement "tdx.registers" "RTMRs and configuration fields are as demanded.";

    CcaKeyMissing Stale "cca.key.missing" "The key of the platform instance is configured.";
    CcaPlatformSignature Signature "cca.platform.signature" "The platform token is signed by a trusted CPAK.";
    CcaRealmSignature Signature "cca.realm.signature" "The realm token is signed by its RAK.";
    CcaBinding Signature "cca.binding" "The platform token names the RAK.";
    CcaLifecycle Debug "cca.lifecycle" "The platform is in an accepted state.";
    CcaProfile Policy "cca.profile" "Both tokens have an accepted profile.";
    CcaPlatform Policy "cca.platform" "Implementation and instance of the platform are accepted.";
    CcaComponents Measurement "cca.components" "Every software component has an accepted signer and measurement.";
    CcaRegisters Measurement "cca.registers" "RIM, REMs and personalization are as demanded.";

    NitroSignature Signature "nitro.signature" "The document is signed by its certificate.";
    NitroBundle Signature "nitro.bundle" "The bundle is the chain of the certificate, the root first.";
    NitroAge Stale "nitro.age" "The document was made close to the time of judgement.";
    NitroPcr Measurement "nitro.pcr" "The PCRs are as demanded.";

    VtpmBinding Signature "vtpm.binding" "The report names the runtime data.";
    VtpmReport Signature "vtpm.report" "The TD report and the TD quote say the same.";
    VtpmQuoteMissing Stale "vtpm.quote.missing" "A TPM quote, and for TDX a TD quote, comes with the report.";
    VtpmQuoteSignature Signature "vtpm.quote.signature" "The TPM quote is signed by the attestation key.";
    VtpmKey Signature "vtpm.key" "The certificate of the attestation key, where it is given or demanded, is of that key.";
    VtpmPcr Measurement "vtpm.pcr" "The PCRs are those that were quoted, and as demanded.";
    VtpmNonce Signature "vtpm.nonce" "The TPM quote answers a nonce, and the user data repeat it where they must.";
    VtpmConfiguration Policy "vtpm.configuration" "The virtual machine is configured as demanded.";
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The rule held.
    Pass,
    /// The rule did not hold: the evidence is refused.
    Fail,
    /// The rule did not hold or could not be tried, and the policy says that this is acceptable.
    Note,
}

/// One rule that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The rule.
    pub reason: Reason,
    /// How it ended.
    pub outcome: Outcome,
    /// What it was applied to, where one rule applies to many things: a certificate, a field, a bit.
    pub subject: Value,
    /// What was demanded.
    pub expected: Value,
    /// What the evidence or endorsement says.
    pub found: Value,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.reason)?;
        if self.subject != Value::None {
            write!(f, " [{}]", self.subject)?;
        }
        write!(f, ": expected {}, found {}", self.expected, self.found)
    }
}

/// Every rule that was tried so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checks(Vec<Check>);

impl Checks {
    /// No rule tried yet.
    pub fn new() -> Self {
        Self(Vec::with_capacity(64))
    }

    /// Records a rule that holds when `holds`, and says so.
    pub fn require(
        &mut self,
        reason: Reason,
        subject: impl Into<Value>,
        holds: bool,
        expected: impl Into<Value>,
        found: impl Into<Value>,
    ) -> bool {
        let outcome = if holds { Outcome::Pass } else { Outcome::Fail };
        self.record(reason, subject, outcome, expected, found);
        holds
    }

    /// Records a rule that holds when both sides are equal, and says whether it does.
    pub fn equal<T: PartialEq + Into<Value>>(
        &mut self,
        reason: Reason,
        subject: impl Into<Value>,
        expected: T,
        found: T,
    ) -> bool {
        let holds = expected == found;
        self.require(reason, subject, holds, expected, found)
    }

    /// Records a rule that does not hold.
    pub fn fail(&mut self, reason: Reason, expected: impl Into<Value>, found: impl Into<Value>) {
        self.record(reason, Value::None, Outcome::Fail, expected, found);
    }

    /// Records something worth knowing that does not decide.
    pub fn note(&mut self, reason: Reason, expected: impl Into<Value>, found: impl Into<Value>) {
        self.record(reason, Value::None, Outcome::Note, expected, found);
    }

    /// Records a rule whose failure the policy may have excused: `excused` turns a failure into a note.
    pub fn require_unless(
        &mut self,
        excused: bool,
        reason: Reason,
        subject: impl Into<Value>,
        holds: bool,
        expected: impl Into<Value>,
        found: impl Into<Value>,
    ) {
        let outcome = match (holds, excused) {
            (true, _) => Outcome::Pass,
            (false, true) => Outcome::Note,
            (false, false) => Outcome::Fail,
        };
        self.record(reason, subject, outcome, expected, found);
    }

    /// Records bytes that could not be decoded.
    pub fn malformed(&mut self, reason: Reason, error: Malformed) {
        self.fail(reason, "a well-formed item", alloc::format!("{error}"));
    }

    /// Records an outcome.
    pub fn record(
        &mut self,
        reason: Reason,
        subject: impl Into<Value>,
        outcome: Outcome,
        expected: impl Into<Value>,
        found: impl Into<Value>,
    ) {
        let (subject, expected, found) = (subject.into(), expected.into(), found.into());
        self.0.push(Check { reason, outcome, subject, expected, found });
    }

    /// Whether no rule failed.
    pub fn passed(&self) -> bool {
        self.failures().next().is_none()
    }

    /// The rules that failed.
    pub fn failures(&self) -> impl Iterator<Item = &Check> {
        self.0.iter().filter(|check| check.outcome == Outcome::Fail)
    }

    /// Every rule, in the order it was tried.
    pub fn iter(&self) -> impl Iterator<Item = &Check> {
        self.0.iter()
    }
}

/// Evidence that was refused, and every check that was made: at least one of them failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    checks: Checks,
}

impl Rejection {
    /// A refusal because bytes could not be decoded.
    pub fn malformed(reason: Reason, error: Malformed) -> Self {
        let mut checks = Checks::new();
        checks.malformed(reason, error);
        Self { checks }
    }

    /// A refusal for one reason.
    pub fn one(reason: Reason, expected: impl Into<Value>, found: impl Into<Value>) -> Self {
        let mut checks = Checks::new();
        checks.fail(reason, expected, found);
        Self { checks }
    }

    /// The checks back when all held, a refusal otherwise.
    pub(crate) fn unless_passed(checks: Checks) -> Result<Checks, Self> {
        match checks.passed() {
            true => Ok(checks),
            false => Err(Self { checks }),
        }
    }

    /// Every check that was made.
    pub fn checks(&self) -> &Checks {
        &self.checks
    }

    /// The class that decides, the first in the order of [`Class`]: an item that cannot be decoded says nothing more.
    pub fn class(&self) -> Class {
        self.checks.failures().map(|check| check.reason.class()).min().unwrap_or(Class::Policy)
    }

    /// Whether this rule is among those that failed.
    pub fn has(&self, reason: Reason) -> bool {
        self.checks.failures().any(|check| check.reason == reason)
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for check in self.checks.failures() {
            write!(f, "{separator}{check}")?;
            separator = "; ";
        }
        Ok(())
    }
}

impl core::error::Error for Rejection {}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_are_unique() {
        let ids: BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.id()).collect();
        assert_eq!(ids.len(), Reason::ALL.len());
    }

    #[test]
    fn every_failure_is_kept() {
        let mut checks = Checks::new();
        checks.equal(Reason::SnpVmpl, "vmpl", 0_u32, 1);
        checks.equal(Reason::DebugEnabled, "debug", false, true);
        checks.equal(Reason::SnpLine, "line", "Milan", "Milan");
        let rejection = Rejection::unless_passed(checks).expect_err("two rules failed");
        assert_eq!(rejection.checks().failures().count(), 2);
        assert_eq!(rejection.class(), Class::Debug);
    }
}
