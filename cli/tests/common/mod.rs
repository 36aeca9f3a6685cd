//! What the tests of the command share.

pub(crate) mod layers;
pub(crate) mod operands;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Arrays as NumPy writes them, by kind.
pub(crate) const KINDS: [&str; 8] = [
    "c",
    "fortran",
    "c_with_fortran_dy",
    "fortran_with_c_dy",
    "f64",
    "big_endian",
    "scalar",
    "empty",
];

/// The chain of their expected results.
pub(crate) const CHAIN: &str = "scale(0.5) | silu";

/// A file of tests/data.
pub(crate) fn data(kind: &str, what: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    folder.join(format!("{kind}_{what}.npy"))
}

/// The command with arguments.
pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nonlin"));
    command.args(args);
    // Without it, some OpenGL drivers complain on stderr.
    command.env("XDG_RUNTIME_DIR", std::env::temp_dir());
    // Nothing is left in the cache of whoever tests.
    command.env("NONLIN_NO_CACHE", "1");
    command
}

/// What a run of the command left.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        assert!(!stderr.contains("panicked"), "{stderr}");
        Ran {
            code: output.status.code(),
            stdout,
            stderr,
        }
    }
}

/// Runs the command.
pub(crate) fn nonlin(args: &[&str]) -> Ran {
    command(args).output().expect("the command runs").into()
}

impl Ran {
    /// The standard output of a run that must have gone well, and silently.
    #[track_caller]
    pub(crate) fn fine(self) -> String {
        assert_eq!(
            (self.code, self.stderr.as_str()),
            (Some(0), ""),
            "{}",
            self.stdout
        );
        self.stdout
    }

    /// The document that a run printed which must have gone well.
    #[track_caller]
    pub(crate) fn json(self) -> serde_json::Value {
        serde_json::from_str(&self.fine()).expect("valid JSON")
    }

    /// Asserts that the run was refused with this message.
    #[track_caller]
    pub(crate) fn refused(self, message: &str) {
        let Ran {
            code,
            stdout,
            stderr,
        } = self;
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{stderr}");
        assert_eq!(stderr, format!("nonlin: {message}\n"));
    }
}

/// The names of a JSON object's fields.
pub(crate) fn fields(value: &serde_json::Value) -> Vec<&str> {
    let object = value.as_object().expect("an object");
    object.keys().map(String::as_str).collect()
}
