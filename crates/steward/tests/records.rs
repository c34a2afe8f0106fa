//! What a Steward writes down, and what its operator makes of it: orders by ACME, the inventory, the audit log, policies.

#[expect(dead_code, reason = "other users need the rest")]
#[path = "acme/client.rs"]
mod client;
#[expect(dead_code, reason = "other users need the rest")]
#[path = "../../attest/tests/dcap/hierarchy.rs"]
mod dcap;
#[expect(dead_code, reason = "other users need the rest")]
#[path = "issuing/keep.rs"]
mod keep;
#[expect(dead_code, reason = "other users need the rest")]
#[path = "../../attest/tests/snp/hierarchy.rs"]
mod snp;
#[expect(dead_code, reason = "other users need the rest")]
#[path = "issuing/tools.rs"]
mod tools;
#[expect(dead_code, reason = "other users need the rest")]
#[path = "serving/yard.rs"]
mod yard;

/// Where clients find the Steward.
mod desk {
    pub const URL: &str = "https://steward.example";
}

use attest::base64::{decode, encode_url};
use attest::carrier::bundle::{Kind, encode_keep};
use attest::carrier::cmw::{Cmw, Record};
use attest::crypto::sha256;
use attest::der::{element, sequence, tag, unsigned};
use attest::endorsements::Endorsements;
use attest::pem;
use attest::policy::Policy;
use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use clap::Parser;
use client::{Answer, Client, Key, path};
use keep::{Court, Keep, WORKLOAD, sign_request};
use serde_json::{Value, json};
use std::process::Command;
use steward::ca::Signer;
use steward::cli::Cli;
use steward::failure::Failure;
use steward::inventory::record::hex;
use yard::Yard;

const TOKEN: &str = "an operator's token";

/// A Steward that believes anybody, if only the nonce is fresh, and writes everything down.
fn yard() -> Yard {
    let policy =
        Policy::from_toml("accept.unattested = true\nfreshness.nonce_required = true\n").expect("valid");
    let court = Court { policy, ..Court::new(Endorsements::new(Vec::new()), snp::NOW) };
    let yard = Yard::new(&court, "");
    let at = |name: &str| yard.folder.path().join(name).display().to_string();
    yard.set(&format!(
        "audit.directory = \"{}\"\ninventory.url = \"sqlite:{}\"\ninventory.keep_evidence = true\n\
         operators.tokens = [\"{}\"]\nacme.url = \"{}\"\ndefault_profile = \"lab\"\n",
        at("audit"),
        at("inventory.db"),
        hex(&sha256(TOKEN.as_bytes())),
        desk::URL
    ));
    yard
}

/// Orders a certificate for a keep by ACME; answers its serial number.
async fn order(router: &Router) -> String {
    let client = Client::registered(router, Key::p256()).await;
    let order =
        json!({"identifiers": [{"type": "permanent-identifier", "value": hex(&WORKLOAD)}], "profile": "lab"});
    let ordered = client.post("new-order", &order).await;
    let challenge =
        client.get(&path(&ordered.json()["authorizations"][0])).await.json()["challenges"][0].clone();
    let nonce = challenge["freshness_nonce"].as_str().expect("a nonce");
    let mut keep = Keep::unattested();
    keep.claims.nonce = Some(decode("nonce", nonce.as_bytes()).expect("base64url"));
    let bundle = encode_keep(Kind::Unattested, &[], &keep.claims, &[]);
    let answer = Cmw::Record(Record::evidence(bundle)).to_json();
    let met = client.send(&path(&challenge["url"]), answer.as_bytes()).await;
    assert_eq!(met.json()["status"], "valid", "{}", met.text());
    let info = sequence(&[&unsigned(0), &sequence(&[]), keep.key.spki(), &element(tag::context(0), &[])]);
    let csr = encode_url(&sign_request(&keep.key, &info));
    let done = client.post(&path(&ordered.json()["finalize"]), &json!({ "csr": csr })).await;
    assert_eq!(done.json()["status"], "valid", "{}", done.text());
    let chain = client.get(&path(&done.json()["certificate"])).await;
    let der = pem::decode(&chain.body).expect("PEM").remove(0).bytes;
    hex(attest::x509::certificate::Certificate::decode(&der).expect("a certificate").serial())
}

async fn call(router: &Router, request: Request<Body>) -> Answer {
    Client::new(router, Key::p256()).call(request).await
}

async fn ask(router: &Router, path: &str, token: &str, accept: &str) -> Answer {
    let request =
        Request::get(path).header("authorization", format!("Bearer {token}")).header("accept", accept);
    call(router, request.body(Body::empty()).expect("a request")).await
}

/// A request as keeps send it, without a nonce of ours.
async fn refused(router: &Router) -> Answer {
    let request = Request::post("/v1/certificates").header("content-type", "application/pkcs10");
    call(router, request.body(Keep::unattested().request().into()).expect("a request")).await
}

/// A command of the program, in process: it goes by the yard's clock.
fn run(yard: &Yard, arguments: &[&str]) -> Result<(), Failure> {
    let cli = Cli::try_parse_from([&["steward"], arguments].concat()).expect("arguments");
    steward::command::run(cli, &yard.environment())
}

/// The program itself.
fn program(arguments: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_steward")).args(arguments).output().expect("the program");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.success(), text + &String::from_utf8_lossy(&output.stderr))
}

#[test]
fn what_is_decided_is_found_again() {
    let yard = yard();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let (serial, records) = runtime.block_on(async {
        let router = yard.router().await;
        let serial = order(&router).await;
        let answer = refused(&router).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", answer.text());
        for (token, status) in
            [("", StatusCode::UNAUTHORIZED), ("x", StatusCode::UNAUTHORIZED), (TOKEN, StatusCode::OK)]
        {
            assert_eq!(ask(&router, "/v1/inventory", token, "*/*").await.status, status);
        }
        let records =
            ask(&router, "/v1/inventory", TOKEN, "application/json").await.json()["records"].clone();
        let one = ask(&router, &format!("/v1/inventory?serial={serial}"), TOKEN, "text/csv").await.text();
        assert_eq!(one.lines().count(), 2, "{one}");
        let wrong = ask(&router, "/v1/inventory?serial=x", TOKEN, "*/*").await;
        assert_eq!(wrong.status, StatusCode::BAD_REQUEST, "{}", wrong.text());
        let id = records[0]["id"].as_str().expect("an id");
        assert_eq!(ask(&router, &format!("/v1/inventory/{id}"), TOKEN, "*/*").await.json(), records[0]);
        assert_eq!(ask(&router, "/v1/inventory/x", TOKEN, "*/*").await.status, StatusCode::NOT_FOUND);
        (serial, records)
    });
    let of = |outcome: &str| {
        records.as_array().expect("records").iter().find(|record| record["outcome"] == outcome).cloned()
    };
    let issued = of("issued").expect("a certificate");
    assert_eq!(
        (issued["serial"].as_str(), issued["workload"].as_str()),
        (Some(serial.as_str()), Some(hex(&WORKLOAD).as_str()))
    );
    let refusal = of("refused").expect("a refusal");
    assert_eq!(
        (&refusal["code"], &refusal["checks"]),
        (&json!("evidence.refused"), &json!(["nonce.missing"]))
    );
    drop(runtime);

    let at = |name: &str| yard.folder.path().join(name).display().to_string();
    let (config, stricter) = (at("steward.toml"), at("stricter.json"));
    let mut policy: Value =
        serde_json::from_slice(&std::fs::read(at("policy.json")).expect("read")).expect("JSON");
    policy["accept"]["unattested"] = false.into();
    std::fs::write(&stricter, policy.to_string()).expect("written");
    let diff =
        |new: &str| run(&yard, &["policy", "diff", &at("policy.json"), new, "--inventory", "-c", &config]);
    diff(&at("policy.json")).expect("nothing changes");
    diff(&stricter).expect_err("a certificate that is valid would be refused");
    run(&yard, &["inventory", "list", "-c", &config]).expect("a list");
    run(&yard, &["inventory", "show", &serial, "-c", &config]).expect("a record");
    run(&yard, &["inventory", "export", "-c", &config, "-o", &at("all.csv")]).expect("an export");
    assert_eq!(std::fs::read_to_string(at("all.csv")).expect("read").lines().count(), 3);
    run(&yard, &["revoke", "workload", &hex(&WORKLOAD), "--cause", "privilege-withdrawn", "-c", &config])
        .expect("revoked");
    run(&yard, &["revoke", "workload", &hex(&WORKLOAD), "-c", &config]).expect_err("revoked already");
}

#[test]
fn the_log_tells_of_decisions_and_is_whole() {
    let yard = yard();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let router = runtime.block_on(yard.router());
    let serial = runtime.block_on(order(&router));
    runtime.block_on(refused(&router));
    // Reading needs no lock: the Steward may go on.
    let directory = yard.folder.path().join("audit").display().to_string();
    let (good, head) = program(&["audit", "head", &directory]);
    assert!(good && head.starts_with("2:"), "{head}");
    let (good, text) = program(&["audit", "verify", &directory, "--head", head.trim()]);
    assert!(good && text.contains("whole: 2 lines"), "{text}");
    let (good, text) = program(&["audit", "show", &directory, "--kind", "certificate.issued"]);
    assert!(good && text.contains(&serial) && text.lines().count() == 1, "{text}");
    let file = yard.folder.path().join("audit/audit.jsonl");
    let lines = std::fs::read_to_string(&file).expect("read");
    std::fs::write(&file, lines.replace("nonce.missing", "nonce.arrived")).expect("written");
    let (good, text) = program(&["audit", "verify", &directory]);
    assert!(!good && text.contains("audit.jsonl:2: the line's hash is"), "{text}");
    let first = lines.split_inclusive('\n').next().expect("a line");
    std::fs::write(&file, first).expect("written");
    assert!(program(&["audit", "verify", &directory]).0, "nothing tells that a line is missing");
    let (good, text) = program(&["audit", "verify", &directory, "--head", head.trim()]);
    assert!(!good && text.contains("lines are missing from the end"), "{text}");
}

#[test]
fn policies_and_revocations_are_handled_without_a_service() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name).display().to_string();
    let (good, text) = program(&["policy", "check", "strict", "standard", "lab"]);
    assert!(good && text.lines().count() == 3, "{text}");
    std::fs::write(at("bad.toml"), "[accept]\ndebugg = true\n").expect("written");
    let (good, text) = program(&["policy", "check", &at("bad.toml")]);
    assert!(!good && text.contains("did you mean `debug`?"), "{text}");
    let (good, text) = program(&["policy", "explain", "lab", "--beside", "strict"]);
    assert!(good && text.contains("* accept.debug = true  # strict: false"), "{text}");
    std::fs::create_dir(at("evidence")).expect("created");
    std::fs::write(at("evidence/keep.csr"), Keep::unattested().request()).expect("written");
    let (good, text) = program(&["policy", "test", "strict", &at("evidence")]);
    assert!(!good && text.contains("refused") && text.contains("trust.unattested"), "{text}");
    std::fs::write(at("any.toml"), "accept.unattested = true\n").expect("written");
    let (good, text) = program(&["policy", "test", &at("any.toml"), &at("evidence"), "--json"]);
    assert!(good && text.contains("\"accepted\""), "{text}");
    let (good, text) = program(&["policy", "diff", &at("any.toml"), "strict", &at("evidence")]);
    assert!(!good && text.contains("rule accept.unattested: true -> false"), "{text}");
    assert!(text.contains("would refuse") && text.contains("1 judged, 1 would be refused"), "{text}");

    let file = at("revoked.toml");
    assert!(program(&["revoke", "serial", "0a:0b", "--file", &file, "--cause", "key-compromise"]).0);
    let (good, text) = program(&["revoke", "list", "--file", &file, "--json"]);
    assert!(good && text.contains("\"0a0b\"") && text.contains("key-compromise"), "{text}");
    assert!(program(&["revoke", "undo", "serial", "a0b", "--file", &file]).0);
    let (good, text) = program(&["revoke", "undo", "serial", "a0b", "--file", &file]);
    assert!(!good && text.contains("is not revoked"), "{text}");
}
