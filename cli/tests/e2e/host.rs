//! The command line as the embedder of the host library: proxies, certificates, limits and the cache of compiled code.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::command_line::command;

/// An account of the real service, which nothing must reach.
const ACCOUNT: [(&str, &str); 4] = [
    ("ONEPASSWORD_ACCOUNT_ID", "AAAAAAAAAAAAAAAAAAAAAAAAAA"),
    ("ONEPASSWORD_CLIENT_ID", "client"),
    ("ONEPASSWORD_CLIENT_SECRET", "hunter2-secret"),
    ("ONEPASSWORD_TIMEOUT", "2"),
];

fn run(arguments: &[&str], environment: &[(&str, &str)]) -> (i32, String) {
    let output = command(arguments, &[&ACCOUNT[..], environment].concat()).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn row_34_a_proxy_that_cannot_be_used_ends_the_command() {
    let folder = tempfile::tempdir().unwrap();
    let steps = folder.path().join("steps.wasm");
    std::fs::write(&steps, onepassword_users_component::STEPS).unwrap();
    let steps = steps.to_str().unwrap();
    for (variable, url) in [
        ("HTTPS_PROXY", r"http://CORP\user:hunter2@proxy:3128"),
        ("https_proxy", "httpx://user:hunter2@proxy:3128"),
        ("ALL_PROXY", "socks5://user:hunter2@proxy:1080"),
        ("HTTPS_PROXY", "http://user:hunter2@:3128"),
        ("HTTPS_PROXY", "http://user:hunter2@proxy:port"),
    ] {
        let start = Instant::now();
        let (code, error) = run(&["list-users"], &[(variable, url)]);
        assert_eq!(code, 3, "{error}");
        assert!(error.contains(&format!("the proxy of {variable} cannot be used")), "{error}");
        assert!(!error.contains("hunter2") && !error.contains("CORP"), "{error}");
        assert!(start.elapsed() < Duration::from_secs(10), "there is one attempt");
        // The other engine of the host.
        let (code, error) = run(&["--component", steps, "list-users"], &[(variable, url)]);
        assert_eq!(code, 3, "{error}");
        assert!(error.contains(&format!("the proxy of {variable} cannot be used")), "{error}");
        // The simulated account is on loopback.
        let (code, error) = run(&["list-users", "--simulated", "--limit", "1"], &[(variable, url)]);
        assert_eq!(code, 0, "{error}");
    }
    for (arguments, environment) in [
        (&["--proxy", "httpx://proxy:3128"][..], &[][..]),
        (&["--proxy", "socks5://proxy:1080"], &[]),
        (&["--proxy", "http://"], &[]),
        (&["--proxy", "http://proxy:99999"], &[]),
        (&[], &[("ONEPASSWORD_PROXY", r"http://CORP\user:hunter2@proxy:3128")]),
    ] {
        let (code, error) = run(&[arguments, &["list-users"]].concat(), environment);
        assert_eq!(code, 3, "{error}");
        assert!(error.contains("--proxy or ONEPASSWORD_PROXY") && !error.contains("hunter2"), "{error}");
    }
}

#[test]
fn row_33_a_system_without_ca_certificates_names_the_option() {
    let empty = tempfile::tempdir().unwrap();
    let file = empty.path().join("none.pem");
    std::fs::write(&file, "").unwrap();
    let none = [("SSL_CERT_FILE", file.to_str().unwrap()), ("SSL_CERT_DIR", empty.path().to_str().unwrap())];
    for base_url in ["https://localhost:1", "https://api.1password.com"] {
        let start = Instant::now();
        let environment = [&none[..], &[("ONEPASSWORD_BASE_URL", base_url)]].concat();
        let (code, error) = run(&["list-users"], &environment);
        assert_eq!(code, 3, "{error}");
        assert!(error.contains("no CA certificates") && error.contains("--ca-file"), "{error}");
        assert!(start.elapsed() < Duration::from_secs(10), "there is one attempt");
    }
    let (code, error) = run(&["--ca-file", file.to_str().unwrap(), "list-users"], &[]);
    assert_eq!(code, 3, "{error}");
    assert!(error.contains("no certificate") && error.contains("--ca-file"), "{error}");
}

/// The address space of a process may be limited.
#[cfg(target_os = "linux")]
#[test]
fn row_52_a_command_runs_with_little_address_space() {
    for kilobytes in ["8000000", "4000000"] {
        let script = format!("ulimit -v {kilobytes} && exec \"$0\" get-user wendy.appleseed@example.com");
        let plain = command(&[], &[]);
        let mut limited = Command::new("sh");
        limited.args(["-c", &script, env!("CARGO_BIN_EXE_onepassword-users")]).env_clear();
        limited.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let output = limited.output().unwrap();
        assert!(output.status.success(), "{kilobytes}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// A resolver without an answer takes half a minute and more.
#[test]
fn row_36_the_process_ends_with_its_action() {
    let start = Instant::now();
    let environment = [
        ("ONEPASSWORD_BASE_URL", "https://name.that.does.not.exist.invalid"),
        ("ONEPASSWORD_TIMEOUT", "1"),
        ("ONEPASSWORD_MAX_ATTEMPTS", "1"),
    ];
    let (code, error) = run(&["--proxy", "none", "list-users"], &environment);
    assert_eq!(code, 10, "{error}");
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
}

#[cfg(unix)]
#[test]
fn row_32_a_secret_file_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(file("utf-16"), [0xff, 0xfe, b's', 0]).unwrap();
    assert!(Command::new("mkfifo").arg(file("pipe")).status().unwrap().success());
    for (name, words) in [("utf-16", "UTF-16"), ("pipe", "within 10 s")] {
        let path = file(name);
        let environment = [ACCOUNT[0], ACCOUNT[1], ("ONEPASSWORD_CLIENT_SECRET_FILE", path.as_str())];
        let start = Instant::now();
        let output = command(&["list-users"], &environment).stdin(Stdio::null()).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{error}");
        assert!(error.contains("ONEPASSWORD_CLIENT_SECRET_FILE") && error.contains(words), "{error}");
        assert!(start.elapsed() < Duration::from_secs(20));
    }
}

/// Runs a command with a cache directory of its own.
fn with_cache(cache: &Path) -> Output {
    let arguments = ["get-user", "wendy.appleseed@example.com"];
    let mut command = command(&arguments, &[]);
    command.env("XDG_CACHE_HOME", cache).output().unwrap()
}

#[cfg(unix)]
#[test]
fn row_44_the_cache_of_compiled_code_is_the_users_own_and_checked() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("onepassword-users");
    let files = || std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    assert!(with_cache(home.path()).status.success());
    assert_eq!(std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    let [file] = &files()[..] else { panic!() };
    // Bits of the code are flipped.
    let whole = std::fs::read(file).unwrap();
    for place in [0, 40, whole.len() / 2, whole.len() - 1] {
        let mut altered = whole.clone();
        altered[place] ^= 4;
        std::fs::write(file, &altered).unwrap();
        assert!(with_cache(home.path()).status.success(), "byte {place}");
        assert_ne!(std::fs::read(file).unwrap(), altered, "it was compiled anew");
    }
    // A folder that others may write.
    std::fs::remove_file(file).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)).unwrap();
    assert!(with_cache(home.path()).status.success());
    assert!(files().is_empty());
}
