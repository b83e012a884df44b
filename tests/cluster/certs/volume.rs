//! A Secret volume as the kubelet keeps it.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;

/// A directory whose files are links through `..data`, which one rename points at the next version of all.
pub struct Volume {
    root: PathBuf,
    shown: BTreeMap<String, Vec<u8>>,
    version: u32,
}

impl Volume {
    pub fn new(root: &Path) -> Self {
        std::fs::create_dir_all(root).unwrap();
        Self { root: root.to_owned(), shown: BTreeMap::new(), version: 0 }
    }

    /// Shows the entries `keys` of `secret`. Nothing happens while one is missing: the kubelet waits for it.
    pub fn sync(&mut self, secret: &Value, keys: &[&str]) {
        let entry = |key: &&str| {
            let text = secret["data"][*key].as_str()?;
            Some(((*key).to_owned(), BASE64.decode(text).unwrap()))
        };
        let Some(entries) = keys.iter().map(entry).collect::<Option<BTreeMap<_, _>>>() else { return };
        if entries != self.shown {
            self.swap(&entries);
            self.shown = entries;
        }
    }

    fn swap(&mut self, entries: &BTreeMap<String, Vec<u8>>) {
        let name = |version: u32| format!("..version_{version}");
        let (old, new) = (name(self.version), name(self.version + 1));
        self.version += 1;
        let at = |name: &str| self.root.join(name);
        std::fs::create_dir(at(&new)).unwrap();
        for (key, value) in entries {
            std::fs::write(at(&new).join(key), value).unwrap();
        }
        symlink(&new, at("..data_tmp")).unwrap();
        std::fs::rename(at("..data_tmp"), at("..data")).unwrap();
        for key in entries.keys().filter(|_| self.shown.is_empty()) {
            symlink(Path::new("..data").join(key), at(key)).unwrap();
        }
        if !self.shown.is_empty() {
            std::fs::remove_dir_all(at(&old)).unwrap();
        }
    }
}
