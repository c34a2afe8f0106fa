//! TLS from files that are read again when they change, with client certificates where a program wants them.

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig, SignatureScheme};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

/// TLS, as settings have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsSettings {
    /// PEM file with our certificate and its chain.
    pub certificate: PathBuf,
    /// PEM file with its key.
    pub key: PathBuf,
    /// Whether clients are asked for a certificate.
    #[serde(default)]
    pub clients: Clients,
    /// PEM file with the roots that client certificates must chain to. Without it, a certificate proves only that the
    /// client holds its key, and the program judges the chain.
    #[serde(default)]
    pub client_roots: Option<PathBuf>,
}

/// Whether clients are asked for a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Clients {
    /// Not asked.
    Anonymous,
    /// Asked; may come without.
    #[default]
    Asked,
    /// Must have one.
    Required,
}

/// TLS that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or is no PEM of that kind.
    #[error("cannot read a {what} from `{}`", path.display())]
    File {
        /// What was looked for.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        source: rustls::pki_types::pem::Error,
    },
    /// The roots of clients are no roots.
    #[error("`{}` has no usable roots of clients: {reason}", path.display())]
    Roots {
        /// Where.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// Key and certificate do not fit, or are of a kind that is not supported.
    #[error("certificate and key cannot be used")]
    Pair(#[from] rustls::Error),
    /// No throw-away certificate could be made.
    #[error("cannot make a certificate")]
    SelfMade(#[from] rcgen::Error),
}

/// The configuration in force.
pub struct Tls {
    source: Source,
    current: RwLock<Arc<ServerConfig>>,
}

enum Source {
    Files(TlsSettings),
    SelfMade,
}

impl Tls {
    /// Reads the files.
    pub fn from_files(settings: TlsSettings) -> Result<Self, TlsError> {
        let current = RwLock::new(Arc::new(read(&settings)?));
        Ok(Self { source: Source::Files(settings), current })
    }

    /// A throw-away certificate for these names, for development. Also gives the certificate.
    pub fn self_made(names: &[String]) -> Result<(Self, CertificateDer<'static>), TlsError> {
        let made = rcgen::generate_simple_self_signed(names)?;
        let certificate = made.cert.der().clone();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der());
        let key = key.map_err(|_| rustls::Error::General("a key of our own is not understood".to_owned()))?;
        let clients = Possession::verifier(false);
        let current = RwLock::new(Arc::new(configure(vec![certificate.clone()], key, Some(clients))?));
        Ok((Self { source: Source::SelfMade, current }, certificate))
    }

    /// What the next connection gets.
    pub fn config(&self) -> Arc<ServerConfig> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the files again. A fault leaves things as they are. Says whether something changed.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let Source::Files(settings) = &self.source else { return Ok(false) };
        let fresh = Arc::new(read(settings)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(true)
    }

    /// The files, to notice that they changed.
    pub(crate) fn files(&self) -> Vec<&Path> {
        match &self.source {
            Source::SelfMade => Vec::new(),
            Source::Files(settings) => {
                let required = [settings.certificate.as_path(), settings.key.as_path()];
                required.into_iter().chain(settings.client_roots.as_deref()).collect()
            }
        }
    }
}

fn read(settings: &TlsSettings) -> Result<ServerConfig, TlsError> {
    let key = PrivateKeyDer::from_pem_file(&settings.key).map_err(|source| TlsError::File {
        what: "private key",
        path: settings.key.clone(),
        source,
    })?;
    let required = settings.clients == Clients::Required;
    let clients = match (settings.clients, &settings.client_roots) {
        (Clients::Anonymous, _) => None,
        (_, None) => Some(Possession::verifier(required)),
        (_, Some(path)) => Some(chained(path, required)?),
    };
    configure(certificates(&settings.certificate)?, key, clients)
}

fn configure(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    clients: Option<Arc<dyn ClientCertVerifier>>,
) -> Result<ServerConfig, TlsError> {
    let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(verifier) => builder.with_client_cert_verifier(verifier),
    };
    let mut config = builder.with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |source| TlsError::File { what: "certificate", path: path.to_owned(), source };
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).map_err(failed)?.collect();
    let certificates = certificates.map_err(failed)?;
    if certificates.is_empty() {
        return Err(failed(rustls::pki_types::pem::Error::NoItemsFound));
    }
    Ok(certificates)
}

fn chained(path: &Path, required: bool) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let failed = |reason: String| TlsError::Roots { path: path.to_owned(), reason };
    let mut roots = RootCertStore::empty();
    for root in certificates(path)? {
        roots.add(root).map_err(|error| failed(error.to_string()))?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(roots.into(), provider());
    let builder = if required { builder } else { builder.allow_unauthenticated() };
    match builder.build() {
        Ok(verifier) => Ok(verifier),
        Err(error) => Err(failed(error.to_string())),
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// Takes any certificate whose key the client proves to hold. The chain is the program's to judge: each resource may
/// trust other roots, and a handshake cannot know which resource will be asked for.
#[derive(Debug)]
struct Possession {
    required: bool,
    provider: Arc<CryptoProvider>,
}

impl Possession {
    fn verifier(required: bool) -> Arc<dyn ClientCertVerifier> {
        Arc::new(Self { required, provider: provider() })
    }
}

impl ClientCertVerifier for Possession {
    fn client_auth_mandatory(&self) -> bool {
        self.required
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, name: &str) -> TlsSettings {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).expect("a certificate");
        let settings = TlsSettings {
            certificate: folder.join("tls.crt"),
            key: folder.join("tls.key"),
            clients: Clients::Asked,
            client_roots: None,
        };
        std::fs::write(&settings.certificate, made.cert.pem()).expect("writable");
        std::fs::write(&settings.key, made.signing_key.serialize_pem()).expect("writable");
        settings
    }

    #[test]
    fn a_bad_file_keeps_the_old_configuration() {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = write(folder.path(), "one.example");
        let tls = Tls::from_files(settings.clone()).expect("both files are good");
        let first = tls.config();
        write(folder.path(), "two.example");
        assert!(tls.reload().expect("both files are good"));
        let second = tls.config();
        assert!(!Arc::ptr_eq(&first, &second));
        std::fs::write(&settings.certificate, "garbage").expect("writable");
        assert!(matches!(tls.reload(), Err(TlsError::File { what: "certificate", .. })));
        assert!(Arc::ptr_eq(&second, &tls.config()));
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = write(folder.path(), "one.example");
        let key = std::fs::read(&settings.key).expect("readable");
        write(folder.path(), "two.example");
        std::fs::write(&settings.key, key).expect("writable");
        assert!(matches!(Tls::from_files(settings), Err(TlsError::Pair(_))));
    }
}
