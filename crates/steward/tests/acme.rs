//! ACME with evidence: a client of the public kind, and one that knows no shame.

#[path = "acme/client.rs"]
mod client;
#[path = "acme/desk.rs"]
mod desk;
#[expect(dead_code, reason = "other users need the rest")]
#[path = "../../attest/tests/snp/hierarchy.rs"]
mod snp;

use attest::base64::{decode, encode_url};
use attest::crypto::sha256;
use attest::pem;
use attest::x509::certificate::Certificate;
use aws_lc_rs::hmac;
use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use client::{Answer, Client, Key, path};
use desk::{Desk, Keep, URL, WORKLOAD};
use instant_acme::{
    Account, AuthorizationStatus, BodyWrapper, BytesResponse, ChallengeType, HttpClient, Identifier,
    NewAccount, NewOrder, OrderStatus, RevocationReason, RevocationRequest,
};
use serde_json::{Value, json};
use std::pin::Pin;
use steward::acme::Settings;
use steward::acme::jws::Jwk;
use steward::inventory::record::hex;
use steward::revocation::Cause;
use tower::ServiceExt;

/// The order of a keep that proves whatever it proves.
fn anything() -> Value {
    json!({"identifiers": [{"type": "remote-attestation", "value": ""}]})
}

/// A new order's addresses: itself, its authorization, its challenge with the nonce.
struct Ordered {
    order: String,
    authorization: String,
    challenge: Value,
    finalize: String,
}

impl Ordered {
    async fn of(client: &Client, order: &Value) -> Self {
        let answer = client.post("new-order", order).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
        let body = answer.json();
        let authorization = path(&body["authorizations"][0]);
        let challenge = client.get(&authorization).await.json()["challenges"][0].clone();
        let order = path(&answer.location().into());
        Self { order, authorization, challenge, finalize: path(&body["finalize"]) }
    }

    fn nonce(&self) -> Vec<u8> {
        let nonce = self.challenge["freshness_nonce"].as_str().expect("a nonce");
        decode("nonce", nonce.as_bytes()).expect("base64url")
    }

    async fn answer(&self, client: &Client, answer: &[u8]) -> Answer {
        client.send(&path(&self.challenge["url"]), answer).await
    }

    async fn finalize(&self, client: &Client, csr: &[u8]) -> Answer {
        client.post(&self.finalize, &json!({"csr": encode_url(csr)})).await
    }
}

#[tokio::test]
async fn every_kind_of_account_key_gets_a_certificate() {
    let desk = Desk::open();
    let router = desk.router(Desk::settings());
    for key in [Key::p256(), Key::p384(), Key::ed25519(), Key::rsa()] {
        let (alg, thumbprint) =
            (key.alg(), serde_json::from_value::<Jwk>(key.jwk()).expect("a key").thumbprint());
        let client = Client::registered(&router, key).await;
        let ordered = Ordered::of(&client, &anything()).await;
        let token = ordered.challenge["token"].as_str().expect("a token");
        assert_eq!(ordered.nonce(), sha256(format!("{token}.{thumbprint}").as_bytes()), "{alg}");
        let keep = Keep::new();
        let early = ordered.finalize(&client, &keep.csr()).await;
        assert_eq!(early.problem(), "orderNotReady");
        let answered = ordered.answer(&client, &keep.answer(&desk, &ordered.nonce())).await;
        assert_eq!(answered.json()["status"], "valid", "{alg}: {}", answered.text());
        assert_eq!(client.get(&ordered.authorization).await.json()["status"], "valid");
        assert_eq!(client.get(&ordered.order).await.json()["status"], "ready");
        let done = ordered.finalize(&client, &keep.csr()).await;
        assert_eq!(done.json()["status"], "valid", "{alg}: {}", done.text());
        let chain = client.get(&path(&done.json()["certificate"])).await;
        assert_eq!(chain.headers["content-type"], "application/pem-certificate-chain");
        let blocks = pem::decode(&chain.body).expect("PEM");
        let certificates: Vec<_> =
            blocks.iter().map(|block| Certificate::decode(&block.bytes).expect("a certificate")).collect();
        assert!(certificates[0].is_signed_by(certificates[1].key()));
        let name = format!("spiffe://enarx.test/workload/{}", hex(&WORKLOAD));
        let der = certificates[0].der();
        assert!(
            der.windows(name.len()).any(|window| window == name.as_bytes()),
            "the workload stands in the certificate"
        );
        let again = ordered.finalize(&client, &keep.csr()).await;
        assert_eq!(again.problem(), "orderNotReady", "one order, one certificate");
        let orders = client.get(&format!("account/{}/orders", account_id(&client))).await.json();
        assert_eq!(orders["orders"][0], format!("{URL}/acme/{}", ordered.order));
    }
}

fn account_id(client: &Client) -> String {
    client.account.as_ref().and_then(|account| account.rsplit_once('/')).expect("an account").1.to_owned()
}

#[tokio::test]
async fn evidence_answers_one_challenge_of_one_account_for_one_key() {
    let desk = Desk::open();
    let router = desk.router(Desk::settings());
    let client = Client::registered(&router, Key::p256()).await;
    let keep = Keep::new();
    let other = Ordered::of(&client, &anything()).await;
    let answer_to_other = keep.answer(&desk, &other.nonce());
    let workload =
        |digest: &[u8]| json!({"identifiers": [{"type": "permanent-identifier", "value": hex(digest)}]});
    for (case, order, answer, check) in [
        ("another challenge's nonce", anything(), Some(answer_to_other.clone()), "nonce.missing"),
        ("no wrapper", anything(), Some(b"{\"a\":1}".to_vec()), "evidence.unknown"),
        ("another workload", workload(&[1; 48]), None, "workload.mismatch"),
    ] {
        let ordered = Ordered::of(&client, &order).await;
        let answer = answer.unwrap_or_else(|| keep.answer(&desk, &ordered.nonce()));
        let told = ordered.answer(&client, &answer).await.json();
        assert_eq!(told["status"], "invalid", "{case}: {told}");
        assert_eq!(told["error"]["type"], "urn:ietf:params:acme:error:badAttestationStatement", "{case}");
        assert_eq!(told["error"]["checks"][0]["code"], check, "{case}: {told}");
        assert_eq!(client.get(&ordered.order).await.json()["status"], "invalid", "{case}");
        let again = ordered.answer(&client, &keep.answer(&desk, &ordered.nonce())).await;
        assert_eq!(again.json()["status"], "invalid", "{case}: one answer each");
    }
    // A report whose bits were changed is refused by the verifier itself.
    let ordered = Ordered::of(&client, &anything()).await;
    let broken = String::from_utf8(keep.answer(&desk, &ordered.nonce())).expect("JSON");
    let broken = broken.replacen("AAAAAAAAAAAA", "AAAAAAAAAAAB", 1);
    assert_eq!(ordered.answer(&client, broken.as_bytes()).await.json()["status"], "invalid");
    // Another key than the one that the claims name.
    let ordered = Ordered::of(&client, &workload(&WORKLOAD)).await;
    let met = ordered.answer(&client, &keep.answer(&desk, &ordered.nonce())).await;
    assert_eq!(met.json()["status"], "valid", "{}", met.text());
    assert_eq!(ordered.finalize(&client, &Keep::new().csr()).await.problem(), "badCSR");
    let mut forged = keep.csr();
    *forged.last_mut().expect("a signature") ^= 1;
    assert_eq!(ordered.finalize(&client, &forged).await.problem(), "badCSR");
    let named = rcgen::CertificateParams::new(vec!["bank.example".to_owned()]).expect("parameters");
    let named = named.serialize_request(&rcgen::KeyPair::generate().expect("a key")).expect("a request");
    assert_eq!(ordered.finalize(&client, named.der()).await.problem(), "badCSR");
    assert_eq!(ordered.finalize(&client, &keep.csr()).await.json()["status"], "valid");
    // What is another account's is not there.
    let stranger = Client::registered(&router, Key::p256()).await;
    for place in [&ordered.order, &ordered.authorization, &path(&ordered.challenge["url"])] {
        assert_eq!(stranger.get(place).await.status, StatusCode::NOT_FOUND);
    }
    let given_up = Ordered::of(&client, &anything()).await;
    let deactivated = client.post(&given_up.authorization, &json!({"status": "deactivated"})).await.json();
    assert_eq!(deactivated["status"], "deactivated");
    assert_eq!(client.get(&given_up.order).await.json()["status"], "invalid");
}

#[tokio::test]
async fn orders_that_cannot_be_proven_are_refused() {
    let desk = Desk::open();
    let mut settings = Desk::settings();
    settings.orders_each = 2;
    let client = Client::registered(&desk.router(settings), Key::p256()).await;
    let one = |kind: &str, value: &str| json!({"identifiers": [{"type": kind, "value": value}]});
    for (order, problem) in [
        (one("dns", "bank.example"), "unsupportedIdentifier"),
        (one("remote-attestation", "hsm"), "rejectedIdentifier"),
        (one("permanent-identifier", "b7"), "rejectedIdentifier"),
        (json!({"identifiers": []}), "rejectedIdentifier"),
        (json!({}), "malformed"),
        (
            json!({"identifiers": [{"type": "remote-attestation", "value": ""}], "profile": "x"}),
            "invalidProfile",
        ),
        (json!({"identifiers": [{"type": "remote-attestation", "value": ""}], "notAfter": "x"}), "malformed"),
    ] {
        assert_eq!(client.post("new-order", &order).await.problem(), problem, "{order}");
    }
    for _ in 0..2 {
        assert_eq!(client.post("new-order", &anything()).await.status, StatusCode::CREATED);
    }
    let full = client.post("new-order", &anything()).await;
    assert_eq!((full.problem().as_str(), full.status), ("rateLimited", StatusCode::TOO_MANY_REQUESTS));
    assert!(full.headers.contains_key("retry-after"));
}

#[tokio::test]
async fn what_is_not_signed_as_it_must_be_is_refused() {
    let router = Desk::open().router(Desk::settings());
    let client = Client::registered(&router, Key::p256()).await;
    let payload = anything().to_string();
    let change = async |change: &dyn Fn(&mut Value)| {
        let mut header = client.header("new-order").await;
        change(&mut header);
        let jws = client.key.jws(&header, payload.as_bytes());
        client.post_raw("new-order", jws.to_string()).await
    };
    assert_eq!(change(&|_| {}).await.status, StatusCode::CREATED);
    assert_eq!(change(&|header| header["nonce"] = "AAAA".into()).await.problem(), "badNonce");
    assert_eq!(
        change(&|header| drop(header.as_object_mut().map(|header| header.remove("nonce")))).await.problem(),
        "badNonce"
    );
    assert_eq!(
        change(&|header| header["url"] = format!("{URL}/acme/new-account").into()).await.problem(),
        "unauthorized"
    );
    assert_eq!(
        change(&|header| header["kid"] = format!("{URL}/acme/account/x").into()).await.problem(),
        "accountDoesNotExist"
    );
    assert_eq!(change(&|header| header["kid"] = "x".into()).await.problem(), "accountDoesNotExist");
    assert_eq!(change(&|header| header["jwk"] = client.key.jwk()).await.problem(), "malformed");
    assert_eq!(change(&|header| header["b64"] = false.into()).await.problem(), "malformed");
    assert_eq!(change(&|header| header["alg"] = "ES384".into()).await.problem(), "badPublicKey");
    let unknown = change(&|header| header["alg"] = "none".into()).await;
    assert_eq!(unknown.problem(), "badSignatureAlgorithm");
    assert_eq!(unknown.json()["algorithms"], json!(["ES256", "ES384", "EdDSA", "RS256"]));
    // One request, sent twice.
    let jws = client.key.jws(&client.header("new-order").await, payload.as_bytes()).to_string();
    assert_eq!(client.post_raw("new-order", jws.clone()).await.status, StatusCode::CREATED);
    assert_eq!(client.post_raw("new-order", jws).await.problem(), "badNonce");
    // Another's signature.
    let forged = Key::p256().jws(&client.header("new-order").await, payload.as_bytes());
    assert_eq!(client.post_raw("new-order", forged.to_string()).await.problem(), "malformed");
    for body in ["", "{}", "null", "[]", r#"{"protected":"","payload":"","signature":"","header":{}}"#] {
        assert_eq!(client.post_raw("new-order", body).await.problem(), "malformed", "{body}");
    }
    let plain =
        Request::post(format!("{URL}/acme/new-order")).body(Body::from(payload.clone())).expect("a request");
    assert_eq!(client.call(plain).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let large = client.post_raw("new-order", vec![b' '; 2 << 20]).await;
    assert_eq!(large.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn accounts_are_opened_changed_bound_and_closed() {
    let secret = [9; 32];
    let settings = Settings {
        terms_of_service: Some("https://steward.example/terms".into()),
        external_accounts: [("tenant".to_owned(), encode_url(&secret))].into(),
        ..Desk::settings()
    };
    let router = Desk::open().router(settings);
    let mut client = Client::new(&router, Key::p256());
    let open = |client: &Client, secret: &[u8]| {
        let header = json!({"alg": "HS256", "kid": "tenant", "url": format!("{URL}/acme/new-account")});
        let (protected, payload) =
            (encode_url(header.to_string().as_bytes()), encode_url(client.key.jwk().to_string().as_bytes()));
        let tag = hmac::sign(
            &hmac::Key::new(hmac::HMAC_SHA256, secret),
            format!("{protected}.{payload}").as_bytes(),
        );
        let binding =
            json!({"protected": protected, "payload": payload, "signature": encode_url(tag.as_ref())});
        json!({"termsOfServiceAgreed": true, "contact": ["mailto:a@example.org"], "externalAccountBinding": binding})
    };
    let good = open(&client, &secret);
    let with = |member: &str, value: Value| {
        let mut changed = good.clone();
        changed[member] = value;
        changed
    };
    for (asked, problem) in [
        (json!({"onlyReturnExisting": true}), "accountDoesNotExist"),
        (with("termsOfServiceAgreed", false.into()), "userActionRequired"),
        (with("externalAccountBinding", Value::Null), "externalAccountRequired"),
        (open(&client, &[8; 32]), "unauthorized"),
        (open(&Client::new(&router, Key::p256()), &secret), "malformed"),
        (with("contact", json!(["tel:1"])), "unsupportedContact"),
        (with("contact", json!(["mailto:a@b?subject=c"])), "invalidContact"),
    ] {
        assert_eq!(client.post("new-account", &asked).await.problem(), problem, "{asked}");
    }
    let opened = client.post("new-account", &good).await;
    assert_eq!(opened.status, StatusCode::CREATED, "{}", opened.text());
    let again = client.post("new-account", &json!({"onlyReturnExisting": true})).await;
    assert_eq!((again.status, again.location()), (StatusCode::OK, opened.location()));
    client.account = Some(opened.location());
    let place = path(&opened.location().into());
    let changed = client.post(&place, &json!({"contact": ["mailto:b@example.org"]})).await.json();
    assert_eq!(changed["contact"], json!(["mailto:b@example.org"]));

    let (new, url) = (Key::p384(), format!("{URL}/acme/key-change"));
    let inner = |key: &Key, old: Value| {
        let header = json!({"alg": key.alg(), "jwk": key.jwk(), "url": url});
        key.jws(&header, json!({"account": opened.location(), "oldKey": old}).to_string().as_bytes())
    };
    let wrong = client.post("key-change", &inner(&new, new.jwk())).await;
    assert_eq!(wrong.problem(), "malformed");
    let same = client.post("key-change", &inner(&client.key, client.key.jwk())).await;
    assert_eq!(same.status, StatusCode::CONFLICT);
    let changed = client.post("key-change", &inner(&new, client.key.jwk())).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text());
    assert_eq!(
        client.post(&place, &json!({})).await.problem(),
        "badPublicKey",
        "the old key signs nothing any more"
    );
    client.key = new;
    assert_eq!(client.get(&place).await.json()["status"], "valid");
    assert_eq!(client.post(&place, &json!({"status": "deactivated"})).await.json()["status"], "deactivated");
    assert_eq!(client.get(&place).await.problem(), "unauthorized");
}

/// The router as the transport of a public client.
struct InProcess(Router);

impl HttpClient for InProcess {
    fn request(
        &self,
        request: Request<BodyWrapper<axum::body::Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, instant_acme::Error>> + Send>> {
        let router = self.0.clone();
        Box::pin(async move {
            let answer = router.oneshot(request.map(Body::new)).await.expect("an answer");
            Ok(BytesResponse::from(answer))
        })
    }
}

#[tokio::test]
async fn a_public_client_orders_as_it_orders_anywhere() {
    let desk = Desk::open();
    let router = desk.router(Desk::settings());
    let account = NewAccount {
        contact: &["mailto:a@example.org"],
        terms_of_service_agreed: true,
        only_return_existing: false,
    };
    let builder = Account::builder_with_http(Box::new(InProcess(router.clone())));
    let (mut account, credentials) =
        builder.create(&account, format!("{URL}/acme/directory"), None).await.expect("an account");
    let identifiers = [Identifier::PermanentIdentifier(hex(&WORKLOAD))];
    let mut order = account.new_order(&NewOrder::new(&identifiers).profile("lab")).await.expect("an order");
    assert_eq!(order.state().status, OrderStatus::Pending);
    let mut authorizations = order.authorizations();
    let mut authorization = authorizations.next().await.expect("one").expect("an authorization");
    assert_eq!(authorization.status, AuthorizationStatus::Pending);
    let challenge =
        authorization.challenge(ChallengeType::Unknown("remote-attest-01".into())).expect("the challenge");
    let nonce = sha256(challenge.key_authorization().as_str().as_bytes());
    let challenge = challenge.url.clone();
    // The client knows no challenge that carries evidence: the same account answers by hand.
    let pkcs8 = credentials.private_key().secret_pkcs8_der();
    let algorithm = &aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING;
    let key = aws_lc_rs::signature::EcdsaKeyPair::from_pkcs8(algorithm, pkcs8).expect("a key");
    let mut by_hand = Client::new(&router, Key::P256(key));
    by_hand.account = Some(account.id().to_owned());
    let keep = Keep::new();
    let met = by_hand.send(&path(&challenge.into()), &keep.answer(&desk, &nonce)).await;
    assert_eq!(met.json()["status"], "valid", "{}", met.text());

    order.refresh().await.expect("the order");
    assert_eq!(order.state().status, OrderStatus::Ready);
    order.finalize_csr(&keep.csr()).await.expect("finalized");
    let chain = order.certificate().await.expect("an answer").expect("a certificate");
    let der = pem::decode(chain.as_bytes()).expect("PEM").remove(0).bytes;
    let _ = account.update_key().await.expect("another key");
    let certificate = der.as_slice().into();
    let revocation =
        RevocationRequest { certificate: &certificate, reason: Some(RevocationReason::KeyCompromise) };
    account.revoke(&revocation).await.expect("revoked");
    account.revoke(&revocation).await.expect_err("revoked already");
    let revoked = desk.revoked.lock().expect("a list").clone();
    let serial = Certificate::decode(&der).expect("a certificate").serial().to_vec();
    assert_eq!(revoked, [(serial, Cause::KeyCompromise)]);
    let stranger = Client::registered(&router, Key::p256()).await;
    let told = stranger.post("revoke-cert", &json!({"certificate": encode_url(&der)})).await;
    assert_eq!(told.problem(), "unauthorized");
    account.deactivate().await.expect("closed");
}
