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
        self.finish()?.place()
    }

    /// Writes what is left to the disk.
    fn finish(self) -> Result<Finished> {
        let failed = |error| cannot_write(&self.path, error);
        let file = self
            .file
            .into_inner()
            .map_err(|error| failed(error.into_error()))?;
        file.as_file().sync_all().map_err(failed)?;
        Ok(Finished {
            path: self.path,
            target: self.target,
            file,
        })
    }
}

/// A file that only needs its place.
struct Finished {
    path: PathBuf,
    target: PathBuf,
    file: NamedTempFile,
}

impl Finished {
    fn place(self) -> Result<()> {
        let placed = self.file.persist(&self.target);
        placed.map_err(|error| cannot_write(&self.path, error.error))?;
        Ok(())
    }
}

/// Puts all files in their places. Where one of them cannot be put there, what was in the others' places is put back.
pub(crate) fn persist_all(files: Vec<Pending>) -> Result<()> {
    let finished: Vec<Finished> = files
        .into_iter()
        .map(Pending::finish)
        .collect::<Result<_>>()?;
    // What was there before, by its place, to be put back or to be dropped at the end.
    let mut before: Vec<(PathBuf, Option<tempfile::TempPath>)> = Vec::new();
    for file in finished {
        let (path, target) = (file.path.clone(), file.target.clone());
        let kept = set_aside(&target).map_err(|error| cannot_write(&path, error));
        let placed = kept.and_then(|kept| {
            before.push((target, kept));
            file.place()
        });
        if let Err(failure) = placed {
            for (target, kept) in before {
                _ = match kept {
                    Some(kept) => kept.persist(&target).map_err(|error| error.error),
                    None => fs::remove_file(&target),
                };
            }
            return Err(failure);
        }
    }
    Ok(())
}

/// Moves a file out of the way, if there is one, to where it is deleted in the end.
fn set_aside(target: &Path) -> io::Result<Option<tempfile::TempPath>> {
    if !target.exists() {
        return Ok(None);
    }
    let folder = target.parent().unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    let aside = builder.prefix(".nonlin-").tempfile_in(folder)?;
    let aside = aside.into_temp_path();
    fs::rename(target, &aside)?;
    Ok(Some(aside))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn pending(path: &Path) -> Pending {
        let mut file = Pending::create(path).unwrap();
        file.write(b"new").unwrap();
        file
    }

    fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
        let mut all = Vec::new();
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let bytes = fs::read(entry.path()).unwrap_or_default();
            all.push((entry.file_name().into_string().unwrap(), bytes));
        }
        all.sort();
        all
    }

    #[test]
    fn all_files_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let [a, b, c] = ["a", "b", "c"].map(|name| folder.path().join(name));
        fs::write(&a, b"old").unwrap();
        let files = [&a, &b, &c].map(|path| pending(path));
        // What no file can replace.
        fs::create_dir_all(c.join("inside")).unwrap();
        let before = contents(folder.path());
        assert_eq!(before.len(), 5);
        assert!(persist_all(files.into()).is_err());
        let kept = [("a".into(), b"old".to_vec()), ("c".into(), Vec::new())];
        assert_eq!(contents(folder.path()), kept);
        assert!(c.join("inside").is_dir());

        fs::remove_dir_all(&c).unwrap();
        persist_all([&a, &b, &c].map(|path| pending(path)).into()).unwrap();
        let all = ["a", "b", "c"].map(|name| (name.to_owned(), b"new".to_vec()));
        assert_eq!(contents(folder.path()), all);
    }
}
