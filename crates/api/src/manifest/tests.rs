use super::*;

/// The example of the first Enarx, with every key it knew.
const OLD: &str = r#"
steward = "https://attest.example.com"
args = ["--verbose", "--limit=3"]

[env]
RUST_LOG = "info"

[[files]]
kind = "null"

[[files]]
kind = "stdout"
name = "out"

[[files]]
kind = "stderr"

[[files]]
kind = "listen"
name = "ingest"
prot = "tls"
addr = "0.0.0.0"
port = 12345

[[files]]
kind = "connect"
prot = "tls"
host = "db.example.com"
port = 5432
"#;

#[test]
fn an_old_file_keeps_its_meaning() {
    let manifest = Manifest::parse(OLD).unwrap();
    assert_eq!(manifest.steward.as_deref(), Some("https://attest.example.com"));
    assert_eq!(manifest.args, ["--verbose", "--limit=3"]);
    let environment = [
        ("FD_COUNT".to_owned(), "5".to_owned()),
        ("FD_NAMES".to_owned(), "null:out:stderr:ingest:db.example.com".to_owned()),
        ("RUST_LOG".to_owned(), "info".to_owned()),
    ];
    assert_eq!(manifest.environment(), environment);
    let listen = FileKind::Listen { prot: Prot::Tls, addr: "0.0.0.0".to_owned(), port: 12345 };
    assert_eq!(manifest.files[3].kind, listen);
    assert_eq!(manifest.limits, Limits::default());
}

#[test]
fn nothing_said_means_stdio() {
    let manifest = Manifest::parse("").unwrap();
    assert_eq!(manifest, Manifest::default());
    assert_eq!(manifest.environment()[1].1, "stdin:stdout:stderr");
    assert_eq!(Manifest::parse("files = []").unwrap().files, []);
    assert_eq!(Manifest::parse("args = ['x']").unwrap().files, manifest.files);
}

#[test]
fn template_reads_and_shows_the_defaults() {
    assert_eq!(Manifest::parse(TEMPLATE).unwrap(), Manifest::default());
    // With its marks removed, every line of it must still be a manifest.
    let unmarked: Vec<&str> = TEMPLATE.lines().map(example).collect();
    let unmarked = Manifest::parse(&unmarked.join("\n")).unwrap();
    assert_eq!(unmarked.files.len(), 6);
    assert_eq!(unmarked.limits.memory, Limits::default().memory);
    assert_eq!(unmarked.http, Http::default());
}

/// A commented-out line of the template, or nothing if it is prose.
fn example(line: &str) -> &str {
    match line.strip_prefix("# ") {
        Some(rest) if rest.starts_with('[') || rest.contains(" = ") => rest,
        Some(_) => "",
        None => line,
    }
}

#[test]
fn display_reads_back() {
    let full = r#"
args = ["a\"b", "é\n"]
[env]
"odd key" = "x"
[limits]
memory = "64 MiB"
output = 1001
deadline = "90s"
fuel = 7
[http]
timeout = "1500ms"
[[files]]
kind = "listen"
name = "in"
prot = "udp"
port = 0
[[files]]
kind = "connect"
prot = "tcp"
host = "::1"
"#;
    for text in ["", OLD, TEMPLATE, full, "files = []"] {
        let manifest = Manifest::parse(text).unwrap();
        let shown = manifest.to_string();
        assert_eq!(Manifest::parse(&shown).unwrap(), manifest, "{shown}");
    }
    let shown = Manifest::parse(full).unwrap().to_string();
    for line in ["memory = \"64 MiB\"", "output = \"1001 B\"", "deadline = \"90s\"", "timeout = \"1500ms\""] {
        assert!(shown.contains(line), "{shown}");
    }
}

#[test]
fn accepted() {
    let cases = [
        ("[[files]]\nkind='listen'\nname='x'\nprot='tls'", "x listen tls :: 443"),
        ("[[files]]\nkind='listen'\nname='x'\nprot='tcp'\nport=0", "x listen tcp :: 0"),
        ("[[files]]\nkind='connect'\nhost='h'\nprot='tcp'", "h connect tcp h 80"),
        ("[[files]]\nkind='connect'\nhost='h'\nprot='udp'\nport=53", "h connect udp h 53"),
        ("[[files]]\nkind='connect'\nhost='::1'\nprot='tls'", "--1 connect tls ::1 443"),
        ("[[files]]\nkind='null'\nname='sink'", "sink null"),
        ("files = [{kind='stdin'}]", "stdin stdin"),
    ];
    for (text, expected) in cases {
        let file = Manifest::parse(text).unwrap().files.remove(0);
        let found = match &file.kind {
            FileKind::Listen { prot, addr: host, port } | FileKind::Connect { prot, host, port } => {
                format!("{} {} {} {host} {port}", file.name, file.kind.word(), prot.word())
            }
            kind => format!("{} {}", file.name, kind.word()),
        };
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn rejected() {
    let cases = [
        ("arg = []", "unknown key `arg`; did you mean `args`? at line 1 column 1"),
        ("\nstewardd = 'x'", "unknown key `stewardd`; did you mean `steward`? at line 2 column 1"),
        (
            "zzz = 1",
            "unknown key `zzz`; known here: `steward`, `args`, `env`, `files`, `limits`, `http` at line 1 column 1",
        ),
        ("args = 'x'", "`args` must be an array, found a string at line 1 column 8"),
        ("args = ['x', 1]", "`args` must be a string, found an integer at line 1 column 14"),
        (
            "args = [\"\\u0000\"]",
            "`args` must be a string without a zero byte, found \"\\u0000\" at line 1 column 9",
        ),
        ("env = {A = 1}", "`env.A` must be a string, found an integer at line 1 column 12"),
        (
            "steward = 'attest'",
            "`steward` must be a URL such as \"https://attest.example.com\", found 'attest' at line 1 column 11",
        ),
        ("[[files]]\nname = 'x'", "missing key `kind` in an entry of `files` at line 1 column 1"),
        (
            "[[files]]\nkind = 'stdn'",
            "`kind` must be \"null\", \"stdin\", \"stdout\", \"stderr\", \"listen\" or \"connect\", found 'stdn' \
             at line 2 column 8",
        ),
        (
            "[[files]]\nkind = 'stdin'\nport = 1",
            "key `port` does not belong to a file of kind `stdin`, which has `kind`, `name` at line 3 column 1",
        ),
        (
            "[[files]]\nkind = 'listen'\nname = 'x'\nprot = 'tls'\nhost = 'h'",
            "key `host` does not belong to a file of kind `listen`, which has `kind`, `name`, `prot`, `addr`, `port` \
             at line 5 column 1",
        ),
        (
            "[[files]]\nkind = 'stdin'\nnmae = 'x'",
            "unknown key `nmae`; did you mean `name`? at line 3 column 1",
        ),
        (
            "[[files]]\nkind = 'listen'\nprot = 'tcp'",
            "missing key `name` in a file of kind `listen` at line 1 column 1",
        ),
        (
            "[[files]]\nkind = 'listen'\nname = 'x'",
            "missing key `prot` in a file of kind `listen` at line 1 column 1",
        ),
        (
            "[[files]]\nkind = 'connect'\nprot = 'tcp'",
            "missing key `host` in a file of kind `connect` at line 1 column 1",
        ),
        (
            "[[files]]\nkind = 'listen'\nname = 'x'\nprot = 'udp'",
            "missing key `port` in a file of `prot = \"udp\"` at line 1 column 1",
        ),
        (
            "[[files]]\nkind = 'connect'\nhost = 'h'\nprot = 'tcp'\nport = 0",
            "`port` must be an integer from 1 to 65535, found 0 at line 5 column 8",
        ),
        (
            "[[files]]\nkind = 'listen'\nname = 'x'\nprot = 'tcp'\nport = 70000",
            "`port` must be an integer from 0 to 65535, found 70000 at line 5 column 8",
        ),
        ("[[files]]\nkind = 'null'\nname = 'a:b'", "file name must not contain ':' at line 3 column 8"),
        (
            "[limits]\nmemory = '1 gig'",
            "`memory` must be a number of bytes or a size such as \"64 MiB\", found '1 gig' at line 2 column 10",
        ),
        (
            "[limits]\nmemory = 1.5",
            "`memory` must be a number of bytes or a size such as \"64 MiB\", found a float at line 2 column 10",
        ),
        (
            "[limits]\nstack = 1",
            "`stack` must be an integer from 65536 to 67108864, found 1 at line 2 column 9",
        ),
        (
            "[limits]\nfuel = -1",
            "`fuel` must be an integer from 1 to 18446744073709551615, found -1 at line 2 column 8",
        ),
        (
            "[limits]\ndeadline = 30",
            "`deadline` must be a duration such as \"30s\", \"500ms\", \"5m\" or \"1h\", found an integer \
             at line 2 column 12",
        ),
        (
            "[limits]\ndeadline = '0s'",
            "`deadline` must be longer than nothing, found '0s' at line 2 column 12",
        ),
        ("[limits]\nmemmory = 1", "unknown key `memmory`; did you mean `memory`? at line 2 column 1"),
        ("[http]\nreuse = 0", "`reuse` must be an integer from 1 to 4294967295, found 0 at line 2 column 9"),
        ("args = []\nargs = []", "duplicate key at line 2 column 1"),
    ];
    for (text, expected) in cases {
        let error = Manifest::parse(text).map(|manifest| manifest.to_string()).unwrap_err();
        assert_eq!(error.to_string(), expected, "{text}");
    }
}

#[test]
fn sizes_of_the_text_are_bounded() {
    let long = "#".repeat(TEXT_LIMIT + 1);
    assert!(matches!(Manifest::parse(&long).unwrap_err().fault, Fault::TextTooLong { .. }));
    assert!(Manifest::parse(&long[1..]).is_ok());
    let entries = |count| format!("files = [{}]", "{kind='null'},".repeat(count));
    assert_eq!(Manifest::parse(&entries(FILES_LIMIT)).unwrap().files.len(), FILES_LIMIT);
    let error = Manifest::parse(&entries(FILES_LIMIT + 1)).unwrap_err();
    assert_eq!(error.fault, Fault::TooManyFiles { found: FILES_LIMIT + 1 });
}

#[test]
fn any_prefix_is_answered() {
    for end in 0..OLD.len() {
        let _ = Manifest::parse(&OLD[..end]);
    }
}
