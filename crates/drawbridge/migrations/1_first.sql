-- One schema for SQLite and PostgreSQL. Digests are text as `sha256:…`, times are seconds since 1970.

CREATE TABLE users (
    name TEXT PRIMARY KEY,
    subject TEXT NOT NULL UNIQUE,
    -- Bytes that the contents of the user's repositories have, and may have.
    used BIGINT NOT NULL,
    quota BIGINT NOT NULL,
    created BIGINT NOT NULL
);

-- Only the SHA-256 of a token is kept.
CREATE TABLE tokens (
    hash TEXT PRIMARY KEY,
    holder TEXT NOT NULL REFERENCES users (name),
    -- A repository, or empty for all of the holder's.
    repository TEXT NOT NULL,
    writes BIGINT NOT NULL,
    expires BIGINT NOT NULL
);

CREATE TABLE repositories (
    name TEXT PRIMARY KEY,
    owner TEXT NOT NULL REFERENCES users (name),
    settings TEXT NOT NULL,
    created BIGINT NOT NULL
);

CREATE TABLE blobs (
    digest TEXT PRIMARY KEY,
    length BIGINT NOT NULL
);

-- Which blobs a repository holds: nobody reads a blob but through a repository that holds it.
CREATE TABLE contents (
    repository TEXT NOT NULL REFERENCES repositories (name),
    digest TEXT NOT NULL REFERENCES blobs (digest),
    touched BIGINT NOT NULL,
    PRIMARY KEY (repository, digest)
);
CREATE INDEX contents_of_blob ON contents (digest);

CREATE TABLE manifests (
    repository TEXT NOT NULL REFERENCES repositories (name),
    digest TEXT NOT NULL,
    media_type TEXT NOT NULL,
    artifact_type TEXT NOT NULL,
    annotations TEXT NOT NULL,
    length BIGINT NOT NULL,
    subject TEXT,
    PRIMARY KEY (repository, digest)
);
CREATE INDEX manifests_by_subject ON manifests (repository, subject);

-- What a manifest needs: configuration, layers, other manifests.
CREATE TABLE needs (
    repository TEXT NOT NULL,
    manifest TEXT NOT NULL,
    digest TEXT NOT NULL,
    PRIMARY KEY (repository, manifest, digest)
);
CREATE INDEX needs_by_digest ON needs (repository, digest);

CREATE TABLE tags (
    repository TEXT NOT NULL REFERENCES repositories (name),
    name TEXT NOT NULL,
    -- The OCI manifest; none while a tree is being published.
    manifest TEXT,
    -- The text of a tree's tag, its media type, and the digest of the package; none for an image that is no package.
    entry TEXT,
    entry_type TEXT,
    package TEXT,
    touched BIGINT NOT NULL,
    PRIMARY KEY (repository, name)
);

-- What each path of a tagged tree is; a digest as soon as its content has come.
CREATE TABLE nodes (
    repository TEXT NOT NULL,
    tag TEXT NOT NULL,
    path TEXT NOT NULL,
    entry TEXT NOT NULL,
    digest TEXT,
    PRIMARY KEY (repository, tag, path)
);
CREATE INDEX nodes_awaited ON nodes (repository, tag) WHERE digest IS NULL;
CREATE INDEX nodes_by_digest ON nodes (repository, digest);

-- Names of deleted tags: what was published once is never published as something else.
CREATE TABLE yanked (
    repository TEXT NOT NULL,
    name TEXT NOT NULL,
    package TEXT NOT NULL,
    PRIMARY KEY (repository, name)
);

CREATE TABLE uploads (
    id TEXT PRIMARY KEY,
    repository TEXT NOT NULL REFERENCES repositories (name),
    started BIGINT NOT NULL
);
