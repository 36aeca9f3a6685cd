//! Pipeline caches in files: what a driver has compiled, for the next process.
//!
//! A driver must not be given anything else than what it once gave: some read it without looking. So a file says what it is
//! of and has a hash of all that it holds, and what is not whole, or of another adapter or driver, is not shown to the driver.

use super::wait::guarded;
use siphasher::sip128::{Hasher128, SipHasher13};
use std::fs::{self, File, Metadata};
use std::hash::Hasher;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// What files begin with. Files of another form would begin otherwise.
const MAGIC: [u8; 16] = *b"nonlin cache 1\r\n";

/// Bytes of a file, at most. Nothing can be taken out of a pipeline cache: one that is larger begins anew.
const MOST: u64 = 32 << 20;

/// A device's pipeline cache, and its file.
#[derive(Debug)]
pub(super) struct Stored {
    cache: wgpu::PipelineCache,
    folder: PathBuf,
    name: String,
    key: String,
    /// How many kernels had been compiled when the file was written.
    written: AtomicUsize,
}

/// Why a file is not believed.
#[derive(Debug, PartialEq)]
enum Refused {
    /// It begins otherwise.
    Unknown,
    /// Of another adapter, or another driver.
    Other,
    /// Not as it was written.
    Spoiled,
}

impl Stored {
    /// The pipeline cache of a device, with what its file holds; none where the backend has no such caches.
    pub(super) fn open(device: &wgpu::Device, folder: &Path) -> Option<Self> {
        if !device.features().contains(wgpu::Features::PIPELINE_CACHE) {
            return None;
        }
        let info = device.adapter_info();
        let name = wgpu::util::pipeline_cache_key(&info)?;
        let key = key(&info);
        let shown = shown(folder, &name, &key);
        let doing = "opening a pipeline cache";
        let cache = guarded(device, doing, || Ok(create(device, shown.as_deref())));
        Some(Stored {
            cache: cache.ok()?,
            folder: folder.to_owned(),
            name,
            key,
            written: AtomicUsize::new(0),
        })
    }

    pub(super) fn cache(&self) -> &wgpu::PipelineCache {
        &self.cache
    }

    /// Writes the file, unless it was since this many kernels had been compiled.
    pub(super) fn write(&self, compiled: usize) -> io::Result<()> {
        if self.written.swap(compiled, Ordering::AcqRel) == compiled {
            return Ok(());
        }
        // A device that is lost has none.
        let Some(data) = self.cache.get_data() else {
            return Ok(());
        };
        let bytes = file(&self.key, &data);
        if bytes.len() as u64 > MOST {
            return match fs::remove_file(self.folder.join(&self.name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            };
        }
        replace(&self.folder, &self.name, &bytes)
    }
}

/// What the driver may see of a file; none where there is none, or it is not believed.
fn shown(folder: &Path, name: &str, key: &str) -> Option<Vec<u8>> {
    let file = read(folder, name).ok()?;
    held(&file, key).ok().map(<[u8]>::to_vec)
}

/// A pipeline cache with what a file held, if there was one.
#[expect(unsafe_code, reason = "a driver may believe what it is given")]
fn create(device: &wgpu::Device, shown: Option<&[u8]>) -> wgpu::PipelineCache {
    let descriptor = wgpu::PipelineCacheDescriptor {
        label: Some("nonlin"),
        data: shown,
        fallback: true,
    };
    // SAFETY: data must have come from `PipelineCache::get_data`, of an adapter of the same `pipeline_cache_key`. The only
    // caller, `Stored::open`, has it from `shown`, which gives what lies behind a hash of 128 bits over all of it and over the
    // key, with which it was written by `Stored::write`, straight from `get_data`: what is cut, overwritten or mixed of two
    // files has another hash. The key holds `pipeline_cache_key`, and beside it the adapter's name, the driver and its
    // version. `read` believes no file that others than its owner can write, or put another in the place of (on Unix; elsewhere
    // the folder's rights are its owner's to choose). What is left is somebody who writes files with such hashes as this very
    // user, who could as well replace the program. wgpu then compares its own header, and the driver that of Vulkan, which has
    // an identity of the driver's build.
    unsafe { device.create_pipeline_cache(&descriptor) }
}

/// What has to be the same for a file to be believed.
fn key(info: &wgpu::AdapterInfo) -> String {
    let class = wgpu::util::pipeline_cache_key(info).unwrap_or_default();
    let wgpu::AdapterInfo {
        name,
        backend,
        driver,
        driver_info,
        ..
    } = info;
    // Each in quotation marks, so that no two of them can be taken for two others.
    format!("{class:?} {name:?} {backend:?} {driver:?} {driver_info:?}")
}

fn hash(key: &[u8], data: &[u8]) -> [u8; 16] {
    let mut hasher = SipHasher13::new();
    hasher.write(&(key.len() as u64).to_le_bytes());
    hasher.write(key);
    hasher.write(data);
    hasher.finish128().as_bytes()
}

/// A file: what it begins with, its hash, the key with its length, and what `get_data` gave.
fn file(key: &str, data: &[u8]) -> Vec<u8> {
    let length = (key.len() as u32).to_le_bytes();
    let hash = hash(key.as_bytes(), data);
    [&MAGIC[..], &hash, &length, key.as_bytes(), data].concat()
}

/// What `get_data` gave, if this is a file as it was written, with the same key.
fn held<'a>(file: &'a [u8], key: &str) -> Result<&'a [u8], Refused> {
    let rest = file.strip_prefix(&MAGIC).ok_or(Refused::Unknown)?;
    let (hash, rest) = rest.split_first_chunk::<16>().ok_or(Refused::Spoiled)?;
    let (length, rest) = rest.split_first_chunk::<4>().ok_or(Refused::Spoiled)?;
    let length = u32::from_le_bytes(*length) as usize;
    let (found, data) = rest.split_at_checked(length).ok_or(Refused::Spoiled)?;
    if self::hash(found, data) != *hash {
        return Err(Refused::Spoiled);
    }
    match found == key.as_bytes() {
        true => Ok(data),
        false => Err(Refused::Other),
    }
}

/// Whether others than the owner may write.
#[cfg(unix)]
fn is_open(metadata: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    metadata.mode() & 0o022 != 0
}

/// What Windows has is not told by the standard library: a user's own folders are closed to others there.
#[cfg(not(unix))]
fn is_open(_: &Metadata) -> bool {
    false
}

/// All of a file, if nobody but its owner can write there.
fn read(folder: &Path, name: &str) -> io::Result<Vec<u8>> {
    let refused = |what| io::Error::new(io::ErrorKind::PermissionDenied, what);
    if is_open(&fs::metadata(folder)?) {
        return Err(refused("others may write to the folder"));
    }
    let file = File::open(folder.join(name))?;
    let metadata = file.metadata()?;
    if is_open(&metadata) || !metadata.is_file() {
        return Err(refused("others may write to the file"));
    }
    let mut bytes = Vec::new();
    file.take(MOST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST {
        return Err(io::Error::other("the file is too large"));
    }
    Ok(bytes)
}

/// Puts a file in the place of the one before, whole.
fn replace(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let (mut folders, mut files) = (fs::DirBuilder::new(), File::options());
    #[cfg(unix)]
    {
        std::os::unix::fs::DirBuilderExt::mode(&mut folders, 0o700);
        std::os::unix::fs::OpenOptionsExt::mode(&mut files, 0o600);
    }
    folders.recursive(true).create(folder)?;
    // Of this process alone, and of this thread.
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let beside = folder.join(format!(".{name}.{}.{count}", std::process::id()));
    let written = files
        .write(true)
        .create(true)
        .truncate(true)
        .open(&beside)
        .and_then(|mut file| file.write_all(bytes))
        .and_then(|()| fs::rename(&beside, folder.join(name)));
    if written.is_err() {
        _ = fs::remove_file(&beside);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "\"class\" \"adapter\" Vulkan \"driver\" \"1.2\"";
    const NAME: &str = "cache";

    fn data() -> Vec<u8> {
        (0..300u32).map(|i| (i * i) as u8).collect()
    }

    /// A folder of the test's own, deleted behind it.
    struct Folder(PathBuf);

    impl Folder {
        fn new(test: &str) -> Self {
            let name = format!("nonlin-{test}-{}", std::process::id());
            Folder(std::env::temp_dir().join(name))
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_whole_file_of_the_same_driver_is_believed() {
        let data = data();
        assert_eq!(held(&file(KEY, &data), KEY), Ok(&data[..]));
        assert_eq!(held(&file(KEY, &[]), KEY), Ok(&[][..]));
    }

    #[test]
    fn a_file_of_another_driver_is_not() {
        let file = file(KEY, &data());
        for other in ["", "1.2", &KEY.replace("1.2", "1.3"), &format!("{KEY} ")] {
            assert_eq!(held(&file, other), Err(Refused::Other), "{other}");
        }
    }

    /// Any bit of it, any length but its own.
    #[test]
    fn a_spoiled_file_is_not() {
        let whole = file(KEY, &data());
        for at in 0..whole.len() {
            let wanted = || match at < MAGIC.len() {
                true => Err(Refused::Unknown),
                false => Err(Refused::Spoiled),
            };
            for bit in 0..8 {
                let mut spoiled = whole.clone();
                spoiled[at] ^= 1 << bit;
                assert_eq!(held(&spoiled, KEY), wanted(), "bit {bit} of byte {at}");
            }
            assert_eq!(held(&whole[..at], KEY), wanted(), "{at} bytes");
        }
        let mut longer = whole.clone();
        longer.push(0);
        assert_eq!(held(&longer, KEY), Err(Refused::Spoiled));
        // Half of one file and half of another, as a write that was cut short leaves them.
        let other = file(KEY, &vec![7; data().len()]);
        let middle = whole.len() / 2;
        let mixed = [&whole[..middle], &other[middle..]].concat();
        assert_eq!(held(&mixed, KEY), Err(Refused::Spoiled));
    }

    /// On the disk: a file is replaced whole, and what is spoiled there is not shown to the driver.
    #[test]
    fn files_are_replaced_and_refused() {
        let Folder(folder) = &Folder::new("replaced");
        let inner = folder.join("made");
        assert_eq!(shown(&inner, NAME, KEY), None);
        for data in [data(), vec![1, 2, 3]] {
            replace(&inner, NAME, &file(KEY, &data)).unwrap();
            assert_eq!(shown(&inner, NAME, KEY), Some(data));
        }
        let left: Vec<_> = fs::read_dir(&inner).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
        let mut spoiled = fs::read(inner.join(NAME)).unwrap();
        *spoiled.last_mut().unwrap() ^= 1;
        fs::write(inner.join(NAME), spoiled).unwrap();
        assert_eq!(shown(&inner, NAME, KEY), None);
        // A folder in the file's place can neither be read nor replaced, and nothing is left beside it.
        fs::remove_file(inner.join(NAME)).unwrap();
        fs::create_dir(inner.join(NAME)).unwrap();
        assert_eq!(shown(&inner, NAME, KEY), None);
        assert!(replace(&inner, NAME, b"x").is_err());
        assert_eq!(fs::read_dir(&inner).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_is_too_large_is_refused() {
        let Folder(folder) = &Folder::new("large");
        replace(folder, NAME, b"").unwrap();
        let large = File::options().write(true).open(folder.join(NAME)).unwrap();
        large.set_len(MOST).unwrap();
        assert!(read(folder, NAME).is_ok());
        large.set_len(MOST + 1).unwrap();
        assert_eq!(
            read(folder, NAME).unwrap_err().to_string(),
            "the file is too large"
        );
    }

    #[cfg(unix)]
    #[test]
    fn what_others_can_write_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let Folder(folder) = &Folder::new("open");
        let path = folder.join(NAME);
        replace(folder, NAME, &file(KEY, &data())).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(folder), mode(&path)), (0o700, 0o600));
        let give = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        for (path, own) in [(folder, 0o700), (&path, 0o600)] {
            for open in [own | 0o020, own | 0o002] {
                give(path, open);
                assert_eq!(shown(folder, NAME, KEY), None, "{path:?} {open:o}");
            }
            give(path, own | 0o044);
            assert!(shown(folder, NAME, KEY).is_some());
        }
    }
}
