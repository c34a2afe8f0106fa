//! A client that can sign anything, also what no client should: requests of ACME by hand.

use std::cell::RefCell;

use attest::base64::encode_url;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKey, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    RSA_PKCS1_SHA256,
};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::desk::URL;

/// A key of each kind that is taken.
pub enum Key {
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKey),
}

/// An answer.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// A client with its key, and its account once it has one.
pub struct Client {
    pub router: Router,
    pub key: Key,
    pub account: Option<String>,
    nonce: RefCell<Option<String>>,
}

impl Key {
    pub fn p256() -> Self {
        Self::P256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key"))
    }

    pub fn p384() -> Self {
        Self::P384(EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).expect("a key"))
    }

    pub fn ed25519() -> Self {
        Self::Ed25519(Ed25519KeyPair::generate().expect("a key"))
    }

    pub fn rsa() -> Self {
        Self::Rsa(RsaKey::generate(KeySize::Rsa2048).expect("a key"))
    }

    pub fn alg(&self) -> &'static str {
        match self {
            Self::P256(_) => "ES256",
            Self::P384(_) => "ES384",
            Self::Ed25519(_) => "EdDSA",
            Self::Rsa(_) => "RS256",
        }
    }

    pub fn jwk(&self) -> Value {
        let ec = |key: &EcdsaKeyPair, crv| {
            let (x, y) = key.public_key().as_ref()[1..].split_at(key.public_key().as_ref().len() / 2);
            json!({"kty": "EC", "crv": crv, "x": encode_url(x), "y": encode_url(y)})
        };
        match self {
            Self::P256(key) => ec(key, "P-256"),
            Self::P384(key) => ec(key, "P-384"),
            Self::Ed25519(key) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": encode_url(key.public_key().as_ref())})
            }
            Self::Rsa(key) => {
                let public = key.public_key();
                let (n, e) = (public.modulus(), public.exponent());
                let (n, e) = (n.big_endian_without_leading_zero(), e.big_endian_without_leading_zero());
                json!({"kty": "RSA", "n": encode_url(n), "e": encode_url(e)})
            }
        }
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::P256(key) | Self::P384(key) => key.sign(&random, message).expect("signs").as_ref().to_vec(),
            Self::Ed25519(key) => key.sign(message).as_ref().to_vec(),
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).expect("signs");
                signature
            }
        }
    }

    /// A flattened JWS.
    pub fn jws(&self, header: &Value, payload: &[u8]) -> Value {
        let (protected, payload) = (encode_url(header.to_string().as_bytes()), encode_url(payload));
        let signature = encode_url(&self.sign(format!("{protected}.{payload}").as_bytes()));
        json!({"protected": protected, "payload": payload, "signature": signature})
    }
}

impl Client {
    pub fn new(router: &Router, key: Key) -> Self {
        Self { router: router.clone(), key, account: None, nonce: RefCell::default() }
    }

    /// A client with an account.
    pub async fn registered(router: &Router, key: Key) -> Self {
        let mut client = Self::new(router, key);
        let answer = client.post("new-account", &json!({})).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
        client.account = Some(answer.location());
        client
    }

    /// A signed request with a payload of JSON, below the path of ACME.
    pub async fn post(&self, path: &str, payload: &Value) -> Answer {
        self.send(path, payload.to_string().as_bytes()).await
    }

    /// POST-as-GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(path, b"").await
    }

    /// A signed request.
    pub async fn send(&self, path: &str, payload: &[u8]) -> Answer {
        let header = self.header(path).await;
        self.post_raw(path, self.key.jws(&header, payload).to_string()).await
    }

    /// The header that the next request should have.
    pub async fn header(&self, path: &str) -> Value {
        let url = format!("{URL}/acme/{path}");
        let mut header = json!({"alg": self.key.alg(), "nonce": self.nonce().await, "url": url});
        match &self.account {
            Some(account) => header["kid"] = account.as_str().into(),
            None => header["jwk"] = self.key.jwk(),
        }
        header
    }

    /// A nonce: of the last answer, or asked for.
    pub async fn nonce(&self) -> String {
        if let Some(nonce) = self.nonce.take() {
            return nonce;
        }
        let request = Request::head(format!("{URL}/acme/new-nonce")).body(Body::empty()).expect("a request");
        let answer = self.call(request).await;
        assert_eq!(answer.status, StatusCode::OK);
        answer.headers["replay-nonce"].to_str().expect("text").to_owned()
    }

    /// A request as it is.
    pub async fn post_raw(&self, path: &str, body: impl Into<Body>) -> Answer {
        let request =
            Request::post(format!("{URL}/acme/{path}")).header("content-type", "application/jose+json");
        let answer = self.call(request.body(body.into()).expect("a request")).await;
        let nonce = answer.headers.get("replay-nonce").expect("every answer to a POST has a nonce");
        *self.nonce.borrow_mut() = Some(nonce.to_str().expect("text").to_owned());
        answer
    }

    pub async fn call(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        let body = to_bytes(response.into_body(), 1 << 20).await.expect("a body").to_vec();
        Answer { status, headers, body }
    }
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn location(&self) -> String {
        self.headers["location"].to_str().expect("text").to_owned()
    }

    /// The kind of problem, without what all kinds start with.
    pub fn problem(&self) -> String {
        let kind = self.json()["type"].as_str().unwrap_or_default().to_owned();
        kind.strip_prefix("urn:ietf:params:acme:error:").map_or(kind.clone(), str::to_owned)
    }
}

/// The part of an address below the path of ACME.
pub fn path(url: &Value) -> String {
    let url = url.as_str().expect("an address");
    url.strip_prefix(&format!("{URL}/acme/")).expect("an address of the Steward's").to_owned()
}
