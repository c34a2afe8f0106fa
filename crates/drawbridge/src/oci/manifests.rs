//! Manifests, by tag or digest. One that holds a package, under a semantic version, is a tree from then on too.

use super::lists::INDEX_TYPE;
use super::{Error, allowed, digest, readable, repository};
use crate::access::Action;
use crate::app::{App, Shared};
use crate::error::Refusal;
use crate::package::{self, Blob, ImageManifest};
use crate::routes::{tags, trees};
use crate::settings::Settings;
use crate::store::index::{Descriptor, Manifest, Node, TreeTag};
use crate::transfer::{Outgoing, send};
use api::digest::Digest;
use api::manifest::FILE_NAME;
use api::name::{NameError, Repository, Version};
use api::tree::Path as TreePath;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use std::collections::BTreeMap;

/// The longest manifest: what registries must take at least (distribution-spec 1.1, "Pushing Manifests").
const MANIFEST_LIMIT: usize = 4 << 20;
/// Manifests of an index.
const INDEX_LIMIT: usize = 1024;
/// Docker's older name of an index.
const DOCKER_LIST_TYPE: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

type Names = Path<(String, String, String)>;

/// What a manifest is called by.
enum Reference {
    Tag(String),
    Digest(Digest),
}

impl Reference {
    fn of(text: &str) -> Result<Self, Refusal> {
        match text.contains(':') {
            true => digest(text).map(Self::Digest),
            false => Ok(Self::Tag(tag(text)?)),
        }
    }
}

/// A tag as OCI writes it: `_` for the `+` that its grammar has no place for, as Helm does.
pub fn written(tag: &str) -> String {
    tag.replace('+', "_")
}

/// A tag as the index has it (distribution-spec 1.1, "Pulling manifests": the grammar).
fn tag(text: &str) -> Result<String, Refusal> {
    let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let rest = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if !first || !rest || text.len() > 128 {
        let expected = "1 to 128 letters, digits, '.', '_' and '-', the first no '.' nor '-'";
        return Err(NameError { kind: "a tag", expected, found: text.chars().take(80).collect() }.into());
    }
    let version = text.replacen('_', "+", 1);
    Ok(if version.parse::<Version>().is_ok() { version } else { text.to_owned() })
}

/// `GET`, `HEAD`.
pub async fn show(
    State(app): State<Shared>,
    Path((user, name, reference)): Names,
    request: Request,
) -> Result<Response, Error> {
    let (name, reference) = (repository(&user, &name)?, Reference::of(&reference)?);
    let (parts, _) = request.into_parts();
    let index = &app.store.index;
    let digest = match reference {
        Reference::Digest(digest) => Some(digest),
        Reference::Tag(tag) => index.tag(&name, &tag).await?.and_then(|tag| tag.manifest),
    };
    // Whether there is such a tag is nobody's business who may not read.
    readable(&app, &parts, &name, &digest.unwrap_or_else(|| Digest::sha256(b""))).await?;
    let digest = digest.ok_or(Refusal::Missing("manifest"))?;
    let (media_type, length) = index.manifest(&name, &digest).await?.ok_or(Refusal::Missing("manifest"))?;
    let blob = Outgoing { digest, length, media_type: &media_type, digests: digest.into() };
    Ok(send(&app.store, &parts.method, &parts.headers, blob).await?)
}

/// `PUT`.
pub async fn put(
    State(app): State<Shared>,
    Path((user, name, reference)): Names,
    request: Request,
) -> Result<Response, Error> {
    let (name, reference) = (repository(&user, &name)?, Reference::of(&reference)?);
    let (parts, body) = request.into_parts();
    let (settings, _) = allowed(&app, &parts, &name, Action::Write).await?;
    let text = service::body::read(body, MANIFEST_LIMIT).await.map_err(Refusal::Broken)?;
    let found = Digest::sha256(&text);
    if let Reference::Digest(expected) = &reference
        && *expected != found
    {
        return Err(
            crate::store::StoreError::Mismatch { expected: *expected, found: found.to_string() }.into()
        );
    }
    let read = Read::of(&parts.headers, &text, found)?;
    for need in &read.manifest.needs {
        if app.store.index.held(&name, need).await?.is_none() {
            return Err(Refusal::Needs(need.to_string()).into());
        }
    }
    let digest = app.store.keep_bytes(&name, text.to_vec(), app.now()).await?;
    app.store.index.add_manifest(&name, &read.manifest).await?;
    if let Reference::Tag(tag) = &reference {
        point(&app, &name, tag, digest, read.image.as_ref(), &settings).await?;
    }
    let mut headers = HeaderMap::new();
    let subject = read.manifest.subject.map(|subject| ("oci-subject", subject));
    let location = ("location", format!("/v2/{name}/manifests/{digest}"));
    for (name, value) in [location, ("docker-content-digest", digest.to_string())].into_iter().chain(subject)
    {
        if let Ok(value) = value.parse() {
            headers.insert(name, value);
        }
    }
    Ok((StatusCode::CREATED, headers).into_response())
}

/// `DELETE`: a tag, or a manifest with every tag that stands for it.
pub async fn delete(
    State(app): State<Shared>,
    Path((user, name, reference)): Names,
    request: Request,
) -> Result<Response, Error> {
    let (name, reference) = (repository(&user, &name)?, Reference::of(&reference)?);
    let (parts, _) = request.into_parts();
    allowed(&app, &parts, &name, Action::Write).await?;
    let deleted = match reference {
        Reference::Tag(tag) => app.store.index.delete_tag(&name, &tag).await?,
        Reference::Digest(digest) => app.store.index.delete_manifest(&name, &digest).await?,
    };
    match deleted {
        true => Ok(StatusCode::ACCEPTED.into_response()),
        false => Err(Refusal::Missing("manifest").into()),
    }
}

/// A manifest that was read.
struct Read {
    manifest: Manifest,
    /// None, if it is an index.
    image: Option<ImageManifest>,
}

/// An index of manifests (OCI image-spec 1.1, image-index.md).
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    media_type: Option<String>,
    artifact_type: Option<String>,
    manifests: Vec<Blob>,
    subject: Option<Blob>,
    #[serde(default)]
    annotations: serde_json::Map<String, serde_json::Value>,
}

impl Read {
    fn of(headers: &HeaderMap, text: &[u8], digest: Digest) -> Result<Self, Refusal> {
        let sent =
            headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let malformed = |error: serde_json::Error| Refusal::Manifest(format!("is not understood: {error}"));
        let (manifest, image) = match sent {
            INDEX_TYPE | DOCKER_LIST_TYPE => {
                (index(serde_json::from_slice(text).map_err(malformed)?, text.len(), digest, sent)?, None)
            }
            _ => {
                let image: ImageManifest = serde_json::from_slice(text).map_err(malformed)?;
                if image.schema_version != 2 || image.layers.len() > package::LAYER_LIMIT {
                    return Err(Refusal::Manifest("has another schema than 2, or too many layers".into()));
                }
                (trees::listed(&image, digest, text.len() as u64), Some(image))
            }
        };
        let said = &manifest.descriptor.media_type;
        match sent.is_empty() || said == sent {
            true => Ok(Self { manifest, image }),
            false => Err(Refusal::Manifest(format!("says that it is {said}, and was sent as {sent}"))),
        }
    }
}

fn index(read: Index, size: usize, digest: Digest, sent: &str) -> Result<Manifest, Refusal> {
    if read.manifests.len() > INDEX_LIMIT {
        return Err(Refusal::Manifest(format!("lists more than {INDEX_LIMIT} manifests")));
    }
    Ok(Manifest {
        descriptor: Descriptor {
            media_type: read.media_type.unwrap_or_else(|| sent.to_owned()),
            digest,
            size: size as u64,
            artifact_type: read.artifact_type.unwrap_or_default(),
            annotations: read.annotations,
        },
        subject: read.subject.map(|subject| subject.digest.to_string()),
        needs: read.manifests.into_iter().map(|manifest| manifest.digest).collect(),
    })
}

/// Lets a tag stand for a manifest, last of all.
async fn point(
    app: &App,
    name: &Repository,
    tag: &str,
    digest: Digest,
    image: Option<&ImageManifest>,
    settings: &Settings,
) -> Result<(), Refusal> {
    let version = tag.parse::<Version>().ok();
    let tree = match (&version, image) {
        (Some(_), Some(image)) => tree(app, name, image).await?,
        _ => None,
    };
    if let Some((tag, _)) = &tree {
        tags::signed(settings, tag)?;
    }
    let tree = tree.as_ref().map(|(tag, nodes)| (tag, nodes.as_slice()));
    let movable = settings.movable_tags && version.is_none();
    let claimed = app.store.index.set_tag((name, tag), &digest, tree, movable, app.now()).await?;
    tags::status(claimed, tag).map(drop)
}

/// The tree of a manifest that holds a package, with all of its blobs in the repository.
async fn tree(
    app: &App,
    name: &Repository,
    image: &ImageManifest,
) -> Result<Option<(TreeTag, Vec<(TreePath, Node)>)>, Refusal> {
    let Some(contents) = package::contents(image)? else { return Ok(None) };
    let mut blobs = BTreeMap::new();
    let mut files = BTreeMap::new();
    for (path, (digest, size)) in contents.layers {
        let held = app.store.index.held(name, &digest).await?;
        if held != Some(size) {
            return Err(Refusal::Manifest(format!(
                "gives {digest} {size} bytes; it has {}",
                held.unwrap_or(0)
            )));
        }
        files.insert(path.clone(), (trees::hashed(app, digest, size).await?, size));
        blobs.insert(path, digest);
    }
    if let Some(toml) = contents.toml {
        let path: TreePath = FILE_NAME.parse()?;
        files.insert(path.clone(), (api::digest::Digests::of(toml.as_bytes()), toml.len() as u64));
        blobs.insert(path, app.store.keep_bytes(name, toml.into_bytes(), app.now()).await?);
    }
    let tree = package::tree(&files)?;
    let mut nodes = Vec::new();
    for (path, node) in tree.nodes() {
        let digest = match &node.directory {
            Some(text) => Some(app.store.keep_bytes(name, text.clone(), app.now()).await?),
            None => blobs.get(path).copied(),
        };
        nodes.push((path.clone(), Node { entry: node.entry.clone(), digest }));
    }
    let tag = TreeTag {
        entry: String::from_utf8(tree.root().encode()).unwrap_or_default(),
        media_type: tags::ENTRY_TYPE.to_owned(),
        package: tree.package_digest().to_string(),
    };
    Ok(Some((tag, nodes)))
}
