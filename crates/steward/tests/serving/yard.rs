//! A folder with everything that a Steward reads: keys, certificates, policy, endorsements, settings.

use crate::keep::Court;
use attest::endorsements::DocumentKind;
use attest::roots::Vendor;
use attest::time::{Time, Window};
use axum::Router;
use service::server::Service;
use std::path::Path;
use std::sync::Arc;
use steward::app::App;
use steward::ca::ceremony::Ceremony;
use steward::ca::key::MemoryKey;
use steward::ca::{Curve, Signer};
use steward::cli::Serve;
use steward::command::Environment;
use steward::issue::Grade;
use steward::issue::serial::Serial;
use steward::settings::Settings;
use tempfile::TempDir;
use tokio::sync::OnceCell;

/// The folder, and the Steward that reads it.
pub struct Yard {
    pub folder: TempDir,
    pub now: Time,
    router: OnceCell<Router>,
}

impl Yard {
    /// A Steward that judges as this court does; `more` is added to its settings.
    pub fn new(court: &Court, more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("cache")).expect("created");
        for (grade, curve, generation) in [(Grade::Production, Curve::P384, 1), (Grade::Lab, Curve::P384, 2)]
        {
            authority(folder.path(), grade, curve, generation, court.now);
        }
        // Shared by what takes the place of this Steward after a change.
        std::fs::write(at("nonce.key"), [7; 32]).expect("written");
        let yard = Self { now: court.now, router: OnceCell::new(), folder };
        yard.write(court);
        yard.set(more);
        yard
    }

    /// The same Steward after its policy and endorsements changed.
    pub fn judged_by(mut self, court: &Court) -> Self {
        self.router = OnceCell::new();
        self.write(court);
        self
    }

    /// The same Steward with nothing in its cache.
    #[allow(dead_code, reason = "not every user needs it")]
    pub fn without_endorsements(self) -> Self {
        std::fs::remove_dir_all(self.folder.path().join("cache")).expect("removed");
        self
    }

    /// The same Steward with a policy that is shipped.
    #[allow(dead_code, reason = "not every user needs it")]
    pub fn with_policy(mut self, name: &str) -> Self {
        self.router = OnceCell::new();
        let policy = attest::policy::Policy::profile(name).expect("shipped").expect("valid");
        let text = serde_json::to_string(&*policy).expect("JSON");
        std::fs::write(self.folder.path().join("policy.json"), text).expect("written");
        self
    }

    /// The routes behind the layers that every service has; opened once.
    #[allow(dead_code, reason = "not every user needs it")]
    pub async fn router(&self) -> Router {
        let open = async || {
            let environment = self.environment();
            let settings = self.settings(&environment);
            let app = App::open(&settings, &environment).await.expect("a good yard");
            Service::new("steward", settings.server).expect("no files").router(steward::router::router(app))
        };
        self.router.get_or_init(open).await.clone()
    }

    /// A clock that stands, and no variables.
    pub fn environment(&self) -> Environment {
        let now = self.now;
        Environment { variables: Vec::new().into(), clock: Arc::new(move || now) }
    }

    /// The settings.
    pub fn settings(&self, environment: &Environment) -> Settings {
        let arguments = Serve { config: Some(self.folder.path().join("steward.toml")), ..Serve::default() };
        Settings::for_serving(&arguments, environment).expect("good settings")
    }

    /// Writes settings, all with their full names, so that `more` may add to any table.
    pub fn set(&self, more: &str) {
        let at = |name: &str| self.folder.path().join(name).display().to_string();
        let default =
            if more.contains("default_profile") { "" } else { "default_profile = \"production\"\n" };
        let mut text = format!("{more}{default}");
        for profile in ["production", "lab"] {
            let file = |extension: &str| at(&format!("{profile}.{extension}"));
            text += &format!(
                "profiles.{profile} = {{ grade = \"{profile}\", key = \"{}\", certificates = \"{}\", policy = \"{}\", \
                 template.trust_domain = \"example.org\" }}\n",
                file("key"),
                file("pem"),
                at("policy.json")
            );
        }
        text += &format!("nonce.key = \"{}\"\nendorsements.cache = \"{}\"\n", at("nonce.key"), at("cache"));
        for vendor in ["amd", "intel"] {
            if Path::new(&at(&format!("{vendor}.pem"))).exists() {
                let path = at(&format!("{vendor}.pem"));
                text += &format!("endorsements.development_roots.{vendor} = \"{path}\"\n");
            }
        }
        std::fs::write(at("steward.toml"), text).expect("written");
    }

    /// Writes policy, roots and endorsements.
    fn write(&self, court: &Court) {
        let at = |name: &str| self.folder.path().join(name);
        std::fs::write(at("policy.json"), serde_json::to_string(&*court.policy).expect("JSON"))
            .expect("written");
        for (vendor, name) in [(Vendor::Amd, "amd.pem"), (Vendor::Intel, "intel.pem")] {
            let anchors = court.endorsements.anchors(vendor);
            let pems: String =
                anchors.map(|anchor| attest::pem::encode("CERTIFICATE", anchor.certificate.der())).collect();
            if !pems.is_empty() {
                std::fs::write(at(name), pems).expect("written");
            }
        }
        let mut entries = Vec::new();
        let mut keep = |kind: &str, source: &str, bytes: &[u8]| {
            let name = format!("item-{}", entries.len());
            std::fs::write(at("cache").join(&name), bytes).expect("written");
            let sha256 = hex(&attest::crypto::sha256(bytes));
            entries.push(serde_json::json!({
                "name": name, "kind": kind, "source": source, "sha256": sha256, "fetched": 0, "next_update": null,
            }));
        };
        court.endorsements.certificates().for_each(|item| keep("certificate", "", item.der()));
        court.endorsements.crls().for_each(|item| keep("crl", item.source().unwrap_or_default(), item.der()));
        for (kind, name) in [(DocumentKind::TcbInfo, "tcb-info"), (DocumentKind::QeIdentity, "qe-identity")] {
            court.endorsements.documents(kind).for_each(|(_, item)| keep(name, "", &item.bytes));
        }
        let index = serde_json::json!({ "schema": 1, "entries": entries });
        std::fs::write(at("cache").join("index.json"), index.to_string()).expect("written");
    }
}

/// A root that issues.
fn authority(folder: &Path, grade: Grade, curve: Curve, generation: u32, now: Time) {
    let key = MemoryKey::generate(curve).expect("a key");
    let serial = Serial::random([generation as u8; 16]);
    let validity = Window { from: Time(now.0 - 86_400), to: Time(now.0 + 10 * 365 * 86_400) };
    let ceremony = Ceremony { name: "Yard", grade, generation, validity, serial: &serial };
    let certificate = ceremony.root(&key as &dyn Signer).expect("signs");
    let name = format!("{grade:?}").to_lowercase();
    write_private(&folder.join(format!("{name}.key")), key.to_pem().expect("encodes").as_bytes());
    let pem = attest::pem::encode("CERTIFICATE", &certificate);
    std::fs::write(folder.join(format!("{name}.pem")), pem).expect("written");
}

fn write_private(path: &Path, bytes: &[u8]) {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let file = std::fs::File::options().create(true).truncate(true).write(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(bytes)).expect("written");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
