//! What the tests start: programs that serve until they are dropped, and programs that run to their end.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::tools;

/// The longest any awaited condition may take before the test counts as hanging. Several control planes may
/// be starting on two cores.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks at a condition.
const LOOK: Duration = Duration::from_millis(20);

/// Looks at `condition` until it yields something; fails, naming `what`, when that takes too long.
#[track_caller]
pub fn awaited<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(it) = condition() {
            return it;
        }
        assert!(start.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        thread::sleep(LOOK);
    }
}

/// A command that sees nothing of the machine's environment but where programs are.
pub fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear();
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command
}

/// A program that serves in the background and is killed when this is dropped. It is killed as well when the
/// tests are, since the kernel then closes the pipe its leash holds on to.
pub struct Leashed {
    child: Child,
    log: PathBuf,
}

impl Leashed {
    /// Starts `program`, whose stdout and stderr go to the file `log`.
    pub fn start<A: AsRef<OsStr>>(program: &Path, arguments: &[A], log: &Path) -> Self {
        let file = File::create(log).unwrap();
        let mut command = command(&tools::script("leash"));
        command.arg(program).args(arguments).stdin(Stdio::piped());
        command.stdout(file.try_clone().unwrap()).stderr(file);
        Self { child: command.spawn().unwrap(), log: log.to_owned() }
    }

    /// How it ended and what it said last, where it does not run any more.
    pub fn ended(&mut self) -> Option<String> {
        let status = self.child.try_wait().unwrap()?;
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        let last = lines[lines.len().saturating_sub(20)..].join("\n");
        Some(format!("it ended with {status}\n{last}"))
    }

    /// The process of its leash, whose child it is.
    #[allow(dead_code, reason = "for measurements")]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The process of the program itself, as long as it runs.
    pub fn process(&self, program: &str) -> Option<u32> {
        let leash = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{leash}/task/{leash}/children")).ok()?;
        let is_it = |id: &u32| {
            std::fs::read_to_string(format!("/proc/{id}/comm")).is_ok_and(|name| name.trim() == program)
        };
        children.split_whitespace().filter_map(|id| id.parse().ok()).find(is_it)
    }

    /// All it has written so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap()).into_owned()
    }
}

impl Drop for Leashed {
    fn drop(&mut self) {
        // Waiting closes the pipe first, and the leash lets go.
        let _ = self.child.wait();
    }
}

/// What a program left.
#[derive(Debug)]
pub struct Ran {
    /// The exit code; -1 after a signal.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// Runs `command` to its end with `stdin`.
    pub fn of(mut command: Command, stdin: &str) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut pipe = child.stdin.take().unwrap();
        let input = stdin.to_owned();
        // The program may end before it has read everything; that is its right.
        let writer = thread::spawn(move || drop(pipe.write_all(input.as_bytes())));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Asserts that it succeeded; its stdout.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "{}{}", self.stdout, self.stderr);
        self.stdout
    }
}
