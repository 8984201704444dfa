//! From an archive to files of this machine.

use std::fs;
use std::io::{self, Read};

use super::paths;
use crate::cli::error::{Error, Result, path_error};
use crate::object::go::quote;

/// Where an archive comes from and goes to.
pub struct Unpack<'a> {
    /// What all its members begin with.
    pub prefix: &'a str,
    /// The file or folder that they become.
    pub to: &'a str,
    /// What to type for copying links; empty where nothing is known.
    pub advice: &'a str,
}

impl Unpack<'_> {
    /// Writes the members of an archive. What is left out is told by `warn`: links, and members that would come to
    /// lie outside.
    ///
    /// # Errors
    /// The archive is corrupt, or a file cannot be written.
    pub fn run(&self, reader: impl Read, mut warn: impl FnMut(String) -> Result<()>) -> Result<()> {
        let mut archive = tar::Archive::new(reader);
        let corrupt = |error: io::Error| match error.kind() {
            io::ErrorKind::UnexpectedEof => Error::new("unexpected EOF"),
            _ => Error::new(format!("archive/tar: {error}")),
        };
        let mut told = false;
        for entry in archive.entries().map_err(corrupt)? {
            let mut entry = entry.map_err(corrupt)?;
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let Some(rest) = name.strip_prefix(self.prefix) else {
                return Err(Error::new("tar contents corrupted"));
            };
            let file = paths::join(self.to, &paths::remote(rest));
            if !paths::is_within(self.to, &file) {
                warn(format!("warning: file {} is outside target destination, skipping", quote(&file)))?;
                continue;
            }
            let above = paths::dir(&file);
            fs::create_dir_all(&above).map_err(|error| path_error("mkdir", &above, &error))?;
            let kind = entry.header().entry_type();
            if kind.is_dir() {
                fs::create_dir_all(&file).map_err(|error| path_error("mkdir", &file, &error))?;
                continue;
            }
            if kind.is_symlink() {
                let target = entry.link_name_bytes().map(|name| String::from_utf8_lossy(&name).into_owned());
                let mut text =
                    format!("warning: skipping symlink: {} -> {}", quote(&file), quote(&target.unwrap_or_default()));
                if !std::mem::replace(&mut told, true) && !self.advice.is_empty() {
                    text = format!("{text} (consider using \"{}\")", self.advice);
                }
                warn(text)?;
                continue;
            }
            let mut out = fs::File::create(&file).map_err(|error| path_error("open", &file, &error))?;
            io::copy(&mut entry, &mut out).map_err(corrupt)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(members: &[(&str, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, link) in members {
            let mut header = tar::Header::new_gnu();
            header.set_mode(0o644);
            if link.is_empty() {
                // Set by hand, for the builder refuses names that leave the folder.
                header.as_gnu_mut().expect("a GNU header").name[..name.len()].copy_from_slice(name.as_bytes());
                header.set_size(1);
                header.set_cksum();
                builder.append(&header, &b"x"[..]).expect("memory");
            } else {
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_size(0);
                builder.append_link(&mut header, name, link).expect("memory");
            }
        }
        builder.into_inner().expect("memory")
    }

    #[test]
    fn links_and_members_outside_are_left_out() {
        let folder = tempfile::tempdir().expect("a folder");
        let to = folder.path().join("out").to_string_lossy().into_owned();
        let bytes = archive(&[("d/a", ""), ("d/../../evil", ""), ("d/l", "/etc/passwd"), ("d/m", "x")]);
        let mut told = Vec::new();
        let unpack = Unpack { prefix: "d", to: &to, advice: "kubectl exec" };
        unpack
            .run(bytes.as_slice(), |text| {
                told.push(text);
                Ok(())
            })
            .expect("an archive");
        assert!(folder.path().join("out/a").exists() && !folder.path().join("evil").exists());
        assert!(!folder.path().join("out/l").exists());
        assert_eq!(told.len(), 3);
        assert!(told[0].contains("is outside target destination, skipping"), "{told:?}");
        assert!(told[1].ends_with("-> \"/etc/passwd\" (consider using \"kubectl exec\")"), "{told:?}");
        assert!(told[2].ends_with("-> \"x\""), "{told:?}");
    }

    #[test]
    fn an_archive_of_something_else_is_refused() {
        let unpack = Unpack { prefix: "etc", to: "/nonexistent", advice: "" };
        let refused = unpack.run(archive(&[("other", "")]).as_slice(), |_| Ok(()));
        assert_eq!(refused.map_err(|error| error.text()), Err("tar contents corrupted".into()));
    }
}
