//! The command line without a keep: every answer that needs no runtime, as exact text.
#![expect(clippy::unwrap_used, reason = "a test whose case cannot be set up has failed")]

use std::path::Path;
use std::process::Command;

/// What a command answered.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Runs `enarx` in a directory, with an environment of its own.
fn enarx(directory: &Path, arguments: &[&str]) -> Answer {
    let mut command = Command::new(env!("CARGO_BIN_EXE_enarx"));
    command.args(arguments).current_dir(directory).env_clear().env("HOME", directory);
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Answer { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

fn refused(stderr: &str) -> Answer {
    Answer { code: Some(1), stdout: String::new(), stderr: stderr.to_owned() }
}

fn with(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, content) in files {
        std::fs::write(directory.path().join(name), content).unwrap();
    }
    directory
}

#[test]
fn config_init_check_show() {
    let directory = with(&[]);
    let path = directory.path();
    let wrote =
        Answer { code: Some(0), stdout: String::new(), stderr: "note: wrote `Enarx.toml`\n".to_owned() };
    assert_eq!(enarx(path, &["config", "init"]), wrote);
    let again = "error: `Enarx.toml` does already exist\nhint: name another file, or remove this one first\n";
    assert_eq!(enarx(path, &["config", "init"]), refused(again));
    let checked = enarx(path, &["config", "check"]);
    assert_eq!((checked.code, checked.stderr.as_str()), (Some(0), "note: `Enarx.toml` is a manifest\n"));
    let shown = enarx(path, &["config", "show"]);
    assert_eq!(shown.code, Some(0));
    std::fs::write(path.join("shown.toml"), &shown.stdout).unwrap();
    assert_eq!(enarx(path, &["config", "show", "shown.toml"]), shown, "what is shown is a manifest again");
}

#[test]
fn config_show_tells_every_value() {
    let directory = with(&[("Enarx.toml", "args = ['x']\n[limits]\ndeadline = '90s'\n")]);
    let expected = r#"args = ["x"]

[env]

[[files]]
kind = "stdin"
name = "stdin"

[[files]]
kind = "stdout"
name = "stdout"

[[files]]
kind = "stderr"
name = "stderr"

[limits]
memory = "2 GiB"
table = 1000000
instances = 1000
stack = "1 MiB"
module = "256 MiB"
deadline = "90s"

[http]
reuse = 1
concurrency = 128
timeout = "30s"
"#;
    assert_eq!(enarx(directory.path(), &["config", "show"]).stdout, expected);
    let json = enarx(directory.path(), &["config", "show", "--json", "--color", "always"]).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["files"][1], serde_json::json!({"kind": "stdout", "name": "stdout"}));
    assert_eq!(json["limits"]["deadline"], "90s");
    assert_eq!(json["http"]["reuse"], 1);
}

#[test]
fn mistakes_in_manifests() {
    let cases = [
        ("arg = []", "Enarx.toml:1:1: unknown key `arg`; did you mean `args`?"),
        ("[[files]]\nkind = 'null'\nname = 'a:b'", "Enarx.toml:3:8: file name must not contain ':'"),
        ("args = [", "Enarx.toml:1:9: unclosed array, expected `]`"),
    ];
    for (text, expected) in cases {
        let directory = with(&[("Enarx.toml", text), ("app.wasm", "")]);
        let expected = refused(&format!("error: {expected}\n"));
        assert_eq!(enarx(directory.path(), &["config", "check"]), expected, "{text}");
        let run = ["run", "--config", "Enarx.toml", "app.wasm"];
        assert_eq!(enarx(directory.path(), &run), expected, "{text}");
    }
}

#[test]
fn mistakes_in_run() {
    let directory = with(&[("app.wasm", ""), ("Enarx.toml", ""), ("ca.pem", "no certificate")]);
    std::fs::create_dir(directory.path().join("dir")).unwrap();
    std::fs::write(directory.path().join("dir/main.wasm"), "").unwrap();
    let missing = "cause: No such file or directory (os error 2)";
    let cases: [(&[&str], String); 9] = [
        (
            &["ap.wasm"],
            format!("error: cannot read the workload `ap.wasm`\n  {missing}\nhint: did you mean `app.wasm`?\n"),
        ),
        (&["zzz"], format!("error: cannot read the workload `zzz`\n  {missing}\n")),
        (&["dir"], "error: the workload `dir` is a directory\nhint: did you mean `dir/main.wasm`?\n".to_owned()),
        (
            &["/dev/null"],
            "error: the workload `/dev/null` is not a regular file\n\
             hint: copy it to a file first; a workload is read more than once\n"
                .to_owned(),
        ),
        (
            &["--config", "no.toml", "app.wasm"],
            format!(
                "error: cannot read the manifest `no.toml`\n  {missing}\n\
                 hint: `enarx config init no.toml` writes one\n"
            ),
        ),
        (
            &["--config", "Enarx.toml", "--dir", "no", "app.wasm"],
            format!("error: cannot open the directory `no` of --dir\n  {missing}\n"),
        ),
        (
            &["--config", "Enarx.toml", "--trust", "ca.pem", "app.wasm"],
            "error: `ca.pem` has no certificate\n\
             hint: --trust expects PEM: lines between `-----BEGIN CERTIFICATE-----` and `-----END CERTIFICATE-----`\n"
                .to_owned(),
        ),
        (
            &["--config", "Enarx.toml", "--runtime", "no", "app.wasm"],
            format!("error: cannot open the runtime image `no`\n  {missing}\nhint: it was named by --runtime\n"),
        ),
        (
            &["--keep", "snp", "app.wasm"],
            "error: invalid value 'snp' for '--keep <KIND>': keeps of kind snp are not available in this version; \
             `auto`, `kvm` and `process` are (see `enarx platform info`)\n\nFor more information, try '--help'.\n"
                .to_owned(),
        ),
    ];
    for (arguments, expected) in cases {
        let found = enarx(directory.path(), &[&["run"], arguments].concat());
        assert_eq!(found, refused(&expected), "{arguments:?}");
    }
}

#[test]
fn warnings_before_a_run() {
    let steward = "steward = 'https://attest.example.com'";
    let directory = with(&[("app.wasm", ""), ("Enarx.toml", steward)]);
    let found = enarx(directory.path(), &["run", "--runtime", "no", "app.wasm"]).stderr;
    let note = "note: `Enarx.toml` is not read; to use it, add `--config Enarx.toml`\n";
    assert!(found.starts_with(note), "{found}");
    let arguments = ["run", "--runtime", "no", "--config", "Enarx.toml", "app.wasm"];
    let found = enarx(directory.path(), &arguments).stderr;
    let warning = "warning: this version cannot ask the steward https://attest.example.com to certify the keep: \
                   certificates are self-signed, and nobody can tell from them what runs here\n\
                   hint: remove `steward` to run without this warning\n";
    assert!(found.starts_with(warning), "{found}");
    let quiet = enarx(directory.path(), &[&["-q"], &arguments[..]].concat()).stderr;
    assert!(quiet.starts_with("error: "), "{quiet}");
}

#[test]
fn colours_when_asked() {
    let directory = with(&[]);
    let painted = enarx(directory.path(), &["--color", "always", "run", "zzz"]).stderr;
    assert!(painted.starts_with("\x1b[1;31merror:\x1b[0m cannot"), "{painted}");
}

#[test]
fn platform_info_is_data() {
    let directory = with(&[]);
    let found = enarx(directory.path(), &["platform", "info", "--json"]);
    assert_eq!((found.code, found.stderr.as_str()), (Some(0), ""));
    let report: serde_json::Value = serde_json::from_str(&found.stdout).unwrap();
    let ids: Vec<&str> =
        report["platform"].as_array().unwrap().iter().map(|c| c["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["process", "kvm", "snp", "tdx", "sgx"]);
    for check in report["platform"].as_array().unwrap().iter().skip(2) {
        assert_ne!(check["state"], "ok", "nothing that was not launched is ok: {check}");
    }
    let text = enarx(directory.path(), &["platform", "info"]).stdout;
    assert!(text.starts_with("process "), "{text}");
}

#[test]
fn versions() {
    let directory = with(&[]);
    let version = env!("CARGO_PKG_VERSION");
    let found = enarx(directory.path(), &["--version"]).stdout;
    assert!(found.starts_with(&format!("enarx {version}")), "{found}");
    let json = enarx(directory.path(), &["--version", "--json"]).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["name"], &json["version"]), (&"enarx".into(), &version.into()));
}

#[test]
fn completions_and_man_pages() {
    let directory = with(&[]);
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = enarx(directory.path(), &["completions", shell]);
        assert_eq!((script.code, script.stderr.as_str()), (Some(0), ""), "{shell}");
        assert!(script.stdout.contains("no-cache"), "{shell}");
    }
    assert!(enarx(directory.path(), &["man"]).stdout.contains(".TH enarx 1"));
    assert_eq!(enarx(directory.path(), &["man", "pages"]).code, Some(0));
    let page = std::fs::read_to_string(directory.path().join("pages/enarx-run.1")).unwrap();
    assert!(page.contains("Exit codes:"), "{page}");
}

#[test]
fn usage() {
    let directory = with(&[]);
    let found = enarx(directory.path(), &["-v"]);
    assert_eq!(found, refused("error: no command is given\nhint: `enarx --help` lists them\n"));
    let help = enarx(directory.path(), &["run", "--help"]);
    assert_eq!(help.code, Some(0));
    for part in ["WASI 0.1", "  124    the workload reached one of its limits\n", "[-- <ARGS>...]"] {
        assert!(help.stdout.contains(part), "{part}");
    }
    assert_eq!(enarx(directory.path(), &[]).code, Some(1));
}
