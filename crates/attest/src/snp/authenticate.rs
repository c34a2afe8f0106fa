//! Is the report genuine: VEK chain, signature, and what binds report and VEK to each other.

use alloc::boxed::Box;
use alloc::string::String;

use super::report::{Report, SIGNED};
use super::tcb::{Line, Product, Tcb};
use super::vek::{Vek, is_vek};
use super::{Claims, Evidence, lists};
use crate::claims::{self, Detail, Root};
use crate::crypto::Scheme;
use crate::cursor::Malformed;
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
    let (certificate, vek) = match find_vek(evidence, endorsements) {
        Some((certificate, Ok(vek))) => (Some(certificate), Some(vek)),
        Some((certificate, Err(error))) => {
            checks.malformed(Reason::SnpVekExtensions, error);
            (Some(certificate), None)
        }
        None => {
            checks.fail(Reason::SnpVekMissing, "a VCEK or VLEK for REPORTED_TCB", "none");
            (None, None)
        }
    };
    let path = certificate.and_then(|certificate| {
        check_signature(evidence, certificate, checks);
        chain::build(certificate, &evidence.certificates, Vendor::Amd, endorsements, now, checks)
    });
    let line = line(report, vek.as_ref(), checks)?;
    if let Some(vek) = &vek {
        check_vek(report, vek, checks);
    }
    check_reserved(report, line, checks);
    let detail = detail(report, line, vek);
    check_order(&detail, checks);
    // Every VEK has serial number zero: AMD's lists name ASKs and ASVKs only, so the leaf is not looked for.
    let revocation = path
        .as_ref()
        .map(|path| crl::check_where(path, 1, endorsements, now, lists::covers, checks))
        .unwrap_or_default();
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

/// The VEK that fits chip, TCB and signing key, first among those that came with the report; otherwise any, so that the
/// rejection can say what does not fit.
fn find_vek<'a>(
    evidence: &'a Evidence,
    endorsements: &'a Endorsements,
) -> Option<(&'a Certificate, Result<Vek<'a>, Malformed>)> {
    let report = &evidence.report;
    let fits = |vek: &Vek<'_>| {
        u32::from(vek.loaded) == report.signing_key()
            && vek.tcb == Tcb::decode(report.reported_tcb, vek.line)
            && vek.hwid.is_none_or(|hwid| hwid == report.chip_id || report.masks_chip())
    };
    let carried = || evidence.certificates.iter().filter(|certificate| is_vek(certificate));
    // A report that masks its chip may be signed by any; VLEKs are of no chip.
    let masked = endorsements.certificates().filter(|_| report.masks_chip());
    let kept =
        endorsements.platform_keys(&report.chip_id).chain(endorsements.platform_keys(&[])).chain(masked);
    let decoded = |certificate| (certificate, Vek::decode(certificate));
    let fitting = carried().chain(kept).map(decoded).find(|(_, vek)| vek.as_ref().is_ok_and(fits));
    let other = || carried().chain(endorsements.certificates()).find(|other| is_vek(other)).map(decoded);
    fitting.or_else(other)
}

fn check_signature(evidence: &Evidence, certificate: &Certificate, checks: &mut Checks) {
    let report = &evidence.report;
    let unsigned = report.is_unsigned();
    checks.require(Reason::SnpSigningKey, "MASK_CHIP_KEY", !unsigned, false, unsigned);
    // The bytes that were received are verified, never a report that was written anew from its fields.
    let message = &evidence.bytes[..SIGNED.min(evidence.bytes.len())];
    let signed = certificate.key().verify(Scheme::EcdsaP384Sha384, message, &report.signature).is_ok();
    let name = certificate.shared_name();
    checks.require(Reason::SnpReportSignature, name, signed, "signed by the VEK", signed);
}

/// The line that CPUID and the VEK's issuer agree on; reports of version 2 have no CPUID.
fn line(report: &Report, vek: Option<&Vek<'_>>, checks: &mut Checks) -> Option<Line> {
    let issued = vek.map(|vek| vek.line);
    let Some(cpuid) = report.cpuid else { return issued };
    let line = Line::of_cpuid(cpuid);
    let agree = line.is_some() && issued.is_none_or(|issued| Some(issued) == line);
    checks.require(Reason::SnpProduct, Value::None, agree, issued.map(Line::name), &cpuid);
    issued.or(line)
}

fn check_vek(report: &Report, vek: &Vek<'_>, checks: &mut Checks) {
    checks.equal(Reason::SnpSigningKey, "SIGNING_KEY", u32::from(vek.loaded), report.signing_key());
    checks.equal(Reason::SnpVekTcb, Value::None, vek.tcb, Tcb::decode(report.reported_tcb, vek.line));
    if let Some(hwid) = vek.hwid.filter(|_| !report.masks_chip()) {
        checks.equal(Reason::SnpVekHwid, Value::None, &hwid, &report.chip_id);
    }
}

/// What must be zero in this version of the report and on this line. New meaning comes with a new version, so there is
/// nothing to excuse here; bits of POLICY and PLATFORM_INFO gain meaning without one, and are left to the policy.
fn check_reserved(report: &Report, line: Line, checks: &mut Checks) {
    let mut zero = |name: &'static str, holds: bool| {
        checks.require(Reason::SnpReportReserved, name, holds, "as the manual demands", holds);
    };
    for name in &report.reserved {
        zero(name, false);
    }
    zero("report", report.reserved.is_empty());
    zero("POLICY bit 17 is one", report.policy & 1 << 17 != 0);
    zero("CURRENT_TCB", Tcb::is_canonical(report.current_tcb, line));
    zero("REPORTED_TCB", Tcb::is_canonical(report.reported_tcb, line));
    zero("COMMITTED_TCB", Tcb::is_canonical(report.committed_tcb, line));
    zero("LAUNCH_TCB", Tcb::is_canonical(report.launch_tcb, line));
    if !report.masks_chip() {
        // Turin's chips have ids of eight bytes, those of other lines fill the field (#57230 section 3.1, note 4).
        let short = report.chip_id[8..].iter().all(|&byte| byte == 0);
        zero("CHIP_ID is of its line's length", short == (line == Line::Turin));
    }
}

fn detail(report: &Report, line: Line, vek: Option<Vek<'_>>) -> Claims {
    let tcb = |raw| Tcb::decode(raw, line);
    Claims {
        line,
        product: Product::of(line, report.cpuid),
        reported: tcb(report.reported_tcb),
        current: tcb(report.current_tcb),
        committed: tcb(report.committed_tcb),
        launch: tcb(report.launch_tcb),
        chip_proven: vek.as_ref().is_some_and(|vek| vek.hwid == Some(report.chip_id)),
        csp: vek.and_then(|vek| vek.csp).map(String::from),
        report: report.clone(),
    }
}

/// COMMITTED and REPORTED never pass CURRENT, and the guest never demands a newer ABI than the firmware's. REPORTED below
/// COMMITTED is legitimate: the host may lower it. LAUNCH may be above all: a guest can migrate to lesser firmware.
fn check_order(claims: &Claims, checks: &mut Checks) {
    let Claims { committed, reported, current, report, .. } = claims;
    checks.require(Reason::SnpTcbOrder, "committed", current.reaches(committed), *current, *committed);
    checks.require(Reason::SnpTcbOrder, "reported", current.reaches(reported), *current, *reported);
    let (has, had) = (report.current_version, report.committed_version);
    checks.require(Reason::SnpTcbOrder, "version", had <= has, &has, &had);
    let (firmware, abi) = ([has[0], has[1]], report.abi());
    checks.require(Reason::SnpAbi, "firmware", abi <= firmware, &firmware, &abi);
}
