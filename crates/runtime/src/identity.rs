//! The keep's identity: a key made inside, its certificate, and whom it trusts.

use api::launch::Ending;
use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair};
use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::sync::Arc;

/// TLS configurations that carry the keep's key and certificate. The key never leaves them.
#[derive(Clone)]
pub struct Identity {
    /// For declared listeners: TLS 1.3 and 1.2, no client certificate asked for.
    pub server: Arc<ServerConfig>,
    /// For declared connections: the keep's certificate is presented when the peer asks for one.
    pub client: Arc<ClientConfig>,
}

impl Identity {
    /// Makes a P-256 key and certifies it with itself. Peers of outgoing connections are verified against `roots`
    /// (PEM), or against the web's when there are none.
    pub fn new(roots: Option<&str>) -> Result<Self, Ending> {
        let failed = |error: &dyn std::fmt::Display| Ending::Failed(format!("no TLS identity: {error}"));
        let key = KeyPair::generate().map_err(|e| failed(&e))?;
        let certificate = self_signed(&key).map_err(|e| failed(&e))?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let roots = trust_anchors(roots)?;

        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
            .build()
            .map_err(|e| failed(&e))?;
        let server = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|e| failed(&e))?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key.clone_key())
            .map_err(|e| failed(&e))?;
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| failed(&e))?
            .with_webpki_verifier(verifier)
            .with_client_auth_cert(vec![certificate], key)
            .map_err(|e| failed(&e))?;
        Ok(Self { server: Arc::new(server), client: Arc::new(client) })
    }
}

fn self_signed(key: &KeyPair) -> Result<CertificateDer<'static>, rcgen::Error> {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()])?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Enarx keep, self-signed");
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    Ok(params.self_signed(key)?.into())
}

fn trust_anchors(pem: Option<&str>) -> Result<RootCertStore, Ending> {
    let Some(pem) = pem else {
        return Ok(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() });
    };
    let refused = |why: String| Ending::Refused(format!("the trusted certificates cannot be used: {why}"));
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|error| refused(error.to_string()))?;
        store.add(certificate).map_err(|error| refused(error.to_string()))?;
    }
    if store.is_empty() {
        return Err(refused("no certificate in them".to_owned()));
    }
    Ok(store)
}
