//! The inventory on SQLite and on a real PostgreSQL: the same questions, the same answers.

#[path = "inventory/postgres.rs"]
mod postgres;

use std::time::Duration;

use attest::time::Time;
use postgres::Postgres;
use sqlx::{Connection, Executor};
use steward::inventory::export::Format;
use steward::inventory::record::hex;
use steward::inventory::revoked::{Entry, Kind, Revoked};
use steward::inventory::{Filter, Inventory, InventoryError, Outcome, Record, Settings};
use steward::revocation::{Cause, Revocation};

const NOON: Time = Time(1_795_262_400);

fn settings(url: &str) -> Settings {
    Settings {
        url: url.to_owned(),
        deadline_ms: 10_000,
        queue: 64,
        connections: 4,
        keep_evidence: true,
        evidence_bytes: 10_000,
        retention_days: None,
    }
}

/// A record of the n-th second after noon; odd ones are refusals.
fn record(number: u8) -> Record {
    let time = Time(NOON.0 + u64::from(number));
    let issued = number.is_multiple_of(2);
    let outcome = if issued { Outcome::Issued } else { Outcome::Refused };
    Record {
        code: (!issued).then(|| "evidence.refused".to_owned()),
        checks: if issued { Vec::new() } else { vec!["crl.stale".to_owned(), "snp.vmpl".to_owned()] },
        serial: issued.then(|| format!("4{number:031x}")),
        not_after: issued.then_some(Time(time.0 + 3600)),
        workload: Some(hex(&[number % 3; 48])),
        chip: Some(hex(&attest::crypto::sha256(&[number % 4; 64]))),
        evidence: Some(hex(&[number; 48])),
        policy: Some(hex(&[number % 2; 48])),
        ..Record::new(time, outcome, [number; 11])
    }
}

async fn ids(inventory: &Inventory, filter: Filter) -> Vec<String> {
    let page = inventory.query(&filter).await.expect("an answer");
    page.records.into_iter().map(|record| record.id).collect()
}

/// Everything that does not depend on the database.
async fn exercise(settings: &Settings) {
    let inventory = Inventory::open(settings).await.expect("an inventory");
    let records: Vec<Record> = (0..60).map(record).collect();
    for chunk in records.chunks(20) {
        let waiting: Vec<_> = chunk
            .iter()
            .map(|record| {
                let (inventory, record) = (inventory.clone(), record.clone());
                tokio::spawn(async move { inventory.record(record, Some(vec![7; 100])).await })
            })
            .collect();
        for written in waiting {
            written.await.expect("a task").expect("a record");
        }
    }
    questions(&inventory, &records).await;
    pages(&inventory, &records).await;
    exports(&inventory).await;
    evidence(&inventory).await;
    nonces(&inventory, settings).await;
    revocations(&Revoked::Inventory(inventory.clone())).await;
    // Opening again finds the schema as it is.
    let again = Inventory::open(settings).await.expect("the same inventory");
    assert_eq!(again.find(&records[3].id).await.expect("an answer").as_ref(), Some(&records[3]));
    assert_eq!(again.find("none").await.expect("an answer"), None);
    purge(&inventory).await;
    again.close().await;
    inventory.close().await;
}

async fn questions(inventory: &Inventory, records: &[Record]) {
    let expect = async |filter: Filter, holds: &dyn Fn(&Record) -> bool| {
        let mut expected: Vec<String> =
            records.iter().filter(|record| holds(record)).map(|record| record.id.clone()).collect();
        expected.reverse();
        assert!(!expected.is_empty());
        assert_eq!(ids(inventory, filter.clone()).await, expected, "{filter:?}");
    };
    let some = |text: &str| Some(text.to_owned());
    let all = Filter { limit: Some(1000), ..Filter::default() };
    expect(all.clone(), &|_| true).await;
    let serial = records[4].serial.clone().expect("a serial number");
    let spelled = serial
        .as_bytes()
        .chunks(2)
        .map(|pair| String::from_utf8_lossy(pair).to_uppercase())
        .collect::<Vec<_>>();
    expect(Filter { serial: Some(spelled.join(":")), ..all.clone() }, &|record| {
        record.serial.as_ref() == Some(&serial)
    })
    .await;
    let workload = hex(&[1; 48]);
    expect(Filter { workload: Some(workload.clone()), ..all.clone() }, &|record| {
        record.workload.as_ref() == Some(&workload)
    })
    .await;
    let chip = hex(&attest::crypto::sha256(&[2; 64]));
    expect(Filter { chip: Some(hex(&[2; 64])), ..all.clone() }, &|record| {
        record.chip.as_ref() == Some(&chip)
    })
    .await;
    expect(Filter { chip: Some(chip.clone()), ..all.clone() }, &|record| record.chip.as_ref() == Some(&chip))
        .await;
    let evidence = hex(&[9; 48]);
    expect(Filter { evidence: Some(evidence.clone()), ..all.clone() }, &|record| {
        record.evidence.as_ref() == Some(&evidence)
    })
    .await;
    let policy = hex(&[1; 48]);
    let refused = Filter { policy: Some(policy.clone()), outcome: some("refused"), ..all.clone() };
    expect(refused, &|record| record.outcome == Outcome::Refused && record.policy.as_ref() == Some(&policy))
        .await;
    let (from, to) = (Time(NOON.0 + 10), Time(NOON.0 + 20));
    let between = Filter { from: Some(from.to_string()), to: Some(to.to_string()), ..all.clone() };
    expect(between, &|record| (from..to).contains(&record.time)).await;
    let valid = Filter { valid_at: Some(Time(NOON.0 + 3605).to_string()), ..all.clone() };
    expect(valid, &|record| record.not_after >= Some(Time(NOON.0 + 3605))).await;
    for wrong in [
        Filter { serial: some("0x1"), ..all.clone() },
        Filter { workload: some("' OR 1 = 1 --"), ..all.clone() },
        Filter { outcome: some("lost"), ..all.clone() },
        Filter { from: some("yesterday"), ..all },
    ] {
        let answer = inventory.query(&wrong).await;
        assert!(matches!(answer, Err(InventoryError::Filter { .. })), "{wrong:?}: {answer:?}");
    }
}

async fn pages(inventory: &Inventory, records: &[Record]) {
    let mut found = Vec::new();
    let mut filter = Filter { limit: Some(7), ..Filter::default() };
    loop {
        let page = inventory.query(&filter).await.expect("a page");
        assert!(page.records.len() <= 7);
        found.extend(page.records);
        let Some(next) = page.next else { break };
        filter.before = Some(next);
    }
    found.reverse();
    assert_eq!(found, records);
}

async fn exports(inventory: &Inventory) {
    let mut csv = Vec::new();
    let outcome = Some("refused".to_owned());
    let filter = Filter { outcome, limit: Some(3), ..Filter::default() };
    assert_eq!(inventory.export(&filter, Format::Csv, &mut csv).await.expect("an export"), 30);
    let csv = String::from_utf8(csv).expect("text");
    assert_eq!(csv.split("\r\n").count(), 32, "names, records, and the last line's end");
    assert!(csv.contains("refused,evidence.refused,crl.stale snp.vmpl,"), "{csv}");
    let mut json = Vec::new();
    assert_eq!(inventory.export(&Filter::default(), Format::Json, &mut json).await.expect("an export"), 60);
    for line in json.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        let value: serde_json::Value = serde_json::from_slice(line).expect("JSON");
        assert!(value["id"].is_string());
    }
}

async fn evidence(inventory: &Inventory) {
    assert_eq!(inventory.evidence(&hex(&[59; 48])).await.expect("an answer"), Some(vec![7; 100]));
    // Room for 10,000 bytes: 110 pieces of 100 do not fit, and the oldest go.
    for number in 100..150 {
        let written = Record { serial: None, ..record(number) };
        inventory.record(written, Some(vec![7; 100])).await.expect("a record");
    }
    assert_eq!(inventory.evidence(&hex(&[149; 48])).await.expect("an answer"), Some(vec![7; 100]));
    assert_eq!(inventory.evidence(&hex(&[0; 48])).await.expect("an answer"), None);
}

async fn nonces(inventory: &Inventory, settings: &Settings) {
    let replica = Inventory::open(settings).await.expect("a replica");
    let later = Time(NOON.0 + 300);
    assert!(inventory.spend_nonce(b"one", later, NOON).await.expect("an answer"));
    assert!(!replica.spend_nonce(b"one", later, NOON).await.expect("an answer"));
    assert!(replica.spend_nonce(b"two", later, NOON).await.expect("an answer"));
    assert!(inventory.spend_nonce(b"one", later, Time(later.0 + 1)).await.expect("forgotten after its time"));
    replica.close().await;
}

async fn revocations(revoked: &Revoked) {
    let revocation = |at| Revocation { at: Time(at), cause: Cause::PrivilegeWithdrawn };
    let entry = |kind, value: &str, at| Entry::new(kind, value, revocation(at), "a note").expect("an entry");
    let workload = entry(Kind::Workload, &hex(&[5; 48]), 20);
    let serial = entry(Kind::Serial, "0A:0b", 30);
    assert_eq!(serial.value, "0a0b");
    assert!(revoked.add(&workload).await.expect("added"));
    assert!(revoked.add(&serial).await.expect("added"));
    assert!(!revoked.add(&Entry { at: Time(90), ..workload.clone() }).await.expect("known"));
    assert_eq!(revoked.list().await.expect("a list"), [serial.clone(), workload.clone()]);
    let loaded = revoked.load().await.expect("revocations");
    let number = "0a0b".parse().expect("a serial number");
    assert_eq!(loaded.of_certificate(&number, None, None), Some(&revocation(30)));
    assert_eq!(loaded.of_certificate(&number, Some(&[5; 48]), None), Some(&revocation(20)));
    assert!(revoked.undo(Kind::Serial, "a0b").await.expect("undone"));
    assert!(!revoked.undo(Kind::Serial, "a0b").await.expect("nothing left"));
    assert_eq!(revoked.list().await.expect("a list"), [workload]);
    assert!(Entry::new(Kind::Chip, "ab", revocation(1), "").is_err());
    assert!(Entry::new(Kind::Workload, "zz", revocation(1), "").is_err());
    assert!(Entry::new(Kind::Serial, "0", revocation(1), "").is_err());
}

async fn purge(inventory: &Inventory) {
    let all = Filter { limit: Some(1000), ..Filter::default() };
    let before = ids(inventory, all.clone()).await.len();
    // Certificates of the first thirty seconds are still valid then; refusals are not kept for certificates' sake.
    let gone = inventory.purge(Time(NOON.0 + 30)).await.expect("purged");
    assert_eq!(gone, 15);
    assert_eq!(ids(inventory, all.clone()).await.len(), before - 15);
    inventory.purge(Time(NOON.0 + 100_000)).await.expect("purged");
    assert_eq!(ids(inventory, all).await, [""; 0]);
    assert_eq!(inventory.evidence(&hex(&[149; 48])).await.expect("an answer"), None);
}

/// While something else holds the database: records are refused at their deadline or at once, and taken again after it.
async fn held(settings: Settings, hold: &'static str) {
    let settings = Settings { deadline_ms: 300, queue: 2, ..settings };
    let inventory = Inventory::open(&settings).await.expect("an inventory");
    let mut other = sqlx::AnyConnection::connect(&settings.url).await.expect("a connection");
    other.execute(hold).await.expect("held");
    let late = inventory.record(record(0), None).await;
    assert!(
        matches!(late, Err(InventoryError::Late(after)) if after == Duration::from_millis(300)),
        "{late:?}"
    );
    let waiting: Vec<_> = (1..=2)
        .map(|number| {
            let inventory = inventory.clone();
            tokio::spawn(async move { inventory.record(record(number), None).await })
        })
        .collect();
    tokio::task::yield_now().await;
    let busy = inventory.record(record(3), None).await;
    assert!(matches!(busy, Err(InventoryError::Busy { queue: 2 })), "{busy:?}");
    for late in waiting {
        assert!(matches!(late.await.expect("a task"), Err(InventoryError::Late(_))));
    }
    other.execute("ROLLBACK").await.expect("let go");
    other.close().await.expect("closed");
    // The writer may still be waking up: whoever asks again gets through.
    let mut patience = 1000;
    while let Err(error) = inventory.record(record(4), None).await {
        assert!(matches!(error, InventoryError::Late(_) | InventoryError::Busy { .. }), "{error:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
        patience -= 1;
        assert!(patience > 0, "the writer never came back");
    }
    inventory.close().await;
}

#[tokio::test]
async fn sqlite_keeps_the_inventory() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("inventory.db");
    exercise(&settings(&format!("sqlite:{}", file.display()))).await;
    let held_file = directory.path().join("held.db");
    held(settings(&format!("sqlite:{}?mode=rwc", held_file.display())), "BEGIN IMMEDIATE").await;
}

#[tokio::test]
async fn postgres_keeps_the_inventory() {
    let Some(server) = Postgres::start() else { return };
    exercise(&settings(&server.url())).await;
    held(settings(&server.url()), "BEGIN; LOCK TABLE record IN ACCESS EXCLUSIVE MODE").await;
}

#[tokio::test]
async fn a_file_keeps_revocations_where_there_is_no_database() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("revoked.toml");
    revocations(&Revoked::File(path.clone())).await;
    std::fs::write(
        &path,
        "[[revoked]]\nkind = \"workload\"\nvalue = \"00\"\nat = \"2026-11-21T12:00:00Z\"\n",
    )
    .expect("written");
    assert!(Revoked::File(path.clone()).load().await.is_err(), "a digest that is too short");
    std::fs::write(&path, "[[revoke]]\n").expect("written");
    assert!(Revoked::File(path).load().await.is_err(), "an unknown key");
}

#[tokio::test]
async fn what_is_no_database_is_refused() {
    let missing = Inventory::open(&settings("sqlite:/nowhere/at/all.db")).await;
    assert!(matches!(missing, Err(InventoryError::Open(_))), "{missing:?}");
    let unknown = Inventory::open(&settings("oracle://x")).await;
    assert!(matches!(unknown, Err(InventoryError::Open(_))), "{unknown:?}");
}
