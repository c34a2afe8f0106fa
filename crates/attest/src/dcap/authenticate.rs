//! Is the quote genuine: signatures, the PCK's chain, Intel's quoting enclave, and collateral that fits.

use alloc::string::String;
use alloc::vec::Vec;

use super::Platform;
use super::collateral::{EnclaveId, EnclaveIdentity, TcbInfo, TcbInfoId};
use super::json::Signed;
use super::pck::{COMMON_NAME, Ca, Pck};
use super::quote::{Certification, Quote};
use super::tcb::{Status, TdSvn, Unsupported, Verdict};
use crate::claims::Root;
use crate::crypto::{PublicKey, Scheme, sha256};
use crate::endorsements::Endorsements;
use crate::memory;
use crate::reason::{Checks, Reason};
use crate::roots::Vendor;
use crate::time::{Time, Window};
use crate::value::Value;
use crate::x509::certificate::Certificate;
use crate::x509::chain::{self, Path};
use crate::x509::crl::{self, Coverage};

/// What every SGX and TDX quote is judged with.
pub(crate) struct Context<'a> {
    /// Certificates that a carrier brought along.
    pub carried: &'a [Certificate],
    /// What Intel publishes.
    pub endorsements: &'a Endorsements,
    /// The time of judgement.
    pub now: Time,
}

/// What was found out about a quote.
pub(crate) struct Proof<'a> {
    /// The platform.
    pub platform: Platform,
    /// The TCB info that was used.
    pub info: Option<&'a TcbInfo>,
    /// The root of the PCK.
    pub root: Option<Root>,
    /// When certificates and collateral are all valid.
    pub validity: Option<Window>,
    /// How well lists cover all chains.
    pub revocation: Vec<Coverage>,
}

/// A document with the path of its signer.
struct Proven<'a, T> {
    content: &'a T,
    signer: &'a Certificate,
}

/// Runs the checks that SGX and TDX share.
pub(crate) fn authenticate<'a, B>(
    quote: &'a Quote<B>,
    td: Option<TdSvn>,
    context: &Context<'a>,
    checks: &mut Checks,
) -> Proof<'a> {
    check_quote(quote, checks);
    let certificate = find_pck(quote, context, checks);
    let path = certificate.and_then(|certificate| check_pck(quote, certificate, context, checks));
    let pck = certificate.and_then(|certificate| match Pck::decode(certificate) {
        Ok(pck) => Some(pck),
        Err(error) => {
            checks.malformed(Reason::IntelPck, error);
            None
        }
    });
    let carried = context.carried.iter().filter(|certificate| certificate.common_name() == SIGNER);
    let signers: Vec<&Certificate> =
        context.endorsements.certificates_of(SIGNER).chain(carried).take(MAX_SIGNERS).collect();
    let info = pck.as_ref().and_then(|pck| find_info(pck, td.is_some(), &signers, context, checks));
    let identity = find_identity(td.is_some(), &signers, context, checks);
    if let Some(identity) = &identity {
        check_identity(quote, identity.content, checks);
    }
    let known = identity.as_ref().map(|identity| identity.content);
    let verdict = match (&pck, &info) {
        (Some(pck), Some(info)) => find_verdict(quote, pck, info.content, known, td, checks),
        _ => None,
    };

    let mut windows: Vec<Window> = Vec::new();
    windows.extend(path.as_ref().map(Path::validity));
    windows.extend(info.as_ref().map(|info| info.content.window()));
    windows.extend(identity.as_ref().map(|identity| identity.content.window()));
    let mut signers: Vec<&Certificate> = Vec::new();
    signers.extend(info.as_ref().map(|info| info.signer));
    signers.extend(identity.as_ref().map(|identity| identity.signer));
    signers.dedup_by(|one, other| one.digest() == other.digest());
    let mut revocation = Vec::new();
    let signer_paths = signers.into_iter().filter_map(|signer| check_signer(signer, context, checks));
    for path in signer_paths.collect::<Vec<_>>() {
        windows.push(path.validity());
        merge(&mut revocation, crl::check(&path, 0, context.endorsements, context.now, checks));
    }
    if let Some(path) = &path {
        merge(&mut revocation, crl::check(path, 0, context.endorsements, context.now, checks));
    }
    Proof {
        platform: Platform { pck, quoting_enclave: quote.enclave.clone(), verdict },
        info: info.map(|info| info.content),
        root: path.as_ref().map(|path| Root {
            grade: path.anchor().grade,
            name: path.anchor().certificate.common_name().into(),
            digest: *path.anchor().certificate.digest(),
        }),
        validity: windows.into_iter().reduce(Window::intersect),
        revocation,
    }
}

/// The attestation key signed the quote, and the quoting enclave's report names the key. The report's other 32 bytes of
/// data are zero (DCAP API reference, appendix A.4, table 7).
fn check_quote<B>(quote: &Quote<B>, checks: &mut Checks) {
    let key = PublicKey::p256_from_xy(&quote.attestation_key);
    let signed = key.verify(Scheme::EcdsaP256Sha256, quote.signed(), &quote.signature).is_ok();
    checks.require(Reason::IntelQuoteSignature, Value::None, signed, "signed by the attestation key", signed);
    let mut expected = [0; 64];
    let named = [quote.attestation_key.as_slice(), quote.auth_data.as_slice()].concat();
    expected[..32].copy_from_slice(&sha256(&named));
    checks.equal(Reason::IntelQeBinding, Value::None, &expected, &quote.enclave.report_data);
}

/// The certificate that came along, or the one at hand that was issued for the platform and versions that are named.
fn find_pck<'a, B>(
    quote: &'a Quote<B>,
    context: &Context<'a>,
    checks: &mut Checks,
) -> Option<&'a Certificate> {
    let is_pck = |certificate: &&Certificate| certificate.common_name() == COMMON_NAME;
    let found = match &quote.certification {
        Certification::Certificates(certificates) => certificates.iter().find(is_pck),
        Certification::Platform { ppid, cpu_svn, pce_svn } => {
            let fits = |certificate: &&Certificate| {
                Pck::decode(certificate)
                    .is_ok_and(|pck| pck.ppid == *ppid && pck.cpu_svn == *cpu_svn && pck.pce_svn == *pce_svn)
            };
            let pool = context.carried.iter().chain(context.endorsements.platform_keys(ppid));
            pool.filter(is_pck).find(fits)
        }
    };
    if found.is_none() {
        checks.fail(Reason::IntelPck, "a PCK certificate", "none");
    }
    found
}

/// The PCK signed the quoting enclave's report, and its chain has Intel's shape: PCK, Processor or Platform CA, root.
fn check_pck<'a, B>(
    quote: &'a Quote<B>,
    certificate: &'a Certificate,
    context: &Context<'a>,
    checks: &mut Checks,
) -> Option<Path<'a>> {
    let scheme = Scheme::EcdsaP256Sha256;
    let signed = certificate.key().verify(scheme, &quote.enclave_bytes, &quote.enclave_signature).is_ok();
    checks.require(Reason::IntelQeSignature, Value::None, signed, "signed by the PCK", signed);
    let carried = match quote.certificates() {
        [] => context.carried,
        certificates => certificates,
    };
    let path = chain::build(certificate, carried, Vendor::Intel, context.endorsements, context.now, checks)?;
    let ca = path.issuer().common_name();
    let shape = path.certificates().count() == 3
        && [Ca::Processor, Ca::Platform].iter().any(|known| known.common_name() == ca)
        && path.anchor().certificate.common_name() == ROOT
        && certificate.constraints().is_ok_and(|constraints| !constraints.ca);
    checks.require(Reason::IntelPck, "chain", shape, "PCK, PCK CA, root", String::from(ca));
    let strays = quote.certificates().iter().filter(|carried| !belongs(carried, &path, context)).count();
    checks.equal(Reason::IntelPck, "certificates beside the chain", 0_u64, strays as u64);
    Some(path)
}

/// Whether a certificate of the quote is of the path, or a root with the anchor's name and key: two are in circulation.
fn belongs(certificate: &Certificate, path: &Path<'_>, context: &Context<'_>) -> bool {
    let anchor = &path.anchor().certificate;
    let is_root = || {
        let memory = context.endorsements.memory();
        certificate.subject() == anchor.subject()
            && certificate.spki() == anchor.spki()
            && memory::verified(memory, anchor.spki_digest(), certificate.digest(), || {
                certificate.is_signed_by(anchor.key())
            })
    };
    path.certificates().any(|known| known.digest() == certificate.digest()) || is_root()
}

fn find_info<'a>(
    pck: &Pck,
    tdx: bool,
    signers: &[&'a Certificate],
    context: &Context<'a>,
    checks: &mut Checks,
) -> Option<Proven<'a, TcbInfo>> {
    let id = if tdx { TcbInfoId::Tdx } else { TcbInfoId::Sgx };
    let of_tee = || context.endorsements.collateral().tcb_infos().filter(|info| info.content.id == id);
    let fits =
        |info: &&Signed<TcbInfo>| info.content.fmspc.0 == pck.fmspc && info.content.pce_id.0 == pck.pce_id;
    if of_tee().next().is_some() {
        let fitting = of_tee().any(|info| fits(&info));
        let found = [pck.fmspc.as_slice(), &pck.pce_id].concat();
        checks.require(
            Reason::IntelCollateralMatch,
            "TCB info",
            fitting,
            "TCB info for FMSPC and PCE",
            found.as_slice(),
        );
        fitting.then_some(())?;
    }
    let rank = |info: &TcbInfo| (info.window(), info.tcb_evaluation_data_number);
    newest("TCB info", of_tee().filter(fits), rank, signers, context, checks)
}

fn find_identity<'a>(
    tdx: bool,
    signers: &[&'a Certificate],
    context: &Context<'a>,
    checks: &mut Checks,
) -> Option<Proven<'a, EnclaveIdentity>> {
    let id = if tdx { EnclaveId::TdQe } else { EnclaveId::Qe };
    let identities = context.endorsements.collateral().identities();
    let rank = |identity: &EnclaveIdentity| (identity.window(), identity.tcb_evaluation_data_number);
    newest(
        "QE identity",
        identities.filter(|identity| identity.content.id == id),
        rank,
        signers,
        context,
        checks,
    )
}

/// The newest authentic document: one that covers `now` before one that does not, then by evaluation number, then by date.
/// What is not authentic hides nothing, so that a host cannot do harm by adding documents.
fn newest<'a, T>(
    name: &'static str,
    documents: impl Iterator<Item = &'a Signed<T>>,
    rank: impl Fn(&T) -> (Window, u32),
    signers: &[&'a Certificate],
    context: &Context<'a>,
    checks: &mut Checks,
) -> Option<Proven<'a, T>> {
    let mut documents: Vec<&Signed<T>> = documents.collect();
    documents.sort_by_key(|document| {
        let (window, evaluation) = rank(&document.content);
        core::cmp::Reverse((window.contains(context.now), evaluation, window.from))
    });
    let memory = context.endorsements.memory();
    let signer_of = |document: &Signed<T>| {
        let known = signers.iter().find(|signer| document.is_known_by(signer, memory));
        let known = known.or_else(|| signers.iter().find(|signer| document.is_signed_by(signer, memory)));
        known.copied()
    };
    if documents.is_empty() || signers.is_empty() {
        let expected = if documents.is_empty() { "a document" } else { "the certificate of its signer" };
        checks.require(Reason::IntelCollateralMissing, name, false, expected, "none");
        return None;
    }
    let documents = documents.into_iter().take(MAX_DOCUMENTS);
    let proven = documents.filter_map(|document| Some((document, signer_of(document)?))).next();
    checks.require(Reason::IntelCollateralSignature, name, proven.is_some(), SIGNER, proven.is_some());
    let (document, signer) = proven?;
    let (window, _) = rank(&document.content);
    checks.require(Reason::IntelCollateralStale, name, window.contains(context.now), window, context.now);
    Some(Proven { content: &document.content, signer })
}

/// The signer of documents stands directly below the root.
fn check_signer<'a>(signer: &'a Certificate, context: &Context<'a>, checks: &mut Checks) -> Option<Path<'a>> {
    let path = chain::build(signer, &[], Vendor::Intel, context.endorsements, context.now, checks)?;
    let direct = path.certificates().count() == 2 && path.anchor().certificate.common_name() == ROOT;
    checks.require(Reason::IntelCollateralSignature, SIGNER, direct, "issued by the root", direct);
    Some(path)
}

/// The enclave that vouches for attestation keys is the one that Intel names (DCAP QVL section 4.1.2.9).
fn check_identity<B>(quote: &Quote<B>, identity: &EnclaveIdentity, checks: &mut Checks) {
    fn masked<const N: usize>(found: [u8; N], mask: &[u8; N]) -> [u8; N] {
        core::array::from_fn(|at| found[at] & mask[at])
    }
    let enclave = &quote.enclave;
    let reason = Reason::IntelQeIdentity;
    checks.equal(reason, "MRSIGNER", &identity.mrsigner.0, &enclave.mr_signer);
    checks.equal(reason, "ISVPRODID", identity.isvprodid, enclave.product_id);
    let misc = masked(enclave.misc_select.to_le_bytes(), &identity.miscselect_mask.0);
    checks.equal(reason, "MISCSELECT", &identity.miscselect.0, &misc);
    let attributes = masked(enclave.attributes(), &identity.attributes_mask.0);
    checks.equal(reason, "ATTRIBUTES", &identity.attributes.0, &attributes);
}

fn find_verdict<B>(
    quote: &Quote<B>,
    pck: &Pck,
    info: &TcbInfo,
    identity: Option<&EnclaveIdentity>,
    td: Option<TdSvn>,
    checks: &mut Checks,
) -> Option<Verdict> {
    match Verdict::find(info, identity, pck, quote.enclave.svn, td) {
        Ok(verdict) => {
            let revoked = verdict.status == Status::Revoked;
            checks.require(Reason::IntelTcbRevoked, Value::None, !revoked, "not revoked", verdict.status);
            Some(verdict)
        }
        Err(unsupported) => {
            let subject = match unsupported {
                Unsupported::Platform => "platform".into(),
                Unsupported::Module(generation) => alloc::format!("TDX module, generation {generation}"),
                Unsupported::Enclave => "quoting enclave".into(),
            };
            let reason = Reason::IntelTcbUnsupported;
            checks.require(reason, subject, false, "a level of the collateral", &pck.components);
            None
        }
    }
}

/// Adds the coverage of further issuers.
fn merge(known: &mut Vec<Coverage>, more: Vec<Coverage>) {
    for coverage in more {
        if known.iter().all(|known| known.issuer != coverage.issuer) {
            known.push(coverage);
        }
    }
}

/// The root's common name.
const ROOT: &str = "Intel SGX Root CA";

/// The common name of who signs documents.
const SIGNER: &str = "Intel SGX TCB Signing";

/// The most signers that are tried: one is in service, and its predecessor signed what is kept.
const MAX_SIGNERS: usize = 4;

/// The most documents that are tried before the newest ones count as damaged.
const MAX_DOCUMENTS: usize = 4;
