-- One schema for SQLite and PostgreSQL: text and 64-bit numbers only, bytes as hexadecimal or base64 text.
-- Times are seconds since 1970. Ids begin with the time, so that their order is the order of time.

CREATE TABLE record (
    id          TEXT PRIMARY KEY,
    time        BIGINT NOT NULL,
    outcome     TEXT NOT NULL,
    code        TEXT,
    checks      TEXT NOT NULL,
    profile     TEXT,
    tee         TEXT,
    trust       TEXT,
    serial      TEXT UNIQUE,
    not_after   BIGINT,
    workload    TEXT,
    slug        TEXT,
    chip        TEXT,
    spki        TEXT,
    evidence    TEXT,
    policy      TEXT,
    request     TEXT,
    address     TEXT,
    certificate TEXT
);

CREATE INDEX record_workload ON record (workload, id);
CREATE INDEX record_chip ON record (chip, id);
CREATE INDEX record_evidence ON record (evidence, id);
CREATE INDEX record_policy ON record (policy, id);
CREATE INDEX record_outcome ON record (outcome, id);
CREATE INDEX record_not_after ON record (not_after);

-- What was judged, to be judged again under another policy.
CREATE TABLE evidence (
    digest      TEXT PRIMARY KEY,
    time        BIGINT NOT NULL,
    size        BIGINT NOT NULL,
    body        TEXT NOT NULL
);

CREATE INDEX evidence_time ON evidence (time);

CREATE TABLE revocation (
    kind        TEXT NOT NULL,
    value       TEXT NOT NULL,
    time        BIGINT NOT NULL,
    cause       TEXT NOT NULL,
    note        TEXT NOT NULL,
    PRIMARY KEY (kind, value)
);

-- Nonces that were answered, so that no replica takes one twice.
CREATE TABLE nonce (
    digest      TEXT PRIMARY KEY,
    expires     BIGINT NOT NULL
);
