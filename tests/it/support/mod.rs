//! What the tests of the binary share: running it, and a cluster that is reached in one of two ways.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use knarr::testing::cluster::TestCluster;

/// The binary under test.
pub fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_knarr"))
}

/// The repository's folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What a run of the binary gave.
#[derive(Debug)]
pub struct Outcome {
    pub stdout: String,
    pub stderr: String,
    /// Exit code; `None` after a signal.
    pub code: Option<i32>,
}

impl Outcome {
    /// The three outputs as one text, the exit code in brackets at the end.
    pub fn text(&self) -> String {
        let code = self.code.map_or_else(|| "signal".to_owned(), |code| code.to_string());
        format!("{}{}[{code}]", self.stdout, self.stderr)
    }

    /// Standard output of a run that must have gone well.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""), "{}", self.stdout);
        self.stdout
    }
}

/// Runs the binary in `folder` under the name `program`, with nothing of this process's environment.
pub fn run(folder: &Path, program: &str, args: &[&str], stdin: &str) -> Outcome {
    use std::io::Write;
    let link = folder.join(program);
    if !link.exists() {
        std::os::unix::fs::symlink(self::program(), &link).expect("a link to the binary");
    }
    let mut child = Command::new(&link)
        .args(args)
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder)
        .env("TZ", "UTC")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    // A command that reads no input may have ended before it could be written.
    let _ = child.stdin.take().expect("piped").write_all(stdin.as_bytes());
    let output = child.wait_with_output().expect("the binary ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Outcome { stdout: text(&output.stdout), stderr: text(&output.stderr), code: output.status.code() }
}

/// A cluster of its own for one test, its scratch folder, and the flag by which commands reach it.
pub struct Cluster {
    folder: tempfile::TempDir,
    reach: String,
    _server: Option<TestCluster>,
}

impl Cluster {
    /// A cluster that every command opens in its own process.
    pub fn in_process() -> Self {
        let folder = tempfile::tempdir().expect("a scratch folder");
        Self { folder, reach: "--embedded=it".into(), _server: None }
    }

    /// A cluster that listens on HTTPS, in a process of its own.
    pub fn https() -> Self {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let server = TestCluster::start(program(), folder.path(), &[]).expect("the cluster serves");
        let reach = format!("--kubeconfig={}", server.kubeconfig().display());
        Self { folder, reach, _server: Some(server) }
    }

    /// The folder in which commands run.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The flag by which commands reach the cluster.
    pub fn reach(&self) -> &str {
        &self.reach
    }

    /// Writes a file into that folder.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder().join(name);
        fs::create_dir_all(path.parent().expect("below the folder")).expect("a folder");
        fs::write(&path, text).expect("a file is written");
        path
    }

    fn run_as(&self, program: &str, line: &str, stdin: &str) -> Outcome {
        let mut args = vec![self.reach.as_str()];
        args.extend(line.split_whitespace());
        run(self.folder(), program, &args, stdin)
    }

    /// Runs a command line, given without the program's name, under the name `knarr`.
    pub fn knarr(&self, line: &str) -> Outcome {
        self.run_as("knarr", line, "")
    }

    /// Runs a command line under the name `kubectl`.
    pub fn kubectl(&self, line: &str) -> Outcome {
        self.run_as("kubectl", line, "")
    }

    /// Runs a command line with text on standard input.
    pub fn piped(&self, line: &str, stdin: &str) -> Outcome {
        self.run_as("knarr", line, stdin)
    }

    /// Runs a command until it prints `expected`, for at most half a minute.
    #[track_caller]
    pub fn until(&self, line: &str, expected: &str) {
        let start = Instant::now();
        loop {
            let outcome = self.knarr(line);
            if outcome.stdout == expected {
                return;
            }
            assert!(start.elapsed() < Duration::from_secs(30), "{line}: {}", outcome.text());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Makes two tests of each function `fn(&Cluster)`: through the in-process transport and through HTTPS.
macro_rules! both_ways {
    ($($case:ident),* $(,)?) => {
        mod in_process {
            $(#[test] fn $case() { super::$case(&crate::support::Cluster::in_process()); })*
        }
        mod https {
            $(#[test] fn $case() { super::$case(&crate::support::Cluster::https()); })*
        }
    };
}
pub(crate) use both_ways;
