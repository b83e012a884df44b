//! JSON in a file of a dump.

use std::io::{self, BufRead};

use super::File;
use crate::audit::collect::check;
use crate::audit::dump::input::without_mark;
use crate::audit::json::{Broken, Object, Part, Splitter};
use crate::kinds::ippool::cluster::{Head, TypeMeta};

impl File<'_, '_> {
    pub fn read_json(&mut self, file: &mut impl BufRead) -> io::Result<()> {
        let mut splitter = Splitter::default();
        let mut begin = true;
        loop {
            let block = file.fill_buf()?;
            let length = block.len();
            if length == 0 {
                break;
            }
            let block = if std::mem::take(&mut begin) { without_mark(block) } else { block };
            if let Err(Broken { line, why }) = splitter.push(block, &mut |part| self.json_part(&part, 0)) {
                self.error(Some(line), why);
                return Ok(());
            }
            file.consume(length);
        }
        if let Err(Broken { line, why }) = splitter.finish() {
            self.error(
                Some(line),
                format!("{why}: the dump is cut, and everything after this line is missing"),
            );
        }
        Ok(())
    }

    fn json_part(&mut self, part: &Part<'_>, depth: usize) {
        match part {
            Part::Item(item) => self.bytes(item.text, item.line, item.list, depth),
            Part::Whole(whole) if whole.has_items => {
                let text = self.text(whole.text, whole.line).unwrap_or("{}");
                let list = check(text).map(|()| Head::type_meta(text)).unwrap_or_else(|error| {
                    self.not_json(whole.line, &error);
                    TypeMeta::default()
                });
                self.end_list(&list);
            }
            Part::Whole(whole) => {
                self.bytes(whole.text, whole.line, &TypeMeta::default(), depth);
                self.end_object();
            }
        }
    }

    /// Reads the items of a list within a list.
    pub fn nested(&mut self, text: &str, line: usize, depth: usize) {
        let mut splitter = Splitter::default();
        let pushed = splitter.push(text.as_bytes(), &mut |part| {
            let part = match part {
                Part::Item(item) => Part::Item(Object { line, ..item }),
                Part::Whole(whole) if whole.has_items => Part::Whole(whole),
                // A list without items.
                Part::Whole(whole) => Part::Whole(Object { has_items: true, ..whole }),
            };
            self.json_part(&part, depth + 1);
        });
        if let Err(Broken { why, .. }) = pushed {
            self.error(Some(line), why);
        }
    }
}
