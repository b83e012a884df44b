//! A file of a dump, which may have to be read twice.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::check::source;

/// A file, or standard input.
#[derive(Debug)]
pub struct Input {
    path: PathBuf,
    /// A copy of standard input.
    copy: Option<File>,
    /// The namespace in whose folder the pods of the file are, if it is one of an inspection.
    pub namespace_of_pods: Option<String>,
    /// Whether the file is in a folder of a namespace.
    pub is_by_namespace: bool,
    /// Whether it had pods.
    pub has_pods: bool,
}

impl Input {
    /// The file at `path`.
    ///
    /// # Errors
    /// Where standard input cannot be copied.
    pub fn new(path: &Path) -> io::Result<Self> {
        let copy = source::is_stdin(path).then(copy_of_stdin).transpose()?;
        let folders: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
        let at = folders.iter().rposition(|folder| folder == "namespaces");
        let below = at.map(|at| folders.get(at + 1..).unwrap_or_default()).unwrap_or_default();
        let namespace_of_pods = match below {
            [namespace, core, file] if core == "core" && is_pods(file) => Some(namespace.to_string()),
            _ => None,
        };
        let is_by_namespace = below.len() > 1;
        Ok(Self { path: path.to_owned(), copy, namespace_of_pods, is_by_namespace, has_pods: false })
    }

    /// Its name in messages.
    pub fn name(&self) -> String {
        source::name(&self.path)
    }

    /// Opens it at its start.
    ///
    /// # Errors
    /// Where it cannot be opened.
    pub fn open(&self) -> io::Result<Box<dyn Read>> {
        match &self.copy {
            None => Ok(Box::new(File::open(&self.path)?)),
            Some(copy) => {
                let mut copy = copy.try_clone()?;
                copy.seek(SeekFrom::Start(0))?;
                Ok(Box::new(copy))
            }
        }
    }
}

fn is_pods(file: &str) -> bool {
    matches!(file, "pods.yaml" | "pods.json")
}

/// Copies standard input to a file without a name, since it can be read only once and may be larger than memory.
fn copy_of_stdin() -> io::Result<File> {
    let path = std::env::temp_dir().join(format!("{}-{}", env!("CARGO_PKG_NAME"), std::process::id()));
    let mut copy = File::options().read(true).write(true).create_new(true).open(&path)?;
    fs::remove_file(&path)?;
    io::copy(&mut io::stdin(), &mut copy)?;
    Ok(copy)
}
