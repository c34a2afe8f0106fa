//! Trees: the files and directories beneath a tag.

use super::{allowed, announced, named, repository};
use crate::access::{Action, Grant};
use crate::app::{App, Shared};
use crate::error::Refusal;
use crate::package::{self, File};
use crate::store::StoreError;
use crate::store::index::{Descriptor, Manifest, Node};
use crate::store::{Expected, Staged, blocking};
use crate::transfer::{Outgoing, receive, send};
use api::digest::{Algorithm, Digest, Digests};
use api::manifest::{FILE_NAME, TEXT_LIMIT};
use api::name::{Repository, Version};
use api::tree::{DIRECTORY_LIMIT, Directory, Entry, Path as TreePath, TreeError};
use axum::extract::{RawPathParams, Request, State};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use std::collections::BTreeMap;

/// Repository, tag and path of a request.
struct Place {
    repository: Repository,
    tag: Version,
    path: TreePath,
}

impl Place {
    fn of(parameters: &RawPathParams) -> Result<Self, Refusal> {
        let get = |name| {
            parameters.iter().find_map(|(key, value)| (key == name).then_some(value)).unwrap_or_default()
        };
        let (tag, path) = (
            get("tag").replace("%2B", "+").replace("%2b", "+"),
            get("path").replace("%3A", ":").replace("%3a", ":"),
        );
        Ok(Self {
            repository: repository(get("user"), get("repository"))?,
            tag: named(&tag)?,
            path: named(&path)?,
        })
    }
}

/// `GET`: content, to those who may have it.
pub async fn show(
    State(app): State<Shared>,
    parameters: RawPathParams,
    request: Request,
) -> Result<Response, Refusal> {
    let place = Place::of(&parameters)?;
    let (parts, _) = request.into_parts();
    let tag = app.store.index.tag(&place.repository, place.tag.as_str()).await?;
    let package = tag.as_ref().and_then(|tag| tag.tree.as_ref()?.package.parse::<Digest>().ok());
    let decided = allowed(&app, &parts, &place.repository, Action::Read(package.as_ref())).await;
    let decided = match (decided, tag.as_ref().and_then(|tag| tag.tree.as_ref())) {
        (Ok((settings, grant)), Some(tree)) => super::tags::signed(&settings, tree).map(|()| grant),
        (decided, _) => decided.map(|(_, grant)| grant),
    };
    recorded(&app, &parts, &place, package.as_ref(), &decided).await?;
    let grant = decided?;
    let tag = tag.ok_or(Refusal::Missing("tag"))?;
    if tag.manifest.is_none() && !matches!(&grant, Grant::Person(name) if name == place.repository.user()) {
        return Err(Refusal::Missing("tag"));
    }
    let node = app.store.index.node(&place.repository, &place.tag, &place.path).await?;
    let (entry, digest) =
        node.and_then(|node| Some((node.entry, node.digest?))).ok_or(Refusal::Missing("blob"))?;
    let blob = Outgoing {
        digest,
        length: entry.length,
        media_type: &entry.media_type,
        digests: entry.digest.clone(),
    };
    send(&app.store, &parts.method, &parts.headers, blob).await
}

/// Notes every release of what is not public, and every refusal, before a byte leaves.
async fn recorded(
    app: &App,
    parts: &Parts,
    place: &Place,
    package: Option<&Digest>,
    decided: &Result<Grant, Refusal>,
) -> Result<(), Refusal> {
    let path = place.path.to_string();
    let asked = crate::record::Asked { repository: &place.repository, what: &path, package };
    crate::record::release(app, parts, &asked, decided).await
}

/// `PUT`: content that a tag or a directory has announced.
pub async fn put(
    State(app): State<Shared>,
    parameters: RawPathParams,
    request: Request,
) -> Result<Response, Refusal> {
    let place = Place::of(&parameters)?;
    let (parts, body) = request.into_parts();
    allowed(&app, &parts, &place.repository, Action::Write).await?;
    let unlisted = || Refusal::Unlisted(place.path.to_string());
    let node =
        app.store.index.node(&place.repository, &place.tag, &place.path).await?.ok_or_else(unlisted)?;
    let expected = expected(&node.entry, &parts)?;
    let limit = node.entry.length.min(app.blob_limit);
    let staging = app.store.blobs.stage(expected.digests.iter().flat_map(Digests::algorithms))?;
    let (staging, outcome) = receive(staging, body, limit).await?;
    outcome?;
    let staged = blocking(move || staging.finish(&expected)).await?;
    let (staged, directory) = match node.entry.is_directory() {
        true => directory(staged, &place.path).await.map(|(staged, directory)| (staged, Some(directory)))?,
        false => (staged, None),
    };
    let digest = app.store.keep(&place.repository, staged, app.now()).await?;
    let at = (&place.repository, &place.tag, &place.path);
    if app.store.index.fill_node(at, digest, directory.as_ref(), app.now()).await? {
        settle(&app, &place.repository, &place.tag).await?;
    }
    Ok(StatusCode::CREATED.into_response())
}

/// What the content must be: as it was announced above, and as its sender says now.
fn expected(entry: &Entry, parts: &Parts) -> Result<Expected, Refusal> {
    let announced = announced(&parts.headers)?;
    if announced.media_type != entry.media_type {
        let problem =
            format!("must be {}, as the tree says, found {:?}", entry.media_type, announced.media_type);
        return Err(Refusal::Header { name: "content-type", problem });
    }
    if let Some(length) = announced.length.filter(|length| *length != entry.length) {
        return Err(StoreError::Length { expected: entry.length, found: length }.into());
    }
    let digests =
        announced.digests.ok_or(Refusal::Header { name: "content-digest", problem: "is missing".into() })?;
    for digest in digests.iter() {
        match entry.digest.get(digest.algorithm()) {
            Some(known) if known != digest => {
                return Err(StoreError::Mismatch { expected: *known, found: digest.to_string() }.into());
            }
            _ => {}
        }
    }
    let all = entry.digest.iter().chain(digests.iter()).copied().collect();
    Ok(Expected { digests: Some(all), length: Some(entry.length) })
}

/// Reads a directory before it is published, so that none is kept that lists what cannot be.
async fn directory(staged: Staged, path: &TreePath) -> Result<(Staged, Directory), Refusal> {
    let path = path.clone();
    let read = blocking(move || {
        let text = match staged.length() > DIRECTORY_LIMIT as u64 {
            true => None,
            false => Some(staged.content()?),
        };
        Ok((staged, text))
    });
    let (staged, text) = read.await?;
    let text = text.ok_or(StoreError::TooLong { limit: DIRECTORY_LIMIT as u64 })?;
    let directory = Directory::decode(&text)?;
    directory
        .iter()
        .try_for_each(|(name, _)| path.join(name.clone()).map(drop))
        .map_err(|error: TreeError| Refusal::Tree(error))?;
    Ok((staged, directory))
}

/// Makes a tree visible, and its OCI manifest, if nothing of it is awaited any more.
pub async fn settle(app: &App, repository: &Repository, tag: &Version) -> Result<(), Refusal> {
    let index = &app.store.index;
    if index.tag(repository, tag.as_str()).await?.is_none_or(|tag| tag.manifest.is_some()) {
        return Ok(());
    }
    let nodes = index.nodes(repository, tag).await?;
    let Some(files) = files(&nodes) else { return Ok(()) };
    let (toml, head) = (text(app, &files).await?, head(app, &files).await?);
    let digest = match package::manifest(&files, toml, package::is_component(&head)) {
        Some(made) => {
            let text = serde_json::to_vec(&made.manifest).unwrap_or_default();
            app.store.keep_bytes(repository, made.config, app.now()).await?;
            let digest = app.store.keep_bytes(repository, text.clone(), app.now()).await?;
            index.add_manifest(repository, &listed(&made.manifest, digest, text.len() as u64)).await?;
            digest
        }
        // Too many files for a manifest: the tree interface alone has it, under the digest of its root.
        None => nodes.first().and_then(|(_, node)| node.digest).unwrap_or_else(|| Digest::sha256(b"")),
    };
    Ok(index.complete_tag(repository, tag, &digest).await?)
}

/// What the index knows of a manifest.
pub fn listed(manifest: &package::ImageManifest, digest: Digest, size: u64) -> Manifest {
    let artifact_type = manifest.artifact_type.clone().unwrap_or_else(|| manifest.config.media_type.clone());
    let annotations =
        manifest.annotations.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
    let media_type = manifest.media_type.clone().unwrap_or_else(|| package::MANIFEST_TYPE.to_owned());
    let blobs = manifest.layers.iter().filter(|layer| layer.urls.is_empty()).chain([&manifest.config]);
    Manifest {
        descriptor: Descriptor { media_type, digest, size, artifact_type, annotations },
        subject: manifest.subject.as_ref().map(|subject| subject.digest.to_string()),
        needs: blobs.map(|blob| blob.digest).collect(),
    }
}

/// The files of a tree; none while something is awaited.
fn files(nodes: &[(TreePath, Node)]) -> Option<BTreeMap<TreePath, File>> {
    let nodes = nodes.iter().map(|(path, node)| Some((path, node, node.digest?)));
    let nodes = nodes.collect::<Option<Vec<_>>>()?;
    let files = nodes.into_iter().filter(|(_, node, _)| !node.entry.is_directory());
    Some(
        files
            .map(|(path, node, digest)| (path.clone(), File { entry: node.entry.clone(), digest }))
            .collect(),
    )
}

/// The text of `Enarx.toml`, if there is one that can be an annotation.
async fn text(app: &App, files: &BTreeMap<TreePath, File>) -> Result<Option<String>, Refusal> {
    let file = files.iter().find_map(|(path, file)| (path.to_string() == FILE_NAME).then_some(file));
    match file.filter(|file| file.entry.length <= TEXT_LIMIT as u64) {
        Some(file) => Ok(String::from_utf8(app.store.read_all(file.digest, file.entry.length).await?).ok()),
        None => Ok(None),
    }
}

/// The first bytes of the workload.
async fn head(app: &App, files: &BTreeMap<TreePath, File>) -> Result<Vec<u8>, Refusal> {
    let Some(file) = files.values().find(|file| file.entry.media_type == api::tree::WASM_TYPE).cloned()
    else {
        return Ok(Vec::new());
    };
    let blobs = app.store.blobs.clone();
    let read = blocking(move || Ok(blobs.read(file.digest, file.entry.length)?.next()?.unwrap_or_default()));
    Ok(read.await?)
}

/// Every digest of a blob, for a tree that is made of it.
pub async fn hashed(app: &App, digest: Digest, length: u64) -> Result<Digests, Refusal> {
    let blobs = app.store.blobs.clone();
    let hashed = blocking(move || {
        let mut reading = blobs.read(digest, length)?;
        let mut hasher = api::digest::Hasher::new(Algorithm::ALL);
        while let Some(piece) = reading.next()? {
            hasher.update(&piece);
        }
        Ok(hasher.finish())
    });
    Ok(hashed.await?)
}
