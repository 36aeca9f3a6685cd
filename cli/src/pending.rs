//! Output files that appear whole or not at all.

use crate::{Failure, Result};
use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// A file being written beside its place, which it takes with [`persist`](Self::persist). Dropped
/// before, it leaves nothing behind, and what was in its place stays.
pub(crate) struct Pending {
    /// As the user spelt it.
    path: PathBuf,
    target: PathBuf,
    file: BufWriter<NamedTempFile>,
}

impl Pending {
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let failed = |error| cannot_write(path, error);
        let target = resolve(path).map_err(failed)?;
        // A rename would replace a device or a named pipe by a file.
        if target.exists() && !target.is_file() {
            return Err(Failure(format!(
                "cannot write {}: it is not a file",
                path.display()
            )));
        }
        let folder = target.parent().unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        builder.prefix(".nonlin-");
        // What other programs give their files, less the user's umask; the default is private.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let file = BufWriter::new(builder.tempfile_in(folder).map_err(failed)?);
        Ok(Pending {
            path: path.to_owned(),
            target,
            file,
        })
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.file.write_all(bytes);
        written.map_err(|error| cannot_write(&self.path, error))
    }

    /// Puts the file in its place.
    pub(crate) fn persist(self) -> Result<()> {
        let failed = |error| cannot_write(&self.path, error);
        let file = self
            .file
            .into_inner()
            .map_err(|error| failed(error.into_error()))?;
        file.as_file().sync_all().map_err(failed)?;
        file.persist(&self.target)
            .map_err(|error| failed(error.error))?;
        Ok(())
    }
}

fn cannot_write(path: &Path, error: io::Error) -> Failure {
    Failure::io(format_args!("cannot write {}", path.display()), error)
}

/// The one absolute name of a file, which need not be there yet.
pub(crate) fn resolve(path: &Path) -> io::Result<PathBuf> {
    match (fs::canonicalize(path), path.file_name()) {
        (Err(error), Some(name)) if error.kind() == io::ErrorKind::NotFound => {
            let folder = path
                .parent()
                .filter(|folder| !folder.as_os_str().is_empty());
            Ok(fs::canonicalize(folder.unwrap_or(Path::new(".")))?.join(name))
        }
        (resolved, _) => resolved,
    }
}
