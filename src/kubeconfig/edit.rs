//! Writing changes back to the files they belong to.

use std::path::{Path, PathBuf};

use super::load::{Sources, clean, load_file, resolve};
use super::lock::Locks;
use super::model::{AuthInfo, Cluster, Config};
use super::{Error, path_error};

/// Brings the files from what `sources` hold to `new`.
///
/// Each entry goes to the file it came from, new entries and the current context to the default file. With `relative`,
/// paths below the file's folder are written relative to it.
///
/// # Errors
/// A file cannot be read or written.
pub fn modify(sources: &Sources, new: &Config, relative: bool) -> Result<(), Error> {
    let _locks = Locks::take(sources.precedence())?;
    let old = sources.starting()?;
    if old == *new {
        return Ok(());
    }
    if old.current_context != new.current_context {
        write_current_context(sources, &new.current_context)?;
    }
    let default = sources.default_file().map(Path::to_owned);
    if old.preferences != new.preferences {
        change(default.clone(), |config, _| {
            config.preferences = new.preferences.clone();
            Ok(())
        })?;
    }
    let destination = |origin: &Option<PathBuf>| origin.clone().or_else(|| default.clone());
    for (name, cluster) in changed(&old.clusters, &new.clusters) {
        change(destination(&cluster.origin), |config, file| {
            let mut cluster = cluster.clone();
            if relative {
                relative_paths(cluster.files(), file)?;
            }
            config.clusters.insert(name.clone(), cluster);
            Ok(())
        })?;
    }
    for (name, context) in changed(&old.contexts, &new.contexts) {
        change(destination(&context.origin), |config, _| {
            config.contexts.insert(name.clone(), context.clone());
            Ok(())
        })?;
    }
    for (name, user) in changed(&old.users, &new.users) {
        change(destination(&user.origin), |config, file| {
            let mut user: AuthInfo = user.clone();
            if relative {
                relative_paths(user.files(), file)?;
            }
            config.users.insert(name.clone(), user);
            Ok(())
        })?;
    }
    remove_gone(&old, new, destination)
}

fn remove_gone(
    old: &Config,
    new: &Config,
    destination: impl Fn(&Option<PathBuf>) -> Option<PathBuf>,
) -> Result<(), Error> {
    for (name, cluster) in old.clusters.iter().filter(|(name, _)| !new.clusters.contains_key(*name)) {
        let cluster: &Cluster = cluster;
        change(destination(&cluster.origin), |config, _| {
            config.clusters.remove(name);
            Ok(())
        })?;
    }
    for (name, context) in old.contexts.iter().filter(|(name, _)| !new.contexts.contains_key(*name)) {
        change(destination(&context.origin), |config, _| {
            config.contexts.remove(name);
            Ok(())
        })?;
    }
    for (name, user) in old.users.iter().filter(|(name, _)| !new.users.contains_key(*name)) {
        change(destination(&user.origin), |config, _| {
            config.users.remove(name);
            Ok(())
        })?;
    }
    Ok(())
}

type Entries<T> = std::collections::BTreeMap<String, T>;

/// The entries of `new` that `old` has not, or has otherwise.
fn changed<'a, T: PartialEq>(old: &'a Entries<T>, new: &'a Entries<T>) -> impl Iterator<Item = (&'a String, &'a T)> {
    new.iter().filter(|(name, item)| old.get(*name) != Some(item))
}

fn change(file: Option<PathBuf>, edit: impl FnOnce(&mut Config, &Path) -> Result<(), Error>) -> Result<(), Error> {
    let file = file.ok_or_else(|| Error::Fact("no config found to write to".into()))?;
    let mut config = load_file(&file)?.unwrap_or_default();
    edit(&mut config, &file)?;
    write_file(&config, &file)
}

/// The current context goes to the default file; clearing it goes to the first file that sets it.
fn write_current_context(sources: &Sources, name: &str) -> Result<(), Error> {
    let set = |config: &mut Config, _: &Path| {
        name.clone_into(&mut config.current_context);
        Ok(())
    };
    if sources.explicit.is_some() || !name.is_empty() {
        return change(sources.default_file().map(Path::to_owned), set);
    }
    for file in sources.precedence() {
        if load_file(file)?.is_some_and(|config| !config.current_context.is_empty()) {
            return change(Some(file.clone()), set);
        }
    }
    Err(Error::Fact("no config found to write context".into()))
}

/// Paths below the folder of `file` relative to it; others stay absolute.
fn relative_paths(mut paths: Vec<&mut String>, file: &Path) -> Result<(), Error> {
    resolve(paths.iter_mut().map(|path| &mut **path).collect(), Some(file));
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = std::path::absolute(folder).map_err(|error| Error::Fact(path_error("open", folder, &error)))?;
    let folder = clean(&folder);
    for path in paths {
        if let Ok(below) = Path::new(path.as_str()).strip_prefix(&folder) {
            *path = below.to_string_lossy().into_owned();
        }
    }
    Ok(())
}

/// Writes a config to a file that only its owner may read, by way of a file beside it.
///
/// # Errors
/// The folder or the file cannot be written.
pub fn write_file(config: &Config, file: &Path) -> Result<(), Error> {
    use std::io::Write;
    let failed = |call: &str, path: &Path, error: &std::io::Error| Error::Fact(path_error(call, path, error));
    // A link stays a link: what it points to is replaced.
    let file = std::fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(|error| failed("mkdir", folder, &error))?;
    let mut name = std::ffi::OsString::from(".");
    name.push(file.file_name().unwrap_or_default());
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = folder.join(name);
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut out = options.open(&temporary).map_err(|error| failed("open", &file, &error))?;
    let text = to_yaml(config);
    out.write_all(text.as_bytes()).and_then(|()| out.sync_all()).map_err(|error| failed("write", &file, &error))?;
    if let Ok(metadata) = std::fs::metadata(&file) {
        std::fs::set_permissions(&temporary, metadata.permissions()).ok();
    }
    std::fs::rename(&temporary, &file).map_err(|error| failed("rename", &file, &error))
}

/// The config as YAML with sorted keys, lists not indented.
pub(crate) fn to_yaml(config: &Config) -> String {
    crate::manifest::to_yaml(&config.to_value())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubeconfig::Context;

    #[test]
    fn entries_go_back_to_their_files() {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        std::fs::write(&one, "contexts: [{name: a, context: {cluster: k, user: u}}]\n").expect("a scratch file");
        std::fs::write(&two, "contexts: [{name: b, context: {cluster: k, user: u}}]\n").expect("a scratch file");
        let sources = Sources { files: vec![one.clone(), two.clone()], ..Sources::default() };
        let mut config = sources.load(false).expect("readable");
        config.contexts.get_mut("b").expect("in two").namespace = "n".into();
        config.contexts.insert("c".into(), Context { cluster: "k".into(), ..Context::default() });
        config.contexts.remove("a");
        modify(&sources, &config, false).expect("writable");
        let names = |file: &Path| {
            let config = load_file(file).expect("readable").expect("there");
            config.contexts.into_iter().map(|(name, context)| (name, context.namespace)).collect::<Vec<_>>()
        };
        assert_eq!(names(&one), [("c".to_owned(), String::new())]);
        assert_eq!(names(&two), [("b".to_owned(), "n".to_owned())]);
    }
}
