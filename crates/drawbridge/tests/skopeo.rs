//! The real program, and a client that we did not write: skopeo pushes, inspects, lists, pulls and deletes.

use api::digest::Digest;
use serde_json::json;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_drawbridge");
const WASM: &[u8] = b"\0asm\x01\0\0\0";

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn program(store: &Path, arguments: &[&str]) -> String {
    let output = Command::new(PROGRAM).args(arguments).arg("--store").arg(store).output().expect("it runs");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

fn serve(store: &Path) -> (Server, String) {
    let port =
        TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
    let address = format!("127.0.0.1:{port}");
    let mut child = Command::new(PROGRAM)
        .args(["serve", "--plain", "--listen", &address, "--store"])
        .arg(store)
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    assert!(lines.by_ref().any(|line| line.expect("a line").contains("listening")), "it listens");
    std::thread::spawn(move || lines.for_each(drop));
    (Server(child), address)
}

/// An OCI layout with one Wasm artifact.
fn layout(folder: &Path) {
    let blobs = folder.join("blobs/sha256");
    std::fs::create_dir_all(&blobs).expect("a folder");
    let put = |media_type: &str, content: &[u8]| {
        let digest = Digest::sha256(content);
        std::fs::write(blobs.join(digest.hex()), content).expect("written");
        json!({ "mediaType": media_type, "digest": digest, "size": content.len() })
    };
    let layer = put("application/wasm", WASM);
    let config = json!({ "architecture": "wasm", "os": "wasip1", "layerDigests": [layer["digest"]] });
    let config = put("application/vnd.wasm.config.v0+json", config.to_string().as_bytes());
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let manifest = json!({ "schemaVersion": 2, "mediaType": kind, "config": config, "layers": [layer],
        "annotations": { "dev.enarx.manifest": "args = []\n" } });
    let mut manifest = put(kind, manifest.to_string().as_bytes());
    manifest["annotations"] = json!({ "org.opencontainers.image.ref.name": "1.0.0" });
    let index = json!({ "schemaVersion": 2, "manifests": [manifest] });
    std::fs::write(folder.join("index.json"), index.to_string()).expect("written");
    std::fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).expect("written");
}

#[test]
fn skopeo_pushes_and_pulls() {
    if Command::new("skopeo").arg("--version").stdout(Stdio::null()).status().is_err() {
        #[expect(
            clippy::disallowed_methods,
            reason = "tests are told by the environment which tools must be there"
        )]
        let required = std::env::var("ENARX_REQUIRE").unwrap_or_default();
        assert!(!required.split(',').any(|name| name == "skopeo"), "skopeo is required, and not installed");
        writeln!(std::io::stdout(), "skipped: skopeo is not installed").expect("told");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let store = folder.path().join("store");
    program(&store, &["user", "add", "alice"]);
    let credentials = format!("alice:{}", program(&store, &["token", "create", "alice"]));
    let (server, address) = serve(&store);
    let mut made = TcpStream::connect(&address).expect("a connection");
    let token = credentials.split_once(':').expect("a token").1;
    let body = r#"{"public":true}"#;
    write!(made, "PUT /api/v0.4/alice/hello HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len()).expect("sent");
    let answer = BufReader::new(made).lines().next().expect("an answer").expect("a line");
    assert!(answer.contains("201"), "{answer}");

    let skopeo = |arguments: &[&str]| {
        let output =
            Command::new("skopeo").args(arguments).current_dir(folder.path()).output().expect("it runs");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    };
    let image = format!("docker://{address}/alice/hello:1.0.0");
    layout(&folder.path().join("out"));
    skopeo(&["copy", "--dest-tls-verify=false", "--dest-creds", &credentials, "oci:out:1.0.0", &image]);
    // As anybody.
    assert!(
        skopeo(&["list-tags", "--tls-verify=false", image.trim_end_matches(":1.0.0")]).contains("\"1.0.0\"")
    );
    let manifest = skopeo(&["inspect", "--raw", "--tls-verify=false", &image]);
    skopeo(&["copy", "--src-tls-verify=false", &image, "oci:back:1.0.0"]);
    for content in [WASM, manifest.as_bytes()] {
        let name = format!("back/blobs/sha256/{}", Digest::sha256(content).hex());
        assert_eq!(std::fs::read(folder.path().join(name)).expect("pulled"), content);
    }
    skopeo(&["delete", "--tls-verify=false", "--creds", &credentials, &image]);
    drop(server);
    assert!(program(&store, &["fsck"]).contains("\"damaged\": []"));
}
