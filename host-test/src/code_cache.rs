//! A cache of compiled code, in a folder that only this user can write.
//!
//! Compiled code runs with the process's rights, outside the sandbox. So the folder must be the process's own, with mode 0700, and
//! nobody else may be able to replace it; and the code is used only if it has the hash that was stored with it. Where one of
//! this does not hold, the component is compiled: a cache never makes anything fail.

use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

use ring::digest::{Context, SHA256, SHA256_OUTPUT_LEN, digest};
use wasmtime::Engine;
use wasmtime::component::Component;

/// The longest file, in bytes. The code of this component has some 2 MB.
const MAX_FILE: u64 = 256 * 1024 * 1024;
/// The most files that are kept: one for each component, version of wasmtime, and configuration.
const MAX_FILES: usize = 16;

/// Compiles a component, or loads its code from the folder.
pub(crate) fn load(engine: &Engine, component: &[u8], folder: Option<&Path>) -> wasmtime::Result<Component> {
    let Some(folder) = folder else { return Component::new(engine, component) };
    let folder = match own::folder(folder) {
        Ok(folder) => folder,
        Err(problem) => {
            tracing::debug!(folder = %folder.display(), problem, "compiled code is not cached");
            return Component::new(engine, component);
        }
    };
    let path = folder.join(name(engine, component));
    let stored = own::read(&path).inspect_err(|problem| tracing::debug!(problem, "no cached code")).ok();
    if let Some(component) = stored.as_deref().and_then(verified).and_then(|code| deserialize(engine, code)) {
        return Ok(component);
    }
    let code = engine.precompile_component(component)?;
    let hash = digest(&SHA256, &code);
    if let Err(error) = own::write(&path, &[hash.as_ref(), &code]) {
        tracing::debug!(%error, "compiled code is not cached");
    }
    own::remove_oldest(&folder, MAX_FILES);
    // Compiled by this process just now.
    deserialize(engine, &code).map_or_else(|| Component::new(engine, component), Ok)
}

/// The name of a file: a hash of all that the code depends on.
fn name(engine: &Engine, component: &[u8]) -> String {
    struct Sha256(Context);
    impl Hasher for Sha256 {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }

        fn finish(&self) -> u64 {
            0
        }
    }
    let mut hasher = Sha256(Context::new(&SHA256));
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.write(component);
    let hash: String = hasher.0.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{hash}.code")
}

/// The code of a file, if it has the hash that is stored before it.
fn verified(file: &[u8]) -> Option<&[u8]> {
    let (hash, code) = file.split_at_checked(SHA256_OUTPUT_LEN)?;
    (digest(&SHA256, code).as_ref() == hash).then_some(code)
}

/// Loads code that [`load`] has verified or compiled.
#[allow(unsafe_code, reason = "wasmtime cannot check that code is its own; this module does")]
fn deserialize(engine: &Engine, code: &[u8]) -> Option<Component> {
    // SAFETY: these bytes are what `precompile_component` returned. They come from memory of this function's caller, or from a
    // file in a folder that no other user could write, and they have the hash that this process's user stored with them.
    let component = unsafe { Component::deserialize(engine, code) };
    component.inspect_err(|error| tracing::debug!(%error, "the cached code does not fit")).ok()
}

/// Files and folders that no other user can change.
#[cfg(unix)]
mod own {
    use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
    use std::io::{self, Read, Write};
    use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
    use std::path::{Path, PathBuf};

    use super::MAX_FILE;

    /// The last parts of the folder's path that must not be symbolic links.
    const PARTS: usize = 2;
    const WRITABLE_BY_OTHERS: u32 = 0o022;
    const STICKY: u32 = 0o1000;

    fn is_own(metadata: &Metadata) -> bool {
        metadata.uid() == rustix::process::geteuid().as_raw()
    }

    /// The real path of the folder, which is created if it does not exist, with mode 0700.
    pub(super) fn folder(path: &Path) -> Result<PathBuf, String> {
        if !path.is_absolute() {
            return Err("the path is not absolute".into());
        }
        let create = DirBuilder::new().recursive(true).mode(0o700).create(path);
        create.map_err(|error| error.to_string())?;
        for part in path.ancestors().take(PARTS) {
            let metadata = fs::symlink_metadata(part).map_err(|error| error.to_string())?;
            if !metadata.is_dir() {
                return Err(format!("{} is a symbolic link, or not a folder", part.display()));
            }
        }
        let path = path.canonicalize().map_err(|error| error.to_string())?;
        let metadata = fs::symlink_metadata(&path).map_err(|error| error.to_string())?;
        if !is_own(&metadata) || metadata.mode() & 0o777 != 0o700 {
            return Err("the folder is not this user's own, with mode 0700".into());
        }
        // Those who can write a folder above it can put another one in its place.
        for part in path.ancestors().skip(1) {
            let metadata = fs::symlink_metadata(part).map_err(|error| error.to_string())?;
            let is_safe = metadata.mode() & WRITABLE_BY_OTHERS == 0 || metadata.mode() & STICKY != 0;
            if !is_safe || !(is_own(&metadata) || metadata.uid() == 0) {
                return Err(format!("others can write {}", part.display()));
            }
        }
        Ok(path)
    }

    pub(super) fn read(path: &Path) -> Result<Vec<u8>, String> {
        let problem = |error: io::Error| error.to_string();
        let no_follow = (rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK).bits();
        let options = OpenOptions::new().read(true).custom_flags(no_follow.cast_signed()).open(path);
        let file = options.map_err(problem)?;
        let metadata = file.metadata().map_err(problem)?;
        if !metadata.is_file() || !is_own(&metadata) || metadata.mode() & WRITABLE_BY_OTHERS != 0 {
            return Err("the file is not this user's own".into());
        }
        let mut bytes = Vec::with_capacity(usize::try_from(metadata.len().min(MAX_FILE)).unwrap_or(0));
        file.take(MAX_FILE).read_to_end(&mut bytes).map_err(problem)?;
        Ok(bytes)
    }

    /// Writes a file under another name first, so that no reader finds a part of it.
    pub(super) fn write(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
        let new = path.with_extension(format!("{}.new", std::process::id()));
        let write = || {
            let mut file: File = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
            parts.iter().try_for_each(|part| file.write_all(part))?;
            fs::rename(&new, path)
        };
        write().inspect_err(|_| drop(fs::remove_file(&new)))
    }

    /// Removes the oldest files beyond a number.
    pub(super) fn remove_oldest(folder: &Path, max: usize) {
        let Ok(entries) = fs::read_dir(folder) else { return };
        let modified = |entry: fs::DirEntry| Some((entry.metadata().ok()?.modified().ok()?, entry.path()));
        let mut files: Vec<_> = entries.filter_map(|entry| modified(entry.ok()?)).collect();
        files.sort();
        let excess = files.len().saturating_sub(max);
        files.into_iter().take(excess).for_each(|(_, path)| drop(fs::remove_file(path)));
    }
}

/// No cache where owners and modes of files are not known.
#[cfg(not(unix))]
mod own {
    use std::io;
    use std::path::{Path, PathBuf};

    pub(super) fn folder(_: &Path) -> Result<PathBuf, String> {
        Err("not supported on this system".into())
    }

    pub(super) fn read(_: &Path) -> Result<Vec<u8>, String> {
        Err("not supported on this system".into())
    }

    pub(super) fn write(_: &Path, _: &[&[u8]]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn remove_oldest(_: &Path, _: usize) {}
}

/// The folder for compiled code in the user's cache directory: `$XDG_CACHE_HOME`, `~/.cache`, or on macOS `~/Library/Caches`.
pub(crate) fn user_folder(program: &str) -> Option<PathBuf> {
    let directory = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let in_home = if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" };
    let caches = directory("XDG_CACHE_HOME").or_else(|| Some(directory("HOME")?.join(in_home)))?;
    Some(caches.join(program))
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may end here")]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::time::SystemTime;

    use super::*;

    const COMPONENT: &[u8] = br#"(component (core module (func (export "f") (result i32) i32.const 7)))"#;

    fn component() -> Vec<u8> {
        wat::parse_bytes(COMPONENT).unwrap().into_owned()
    }

    fn files(folder: &Path) -> Vec<PathBuf> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    fn modified(path: &Path) -> SystemTime {
        fs::metadata(path).unwrap().modified().unwrap()
    }

    #[test]
    fn row_44_compiled_code_is_kept_in_a_folder_of_the_user() {
        let (engine, parent) = (Engine::default(), tempfile::tempdir().unwrap());
        let folder = parent.path().join("cache");
        load(&engine, &component(), Some(&folder)).unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o7777, 0o700);
        let [file] = &files(&folder)[..] else { unreachable!() };
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
        let written = modified(file);
        load(&engine, &component(), Some(&folder)).unwrap();
        assert_eq!((files(&folder).len(), modified(file)), (1, written), "the second time, it is read");
        // Without a folder, nothing is written.
        load(&engine, &component(), None).unwrap();
    }

    #[test]
    fn row_44_altered_code_is_compiled_anew() {
        let (engine, parent) = (Engine::default(), tempfile::tempdir().unwrap());
        let folder = parent.path().join("cache");
        load(&engine, &component(), Some(&folder)).unwrap();
        let file = files(&folder).remove(0);
        let whole = fs::read(&file).unwrap();
        let places = (0..whole.len()).step_by(whole.len() / 40).chain([whole.len() - 1]);
        let mut altered: Vec<Vec<u8>> = places
            .map(|place| {
                let mut altered = whole.clone();
                altered[place] ^= 1;
                altered
            })
            .collect();
        altered.extend([
            Vec::new(),
            whole[..20].to_vec(),
            whole[..whole.len() / 2].to_vec(),
            [&whole[..], b"x"].concat(),
        ]);
        for bytes in altered {
            fs::write(&file, bytes).unwrap();
            load(&engine, &component(), Some(&folder)).unwrap();
            assert_eq!(fs::read(&file).unwrap().len(), whole.len(), "it is written again");
            assert!(verified(&fs::read(&file).unwrap()).is_some());
        }
    }

    #[test]
    fn row_44_a_folder_that_others_could_write_is_not_used() {
        let (engine, parent) = (Engine::default(), tempfile::tempdir().unwrap());
        let assert_unused = |folder: &Path, reason: &str| {
            let before = fs::read_dir(folder).map_or(0, Iterator::count);
            load(&engine, &component(), Some(folder)).unwrap();
            assert_eq!(fs::read_dir(folder).map_or(0, Iterator::count), before, "{reason}");
        };
        let folder = parent.path().join("cache");
        fs::create_dir(&folder).unwrap();
        for mode in [0o755, 0o770, 0o777, 0o1777, 0o750] {
            fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
            assert_unused(&folder, &format!("mode {mode:o}"));
        }
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
        let link = parent.path().join("link");
        symlink(&folder, &link).unwrap();
        assert_unused(&link, "a link");
        let below = folder.join("below");
        fs::create_dir(&below).unwrap();
        fs::set_permissions(&below, fs::Permissions::from_mode(0o700)).unwrap();
        assert_unused(&link.join("below"), "a link above it");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
        assert_unused(&below, "others can replace it");
        assert_unused(Path::new("relative"), "a relative path");
        let file = parent.path().join("file");
        fs::write(&file, "").unwrap();
        assert_unused(&file, "a file");
        load(&engine, &component(), Some(&file.join("below"))).unwrap();
    }

    #[test]
    fn row_44_a_file_that_is_a_link_or_that_others_can_write_is_not_used() {
        let (engine, parent) = (Engine::default(), tempfile::tempdir().unwrap());
        let folder = parent.path().join("cache");
        load(&engine, &component(), Some(&folder)).unwrap();
        let file = files(&folder).remove(0);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
        load(&engine, &component(), Some(&folder)).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "it was replaced");
        let elsewhere = parent.path().join("elsewhere");
        fs::rename(&file, &elsewhere).unwrap();
        symlink(&elsewhere, &file).unwrap();
        load(&engine, &component(), Some(&folder)).unwrap();
        assert!(!fs::symlink_metadata(&file).unwrap().is_symlink(), "it was replaced");
        assert!(verified(&fs::read(&elsewhere).unwrap()).is_some(), "and not written through");
    }

    #[test]
    fn old_files_are_removed() {
        let (engine, parent) = (Engine::default(), tempfile::tempdir().unwrap());
        let folder = parent.path().join("cache");
        for number in 0..MAX_FILES + 3 {
            let component = format!(r#"(component (core module (func (export "f") (result i32) i32.const {number})))"#);
            load(&engine, &wat::parse_str(component).unwrap(), Some(&folder)).unwrap();
        }
        assert_eq!(files(&folder).len(), MAX_FILES);
    }
}
