//! A package in its two shapes: a tree, and an OCI manifest. Each is made from the other, over the same blobs.
//!
//! | tree | manifest |
//! |---|---|
//! | `main.wasm`, with or without `Enarx.toml`; `main.wasm` alone as the root | the Wasm artifact of CNCF: configuration `application/vnd.wasm.config.v0+json`, one layer; `Enarx.toml` in the annotation `dev.enarx.manifest` |
//! | any other | artifact `application/vnd.enarx.package.v1`: a layer for each file, its path in `org.opencontainers.image.title` |
//!
//! The CNCF layout has one layer only (tag-runtime, "Wasm OCI Artifact layout"), hence the annotation.

use api::digest::{Algorithm, Digest, Digests};
use api::tree::{Entry, Path, Tree, TreeError, WASM_TYPE, WORKLOAD, media_type};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The media type of an OCI manifest.
pub const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
/// The media type of a Wasm artifact's configuration.
pub const WASM_CONFIG_TYPE: &str = "application/vnd.wasm.config.v0+json";
/// The kind of artifact that a package is that is no Wasm artifact of CNCF.
pub const PACKAGE_TYPE: &str = "application/vnd.enarx.package.v1";
/// The media type of an empty configuration (OCI image-spec 1.1, "Guidance for an empty descriptor").
pub const EMPTY_TYPE: &str = "application/vnd.oci.empty.v1+json";
/// The annotation that holds the text of `Enarx.toml`.
pub const ENARX_TOML: &str = "dev.enarx.manifest";
/// The annotation that holds the path of a layer.
pub const TITLE: &str = "org.opencontainers.image.title";
/// Layers of a manifest, and so files of a package that is no Wasm artifact of CNCF.
pub const LAYER_LIMIT: usize = 8192;

/// An OCI image manifest (image-spec 1.1, manifest.md). Members that we do not know are allowed, as the specification says.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageManifest {
    /// Always 2.
    pub schema_version: u32,
    /// Its own media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// What kind of artifact it is, where the configuration does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The configuration.
    pub config: Blob,
    /// The content.
    pub layers: Vec<Blob>,
    /// The manifest that it says something about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Blob>,
    /// What it says of itself.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// A descriptor (image-spec 1.1, descriptor.md).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Blob {
    /// Its media type.
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// Its length.
    pub size: u64,
    /// What is said of it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Where else it can be had. Such layers are not ours to check.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    /// What kind of artifact a manifest is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
}

/// A file of a package, with the name of its blob.
#[derive(Clone, Debug)]
pub struct File {
    /// What the tree says of it.
    pub entry: Entry,
    /// Its blob.
    pub digest: Digest,
}

/// A manifest made of a tree, with the text of its configuration.
pub struct Made {
    /// The manifest.
    pub manifest: ImageManifest,
    /// The configuration.
    pub config: Vec<u8>,
}

/// Makes the manifest of a package. `toml` is the text of its `Enarx.toml`, `component` whether its workload is one.
/// None, if it has more files than a manifest has layers.
pub fn manifest(files: &BTreeMap<Path, File>, toml: Option<String>, component: bool) -> Option<Made> {
    let names: Vec<String> = files.keys().map(Path::to_string).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let workload = files.values().find(|file| file.entry.media_type == WASM_TYPE);
    match (names.as_slice(), workload) {
        (["main.wasm"] | [""] | ["Enarx.toml", "main.wasm"], Some(workload)) => {
            Some(wasm(workload, toml, component))
        }
        _ if files.len() > LAYER_LIMIT => None,
        _ => Some(general(files)),
    }
}

fn wasm(workload: &File, toml: Option<String>, component: bool) -> Made {
    let os = if component { "wasip2" } else { "wasip1" };
    let config = serde_json::json!({ "architecture": "wasm", "os": os, "layerDigests": [workload.digest.to_string()] });
    let config = config.to_string().into_bytes();
    let layer = descriptor(WASM_TYPE, workload.digest, workload.entry.length);
    let annotations = toml.into_iter().map(|toml| (ENARX_TOML.to_owned(), toml)).collect();
    Made { manifest: image(None, WASM_CONFIG_TYPE, &config, vec![layer], annotations), config }
}

fn general(files: &BTreeMap<Path, File>) -> Made {
    let layers = files.iter().map(|(path, file)| {
        let annotations = BTreeMap::from([(TITLE.to_owned(), path.to_string())]);
        Blob { annotations, ..descriptor(&file.entry.media_type, file.digest, file.entry.length) }
    });
    let config = b"{}".to_vec();
    let kind = Some(PACKAGE_TYPE.to_owned());
    Made { manifest: image(kind, EMPTY_TYPE, &config, layers.collect(), BTreeMap::new()), config }
}

fn image(
    artifact_type: Option<String>,
    config_type: &str,
    config: &[u8],
    layers: Vec<Blob>,
    annotations: BTreeMap<String, String>,
) -> ImageManifest {
    ImageManifest {
        schema_version: 2,
        media_type: Some(MANIFEST_TYPE.to_owned()),
        artifact_type,
        config: descriptor(config_type, Digest::sha256(config), config.len() as u64),
        layers,
        subject: None,
        annotations,
    }
}

fn descriptor(media_type: &str, digest: Digest, size: u64) -> Blob {
    let media_type = media_type.to_owned();
    Blob { media_type, digest, size, annotations: BTreeMap::new(), urls: Vec::new(), artifact_type: None }
}

/// What a manifest holds of a package.
#[derive(Debug, PartialEq, Eq)]
pub struct Contents {
    /// Files that are blobs, by path.
    pub layers: BTreeMap<Path, (Digest, u64)>,
    /// The text of `Enarx.toml`, where it is an annotation.
    pub toml: Option<String>,
}

/// What a manifest holds of a package; none if it is no package.
pub fn contents(manifest: &ImageManifest) -> Result<Option<Contents>, TreeError> {
    let file = |layer: &Blob| (layer.digest, layer.size);
    let main = || WORKLOAD.parse::<Path>();
    if let [layer] = manifest.layers.as_slice()
        && manifest.config.media_type == WASM_CONFIG_TYPE
        && layer.media_type == WASM_TYPE
    {
        let toml = manifest.annotations.get(ENARX_TOML).cloned();
        return Ok(Some(Contents { layers: BTreeMap::from([(main()?, file(layer))]), toml }));
    }
    let titled = manifest.layers.iter().map(|layer| Some((layer.annotations.get(TITLE)?, file(layer))));
    let Some(titled) = titled.collect::<Option<Vec<_>>>() else { return Ok(None) };
    if !titled.iter().any(|(title, _)| *title == WORKLOAD) {
        return Ok(None);
    }
    let count = titled.len();
    let layers = titled.into_iter().map(|(title, file)| Ok((title.parse()?, file)));
    let layers = layers.collect::<Result<BTreeMap<Path, _>, TreeError>>()?;
    Ok((layers.len() == count).then_some(Contents { layers, toml: None }))
}

/// The tree of a package whose files were hashed.
pub fn tree(files: &BTreeMap<Path, (Digests, u64)>) -> Result<Tree, TreeError> {
    let entries = files.iter().map(|(path, (digests, length))| {
        let kind = media_type(&path.to_string());
        (path.clone(), Entry::of(digests.clone(), *length, kind))
    });
    Tree::new(entries.collect())
}

/// Whether a workload is a component: the layer that follows the version in the preamble (component-model, Binary.md).
pub fn is_component(head: &[u8]) -> bool {
    head.get(..4) == Some(b"\0asm") && head.get(6) == Some(&1)
}

/// The digest of a package by what its tag says of its root.
pub fn digest_of(root: &Entry) -> Option<Digest> {
    root.digest.get(Algorithm::Sha256).copied()
}
