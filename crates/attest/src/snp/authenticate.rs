//! Is the report genuine: VEK chain, signature, and what binds report and VEK to each other.

use alloc::boxed::Box;
use alloc::string::String;

use super::report::{Report, SIGNED};
use super::tcb::{Line, Tcb};
use super::vek::Vek;
use super::{Claims, Evidence};
use crate::claims::{self, Detail, Root};
use crate::crypto::Scheme;
use crate::endorsements::Endorsements;
use crate::evidence::Tee;
use crate::reason::{Checks, Reason};
use crate::roots::Vendor;
use crate::time::Time;
use crate::value::Value;
use crate::x509::certificate::Certificate;
use crate::x509::{chain, crl};

/// Runs every check of authentication, and returns what the report claims if its line is known.
pub(crate) fn authenticate(
    evidence: &Evidence,
    endorsements: &Endorsements,
    now: Time,
    checks: &mut Checks,
) -> Option<claims::Claims> {
    let report = &evidence.report;
    let certificate = find_vek(evidence, endorsements);
    let vek = certificate.and_then(|certificate| match Vek::decode(certificate) {
        Ok(vek) => Some(vek),
        Err(error) => {
            checks.malformed(Reason::SnpVekExtensions, error);
            None
        }
    });
    if certificate.is_none() {
        checks.fail(Reason::SnpVekMissing, "a VCEK or VLEK for REPORTED_TCB", "none");
    }
    let path = certificate.and_then(|certificate| {
        let message = &evidence.bytes[..SIGNED.min(evidence.bytes.len())];
        let signed = certificate.key().verify(Scheme::EcdsaP384Sha384, message, &report.signature).is_ok();
        let name = String::from(certificate.common_name());
        checks.require(Reason::SnpReportSignature, name, signed, "signed by the VEK", signed);
        chain::build(certificate, &evidence.certificates, Vendor::Amd, endorsements, now, checks)
    });
    let line = line(report, vek.as_ref(), checks)?;
    if let Some(vek) = &vek {
        check_vek(report, vek, checks);
    }
    let tcb = |raw| Tcb::decode(raw, line);
    let detail = Claims {
        line,
        reported: tcb(report.reported_tcb),
        current: tcb(report.current_tcb),
        committed: tcb(report.committed_tcb),
        launch: tcb(report.launch_tcb),
        chip_proven: vek.as_ref().is_some_and(|vek| vek.hwid == Some(report.chip_id)),
        csp: vek.and_then(|vek| vek.csp),
        report: report.clone(),
    };
    check_order(&detail, checks);
    // Every VEK has serial number zero: AMD's lists name ASKs and ASVKs only, so the leaf is not looked for.
    let revocation =
        path.as_ref().map(|path| crl::check(path, 1, endorsements, now, checks)).unwrap_or_default();
    Some(claims::Claims {
        tee: Tee::Snp,
        root: path.as_ref().map(|path| Root {
            grade: path.anchor().grade,
            name: path.anchor().certificate.common_name().into(),
            digest: *path.anchor().certificate.digest(),
        }),
        measurement: report.measurement.to_vec(),
        report_data: report.report_data.to_vec(),
        host_data: report.host_data.to_vec(),
        debug: report.debug(),
        validity: path.as_ref().map(|path| path.validity()),
        revocation,
        detail: Detail::Snp(Box::new(detail)),
    })
}

/// The VEK that came with the report, or one of the endorsements that fits chip and TCB.
fn find_vek<'a>(evidence: &'a Evidence, endorsements: &'a Endorsements) -> Option<&'a Certificate> {
    let is_vek = |certificate: &&Certificate| matches!(certificate.common_name(), "SEV-VCEK" | "SEV-VLEK");
    let fits = |certificate: &&Certificate| {
        Vek::decode(certificate).is_ok_and(|vek| {
            vek.tcb == Tcb::decode(evidence.report.reported_tcb, vek.line)
                && vek
                    .hwid
                    .is_none_or(|hwid| hwid == evidence.report.chip_id || evidence.report.chip_id == [0; 64])
        })
    };
    let carried = evidence.certificates.iter().find(is_vek);
    carried.or_else(|| {
        endorsements
            .certificates()
            .filter(is_vek)
            .find(fits)
            .or_else(|| endorsements.certificates().find(is_vek))
    })
}

/// The line that CPUID and the VEK's issuer agree on; reports of version 2 have no CPUID.
fn line(report: &Report, vek: Option<&Vek>, checks: &mut Checks) -> Option<Line> {
    let issued = vek.map(|vek| vek.line);
    let Some(cpuid) = report.cpuid else { return issued };
    let line = Line::of_cpuid(cpuid);
    let agree = line.is_some() && issued.is_none_or(|issued| Some(issued) == line);
    checks.require(Reason::SnpProduct, Value::None, agree, issued.map(Line::name), &cpuid);
    issued.or(line)
}

fn check_vek(report: &Report, vek: &Vek, checks: &mut Checks) {
    checks.equal(Reason::SnpSigningKey, Value::None, u32::from(vek.loaded), report.signing_key());
    checks.equal(Reason::SnpVekTcb, Value::None, vek.tcb, Tcb::decode(report.reported_tcb, vek.line));
    if let Some(hwid) = vek.hwid.filter(|_| report.chip_id != [0; 64]) {
        checks.equal(Reason::SnpVekHwid, Value::None, &hwid, &report.chip_id);
    }
}

/// COMMITTED and REPORTED never pass CURRENT. REPORTED below COMMITTED is legitimate: the host may lower it.
fn check_order(claims: &Claims, checks: &mut Checks) {
    let Claims { committed, reported, current, report, .. } = claims;
    checks.require(Reason::SnpTcbOrder, "committed", current.reaches(committed), *current, *committed);
    checks.require(Reason::SnpTcbOrder, "reported", current.reaches(reported), *current, *reported);
    let ordered = report.committed_version <= report.current_version;
    checks.require(
        Reason::SnpTcbOrder,
        "version",
        ordered,
        &report.current_version,
        &report.committed_version,
    );
}
