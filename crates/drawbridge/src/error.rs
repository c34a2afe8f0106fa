//! Why a request is refused, and what that is in HTTP. Nothing below the routes has heard of a status.

use crate::signature::SignatureError;
use crate::store::StoreError;
use api::digest::DigestError;
use api::name::NameError;
use api::tree::TreeError;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use service::problem::Problem;
use std::time::Duration;

/// Why a request is refused.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Nobody is who the caller says, or nobody was named.
    #[error("{0}")]
    Unauthenticated(&'static str),
    /// The caller may not do this.
    #[error("{detail}")]
    Denied {
        /// Stable code of the reason.
        code: &'static str,
        /// What was expected and found.
        detail: String,
    },
    /// There is nothing of that name, or nothing that the caller may know of.
    #[error("there is no such {0}")]
    Missing(&'static str),
    /// A name that is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A digest that is none.
    #[error(transparent)]
    Digest(#[from] DigestError),
    /// A tree, or part of one, that is none.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// A header that must be there, and say something else than it does.
    #[error("header `{name}` {problem}")]
    Header {
        /// Its name.
        name: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// A body that is not what it should be.
    #[error("{0}")]
    Body(String),
    /// A manifest that is not what it should be.
    #[error("the manifest {0}")]
    Manifest(String),
    /// A manifest that needs what the repository does not hold.
    #[error("the manifest needs {0}, which the repository does not hold")]
    Needs(String),
    /// A signed tag that is none.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// A tag that nobody signed who should have.
    #[error("{0}")]
    Unsigned(&'static str),
    /// A version of this interface that is not spoken here.
    #[error("version `{0}` of the interface is not spoken here, 0.4 is")]
    Version(String),
    /// The name is taken by the same kind of thing.
    #[error("{0} exists already")]
    Exists(String),
    /// The tag stands for something else.
    #[error("tag `{tag}` stands for {package} already")]
    Taken {
        /// The tag.
        tag: String,
        /// What it stands for.
        package: String,
    },
    /// Somebody publishes something else under the tag.
    #[error("another package, {package}, is being published as `{tag}`")]
    Busy {
        /// The tag.
        tag: String,
        /// What it is going to stand for.
        package: String,
    },
    /// The tag stood for something else once.
    #[error("tag `{tag}` stood for {package} until it was deleted, and can stand for nothing else")]
    Yanked {
        /// The tag.
        tag: String,
        /// What it stood for.
        package: String,
    },
    /// A file came before the directory that lists it.
    #[error("no directory of the tree lists `{0}`, or it has not come yet")]
    Unlisted(String),
    /// What is still needed cannot be deleted.
    #[error("{0} is needed by a manifest or a tree")]
    Needed(String),
    /// A part of an upload that does not follow what came before.
    #[error("the upload has {has} bytes so far, and the part starts at {start}")]
    Gap {
        /// Where the upload is.
        has: u64,
        /// Where the part starts.
        start: u64,
    },
    /// A part of a blob that it does not have.
    #[error("the content has {length} bytes, and the range is none of it")]
    Range {
        /// The length of the whole.
        length: u64,
    },
    /// The body did not come to its end, or came too slowly.
    #[error("the body did not come whole")]
    Broken(Problem),
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Refusal {
    /// The status, the stable code, and the code that OCI has for it (distribution-spec 1.1, "Error Codes").
    pub fn codes(&self) -> (StatusCode, &'static str, &'static str) {
        use StatusCode as S;
        match self {
            Self::Unauthenticated(_) => (S::UNAUTHORIZED, "unauthenticated", "UNAUTHORIZED"),
            Self::Denied { code, .. } => (S::FORBIDDEN, code, "DENIED"),
            Self::Missing("blob") => (S::NOT_FOUND, "no-blob", "BLOB_UNKNOWN"),
            Self::Missing("manifest" | "tag") => (S::NOT_FOUND, "no-tag", "MANIFEST_UNKNOWN"),
            Self::Missing("upload") => (S::NOT_FOUND, "no-upload", "BLOB_UPLOAD_UNKNOWN"),
            Self::Missing(_) => (S::NOT_FOUND, "not-found", "NAME_UNKNOWN"),
            Self::Name(_) => (S::BAD_REQUEST, "name", "NAME_INVALID"),
            Self::Digest(_) => (S::BAD_REQUEST, "digest", "DIGEST_INVALID"),
            Self::Tree(_) => (S::BAD_REQUEST, "tree", "MANIFEST_INVALID"),
            Self::Header { .. } => (S::BAD_REQUEST, "header", "UNSUPPORTED"),
            Self::Body(_) => (S::BAD_REQUEST, "body", "UNSUPPORTED"),
            Self::Manifest(_) => (S::BAD_REQUEST, "manifest", "MANIFEST_INVALID"),
            Self::Needs(_) => (S::NOT_FOUND, "manifest-needs", "MANIFEST_BLOB_UNKNOWN"),
            Self::Signature(_) => (S::BAD_REQUEST, "signature", "MANIFEST_INVALID"),
            Self::Unsigned(_) => (S::FORBIDDEN, "unsigned", "DENIED"),
            Self::Version(_) => (S::NOT_IMPLEMENTED, "version", "UNSUPPORTED"),
            Self::Exists(_) => (S::CONFLICT, "exists", "DENIED"),
            Self::Taken { .. } => (S::CONFLICT, "tag-taken", "DENIED"),
            Self::Busy { .. } => (S::CONFLICT, "tag-busy", "DENIED"),
            Self::Yanked { .. } => (S::CONFLICT, "tag-yanked", "DENIED"),
            Self::Unlisted(_) => (S::CONFLICT, "unlisted", "BLOB_UPLOAD_INVALID"),
            Self::Needed(_) => (S::CONFLICT, "needed", "DENIED"),
            Self::Gap { .. } => (S::RANGE_NOT_SATISFIABLE, "upload-gap", "BLOB_UPLOAD_INVALID"),
            Self::Range { .. } => (S::RANGE_NOT_SATISFIABLE, "range", "SIZE_INVALID"),
            Self::Broken(problem) => (problem.status, "body", "BLOB_UPLOAD_INVALID"),
            Self::Store(error) => store_codes(error),
        }
    }

    fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Unauthenticated(_) => {
                "send `Authorization: Bearer <token>`, or `Basic` with user and token"
            }
            Self::Header { name: "content-digest", .. } => "send it as sha-256=:<padded base64>: (RFC 9530)",
            Self::Taken { .. } | Self::Yanked { .. } => "publish under a new version",
            Self::Busy { .. } => "wait until it is published or given up, or delete the tag",
            Self::Unlisted(_) => "put the tag first, then each directory before what it lists",
            Self::Needs(_) => "push blobs before the manifest that names them",
            Self::Store(StoreError::Quota { .. }) => {
                "delete what is not needed, or ask the operator for more"
            }
            _ => return None,
        })
    }
}

fn store_codes(error: &StoreError) -> (StatusCode, &'static str, &'static str) {
    use StatusCode as S;
    match error {
        StoreError::Mismatch { .. } => (S::BAD_REQUEST, "digest-mismatch", "DIGEST_INVALID"),
        StoreError::Length { .. } => (S::BAD_REQUEST, "length-mismatch", "SIZE_INVALID"),
        StoreError::TooLong { .. } => (S::PAYLOAD_TOO_LARGE, "body-size", "SIZE_INVALID"),
        StoreError::Broken => (S::BAD_REQUEST, "body", "BLOB_UPLOAD_INVALID"),
        StoreError::Quota { .. } => (S::FORBIDDEN, "quota", "DENIED"),
        StoreError::Full => (S::INSUFFICIENT_STORAGE, "full", "TOOMANYREQUESTS"),
        StoreError::Damaged { .. } | StoreError::Lost { .. } => {
            (S::INTERNAL_SERVER_ERROR, "damaged", "BLOB_UNKNOWN")
        }
        StoreError::InUse | StoreError::File(_) | StoreError::Index(_) => {
            (S::INTERNAL_SERVER_ERROR, "store", "UNSUPPORTED")
        }
    }
}

/// What a caller without a token is asked for. Clients of OCI send `Basic` only after they were asked so.
pub const CHALLENGE: HeaderValue = HeaderValue::from_static("Basic realm=\"drawbridge\", charset=\"UTF-8\"");

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, code, _) = self.codes();
        let (hint, detail) = (self.hint(), self.to_string());
        let problem = match &self {
            Self::Broken(problem) => problem.clone(),
            // What failed inside is for the log; a path of ours says nothing to a caller.
            Self::Store(StoreError::File(_) | StoreError::Index(_)) => {
                tracing::error!(reason = %detail, "the store failed");
                Problem::new(status, code)
            }
            _ => Problem::new(status, code).detail(detail),
        };
        let problem = match hint {
            Some(hint) => problem.hint(hint),
            None => problem,
        };
        let problem = match &self {
            Self::Busy { .. } | Self::Store(StoreError::Full) => problem.retry_after(Duration::from_secs(30)),
            _ => problem,
        };
        let mut response = problem.into_response();
        if let Self::Unauthenticated(_) = self {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, CHALLENGE);
        }
        if let Self::Range { length } = self
            && let Ok(range) = HeaderValue::from_str(&format!("bytes */{length}"))
        {
            response.headers_mut().insert(header::CONTENT_RANGE, range);
        }
        response
    }
}
