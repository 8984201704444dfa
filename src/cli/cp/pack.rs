//! From files of this machine to an archive.

use std::fs;
use std::io::{self, Write};

use super::paths;
use crate::cli::error::{Error, Result, path_error};
use crate::object::go::clean_path;

/// Writes a file or a folder with all that is in it as an archive, in which it bears the name `to`.
///
/// # Errors
/// A file cannot be read, or the archive cannot be written.
pub fn pack(from: &str, to: &str, writer: impl Write) -> Result<()> {
    let mut builder = tar::Builder::new(writer);
    builder.follow_symlinks(false);
    let (from, to) = (clean_path(from), clean_path(to));
    add(&mut builder, &from, &paths::base(&to))?;
    builder.into_inner()?.flush()?;
    Ok(())
}

fn add(builder: &mut tar::Builder<impl Write>, from: &str, name: &str) -> Result<()> {
    let metadata = fs::symlink_metadata(from).map_err(|error| path_error("lstat", from, &error))?;
    let mut header = tar::Header::new_gnu();
    header.set_metadata(&metadata);
    if metadata.is_dir() {
        let mut names: Vec<_> = fs::read_dir(from)
            .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<io::Result<_>>())
            .map_err(|error| path_error("open", from, &error))?;
        names.sort();
        if names.is_empty() {
            header.set_size(0);
            return written(builder.append_data(&mut header, format!("{name}/"), io::empty()), from);
        }
        for child in names {
            let child = child.to_string_lossy();
            add(builder, &paths::join(from, &child), &paths::join(name, &child))?;
        }
        return Ok(());
    }
    if metadata.is_symlink() {
        let target = fs::read_link(from).map_err(|error| path_error("readlink", from, &error))?;
        header.set_size(0);
        return written(builder.append_link(&mut header, name, target), from);
    }
    let file = fs::File::open(from).map_err(|error| path_error("open", from, &error))?;
    written(builder.append_data(&mut header, name, file), from)
}

fn written(outcome: io::Result<()>, from: &str) -> Result<()> {
    outcome.map_err(|error| Error::new(format!("{from}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_packed_under_their_new_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join("src").join(name);
        fs::create_dir_all(path("empty")).expect("a folder");
        fs::write(path("a"), "1").expect("a file");
        #[cfg(unix)]
        std::os::unix::fs::symlink("a", path("link")).expect("a link");
        let mut archive = Vec::new();
        pack(&folder.path().join("src").to_string_lossy(), "/tmp/dst", &mut archive).expect("an archive");
        let mut reader = tar::Archive::new(archive.as_slice());
        let names: Vec<String> = reader
            .entries()
            .expect("entries")
            .map(|entry| entry.expect("an entry").path().expect("a path").to_string_lossy().into_owned())
            .collect();
        assert_eq!(names, ["dst/a", "dst/empty/", "dst/link"]);
    }
}
