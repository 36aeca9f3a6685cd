//! Steps, and the shell that shows, runs and times them.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Why the program ends early, and with which exit code.
#[derive(Debug)]
pub(crate) struct Stop {
    pub(crate) code: u8,
    pub(crate) message: String,
}

impl Stop {
    pub(crate) fn new(code: u8, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}

/// One command line, with its name in the summary and its purpose.
#[derive(Debug)]
pub(crate) struct Step {
    name: &'static str,
    why: &'static str,
    words: Vec<String>,
    variables: Vec<(&'static str, String)>,
}

impl Step {
    pub(crate) fn new(name: &'static str, why: &'static str, words: &[impl AsRef<str>]) -> Self {
        let words = words.iter().map(|word| word.as_ref().to_owned()).collect();
        Self {
            name,
            why,
            words,
            variables: Vec::new(),
        }
    }

    /// The same step with an environment variable set.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    /// The same step with these environment variables set.
    pub(crate) fn with_all(mut self, variables: &[(&'static str, String)]) -> Self {
        self.variables.extend_from_slice(variables);
        self
    }
}

/// The step as one would type it.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let variables = self
            .variables
            .iter()
            .map(|(name, value)| format!("{name}={}", quoted(value)));
        let words = self.words.iter().map(|word| quoted(word));
        f.write_str(&variables.chain(words).collect::<Vec<_>>().join(" "))
    }
}

/// `word` in quotes if a shell needs them.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./=:+,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Runs steps from the top of the checkout, and keeps their times.
pub(crate) struct Shell {
    root: PathBuf,
    target: PathBuf,
    programs: PathBuf,
    variables: Vec<(&'static str, OsString)>,
    log: Vec<(&'static str, Duration)>,
}

impl Shell {
    /// The checkout is where Cargo says this package is; the target folder is where this program
    /// is, whichever variable or setting has put it there.
    pub(crate) fn new() -> Result<Self, Stop> {
        let package = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let here = env::current_exe().ok();
        let programs = here.as_deref().and_then(Path::parent);
        let (Some(root), Some(programs), Some(target)) =
            (package.parent(), programs, programs.and_then(Path::parent))
        else {
            return Err(Stop::new(
                1,
                "cannot tell where the checkout is; use `cargo xtask`",
            ));
        };
        let mut shell = Self {
            root: root.into(),
            target: target.into(),
            programs: programs.into(),
            variables: Vec::new(),
            log: Vec::new(),
        };
        // Steps run from the top: a relative folder must go on meaning what it meant here.
        for name in ["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET_DIR"] {
            if let Some(folder) = env::var_os(name).filter(|folder| !folder.is_empty()) {
                let folder = std::path::absolute(&folder).map_or(folder, PathBuf::into_os_string);
                shell.variables.push((name, folder));
            }
        }
        // Without this variable, the drivers write a warning each time they load.
        if cfg!(unix) && env::var_os("XDG_RUNTIME_DIR").is_none() {
            let folder = shell.target.join("xdg-runtime");
            make_private(&folder).map_err(|error| cannot_make(&folder, &error))?;
            shell.variables.push(("XDG_RUNTIME_DIR", folder.into()));
        }
        Ok(shell)
    }

    /// The text of one of the checkout's files.
    pub(crate) fn text(&self, name: &str) -> Result<String, Stop> {
        let file = self.root.join(name);
        let failed = |error| Stop::new(1, format!("cannot read {}: {error}", file.display()));
        fs::read_to_string(&file).map_err(failed)
    }

    /// The top of the checkout.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// The command `nonlin`, where Cargo puts it.
    pub(crate) fn nonlin(&self) -> PathBuf {
        self.programs
            .join(format!("nonlin{}", env::consts::EXE_SUFFIX))
    }

    /// Where Cargo puts examples, as it looks from the top.
    pub(crate) fn examples(&self) -> PathBuf {
        self.shown(&self.programs).join("examples")
    }

    /// A folder below the target folder, made if needed, as it looks from the top.
    pub(crate) fn folder(&self, name: &str) -> Result<PathBuf, Stop> {
        let folder = self.target.join(name);
        fs::create_dir_all(&folder).map_err(|error| cannot_make(&folder, &error))?;
        Ok(self.shown(&folder))
    }

    /// `path` as it looks from the top of the checkout.
    pub(crate) fn shown(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.root).unwrap_or(path).into()
    }

    /// Shows the step, runs it, and keeps its time. A step that fails ends the program with that
    /// step's exit code.
    pub(crate) fn run(&mut self, step: &Step) -> Result<(), Stop> {
        println!("\n# {}: {}\n$ {step}", step.name, step.why);
        let start = Instant::now();
        let status = self
            .command(&step.words)
            .envs(step.variables.iter().map(|(name, value)| (name, value)))
            .status();
        self.log.push((step.name, start.elapsed()));
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(Stop::new(
                code(status),
                format!("step `{}` failed: {status}", step.name),
            )),
            Err(error) => Err(Stop::new(
                127,
                format!("cannot start `{}`: {error}", step.words[0]),
            )),
        }
    }

    /// Runs a command without showing anything. Says whether it succeeded.
    pub(crate) fn quietly(&self, words: &[&str]) -> bool {
        self.command(words)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }

    /// What a command writes, without showing anything.
    pub(crate) fn read(&self, words: &[&str]) -> Result<String, Stop> {
        let output = self.command(words).output();
        let output = output
            .map_err(|error| Stop::new(127, format!("cannot start `{}`: {error}", words[0])))?;
        if !output.status.success() {
            let line = Step::new("", "", words);
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(Stop::new(
                code(output.status),
                format!("`{line}` failed: {said}"),
            ));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The steps that ran, and how long each took.
    pub(crate) fn summary(&self) {
        if self.log.is_empty() {
            return;
        }
        println!("\n{:<14}{:>8}", "step", "seconds");
        let total = ("total", self.log.iter().map(|(_, time)| *time).sum());
        for (name, time) in self.log.iter().chain([&total]) {
            println!("{name:<14}{:>8.1}", time.as_secs_f64());
        }
    }

    fn command<S: AsRef<str>>(&self, words: &[S]) -> Command {
        let program = match words[0].as_ref() {
            "cargo" => env::var_os("CARGO").unwrap_or_else(|| "cargo".into()),
            "nonlin" => self.nonlin().into(),
            other => other.into(),
        };
        let mut command = Command::new(program);
        command
            .args(words[1..].iter().map(AsRef::as_ref))
            .current_dir(&self.root);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// The exit code that a shell would report.
fn code(status: ExitStatus) -> u8 {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return u8::try_from(128 + signal).unwrap_or(u8::MAX);
    }
    status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(1)
}

fn cannot_make(folder: &Path, error: &std::io::Error) -> Stop {
    Stop::new(
        1,
        format!("cannot make the folder {}: {error}", folder.display()),
    )
}

/// Makes a folder that only its owner can enter.
fn make_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_only_where_needed() {
        assert_eq!(quoted("--no-deps"), "--no-deps");
        assert_eq!(quoted("a | b"), "'a | b'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    #[cfg(unix)]
    fn exit_codes_are_passed_on() {
        let run = |script| {
            let mut shell = Shell::new().unwrap();
            let done = shell.run(&Step::new("try", "exit codes", &["sh", "-c", script]));
            assert_eq!(shell.log.len(), 1);
            done.map_err(|stop| stop.code)
        };
        assert_eq!(run("exit 0"), Ok(()));
        assert_eq!(run("exit 7"), Err(7));
        assert_eq!(run("kill -9 $$"), Err(137));
    }
}
